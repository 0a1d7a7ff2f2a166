//! The generations of a loop: each makes rows, a training set and a student, and asks it.

use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use gristmill_dataset::RowList;
use gristmill_diagnosis::{MendPlan, make_no_repeats, mending_job};
use gristmill_domain::amount::{Limit, MicroUsd};
use gristmill_domain::job::{EmbedSource, Job};
use gristmill_domain::training::Training;
use gristmill_evaluation::{Confidence, PairedComparison, PointsPerUnit};
use gristmill_improvement::{
    Aim, Cost, Costs, Generation, Grant, Headline, Next, Policy, Record, Stop, Student, chart,
    generation_text,
};
use gristmill_jobfile::{Keys, Loaded};
use gristmill_lineage::{Additions, LeakOptions, Lineage, Rule};
use gristmill_runs::evaluation::EvaluatedStudent;

use super::questions::Questions;
use crate::args::{LoopArgs, TrainedArgs};
use crate::failure::Failure;
use crate::launch::{self, Made};
use crate::prepare::{prepare_loaded, this_command};
use crate::view::View;
use crate::{diagnosis, generation, print, train};

/// The picture of a loop.
const PICTURE: &str = "accuracy.svg";

/// A loop that is carried out.
pub(super) struct Improvement<'a> {
    pub(super) args: &'a LoopArgs,
    pub(super) loaded: Loaded,
    pub(super) training: Training,
    pub(super) policy: Policy,
    pub(super) questions: Questions<'a>,
    /// The loop's folder.
    pub(super) out: PathBuf,
    pub(super) view: View,
    pub(super) record: Record,
}

