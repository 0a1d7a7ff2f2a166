//! Makes a generation: from its parent and new datasets, or from its parent without some rows.

mod before;
mod choose;
mod describe;
mod write;

use std::path::{Path, PathBuf};

use gristmill_dataset::{Options, Split, Writer};
use gristmill_datasets::Task;

use crate::checker::LeakOptions;
use crate::digest;
use crate::error::Error;
use crate::folder::{Lineage, dataset, lost, take};
use crate::generation::{FileDigest, Generation, LeakCheck, Made};
use crate::members;
use crate::record::{Entry, LineageFile, Locked, Settings};
use crate::rule::Rule;
use crate::source::Source;
use before::{Before, QUARANTINED};
use describe::{file_digest, label};
use write::Counts;

/// What a generation is made from, besides its parent.
#[derive(Debug, Clone, Default)]
pub struct Additions {
    /// Folders of runs that have ended, or of datasets.
    pub datasets: Vec<PathBuf>,
    /// Leaves the parent's synthetic rows out.
    pub replace: bool,
    /// Rules of quarantine, from this generation on.
    pub quarantine: Vec<Rule>,
    /// Why; the rule itself where there is none.
    pub cause: Option<String>,
    /// Largest share of synthetic rows, from this generation on. Of a first generation, what the datasets' jobs say where there is none.
    pub max_synthetic_share: Option<f64>,
    /// Most synthetic ancestors of a row, itself included, from this generation on. Of a first generation, what the datasets' jobs say where
    /// there is none.
    pub max_depth: Option<u8>,
    /// Seed of the sample under the ceiling, from this generation on.
    pub seed: Option<u64>,
    /// How held-out rows are looked for.
    pub leaks: LeakOptions,
}

/// What a generation leaves out of its parent.
#[derive(Debug, Clone, Default)]
pub struct Quarantining {
    /// Which rows.
    pub rules: Vec<Rule>,
    /// Why; the rule itself where there is none.
    pub cause: Option<String>,
}

impl Lineage {
    /// Makes the next generation of the lineage in `folder` from datasets; the first one, and the lineage, where there is none.
    ///
    /// The real rows of the parent are all in it, whatever the datasets hold. The synthetic ones are, unless they are replaced. Of more
    /// synthetic rows than the ceiling allows, a sample by concept stays.
    ///
    /// # Errors
    /// [`Error::Leaks`] where a training row is a held-out one or was made from one, or a validation row is a test row; [`Error::Unusable`] for
    /// rows that are too deep, for datasets that bring nothing new, and for what is not a dataset; [`Error::Damaged`] where files of the
    /// lineage or of a dataset were changed; [`Error::Busy`], [`Error::Io`], [`Error::Compare`].
    pub fn add(folder: &Path, additions: &Additions, task: &Task) -> Result<Generation, Error> {
        let _lock = take(folder)?;
        let before = Before::read(folder)?;
        let sources = additions
            .datasets
            .iter()
            .map(|named| Source::open(named))
            .collect::<Result<Vec<_>, _>>()?;
        if sources.is_empty() {
            return Err(Error::unusable(folder, "no dataset is named"));
        }
        let made = match (&before, additions.replace) {
            (None, false) => Made::First,
            (Some(_), false) => Made::Accumulate,
            (Some(_), true) => Made::Replace,
            (None, true) => {
                return Err(Error::unusable(
                    folder,
                    "it has no generation whose synthetic rows could be replaced: leave `--replace` out",
                ));
            }
        };
        let settings = settings(before.as_ref(), additions, &sources);
        let (rules, cause) = (additions.quarantine.clone(), additions.cause.as_deref());
        Making {
            folder,
            made,
            settings,
            new_rules: listed(rules, cause),
            leaks: &additions.leaks,
            checked: None,
            before,
            task,
        }
        .make(sources)
    }

    /// Makes the next generation from the newest one, without the rows of some cause. They cannot come back: later generations leave them out,
    /// too, and so they do what else the rules hold for.
    ///
    /// # Errors
    /// [`Error::Unusable`] where no row is of that cause, or a real one is named: the anchor never shrinks. Else as [`Lineage::add`].
    pub fn quarantine(folder: &Path, quarantining: &Quarantining, task: &Task) -> Result<Generation, Error> {
        Self::open(folder)?;
        let _lock = take(folder)?;
        let Some(before) = Before::read(folder)? else {
            return Err(Error::unusable(folder, "it has no generation"));
        };
        let leaks = LeakOptions {
            ngram: before.generation.leak_check.ngram,
            coverage: before.generation.leak_check.coverage,
            ..LeakOptions::default()
        };
        Making {
            folder,
            made: Made::Quarantine,
            settings: before.file.settings.clone(),
            new_rules: listed(quarantining.rules.clone(), quarantining.cause.as_deref()),
            leaks: &leaks,
            // All that is left was compared by meaning where its parent was.
            checked: Some(before.generation.leak_check.clone()),
            before: Some(before),
            task,
        }
        .make(Vec::new())
    }
}

fn listed(rules: Vec<Rule>, cause: Option<&str>) -> Vec<(Rule, String)> {
    let with_cause = |rule: Rule| {
        let cause = cause.map_or_else(|| rule.to_string(), str::to_owned);
        (rule, cause)
    };
    rules.into_iter().map(with_cause).collect()
}

