//! Rules of their own for some concepts.

use super::*;

/// Questions about a concept with a reference, so many of whose answers are right.
fn answered(measured: &mut Measured, concept: &str, right: u32, of: u32) {
    for i in 0..of {
        let known = Known {
            right: u8::from(i < right),
            wrong: (i >= right).then_some(1).into_iter().collect(),
        };
        measured.all.know(known.clone());
        measured
            .concepts
            .entry(concept.to_owned())
            .or_default()
            .know(known);
    }
}

#[test]
fn a_concept_has_a_rule_of_its_own_once_it_is_clearly_easier_or_harder() {
    let mut measured = Measured::default();
    answered(&mut measured, "easy", 58, 60);
    answered(&mut measured, "ordinary", 48, 60);
    answered(&mut measured, "hard", 33, 60);
    answered(&mut measured, "hardly known", 2, 10);
    let rules = Rule::of_concepts(&measured, &terms());
    let names: Vec<&str> = rules.keys().map(String::as_str).collect();
    assert_eq!(names, ["easy", "hard"]);
    let whole = Rule::new(&measured, &terms());
    let (easy, hard) = (&rules["easy"], &rules["hard"]);
    assert!(easy.basis.right.low > whole.basis.right.mean, "{:?}", easy.basis);
    assert!(hard.basis.right.high < whole.basis.right.mean, "{:?}", hard.basis);
    assert_eq!((hard.basis.with_reference, whole.basis.with_reference), (60, 190));
    assert!(easy.expected.calls_per_right_row < whole.expected.calls_per_right_row);
    assert!(hard.expected.calls_per_right_row > whole.expected.calls_per_right_row);
}

#[test]
fn a_fixed_lead_is_the_same_for_every_concept() {
    let mut measured = Measured::default();
    answered(&mut measured, "easy", 60, 60);
    answered(&mut measured, "hard", 20, 60);
    let fixed = Terms {
        lead: Some(2),
        ..terms()
    };
    assert!(Rule::of_concepts(&measured, &fixed).is_empty());
}
