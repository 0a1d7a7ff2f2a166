//! What templates may show, and how texts are kept from passing for a part of the prompt.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::reply::Fields;

/// What a template may use. Empty texts and lists are false in conditions.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Variables {
    /// What the data is about.
    pub subject: String,
    /// The question.
    pub question: String,
    /// The seed's question.
    pub seed_question: String,
    /// The answer that is graded.
    pub answer: String,
    /// The right answer, where one is known.
    pub reference: String,
    /// The passage.
    pub context: String,
    /// The tables of a database, as its definition statements.
    pub schema: String,
    /// The concept that is wanted.
    pub concept: String,
    /// What the concept covers.
    pub description: String,
    /// Concepts to choose from.
    pub choices: Vec<Choice>,
    /// What the new question is made to ask for, as an instruction.
    pub evolution: String,
    /// Who asks the new question.
    pub persona: String,
    /// How the question is worded, as an instruction.
    pub style: String,
    /// Questions that are there already, and are not to be asked again.
    pub again: Vec<String>,
    /// Solved examples.
    pub examples: Vec<Example>,
    /// What an answer is, by the validator's name: `number`, `sql`, `label`, `text`, …; `open` without one.
    pub kind: &'static str,
    /// What a final answer must look like, as a sentence; empty for kinds that the built-in templates know.
    pub form: String,
    /// The labels that an answer may have.
    pub labels: Vec<String>,
    /// Reasoning is wanted before the answer.
    pub reasoning: bool,
    /// A new question, or the verdict on one, is wanted together with an answer.
    pub answered: bool,
    /// The reply is a JSON object.
    pub json: bool,
    /// How many records a reply lists that several candidates share.
    pub how_many: u32,
    /// What earlier steps of the recipe filled, by field; the names above go first.
    #[serde(skip)]
    pub fields: Fields,
}

impl Variables {
    /// All of it by name, as a template sees it.
    pub(super) fn named(&self) -> Result<BTreeMap<String, minijinja::Value>, minijinja::Error> {
        let of_fields = self
            .fields
            .iter()
            .map(|(name, value)| (name.clone(), value.in_prompts(neutralise)));
        let mut named: BTreeMap<String, minijinja::Value> = of_fields.collect();
        let variables = minijinja::Value::from(minijinja::value::Serde(&self.neutralised()));
        for key in variables.try_iter()? {
            if let Some(name) = key.as_str() {
                named.insert(name.to_owned(), variables.get_attr(name)?);
            }
        }
        Ok(named)
    }
}

/// A concept to choose.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Choice {
    /// Its name.
    pub name: String,
    /// What it covers.
    pub description: String,
}

/// A solved example.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Example {
    /// The question.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// The passage.
    pub context: String,
}

impl Variables {
    /// Texts with the tags that delimit data taken apart, so that a text cannot close its own tag or open another.
    fn neutralised(&self) -> Self {
        let clean = |text: &String| neutralise(text);
        Self {
            question: clean(&self.question),
            seed_question: clean(&self.seed_question),
            answer: clean(&self.answer),
            reference: clean(&self.reference),
            context: clean(&self.context),
            concept: clean(&self.concept),
            description: clean(&self.description),
            choices: self
                .choices
                .iter()
                .map(|choice| Choice {
                    name: clean(&choice.name),
                    description: clean(&choice.description),
                })
                .collect(),
            persona: clean(&self.persona),
            again: self.again.iter().map(clean).collect(),
            examples: self
                .examples
                .iter()
                .map(|e| Example {
                    question: clean(&e.question),
                    answer: clean(&e.answer),
                    context: clean(&e.context),
                })
                .collect(),
            ..self.clone()
        }
    }
}

fn neutralise(text: &str) -> String {
    use std::sync::LazyLock;
    static TAG: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
        regex::Regex::new(
            r"(?i)<(\s*/?\s*(?:question|answer|reference|passage|tables|example|concept|description|persona|known|fact|critique|rules|draft)\s*)>",
        )
        .ok()
    });
    match &*TAG {
        Some(tag) => tag.replace_all(text, "‹$1›").into_owned(),
        None => text.to_owned(),
    }
}
