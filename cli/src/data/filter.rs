//! `gristmill filter`: rows that read as they should.

use anyhow::{Context, anyhow};
use gristmill_domain::chat::Finish;
use gristmill_domain::filter::{Kind, Rules, Text};
use gristmill_domain::job::Validator;
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
    let (rules, kind) = rules(&args)?;
    let settings = serde_json::json!({ "kind": kind, "rules": rules });
    let (sorted, said) = Task::carry_out(view, move |task| carry_out(&args, &rules, kind, task)).await?;
    sorted.print(&settings, &said, output);
    Ok(())
}

/// The rules and the kind of answer: a job's, and what the command line says of them.
fn rules(args: &FilterArgs) -> Result<(Rules, Kind), Failure> {
    let (mut rules, job_kind) = match &args.job {
        None => (Rules::default(), Kind::Open),
        Some(path) => {
            let loaded = gristmill_jobfile::load(path, &[], Keys::Elsewhere)
                .map_err(|errors| print::job_errors(&errors))?;
            let filter = loaded.job.filter;
            let kind = match filter.validator {
                Validator::None => Kind::Open,
                Validator::Number => Kind::Number,
                Validator::Sql { .. } => Kind::Query,
                Validator::Label { .. } => Kind::Label,
                Validator::Text { .. } => Kind::Short,
            };
            (filter.rules, kind)
        }
    };
    if !args.languages.is_empty() {
        rules.language.allowed = args
            .languages
            .iter()
            .map(|code| serde_json::from_value(serde_json::Value::from(code.as_str())))
            .collect::<Result<_, _>>()
            .context("`--languages`")
            .map_err(Failure::Input)?;
    }
    let kind = match args.kind {
        None => job_kind,
        Some(KindArg::Open) => Kind::Open,
        Some(KindArg::Short) => Kind::Short,
        Some(KindArg::Number) => Kind::Number,
        Some(KindArg::Label) => Kind::Label,
        Some(KindArg::Query) => Kind::Query,
    };
    Ok((rules, kind))
}

fn carry_out(
    args: &FilterArgs,
    rules: &Rules,
    kind: Kind,
    task: &Task,
) -> anyhow::Result<(Sorted, Vec<String>)> {
    let mut rows = Source::new(&args.rows)?.open()?;
    let mut sorter = Sorter::create(&args.out)?;
    let mut counter = task.counting("rows");
    // Found in the first row, where none is named.
    let mut answer_field: Option<Option<String>> = args.answer.clone().map(Some);
    loop {
        let batch = rows.batch(BATCH)?;
        if batch.is_empty() {
            break;
        }
        for row in batch {
            let field = answer_field.get_or_insert_with(|| Usual::Answer.find(&row.object));
            let answer = answer(&row, field.as_deref())?;
            let checked = match &answer {
                Some(answer) => rules.check(&Text {
                    question: Some(&row.text),
                    answer,
                    finish: Finish::Stop,
                    kind,
                }),
                None => rules.check_question(&row.text, Finish::Stop, kind),
            };
            match checked {
                Ok(()) => sorter.keep(&row.object)?,
                Err(rejection) => sorter.drop(&row.place, &row.object, &rejection, None)?,
            }
        }
        counter.at(rows.read(), None)?;
    }
    drop(counter);
    let answers = match answer_field.flatten() {
        Some(field) => format!("answer `{field}`"),
        None => "no answers".to_owned(),
    };
    let mut said = vec![format!("question `{}`, {answers}", rows.fields())];
    said.extend(rows.bad().warning());
    Ok((sorter.finish(rows.bad())?, said))
}

fn answer(row: &Row, field: Option<&str>) -> anyhow::Result<Option<String>> {
    let Some(field) = field else { return Ok(None) };
    let text = fields::text(&row.object, field, Usual::Answer)
        .map_err(|reason| anyhow!("{}: {reason}", row.place))?;
    Ok(Some(text))
}