/// The settings in force: those of the lineage with what is given; of a new one, the strictest of the datasets' jobs.
fn settings(before: Option<&Before>, additions: &Additions, sources: &[Source]) -> Settings {
    let settings = match before {
        Some(before) => before.file.settings.clone(),
        None => {
            let default = Settings::default();
            let said = || sources.iter().map(|source| &source.said);
            let shares = said().filter_map(|said| said.max_synthetic_share());
            Settings {
                max_synthetic_share: shares.reduce(f64::min).unwrap_or(default.max_synthetic_share),
                max_depth: said()
                    .filter_map(|said| said.max_depth())
                    .min()
                    .unwrap_or(default.max_depth),
                layout: said().find_map(|said| said.layout()).unwrap_or(default.layout),
                seed: default.seed,
            }
        }
    };
    Settings {
        max_synthetic_share: additions
            .max_synthetic_share
            .unwrap_or(settings.max_synthetic_share),
        max_depth: additions.max_depth.unwrap_or(settings.max_depth),
        layout: settings.layout,
        seed: additions.seed.unwrap_or(settings.seed),
    }
}

/// A generation in the making.
struct Making<'a> {
    folder: &'a Path,
    made: Made,
    settings: Settings,
    new_rules: Vec<(Rule, String)>,
    leaks: &'a LeakOptions,
    /// How its rows were looked at before, where nothing new comes.
    checked: Option<LeakCheck>,
    before: Option<Before>,
    task: &'a Task,
}

impl Making<'_> {
    fn number(&self) -> u32 {
        self.before
            .as_ref()
            .map_or(1, |before| before.generation.number + 1)
    }

    fn make(self, datasets: Vec<Source>) -> Result<Generation, Error> {
        let parent = self.before.as_ref().map(|before| before.source.clone());
        let sources: Vec<Source> = parent.into_iter().chain(datasets).collect();
        let chosen = self.choose(&sources)?;
        self.check_new(&chosen)?;
        let place = dataset(self.folder, self.number());
        let options = Options {
            layout: self.settings.layout,
            extra_names: [Generation::NAME, members::NAME, QUARANTINED]
                .map(str::to_owned)
                .to_vec(),
            ..Options::default()
        };
        let mut writer = Writer::create(&place, options)?;
        let counts = self.write(&mut writer, &sources, &chosen)?;
        self.check_locked(&counts)?;
        let mut written = writer.finish()?;
        let generation = self.describe(&mut written, &sources, chosen, &counts)?;
        self.refuse_lost(&place, &generation)?;
        let manifest = label(&mut written, &generation, &sources)?;
        let files: Vec<FileDigest> = written.files().iter().map(file_digest).collect();
        written.publish()?;
        self.enter(&generation, manifest, &counts, &files)?;
        Ok(generation)
    }

    /// Refuses to put a first generation in the place of another one. A first `add` that was killed before it wrote the lineage's file leaves
    /// the same; any other is that of a lineage that lost its file.
    fn refuse_lost(&self, place: &Path, generation: &Generation) -> Result<(), Error> {
        if self.before.is_some() || !place.exists() {
            return Ok(());
        }
        match Generation::read(place) {
            Ok(there) if there.is_again(generation) => Ok(()),
            Ok(_) | Err(Error::Damaged { .. } | Error::Io { .. }) => Err(lost(self.folder)),
            Err(error) => Err(error),
        }
    }

    /// Refuses held-out rows that are not those that the lineage locked.
    fn check_locked(&self, counts: &Counts) -> Result<(), Error> {
        let Some(before) = &self.before else {
            return Ok(());
        };
        for (split, rows) in [
            (Split::Validation, &counts.validation),
            (Split::Test, &counts.test),
        ] {
            if digest::of_rows(rows.iter().copied()) != before.file.locked(split).digest {
                return Err(Error::damaged(
                    &self.folder.join(LineageFile::NAME),
                    format!(
                        "the {split} rows of generation {} are not those that it locks: put back what was written",
                        before.generation.number
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The sources that held-out rows are read from: the parent alone, once there is one.
    fn held_out<'s>(&self, sources: &'s [Source]) -> &'s [Source] {
        match self.before {
            Some(_) => sources.get(..1).unwrap_or_default(),
            None => sources,
        }
    }

    /// Enters the generation in the lineage's file: from here on it is there.
    fn enter(
        self,
        generation: &Generation,
        manifest: String,
        counts: &Counts,
        files: &[FileDigest],
    ) -> Result<(), Error> {
        let entry = Entry {
            number: generation.number,
            hash: generation.hash.clone(),
            manifest,
            made: generation.made,
        };
        let of_split = |split: Split| -> Vec<FileDigest> {
            let begin = format!("data/{split}-");
            let files = files.iter().filter(|file| file.path.starts_with(&begin));
            files.cloned().collect()
        };
        let mut file = match self.before {
            Some(before) => before.file,
            None => LineageFile {
                format: LineageFile::FORMAT,
                settings: self.settings.clone(),
                validation: Locked::new(counts.validation.clone(), of_split(Split::Validation)),
                test: Locked::new(counts.test.clone(), of_split(Split::Test)),
                generations: Vec::new(),
            },
        };
        file.settings = self.settings;
        file.generations.push(entry);
        file.write(self.folder)
    }
}
