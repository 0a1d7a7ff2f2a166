//! Lineages of datasets that are written row by row: what holds of every generation, and how held-out rows are found.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up its files should fail"
)]

mod laws;
mod leaks;
mod rows;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use gristmill_dataset::{
    DatasetRow, Layout, Options, Origin, Provenance, Split, Writer, read_rows, split_files,
};
use gristmill_datasets::{Counting, Host, Task};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_domain::job::LocalModel;
use gristmill_lineage::{Additions, Error, Generation, LeakOptions, Lineage, Quarantining};
use gristmill_ports::model::{CallError, ChatModel, Embedded, Embedder};
use tokio_util::sync::CancellationToken;

/// A row whose id is that of its content.
fn row(origin: Origin, question: &str, answer: &str) -> DatasetRow {
    let synthetic = origin == Origin::Synthetic;
    DatasetRow {
        id: format!("{question} / {answer}"),
        messages: vec![
            Turn::new(Speaker::User, question),
            Turn::new(Speaker::Assistant, answer),
        ],
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Provenance {
            origin,
            depth: u8::from(synthetic),
            teacher: synthetic.then(|| "teacher".to_owned()),
            teacher_version: synthetic.then(|| "teacher-1".to_owned()),
            ..Provenance::default()
        },
    }
}

fn real(question: &str) -> DatasetRow {
    row(Origin::Human, question, "so")
}

fn made(question: &str) -> DatasetRow {
    row(Origin::Synthetic, question, "so it is")
}

/// A synthetic row that is changed.
fn made_with(question: &str, change: impl FnOnce(&mut Provenance)) -> DatasetRow {
    let mut row = made(question);
    change(&mut row.provenance);
    row
}

/// A model whose vectors are given by text; any other text points along the last axis.
struct Given(BTreeMap<String, Vec<f32>>);

#[async_trait]
impl Embedder for Given {
    fn model(&self) -> &str {
        "given"
    }

    fn dimensions(&self) -> usize {
        3
    }

    async fn embed(&self, texts: &[String]) -> Result<Embedded, CallError> {
        let of = |text: &String| self.0.get(text).cloned().unwrap_or_else(|| vec![0.0, 0.0, 1.0]);
        Ok(Embedded {
            vectors: texts.iter().map(of).collect(),
            input_tokens: 0,
        })
    }
}

/// A terminal that shows nothing, and the one model of this machine.
struct Quiet(BTreeMap<String, Vec<f32>>);

impl Counting for Quiet {
    fn at(&mut self, _: u64, _: Option<u64>) {}
}

#[async_trait]
impl Host for Quiet {
    fn counting(&self, _: &str) -> Box<dyn Counting> {
        Box::new(Self(BTreeMap::new()))
    }

    async fn embedder(&self, _: &str) -> anyhow::Result<Arc<dyn Embedder>> {
        Ok(Arc::new(Given(self.0.clone())))
    }

    async fn scorer(&self, model: &LocalModel) -> anyhow::Result<Arc<dyn ChatModel>> {
        anyhow::bail!("there is no model `{}` here", model.name())
    }
}

/// A folder with a lineage in it, and datasets beside.
struct Desk {
    folder: tempfile::TempDir,
    vectors: BTreeMap<String, Vec<f32>>,
    runtime: tokio::runtime::Runtime,
    datasets: std::cell::Cell<u32>,
}

impl Desk {
    fn new() -> Self {
        Self::with_vectors(&[])
    }

    /// With a model that gives these texts these vectors.
    fn with_vectors(vectors: &[(&str, [f32; 3])]) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            vectors: vectors
                .iter()
                .map(|(text, vector)| ((*text).to_owned(), vector.to_vec()))
                .collect(),
            runtime: tokio::runtime::Builder::new_current_thread().build().unwrap(),
            datasets: std::cell::Cell::new(0),
        }
    }

    fn task(&self) -> Task {
        Task::new(
            Arc::new(Quiet(self.vectors.clone())),
            self.runtime.handle().clone(),
            CancellationToken::new(),
        )
    }

    fn lineage(&self) -> PathBuf {
        self.folder.path().join("lineage")
    }

    /// Writes a dataset of these rows.
    fn dataset(&self, rows: impl IntoIterator<Item = (Split, DatasetRow)>) -> PathBuf {
        self.dataset_of(Layout::Messages, None, rows)
    }

    /// Writes a dataset of these rows in a layout, with a manifest where a job made it.
    fn dataset_of(
        &self,
        layout: Layout,
        job: Option<serde_json::Value>,
        rows: impl IntoIterator<Item = (Split, DatasetRow)>,
    ) -> PathBuf {
        let number = self.datasets.get() + 1;
        self.datasets.set(number);
        let path = self.folder.path().join(format!("dataset-{number}"));
        let options = Options {
            layout,
            ..Options::default()
        };
        let mut writer = Writer::create(&path, options).unwrap();
        for (split, row) in rows {
            writer.push(split, row).unwrap();
        }
        let mut written = writer.finish().unwrap();
        if let Some(job) = job {
            let manifest = serde_json::json!({ "job": job, "files": written.files() });
            written
                .add("manifest.json", manifest.to_string().as_bytes())
                .unwrap();
        }
        written.publish().unwrap();
        path
    }

    fn add(&self, datasets: &[PathBuf], change: impl FnOnce(&mut Additions)) -> Result<Generation, Error> {
        let mut additions = Additions {
            datasets: datasets.to_vec(),
            ..Additions::default()
        };
        change(&mut additions);
        Lineage::add(&self.lineage(), &additions, &self.task())
    }

    fn quarantine(&self, rules: &[&str]) -> Result<Generation, Error> {
        let quarantining = Quarantining {
            rules: rules.iter().map(|rule| rule.parse().unwrap()).collect(),
            cause: Some("wrong".to_owned()),
        };
        Lineage::quarantine(&self.lineage(), &quarantining, &self.task())
    }

    /// Ids of the training rows of a generation, by their origin; a row that stands in it several times is named as often.
    fn ids(&self, number: u32, origin: Origin) -> Vec<String> {
        let folder = self.lineage().join(format!("generations/{number}"));
        let mut ids = Vec::new();
        for split in Split::ALL {
            if matches!(split, Split::Validation | Split::Test) {
                continue;
            }
            for row in read(&folder, split) {
                if row.provenance.origin == origin {
                    ids.push(row.id);
                }
            }
        }
        ids.sort();
        ids
    }

    fn checked(&self, number: u32) -> gristmill_lineage::Checked {
        let lineage = Lineage::open(&self.lineage()).unwrap();
        lineage
            .checked(number, &LeakOptions::default(), &self.task())
            .unwrap()
    }
}

fn read(dataset: &Path, split: Split) -> Vec<DatasetRow> {
    let files = split_files(dataset, split).unwrap();
    let rows = files.iter().flat_map(|file| read_rows(file).unwrap());
    rows.map(|row| row.unwrap()).collect()
}

fn set(ids: &[String]) -> BTreeSet<String> {
    ids.iter().cloned().collect()
}
