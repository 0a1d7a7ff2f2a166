//! What the simulated model says: a pure function of (seed, request text, sample index).

use std::collections::HashSet;
use std::sync::Arc;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Beta, Distribution};
use serde_json::{Map, Value, json};

use super::config::{Config, Quality};
use super::draw::{Draw, hash64};
use super::key::{AnswerKey, Domain, Item, Truth};
use super::prompt::{Kind, Parts, parts};
use super::wording::{Strength, TOPIC, canon, near_copy, reword};
use super::{answer, arithmetic, dialogue, incomplete, own_words, statement};

/// How a reply turned out, under the names that bills and statistics use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// A right answer, or a fair verdict.
    Right,
    /// The question's plausible wrong answer.
    WrongRepeated,
    /// Any other wrong answer, or a verdict that errs.
    Wrong,
    /// A new question or a true rephrasing.
    New,
    /// A near-copy of what was shown, or one of a few fixed questions.
    NearDuplicate,
    /// A new question that leaves out what an answer needs.
    Unanswerable,
    /// A polite refusal.
    Refused,
    /// Cut in the middle, with `finish_reason` "length".
    Truncated,
    /// Not in the asked form.
    Malformed,
}

impl Outcome {
    /// The name used in bills and statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::WrongRepeated => "wrong_repeated",
            Self::Wrong => "wrong",
            Self::New => "new",
            Self::NearDuplicate => "near_duplicate",
            Self::Unanswerable => "unanswerable",
            Self::Refused => "refused",
            Self::Truncated => "truncated",
            Self::Malformed => "malformed",
        }
    }
}

/// A completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What was asked for.
    pub kind: Kind,
    /// The text.
    pub content: String,
    /// Whether it was cut, by itself or by the caller's limit.
    pub cut: bool,
    /// How it turned out.
    pub outcome: Outcome,
}

const REFUSALS: [&str; 5] = [
    "I'm sorry, but I can't help with that request.",
    "As an AI language model, I am not able to work on this.",
    "Unfortunately, I cannot answer this one.",
    "I apologize, but I am unable to assist with this.",
    "I cannot provide an answer to this question.",
];

/// Questions that near-copies come back to.
const FIXED: usize = 6;
/// Draws of a held-back question that are looked at for a fresh one.
const TRIES: u64 = 8;

/// The model behind the service.
#[derive(Debug)]
pub struct Model {
    key: Arc<AnswerKey>,
    config: Config,
}

/// Whether a schema has a member of this name.
fn wants(schema: Option<&Value>, name: &str) -> bool {
    schema.is_some_and(|schema| schema["properties"].get(name).is_some())
}

/// One reply's ingredients: its fields when structured output is asked for, and its plain text.
struct Draft {
    fields: Map<String, Value>,
    plain: String,
    outcome: Outcome,
}

impl Draft {
    fn question(text: String, outcome: Outcome) -> Self {
        Self {
            fields: Map::from_iter([("question".to_owned(), json!(text))]),
            plain: text,
            outcome,
        }
    }
}

impl Model {
    /// A model that knows the key.
    pub fn new(key: Arc<AnswerKey>, config: Config) -> Self {
        Self { key, config }
    }

    fn quality(&self) -> &Quality {
        &self.config.quality
    }

