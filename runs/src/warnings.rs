//! What a run's end should not hide.

use gristmill_coordinator::Start;
use gristmill_domain::concept::ConceptProgress;
use gristmill_domain::filter::Kind;
use gristmill_domain::job::{Assign, Job, Mutators};
use gristmill_domain::ledger::{Account, Counts};
use gristmill_domain::words::{first_of, many, thousands};

use crate::certainty::Certainty;

/// Concepts that a warning names; the rest are counted.
const NAMED: usize = 8;

/// All of it, a line each.
///
/// `new_questions` are those that were accepted, and those of them that belong to no concept.
pub(crate) fn of(
    start: &Start,
    concepts: &[ConceptProgress],
    account: &Account,
    new_questions: (u64, u64),
    asked: Asked,
) -> Vec<String> {
    let sum = |count: fn(&Counts) -> u64| account.counts.values().map(count).sum::<u64>();
    let skipped = match start.skipped.len() {
        0 => "skipped".to_owned(),
        named => {
            let more = start.skipped_documents.saturating_sub(named as u64);
            let more = if more > 0 {
                format!("; and {more} more")
            } else {
                String::new()
            };
            format!("skipped: {}{more}", start.skipped.join("; "))
        }
    };
    let all = [
        (start.bad_rows, "seed row", "could not be used"),
        (
            start.synthetic_rows,
            "seed row",
            "left out because a model wrote it (`provenance.origin`)",
        ),
        (start.skipped_documents, "document", &skipped),
        (
            sum(|counts| counts.voided),
            "call",
            "refused without cost and tried again",
        ),
        (
            sum(|counts| counts.burned),
            "call",
            "with an unknown end, at the worst case",
        ),
        (
            account.alerts_total,
            "alert",
            "about the books: look at them with `gristmill budget`",
        ),
    ];
    let counted = all
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, thing, what)| format!("{} {what}", many(*count, thing)));
    counted
        .chain(of_job(&start.job, asked))
        .chain(open_concepts(concepts))
        .chain(given_up(concepts))
        .chain(strays(start, new_questions))
        .chain(lopsided(start, concepts))
        .collect()
}

/// Rows without a reference that are right less often than the job wants.
pub(crate) fn uncertain(certainty: &Certainty) -> Option<String> {
    certainty.short().then(|| {
        let hint = match certainty.lead {
            Some(_) => "leave `generate.agreement.lead` out, so that it follows from `generate.agreement.accuracy`",
            None => "use a better teacher or a judge, raise `generate.agreement.max_samples`, or lower `generate.agreement.accuracy`",
        };
        format!(
            "of the rows without a reference {:.1} % are expected to be right, and {:.1} % is wanted: {hint}",
            100.0 * certainty.right.mean,
            100.0 * certainty.target
        )
    })
}

/// What a run asks for besides answers, or will.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    /// Rephrasings.
    pub(crate) rephrasings: bool,
    /// New questions.
    pub(crate) new_questions: bool,
}

/// What a job sets that does nothing where no more than this is asked for, and what makes its rows unlike each other.
pub(crate) fn of_job(job: &Job, asked: Asked) -> Vec<String> {
    let mut told = Vec::new();
    if job.seeds.documents.is_some() && !asked.new_questions {
        told.push(
            "`seeds.documents` brings nothing: only new questions are asked about them, and none is planned; see `generate.strategy`",
        );
    }
    // Evolutions and personas vary new questions alone, styles rephrasings as well.
    let varied =
        |mutators: &Mutators| asked.new_questions || asked.rephrasings && !mutators.styles.is_empty();
    if job
        .generate
        .mutators
        .as_ref()
        .is_some_and(|mutators| !varied(mutators))
    {
        told.push("`generate.mutators` varies nothing: no question that they apply to is planned; see `generate.strategy`");
    }
    let bare = job.seeds.fields.reasoning.is_none() && job.filter.validator.answers() == Kind::Label;
    if bare && job.generate.reasoning {
        told.push(
            "made answers carry their reasoning, and the real ones are bare labels: name the column of theirs in `seeds.fields.reasoning`, or set `generate.reasoning: false`",
        );
    }
    told.into_iter().map(str::to_owned).collect()
}

/// Targets that are still open, in a line.
fn open_concepts(concepts: &[ConceptProgress]) -> Option<String> {
    let open: Vec<&ConceptProgress> = concepts.iter().filter(|concept| concept.open() > 0).collect();
    let missing: u64 = open.iter().map(|concept| concept.open()).sum();
    (!open.is_empty()).then(|| {
        format!(
            "{} concepts are under their target, by {} rows in all",
            thousands(open.len() as u64),
            thousands(missing)
        )
    })
}

/// Concepts that were given up, each with what was tried.
fn given_up(concepts: &[ConceptProgress]) -> Option<String> {
    let told: Vec<String> = concepts
        .iter()
        .filter_map(|concept| Some(format!("{} ({})", concept.concept, concept.given_up?)))
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "{} given up short of the target, because another candidate was not worth its cost (`concepts.min_gain`): {}",
            many(told.len() as u64, "concept"),
            first_of(&told, NAMED)
        )
    })
}

/// New questions that belong to no concept, where they are most.
fn strays(start: &Start, (all, strays): (u64, u64)) -> Option<String> {
    // By labels alone, no new question ever belongs to one.
    let concepts = start
        .job
        .concepts
        .as_ref()
        .filter(|concepts| concepts.assign != Assign::Labels)?;
    let because = if concepts.by_model() {
        "neither the model's replies nor their words make one probable enough, see `concepts.confidence`; `gristmill trace` shows its replies"
    } else {
        "neither their words nor what they were asked about make one probable enough, see `concepts.confidence`"
    };
    (2 * strays > all).then(|| {
        format!(
            "{} of {} accepted new questions belong to no concept and count for none: {because}",
            thousands(strays),
            thousands(all)
        )
    })
}

/// Clusters that the seeds leave nearly empty, where the concepts were found in them.
fn lopsided(start: &Start, concepts: &[ConceptProgress]) -> Option<String> {
    let settings = start
        .job
        .concepts
        .as_ref()
        .filter(|settings| settings.found.is_some())?;
    let thin = concepts
        .iter()
        .filter(|concept| concept.real < settings.covered_from)
        .count();
    (thin as f64 > settings.max_uncovered * concepts.len() as f64).then(|| {
        format!(
            "{thin} of {} clusters of seeds have fewer than {} rows: the seeds may be narrow",
            concepts.len(),
            settings.covered_from
        )
    })
}
