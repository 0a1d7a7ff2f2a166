//! What no single value can show: contradictions, numbers out of range, settings that would do nothing.

mod concepts;

use super::{Api, Batching, Job, JudgeWhen, ModelSpec, PromptForm, StrategyChoice, Structured, Validator};

/// The largest limit on tokens that a limiter counts exactly.
const TOKENS_PER_MINUTE_MAX: u64 = 1_000_000_000_000;

/// The largest batch: as many slots as a worker may have, which every provider takes.
const BATCH_REQUESTS_MAX: u32 = 10_000;

/// Something wrong with a job, at a key path such as `teacher.0.price`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Path of the key, its parts joined by dots; list items by their index.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: String,
}

pub(super) struct Report(Vec<Problem>);

impl Report {
    pub(super) fn when(
        &mut self,
        wrong: bool,
        path: impl Into<String>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if wrong {
            self.0.push(Problem {
                path: path.into(),
                message: message.into(),
                help: help.into(),
            });
        }
    }

    fn share(&mut self, path: &str, value: f64) {
        self.when(
            !(0.0..=1.0).contains(&value),
            path,
            format!("`{path}` is a share, and {value} is not between 0 and 1"),
            "give a number from 0 to 1",
        );
    }

    fn at_least(&mut self, path: &str, value: u64, least: u64) {
        self.when(
            value < least,
            path,
            format!("`{path}` is {value}"),
            format!("give at least {least}"),
        );
    }
}

impl Job {
    /// Every contradiction in the job, in the order of its sections; empty when it can run.
    pub fn check(&self) -> Vec<Problem> {
        let mut report = Report(Vec::new());
        self.check_seeds(&mut report);
        self.check_models(&mut report);
        if let Some(concepts) = &self.concepts {
            self.check_concepts(concepts, &mut report);
        }
        self.check_generate(&mut report);
        self.check_filter(&mut report);
        self.check_budget(&mut report);
        self.check_output(&mut report);
        report.0
    }

    fn check_seeds(&self, report: &mut Report) {
        report.when(
            self.seeds.path.is_empty(),
            "seeds.path",
            "no seed file is named",
            "name a file, a glob, or a list of them",
        );
        report.share("seeds.max_bad_share", self.seeds.max_bad_share);
        self.check_documents(report);
        let fields = &self.seeds.fields;
        report.when(
            fields.question == fields.answer,
            "seeds.fields.answer",
            format!("question and answer are the same column, `{}`", fields.answer),
            "name the column that holds the answer",
        );
        let holdout = &self.holdout;
        report.share("holdout.validation", holdout.validation);
        report.share("holdout.test", holdout.test);
        report.share("holdout.group_jaccard", holdout.group_jaccard);
        report.when(
            holdout.validation + holdout.test > 0.9,
            "holdout",
            format!(
                "{:.0} % of the real rows are held out",
                100.0 * (holdout.validation + holdout.test)
            ),
            "leave at least 10 % as the anchor that is generated from",
        );
    }

    fn check_documents(&self, report: &mut Report) {
        let Some(documents) = &self.seeds.documents else {
            return;
        };
        report.when(
            documents.path.is_empty(),
            "seeds.documents.path",
            "no document is named",
            "name a file, a folder, a glob, or a list of them",
        );
        report.when(
            matches!(
                self.generate.strategy,
                StrategyChoice::AnswerAugmentation | StrategyChoice::Rephrasing
            ),
            "seeds.documents",
            "only new questions are asked about documents, and the strategy makes none",
            "set `generate.strategy` to `auto` or `new_question`, or leave the documents out",
        );
        report.when(
            matches!(self.filter.validator, Validator::Sql { .. }),
            "seeds.documents",
            "queries are asked about databases, not about documents",
            "leave the documents out",
        );
        report.at_least("seeds.documents.words", documents.words.into(), 24);
        report.at_least(
            "seeds.documents.words_max",
            documents.words_max.into(),
            documents.words.into(),
        );
        report.when(
            2 * documents.overlap > documents.words,
            "seeds.documents.overlap",
            format!(
                "an overlap of {} words is more than half of a passage",
                documents.overlap
            ),
            "lower it to half of `seeds.documents.words` or less",
        );
    }

