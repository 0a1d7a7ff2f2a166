use super::*;

const PASSAGE: &str = "Restart the daemon after installing a package. Since version 2.4, released by Maria Lopez in \
    1998, it keeps three copies of the 1,024 byte header and retries 5 times.";

#[test]
fn grounded_answers_hold_in_other_inflections_and_spellings() {
    for answer in [
        "The daemon must be restarted when packages are installed.",
        "It retries five times and keeps 3 copies.",
        "Maria Lopez released it in 1998.",
        "1. Install the package\n2. Restart the daemon",
        "A header of 1024 bytes",
    ] {
        let grounding = check(answer, PASSAGE);
        assert!(grounding.holds(1.0), "{answer}: {grounding:?}");
    }
}

#[test]
fn options_and_paths_are_looked_for_as_they_stand() {
    let passage = "Call it with `-i`, or --inline, and it writes to /etc/mill.";
    for (answer, stands) in [
        ("-i", true),
        ("/etc/mill", true),
        ("-o", false),
        ("-in", false),
        ("/etc", false),
        ("It.", false),
    ] {
        assert_eq!(check(answer, passage).holds(0.5), stands, "{answer}");
    }
}

#[test]
fn inventions_are_named() {
    let grounding = check(
        "In 1999 Maria Chavez rebooted the NAS twice, with 2.4 copies.",
        PASSAGE,
    );
    assert_eq!(grounding.missing_numbers, ["1999"]);
    assert_eq!(grounding.missing_names, ["Chavez", "NAS"]);
    assert_eq!(grounding.missing_words, ["rebooted", "twice"]);
    assert_eq!(grounding.checked, 8);
    assert!((grounding.score - 3.0 / 8.0).abs() < 1e-12);
    assert!(
        !grounding.holds(0.1),
        "a wrong number or name is never made up for"
    );
}

#[test]
fn an_answer_with_nothing_to_check_is_not_grounded() {
    let grounding = check("Yes, it is.", PASSAGE);
    assert_eq!((grounding.checked, grounding.score), (0, 0.0));
    assert!(!grounding.holds(0.5));
}

#[test]
fn bare_verdicts_are_told_from_statements() {
    for verdict in ["yes", "No.", "FALSE", " true ", "Nein!", "是。"] {
        assert!(is_verdict(verdict), "{verdict}");
    }
    for statement in ["Yes, since version 2.4.", "5 times", "", "no header", "Norway"] {
        assert!(!is_verdict(statement), "{statement}");
    }
}

#[test]
fn repeating_a_word_does_not_raise_the_share() {
    let once = check("daemon zebra", PASSAGE);
    assert_eq!(once.score, check("daemon daemon daemon zebra", PASSAGE).score);
    assert_eq!(once.score, 0.5);
}

#[test]
fn powers_of_ten_are_one_number() {
    for passage in [
        "The sun burns 3 × 10^6 t a second.",
        "The sun burns 3 × 10⁶ t a second.",
        "The sun burns 3*10^6 t a second.",
        "The sun burns 3 x 10^{6} t a second.",
        r"The sun burns $3 \times 10^{6}$ t a second.",
        "The sun burns 3e6 t a second.",
        "The sun burns 3 million t a second.",
        "The sun burns 3,000,000 t a second.",
    ] {
        for (answer, stands) in [
            ("3,000,000", true),
            ("3 × 10^6", true),
            ("3·10⁶", true),
            ("3e+6", true),
            ("3 million", true),
            ("3.0 × 10^6", true),
            ("30 × 10^5", true),
            ("106", false),
            ("3 × 106", false),
            ("3 × 10^5", false),
            ("300,000", false),
        ] {
            assert_eq!(check(answer, passage).holds(1.0), stands, "{answer} in {passage}");
        }
    }
    for (answer, stands) in [
        ("0.0004", true),
        ("4 × 10^-4", true),
        ("4 × 10⁻⁴", true),
        ("4 × 10^4", false),
        ("104", false),
    ] {
        assert_eq!(
            check(answer, "It is 4 × 10^-4 wide.").holds(1.0),
            stands,
            "{answer}"
        );
    }
    assert!(check("1024", "There are 2^10 of them.").holds(1.0));
    assert!(!check("210", "There are 2^10 of them.").holds(1.0));
}

#[test]
fn exponents_and_indices_belong_to_their_names() {
    let passage = "The plate of 5 m^2 holds H_2O and x^2 grams, see the note [12].";
    for (answer, stands) in [
        ("5 m²", true),
        ("5 m2", true),
        ("5 m^3", false),
        ("52", false),
        ("H2O", true),
        ("H₂O", true),
        ("x^2", true),
        ("x^3", false),
        ("note12", false),
    ] {
        assert_eq!(check(answer, passage).holds(1.0), stands, "{answer}");
    }
}
