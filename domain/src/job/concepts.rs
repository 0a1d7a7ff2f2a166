//! The job's concepts: what the data should cover, as a list, a tree, or found in the data.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::near::nearest;

/// Longest name of a concept, in characters: it stands in prompts and in tables.
const NAME_CHARS_MAX: usize = 120;
/// Concepts that one job may have.
const CONCEPTS_MAX: usize = 10_000;
/// Examples and labels that one concept may have, each embedded to know the concept by.
const TEXTS_MAX: usize = 64;
/// Rows of one concept that a job may want.
const TARGET_MAX: u64 = 1_000_000;

/// What the data should cover.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Concepts {
    /// YAML or CSV file of concepts; relative to the job file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// The concepts themselves, in place of a file.
    #[serde(skip_serializing_if = "Vec::is_empty", deserialize_with = "listed")]
    #[schemars(with = "Vec<Listed>")]
    pub list: Vec<Concept>,
    /// In place of a list: as many clusters of the seeds, each named by the words that set it apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<u32>,
    /// Rows wanted of each concept, real and synthetic together, that says nothing of its own; left out, rows are only counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<u64>,
    /// How rows are assigned to concepts.
    pub assign: Assign,
    /// Concepts that a model is shown with `assign: model`: of more, those nearest to the question by embedding.
    pub choices: u32,
    /// Probability from which a new question belongs to a concept (0 to 1), by its words, by what it was asked for and about, and by a model's
    /// word where one is asked. It is calibrated on the seeds' labels; `gristmill audit` says how well that works.
    pub confidence: f64,
    /// Rounds aim at concepts under their target; otherwise rows are only counted.
    pub steer: bool,
    /// Share of a round's aimed candidates that must count towards a target for another round to be worth its cost; a concept is given up when
    /// it is proven that less of its candidates count: at .05, after none of 73.
    pub min_gain: f64,
    /// Real rows from which a concept counts as covered by the seeds.
    pub covered_from: u64,
    /// Share of the concepts that the seeds may leave uncovered; beyond it they are narrow.
    pub max_uncovered: f64,
    /// `narrow`: seeds that leave more concepts uncovered are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
}

impl Default for Concepts {
    fn default() -> Self {
        Self {
            file: None,
            list: Vec::new(),
            found: None,
            target: None,
            assign: Assign::Embedding,
            choices: 12,
            confidence: 0.7,
            steer: true,
            min_gain: 0.05,
            covered_from: 5,
            max_uncovered: 0.5,
            accept: None,
        }
    }
}

/// How rows are assigned to concepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Assign {
    /// Seeds by the labels they carry, or else by embedding; rephrasings as their seed; new questions by embedding.
    Embedding,
    /// By labels alone: rephrasings as their seed. New questions carry none, and count for no concept.
    Labels,
    /// Seeds and rephrasings as by `embedding`, or by labels alone where nothing is embedded. An accepted new question by a model, the judge or
    /// else its teacher, which is shown concepts and says which one it is about, or none: a call each, paid from the budget.
    Model,
}

/// What a model answers when a question is about none of the concepts that it was shown.
pub const NO_CONCEPT: &str = "none";

/// What a user accepts by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accept {
    /// Seeds that leave most concepts uncovered.
    Narrow,
}

/// A concept. In a tree, those that others name as their parent are groups: rows are assigned to the others.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Concept {
    /// Its name, as it stands in prompts and tables.
    pub name: String,
    /// What it covers, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Questions that belong to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<String>,
    /// Labels of rows that belong to it, besides its name; also its other names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Rows wanted of it, real and synthetic together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<u64>,
    /// The concept that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
}

/// A concept as it may stand in a list: its bare name, or all of it.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Listed {
    /// A name.
    Name(String),
    /// The concept.
    Concept(Concept),
}

impl From<Listed> for Concept {
    fn from(listed: Listed) -> Self {
        match listed {
            Listed::Name(name) => Self {
                name,
                ..Self::default()
            },
            Listed::Concept(concept) => concept,
        }
    }
}

fn listed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Concept>, D::Error> {
    let list = Vec::<Listed>::deserialize(deserializer)?;
    Ok(list.into_iter().map(Concept::from).collect())
}

/// What is wrong with a list of concepts: at which of them, at which of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Place in the list, from 0.
    pub at: usize,
    /// The key.
    pub key: &'static str,
    /// What is wrong.
    pub message: String,
    /// The way out.
    pub help: &'static str,
}

impl Concepts {
    /// True where a model says what new questions are about.
    pub fn by_model(&self) -> bool {
        self.assign == Assign::Model
    }

    /// The concepts that rows are assigned to: all but those that others name as their parent.
    pub fn leaves(&self) -> impl Iterator<Item = &Concept> {
        let parents: HashSet<String> = self
            .list
            .iter()
            .filter_map(|concept| concept.parent.as_deref())
            .map(folded)
            .collect();
        self.list
            .iter()
            .filter(move |concept| !parents.contains(&folded(&concept.name)))
    }

    /// Rows wanted of a concept; 0 when it is only counted.
    pub fn target_of(&self, concept: &Concept) -> u64 {
        concept.target.or(self.target).unwrap_or(0)
    }

    /// True when rounds aim at concepts.
    pub fn steers(&self) -> bool {
        self.steer && self.wants_rows()
    }

