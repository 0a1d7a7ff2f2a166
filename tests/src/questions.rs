//! The questions that tests run on: the real ones where they are, and our own (`tests/data/questions`) where they are not.
//!
//! The real ones are no part of the repository. Nobody needs them to run the tests; where `CI` is set, a test that would have to do
//! without them fails, so that a green check means the real data.

use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// What a test of ours runs on, and where the real data would be.
const OURS: &str = "data/questions";
const BESIDE: &str = "../../shared/data";

/// The folder of real data, as `GRISTMILL_DATA` names it, or else beside the repository. An empty `GRISTMILL_DATA` stands for none.
pub fn real() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join(BESIDE);
    let folder = std::env::var_os("GRISTMILL_DATA").map_or(beside, PathBuf::from);
    folder.is_dir().then(|| folder.canonicalize().unwrap_or(folder))
}

/// The folder with `gsm8k`, `pubmedqa` and `text2sql` that a test runs on.
///
/// # Errors
/// Without the real data where `CI` is set, or where `GRISTMILL_DATA` names a folder that is not there.
pub fn folder() -> anyhow::Result<PathBuf> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join(OURS);
    choose(there()?, in_ci(), Some(ours))?.context("there are no questions")
}

/// The folder of real data, for a test of what only they have. `None`, and a line that says so, where they are missing: the test is not run.
///
/// # Errors
/// As those of [`folder`].
pub fn real_only() -> anyhow::Result<Option<PathBuf>> {
    choose(there()?, in_ci(), None)
}

/// The real data; a name that leads nowhere is a mistake.
fn there() -> anyhow::Result<Option<PathBuf>> {
    let named = std::env::var_os("GRISTMILL_DATA").filter(|name| !name.is_empty());
    match (real(), named) {
        (None, Some(named)) => bail!("`GRISTMILL_DATA` names no folder: {}", named.display()),
        (real, _) => Ok(real),
    }
}

fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| !value.is_empty())
}

#[expect(clippy::print_stdout, reason = "a test that is not run says so")]
fn choose(real: Option<PathBuf>, in_ci: bool, ours: Option<PathBuf>) -> anyhow::Result<Option<PathBuf>> {
    match (real, ours) {
        (Some(real), _) => Ok(Some(real)),
        (None, _) if in_ci => bail!(
            "the real data is missing, and `CI` is set: put it into `../shared/data` beside the repository, or name its folder in \
             `GRISTMILL_DATA`"
        ),
        (None, None) => {
            println!("not run: this needs the real data (`GRISTMILL_DATA`)");
            Ok(None)
        }
        (None, ours) => Ok(ours),
    }
}

/// The first lines of a file.
///
/// # Errors
/// The file cannot be read.
pub fn first_lines(path: &Path, lines: usize) -> anyhow::Result<String> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    Ok(text.lines().take(lines).map(|line| format!("{line}\n")).collect())
}

/// Sums of books on shelves, one for each number, in the layout of `gsm8k`.
pub fn sums(numbers: Range<u32>) -> String {
    numbers
        .map(|red| {
            let blue = 2 * red + 5;
            let sum = red + blue;
            let row = serde_json::json!({
                "question": format!("A shelf holds {red} red books and {blue} blue books. How many books are on it?"),
                "answer": format!("There are {red} and {blue} books, {sum} in all.\n#### {sum}"),
            });
            format!("{row}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_run_on_real_data_or_ours_and_never_on_ours_in_ci() {
        let [real, ours] = ["real", "ours"].map(|name| Some(PathBuf::from(name)));
        for in_ci in [false, true] {
            assert_eq!(choose(real.clone(), in_ci, ours.clone()).unwrap(), real);
            assert_eq!(choose(real.clone(), in_ci, None).unwrap(), real);
        }
        assert_eq!(choose(None, false, ours.clone()).unwrap(), ours);
        assert_eq!(choose(None, false, None).unwrap(), None, "it is not run");
        for ours in [ours, None] {
            let error = choose(None, true, ours).unwrap_err().to_string();
            assert!(error.contains("GRISTMILL_DATA"), "{error}");
        }
    }
}
