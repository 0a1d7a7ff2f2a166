//! Databases and questions: real ones, or those of the system tests where the real ones are missing.

use std::path::Path;

use gristmill_sandbox::{Options, Sandbox};

/// The part of the questions that is about databases.
pub(crate) const FOLDER: &str = "text2sql";

/// A question and the queries that answer it.
pub(crate) struct Question {
    pub(crate) id: String,
    pub(crate) database: String,
    pub(crate) queries: Vec<String>,
}

pub(crate) fn questions(folder: &Path) -> Vec<Question> {
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

pub(crate) async fn sandbox(folder: &Path) -> Sandbox {
    let program = Some(env!("CARGO_BIN_EXE_gristmill-sandbox-child").into());
    let options = Options {
        program,
        ..Options::from_folder(folder).unwrap()
    };
    Sandbox::open(options).await.unwrap()
}
