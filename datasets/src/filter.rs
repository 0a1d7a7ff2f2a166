//! Rows that read as they should.

use anyhow::{Context, anyhow};
use gristmill_domain::chat::Finish;
use gristmill_domain::filter::{Kind, Reason, Rules, Text};
use gristmill_domain::job::Job;
use gristmill_domain::words::thousands;

use super::fields::{self, Usual};
use super::keep::{OutOptions, Sorted, Sorter};
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

/// Drops what the rules reject.
///
/// # Errors
/// Rows that cannot be read, files that cannot be written ([`out::Unwritable`](crate::out::Unwritable)), and
/// [`Interrupted`](crate::Interrupted).
pub fn filter(args: &FilterOptions, task: &Task) -> anyhow::Result<Sorted> {
    let by = &args.by;
    let settings = serde_json::json!({ "kind": by.kind, "rules": by.rules });
    let source = Source::new(&args.rows).preferring(by.question.clone());
    let mut rows = source.open()?;
    let mut sorter = Sorter::create(&args.out, &source, None)?;
    let mut counter = task.counting("rows");
    // Found in the first row, where none is named.
    let mut answer_field: Option<Option<String>> = args.answer.clone().map(Some);
    let mut unlike_prose = 0;
    loop {
        let batch = rows.batch(BATCH)?;
        if batch.is_empty() {
            break;
        }
        for row in batch {
            let field =
                answer_field.get_or_insert_with(|| Usual::Answer.find(&row.object, by.answer.as_deref()));
            let answer = answer(&row, field.as_deref())?;
            let checked = match &answer {
                Some(answer) => by.rules.check(&Text {
                    question: Some(&row.text),
                    answer,
                    finish: Finish::Stop,
                    kind: by.kind,
                }),
                None => by.rules.check_question(&row.text, Finish::Stop, by.kind),
            };
            match checked {
                Ok(()) => sorter.keep(&row.object)?,
                Err(rejection) => {
                    unlike_prose +=
                        u64::from(matches!(rejection.reason, Reason::Quality | Reason::Repetition));
                    sorter.drop(&row.place, &row.object, &rejection, None)?;
                }
            }
        }
        counter.at(rows.read(), None)?;
    }
    drop(counter);
    let answers = match answer_field.flatten() {
        Some(field) => format!("answer `{field}`"),
        None => "no answers".to_owned(),
    };
    let mut said = vec![format!("question: {}; {answers}", rows.fields())];
    said.extend(rows.bad().warning());
    // Calculations and lists are not.
    let unnamed = by.kind == Kind::Open && by.assumed;
    if unnamed && unlike_prose * 10 > rows.read() {
        said.push(format!(
            "warning: {} of {} rows do not read like prose, which is what answers are taken for: say what they are with `--kind`, or take the rules \
             of a job with `--job`",
            thousands(unlike_prose),
            thousands(rows.read())
        ));
    }
    sorter.finish(rows.bad(), settings, said)
}

fn answer(row: &SourceRow, field: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(field) = field else { return Ok(None) };
    let text = fields::text(&row.object, field, Usual::Answer)
        .map_err(|reason| anyhow!("{}: {reason}", row.place))?;
    Ok(Some(text))
}
