//! The stop of jobs whose seeds hold one question in two splits, although its words differ too much for the two to be drawn together.

use gristmill_coordinator::SeedStore;
use gristmill_dataset::Split;
use gristmill_domain::seed;
use gristmill_lineage::{Error, LeakOptions, Question, leaks_of};
use gristmill_runs::Prepared;

use crate::failure::Failure;
use crate::generation;
use crate::view::View;

const WAY_OUT: &str = "\na real row serves one purpose: leave one of the two out of the seeds. Where they ask different things, raise \
                       `filter.decontaminate.coverage`. Nothing was spent";

/// Stops a job of which a real row that is trained on asks what a held-out one asks, or a validation row what a test row asks.
///
/// # Errors
/// The rows, by file and line, and rows that cannot be read.
pub(crate) async fn refuse_shared(prepared: &Prepared, view: &View) -> Result<(), Failure> {
    let job = &prepared.start.job;
    if job.evaluate.is_some() {
        return Ok(());
    }
    let held_out = questions(&prepared.seeds, |split| split != Split::Train);
    let held_out: Vec<Question> = held_out.collect::<Result<_, _>>().map_err(Failure::Input)?;
    if held_out.is_empty() {
        return Ok(());
    }
    let trained = questions(&prepared.seeds, |split| split == Split::Train);
    let trained: Vec<Question> = trained.collect::<Result<_, _>>().map_err(Failure::Input)?;
    let (name, options) = (
        prepared.start.job_file.clone(),
        LeakOptions::same_question(&job.filter.decontaminate),
    );
    let looked = generation::work(view.clone(), move |task| {
        let rows = trained.iter().map(|seed| anyhow::Ok((seed.split, seed.row())));
        let leaks = leaks_of(rows, "the seeds", &held_out, &options, task)?;
        Error::refuse_leaks(name.as_ref(), leaks, WAY_OUT)
    });
    looked.await
}

/// The seeds of some splits.
fn questions(
    seeds: &SeedStore,
    wanted: impl Fn(Split) -> bool,
) -> impl Iterator<Item = anyhow::Result<Question>> {
    (0..seeds.len()).filter_map(move |ordinal| {
        let split = match seeds.split(ordinal) {
            seed::Split::Anchor => Split::Train,
            seed::Split::Validation => Split::Validation,
            seed::Split::Test => Split::Test,
        };
        wanted(split).then(|| {
            let seed = seeds.read(ordinal)?;
            Ok(Question {
                split,
                place: seed.place.to_string(),
                question: seed.question,
            })
        })
    })
}