    fn check_models(&self, report: &mut Report) {
        report.when(
            self.teacher.is_empty(),
            "teacher",
            "no teacher is named",
            "give a `base_url` and a `model`, or `local`",
        );
        for (i, teacher) in self.teacher.iter().enumerate() {
            let path = if self.teacher.len() == 1 {
                "teacher".to_owned()
            } else {
                format!("teacher.{i}")
            };
            check_model(report, &path, &teacher.spec);
            report.when(
                !(teacher.weight.is_finite() && teacher.weight > 0.0),
                format!("{path}.weight"),
                format!("a weight of {}", teacher.weight),
                "give a number above 0, or leave the teacher out",
            );
            let twin = self.teacher[..i]
                .iter()
                .any(|other| other.spec.name() == teacher.spec.name());
            report.when(
                twin,
                path,
                format!("two teachers are called `{}`", teacher.spec.name()),
                "books and provenance tell teachers apart by name: give each model once",
            );
        }
        if let Some(judge) = &self.judge {
            check_model(report, "judge", &judge.spec);
            report.when(
                !(0.0..=5.0).contains(&judge.accept_at),
                "judge.accept_at",
                format!("{} points of five", judge.accept_at),
                "give a number from 0 to 5",
            );
            report.at_least("judge.samples", judge.samples.into(), 1);
            let differs =
                |spec: &ModelSpec| spec.name() == judge.spec.name() && spec.batch != judge.spec.batch;
            report.when(
                self.teacher.iter().any(|teacher| differs(&teacher.spec)),
                "judge",
                format!(
                    "`{}` teaches and judges, and is asked in batches for one of them",
                    judge.spec.name()
                ),
                "books and prices go by name: give both the same `batch`",
            );
        }
        report.at_least("embed.batch", self.embed.batch.into(), 1);
        report.when(
            self.embed.batch > 256,
            "embed.batch",
            format!("{} texts in one call", self.embed.batch),
            "give at most 256",
        );
    }

    fn check_generate(&self, report: &mut Report) {
        let generate = &self.generate;
        report.at_least("generate.max_tokens", generate.max_tokens.into(), 1);
        report.at_least("generate.rounds", generate.rounds.into(), 1);
        report.at_least("generate.agreement.lead", generate.agreement.lead.into(), 1);
        report.when(
            generate.agreement.max_samples < generate.agreement.lead,
            "generate.agreement.max_samples",
            format!(
                "{} answers can never lead by {}",
                generate.agreement.max_samples, generate.agreement.lead
            ),
            "draw at least as many answers as the lead asks for",
        );
        report.when(
            generate.rows == Some(0),
            "generate.rows",
            "no rows are wanted",
            "give a number above 0, or leave it out for what the budget allows",
        );
        report.when(
            !(0.0..=0.05).contains(&generate.pilot),
            "generate.pilot",
            format!("a pilot of {} of the budget", generate.pilot),
            "give a share from 0 (no pilot) to 0.05",
        );
        report.when(
            !(0.0..=2.0).contains(&generate.temperature),
            "generate.temperature",
            format!("a temperature of {}", generate.temperature),
            "give a number from 0 to 2",
        );
        report.when(
            !(generate.top_p > 0.0 && generate.top_p <= 1.0),
            "generate.top_p",
            format!("a nucleus of {}", generate.top_p),
            "give a number above 0, up to 1",
        );
        report.when(
            generate.strategy == StrategyChoice::Rephrasing && generate.rephrasings_per_seed == 0,
            "generate.rephrasings_per_seed",
            "rephrasing is forced, but no rephrasing may be kept",
            "give at least 1",
        );
        report.when(
            generate.strategy == StrategyChoice::AnswerAugmentation && generate.temperature == 0.0,
            "generate.temperature",
            "several answers at temperature 0 are one answer several times",
            "give a temperature above 0 for answer augmentation",
        );
        self.check_mutators(report);
    }

    fn check_filter(&self, report: &mut Report) {
        let filter = &self.filter;
        report.share("filter.near_duplicates.jaccard", filter.near_duplicates.jaccard);
        report.share(
            "filter.near_duplicates.answer_jaccard",
            filter.near_duplicates.answer_jaccard,
        );
        report.at_least(
            "filter.near_duplicates.shingle_words",
            filter.near_duplicates.shingle_words.into(),
            1,
        );
        report.share(
            "filter.semantic_duplicates.cosine",
            filter.semantic_duplicates.cosine,
        );
        report.share("filter.decontaminate.coverage", filter.decontaminate.coverage);
        report.share("filter.decontaminate.cosine", filter.decontaminate.cosine);
        report.at_least("filter.decontaminate.ngram", filter.decontaminate.ngram.into(), 2);
        if let Some(grounding) = &filter.grounding {
            report.share("filter.grounding.min_share", grounding.min_share);
            report.when(
                self.seeds.fields.context.is_none() && self.seeds.documents.is_none(),
                "filter.grounding",
                "answers must stand in a passage, but the seeds have none",
                "name the passage's column in `seeds.fields.context`, or `seeds.documents`, or leave `filter.grounding` out",
            );
        }
        self.check_validator(report);
    }

