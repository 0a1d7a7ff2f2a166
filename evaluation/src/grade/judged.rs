//! A judge's grade.

use std::sync::LazyLock;

use gristmill_domain::answer::Unreadable;
use gristmill_domain::answer::label::Labels;
use gristmill_domain::prompt::object_with;

use super::Grade;

const NAMES: [&str; 3] = ["correct", "incorrect", "not attempted"];
const KIND: &str = "grade";

static GRADES: LazyLock<Option<Labels>> = LazyLock::new(|| Labels::new(&NAMES).ok());

/// Reads the grade that a judge gave: `correct`, `incorrect` or `not attempted` (the grades of SimpleQA, Wei et al. 2024, arXiv
/// 2411.04368), as the member `grade` of a JSON object, or as the final label of a text.
///
/// The whole grade is matched. SimpleQA's own grader asks for A, B or C and looks for the first of these letters, which takes the C of
/// "CORRECT" for the grade C, not attempted.
pub fn by_judge(reply: &str) -> Result<Grade, Unreadable> {
    let missing = Unreadable::Missing { kind: KIND };
    let grades = GRADES.as_ref().ok_or(missing.clone())?;
    let member =
        object_with(reply, &["grade"]).and_then(|object| object.get("grade")?.as_str().map(str::to_owned));
    let name = match &member {
        Some(text) => grades.exact(text).ok_or(missing.clone())?,
        None => grades.find(reply)?,
    };
    match name {
        "correct" => Ok(Grade::CORRECT),
        "incorrect" => Ok(Grade::INCORRECT),
        "not attempted" => Ok(Grade::NOT_ATTEMPTED),
        _ => Err(missing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_grade_is_matched() {
        for (reply, grade) in [
            ("CORRECT", Grade::CORRECT),
            ("INCORRECT", Grade::INCORRECT),
            ("NOT_ATTEMPTED", Grade::NOT_ATTEMPTED),
            (
                r#"{"reason": "It says incorrect things.", "grade": "Correct"}"#,
                Grade::CORRECT,
            ),
            ("The name is wrong.\nGrade: incorrect", Grade::INCORRECT),
            ("It hedges. Verdict: not attempted.", Grade::NOT_ATTEMPTED),
        ] {
            assert_eq!(by_judge(reply), Ok(grade), "{reply}");
        }
    }

    #[test]
    fn a_letter_or_a_hedge_is_not_a_grade() {
        for reply in [
            "C",
            "A",
            "",
            "It is partly correct, partly not.",
            r#"{"grade": "C"}"#,
        ] {
            assert!(by_judge(reply).is_err(), "{reply}");
        }
        assert!(
            by_judge("Grade: correct\nGrade: incorrect").is_err(),
            "it says both"
        );
    }
}
