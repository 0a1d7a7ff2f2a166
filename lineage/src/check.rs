//! Whether a generation is what it was made as: its files, its anchor, its locked rows, and no held-out row in what is trained on.

use std::collections::HashSet;

use gristmill_dataset::{Origin, Split};
use gristmill_datasets::Task;
use gristmill_domain::id::ContentId;
use serde::Serialize;

use crate::checker::{Checker, LeakOptions, told};
use crate::digest;
use crate::error::Error;
use crate::folder::Lineage;
use crate::generation::{Generation, LeakCheck};
use crate::identity::content;
use crate::leaks::Leaks;
use crate::members;
use crate::source::Source;

/// What a check of a generation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// The generation.
    pub generation: u32,
    /// Real rows that it must hold: its own, and those of every generation before it.
    pub anchor_expected: u64,
    /// Those of them that are in its files, unchanged.
    pub anchor_present: u64,
    /// Held-out rows in what is trained on.
    pub leaks: Leaks,
    /// How they were looked for.
    pub leak_check: LeakCheck,
    /// What else is not as it was made, a sentence each.
    pub faults: Vec<String>,
}

impl Checked {
    /// True where nothing is wrong.
    pub fn is_whole(&self) -> bool {
        self.anchor_expected == self.anchor_present && self.leaks.count == 0 && self.faults.is_empty()
    }
}

impl Lineage {
    /// Reads a generation again, and holds it against what the lineage says of it.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is no such generation; [`Error::Compare`] for a model that fails; [`Error::Dataset`] for files that
    /// cannot be read at all.
    pub fn checked(&self, number: u32, options: &LeakOptions, task: &Task) -> Result<Checked, Error> {
        let entry = self.entry(Some(number))?;
        let source = Source::parent(self.dataset(number))?;
        let mut faults = source.faults()?;
        if source.manifest.as_ref() != Some(&entry.manifest) {
            faults.push("`manifest.json` is not the one that the lineage knows".to_owned());
        }
        faults.extend(self.wrong_words(number)?);
        let expected = self.expected_anchor(number)?;
        let mut present = HashSet::new();
        let mut checker = Checker::open(options, task, &mut |split, take| {
            source.each(split, |row| take(&row, "the lineage"))
        })?;
        let name = format!("generation {number}");
        let mut counter = task.counting("rows");
        let mut read = 0;
        source.each_trained(|split, row| {
            read += 1;
            let hash = content(split, &row);
            if row.provenance.origin == Origin::Human && expected.contains(&hash) {
                present.insert(hash);
            }
            checker.look(split, &row, &name)?;
            counter.at(read, None)?;
            Ok(())
        })?;
        faults.extend(self.unlocked(&source)?);
        let (found, leak_check) = checker.finish()?;
        Ok(Checked {
            generation: number,
            anchor_expected: expected.len() as u64,
            anchor_present: present.len() as u64,
            leaks: told(&found),
            leak_check,
            faults,
        })
    }

    /// What `generation.json` says otherwise than the lineage's file.
    fn wrong_words(&self, number: u32) -> Result<Vec<String>, Error> {
        let generation = match Generation::read(&self.dataset(number)) {
            Ok(generation) => generation,
            Err(Error::Damaged { path, reason }) => {
                return Ok(vec![format!("{}: {reason}", path.display())]);
            }
            Err(error) => return Err(error),
        };
        let entry = self.entry(Some(number))?;
        let mut faults = Vec::new();
        if generation.hash != generation.hash_of() || generation.hash != entry.hash {
            faults.push(format!("`{}` was changed after it was written", Generation::NAME));
        }
        if let Some(parent) = &generation.parent {
            let known = self.entry(Some(parent.number)).ok();
            if known.is_none_or(|known| known.hash != parent.hash) {
                faults.push(format!(
                    "its parent, generation {}, is not the one of the lineage",
                    parent.number
                ));
            }
        }
        Ok(faults)
    }

    /// Content of the real rows of a generation and of all before it.
    fn expected_anchor(&self, number: u32) -> Result<HashSet<ContentId>, Error> {
        let mut expected = HashSet::new();
        let up_to = self.file().generations.iter();
        for entry in up_to.filter(|entry| entry.number <= number) {
            members::each(&self.dataset(entry.number), |member| {
                if !member.synthetic {
                    expected.insert(member.row);
                }
            })?;
        }
        Ok(expected)
    }

    /// Splits that are held out and are not what the lineage locked.
    fn unlocked(&self, source: &Source) -> Result<Vec<String>, Error> {
        let mut faults = Vec::new();
        for split in [Split::Validation, Split::Test] {
            let mut rows = Vec::new();
            source.each(split, |row| {
                rows.push(content(split, &row));
                Ok(())
            })?;
            let locked = self.file().locked(split);
            let rows = digest::of_rows(rows);
            if rows != locked.digest || digest::of_rows(locked.hashes.iter().copied()) != locked.digest {
                faults.push(format!("its {split} rows are not those that the lineage locked"));
            }
        }
        Ok(faults)
    }
}