    /// Replies to a prompt's whole text. `sample` is the request's `seed` field; `schema` the JSON Schema asked for, of which only the names
    /// and types of the properties count.
    pub fn reply(&self, text: &str, sample: u64, schema: Option<&Value>) -> Reply {
        let base = hash64(&[
            &self.config.seed.to_le_bytes(),
            text.as_bytes(),
            &sample.to_le_bytes(),
        ]);
        let draw = Draw::new(base);
        let parts = parts(text, &self.config.markers);
        let mut draft = match parts.kind {
            Kind::Rephrase => self.rephrase(&parts, draw),
            Kind::OwnWords => self.own_words(&parts, draw),
            Kind::NewQuestion if wants(schema, "answer") => {
                let asked = self.new_question(&parts, draw);
                let question = asked.plain.clone();
                self.answered(asked, &question, draw)
            }
            Kind::NewQuestion if wants(schema, "questions") => self.new_questions(&parts, draw),
            Kind::NewQuestion => self.new_question(&parts, draw),
            Kind::Verify if wants(schema, "answer") => {
                self.answered(self.verify(&parts, draw), &parts.question, draw)
            }
            Kind::Verify => self.verify(&parts, draw),
            Kind::Judge => self.judge(&parts, draw),
            Kind::Assign => assign(&parts),
            Kind::Answer | Kind::Embed => self.answer(&parts.question, draw),
        };
        if wants(schema, "tools") {
            draft.fields.insert("tools".to_owned(), dialogue::tools());
        }
        if let Some(with_tools) = dialogue::wanted(schema) {
            let question = draft.plain.clone();
            let answer = self.answer(&question, draw.of("dialogue"));
            let tools = with_tools.then(|| dialogue::tools_shown(text));
            let misfit = !draw.of("fits").chance(self.quality().accuracy);
            let messages = dialogue::messages(&question, &answer.plain, tools.as_deref(), misfit, draw);
            draft.fields.insert("messages".to_owned(), messages);
        }
        let q = self.quality();
        let (refusal, truncated, malformed) = match parts.kind {
            Kind::Verify if wants(schema, "answer") => (q.refusal, q.truncated, q.malformed),
            Kind::Verify | Kind::Judge | Kind::Assign => (0.0, 0.0, q.judge_malformed),
            _ => (q.refusal, q.truncated, q.malformed),
        };
        // One draw for all three, so that the shares add up exactly.
        let form = draw.of("form").unit();
        if form < refusal {
            refuse(&mut draft, parts.kind, draw.of("refusal"));
        }
        let structured = |fields: &Map<String, Value>| match schema {
            Some(schema) => Value::Object(fit(fields, schema)).to_string(),
            None => String::new(),
        };
        let mut content = match schema {
            Some(_) if !draft.fields.is_empty() => structured(&draft.fields),
            _ => draft.plain.clone(),
        };
        let mut cut = false;
        if (refusal..refusal + truncated).contains(&form) {
            content = cut_short(&content, draw.of("cut"));
            (cut, draft.outcome) = (true, Outcome::Truncated);
        } else if (refusal + truncated..refusal + truncated + malformed).contains(&form) {
            content = spoil(&draft, schema.is_some(), &content, draw.of("spoil"));
            draft.outcome = Outcome::Malformed;
        }
        Reply {
            kind: parts.kind,
            content,
            cut,
            outcome: draft.outcome,
        }
    }

    /// The item a question is about; one made up from its text, the same every time, where the key does not know it. A question
    /// that leaves something out is answered like the one that it comes from.
    fn item(&self, question: &str) -> Arc<Item> {
        let whole = incomplete::whole(question).unwrap_or(question);
        self.key.find(whole).unwrap_or_else(|| {
            let id = canon(question).key();
            Arc::new(Item {
                id,
                question: question.to_owned(),
                truth: Truth::Number(Draw::new(id).of("unknown").between(12, 960) as f64),
                solution: "The figures given are put together step by step.".to_owned(),
                concepts: Vec::new(),
            })
        })
    }

    /// Chance that an answer to a question is right: the same for all, or one of its own where errors repeat.
    fn chance_of_right(&self, item: &Item) -> f64 {
        let (mean, correlation) = (self.quality().accuracy, self.quality().error_correlation);
        if correlation == 0.0 {
            return mean;
        }
        // Two draws of a beta-binomial correlate by 1 / (a + b + 1).
        let weight = (1.0 - correlation) / correlation;
        let mut random = ChaCha8Rng::seed_from_u64(Draw::new(self.config.seed ^ item.id).of("hard").bits());
        // A mean of 0 or 1 leaves nothing to draw.
        Beta::new(mean * weight, (1.0 - mean) * weight).map_or(mean, |beta| beta.sample(&mut random))
    }

    fn answer(&self, question: &str, draw: Draw) -> Draft {
        let item = self.item(question);
        let right =
            incomplete::whole(question).is_none() && draw.of("right").chance(self.chance_of_right(&item));
        let repeated = draw.of("repeated").chance(self.quality().repeated_error);
        let fixed = Draw::new(self.config.seed ^ item.id).of("plausible");
        let (text, outcome) = match (right, repeated) {
            (true, _) => (answer::right(&item, draw.of("form of right")), Outcome::Right),
            (false, true) => (answer::plausible(&item, fixed), Outcome::WrongRepeated),
            (false, false) => (
                answer::scattered(&item, fixed, draw.of("scatter")),
                Outcome::Wrong,
            ),
        };
        let same = draw.of("same").chance(self.quality().near_duplicate_answer);
        let wording = if same {
            fixed.of("wording")
        } else {
            draw.of("wording")
        };
        let reasoning = answer::reasoning(&item, &text, right, wording);
        Draft {
            plain: format!("{reasoning}\nAnswer: {text}"),
            fields: object(json!({ "reasoning": reasoning, "answer": text })),
            outcome,
        }
    }

