//! What the service can be told: how good its answers are, how it fails, what it charges.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A setting that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("setting `{name}` is {value}: {need}")]
pub struct Error {
    name: &'static str,
    value: String,
    need: &'static str,
}

/// Everything the service is started with. Missing fields take their defaults; unknown ones are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; port 0 picks a free one.
    pub listen: String,
    /// Fixes every draw, together with the request's text and its `seed`.
    pub seed: u64,
    /// Name of the model: what `GET /v1/models` lists and what a request must ask for when `strict_model` is set.
    pub model: String,
    /// Refuse other model names with 404 instead of answering under any name.
    pub strict_model: bool,
    /// Key that requests must carry as a bearer token; without it any key is good.
    pub api_key: Option<String>,
    /// Refuse `max_tokens` with 400, as models do that want `max_completion_tokens`.
    pub require_max_completion_tokens: bool,
    /// Accept `response_format`; an endpoint without structured output answers 400.
    pub structured_output: bool,
    /// Keeps the text of every chat request that it bills, for tests that look at what was said.
    pub keep_prompts: bool,
    /// Has batch APIs; without them their paths are answered 404.
    pub batches: bool,
    /// What it says of its models to who asks for their list.
    pub listing: Listing,
    /// Length of embedding vectors.
    pub dimensions: usize,
    /// The answer key's files.
    pub key: KeyFiles,
    /// How good the answers are.
    pub quality: Quality,
    /// How the service fails and how slow it is; can be changed while it runs.
    pub faults: Faults,
    /// What it charges.
    pub price: Price,
    /// How a prompt's kind and its parts are recognised.
    pub markers: Markers,
}

/// What the service says of its models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listing {
    /// Whether there is a list; without one its path is answered 404.
    pub there: bool,
    /// Whether it is shown without a key.
    pub open: bool,
    /// The day on which the model is to be shut down, as OpenAI's list says it (`YYYY-MM-DD`).
    pub shutdown_date: Option<String>,
}

impl Default for Listing {
    fn default() -> Self {
        Self {
            there: true,
            open: false,
            shutdown_date: None,
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:0".to_owned(),
            seed: 0,
            model: "sim".to_owned(),
            strict_model: false,
            api_key: None,
            require_max_completion_tokens: false,
            structured_output: true,
            keep_prompts: false,
            batches: true,
            listing: Listing::default(),
            dimensions: 256,
            key: KeyFiles::default(),
            quality: Quality::default(),
            faults: Faults::default(),
            price: Price::default(),
            markers: Markers::default(),
        }
    }
}

impl Config {
    /// Checks every number for being usable.
    ///
    /// # Errors
    /// The first setting outside its range, by name.
    pub fn check(&self) -> Result<(), Error> {
        if !(8..=4096).contains(&self.dimensions) {
            let (name, value) = ("dimensions", self.dimensions.to_string());
            return Err(Error {
                name,
                value,
                need: "give a number from 8 to 4096",
            });
        }
        self.quality.check()?;
        self.faults.check()
    }
}

/// Files that hold the right answers, one JSON object a line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KeyFiles {
    /// `{question, answer}`, the answer ending in `#### N`.
    pub gsm8k: Vec<PathBuf>,
    /// `{question, long_answer, final_decision, meshes}`.
    pub pubmedqa: Vec<PathBuf>,
    /// `{db, concept, question, accepted_queries}`; `<db>.sql` dumps are read from the same folder.
    pub sql_questions: Vec<PathBuf>,
    /// Questions held back from the seeds, in any of the three layouts: known, and given out as new questions.
    pub new_from: Vec<PathBuf>,
}

