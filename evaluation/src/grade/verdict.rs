//! What a job's validator says of an answer: queries, numbers with units, patterns, programs.

use gristmill_domain::validator::{Fault, Verdict};

use super::{Grade, abstains};

/// The grade of an answer that a validator checked; `None` where it can be called neither right nor wrong: without a reference, or where
/// what verifies is broken.
pub fn by_verdict(answer: &str, checked: &Result<Verdict, Fault>) -> Option<Grade> {
    let correct = match checked {
        Ok(verdict) => verdict.correct?,
        Err(Fault::Answer(_)) => false,
        Err(Fault::Unverifiable(_)) => return None,
    };
    Some(match correct {
        true => Grade::CORRECT,
        false if abstains(answer) => Grade::NOT_ATTEMPTED,
        false => Grade::INCORRECT,
    })
}

#[cfg(test)]
mod tests {
    use gristmill_domain::filter::{Reason, Rejection};

    use super::*;

    #[test]
    fn a_broken_validator_grades_nothing() {
        let verdict = |correct| {
            Ok(Verdict {
                canonical: String::new(),
                correct,
                detail: String::new(),
            })
        };
        let rejected = Err(Fault::Answer(Rejection::new(Reason::Format, "no query in it")));
        for (answer, checked, grade) in [
            ("SELECT 1", verdict(Some(true)), Some(Grade::CORRECT)),
            ("SELECT 2", verdict(Some(false)), Some(Grade::INCORRECT)),
            ("SELECT 2", verdict(None), None),
            ("It is two.", rejected.clone(), Some(Grade::INCORRECT)),
            ("I don't know.", rejected, Some(Grade::NOT_ATTEMPTED)),
            ("SELECT 1", Err(Fault::Unverifiable("no database".into())), None),
        ] {
            assert_eq!(by_verdict(answer, &checked), grade, "{answer}");
        }
    }
}
