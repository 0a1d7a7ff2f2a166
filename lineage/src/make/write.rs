//! Writes the rows of a generation.

use std::collections::{BTreeMap, HashSet};

use gristmill_dataset::{DatasetRow, Origin, Split, Writer};
use gristmill_domain::id::ContentId;

use super::Making;
use super::choose::Chosen;
use crate::error::Error;
use crate::gather::Gathered;
use crate::generation::{ByTeacher, Made};
use crate::identity::content;
use crate::source::{Source, each_held_out};

/// What was counted while rows were written.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) by_generation: BTreeMap<u32, u64>,
    pub(super) by_teacher: BTreeMap<(String, String), u64>,
    pub(super) left_out: BTreeMap<String, u64>,
    pub(super) depth: u8,
    pub(super) synthetic: u64,
    /// Rows held out, by their content.
    pub(super) validation: Vec<ContentId>,
    pub(super) test: Vec<ContentId>,
}

impl Making<'_> {
    /// Writes the rows that stay, each where it is met first.
    pub(super) fn write(
        &self,
        writer: &mut Writer,
        sources: &[Source],
        chosen: &Chosen,
    ) -> Result<Counts, Error> {
        let mut counts = Counts::default();
        for split in [Split::Validation, Split::Test] {
            let mut seen = HashSet::new();
            each_held_out(self.held_out(sources), split, &mut |row, _| {
                let hash = content(split, row);
                if seen.insert(hash) {
                    writer.push(split, row.clone())?;
                    match split {
                        Split::Test => counts.test.push(hash),
                        _ => counts.validation.push(hash),
                    }
                }
                Ok(())
            })?;
        }
        let mut written = HashSet::new();
        let mut counter = self.task.counting("rows written");
        let replaced = |source: &Source| source.is_parent && self.made == Made::Replace;
        for source in sources {
            source.each_trained(|split, row| {
                let hash = content(split, &row);
                let concept = || row.provenance.concepts.first().cloned().unwrap_or_default();
                let times = match row.provenance.origin {
                    Origin::Human => chosen.gathered.real.get(&hash).map_or(0, |real| real.repeats),
                    Origin::Synthetic if replaced(source) => 0,
                    Origin::Synthetic => match chosen.gathered.synthetic.get(&hash) {
                        None => 0,
                        Some(_) if chosen.left_out.contains(&hash) => {
                            if written.insert(hash) {
                                *counts.left_out.entry(concept()).or_default() += 1;
                            }
                            0
                        }
                        Some(_) => 1,
                    },
                };
                if times == 0 || !written.insert(hash) {
                    return Ok(());
                }
                counts.note(&row, &chosen.gathered, hash);
                for _ in 1..times {
                    writer.push(split, row.clone())?;
                }
                writer.push(split, row)?;
                counter.at(written.len() as u64, None)?;
                Ok(())
            })?;
        }
        Ok(counts)
    }
}

impl Counts {
    /// Counts a row that is written.
    fn note(&mut self, row: &DatasetRow, gathered: &Gathered, hash: ContentId) {
        self.depth = self.depth.max(row.provenance.depth);
        let Some(made) = gathered.synthetic.get(&hash) else {
            return;
        };
        if row.provenance.origin != Origin::Synthetic {
            return;
        }
        self.synthetic += 1;
        *self.by_generation.entry(made.generation).or_default() += 1;
        let of = &row.provenance;
        let name = |name: &Option<String>| name.clone().unwrap_or_else(|| ByTeacher::UNKNOWN.to_owned());
        let teacher = (name(&of.teacher), name(&of.teacher_version));
        *self.by_teacher.entry(teacher).or_default() += 1;
    }
}