impl Improvement<'_> {
    /// Makes generations until the loop ends; says why it does.
    pub(super) async fn make_all(&mut self) -> Result<Stop, Failure> {
        loop {
            let grant = match self.record.granted.clone() {
                Some(grant) => grant,
                None => match self.policy.next(&self.record) {
                    Next::Stop(stop) => return Ok(stop),
                    Next::Generate(limit) => self.grant(limit).await?,
                },
            };
            self.record.granted = Some(grant.clone());
            self.write()?;
            self.view.say(&format!(
                "generation {}: rows for {} at most{}",
                grant.generation,
                grant.limit,
                match grant.aims.len() {
                    0 => String::new(),
                    aims => format!(", about {aims} concepts"),
                }
            ));
            let generation = self.generation(grant).await?;
            self.view.say(generation_text(&generation).trim_end());
            self.record.generations.push(generation);
            self.record.granted = None;
            self.write()?;
        }
    }

    /// What the next generation may do: the student's errors say what its rows are about.
    async fn grant(&self, limit: Limit) -> Result<Grant, Failure> {
        let mut grant = Grant {
            generation: self.record.generations.len() as u32 + 1,
            limit,
            aims: Vec::new(),
            documents: Vec::new(),
            without_teachers: Vec::new(),
            quarantine: None,
        };
        // The newest student is diagnosed by what it was trained on.
        let Some(last) = self.record.generations.last() else {
            return Ok(grant);
        };
        let trained_on = TrainedArgs {
            dataset: Some(self.dataset(last.grant.generation)),
            model: None,
            embed: self.embedding().unwrap_or_else(|| "words".to_owned()),
            min_rows: 5,
        };
        let found = diagnosis::called_for(
            &last.student.evaluation,
            &trained_on,
            (&self.loaded.job, &self.loaded.base),
            self.affordable(limit),
            &self.view,
        );
        let found = found.await?;
        if found.gaps.aimed.is_empty() {
            self.view.warn(
                "no wrong answer has a concept to aim at: the next rows are about what the job's are (`seeds.fields.concept` or `concepts` give \
                 rows concepts)",
            );
        }
        if !found.quarantined.is_empty() {
            let file = self.out.join(format!("quarantine-{}.jsonl", grant.generation));
            diagnosis::write_rows(&file, &found.quarantined).map_err(Failure::Other)?;
            grant.quarantine = Some(file);
        }
        grant.aims = found
            .gaps
            .aimed
            .iter()
            .map(|gap| Aim {
                concept: gap.concept.clone(),
                wrong: gap.wrong(),
                real: gap.rows.real,
                wanted: gap.wanted,
            })
            .collect();
        grant.documents = found.documents;
        grant.without_teachers = found.blamed;
        Ok(grant)
    }

    /// Rows that so much buys, by what rows have cost so far.
    fn affordable(&self, limit: Limit) -> u64 {
        let generations = &self.record.generations;
        let rows: u64 = generations.iter().map(|generation| generation.accepted).sum();
        let cost: Cost = generations.iter().map(|generation| generation.costs.rows).sum();
        match cost.times_in(limit) {
            Some(times) => (rows as f64 * times) as u64,
            None => rows,
        }
    }

    /// Makes rows, a training set and a student, and asks it.
    async fn generation(&mut self, grant: Grant) -> Result<Generation, Failure> {
        let number = grant.generation;
        let name = format!("{}, generation {number}", self.loaded.name);
        let ready = prepare_loaded(self.job(&grant, &name)?, None, this_command()).await?;
        let Made { manifest, folder, .. } = launch::made(&ready, &name, &self.view).await?;
        if manifest.rows.validation == 0 {
            return Err(Failure::Input(anyhow!(
                "no row is held out for validation, whose errors a loop aims at\nhelp: give more seeds, or a larger `holdout.validation`"
            )));
        }
        let rows = Cost {
            usd: MicroUsd(manifest.usd_micros()),
            calls: manifest.calls(),
        };
        if self.record.base.is_none() {
            let left = rows.left_of(self.policy.left(&self.record));
            let base = self
                .questions
                .validation(folder.root(), &self.args.base, left)
                .await?;
            self.record.base = Some(base);
            self.write()?;
        }
        let of_first = self.record.generations.first().map(|first| first.run.clone());
        let questions_of = of_first.unwrap_or_else(|| folder.root().to_owned());
        let known = self.known(&grant, folder.root()).await?;
        let made = self
            .training_set(&grant, folder.root(), known.as_ref().map(|(file, _)| file))
            .await?;
        let left = rows.left_of(self.policy.left(&self.record));
        let (student, training) = self.student(number, left).await?;
        let left = training.left_of(left);
        let student = self.questions.validation(&questions_of, &student, left).await?;
        let change = match self.record.standard() {
            Some(before) => changed(before, &student)?,
            None => None,
        };
        Ok(Generation {
            grant,
            run: folder.root().to_owned(),
            accepted: manifest.rows.train_synthetic,
            known: known.map_or(0, |(_, rows)| rows),
            real: made.anchor.rows,
            synthetic: made.synthetic.rows,
            room: made.ceiling.room,
            costs: Costs { rows, training },
            student,
            change,
        })
    }

    /// The job of a generation.
    fn job(&self, grant: &Grant, name: &str) -> Result<Loaded, Failure> {
        let base = &self.loaded.job;
        let mut job = match grant.aims.is_empty() {
            true => base.clone(),
            false => {
                let gaps: Vec<_> = grant.aims.iter().map(gap).collect();
                let plan = MendPlan {
                    gaps: &gaps,
                    estimate: None,
                    rows: None,
                    documents: grant.documents.clone(),
                    without_teachers: grant.without_teachers.clone(),
                };
                mending_job(base, &plan)
            }
        };
        // The same job with the same draws would make the same rows again.
        job.generate.seed = base.generate.seed + u64::from(grant.generation - 1);
        if let Some(last) = self.record.generations.last() {
            self.make_no_repeats(&mut job, grant);
            // More than the ceiling leaves room for would be bought to be dropped.
            job.generate.rows = (last.room < self.affordable(grant.limit)).then_some(last.room);
        } else {
            let part = |rows: u64| ((rows as f64 * self.policy.pilot).ceil() as u64).max(1);
            job.generate.rows = job.generate.rows.map(part);
        }
        job.budget.usd = grant.limit.usd.map(MicroUsd::as_usd);
        job.budget.calls = grant.limit.calls;
        // Its prices are in the job by now.
        job.budget.price_file = None;
        job.output.dir = self.out.join("runs").join(grant.generation.to_string());
        let text = serde_json::to_string(&job).context("the job of a generation")?;
        gristmill_jobfile::load_text(&text, name, &self.loaded.base, &[], Keys::Here)
            .map_err(|errors| print::job_errors(&errors))
    }

    /// Has a job make no row that the training set before holds, but for those that are taken out of it, or that was left out as known.
    fn make_no_repeats(&self, job: &mut Job, grant: &Grant) {
        let text = |path: &Path| path.display().to_string();
        let before = self.dataset(grant.generation - 1);
        let taken_out = grant.quarantine.as_deref().map(text);
        make_no_repeats(job, text(&before), taken_out);
        for earlier in self.record.generations.iter().filter(|earlier| earlier.known > 0) {
            let taken_out = earlier.grant.quarantine.as_deref().map(text);
            make_no_repeats(job, text(&earlier.run), taken_out);
        }
    }

    /// The file with the new rows that the newest student has right, and their number, where these are to be left out.
    async fn known(&self, grant: &Grant, run: &Path) -> Result<Option<(PathBuf, u64)>, Failure> {
        let Some(last) = self.record.generations.last().filter(|_| self.args.only_unknown) else {
            return Ok(None);
        };
        let file = self.out.join(format!("known-{}.txt", grant.generation));
        let trained_on = self.dataset(last.grant.generation);
        let student = (last.student.model.as_str(), trained_on.as_path());
        let rows = self.questions.known(run, student, &file).await?;
        Ok((rows > 0).then_some((file, rows)))
    }

    /// The generation's training set: all that there was before, the new rows, and none that are shown to be wrong, or known.
    async fn training_set(
        &self,
        grant: &Grant,
        run: &Path,
        known: Option<&PathBuf>,
    ) -> Result<gristmill_lineage::Generation, Failure> {
        let folder = self.out.join("lineage");
        if let Ok(lineage) = Lineage::open(&folder)
            && lineage.entry(Some(grant.generation)).is_ok()
        {
            let there = lineage.generation(Some(grant.generation));
            return there.map_err(|error| Failure::Input(error.into()));
        }
        // A synthetic row that holds a held-out one is bought already: it goes, and the record names it.
        let mut quarantine = vec![Rule::Leaks];
        for file in grant.quarantine.as_ref().into_iter().chain(known) {
            let listed = RowList::read(file).map_err(|error| Failure::Other(error.into()))?;
            quarantine.push(Rule::Listed(listed));
        }
        let additions = Additions {
            datasets: vec![run.to_owned()],
            quarantine,
            leaks: LeakOptions {
                embed: self.embedding(),
                ..LeakOptions::default()
            },
            ..Additions::default()
        };
        generation::added(folder, additions, self.view.clone()).await
    }

    /// Trains the student of a generation. Returns its folder, and what training cost.
    async fn student(&self, number: u32, left: Limit) -> Result<(String, Cost), Failure> {
        let mut training = self.training.clone();
        training.base = Some(self.args.base.clone());
        if training.usd_per_hour > 0.0 {
            let left = left.usd.map(MicroUsd::as_usd);
            training.max_usd = match (training.max_usd, left) {
                (Some(most), Some(left)) => Some(most.min(left)),
                (most, left) => most.or(left),
            };
        }
        let out = self.out.join("students").join(number.to_string());
        let trained = train::student(self.dataset(number), training, &self.args.base, out, &self.view);
        let (folder, _, history) = trained.await?;
        let usd = MicroUsd::from_usd_ceil(history.cost().usd).unwrap_or_default();
        Ok((folder.path().display().to_string(), Cost { usd, calls: 0 }))
    }

    /// Asks the best student and its base the test rows, which decided nothing before, and says what the loop earned.
    pub(super) async fn test(&mut self) -> Result<(), Failure> {
        let (Some(best), Some(first)) = (self.record.best(), self.record.generations.first()) else {
            return Ok(());
        };
        let number = best.grant.generation;
        if self
            .record
            .headline
            .as_ref()
            .is_some_and(|headline| headline.generation == number)
        {
            return Ok(());
        }
        let left = self.policy.left(&self.record);
        let asked = self.questions.test(&first.run, &best.student, left).await?;
        self.record.tested += asked.cost;
        let cost = self.record.used();
        let (units, unit) = cost.in_units();
        let earned = |change: PairedComparison| PointsPerUnit::of(change.change, change.interval, units);
        self.record.headline = Some(Headline {
            generation: number,
            evaluation: asked.evaluation,
            test: asked.test,
            accuracy: asked.accuracy,
            change: asked.change,
            cost,
            earned: asked.change.and_then(earned),
            unit: unit.to_owned(),
        });
        self.write()?;
        Ok(())
    }

    /// The training set of a generation.
    fn dataset(&self, number: u32) -> PathBuf {
        self.out.join("lineage/generations").join(number.to_string())
    }

    /// The embedding model of the job, as the commands on datasets name it.
    fn embedding(&self) -> Option<String> {
        match self.loaded.job.embed.source() {
            EmbedSource::Off => None,
            EmbedSource::Local(name) if name.contains('/') => {
                Some(self.loaded.base.join(name).display().to_string())
            }
            EmbedSource::Local(name) => Some(name.to_owned()),
        }
    }

    /// Writes down what is done, and draws it.
    fn write(&self) -> Result<(), Failure> {
        self.record
            .write(&self.out)
            .map_err(|error| Failure::Other(error.into()))?;
        let file = self.out.join(PICTURE);
        let written = std::fs::write(&file, chart(&self.record).svg());
        written.with_context(|| format!("{} cannot be written", file.display()))?;
        Ok(())
    }
}

/// What a job that fills gaps takes of an aim.
fn gap(aim: &Aim) -> gristmill_diagnosis::Gap {
    gristmill_diagnosis::Gap {
        concept: aim.concept.clone(),
        items: Default::default(),
        rows: gristmill_diagnosis::Coverage {
            real: aim.real,
            synthetic: 0,
        },
        quarantined: 0,
        wanted: aim.wanted,
    }
}

/// A student against the one before it, on the same validation rows.
fn changed(before: &Student, after: &Student) -> anyhow::Result<Option<PairedComparison>> {
    let [before, after] = [before, after].map(|student| EvaluatedStudent::read(&student.evaluation));
    after?.change_from(&before?, Confidence::default())
}
