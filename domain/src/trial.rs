//! Whether a model takes what a run asks it at all.
//!
//! A refusal of one request (400, 413, 422) says little while others pass: the request is given up. Where *every* request is refused, the
//! job is wrong, and giving requests up would lose them all. So until a model has answered a first request of a kind, refused ones are put
//! off, and the run pauses when enough of them were refused alike; a model that stops to take a kind of request pauses it, too.
//!
//! | state | answered | refused, about this prompt | refused |
//! |---|---|---|---|
//! | untried | proven | give up | put off; pause, once [`ENOUGH`] tasks were refused alike or one was [`TRIES`] times |
//! | proven | proven, nothing refused | give up | give up; pause, once [`IN_A_ROW`] tasks were refused alike in a row |

use std::collections::{BTreeMap, BTreeSet};

use crate::id::TaskId;
use crate::refusal::{alike, is_about_one_prompt};

/// Tasks refused alike from which an untried model is taken to refuse all of them.
pub const ENOUGH: usize = 4;
/// Tries of one task after which that is concluded from it alone, where no other task came to be tried.
pub const TRIES: u32 = 3;
/// Tasks refused alike, one after the other, from which the same is concluded of a model that has answered before.
pub const IN_A_ROW: usize = 16;

/// What is known of one kind of request to one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trial {
    proven: bool,
    /// Tasks refused since the last answer, by the form of the refusal; its words as they came first.
    refused: BTreeMap<String, (String, BTreeSet<TaskId>)>,
}

/// What becomes of a refused request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is given up: others pass.
    GiveUp,
    /// It is tried again later: nobody knows yet whether any passes.
    PutOff,
    /// The run waits for a person; the request is kept for then.
    Pause {
        /// The most frequent words of the provider.
        words: String,
        /// Tasks that were refused with them.
        tasks: usize,
    },
}

impl Trial {
    /// A request was answered, whatever the answer is worth.
    pub fn answered(&mut self) {
        self.proven = true;
        self.refused.clear();
    }

    /// A task was refused at this attempt, in the provider's words.
    pub fn refused(&mut self, task: TaskId, attempt: u32, words: &str) -> Verdict {
        if is_about_one_prompt(words) {
            return Verdict::GiveUp;
        }
        let (_, tasks) = self
            .refused
            .entry(alike(words))
            .or_insert_with(|| (words.to_owned(), BTreeSet::new()));
        tasks.insert(task);
        let most = self.refused.values().max_by_key(|(_, tasks)| tasks.len());
        let (words, tasks) = most.map_or((words, 1), |(words, tasks)| (words.as_str(), tasks.len()));
        let pause = Verdict::Pause {
            words: words.to_owned(),
            tasks,
        };
        let enough = if self.proven { IN_A_ROW } else { ENOUGH };
        // A task that was refused so often before the last pause is not let stop the run again and again.
        let alone = !self.proven && attempt == TRIES;
        if tasks >= enough || alone {
            // After the pause all of it has to be seen again: the job may be another.
            self.refused.clear();
            pause
        } else if self.proven || attempt > TRIES {
            Verdict::GiveUp
        } else {
            Verdict::PutOff
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "answered 400: Unsupported parameter: 'max_tokens'";

    fn task(number: u8) -> TaskId {
        TaskId::of(&[&[number]])
    }

    fn pause(words: &str, tasks: usize) -> Verdict {
        Verdict::Pause {
            words: words.into(),
            tasks,
        }
    }

    #[test]
    fn an_untried_model_that_refuses_all_alike_pauses_the_run_and_loses_nothing() {
        let mut trial = Trial::default();
        assert_eq!(trial.refused(task(0), 1, WORDS), Verdict::PutOff);
        assert_eq!(
            trial.refused(task(0), 2, WORDS),
            Verdict::PutOff,
            "one task counts once"
        );
        assert_eq!(trial.refused(task(1), 1, WORDS), Verdict::PutOff);
        assert_eq!(
            trial.refused(task(2), 1, "answered 400: something else"),
            Verdict::PutOff
        );
        assert_eq!(trial.refused(task(3), 1, WORDS), Verdict::PutOff);
        assert_eq!(trial.refused(task(4), 1, WORDS), pause(WORDS, 4));
        assert_eq!(
            trial.refused(task(5), 1, WORDS),
            Verdict::PutOff,
            "seen anew after the pause"
        );
    }

    #[test]
    fn a_model_that_answers_has_single_requests_given_up() {
        let mut trial = Trial::default();
        assert_eq!(trial.refused(task(0), 1, WORDS), Verdict::PutOff);
        trial.answered();
        assert_eq!(trial.refused(task(0), 2, WORDS), Verdict::GiveUp);
        for number in 1..15 {
            assert_eq!(trial.refused(task(number), 1, WORDS), Verdict::GiveUp);
        }
        trial.answered();
        for number in 0..15 {
            assert_eq!(trial.refused(task(number), 1, WORDS), Verdict::GiveUp);
        }
        assert_eq!(
            trial.refused(task(15), 1, WORDS),
            pause(WORDS, 16),
            "none passes any more"
        );
    }

    #[test]
    fn one_prompt_that_is_not_liked_says_nothing() {
        let mut trial = Trial::default();
        for number in 0..20 {
            assert_eq!(
                trial.refused(task(number), 1, "flagged by our content policy"),
                Verdict::GiveUp
            );
        }
    }

    #[test]
    fn a_single_task_pauses_once_and_is_then_given_up() {
        let mut trial = Trial::default();
        assert_eq!(trial.refused(task(0), 1, WORDS), Verdict::PutOff);
        assert_eq!(trial.refused(task(0), 2, WORDS), Verdict::PutOff);
        assert_eq!(trial.refused(task(0), 3, WORDS), pause(WORDS, 1));
        assert_eq!(trial.refused(task(0), 4, WORDS), Verdict::GiveUp);
    }
}