    fn check_validator(&self, report: &mut Report) {
        let database = self.seeds.fields.database.is_some();
        match &self.filter.validator {
            Validator::Sql { timeout_s, .. } => {
                report.at_least("filter.validator.timeout_s", (*timeout_s).into(), 1);
                report.when(
                    !database,
                    "filter.validator",
                    "the validator `sql` needs to know each row's database",
                    "name its column in `seeds.fields.database`",
                );
            }
            Validator::Label { labels } => {
                report.when(
                    labels.len() < 2,
                    "filter.validator.labels",
                    "fewer than two labels",
                    "list every label that an answer may have",
                );
            }
            Validator::Text { min_f1 } => report.share("filter.validator.min_f1", *min_f1),
            Validator::None => report.when(
                self.judge.is_none() && self.filter.grounding.is_none(),
                "filter.validator",
                "nothing checks what an answer says: there is no validator, no judge and no grounding",
                "set `filter.validator`, `filter.grounding` or `judge`",
            ),
            Validator::Number => {}
        }
        report.when(
            database && !matches!(self.filter.validator, Validator::Sql { .. }),
            "seeds.fields.database",
            "a database column does nothing without the validator `sql`",
            "set `filter.validator: {kind: sql, databases: FOLDER}`, or leave the column out",
        );
    }

    fn check_budget(&self, report: &mut Report) {
        let budget = &self.budget;
        report.when(
            budget.usd.is_none() && budget.calls.is_none(),
            "budget",
            "the budget has no limit",
            "set `budget.usd`, `budget.calls`, or both",
        );
        if let Some(usd) = budget.usd {
            report.when(
                !(usd > 0.0 && usd <= 1.0e7),
                "budget.usd",
                format!("a budget of {usd} US dollars"),
                "give an amount above 0, up to 10,000,000",
            );
        }
        if let Some(calls) = budget.calls {
            report.when(
                calls == 0 || calls > 1_000_000_000,
                "budget.calls",
                format!("a budget of {calls} calls"),
                "give a number from 1 to 1,000,000,000",
            );
        }
        report.at_least("budget.max_attempts", budget.max_attempts.into(), 1);
        report.when(
            budget.max_attempts > 100,
            "budget.max_attempts",
            format!("{} attempts at one task", budget.max_attempts),
            "give at most 100",
        );
        let anchor = &self.anchor;
        report.share("anchor.max_synthetic_share", anchor.max_synthetic_share);
        report.when(
            anchor.max_synthetic_share >= 1.0,
            "anchor.max_synthetic_share",
            "a training set without real rows",
            "keep the share under 1: a model trained on synthetic rows alone loses the tails of the data",
        );
        report.when(
            anchor.self_improvement && anchor.max_synthetic_share > 0.9,
            "anchor.max_synthetic_share",
            "a teacher that descends from the student needs at least 10 % real rows",
            "give at most 0.9; 0.7 and below is safe practice",
        );
        report.at_least("anchor.max_repeats", anchor.max_repeats.into(), 1);
        report.when(
            anchor.max_repeats > 4,
            "anchor.max_repeats",
            format!("a real row up to {} times", anchor.max_repeats),
            "give at most 4",
        );
    }

    fn check_output(&self, report: &mut Report) {
        report.at_least("output.shard_rows", self.output.shard_rows, 1);
        report.when(
            self.judge
                .as_ref()
                .is_some_and(|judge| judge.when == JudgeWhen::Unverified)
                && self.generate.strategy == StrategyChoice::AnswerAugmentation
                && !matches!(self.filter.validator, Validator::None),
            "judge",
            "the judge would never be asked: every answer has a reference that the validator checks",
            "leave `judge` out, or set `judge.when: always`",
        );
    }
}

