//! How one question is varied: drawn from its row's id alone, so that it is the same alone, on a cluster and after a crash.
//!
//! A draw looks at what the prompt has a place for ([`Takes`]); a mutator that the prompt could not show is never drawn, and no row names
//! one that its teacher was not told. The instructions are data with a version, beside the prompts that they stand in.

use serde::{Deserialize, Serialize};

use crate::id::ContentId;
use crate::job::{Evolution, Mutators, Style};
use crate::prompt::{self, Variables};

const TEXTS: &str = include_str!("../prompts/mutators.txt");
/// How the names of personas begin in rows, tables and cards.
const PERSONA: &str = "persona:";

/// What a question was varied by.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// What it was made to ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evolution: Option<Evolution>,
    /// Who asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub persona: Option<String>,
    /// How it was worded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub style: Option<Style>,
}

/// What a question's prompt has a place for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Takes {
    /// Evolutions.
    pub evolution: bool,
    /// Evolutions that need a second passage: there is one.
    pub second_passage: bool,
    /// Personas.
    pub persona: bool,
    /// Styles.
    pub style: bool,
}

impl Takes {
    /// All that there is.
    pub const ALL: Self = Self {
        evolution: true,
        second_passage: true,
        persona: true,
        style: true,
    };
}

impl Mutators {
    /// What the question of a row is varied by; `None` for one that is not.
    pub fn draw(&self, row: ContentId, takes: Takes) -> Option<Mutation> {
        if unit(number(row, "share")) >= self.share {
            return None;
        }
        let evolutions: Vec<Evolution> = self
            .evolutions
            .iter()
            .copied()
            .filter(|evolution| takes.second_passage || *evolution != Evolution::MultiContext)
            .collect();
        let mutation = Mutation {
            evolution: pick(&evolutions, takes.evolution, row, "evolution").copied(),
            persona: pick(&self.personas, takes.persona, row, "persona").map(|text| text.trim().to_owned()),
            style: pick(&self.styles, takes.style, row, "style").copied(),
        };
        (mutation != Mutation::default()).then_some(mutation)
    }
}

/// A number that depends on the row and on what is drawn, and on nothing else.
fn number(row: ContentId, what: &str) -> u64 {
    let id = ContentId::of(&[b"mutation", row.as_bytes(), what.as_bytes()]);
    let bytes = id.as_bytes();
    u64::from_le_bytes(std::array::from_fn(|i| bytes[i]))
}

/// A number from 0 up to 1, of 53 bits.
fn unit(number: u64) -> f64 {
    (number >> 11) as f64 / (1u64 << 53) as f64
}

fn pick<'a, T>(list: &'a [T], taken: bool, row: ContentId, what: &str) -> Option<&'a T> {
    if !taken || list.is_empty() {
        return None;
    }
    list.get((number(row, what) % list.len() as u64) as usize)
}

impl Mutation {
    /// Its mutators as rows, tables and cards carry them: `evolution:reasoning`, `persona:a nurse`, `style:plain`.
    pub fn names(&self) -> Vec<String> {
        let evolution = self.evolution.map(name_of_evolution);
        let persona = self.persona.as_ref().map(|persona| format!("{PERSONA}{persona}"));
        let style = self.style.map(name_of_style);
        evolution.into_iter().chain(persona).chain(style).collect()
    }

    /// Whether a name that [`Mutation::names`] gave is a persona's.
    pub fn names_persona(name: &str) -> bool {
        name.starts_with(PERSONA)
    }

    /// Tells a prompt of it.
    pub fn tell(&self, variables: &mut Variables) {
        let text = |name: Option<String>| name.map_or_else(String::new, |name| instruction(&name).to_owned());
        variables.evolution = text(self.evolution.map(name_of_evolution));
        variables.persona = self.persona.clone().unwrap_or_default();
        variables.style = text(self.style.map(name_of_style));
    }

    /// Version of the instructions, as provenance carries it.
    pub fn version() -> String {
        let name = TEXTS
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("version:"));
        prompt::version("mutators", name.unwrap_or_default().trim(), TEXTS)
    }
}

fn name_of_evolution(evolution: Evolution) -> String {
    format!("evolution:{}", evolution.as_str())
}

fn name_of_style(style: Style) -> String {
    format!("style:{}", style.as_str())
}