    /// A new question, or the verdict on one, with the model's own answer to it, no better than another.
    fn answered(&self, mut draft: Draft, question: &str, draw: Draw) -> Draft {
        let own = self.answer(question, draw.of("own answer"));
        draft.fields.extend(own.fields);
        draft
    }

    fn rephrase(&self, parts: &Parts, draw: Draw) -> Draft {
        if draw.of("near").chance(self.quality().near_duplicate) {
            return Draft::question(
                near_copy(&parts.question, draw.of("copy")),
                Outcome::NearDuplicate,
            );
        }
        Draft::question(
            reword(&parts.question, Strength::FULL, draw.of("words")),
            Outcome::New,
        )
    }

    /// The answer that it is shown in other words: the same, or with a fact lost, changed or added.
    fn own_words(&self, parts: &Parts, draw: Draw) -> Draft {
        let (reasoning, answer) = parts.answer.rsplit_once('\n').unwrap_or(("", &parts.answer));
        let loses = draw.of("loses").chance(self.quality().loses_fact);
        let reasoning = reword(reasoning, Strength::WORDS, draw.of("words"));
        let reasoning = match loses {
            true => own_words::unfaithful(&reasoning, draw.of("how")),
            false => reasoning,
        };
        Draft {
            plain: format!("{reasoning}\nAnswer: {answer}"),
            fields: object(json!({ "reasoning": reasoning, "answer": answer })),
            outcome: if loses { Outcome::Wrong } else { Outcome::Right },
        }
    }

    /// A list of new questions with stated probabilities. A model that writes several at once knows what it has written, and asks none of
    /// them twice; each is otherwise one like any other.
    fn new_questions(&self, parts: &Parts, draw: Draw) -> Draft {
        let mut listed: Vec<(u64, Draft)> = Vec::new();
        for n in 0..parts.how_many {
            let place = draw.of("listed").at(n as u64);
            let tries = (0..TRIES).map(|again| self.new_question(parts, place.at(again)));
            let mut tries = tries.map(|draft| (canon(&draft.plain).key(), draft));
            let other = |(key, _): &(u64, Draft)| listed.iter().all(|(before, _)| before != key);
            listed.extend(tries.find(other));
        }
        let share = 1.0 / (2 * parts.how_many.max(1)) as f64;
        let questions: Vec<Value> = listed
            .iter()
            .map(|(_, draft)| json!({"question": draft.plain, "probability": share}))
            .collect();
        let plain: Vec<&str> = listed.iter().map(|(_, draft)| draft.plain.as_str()).collect();
        Draft {
            plain: plain.join("\n"),
            fields: object(json!({ "questions": questions })),
            outcome: listed
                .first()
                .map_or(Outcome::Malformed, |(_, draft)| draft.outcome),
        }
    }

    fn new_question(&self, parts: &Parts, draw: Draw) -> Draft {
        let shown = self.key.find(&parts.question);
        let domain = shown
            .as_ref()
            .map_or_else(|| self.key.main_domain(), |item| item.domain());
        let wanted = parts.concept.as_deref();
        let known = self.known(parts);
        if draw.of("near").chance(self.quality().near_duplicate) {
            let near = if !parts.question.is_empty() && draw.of("shown").chance(0.5) {
                Some(near_copy(&parts.question, draw.of("copy")))
            } else {
                let fixed = Draw::new(self.config.seed).of("fixed");
                let first = draw.of("fixed").below(FIXED);
                (0..FIXED)
                    .map(|n| fixed.at(((first + n) % FIXED) as u64))
                    .map(|fixed| self.make(domain, shown.as_deref(), wanted, fixed))
                    .find(|text| !known.contains(&canon(text).key()))
            };
            if let Some(text) = near.filter(|text| !known.contains(&canon(text).key())) {
                return Draft::question(text, Outcome::NearDuplicate);
            }
        }
        let ignored = wanted.is_some() && draw.of("ignore").chance(self.quality().wrong_concept);
        let concept = if ignored {
            self.other_concept(domain, wanted, draw.of("other"))
        } else {
            parts.concept.clone()
        };
        let concept = concept.as_deref();
        let own = shown.as_ref().map(|item| item.id);
        let fresh = |text: &String| {
            let key = canon(text).key();
            Some(key) != own && !known.contains(&key)
        };
        let held_back = draw.of("held back").chance(self.quality().held_back);
        let text = held_back
            .then(|| self.held_back(domain, concept, draw.of("which"), fresh))
            .flatten()
            .or_else(|| self.idea(domain, shown.as_deref(), concept, draw, fresh))
            .unwrap_or_else(|| self.make(domain, shown.as_deref(), concept, draw.of("make")));
        if draw.of("unanswerable").chance(self.quality().unanswerable) {
            let text = incomplete::make(&text, draw.of("left out"));
            return Draft::question(text, Outcome::Unanswerable);
        }
        Draft::question(text, Outcome::New)
    }

