//! What an aim keeps producing: questions that a teacher is shown so that it does not ask them again.
//!
//! A teacher that is asked many times for the same concept comes back to its first ideas. For each concept the last questions that were
//! aimed at it are remembered, accepted ones and those that were rejected for being like another, and each prompt shows a few of them. What a
//! round shows is from the rounds before it, so that its prompts do not depend on who was faster.

use std::collections::VecDeque;

use crate::row::Row;
use crate::strategy::Strategy;

/// Questions that are remembered of one concept.
const KEPT: usize = 24;
/// Questions that one prompt shows.
const SHOWN: usize = 8;
/// Characters of a question that are shown.
const CHARS: usize = 300;

/// A question that was asked, and how often it came again.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    question: String,
    /// Times that it was rejected for being like another.
    again: u32,
}

/// The last questions that were aimed at one concept, the latest last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Again {
    known: VecDeque<Known>,
}

impl Again {
    /// Remembers a decided row: an accepted new question, or one that was rejected for being like another. False for any other.
    pub fn see(&mut self, row: &Row) -> bool {
        let rejection = row.rejection.as_ref();
        let duplicate = rejection.map(|rejection| rejection.reason.is_duplicate());
        if row.strategy != Strategy::NewQuestion || duplicate == Some(false) {
            return false;
        }
        self.remember(&row.question, u32::from(duplicate.is_some()))
    }

    /// Remembers a question of an earlier dataset.
    pub fn see_existing(&mut self, question: &str) {
        self.remember(question, 0);
    }

    /// Remembers a question that came again so many times; false for an empty one.
    fn remember(&mut self, question: &str, again: u32) -> bool {
        let question = clipped(question);
        if question.is_empty() {
            return false;
        }
        let same = |known: &Known| folded(&known.question) == folded(&question);
        let before = self
            .known
            .iter()
            .position(same)
            .and_then(|at| self.known.remove(at));
        self.known.push_back(Known {
            question,
            again: again + before.map_or(0, |known| known.again),
        });
        if self.known.len() > KEPT {
            // Of those that came least often, the earliest.
            let least = (0..self.known.len()).min_by_key(|at| self.known[*at].again);
            least.and_then(|at| self.known.remove(at));
        }
        true
    }

    /// The questions that a prompt shows: half of them those that came again most often, then others in turn, so that the prompts of one
    /// round show different ones. `turn` is which candidate of its concept it is.
    pub fn shown(&self, turn: u64) -> Vec<String> {
        let mut order: Vec<&Known> = self.known.iter().rev().collect();
        // Of equals the latest.
        order.sort_by_key(|known| std::cmp::Reverse(known.again));
        let repeated = order
            .iter()
            .take(SHOWN / 2)
            .filter(|known| known.again > 0)
            .count();
        let (first, others) = order.split_at(repeated);
        let rest = SHOWN - repeated;
        let start = (turn as usize).wrapping_mul(rest) % others.len().max(1);
        let in_turn = others.iter().cycle().skip(start).take(rest.min(others.len()));
        first
            .iter()
            .chain(in_turn)
            .map(|known| known.question.clone())
            .collect()
    }
}

/// On one line, and not too long.
fn clipped(question: &str) -> String {
    let line = question.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(CHARS).collect()
}

/// The letters and digits of a question: a copy with another comma is the same.
fn folded(question: &str) -> String {
    question
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(question: &str, strategy: &str, rejection: Option<&str>) -> Row {
        let id = crate::id::ContentId::of(&[b"x"]);
        serde_json::from_value(json!({
            "id": id, "position": {"round": 0, "index": 0}, "seed": 0, "family": 0, "seed_id": id, "strategy": strategy, "concept": "c",
            "question": question, "reasoning": "", "answer": "a", "teacher": "t", "teacher_version": "", "prompts": [], "tasks": [],
            "costs": [], "checks": {"correct": null, "votes": null, "judgements": [], "details": []}, "depth": 1,
            "rejection": rejection.map(|reason| json!({"reason": reason, "detail": ""})),
        }))
        .unwrap()
    }

    #[test]
    fn what_comes_again_is_shown_first_and_others_in_turn() {
        let mut again = Again::default();
        for n in 0..20 {
            assert!(again.see(&row(&format!("Question {n}?"), "new_question", None)));
        }
        for _ in 0..3 {
            assert!(again.see(&row("question 4", "new_question", Some("semantic_duplicate"))));
        }
        again.see(&row("Another?", "new_question", Some("near_duplicate")));
        let (one, two) = (again.shown(0), again.shown(1));
        assert_eq!((one.len(), two.len()), (SHOWN, SHOWN));
        assert_eq!(one[..2], ["question 4", "Another?"], "{one:?}");
        assert_eq!(one[..2], two[..2]);
        assert!(two[2..].iter().all(|question| !one.contains(question)), "{two:?}");
        assert_eq!(again.shown(0), one, "the same for the same turn");
    }

    #[test]
    fn what_failed_for_itself_is_not_remembered_and_memory_is_bounded() {
        let mut again = Again::default();
        assert!(!again.see(&row("Wrong?", "new_question", Some("disagreement"))));
        assert!(!again.see(&row("Other words?", "rephrasing", None)));
        assert!(!again.see(&row(" ", "new_question", None)));
        assert_eq!(again.shown(0), Vec::<String>::new());
        again.see(&row("The first?", "new_question", Some("exact_duplicate")));
        for n in 0..200 {
            again.see(&row(
                &format!("{n} {}", "long ".repeat(200)),
                "new_question",
                None,
            ));
        }
        assert_eq!(again.known.len(), KEPT);
        assert!(
            again
                .shown(7)
                .iter()
                .all(|question| question.chars().count() <= CHARS)
        );
        assert_eq!(again.shown(7)[0], "The first?", "what came again is kept longest");
    }
}
