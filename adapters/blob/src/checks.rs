//! What can be known of a store before runs lie in it: one blob is written, read and removed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use gristmill_ports::blob::{Blobs, Create, Error, Fault};
use gristmill_ports::check::{Check, complete, told};

use crate::local::LocalBlobs;
use crate::open::open;
use crate::space::{Space, folder, space};

/// Room under which a run soon fails, bytes: about 50,000 calls on short questions, with their dataset.
const ROOM_MIN: u64 = 256 << 20;
/// The share of a file system under which it is nearly full, as the chart's alert has it, and the room with which it is not.
const NEARLY_FULL: (f64, u64) = (0.1, 20 << 30);
const GIB: f64 = 1_073_741_824.0;

/// The checks of the store behind a URL: `writable` and `conditional create`, and in a folder `space`, which object storage has no end of.
pub fn check_names(url: &str) -> &'static [&'static str] {
    match folder(url) {
        Some(_) => &["writable", "conditional create", "space"],
        None => &["writable", "conditional create"],
    }
}

/// Checks the store behind a URL, which the setting of this name holds: all of [`check_names`]. A folder that is not made yet is not made: the
/// one that it will be in is checked instead.
pub async fn checks(url: &str, setting: &str) -> Vec<Check> {
    complete(carry_out(url, setting).await, check_names(url))
}

async fn carry_out(url: &str, setting: &str) -> Vec<Check> {
    let blobs: Arc<dyn Blobs> = match folder(url).map(existing) {
        Some(there) => Arc::new(LocalBlobs::new(there)),
        None => match open(url) {
            Ok(blobs) => blobs,
            Err(error) => {
                return vec![Check::failed(
                    "writable",
                    told(&error),
                    format!("correct {setting}"),
                )];
            }
        },
    };
    let mut checks = trial(&*blobs, setting).await;
    // Asking a disk may take its time.
    let asked = url.to_owned();
    let room = tokio::task::spawn_blocking(move || space(&asked)).await;
    checks.extend(match room.ok().flatten() {
        Some(room) => Some(of_space(room)),
        None => folder(url).map(|folder| {
            Check::not_checked(
                "space",
                "the disk does not say how much is free",
                format!("`df -h {}` shows it", folder.display()),
            )
        }),
    });
    checks
}

/// The folder, or the nearest one above it that is there.
fn existing(folder: PathBuf) -> PathBuf {
    let whole = std::path::absolute(&folder).unwrap_or(folder);
    let there = whole.ancestors().find(|path| path.exists());
    there.map_or_else(|| whole.clone(), Path::to_owned)
}

async fn trial(blobs: &dyn Blobs, setting: &str) -> Vec<Check> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let number = now.map_or(0, |since| since.as_nanos());
    // No other process has this name: a probe that two share would tell them wrong things.
    let name = format!("doctor-test-{}-{number}", std::process::id());
    let checks = match written(blobs, &name).await {
        Ok(conditional) => vec![
            Check::ok("writable", "a file was written, read and removed"),
            conditional,
        ],
        Err(error) => vec![unusable(&error, setting)],
    };
    // What is left behind does no harm: a run's folder has another name.
    let _left = blobs.remove(&name).await;
    checks
}

async fn written(blobs: &dyn Blobs, name: &str) -> Result<Check, Error> {
    let (first, second) = (b"first".to_vec(), b"second".to_vec());
    blobs.create(name, first.clone()).await?;
    let again = blobs.create(name, second).await?;
    let kept = blobs.read(name).await?;
    blobs.remove(name).await?;
    Ok(match again == Create::Exists && kept == first {
        true => Check::ok("conditional create", "a name that is taken is refused"),
        false => Check::failed(
            "conditional create",
            "the store replaces a file that is there: two coordinators could overwrite each other's results",
            "use a store with conditional writes (`If-None-Match: *`), as S3, Google Cloud Storage, Azure and current MinIO have",
        ),
    })
}

fn unusable(error: &Error, setting: &str) -> Check {
    let fix = match Fault::of(error) {
        Fault::Missing => format!("mount it, or correct {setting}"),
        fault => fault.way_out().to_owned(),
    };
    Check::failed("writable", told(error), fix)
}

fn of_space(Space { available, size }: Space) -> Check {
    let gib = |bytes: u64| bytes as f64 / GIB;
    let found = format!("{:.1} of {:.1} GiB free", gib(available), gib(size));
    let fix = Fault::Full.way_out();
    let (share, enough) = NEARLY_FULL;
    if available < ROOM_MIN {
        return Check::failed("space", found, fix);
    }
    if available < enough && (available as f64) < size as f64 * share {
        return Check::warning(
            "space",
            found,
            format!("{fix}; docs/sizing.md says how much a run takes"),
        );
    }
    Check::ok("space", found)
}

#[cfg(test)]
mod tests {
    use gristmill_ports::check::State;

    use super::*;

    #[tokio::test]
    async fn a_folder_is_tried_and_nothing_is_left_in_it() {
        let there = tempfile::tempdir().unwrap();
        let store = there.path().join("not/made/yet");
        let checks = checks(&store.display().to_string(), "`--store`").await;
        assert!(
            checks[..2].iter().all(|check| check.state == State::Ok),
            "{checks:?}"
        );
        assert_eq!(std::fs::read_dir(there.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_is_no_folder_names_the_setting() {
        let there = tempfile::tempdir().unwrap();
        let file = there.path().join("file");
        std::fs::write(&file, b"").unwrap();
        for url in [file.display().to_string(), "ftp://host/folder".to_owned()] {
            let found = checks(&url, "`output.dir`").await.remove(0);
            assert!(
                found.state == State::Failed && found.fix.contains("`output.dir`"),
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_disk_is_judged_by_what_is_left() {
        let of = |available, size| of_space(Space { available, size }).state;
        assert_eq!(of(100 << 20, 1 << 40), State::Failed);
        assert_eq!(of(5 << 30, 100 << 30), State::Warning);
        assert_eq!(of(5 << 30, 20 << 30), State::Ok);
        assert_eq!(
            of(50 << 30, 1 << 40),
            State::Ok,
            "a small share of a large disk is room enough"
        );
    }
}