    /// The questions that a prompt shows as asked before, as far as the model heeds them.
    fn known(&self, parts: &Parts) -> HashSet<u64> {
        let heeded = parts.known.iter().filter(|_| self.quality().heeds_known);
        heeded.map(|text| canon(text).key()).collect()
    }

    /// A held-back question, where one of a few draws is fresh.
    fn held_back(
        &self,
        domain: Domain,
        concept: Option<&str>,
        draw: Draw,
        fresh: impl Fn(&String) -> bool,
    ) -> Option<String> {
        let draws = std::iter::once(draw).chain((1..TRIES).map(|n| draw.at(n)));
        draws
            .filter_map(|draw| self.key.held_back(domain, concept, draw))
            .map(str::to_owned)
            .find(fresh)
    }

    /// One of the model's ideas about a concept, in other words, where there is an end of them and a fresh one among them.
    fn idea(
        &self,
        domain: Domain,
        shown: Option<&Item>,
        concept: Option<&str>,
        draw: Draw,
        fresh: impl Fn(&String) -> bool,
    ) -> Option<String> {
        let ideas = self.quality().ideas;
        let first = draw.of("idea").below(ideas as usize) as u64;
        let of_concept = Draw::new(self.config.seed)
            .of("idea")
            .of(concept.unwrap_or_default());
        (0..ideas)
            .map(|n| of_concept.at((first + n) % ideas))
            .map(|idea| self.make(domain, shown, concept, idea))
            .map(|text| reword(&text, Strength::WORDS, draw.of("wording")))
            .find(fresh)
    }

    /// Makes up a question with a known answer.
    fn make(&self, domain: Domain, shown: Option<&Item>, concept: Option<&str>, draw: Draw) -> String {
        let plain = match domain {
            Domain::Number => None,
            Domain::Label => Some(statement::make(concept, draw)),
            Domain::Sql => {
                let database = shown.and_then(|item| match &item.truth {
                    Truth::Sql { database, .. } => Some(database.as_str()),
                    _ => None,
                });
                self.key.databases().make(database, concept, draw)
            }
        };
        let text = plain.unwrap_or_else(|| with_topic(arithmetic::make(concept, draw), concept));
        reword(&text, Strength::WORDS, draw.of("words"))
    }

    fn other_concept(&self, domain: Domain, wanted: Option<&str>, draw: Draw) -> Option<String> {
        let mut others: Vec<&str> = self.key.concepts(domain).iter().map(String::as_str).collect();
        if others.len() < 2 {
            others = if domain == Domain::Label {
                statement::TOPICS.to_vec()
            } else {
                Vec::new()
            };
        }
        others.retain(|other| wanted.is_none_or(|w| !other.eq_ignore_ascii_case(w)));
        draw.pick(&others).map(|other| (*other).to_owned())
    }

    fn verify(&self, parts: &Parts, draw: Draw) -> Draft {
        let sound = incomplete::whole(&parts.question).is_none()
            && (self.key.find(&parts.question).is_some() || parts.question.split_whitespace().count() >= 4);
        let q = self.quality();
        let says = draw.of("verify").chance(if sound {
            q.verify_sensitivity
        } else {
            1.0 - q.verify_specificity
        });
        let reason = if says {
            "Everything that is needed is stated."
        } else {
            "Something that is needed is not stated."
        };
        Draft {
            plain: format!("{}: {reason}", if says { "Yes" } else { "No" }),
            fields: object(json!({ "answerable": says, "reason": reason })),
            outcome: if says == sound {
                Outcome::Right
            } else {
                Outcome::Wrong
            },
        }
    }

