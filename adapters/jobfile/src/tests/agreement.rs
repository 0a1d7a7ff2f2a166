//! When several answers agree enough, as a job says it.

use gristmill_domain::job::Agreement;

use super::{Folder, HEAD};

fn with(agreement: &str) -> String {
    format!("{HEAD}generate:\n  agreement: {agreement}\n")
}

#[test]
fn good_values_arrive_and_the_rest_has_its_defaults() {
    let folder = Folder::new();
    let read = |text: &str| folder.load(with(text), &[]).unwrap().job.generate.agreement;
    assert_eq!(read("{}"), Agreement::default());
    let plain = read("{}");
    assert_eq!((plain.accuracy(), plain.max_samples()), (0.99, 10));
    let measured = read("{accuracy: 0.95, required: true, max_samples: 16}");
    assert_eq!(
        (measured.accuracy(), measured.required, measured.max_samples()),
        (0.95, true, 16)
    );
    for accuracy in ["0.51", "0.9999"] {
        let read = read(&format!("{{accuracy: {accuracy}}}"));
        assert_eq!(read.accuracy().to_string(), accuracy);
    }
    let fixed = read("{lead: 2}");
    assert_eq!((fixed.lead, fixed.max_samples()), (Some(2), 6));
    let one = read("{lead: 1, max_samples: 1}");
    assert_eq!((one.lead, one.max_samples()), (Some(1), 1));
    let job = folder
        .load(HEAD, &["generate.agreement.accuracy=0.9"])
        .unwrap()
        .job;
    assert_eq!(job.generate.agreement.accuracy(), 0.9);
}

/// What is written behind `agreement:`, the column of the first error in line 6 (that of `agreement` where the key in question is left
/// out), parts of its message and of its help.
const BAD: [(&str, usize, &str, &str); 21] = [
    (
        "{min_f1: 0.6}",
        23,
        "`generate.agreement.min_f1` does nothing beside a validator",
        "leave it out",
    ),
    (
        "{accuracy: 0.5}",
        25,
        "`generate.agreement.accuracy` is 0.5",
        "above 0.5 and below 1",
    ),
    (
        "{accuracy: 1}",
        25,
        "`generate.agreement.accuracy` is 1",
        "above 0.5 and below 1",
    ),
    (
        "{accuracy: 99}",
        25,
        "`generate.agreement.accuracy` is 99",
        "above 0.5 and below 1",
    ),
    (
        "{accuracy: -0.9}",
        25,
        "`generate.agreement.accuracy` is -0.9",
        "above 0.5 and below 1",
    ),
    ("{accuracy: .nan}", 25, "`generate.agreement.accuracy`", ""),
    (
        "{accuracy: high}",
        25,
        "`generate.agreement.accuracy` must be a number",
        "give a number",
    ),
    (
        "{required: 1}",
        25,
        "`generate.agreement.required` must be `true` or `false`",
        "true",
    ),
    (
        "{required: yes}",
        25,
        "`generate.agreement.required` must be `true` or `false`",
        "write `true`",
    ),
    (
        "{lead: 0}",
        21,
        "`generate.agreement.lead` is 0",
        "give at least 1",
    ),
    (
        "{lead: -1}",
        21,
        "`generate.agreement.lead` is -1",
        "from 0 to 4294967295",
    ),
    (
        "{lead: 1.5}",
        21,
        "`generate.agreement.lead` must be a whole number",
        "",
    ),
    (
        "{lead: 7}",
        3,
        "`generate.agreement.max_samples` is 6: so few answers can never lead by 7",
        "give at least 7",
    ),
    (
        "{lead: 3, max_samples: 2}",
        37,
        "`generate.agreement.max_samples` is 2: so few answers can never lead by 3",
        "give at least 3",
    ),
    (
        "{lead: 2, accuracy: 0.9}",
        34,
        "`generate.agreement.accuracy` does nothing beside a fixed `lead`",
        "leave `lead` out",
    ),
    (
        "{lead: 2, required: true}",
        34,
        "`generate.agreement.required` does nothing beside a fixed `lead`",
        "leave `lead` out",
    ),
    (
        "{max_samples: 0}",
        28,
        "`generate.agreement.max_samples` is 0",
        "give at least 1",
    ),
    (
        "{max_samples: 17}",
        28,
        "`generate.agreement.max_samples` is 17",
        "give at most 16",
    ),
    (
        "{max_samples: many}",
        28,
        "`generate.agreement.max_samples` must be a whole number",
        "give a whole number",
    ),
    (
        "{acuracy: 0.9}",
        15,
        "unknown key `acuracy`",
        "did you mean `accuracy`?",
    ),
    (
        "{max_sample: 4}",
        15,
        "unknown key `max_sample`",
        "did you mean `max_samples`?",
    ),
];

#[test]
fn bad_values_are_named_with_their_place_and_their_range() {
    let folder = Folder::new();
    for (agreement, column, message, help) in BAD {
        let errors = folder.load(with(agreement), &[]).unwrap_err();
        let first = errors.iter().next().unwrap();
        assert!(
            first.message().contains(message) && first.help().contains(help),
            "{agreement}: {first:?}"
        );
        assert_eq!(errors.line_column(first), Some((6, column)), "{agreement}");
    }
    for (key, meant) in [("require", "required"), ("leed", "lead")] {
        let errors = folder.load(with(&format!("{{{key}: 1}}")), &[]).unwrap_err();
        let first = errors.iter().next().unwrap();
        assert!(
            first.help().contains(&format!("did you mean `{meant}`?")),
            "{first:?}"
        );
    }
}

#[test]
fn open_answers_vote_only_where_the_job_says_when_they_are_the_same() {
    let folder = Folder::new();
    let open = |agreement: &str| {
        let head = HEAD.replace(
            "filter: {validator: {kind: number}}",
            "judge: {local: smollm2-135m-instruct}",
        );
        folder.load(format!("{head}generate:\n  agreement: {agreement}\n"), &[])
    };
    let job = open("{min_f1: 0.6, accuracy: 0.95}").unwrap().job;
    assert_eq!((job.answers_vote(), job.meaning_f1()), (true, Some(0.6)));
    let job = open("{}").unwrap().job;
    assert_eq!((job.answers_vote(), job.meaning_f1()), (false, None));
    for (agreement, message, help) in [
        (
            "{accuracy: 0.95}",
            "`generate.agreement` does nothing",
            "min_f1: 0.6",
        ),
        (
            "{lead: 3}",
            "`generate.agreement` does nothing",
            "filter.validator",
        ),
        ("{min_f1: 1.6}", "1.6 is not between 0 and 1", "from 0 to 1"),
    ] {
        let errors = open(agreement).unwrap_err();
        let first = errors.iter().next().unwrap();
        assert!(
            first.message().contains(message) && first.help().contains(help),
            "{agreement}: {first:?}"
        );
    }
}
