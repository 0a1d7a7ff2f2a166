//! The rows that a student was trained on, as rows of a dataset.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use gristmill_dataset::{DatasetRow, Split, rows_of};
use gristmill_domain::chat::{Message, Role};
use gristmill_domain::dialogue::{Speaker, Turn};
use serde::Deserialize;

use crate::Error;
use crate::folder::Folder;
use crate::prepare::hash;

/// A row of a trainer; what the model is to answer is not read.
#[derive(Deserialize)]
struct Line {
    id: String,
    prompt: Vec<Message>,
}

impl Folder {
    /// The rows that the student was trained on, and the validation rows by which its weights were chosen. They are those of its dataset, where
    /// that is still there and unchanged; otherwise those that its trainer took, which are questions with their passages and know nothing of
    /// their origin. `None` where neither is there.
    ///
    /// Rows stream; of those that a trainer took, ids are held.
    ///
    /// # Errors
    /// Files that cannot be read, here and from the iterator.
    pub fn learned_rows(&self) -> Result<Option<Learned>, Error> {
        let Some(settings) = self.settings()? else {
            return Ok(None);
        };
        let dataset = &settings.source.dataset;
        if dataset.join("data").is_dir() && hash(dataset)? == settings.source.dataset_hash {
            let splits: Vec<Split> = Split::TRAINED.into_iter().chain([Split::Validation]).collect();
            let rows = rows_of(dataset, &splits)?;
            return Ok(Some(Box::new(rows.map(|row| row.map_err(Error::from)))));
        }
        if !self.rows().is_file() {
            return Ok(None);
        }
        let trained = taken(self.rows(), Split::Train)?;
        let validation = match self.validation().is_file() {
            true => Some(taken(self.validation(), Split::Validation)?),
            false => None,
        };
        Ok(Some(Box::new(trained.chain(validation.into_iter().flatten()))))
    }
}

/// Rows, each with its split.
pub type Learned = Box<dyn Iterator<Item = Result<(Split, DatasetRow), Error>>>;

/// The rows of a file that a trainer took, each once, in whatever epochs it stands.
fn taken(
    path: impl AsRef<Path>,
    split: Split,
) -> Result<impl Iterator<Item = Result<(Split, DatasetRow), Error>>, Error> {
    let path = path.as_ref().to_owned();
    let file = File::open(&path).map_err(Error::io(&path))?;
    let mut seen = HashSet::new();
    let lines = BufReader::new(file).lines().enumerate();
    Ok(lines.filter_map(move |(number, line)| {
        let read = line.map_err(Error::io(&path)).and_then(|line| {
            serde_json::from_str::<Line>(&line).map_err(|error| Error::Damaged {
                path: path.clone(),
                reason: format!("line {}: {error}", number + 1),
            })
        });
        match read {
            Ok(line) => seen.insert(line.id.clone()).then(|| Ok((split, row(line)))),
            Err(error) => Some(Err(error)),
        }
    }))
}

fn row(line: Line) -> DatasetRow {
    let turn = |message: Message| {
        let speaker = match message.role {
            Role::System => Speaker::System,
            Role::User => Speaker::User,
            Role::Assistant => Speaker::Assistant,
        };
        Turn::new(speaker, message.content)
    };
    DatasetRow {
        id: line.id,
        messages: line.prompt.into_iter().map(turn).collect(),
        tools: Vec::new(),
        rejected: None,
        reasoning: None,
        provenance: Default::default(),
    }
}