    fn judge(&self, parts: &Parts, draw: Draw) -> Draft {
        let item = self.item(&parts.question);
        let known = self.key.find(&parts.question).is_some();
        let good = match &parts.reference {
            // The reference is all there is to go by where the key knows nothing.
            Some(reference) if !known => {
                parts.answer.trim().ends_with(reference.trim()) && !reference.trim().is_empty()
            }
            _ => incomplete::whole(&parts.question).is_none() && self.key.agrees(&item, &parts.answer),
        };
        let q = self.quality();
        let accepts = draw.of("judge").chance(if good {
            q.judge_sensitivity
        } else {
            1.0 - q.judge_specificity
        });
        let clear = accepts || draw.of("clear").chance(0.5);
        let reason = if accepts {
            "The steps hold and lead to the stated result."
        } else {
            "The stated result does not follow."
        };
        let fields = object(json!({
            "relevant": true, "substantial": true, "useful": accepts, "clear": clear, "expert": accepts, "correct": accepts,
            "reason": reason, "grade": if accepts { "correct" } else { "incorrect" },
        }));
        let plain = ["relevant", "substantial", "useful", "clear", "expert", "correct"]
            .iter()
            .map(|name| {
                format!(
                    "{name}: {}\n",
                    if fields[*name] == json!(true) { "yes" } else { "no" }
                )
            })
            .chain(std::iter::once(format!("reason: {reason}")))
            .collect();
        Draft {
            plain,
            fields,
            outcome: if accepts == good {
                Outcome::Right
            } else {
                Outcome::Wrong
            },
        }
    }
}

/// The concept of which most words stand in the question, the first of equals; none where no word does.
fn assign(parts: &Parts) -> Draft {
    let question = parts.question.to_lowercase();
    let stands = |name: &String| {
        let name = name.to_lowercase();
        let words = name.split_whitespace().filter(|word| word.len() >= 4);
        words.filter(|word| question.contains(word)).count()
    };
    let best = parts
        .concepts
        .iter()
        .rev()
        .max_by_key(|name| stands(name))
        .filter(|name| stands(name) > 0);
    let said = best.map_or("none", String::as_str);
    Draft {
        fields: object(json!({ "concept": said })),
        plain: said.to_owned(),
        outcome: Outcome::Right,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Names the wanted concept where the problem itself does not.
fn with_topic(text: String, concept: Option<&str>) -> String {
    let Some(concept) = concept else { return text };
    let plain = concept.replace([':', '.', '\n', '?', '!'], " ");
    let known =
        arithmetic::read(&canon(&text)).is_some_and(|problem| arithmetic::names(concept, problem.concept));
    if known {
        text
    } else {
        format!("A{}{}: {text}", &TOPIC[1..], plain.trim())
    }
}

/// Half of the refusals keep the asked form, half are plain prose, as with real models.
fn refuse(draft: &mut Draft, kind: Kind, draw: Draw) {
    let text = draw.text(&REFUSALS).to_owned();
    draft.outcome = Outcome::Refused;
    let answers = matches!(kind, Kind::Answer | Kind::OwnWords);
    let field = if answers { "answer" } else { "question" };
    if draw.of("prose").chance(0.5) {
        draft.fields.clear();
    } else {
        draft.fields.insert(field.to_owned(), json!(text));
        if answers {
            draft.fields.insert("reasoning".to_owned(), json!(text));
        }
    }
    draft.plain = text;
}

/// Keeps the properties that the schema names, and fills in what it names beside them.
fn fit(fields: &Map<String, Value>, schema: &Value) -> Map<String, Value> {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return fields.clone();
    };
    let default = |property: &Value| match property.get("type").and_then(Value::as_str) {
        Some("boolean") => json!(true),
        Some("integer" | "number") => json!(0),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(""),
    };
    properties
        .iter()
        .map(|(name, property)| {
            (
                name.clone(),
                fields.get(name).cloned().unwrap_or_else(|| default(property)),
            )
        })
        .collect()
}

/// The first part of a text, 30 to 80 % of it and never all.
fn cut_short(text: &str, draw: Draw) -> String {
    let share = 0.3 + 0.5 * draw.unit();
    let mut end = (text.len() as f64 * share) as usize;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Breaks the asked form in one of the ways models do.
fn spoil(draft: &Draft, structured: bool, content: &str, draw: Draw) -> String {
    if !structured {
        // Without a schema the form is the last line, or the question itself.
        return draft
            .plain
            .rsplit_once("\nAnswer:")
            .map_or_else(String::new, |(before, _)| before.to_owned());
    }
    match draw.below(4) {
        0 => content.trim_end_matches('}').trim_end_matches('"').to_owned(),
        1 => content.replacen('{', "{{", 1),
        2 => format!(
            "Sure! Here it is: {}",
            draft.plain.lines().next().unwrap_or_default()
        ),
        _ => json!({ "output": draft.plain }).to_string(),
    }
}
