//! A first job file, written from the seeds: short, commented, and ready for `gristmill plan`.

use crate::budget::BudgetChoice;
use crate::family::{Needs, THINKING_TOKENS, whole_address, with_version};
use crate::sample::{Check, Sample};
use crate::yaml::is_plain_text;

/// Who generates.
#[derive(Debug, Clone, PartialEq)]
pub enum TeacherChoice {
    /// An OpenAI-compatible endpoint.
    Endpoint {
        /// Base URL, up to and including `/v1`.
        url: String,
        /// Model name as the endpoint knows it.
        model: String,
        /// Environment variable that holds the key; `None` for an endpoint that wants none.
        key_env: Option<String>,
        /// Dollars a million prompt tokens and a million completion tokens, where known.
        price: Option<(f64, f64)>,
    },
    /// A model in this process: a name of the catalogue, or a GGUF file.
    Local(String),
}

/// The job file's text.
///
/// It loads without error as it stands, but for one thing that nobody may guess: with a budget in dollars, an endpoint without a price
/// needs it filled in where the file says so. An address on this machine says nothing: a proxy may stand there.
pub fn init(sample: &Sample, teacher: &TeacherChoice, budget: &BudgetChoice) -> String {
    let mut page = Page::default();
    let rows = if sample.complete {
        format!("the {} rows", sample.rows)
    } else {
        format!("the first {} rows", sample.rows)
    };
    page.line(
        0,
        &format!(
            "# Written by `gristmill init` from {rows} of {}.",
            one_line(&sample.path)
        ),
    );
    page.line(0, "# `gristmill plan FILE` shows what it would do and spends nothing; `gristmill schema` knows every other key.");
    seeds(&mut page, sample);
    page.line(0, "");
    page.line(0, "teacher:");
    model(&mut page, teacher, budget);
    if judged(sample) {
        page.line(0, "");
        page.line(
            0,
            "judge:  # nothing else can check an open answer; another model than the teacher judges better",
        );
        model(&mut page, teacher, budget);
    }
    page.line(0, "");
    page.line(0, "generate:");
    page.line(
        1,
        "strategy: auto  # the mix follows from the budget and the number of seeds",
    );
    page.line(1, "# rows: 1000  # left out: what the budget allows");
    page.line(
        1,
        "# subject: a few words that tell the teacher what the data is about",
    );
    if let TeacherChoice::Endpoint { url, model, .. } = teacher
        && Needs::of(url, model).thinks
    {
        page.line(
            1,
            &format!("max_tokens: {THINKING_TOKENS}  # the model thinks before it answers, and that counts"),
        );
    }
    if without_reasoning(sample) {
        page.line(1, "reasoning: false  # the seeds' answers have none");
    }
    filter(&mut page, sample);
    page.line(0, "");
    page.line(0, "budget:  # hard: no crash and no retry goes beyond it");
    if let Some(usd) = budget.usd {
        page.line(1, &format!("usd: {usd}"));
    }
    if let Some(calls) = budget.calls {
        page.line(1, &format!("calls: {calls}"));
    }
    page.text
}

/// What of a first job file may be wrong, a sentence each, with the way out: nobody was asked yet.
pub fn init_warnings(teacher: &TeacherChoice, budget: &BudgetChoice) -> Vec<String> {
    let TeacherChoice::Endpoint {
        url, model, price, ..
    } = teacher
    else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if let Some(whole) = with_version(url) {
        warnings.push(format!(
            "the address {url} has no version of its API, and most servers answer nothing without one: `--teacher {whole}` names it; \
             `gristmill doctor` tells which of the two answers"
        ));
    }
    if budget.usd.is_some() && price.is_none() {
        warnings.push(format!(
            "the budget is in dollars, and what {model} costs is not known: the job is not run before its `price` is filled in. `--price IN,OUT` \
             does that (`--price 0,0` where calls cost nothing), or give the budget in calls"
        ));
    }
    warnings
}

