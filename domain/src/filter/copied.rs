//! How much of a text is copied from another, word for word.

use std::collections::HashSet;

use super::text::{normalise, tokens};

/// Words in a row that are no coincidence.
const RUN: usize = 8;

/// The share of a text's words, from 0 to 1, that stand in a run of eight words or more which the other text has as well; of a shorter text,
/// 1 where all of it stands there. Case, spacing and punctuation do not matter.
///
/// This is the *coverage* of Grusky et al. 2018 (Newsroom, arXiv 1804.11283), which counts runs of any length.
pub fn copied(text: &str, from: &str) -> f64 {
    let (text, from) = (normalise(text), normalise(from));
    let (words, source): (Vec<&str>, Vec<&str>) = (tokens(&text).collect(), tokens(&from).collect());
    let run = RUN.min(words.len());
    if run == 0 {
        return 0.0;
    }
    let there: HashSet<&[&str]> = source.windows(run).collect();
    let (mut count, mut counted_to) = (0, 0);
    for (start, window) in words.windows(run).enumerate() {
        if there.contains(window) {
            count += start + run - counted_to.max(start);
            counted_to = start + run;
        }
    }
    count as f64 / words.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PASSAGE: &str = "The maintainer of a package uploads it to the archive, where it waits in a queue until it has been checked.";

    #[test]
    fn runs_of_eight_words_count() {
        let share = |text| copied(text, PASSAGE);
        assert!((share(PASSAGE) - 1.0).abs() < 1e-9);
        let shouted = "the MAINTAINER of a  package uploads it -- to the archive";
        assert!((share(shouted) - 1.0).abs() < 1e-9, "{}", share(shouted));
        assert!(share("A package is checked after its maintainer has uploaded it to the archive.") < 1e-9);
        // Nine of fifteen words.
        let half = "Why? Because it waits in a queue until it has been, as I said, inspected.";
        assert!((share(half) - 9.0 / 15.0).abs() < 1e-9, "{}", share(half));
        assert!((share("to the archive") - 1.0).abs() < 1e-9);
        assert!(share("") < 1e-9 && copied("to the archive", "") < 1e-9);
    }

    proptest! {
        #[test]
        fn a_text_is_copied_from_whatever_contains_it(
            text in proptest::collection::vec("[a-d]{1,2}", 1..30),
            before in proptest::collection::vec("[a-d]{1,2}", 0..10),
            after in proptest::collection::vec("[a-d]{1,2}", 0..10),
        ) {
            let whole = [before, text.clone(), after].concat().join(" ");
            prop_assert!((copied(&text.join(" "), &whole) - 1.0).abs() < 1e-9);
        }

        #[test]
        fn it_is_a_share(text in "([a-c]{1,2} ){0,40}", from in "([a-c]{1,2} ){0,40}") {
            prop_assert!((0.0..=1.0).contains(&copied(&text, &from)));
        }
    }
}
