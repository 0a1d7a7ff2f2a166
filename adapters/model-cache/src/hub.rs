//! Fetches files of a model hub: `{address}/{repository}/resolve/{revision}/{file}`, the layout that the common hubs and their
//! mirrors share. Broken transfers go on where they stopped.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use reqwest::header::{CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, RANGE};
use reqwest::{Client, StatusCode, Url};
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use crate::artifact::{Artifact, ModelFile};
use crate::blocking::digest;
use crate::disk::{FetchLock, make_folder, publish, require_space};
use crate::progress::Progress;
use crate::retry::{self, Failure, Policy};
use crate::{Digest, Error};

/// A connection that does not open, or brings nothing for so long, is given up and retried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Files of one repository at one revision. Nothing has a default: the user says where models come from.
#[derive(Clone, PartialEq, Eq)]
pub struct Hub {
    /// Address, `https://…`, without the repository.
    pub base_url: String,
    /// Repository, such as `owner/model`.
    pub repo: String,
    /// Branch, tag or commit. A branch is read once: what was fetched first stays until its folder is removed.
    pub revision: String,
    /// The files, the main one first; at least one.
    pub files: Vec<HubFile>,
    /// Access token, for repositories that want one.
    pub token: Option<String>,
}

/// One file of a hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubFile {
    /// Path within the repository.
    pub name: String,
    /// Expected digest. Without it the first fetch is trusted, its digest noted, and every later use checked against that.
    pub sha256: Option<Digest>,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub")
            .field("base_url", &self.base_url)
            .field("repo", &self.repo)
            .field("revision", &self.revision)
            .field("files", &self.files)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Resolves a hub's files against the cache.
