//! What is said of a generation, once its rows are written.

use std::collections::HashSet;

use gristmill_dataset::{About, FileInfo, Finished, Split};
use gristmill_domain::id::ContentId;
use gristmill_domain::share::synthetic_share;

use super::Making;
use super::before::{QUARANTINED, barred_text};
use super::choose::Chosen;
use super::write::Counts;
use crate::card::card;
use crate::digest;
use crate::error::Error;
use crate::gather::Gathered;
use crate::generation::{Anchor, ByTeacher, DatasetRef, FileDigest, Generation, Made, Parent, Synthetic};
use crate::identity::content;
use crate::members::{self, Member};
use crate::rule::Rule;
use crate::source::{Source, each_held_out};
use crate::warnings::{self, Circumstances};

impl Making<'_> {
    /// What the generation is, once its rows are written; adds the lists of rows beside them.
    pub(super) fn describe(
        &self,
        written: &mut Finished,
        sources: &[Source],
        chosen: Chosen,
        counts: &Counts,
    ) -> Result<Generation, Error> {
        let Chosen {
            gathered,
            leak_check,
            mut ceiling,
            left_out,
            rules,
        } = chosen;
        ceiling.by_concept = counts.left_out.clone();
        let of_files = |wanted: fn(&str) -> bool, written: &Finished| -> Vec<FileDigest> {
            let files = written.files().iter().filter(|file| wanted(&file.path));
            files.map(file_digest).collect()
        };
        let real = gathered.with_repeats();
        let number = self.number();
        let anchor = Anchor {
            rows: gathered.real.len() as u64,
            with_repeats: real,
            digest: digest::of_rows(gathered.real.keys().copied()),
            added: gathered
                .real
                .values()
                .filter(|row| row.generation == number)
                .count() as u64,
            carried: match self.made {
                Made::Quarantine => 0,
                Made::First | Made::Accumulate | Made::Replace => gathered.carried(),
            },
            files: of_files(|path| path.starts_with("data/train-"), written),
        };
        let synthetic = Synthetic {
            rows: counts.synthetic,
            share: synthetic_share(counts.synthetic, real),
            by_generation: counts.by_generation.clone(),
            by_teacher: counts
                .by_teacher
                .iter()
                .map(|((teacher, version), rows)| ByTeacher {
                    teacher: teacher.clone(),
                    version: version.clone(),
                    rows: *rows,
                })
                .collect(),
            duplicates: gathered.duplicates,
        };
        written.add(
            members::NAME,
            members::text(members_of(&gathered, &left_out)).as_bytes(),
        )?;
        if !gathered.barred.is_empty() {
            written.add(QUARANTINED, barred_text(&gathered.barred)?.as_bytes())?;
        }
        let before = self.before.as_ref();
        let mut generation = Generation {
            format: Generation::FORMAT,
            number,
            hash: String::new(),
            parent: before.map(|before| Parent {
                number: before.generation.number,
                hash: before.generation.hash.clone(),
            }),
            made: self.made,
            datasets: dataset_refs(sources, &gathered),
            anchor,
            synthetic,
            depth: counts.depth,
            self_improvement: self.self_improvement(&gathered, sources),
            validation: counts.validation.len() as u64,
            test: counts.test.len() as u64,
            quarantine: rules,
            ceiling,
            leak_check,
            warnings: Vec::new(),
            files: of_files(|_| true, written),
        };
        let asked = self.settings.max_synthetic_share;
        generation.warnings = warnings::of(
            &generation,
            &Circumstances {
                gathered: &gathered,
                of_parent: before.map_or(0, |before| before.generation.synthetic.rows),
                lists: self
                    .new_rules
                    .iter()
                    .filter_map(|(rule, _)| match rule {
                        Rule::Listed(rows) => Some(rows),
                        _ => None,
                    })
                    .collect(),
                held_out_elsewhere: self.held_out_elsewhere(sources)?,
                lowered_from: Some(asked).filter(|asked| *asked > generation.ceiling.max_synthetic_share),
            },
        );
        generation.hash = generation.hash_of();
        Ok(generation)
    }

    /// Held-out rows of new datasets that the lineage does not hold out.
    fn held_out_elsewhere(&self, sources: &[Source]) -> Result<u64, Error> {
        let Some(before) = &self.before else {
            return Ok(0);
        };
        let locked: HashSet<ContentId> = [Split::Validation, Split::Test]
            .into_iter()
            .flat_map(|split| before.file.locked(split).hashes.iter().copied())
            .collect();
        let mut elsewhere = HashSet::new();
        let new = sources.get(1..).unwrap_or_default();
        for split in [Split::Validation, Split::Test] {
            each_held_out(new, split, &mut |row, _| {
                let hash = content(split, row);
                if !locked.contains(&hash) {
                    elsewhere.insert(hash);
                }
                Ok(())
            })?;
        }
        Ok(elsewhere.len() as u64)
    }
}

fn members_of(gathered: &Gathered, left_out: &HashSet<ContentId>) -> Vec<Member> {
    let real = gathered.real.iter().map(|(row, real)| Member {
        row: *row,
        synthetic: false,
        generation: real.generation,
        repeats: real.repeats,
    });
    let synthetic = gathered
        .synthetic
        .iter()
        .filter(|(row, _)| !left_out.contains(row));
    let synthetic = synthetic.map(|(row, made)| Member {
        row: *row,
        synthetic: true,
        generation: made.generation,
        repeats: 1,
    });
    real.chain(synthetic).collect()
}

fn dataset_refs(sources: &[Source], gathered: &Gathered) -> Vec<DatasetRef> {
    let with_counts = sources.iter().zip(&gathered.counts);
    with_counts
        .filter(|(source, _)| !source.is_parent)
        .map(|(source, (real, synthetic))| DatasetRef {
            folder: source.named.clone(),
            manifest: source.manifest.clone(),
            run: source.said.run.clone(),
            real: *real,
            synthetic: *synthetic,
        })
        .collect()
}

pub(super) fn file_digest(file: &FileInfo) -> FileDigest {
    FileDigest {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
    }
}

/// Adds what is said of the generation, its card and its manifest; returns the manifest's hash. The manifest holds the job of the newest dataset:
/// whoever evaluates a student, or mends the generation, asks and grades as that job does.
pub(super) fn label(
    written: &mut Finished,
    generation: &Generation,
    sources: &[Source],
) -> Result<String, Error> {
    let text = serde_json::to_vec_pretty(generation).map_err(anyhow::Error::from)?;
    written.add(Generation::NAME, &text)?;
    let about = About {
        pretty_name: Some(format!("Gristmill generation {}", generation.number)),
        ..About::default()
    };
    let text = format!("{}{}", written.front_matter(&about), card(generation));
    written.add("README.md", text.as_bytes())?;
    let manifest = serde_json::json!({
        "format": 1,
        "generation": generation.number,
        "hash": generation.hash,
        "rows": {
            "train": generation.rows(),
            "train_human": generation.anchor.with_repeats,
            "train_synthetic": generation.synthetic.rows,
            "validation": generation.validation,
            "test": generation.test,
            "synthetic_share": generation.synthetic.share,
        },
        "job": sources.iter().rev().find_map(|source| source.job.as_ref()),
        "files": written.files(),
    });
    let text = serde_json::to_vec_pretty(&manifest).map_err(anyhow::Error::from)?;
    written.add("manifest.json", &text)?;
    Ok(blake3::hash(&text).to_hex().to_string())
}