/// Shares of outcomes, each from 0 to 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quality {
    /// Of the well-formed answers, how many are right.
    pub accuracy: f64,
    /// Of all teacher calls (answers, rephrasings, new questions), how many are refused.
    pub refusal: f64,
    /// Of all teacher calls, how many stop in the middle with `finish_reason` "length".
    pub truncated: f64,
    /// Of all teacher calls, how many miss the asked form.
    pub malformed: f64,
    /// Of the well-formed rephrasings and new questions, how many are near-copies.
    pub near_duplicate: f64,
    /// Of the well-formed answers, how many reuse one fixed wording of their reasoning.
    pub near_duplicate_answer: f64,
    /// Of the wrong answers, how many give the question's one plausible wrong answer; the rest scatter over others.
    pub repeated_error: f64,
    /// How far errors repeat from one draw to the next: the correlation between two answers to one question of being right.
    /// At 0 every answer is drawn by itself. Above, questions differ in how hard they are: each has a chance of its own of a right answer,
    /// drawn from the beta distribution whose mean is `accuracy`. Below 1.
    pub error_correlation: f64,
    /// Of the new questions that are not near-copies, how many leave out what an answer needs, so that every answer to them is wrong.
    pub unanswerable: f64,
    /// Of the new questions for a wanted concept, how many ignore it.
    pub wrong_concept: f64,
    /// Of the new questions, how many come from the held-back part of the key, where it has any; the rest are made up.
    pub held_back: f64,
    /// Ideas for new questions about one concept that come to it by itself, each worded anew every time; 0 for no end of them.
    pub ideas: u64,
    /// It does not ask again what it is shown as asked before.
    pub heeds_known: bool,
    /// Of the answers that it says in its own words, how many lose, change or add a fact.
    pub loses_fact: f64,
    /// Chance that the judge accepts a right answer, drawn for each request.
    pub judge_sensitivity: f64,
    /// Chance that the judge rejects a wrong answer, drawn for each request.
    pub judge_specificity: f64,
    /// Chance that an answerable question is found answerable.
    pub verify_sensitivity: f64,
    /// Chance that a question that is none is found unanswerable.
    pub verify_specificity: f64,
    /// Of the judge's and the verifier's replies, how many miss the asked form.
    pub judge_malformed: f64,
}

impl Default for Quality {
    fn default() -> Self {
        Self {
            accuracy: 0.8,
            refusal: 0.05,
            truncated: 0.03,
            malformed: 0.02,
            near_duplicate: 0.2,
            near_duplicate_answer: 0.0,
            repeated_error: 0.5,
            error_correlation: 0.0,
            unanswerable: 0.0,
            wrong_concept: 0.0,
            held_back: 0.25,
            ideas: 0,
            heeds_known: true,
            loses_fact: 0.0,
            judge_sensitivity: 0.85,
            judge_specificity: 0.8,
            verify_sensitivity: 0.97,
            verify_specificity: 0.8,
            judge_malformed: 0.0,
        }
    }
}

impl Quality {
    /// Right, well-formed and new, always.
    pub fn perfect() -> Self {
        Self {
            accuracy: 1.0,
            refusal: 0.0,
            truncated: 0.0,
            malformed: 0.0,
            near_duplicate: 0.0,
            judge_sensitivity: 1.0,
            judge_specificity: 1.0,
            verify_sensitivity: 1.0,
            verify_specificity: 1.0,
            ..Self::default()
        }
    }

    fn check(&self) -> Result<(), Error> {
        if self.error_correlation == 1.0 {
            return Err(Error {
                name: "quality.error_correlation",
                value: "1".to_owned(),
                need: "give a correlation of at least 0 and below 1",
            });
        }
        shares(&[
            ("quality.error_correlation", self.error_correlation),
            ("quality.unanswerable", self.unanswerable),
            ("quality.accuracy", self.accuracy),
            ("quality.refusal", self.refusal),
            ("quality.truncated", self.truncated),
            ("quality.malformed", self.malformed),
            ("quality.near_duplicate", self.near_duplicate),
            ("quality.near_duplicate_answer", self.near_duplicate_answer),
            ("quality.repeated_error", self.repeated_error),
            ("quality.wrong_concept", self.wrong_concept),
            ("quality.held_back", self.held_back),
            ("quality.loses_fact", self.loses_fact),
            ("quality.judge_sensitivity", self.judge_sensitivity),
            ("quality.judge_specificity", self.judge_specificity),
            ("quality.verify_sensitivity", self.verify_sensitivity),
            ("quality.verify_specificity", self.verify_specificity),
            ("quality.judge_malformed", self.judge_malformed),
            (
                "quality.refusal + truncated + malformed",
                self.refusal + self.truncated + self.malformed,
            ),
        ])
    }
}

