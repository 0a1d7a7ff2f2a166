//! `gristmill filter`: rows that read as they should.

use anyhow::{Context, anyhow};
use gristmill_domain::chat::Finish;
use gristmill_domain::filter::{Kind, Reason, Rules, Text};
use gristmill_domain::job::Validator;
use gristmill_domain::words::thousands;
use gristmill_jobfile::Keys;

use super::fields::{self, Usual};
use super::keep::{Sorted, Sorter};
use super::source::{Row, Source};
use super::task::Task;
use crate::args::{FilterArgs, KindArg, OutputStyle};
use crate::failure::Failure;
use crate::print;
use crate::view::View;

/// Rows between two looks at the signal.
const BATCH: usize = 256;

/// Drops what the rules reject.
pub(crate) async fn filter(args: FilterArgs, view: View, output: OutputStyle) -> Result<(), Failure> {
    let by = By::of(&args)?;
    let settings = serde_json::json!({ "kind": by.kind, "rules": by.rules });
    let (sorted, said) = Task::carry_out(view, move |task| carry_out(&args, &by, task)).await?;
    sorted.print(&settings, &said, output);
    Ok(())
}

/// What rows are filtered by: a job's rules, and what the command line says of them.
struct By {
    rules: Rules,
    kind: Kind,
    /// Where the job's seeds have question and answer: looked for first.
    question: Option<String>,
    answer: Option<String>,
}

impl By {
    fn of(args: &FilterArgs) -> Result<Self, Failure> {
        let mut by = match &args.job {
            None => Self {
                rules: Rules::default(),
                kind: Kind::Open,
                question: None,
                answer: None,
            },
            Some(path) => {
                let loaded = gristmill_jobfile::load(path, &[], Keys::Elsewhere)
                    .map_err(|errors| print::job_errors(&errors))?;
                let (filter, fields) = (loaded.job.filter, loaded.job.seeds.fields);
                Self {
                    kind: match filter.validator {
                        Validator::None => Kind::Open,
                        Validator::Number => Kind::Number,
                        Validator::Sql { .. } => Kind::Query,
                        Validator::Label { .. } => Kind::Label,
                        Validator::Text { .. } => Kind::Short,
                    },
                    rules: filter.rules,
                    question: Some(fields.question),
                    answer: Some(fields.answer),
                }
            }
        };
        if !args.languages.is_empty() {
            by.rules.language.allowed = args
                .languages
                .iter()
                .map(|code| serde_json::from_value(serde_json::Value::from(code.as_str())))
                .collect::<Result<_, _>>()
                .context("`--languages`")
                .map_err(Failure::Input)?;
        }
        by.kind = match args.kind {
            None => by.kind,
            Some(KindArg::Open) => Kind::Open,
            Some(KindArg::Short) => Kind::Short,
            Some(KindArg::Number) => Kind::Number,
            Some(KindArg::Label) => Kind::Label,
            Some(KindArg::Query) => Kind::Query,
        };
        Ok(by)
    }
}

fn carry_out(args: &FilterArgs, by: &By, task: &Task) -> anyhow::Result<(Sorted, Vec<String>)> {
    let source = Source::new(&args.rows)?.preferring(by.question.clone());
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
    let unnamed = by.kind == Kind::Open && args.kind.is_none() && args.job.is_none();
    if unnamed && unlike_prose * 10 > rows.read() {
        said.push(format!(
            "warning: {} of {} rows do not read like prose, which is what answers are taken for: say what they are with `--kind`, or take the rules \
             of a job with `--job`",
            thousands(unlike_prose),
            thousands(rows.read())
        ));
    }
    Ok((sorter.finish(rows.bad())?, said))
}

fn answer(row: &Row, field: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(field) = field else { return Ok(None) };
    let text = fields::text(&row.object, field, Usual::Answer)
        .map_err(|reason| anyhow!("{}: {reason}", row.place))?;
    Ok(Some(text))
}