pub(crate) async fn resolve(root: &Path, hub: &Hub, progress: &mut Progress<'_>) -> Result<Artifact, Error> {
    let urls = hub
        .files
        .iter()
        .map(|file| url(hub, file))
        .collect::<Result<Vec<_>, _>>()?;
    if urls.is_empty() {
        return Err(bad(&hub.repo, "a hub model", "no file of it is named"));
    }
    let key = key(hub);
    let place = root.join("hub").join(&key);
    if let Some(files) = present(hub, &place).await? {
        return Ok(artifact(hub, files));
    }
    let _lock = FetchLock::acquire(&root.join("locks").join(format!("{key}.lock"))).await?;
    if let Some(files) = present(hub, &place).await? {
        return Ok(artifact(hub, files));
    }
    let client = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(STALL_TIMEOUT)
        .user_agent(concat!("gristmill/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| Error::Client(error.to_string()))?;
    let partial = root.join("partial").join(&key);
    let mut done_before = 0;
    let mut files = Vec::with_capacity(urls.len());
    for (file, url) in hub.files.iter().zip(urls) {
        let target = place.join(&file.name);
        let fetched = match checked(file, &target).await? {
            Some(found) => found,
            None => {
                let transfer = Transfer {
                    client: &client,
                    url,
                    token: hub.token.as_deref(),
                    part: partial.join(format!("{}.part", flat(&file.name))),
                    // Bytes of an unknown file may only be continued when the server vouches that it is still the same.
                    content_known: file.sha256.is_some(),
                };
                let mut report = |done: u64, total: Option<u64>| {
                    progress(done_before + done, total.map(|t| done_before + t))
                };
                transfer.run(&mut report).await?;
                accept(file, &transfer.part, &target).await?
            }
        };
        done_before += std::fs::metadata(&target)
            .map(|meta| meta.len())
            .unwrap_or_default();
        files.push(fetched);
    }
    Ok(artifact(hub, files))
}

fn artifact(hub: &Hub, files: Vec<ModelFile>) -> Artifact {
    Artifact {
        name: hub.repo.clone(),
        license: None,
        files,
    }
}

fn bad(text: &str, what: &'static str, reason: &str) -> Error {
    Error::BadReference {
        text: text.to_owned(),
        what,
        reason: reason.to_owned(),
    }
}

/// The file's address; refuses names that would leave the repository or, later, the cache folder.
fn url(hub: &Hub, file: &HubFile) -> Result<Url, Error> {
    let parsed = Url::parse(&hub.base_url)
        .map_err(|error| bad(&hub.base_url, "a hub's address", &error.to_string()))?;
    if !matches!(parsed.scheme(), "http" | "https") {
        return Err(bad(
            &hub.base_url,
            "a hub's address",
            "it must begin with https:// or http://",
        ));
    }
    for (text, what) in [
        (&hub.repo, "a repository"),
        (&file.name, "a file of a repository"),
    ] {
        let part_is_bad = |part: &str| part.is_empty() || part == "." || part == "..";
        if text.split('/').any(part_is_bad) || text.contains(['\\', ':', '\0']) {
            return Err(bad(
                text,
                what,
                "it must be a relative path with `/` between its parts",
            ));
        }
    }
    if hub.revision.is_empty() {
        return Err(bad(
            &hub.revision,
            "a revision",
            "it is empty; name a commit, tag or branch",
        ));
    }
    let mut url = parsed;
    match url.path_segments_mut() {
        Ok(mut segments) => {
            segments.pop_if_empty().extend(hub.repo.split('/'));
            segments
                .extend(["resolve", &hub.revision])
                .extend(file.name.split('/'));
        }
        Err(()) => return Err(bad(&hub.base_url, "a hub's address", "it has no host")),
    }
    Ok(url)
}

/// A path as one file name.
fn flat(path: &str) -> String {
    path.replace('/', "--")
}

/// Folder name of a repository: readable, and different for different addresses and revisions.
fn key(hub: &Hub) -> String {
    let id = Digest::of(
        [hub.base_url.as_str(), &hub.repo, &hub.revision]
            .join("\n")
            .as_bytes(),
    );
    format!("{}-{}", flat(&hub.repo), id.short())
}

async fn present(hub: &Hub, place: &Path) -> Result<Option<Vec<ModelFile>>, Error> {
    let mut files = Vec::with_capacity(hub.files.len());
    for file in &hub.files {
        match checked(file, &place.join(&file.name)).await? {
            Some(found) => files.push(found),
            None => return Ok(None),
        }
    }
    Ok(Some(files))
}

/// A cached file when it is there and has the digest that the user gave or the first fetch had.
async fn checked(file: &HubFile, target: &Path) -> Result<Option<ModelFile>, Error> {
    let (Some(found), Some(expected)) = (digest(target).await?, expected(file, target)?) else {
        return Ok(None);
    };
    if found != expected {
        tracing::warn!(file = %target.display(), %expected, %found, "cached file is damaged: fetching it again");
        return Ok(None);
    }
    Ok(Some(ModelFile {
        name: file.name.clone(),
        path: target.to_owned(),
        sha256: found,
    }))
}

fn pin_path(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// The user's digest, else the noted one.
fn expected(file: &HubFile, target: &Path) -> Result<Option<Digest>, Error> {
    if file.sha256.is_some() {
        return Ok(file.sha256);
    }
    let pin = pin_path(target);
    match std::fs::read_to_string(&pin) {
        // A pin that was torn by a crash or an editor is as good as none.
        Ok(text) => Ok(text.trim().parse().ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &pin)(error)),
    }
}

/// Checks a finished transfer and moves it into place; a wrong one is removed, so that the next fetch starts afresh.
async fn accept(file: &HubFile, part: &Path, target: &Path) -> Result<ModelFile, Error> {
    let lost = || Error::io("read", part)(io::ErrorKind::NotFound.into());
    let found = digest(part).await?.ok_or_else(lost)?;
    let wanted = expected(file, target)?;
    forget(&etag_path(part))?;
    if let Some(expected) = wanted.filter(|expected| *expected != found) {
        forget(part)?;
        let advice = match file.sha256 {
            Some(_) => "the hub serves another file than the job names: correct the revision or the SHA-256",
            None => {
                "the hub's file has changed since it was first fetched: name a commit as revision, or remove the cached \
                     .sha256 file to accept the new one"
            }
        };
        return Err(Error::Hash {
            path: target.to_owned(),
            expected,
            found,
            advice,
        });
    }
    publish(part, target)?;
    if file.sha256.is_none() {
        let pin = pin_path(target);
        std::fs::write(&pin, format!("{found}\n")).map_err(Error::io("write", &pin))?;
    }
    Ok(ModelFile {
        name: file.name.clone(),
        path: target.to_owned(),
        sha256: found,
    })
}

fn forget(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn etag_path(part: &Path) -> PathBuf {
    part.with_extension("etag")
}

/// One file on its way.
struct Transfer<'a> {
    client: &'a Client,
    url: Url,
    token: Option<&'a str>,
    part: PathBuf,
    content_known: bool,
}

impl Transfer<'_> {
    async fn run(&self, progress: &mut Progress<'_>) -> Result<(), Error> {
        if let Some(folder) = self.part.parent() {
            make_folder(folder)?;
        }
        // Attempts follow one another and each reports for itself; the lock only shares the callback between them.
        let progress = Mutex::new(progress);
        retry::free(Policy::CONNECT, || self.attempt(&progress)).await
    }

    async fn attempt(&self, progress: &Mutex<&mut Progress<'_>>) -> Result<(), Failure<Error>> {
        let report = |done, total| {
            if let Ok(mut told) = progress.lock() {
                told(done, total);
            }
        };
        let (have, etag) = self.resumable();
        let mut request = self.client.get(self.url.clone());
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        if have > 0 {
            request = request.header(RANGE, format!("bytes={have}-"));
            if let Some(etag) = etag {
                request = request.header(IF_RANGE, etag);
            }
        }
        let mut response = request.send().await.map_err(|error| self.broken(&error))?;
        let start = self.start(response.status(), response.headers(), have)?;
        let total = response.content_length().map(|rest| start + rest);
        let folder = self.part.parent().unwrap_or(&self.part);
        require_space(folder, total.unwrap_or(start) - start).map_err(Failure::Final)?;
        self.note_etag(response.headers())?;

        let failed = |error| Failure::Final(Error::io("write", &self.part)(error));
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.part)
            .await
            .map_err(failed)?;
        file.set_len(start).await.map_err(failed)?;
        let mut done = start;
        report(done, total);
        loop {
            let chunk = match response.chunk().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return file.flush().await.map_err(failed),
                Err(error) => {
                    file.flush().await.map_err(failed)?;
                    return Err(self.broken(&error));
                }
            };
            file.write_all(&chunk).await.map_err(failed)?;
            done += chunk.len() as u64;
            report(done, total);
        }
    }

    /// Bytes that may be continued, and the tag they came under.
    fn resumable(&self) -> (u64, Option<String>) {
        let have = std::fs::metadata(&self.part)
            .map(|meta| meta.len())
            .unwrap_or_default();
        let etag = std::fs::read_to_string(etag_path(&self.part)).ok();
        if etag.is_none() && !self.content_known {
            return (0, None);
        }
        (have, etag)
    }

    /// Where the answer's bytes belong.
    fn start(&self, status: StatusCode, headers: &HeaderMap, have: u64) -> Result<u64, Failure<Error>> {
        let refused = |advice| Error::Refused {
            url: self.url.to_string(),
            status: status.as_u16(),
            advice,
        };
        let range = headers
            .get(CONTENT_RANGE)
            .and_then(|range| range.to_str().ok())
            .unwrap_or_default();
        match status {
            StatusCode::OK => Ok(0),
            StatusCode::PARTIAL_CONTENT if range.starts_with(&format!("bytes {have}-")) => Ok(have),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                forget(&self.part).map_err(Failure::Final)?;
                Err(Failure::Passing(refused(
                    "the partial file does not fit and was dropped",
                )))
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Failure::Final(refused(
                "give a token that may read this repository, and accept its terms on the hub if it asks",
            ))),
            StatusCode::NOT_FOUND => Err(Failure::Final(refused(
                "check repository, revision and file name",
            ))),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(Failure::Passing(refused("the hub is busy: try again later")))
            }
            status if status.is_server_error() => Err(Failure::Passing(refused(
                "the hub is out of order: try again later",
            ))),
            _ => Err(Failure::Final(refused("is this the address of a model hub?"))),
        }
    }

    /// Keeps a strong tag for the next attempt: a weak one does not promise equal bytes.
    fn note_etag(&self, headers: &HeaderMap) -> Result<(), Failure<Error>> {
        let path = etag_path(&self.part);
        let strong = |tag: &&str| tag.starts_with('"');
        match headers.get(ETAG).and_then(|tag| tag.to_str().ok()).filter(strong) {
            Some(tag) => std::fs::write(&path, tag).map_err(|e| Failure::Final(Error::io("write", &path)(e))),
            None => forget(&path).map_err(Failure::Final),
        }
    }

    /// A transfer's failure with its causes; all of them may pass, but for a request that could not even be formed.
    fn broken(&self, error: &reqwest::Error) -> Failure<Error> {
        let mut detail = String::new();
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(link) = cause {
            detail = link.to_string();
            cause = link.source();
        }
        let told = Error::NoNetwork {
            what: self.url.to_string(),
            detail,
        };
        if error.is_builder() || error.is_redirect() {
            Failure::Final(told)
        } else {
            Failure::Passing(told)
        }
    }
}
