//! Real databases and questions: `GRISTMILL_DATA`, or `../shared/data` beside the workspace.

use std::path::PathBuf;

use gristmill_sandbox::{Options, Sandbox};

/// A question and the queries that answer it.
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) queries: Vec<String>,
}

pub(crate) fn data() -> Option<PathBuf> {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("GRISTMILL_DATA")
        .map_or_else(beside, PathBuf::from)
        .join("text2sql");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!(
        "skipped: no folder {} (set GRISTMILL_DATA to the one that has it)",
        folder.display()
    );
    None
}

pub(crate) fn questions(folder: &std::path::Path) -> Vec<Question> {
    let text = std::fs::read_to_string(folder.join("questions.jsonl")).unwrap();
    let read = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| value[key].as_str().unwrap().to_owned();
        let queries = value["accepted_queries"].as_array().unwrap().iter();
        Question {
            id: text("id"),
            database: text("db"),
            queries: queries.map(|query| query.as_str().unwrap().to_owned()).collect(),
        }
    };
    text.lines().map(read).collect()
}

pub(crate) async fn sandbox(folder: &std::path::Path) -> Sandbox {
    let program = Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into());
    let options = Options {
        program,
        ..Options::from_folder(folder).unwrap()
    };
    Sandbox::open(options).await.unwrap()
}