/// The instruction of a mutator.
fn instruction(name: &str) -> &'static str {
    let mut parts = TEXTS
        .split("\n=== ")
        .skip(1)
        .filter_map(|part| part.split_once('\n'));
    parts
        .find(|(known, _)| *known == name)
        .map_or("", |(_, text)| text.trim())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const ROWS: u64 = 4_000;

    fn row(n: u64) -> ContentId {
        ContentId::of(&[b"row", &n.to_le_bytes()])
    }

    fn all(share: f64) -> Mutators {
        Mutators {
            evolutions: Evolution::ALL.to_vec(),
            personas: vec!["a nurse".into(), "a miller".into(), "a judge".into()],
            styles: Style::ALL.to_vec(),
            share,
            ..Mutators::default()
        }
    }

    /// Five standard deviations of a binomial count around its mean: one draw in two million falls outside.
    fn holds(count: u64, of: u64, share: f64) -> bool {
        let (mean, variance) = (of as f64 * share, of as f64 * share * (1.0 - share));
        (count as f64 - mean).abs() <= 5.0 * variance.sqrt() + 1.0
    }

    fn counts(mutators: &Mutators, takes: Takes) -> (u64, BTreeMap<String, u64>) {
        let mut counts = BTreeMap::new();
        let drawn = (0..ROWS).filter_map(|n| mutators.draw(row(n), takes));
        let mut mutated = 0;
        for mutation in drawn {
            mutated += 1;
            for name in mutation.names() {
                *counts.entry(name).or_default() += 1;
            }
        }
        (mutated, counts)
    }

    /// Every mutator there is, with the personas of these tests.
    fn every() -> usize {
        Evolution::ALL.len() + Style::ALL.len() + all(1.0).personas.len()
    }

    proptest! {
        #[test]
        fn the_share_is_kept_and_mutators_take_turns_alike(share in 0.02f64..=1.0) {
            let (mutated, counts) = counts(&all(share), Takes::ALL);
            prop_assert!(holds(mutated, ROWS, share), "{} of {} at {}", mutated, ROWS, share);
            prop_assert_eq!(counts.len(), if mutated > 200 { every() } else { counts.len() });
            for (name, count) in counts {
                let among = match name.split_once(':').unwrap().0 {
                    "evolution" => 8.0,
                    "persona" => 3.0,
                    _ => 7.0,
                };
                prop_assert!(holds(count, mutated, 1.0 / among), "{}: {} of {}", name, count, mutated);
            }
        }

        #[test]
        fn a_row_draws_the_same_again_and_nothing_that_is_off(n in 0u64..1_000_000, off in 0usize..8) {
            let mutators = all(0.8);
            prop_assert_eq!(mutators.draw(row(n), Takes::ALL), mutators.draw(row(n), Takes::ALL));
            let mut without = mutators.clone();
            let gone = without.evolutions.remove(off);
            without.styles.clear();
            let drawn = without.draw(row(n), Takes::ALL);
            // Whether a row is varied, and who asks, hang on no other choice.
            prop_assert_eq!(drawn.is_some(), mutators.draw(row(n), Takes::ALL).is_some());
            if let Some(drawn) = drawn {
                prop_assert!(drawn.evolution.is_some_and(|evolution| evolution != gone) && drawn.style.is_none());
                prop_assert_eq!(drawn.persona, mutators.draw(row(n), Takes::ALL).unwrap().persona);
            }
        }
    }

    #[test]
    fn only_what_the_prompt_has_a_place_for_is_drawn() {
        let style = Takes {
            style: true,
            ..Takes::default()
        };
        let (mutated, names) = counts(&all(1.0), style);
        assert_eq!(mutated, ROWS);
        assert!(names.keys().all(|name| name.starts_with("style:")), "{names:?}");
        let single = Takes {
            second_passage: false,
            ..Takes::ALL
        };
        let (_, names) = counts(&all(1.0), single);
        assert!(!names.contains_key("evolution:multi_context") && names.len() == every() - 1);
        let only = Mutators {
            evolutions: vec![Evolution::MultiContext],
            ..Mutators::default()
        };
        assert_eq!(counts(&only, single).0, 0, "nothing is left to vary by");
        assert_eq!(counts(&all(1.0), Takes::default()).0, 0);
    }

    #[test]
    fn every_mutator_has_its_own_instruction() {
        let evolutions = Evolution::ALL.into_iter().map(name_of_evolution);
        let names: Vec<String> = evolutions
            .chain(Style::ALL.into_iter().map(name_of_style))
            .collect();
        let texts: HashSet<&str> = names.iter().map(|name| instruction(name)).collect();
        assert!(
            texts.len() == Evolution::ALL.len() + Style::ALL.len()
                && texts.iter().all(|text| text.len() > 20),
            "{texts:?}"
        );
        assert_eq!(instruction("evolution:none"), "");
        assert!(Mutation::version().starts_with("mutators/2@"));
    }
}