/// How calls fail on their way, and how long they take.
///
/// Shares are of requests that were let in, and exclude one another. They are drawn from the seed, the request's text, its `seed` field *and
/// how often this very request was seen*, so that an attempt after a transient failure can succeed; so these, unlike the answers, depend on
/// what came before. Copies of one request that are open at the same time take their numbers in the order of arrival.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Answered 429 with `Retry-After`; not billed.
    pub too_many: f64,
    /// Answered 529; not billed.
    pub overloaded: f64,
    /// Answered 500 after the usual time; billed if `bill_server_errors`.
    pub server_error: f64,
    /// Billed and never answered, until the caller goes away or `hang_ms` is over.
    pub hang: f64,
    /// Billed, then the connection is reset instead of an answer.
    pub reset: f64,
    /// Billed, then the connection ends in the middle of the answer's body.
    pub cut: f64,
    /// Of the answered calls, how many report (and bill) `over_report_factor` times their tokens.
    pub over_report: f64,
    /// Factor for `over_report`.
    pub over_report_factor: f64,
    /// Of the answered calls, how many leave `usage` out; billed by their real tokens.
    pub missing_usage: f64,
    /// Whether a 500 was billed all the same: the caller cannot know.
    pub bill_server_errors: bool,
    /// `Retry-After` of drawn 429s and 529s, in milliseconds; sent in whole seconds, rounded up, and exactly as `retry-after-ms`.
    pub retry_after_ms: u64,
    /// A real limit: at most so many chat requests in any 60 seconds; beyond it 429 with the true time to wait; not billed.
    pub requests_per_minute: Option<u32>,
    /// Chat calls billed before every further one is refused with 429 `insufficient_quota`.
    pub quota_calls: Option<u64>,
    /// Mean time to answer, in milliseconds.
    pub latency_ms_mean: f64,
    /// Standard deviation of the log-normal time to answer, in milliseconds.
    pub latency_ms_spread: f64,
    /// How long a hanging call hangs, in milliseconds.
    pub hang_ms: u64,
    /// Time from a batch's submission to its end, in milliseconds.
    pub batch_ms: u64,
    /// Of the batches that are taken in, how many are never confirmed: the connection is reset instead.
    pub batch_lost: f64,
    /// Of a batch's requests, how many fail; not billed.
    pub batch_errored: f64,
    /// Of a batch's requests, how many are not worked on in time; not billed.
    pub batch_expired: f64,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            too_many: 0.0,
            overloaded: 0.0,
            server_error: 0.0,
            hang: 0.0,
            reset: 0.0,
            cut: 0.0,
            over_report: 0.0,
            over_report_factor: 100.0,
            missing_usage: 0.0,
            bill_server_errors: true,
            retry_after_ms: 1000,
            requests_per_minute: None,
            quota_calls: None,
            latency_ms_mean: 0.0,
            latency_ms_spread: 0.0,
            hang_ms: 3_600_000,
            batch_ms: 0,
            batch_lost: 0.0,
            batch_errored: 0.0,
            batch_expired: 0.0,
        }
    }
}

