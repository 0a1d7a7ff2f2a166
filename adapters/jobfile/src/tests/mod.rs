//! Jobs good and bad, through the public functions, in folders of their own.

mod agreement;
mod answers;
mod bad;
mod budget;
mod concepts;
mod good;
mod limits;
mod mutators;
mod recipes;
mod rendering;
mod validators;
mod write;
mod written;

use std::path::PathBuf;

use crate::load::load_with;
use crate::{Errors, Loaded};

/// What every job below may lean on.
const HEAD: &str = "seeds: {path: seeds.jsonl}\nteacher: {local: smollm2-135m-instruct}\nbudget: {calls: 100}\nfilter: {validator: {kind: number}}\n";

/// A folder with seeds, a prompt, a key file, prices and a database.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("seeds.jsonl", "{\"question\": \"1+1?\", \"answer\": \"2\"}\n");
        folder.write("answer.txt", "{{ question }}");
        folder.write("teacher.key", "sk-secret-of-the-test\n");
        folder.write("empty.key", "\n");
        folder.write("prices.yaml", "gpt-4o-mini: {input: 0.15, output: 0.6}\n");
        std::fs::create_dir(folder.path("dbs")).unwrap();
        folder.write("dbs/shop.sql", "CREATE TABLE t (a);");
        std::fs::create_dir(folder.path("nodbs")).unwrap();
        folder
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn load(&self, text: impl AsRef<[u8]>, overrides: &[&str]) -> Result<Loaded, Errors> {
        self.write("job.yaml", text);
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        load_with(
            &self.path("job.yaml"),
            &overrides,
            Some(&|name| name == "SET_KEY"),
        )
    }

    /// What is wrong with a job, and at which line and column.
    fn errors(&self, text: impl AsRef<[u8]>) -> Vec<(String, Option<(usize, usize)>)> {
        match self.load(text, &[]) {
            Ok(_) => Vec::new(),
            Err(errors) => errors
                .iter()
                .map(|error| (error.message().to_owned(), errors.line_column(error)))
                .collect(),
        }
    }
}
