//! The lineage as it is before a generation is made.

use std::collections::HashMap;
use std::path::Path;

use gristmill_domain::id::ContentId;

use crate::error::Error;
use crate::folder::dataset;
use crate::gather::Barred;
use crate::generation::Generation;
use crate::members::{self, Member};
use crate::record::LineageFile;
use crate::source::Source;

/// Rows that may not come back.
pub(super) const QUARANTINED: &str = "quarantined.jsonl";

/// The lineage as it is before a generation is made.
pub(super) struct Before {
    pub(super) file: LineageFile,
    pub(super) generation: Generation,
    pub(super) source: Source,
    /// Rows in quarantine.
    pub(super) barred: Vec<Barred>,
    /// The generation in which each row entered.
    pub(super) entered: HashMap<ContentId, Member>,
}

impl Before {
    /// The newest generation, which must be as it was written.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let Some(file) = LineageFile::read(folder)? else {
            return Ok(None);
        };
        let Some(entry) = file.generations.last() else {
            return Ok(None);
        };
        let place = dataset(folder, entry.number);
        let source = Source::parent(place.clone())?;
        let mut faults = source.faults()?;
        if source.manifest.as_ref() != Some(&entry.manifest) {
            faults.insert(0, "`manifest.json` was changed after it was written".to_owned());
        }
        if let Some(fault) = faults.into_iter().next() {
            return Err(Error::damaged(
                &place,
                format!(
                    "{fault}: a generation is never changed. Put back what was written; `gristmill generation check` names everything that differs"
                ),
            ));
        }
        let generation = Generation::read(&place)?;
        let mut entered = HashMap::new();
        members::each(&place, |member| {
            entered.insert(member.row, member);
        })?;
        Ok(Some(Self {
            barred: barred(&place)?,
            source,
            generation,
            file,
            entered,
        }))
    }
}

/// Rows that a generation keeps in quarantine.
fn barred(place: &Path) -> Result<Vec<Barred>, Error> {
    let path = place.join(QUARANTINED);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
    text.lines()
        .map(|line| serde_json::from_str(line).map_err(|error| Error::damaged(&path, error.to_string())))
        .collect()
}

/// The lines of that file.
pub(super) fn barred_text(barred: &[Barred]) -> Result<String, Error> {
    let mut text = String::new();
    for row in barred {
        let line = serde_json::to_string(row).map_err(anyhow::Error::from)?;
        text.push_str(&line);
        text.push('\n');
    }
    Ok(text)
}
