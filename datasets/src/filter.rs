//! Rows that read as they should.

use anyhow::{Context, anyhow};
use gristmill_domain::chat::Finish;
use gristmill_domain::filter::{Kind, Reason, Rejection, Rules, Text};
use gristmill_domain::job::Job;
use gristmill_domain::words::thousands;

use super::fields::{self, Usual};
use super::keep::{OutOptions, Sorted, Sorter};
use super::likelihood::{LikelihoodOptions, RowDecision, Scored, Scorer};
use super::source::{RowsOptions, Source, SourceRow};
use super::task::Task;

/// Rows between two looks at the signal.
const BATCH: usize = 256;

/// What is filtered, and how.
#[derive(Debug, Clone)]
pub struct FilterOptions {
    /// The rows.
    pub rows: RowsOptions,
    /// Field with the answer; the usual names are looked for when there is none.
    pub answer: Option<String>,
    /// Where rows go.
    pub out: OutOptions,
    /// What they are filtered by.
    pub by: FilterRules,
    /// The likelihood to a model that those are bounded by which the rules let through.
    pub likelihood: Option<LikelihoodOptions>,
}

/// What rows are filtered by.
#[derive(Debug, Clone)]
pub struct FilterRules {
    /// The rules.
    pub rules: Rules,
    /// What sort of answer rows have.
    pub kind: Kind,
    /// Where the job's seeds have question and answer: looked for first.
    question: Option<String>,
    answer: Option<String>,
    /// Neither a job nor a person said what sort of answer rows have.
    assumed: bool,
}

impl FilterRules {
    /// The rules of a job where there is one, and the default ones else; then what `kind` and `languages` say beside them.
    ///
    /// # Errors
    /// A code that is no language's.
    pub fn new(job: Option<&Job>, kind: Option<Kind>, languages: &[String]) -> anyhow::Result<Self> {
        let mut by = match job {
            None => Self {
                rules: Rules::default(),
                kind: Kind::Open,
                question: None,
                answer: None,
                assumed: kind.is_none(),
            },
            Some(job) => {
                let (filter, fields) = (&job.filter, &job.seeds.fields);
                Self {
                    kind: filter.validator.answers(),
                    rules: filter.rules.clone(),
                    question: Some(fields.question.clone()),
                    answer: Some(fields.answer.clone()),
                    assumed: false,
                }
            }
        };
        if !languages.is_empty() {
            by.rules.language.allowed = languages
                .iter()
                .map(|code| serde_json::from_value(serde_json::Value::from(code.as_str())))
                .collect::<Result<_, _>>()
                .context("`--languages`")?;
        }
        by.kind = kind.unwrap_or(by.kind);
        Ok(by)
    }
}