    /// True when some rows are wanted of some concept.
    pub fn wants_rows(&self) -> bool {
        self.target.is_some_and(|target| target > 0)
            || self
                .list
                .iter()
                .any(|c| c.target.is_some_and(|target| target > 0))
    }
}

/// A name or label as it is compared.
pub fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

/// Everything that is wrong with a list.
pub fn wrong(list: &[Concept]) -> Vec<Wrong> {
    let mut found = Vec::new();
    if list.len() > CONCEPTS_MAX {
        found.push(Wrong {
            at: CONCEPTS_MAX,
            key: "name",
            message: format!("{} concepts", list.len()),
            help: "give at most 10,000",
        });
        return found;
    }
    let mut first: HashMap<String, usize> = HashMap::new();
    for (at, concept) in list.iter().enumerate() {
        first.entry(folded(&concept.name)).or_insert(at);
    }
    let parents: HashSet<usize> = list
        .iter()
        .filter_map(|concept| first.get(&folded(concept.parent.as_deref()?)))
        .copied()
        .collect();
    for (at, concept) in list.iter().enumerate() {
        let mut tell = |key, message: String, help| {
            found.push(Wrong {
                at,
                key,
                message,
                help,
            })
        };
        let name = &concept.name;
        if folded(name).is_empty() {
            tell("name", "a concept without a name".into(), "name it");
            continue;
        }
        if name.chars().count() > NAME_CHARS_MAX || name.contains(['\n', '\r']) {
            let help = "a name is one line of at most 120 characters: the rest belongs in `description`";
            tell("name", "a name that is no name".into(), help);
        }
        if first.get(&folded(name)).is_some_and(|earlier| *earlier < at) {
            tell(
                "name",
                format!("two concepts are called `{name}`"),
                "give each a name of its own",
            );
        }
        if let Some(target) = concept.target {
            if target > TARGET_MAX {
                tell(
                    "target",
                    format!("{target} rows of `{name}`"),
                    "give at most 1,000,000",
                );
            }
            if parents.contains(&at) {
                let help = "set the targets of its parts: rows are assigned to those";
                tell(
                    "target",
                    format!("`{name}` has parts, and a target of its own"),
                    help,
                );
            }
        }
        for (key, texts) in [("examples", &concept.examples), ("labels", &concept.labels)] {
            if texts.len() > TEXTS_MAX {
                tell(
                    key,
                    format!("{} {key} of `{name}`", texts.len()),
                    "give at most 64",
                );
            }
            if texts.iter().any(|text| text.trim().is_empty()) {
                tell(
                    key,
                    format!("an empty one among the {key} of `{name}`"),
                    "take it out",
                );
            }
        }
        if let Some(parent) = &concept.parent {
            if !first.contains_key(&folded(parent)) {
                let help = "list the parent as a concept too, or correct its name";
                let others = list.iter().map(|other| other.name.as_str());
                let near = nearest(parent, others.filter(|other| folded(other) != folded(name)))
                    .map_or_else(String::new, |near| format!("; `{near}` is"));
                tell(
                    "parent",
                    format!("`{name}` is a part of `{parent}`, which is not in the list{near}"),
                    help,
                );
            } else if in_circle(list, &first, at) {
                tell(
                    "parent",
                    format!("`{name}` is a part of itself"),
                    "break the circle",
                );
            }
        }
    }
    found
}

/// True when a concept is its own ancestor.
fn in_circle(list: &[Concept], first: &HashMap<String, usize>, at: usize) -> bool {
    let above = |at: usize| first.get(&folded(list.get(at)?.parent.as_deref()?)).copied();
    let mut next = above(at);
    for _ in 0..list.len() {
        match next {
            Some(here) if here == at => return true,
            Some(here) => next = above(here),
            None => return false,
        }
    }
    // A circle further up is told where it is.
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn concept(name: &str, parent: Option<&str>) -> Concept {
        Concept {
            name: name.into(),
            parent: parent.map(str::to_owned),
            ..Concept::default()
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let list = [
            concept("heart", None),
            concept("Heart ", None),
            concept("valves", Some("hearts")),
            concept("a", Some("b")),
            concept("b", Some("a")),
            Concept {
                target: Some(2_000_000),
                labels: vec![" ".into()],
                ..concept("c", None)
            },
            concept(" ", None),
        ];
        let told: Vec<(usize, &str)> = wrong(&list).iter().map(|w| (w.at, w.key)).collect();
        let misspelt = &wrong(&list)[1].message;
        assert!(
            misspelt.ends_with("`hearts`, which is not in the list; `heart` is"),
            "{misspelt}"
        );
        assert_eq!(
            told,
            [
                (1, "name"),
                (2, "parent"),
                (3, "parent"),
                (4, "parent"),
                (5, "target"),
                (5, "labels"),
                (6, "name")
            ]
        );
    }

    #[test]
    fn rows_belong_to_what_has_no_parts() {
        let concepts = Concepts {
            list: vec![
                concept("heart", None),
                concept("valves", Some("Heart")),
                concept("skin", None),
            ],
            target: Some(3),
            ..Concepts::default()
        };
        assert_eq!(wrong(&concepts.list), []);
        let leaves: Vec<&str> = concepts.leaves().map(|c| c.name.as_str()).collect();
        assert_eq!(leaves, ["valves", "skin"]);
        let mut grouped = concepts.list.clone();
        grouped[0].target = Some(1);
        assert_eq!(wrong(&grouped)[0].key, "target");
    }
}
