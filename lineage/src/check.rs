//! Whether a generation is what it was made as: its files, its anchor, its locked rows, and no held-out row in what is trained on.

use std::collections::HashSet;
use std::io::ErrorKind;

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
    /// Reads a generation again, and holds it against what the lineage says of it. Files that are gone or cannot be read are faults, and the
    /// others are read nevertheless.
    ///
    /// # Errors
    /// [`Error::Unusable`] where there is no such generation; [`Error::Compare`] for a model that fails; [`Error::Io`] for what the operating
    /// system does not let this program read.
    pub fn checked(&self, number: u32, options: &LeakOptions, task: &Task) -> Result<Checked, Error> {
        let entry = self.entry(Some(number))?;
        let mut faults = Vec::new();
        let place = self.dataset(number);
        let source = or_fault(Source::parent(place.clone()), &mut faults)?;
        let source = source.unwrap_or_else(|| Source::without_manifest(place));
        let of_files = or_fault(source.faults(), &mut faults)?;
        faults.extend(of_files.unwrap_or_default());
        if source.manifest.as_ref() != Some(&entry.manifest) {
            faults.push("`manifest.json` is not the one that the lineage knows".to_owned());
        }
        let wrong_words = or_fault(self.wrong_words(number), &mut faults)?;
        faults.extend(wrong_words.unwrap_or_default());
        let expected = self.expected_anchor(number, &mut faults)?;
        let mut present = HashSet::new();
        let mut checker = Checker::open(options, task, &mut |split, take| {
            or_fault(source.each(split, |row| take(&row, "the lineage")), &mut faults).map(drop)
        })?;
        let name = format!("generation {number}");
        let mut counter = task.counting("rows");
        let mut read = 0;
        let trained = source.each_trained(|split, row| {
            read += 1;
            let hash = content(split, &row);
            if row.provenance.origin == Origin::Human && expected.contains(&hash) {
                present.insert(hash);
            }
            checker.look(split, &row, hash, &name)?;
            counter.at(read, None)?;
            Ok(())
        });
        or_fault(trained, &mut faults)?;
        self.look_at_locked(&source, &mut faults)?;
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
        let generation = Generation::read(&self.dataset(number))?;
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
    fn expected_anchor(&self, number: u32, faults: &mut Vec<String>) -> Result<HashSet<ContentId>, Error> {
        let mut expected = HashSet::new();
        let up_to = self.file().generations.iter();
        for entry in up_to.filter(|entry| entry.number <= number) {
            let members = members::each(&self.dataset(entry.number), |member| {
                if !member.synthetic {
                    expected.insert(member.row);
                }
            });
            or_fault(members, faults)?;
        }
        Ok(expected)
    }

    /// Names the held-out splits that are not what the lineage locked.
    fn look_at_locked(&self, source: &Source, faults: &mut Vec<String>) -> Result<(), Error> {
        for split in [Split::Validation, Split::Test] {
            let mut rows = Vec::new();
            let read = source.each(split, |row| {
                rows.push(content(split, &row));
                Ok(())
            });
            or_fault(read, faults)?;
            let locked = self.file().locked(split);
            let rows = digest::of_rows(rows);
            if rows != locked.digest || digest::of_rows(locked.hashes.iter().copied()) != locked.digest {
                faults.push(format!("its {split} rows are not those that the lineage locked"));
            }
        }
        Ok(())
    }
}

/// What was read; of what is gone or cannot be read, a fault, once.
fn or_fault<T>(read: Result<T, Error>, faults: &mut Vec<String>) -> Result<Option<T>, Error> {
    let error = match read {
        Ok(read) => return Ok(Some(read)),
        Err(error) => error,
    };
    let is_fault = match &error {
        Error::Damaged { .. } | Error::Dataset(_) => true,
        Error::Io { source, .. } => source.kind() == ErrorKind::NotFound,
        _ => false,
    };
    if !is_fault {
        return Err(error);
    }
    let fault = error.to_string();
    if !faults.contains(&fault) {
        faults.push(fault);
    }
    Ok(None)
}