impl Faults {
    /// Checks every share and time.
    ///
    /// # Errors
    /// The first setting outside its range, by name.
    pub fn check(&self) -> Result<(), Error> {
        let transient =
            self.too_many + self.overloaded + self.server_error + self.hang + self.reset + self.cut;
        shares(&[
            ("faults.too_many", self.too_many),
            ("faults.overloaded", self.overloaded),
            ("faults.server_error", self.server_error),
            ("faults.hang", self.hang),
            ("faults.reset", self.reset),
            ("faults.cut", self.cut),
            ("faults.over_report", self.over_report),
            ("faults.missing_usage", self.missing_usage),
            ("faults.batch_lost", self.batch_lost),
            ("sum of the fault shares", transient),
            (
                "faults.batch_errored + batch_expired",
                self.batch_errored + self.batch_expired,
            ),
        ])?;
        for (name, value) in [
            ("faults.latency_ms_mean", self.latency_ms_mean),
            ("faults.latency_ms_spread", self.latency_ms_spread),
            ("faults.over_report_factor", self.over_report_factor),
        ] {
            if !(0.0..=1e7).contains(&value) {
                return Err(Error {
                    name,
                    value: value.to_string(),
                    need: "give a number from 0 to 10,000,000",
                });
            }
        }
        match self.requests_per_minute {
            Some(0) => Err(Error {
                name: "faults.requests_per_minute",
                value: "0".to_owned(),
                need: "give at least 1, or leave it out for no limit",
            }),
            _ => Ok(()),
        }
    }
}

/// Prices in micro-dollars per million tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Price {
    /// Prompt tokens.
    pub input: u64,
    /// Completion tokens.
    pub output: u64,
    /// Tokens embedded.
    pub embedding: u64,
}

impl Default for Price {
    fn default() -> Self {
        Self {
            input: 150_000,
            output: 600_000,
            embedding: 20_000,
        }
    }
}

/// Phrases that tell a prompt's kind, tried in this order outside all tagged blocks, and the tags of its parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Markers {
    /// A rephrasing is wanted.
    pub rephrase: String,
    /// The answer is to be said in one's own words.
    pub own_words: String,
    /// A new question is wanted.
    pub new_question: String,
    /// Several new questions are wanted, in a list.
    pub new_questions: String,
    /// The question is to be verified.
    pub verify: String,
    /// The answer is to be graded.
    pub judge: String,
    /// The question is to be put under one of the concepts shown.
    pub assign: String,
    /// Tag around the question.
    pub question_tag: String,
    /// Tag around few-shot examples, which are ignored.
    pub example_tag: String,
    /// Tag around the answer to grade.
    pub answer_tag: String,
    /// Tag around the judge's reference.
    pub reference_tag: String,
    /// Tag around the wanted concept.
    pub concept_tag: String,
    /// Tag around a source passage.
    pub passage_tag: String,
    /// Tag around a question that is not to be asked again.
    pub known_tag: String,
}

impl Default for Markers {
    fn default() -> Self {
        Self {
            rephrase: "Rewrite the question".to_owned(),
            own_words: "Say the answer in your own words".to_owned(),
            new_question: "Write a new question".to_owned(),
            new_questions: "new questions with different answers".to_owned(),
            verify: "Can the question be answered".to_owned(),
            judge: "Grade the answer".to_owned(),
            assign: "Which of these concepts".to_owned(),
            question_tag: "question".to_owned(),
            example_tag: "example".to_owned(),
            answer_tag: "answer".to_owned(),
            reference_tag: "reference".to_owned(),
            concept_tag: "concept".to_owned(),
            passage_tag: "passage".to_owned(),
            known_tag: "known".to_owned(),
        }
    }
}

fn shares(values: &[(&'static str, f64)]) -> Result<(), Error> {
    // A sum such as .5 + .3 + .2 may exceed 1 by a rounding error.
    match values
        .iter()
        .find(|(_, value)| !(0.0..=1.0 + 1e-9).contains(value))
    {
        Some((name, value)) => Err(Error {
            name,
            value: value.to_string(),
            need: "a share lies between 0 and 1",
        }),
        None => Ok(()),
    }
}