/// Drops what the rules reject, and what is likelier or less likely to a model than wanted.
///
/// # Errors
/// Rows that cannot be read, files that cannot be written ([`out::Unwritable`](crate::out::Unwritable)), a model that cannot be loaded or
/// tells no likelihoods, and [`Interrupted`](crate::Interrupted).
pub fn filter(args: &FilterOptions, task: &Task) -> anyhow::Result<Sorted> {
    let by = &args.by;
    let bounds = args.likelihood.as_ref().map(|likelihood| {
        serde_json::json!({ "model": likelihood.model.name(), "of": likelihood.of.as_str(), "bounds": likelihood.bounds })
    });
    let mut settings = serde_json::json!({ "kind": by.kind, "rules": by.rules });
    if let (Some(settings), Some(bounds)) = (settings.as_object_mut(), bounds) {
        settings.insert("likelihood".to_owned(), bounds);
    }
    let source = Source::new(&args.rows).preferring(by.question.clone());
    let mut rows = source.open()?;
    let mut sorter = Sorter::create(&args.out, &source, None)?;
    let mut scored = match &args.likelihood {
        Some(options) => Some(scored(args, options, &source, task)?),
        None => None,
    };
    let mut counter = task.counting("rows");
    let mut checker = Checker::new(args);
    let mut number = 0;
    loop {
        let batch = rows.batch(BATCH)?;
        if batch.is_empty() {
            break;
        }
        for row in batch {
            let (_, checked) = checker.check(&row)?;
            let verdict = match (checked, &mut scored) {
                (Err(rejection), _) => {
                    checker.unlike_prose +=
                        u64::from(matches!(rejection.reason, Reason::Quality | Reason::Repetition));
                    sorter.drop(&row.place, &row.object, &rejection, None)?;
                    RowDecision::LeftOut
                }
                (Ok(()), None) => RowDecision::Keep,
                (Ok(()), Some(scored)) => scored.verdict(number, &row.place)?,
            };
            match verdict {
                RowDecision::Keep => sorter.keep(&row.object)?,
                RowDecision::Drop(reason, detail) => {
                    sorter.drop_for((reason, &detail), &row.place, &row.object, None)?
                }
                RowDecision::LeftOut => {}
            }
            number += 1;
        }
        counter.at(rows.read(), None)?;
    }
    drop(counter);
    let answers = match checker.answer_field.clone().flatten() {
        Some(field) => format!("answer `{field}`"),
        None => "no answers".to_owned(),
    };
    let bad = match &scored {
        Some(scored) => scored.left_out(rows.bad()),
        None => rows.bad().clone(),
    };
    let mut said = vec![format!("question: {}; {answers}", rows.fields())];
    said.extend(bad.warning());
    // Calculations and lists are not.
    let unnamed = by.kind == Kind::Open && by.assumed;
    if unnamed && checker.unlike_prose * 10 > rows.read() {
        said.push(format!(
            "warning: {} of {} rows do not read like prose, which is what answers are taken for: say what they are with `--kind`, or take the rules \
             of a job with `--job`",
            thousands(checker.unlike_prose),
            thousands(rows.read())
        ));
    }
    let Some(mut scored) = scored else {
        return sorter.finish(&bad, settings, said);
    };
    if let Some(figures) = scored.finish()? {
        figures.publish()?;
    }
    said.extend(scored.lines());
    Ok(sorter
        .finish(&bad, settings, said)?
        .with_figures("likelihood", scored.json()))
}

/// Scores the rows that the rules let through.
fn scored(
    args: &FilterOptions,
    options: &LikelihoodOptions,
    source: &Source,
    task: &Task,
) -> anyhow::Result<Scored> {
    let mut scorer = Scorer::new(options, args.rows.skip_bad, task)?;
    let mut rows = source.open()?;
    let mut checker = Checker::new(args);
    let mut counter = task.counting("scoring rows");
    loop {
        // A model takes its time: a signal is looked for after each row.
        let batch = rows.batch(1)?;
        let Some(row) = batch.first() else {
            break;
        };
        let (answer, checked) = checker.check(row)?;
        match checked {
            Ok(()) => {
                let field = checker.answer_field.as_ref().and_then(Option::as_deref);
                scorer.score(row, field.zip(answer.as_deref()), task)?;
            }
            Err(_) => scorer.pass(),
        }
        counter.at(rows.read(), None)?;
    }
    drop(counter);
    let mut scored = scorer.done(options)?;
    scored.create(options, (&args.out.out, args.out.overwrite), source)?;
    Ok(scored)
}

/// Holds rows to the rules.
struct Checker<'a> {
    by: &'a FilterRules,
    /// Field with the answers; found in the first row, where none is named.
    answer_field: Option<Option<String>>,
    unlike_prose: u64,
}

impl<'a> Checker<'a> {
    fn new(args: &'a FilterOptions) -> Self {
        Self {
            by: &args.by,
            answer_field: args.answer.clone().map(Some),
            unlike_prose: 0,
        }
    }

    /// A row's answer, where rows have some, and whether the rules let the row through.
    fn check(&mut self, row: &SourceRow) -> anyhow::Result<(Option<String>, Result<(), Rejection>)> {
        let by = self.by;
        let field = self
            .answer_field
            .get_or_insert_with(|| Usual::Answer.find(&row.object, by.answer.as_deref()));
        let answer = answer(row, field.as_deref())?;
        let checked = match &answer {
            Some(answer) => by.rules.check(&Text {
                question: Some(&row.text),
                answer,
                finish: Finish::Stop,
                kind: by.kind,
            }),
            None => by.rules.check_question(&row.text, Finish::Stop, by.kind),
        };
        Ok((answer, checked))
    }
}

fn answer(row: &SourceRow, field: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(field) = field else { return Ok(None) };
    let text = fields::text(&row.object, field, Usual::Answer)
        .map_err(|reason| anyhow!("{}: {reason}", row.place))?;
    Ok(Some(text))
}