fn check_model(report: &mut Report, path: &str, spec: &ModelSpec) {
    report.when(
        spec.source().is_none(),
        path,
        match (&spec.base_url, &spec.model, &spec.local) {
            (_, _, Some(_)) => "a model is either local or at an endpoint, not both",
            (Some(_), None, None) => "the endpoint's `model` is missing",
            (None, Some(_), None) => "the endpoint's `base_url` is missing",
            _ => "no model is named",
        },
        "give `base_url` and `model`, or `local`",
    );
    let key = |name: &str| format!("{path}.{name}");
    if let Some(url) = &spec.base_url {
        report.when(
            !(url.starts_with("http://") || url.starts_with("https://")),
            key("base_url"),
            format!("`{url}` is no HTTP address"),
            "give the address up to and including `/v1`, such as https://api.example.com/v1",
        );
    }
    report.when(
        spec.key_env.is_some() && spec.key_file.is_some(),
        key("key_file"),
        "the key is named twice, by `key_env` and by `key_file`",
        "keep one of them",
    );
    report.when(
        spec.concurrency == Some(0),
        key("concurrency"),
        "no request may be open",
        "give at least 1",
    );
    report.when(
        spec.requests_per_minute == Some(0),
        key("requests_per_minute"),
        "no request may be sent",
        "give at least 1",
    );
    for (limit, name) in [
        (spec.input_tokens_per_minute, "input_tokens_per_minute"),
        (spec.output_tokens_per_minute, "output_tokens_per_minute"),
    ] {
        report.when(
            limit.is_some_and(|limit| !(1..=TOKENS_PER_MINUTE_MAX).contains(&limit)),
            key(name),
            "no provider has such a limit",
            "give a number from 1 to 1,000,000,000,000, or leave it out",
        );
    }
    report.when(
        spec.timeout_s == Some(0),
        key("timeout_s"),
        "every request would be given up at once",
        "give at least 1",
    );
    if spec.api() == Api::Anthropic {
        check_anthropic(report, path, spec);
    }
    if let Some(price) = spec.price {
        report.when(
            !price.is_sane(),
            key("price"),
            "a price is negative or absurd",
            "give US dollars a million tokens, from 0 to 100,000",
        );
        report.when(
            price.batch.is_some() && spec.batch.is_none(),
            key("price.batch"),
            "a price of batches does nothing for a model that is asked call by call",
            format!("set `{path}.batch: true`, or leave it out"),
        );
    }
    if let Some(batch) = spec.batch {
        check_batching(report, path, spec, batch);
    }
    if let Some(local) = &spec.local {
        report.when(
            local.slots == 0 || local.slots > 256,
            key("local.slots"),
            format!("{} sequences at once", local.slots),
            "give a number from 1 to 256",
        );
        report.when(
            local.context_tokens < 64,
            key("local.context_tokens"),
            format!("{} tokens of context", local.context_tokens),
            "give at least 64",
        );
        for (set, name) in [
            (spec.key_env.is_some(), "key_env"),
            (spec.key_file.is_some(), "key_file"),
            (spec.api.is_some(), "api"),
            (!spec.headers.is_empty(), "headers"),
            (!spec.body.is_empty(), "body"),
            (spec.structured.is_some(), "structured"),
            (spec.token_limit_key.is_some(), "token_limit_key"),
            (spec.requests_per_minute.is_some(), "requests_per_minute"),
            (spec.input_tokens_per_minute.is_some(), "input_tokens_per_minute"),
            (
                spec.output_tokens_per_minute.is_some(),
                "output_tokens_per_minute",
            ),
            (spec.concurrency.is_some(), "concurrency"),
        ] {
            report.when(
                set,
                key(name),
                format!("`{name}` does nothing for a local model"),
                if name == "concurrency" {
                    "set `local.slots` instead"
                } else {
                    "leave it out"
                },
            );
        }
    }
}

