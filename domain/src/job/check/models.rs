//! The part of teachers, judge and embedding model.

use super::Report;
use crate::job::models::teacher_path;
use crate::job::{Address, Api, Batching, Engine, Job, ModelSpec, PromptForm, Structured, Teacher};

/// The largest limit on tokens that a limiter counts exactly.
const TOKENS_PER_MINUTE_MAX: u64 = 1_000_000_000_000;

/// The largest batch: as many slots as a worker may have, which every provider takes.
const BATCH_REQUESTS_MAX: u32 = 10_000;

impl Job {
    pub(super) fn check_models(&self, report: &mut Report) {
        report.when(
            self.teacher.is_empty() && self.evaluate.is_none(),
            "teacher",
            "no teacher is named",
            "give a `base_url` and a `model`, or `local`",
        );
        for (path, spec) in self.models() {
            check_model(report, &path, spec);
        }
        let roles = &self.generate.roles;
        let idle = |teacher: &Teacher| {
            let name = teacher.spec.name();
            teacher.weight == 0.0 && !roles.values().any(|model| *model == name)
        };
        for (i, teacher) in self.teacher.iter().enumerate() {
            let path = teacher_path(i, self.teacher.len());
            report.when(
                !(teacher.weight.is_finite() && teacher.weight >= 0.0),
                format!("{path}.weight"),
                format!("a weight of {}", teacher.weight),
                "give a number above 0, or leave the teacher out",
            );
            report.when(
                idle(teacher),
                format!("{path}.weight"),
                "a weight of 0: the model makes no rows of its own, and no role is given to it",
                "give a number above 0, name the model in `generate.roles`, or leave it out",
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
        // Of one that is idle it is said already.
        let makes_rows = self
            .teacher
            .iter()
            .any(|teacher| teacher.makes_rows() || idle(teacher));
        report.when(
            !self.teacher.is_empty() && !makes_rows,
            "teacher",
            "no teacher has a weight above 0, so no rows are made",
            "give one of them a weight above 0",
        );
        if let Some(judge) = &self.judge {
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
    if let Some(Err(wrong)) = spec.base_url.as_ref().map(|url| Address::parse(url, spec.api())) {
        report.when(true, key("base_url"), wrong.message, wrong.help);
    }
    report.when(
        spec.key_env.is_some() && spec.key_file.is_some(),
        key("key_file"),
        "the key is named twice, by `key_env` and by `key_file`",
        "keep one of them",
    );
    let twice = spec.header_env.keys().find(|name| {
        let same = |other: &String| other.eq_ignore_ascii_case(name);
        spec.headers.keys().any(same)
    });
    if let Some(name) = twice {
        report.when(
            true,
            key("header_env"),
            format!("the header `{name}` is given twice, by `headers` and by `header_env`"),
            "keep one of them",
        );
    }
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
    match spec.api() {
        Api::Openai => {}
        Api::Anthropic => check_anthropic(report, path, spec),
        Api::Gemini => check_gemini(report, path, spec),
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
        if let Some(context) = local.context_tokens {
            report.when(
                context < 64,
                key("local.context_tokens"),
                format!("{context} tokens of context"),
                "give at least 64",
            );
        }
        report.when(
            local.adapter.is_some() && local.engine() == Engine::LlamaCpp,
            key("local.engine"),
            "llama.cpp does not take adapters here",
            "leave `engine` out: an adapter runs on the program's own engine",
        );
        report.when(
            local.threads.is_some() && local.engine() == Engine::Native,
            key("local.threads"),
            "`threads` does nothing for the native engine, which computes on all cores",
            "leave it out; the variable RAYON_NUM_THREADS sets the threads of the whole program",
        );
        for (set, name) in [
            (spec.key_env.is_some(), "key_env"),
            (spec.key_file.is_some(), "key_file"),
            (spec.api.is_some(), "api"),
            (!spec.headers.is_empty(), "headers"),
            (!spec.header_env.is_empty(), "header_env"),
            (!spec.body.is_empty(), "body"),
            (spec.structured.is_some(), "structured"),
            (spec.token_limit_key.is_some(), "token_limit_key"),
            (spec.billed_on_error.is_some(), "billed_on_error"),
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
    let write_is_priced = spec.price.is_some_and(|price| price.cache_write.is_some());
    report.when(
        spec.body.contains_key("cache_control") && !write_is_priced,
        key("body.cache_control"),
        "writing to the prompt cache costs more than other prompt tokens, and the price does not say how much",
        "leave it out, or add `cache_write` to `price`: 1.25 × `input` for five minutes, 2 × for an hour",
    );
}

/// What Gemini's API does not have.
fn check_gemini(report: &mut Report, path: &str, spec: &ModelSpec) {
    let key = |name: &str| format!("{path}.{name}");
    report.when(
        spec.prompt_form() == PromptForm::Raw && spec.local.is_none(),
        key("prompt_form"),
        "Gemini's API takes conversations only, no raw text",
        "leave `prompt_form` out",
    );
    report.when(
        spec.batch.is_some() && spec.local.is_none(),
        key("batch"),
        "Gristmill does not speak the batch API of Gemini",
        "leave `batch` out: the model is then asked call by call",
    );
    report.when(
        spec.token_limit_key.is_some() && spec.local.is_none(),
        key("token_limit_key"),
        "`token_limit_key` does nothing here: Gemini's API knows `maxOutputTokens` only",
        "leave it out",
    );
    // The name becomes a part of the path.
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | '@');
    let is_name = |name: &String| name.chars().all(letter) && !name.contains("..") && !name.starts_with('/');
    report.when(
        spec.model.as_ref().is_some_and(|name| !is_name(name)),
        key("model"),
        "no model of Gemini's API has such a name",
        "give the name as the provider lists it, such as `gemini-2.5-flash`",
    );
    let config = spec.body.get("generationConfig");
    for (name, why, help) in [
        (
            "maxOutputTokens",
            "the budget reckons with another bound on completion tokens",
            "set `generate.max_tokens` instead",
        ),
        (
            "candidateCount",
            "every candidate is billed, and one of them is read",
            "leave it out",
        ),
    ] {
        report.when(
            config.and_then(|config| config.get(name)).is_some(),
            key(&format!("body.generationConfig.{name}")),
            why,
            help,
        );
    }
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
    fn what_geminis_api_does_not_have_is_refused() {
        let base = serde_json::json!({
            "base_url": "https://generativelanguage.googleapis.com/v1beta", "model": "gemini-2.5-flash", "api": "gemini",
        });
        let with = |name: &str, value: serde_json::Value| {
            let mut spec = base.clone();
            spec[name] = value;
            problems(spec)
        };
        assert_eq!(problems(base.clone()), Vec::<String>::new());
        for structured in ["json_schema", "tool", "json_object", "none"] {
            assert_eq!(with("structured", structured.into()), Vec::<String>::new());
        }
        assert_eq!(with("batch", true.into()), ["teacher.batch"]);
        assert_eq!(with("prompt_form", "raw".into()), ["teacher.prompt_form"]);
        assert_eq!(
            with("token_limit_key", "max_tokens".into()),
            ["teacher.token_limit_key"]
        );
        assert_eq!(
            with("model", "models/gemini-2.5-flash".into()),
            Vec::<String>::new()
        );
        for wrong in ["gemini?x=1", "../files", "a b", "/m"] {
            assert_eq!(with("model", wrong.into()), ["teacher.model"]);
        }
        let thinking = serde_json::json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": 0}}});
        assert_eq!(with("body", thinking), Vec::<String>::new());
        let dear = serde_json::json!({"generationConfig": {"maxOutputTokens": 9, "candidateCount": 2}});
        assert_eq!(
            with("body", dear),
            [
                "teacher.body.generationConfig.maxOutputTokens",
                "teacher.body.generationConfig.candidateCount"
            ]
        );
        let local = serde_json::json!({"local": "smollm2-135m-instruct", "api": "gemini"});
        assert_eq!(problems(local), ["teacher.api"]);
    }

    #[test]
    fn what_an_engine_does_not_have_is_refused() {
        let local = |settings: serde_json::Value| problems(serde_json::json!({"local": settings}));
        let student = serde_json::json!({"name": "smollm2-135m-instruct", "adapter": "student"});
        assert_eq!(local(student.clone()), Vec::<String>::new());
        let with = |name: &str, value: serde_json::Value| {
            let mut settings = student.clone();
            settings[name] = value;
            local(settings)
        };
        assert_eq!(with("engine", "native".into()), Vec::<String>::new());
        assert_eq!(with("engine", "llama_cpp".into()), ["teacher.local.engine"]);
        assert_eq!(with("threads", 2.into()), ["teacher.local.threads"]);
        assert_eq!(with("context_tokens", 8.into()), ["teacher.local.context_tokens"]);
        let own = serde_json::json!({"name": "smollm2-135m-instruct", "threads": 2});
        assert_eq!(local(own), Vec::<String>::new());
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