fn seeds(page: &mut Page, sample: &Sample) {
    page.line(0, "");
    page.line(0, "seeds:");
    page.line(1, &format!("path: {}", scalar(&sample.path)));
    let fields = &sample.fields;
    page.line(1, "fields:");
    let line = |page: &mut Page, name: &str, column: Option<&str>, why: &str| {
        if let Some(column) = column {
            page.line(2, &format!("{name}: {}{why}", scalar(column)));
        }
    };
    line(page, "question", Some(&fields.question), "");
    line(
        page,
        "input",
        fields.input.as_deref(),
        "  # put behind the question",
    );
    match fields.choices.as_slice() {
        [] => {}
        [column] => line(page, "choices", Some(column), "  # shown with the question"),
        columns => {
            let columns: Vec<String> = columns.iter().map(|column| scalar(column)).collect();
            page.line(
                2,
                &format!("choices: [{}]  # shown with the question", columns.join(", ")),
            );
        }
    }
    if fields.choices_from > 0 {
        page.line(
            2,
            &format!(
                "choices_from: {}  # the number of the first option",
                fields.choices_from
            ),
        );
    }
    let meant = match fields.choices.is_empty() {
        true => "",
        false => "  # names an option, and becomes its text",
    };
    line(page, "answer", Some(&fields.answer), meant);
    for (name, column, why) in [
        ("reasoning", &fields.reasoning, ""),
        (
            "references",
            &fields.references,
            "  # what an answer is checked against",
        ),
        (
            "context",
            &fields.context,
            "  # the passage that the question rests on",
        ),
        ("concept", &fields.concept, "  # what coverage is counted by"),
        (
            "source",
            &fields.source,
            "  # rows of one source stay in one split",
        ),
        (
            "database",
            &fields.database,
            "  # which database the query runs on",
        ),
    ] {
        line(page, name, column.as_deref(), why);
    }
    for note in &sample.notes {
        page.line(2, &format!("# {}", one_line(note)));
    }
    if !sample.unused.is_empty() {
        let names: Vec<String> = sample
            .unused
            .iter()
            .map(|name| format!("`{}`", one_line(name)))
            .collect();
        page.line(2, &format!("# Not used: {}.", names.join(", ")));
    }
}

fn model(page: &mut Page, teacher: &TeacherChoice, budget: &BudgetChoice) {
    match teacher {
        TeacherChoice::Local(name) => page.line(
            1,
            &format!(
                "local: {}  # runs in this process; costs calls, no money",
                scalar(name)
            ),
        ),
        TeacherChoice::Endpoint {
            url,
            model,
            key_env,
            price,
        } => {
            page.line(1, &format!("base_url: {}", scalar(&whole_address(url))));
            page.line(1, &format!("model: {}", scalar(model)));
            for line in Needs::of(url, model).lines() {
                page.line(1, line);
            }
            if let Some(name) = key_env {
                page.line(
                    1,
                    &format!(
                        "key_env: {}  # the variable's name, never the key itself",
                        scalar(name)
                    ),
                );
            }
            if let Some((input, output)) = price {
                page.line(
                    1,
                    &format!("price: {{input: {input}, output: {output}}}  # dollars a million tokens"),
                );
            } else if budget.usd.is_some() {
                page.line(1, "# Dollars a million tokens, from the provider's price list; a budget in dollars needs it:");
                page.line(1, "# price: {input: …, output: …}");
            }
        }
    }
}

/// The seeds show answers without any reasoning: bare labels, short texts, queries and numbers.
fn without_reasoning(sample: &Sample) -> bool {
    let bare = matches!(sample.check, Check::Label(_) | Check::Text | Check::Sql(_)) || sample.bare_numbers;
    bare && sample.fields.reasoning.is_none()
}

fn filter(page: &mut Page, sample: &Sample) {
    let validator = match &sample.check {
        Check::Number => "{kind: number}  # the final number must equal the seed's".to_owned(),
        Check::Sql(folder) => format!(
            "{{kind: sql, databases: {}}}  # run, and compared by result",
            scalar(folder)
        ),
        Check::Label(labels) => {
            let labels: Vec<String> = labels.iter().map(|label| quoted(label)).collect();
            format!("{{kind: label, labels: [{}]}}", labels.join(", "))
        }
        Check::Text => "{kind: text}  # short answers, compared word by word".to_owned(),
        Check::Open => String::new(),
    };
    if validator.is_empty() && !sample.grounded {
        return;
    }
    page.line(0, "");
    page.line(0, "filter:");
    if !validator.is_empty() {
        page.line(1, &format!("validator: {validator}"));
    }
    if sample.grounded {
        page.line(1, "grounding: {}  # an answer must stand in its passage");
    }
}

/// Open answers that stand in no passage: a judge is the only check.
fn judged(sample: &Sample) -> bool {
    sample.check == Check::Open && !sample.grounded
}

/// A value as YAML: bare where every reader takes it for the same text, in quotes otherwise.
fn scalar(text: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':');
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '/' | '.');
    if text.starts_with(first) && text.chars().all(bare) && !text.ends_with(':') && is_plain_text(text) {
        text.to_owned()
    } else {
        quoted(text)
    }
}

/// In double quotes; JSON's escapes are YAML's too.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[derive(Default)]
struct Page {
    text: String,
}

impl Page {
    fn line(&mut self, indent: usize, text: &str) {
        if !text.is_empty() {
            self.text.push_str(&"  ".repeat(indent));
        }
        self.text.push_str(text);
        self.text.push('\n');
    }
}