/// What batches cannot be, and what does nothing in them.
fn check_batching(report: &mut Report, path: &str, spec: &ModelSpec, batch: Batching) {
    let key = |name: &str| format!("{path}.{name}");
    if spec.local.is_some() {
        report.when(
            true,
            key("batch"),
            "a model in this process has no batch API",
            "leave `batch` out",
        );
        return;
    }
    report.when(
        !(1..=BATCH_REQUESTS_MAX).contains(&batch.requests),
        key("batch.requests"),
        format!("{} requests in a batch", batch.requests),
        "give a number from 1 to 10,000",
    );
    report.when(
        !(1..=3_600).contains(&batch.poll_s),
        key("batch.poll_s"),
        format!("a look every {} seconds", batch.poll_s),
        "give a number from 1 to 3,600",
    );
    for (set, name) in [
        (spec.concurrency.is_some(), "concurrency"),
        (spec.requests_per_minute.is_some(), "requests_per_minute"),
        (spec.input_tokens_per_minute.is_some(), "input_tokens_per_minute"),
        (
            spec.output_tokens_per_minute.is_some(),
            "output_tokens_per_minute",
        ),
        (spec.timeout_s.is_some(), "timeout_s"),
    ] {
        report.when(
            set,
            key(name),
            format!("`{name}` does nothing for a model that is asked in batches"),
            if name == "concurrency" {
                "set `batch.requests` instead"
            } else {
                "leave it out"
            },
        );
    }
}

/// What Anthropic's Messages do not have.
fn check_anthropic(report: &mut Report, path: &str, spec: &ModelSpec) {
    let key = |name: &str| format!("{path}.{name}");
    report.when(
        spec.prompt_form() == PromptForm::Raw && spec.local.is_none(),
        key("prompt_form"),
        "Anthropic's API takes messages only, no raw text",
        "leave `prompt_form` out",
    );
    report.when(
        spec.structured == Some(Structured::JsonObject),
        key("structured"),
        "Anthropic's API has no output format for any JSON object",
        "say `json_schema`, `tool` or `none`",
    );
    report.when(
        spec.token_limit_key.is_some(),
        key("token_limit_key"),
        "`token_limit_key` does nothing here: Anthropic's API knows `max_tokens` only",
        "leave it out",
    );
    report.when(
        spec.body.contains_key("cache_control"),
        key("body.cache_control"),
        "writing to the prompt cache costs more than the input price that the budget reckons with",
        "leave it out",
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(spec: serde_json::Value) -> Vec<String> {
        let spec: ModelSpec = serde_json::from_value(spec).unwrap();
        let mut report = Report(Vec::new());
        check_model(&mut report, "teacher", &spec);
        report.0.into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn what_anthropics_api_does_not_have_is_refused() {
        let base = serde_json::json!({"base_url": "https://api.anthropic.com/v1", "model": "claude", "api": "anthropic"});
        let with = |name: &str, value: serde_json::Value| {
            let mut spec = base.clone();
            spec[name] = value;
            problems(spec)
        };
        assert_eq!(problems(base.clone()), Vec::<String>::new());
        assert_eq!(with("structured", "tool".into()), Vec::<String>::new());
        assert_eq!(with("prompt_form", "raw".into()), ["teacher.prompt_form"]);
        assert_eq!(with("structured", "json_object".into()), ["teacher.structured"]);
        assert_eq!(
            with("token_limit_key", "max_tokens".into()),
            ["teacher.token_limit_key"]
        );
        let cache = serde_json::json!({"cache_control": {"type": "ephemeral"}});
        assert_eq!(with("body", cache), ["teacher.body.cache_control"]);
        let local = serde_json::json!({"local": "smollm2-135m-instruct", "api": "openai"});
        assert_eq!(problems(local), ["teacher.api"]);
    }

    #[test]
    fn what_batches_cannot_be_is_refused() {
        let base = serde_json::json!({"base_url": "https://api.example.com/v1", "model": "m", "batch": true});
        let with = |name: &str, value: serde_json::Value| {
            let mut spec = base.clone();
            spec[name] = value;
            problems(spec)
        };
        assert_eq!(problems(base.clone()), Vec::<String>::new());
        assert_eq!(with("concurrency", 8.into()), ["teacher.concurrency"]);
        assert_eq!(with("timeout_s", 8.into()), ["teacher.timeout_s"]);
        let wrong = serde_json::json!({"requests": 0, "poll_s": 0});
        assert_eq!(
            with("batch", wrong),
            ["teacher.batch.requests", "teacher.batch.poll_s"]
        );
        let priced = serde_json::json!({"input": 1, "output": 1, "batch": {"input": 1, "output": 1}});
        assert_eq!(with("price", priced.clone()), Vec::<String>::new());
        let mut single = base.clone();
        (single["batch"], single["price"]) = (false.into(), priced);
        assert_eq!(problems(single), ["teacher.price.batch"]);
        let local = serde_json::json!({"local": "smollm2-135m-instruct", "batch": true});
        assert_eq!(problems(local), ["teacher.batch"]);
    }
}
