//! Bytes, sizes, files, overrides and prices that are no part of the table; and that nothing panics.

use proptest::prelude::*;

use super::{Folder, HEAD};

#[test]
fn bytes_that_are_no_text_are_named_by_offset() {
    let folder = Folder::new();
    let error = folder.load(b"seeds:\n  path: \xff\n", &[]).unwrap_err();
    assert!(error.to_string().contains("byte 15, in line 2"), "{error}");
    let error = folder.load(b"\xff\xfes\0", &[]).unwrap_err();
    assert!(error.to_string().contains("UTF-16"), "{error}");
}

#[test]
fn what_is_too_much_is_refused_early() {
    let folder = Folder::new();
    let long = folder.load(vec![b'#'; 1024 * 1024 + 1], &[]).unwrap_err();
    assert!(long.to_string().contains("longer than 1024 KiB"), "{long}");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        bomb.push_str(&format!(
            "a{i}: &a{i} [{}]\n",
            vec![format!("*a{}", i - 1); 10].join(", ")
        ));
    }
    let bomb = folder.load(bomb, &[]).unwrap_err();
    assert!(bomb.to_string().contains("aliases written out"), "{bomb}");
    for levels in [70, 100_000] {
        let deep = folder.load("[".repeat(levels), &[]).unwrap_err();
        assert!(deep.to_string().contains("deeper than 64"), "{deep}");
    }
    let itself = folder.load("a: &a [*a]\n", &[]).unwrap_err();
    assert!(itself.to_string().contains("alias"), "{itself}");
}

#[test]
fn missing_files_are_told_with_the_nearest_name() {
    let folder = Folder::new();
    folder.write("job.yaml", HEAD);
    let error = crate::load(&folder.path("jb.yaml"), &[], crate::Keys::Here).unwrap_err();
    let first = error.iter().next().unwrap();
    assert!(
        first.message().contains("there is no job file") && first.help().contains("job.yaml`?"),
        "{first:?}"
    );
    let said = crate::render(&error, false);
    assert!(
        said.ends_with("help: nothing was spent\n"),
        "there is nothing to check: {said}"
    );
    let error = crate::load(&folder.path("unlike-any"), &[], crate::Keys::Here).unwrap_err();
    assert!(!error.to_string().contains("relative to"), "{error}");
    let error = crate::load(folder.0.path(), &[], crate::Keys::Here).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
}

#[test]
fn overrides_are_named_when_they_are_wrong() {
    let folder = Folder::new();
    for (text, message, help) in [
        (
            "generate.rws=5",
            "unknown key `generate.rws`",
            "did you mean `generate.rows`?",
        ),
        ("rows=5", "unknown key `rows`", "belongs to `generate`"),
        (
            "generate.rows=many",
            "`generate.rows` must be a whole number",
            "give a whole number",
        ),
        ("generate.rows", "without `=`", "--set key.path=value"),
        ("=5", "is no key path", "--set key.path=value"),
        ("generate..rows=5", "is no key path", "--set key.path=value"),
        ("teacher.3.weight=2", "`teacher` has no item 3", "single value"),
        ("seeds.path.x=2", "so it has no `x`", ""),
        ("generate.rows.x=2", "so it has no `x`", ""),
        ("holdout.test=1.5", "is a share", "from 0 to 1"),
        ("generate.subject=[a", "not closed", "close it"),
        ("seeds.path=none.jsonl", "no such file", "relative"),
    ] {
        let errors = folder.load(HEAD, &[text]).unwrap_err();
        let first = errors.iter().next().unwrap();
        assert!(
            first.message().contains(message) && first.help().contains(help),
            "{text}: {first:?}"
        );
        assert_eq!(errors.line_column(first), None, "{text}");
        assert!(
            crate::render(&errors, false).contains(&format!("from `--set {text}`")),
            "{}",
            crate::render(&errors, false)
        );
        assert_eq!(errors.to_json()[0]["override"], text);
    }
    let two = format!(
        "{}\n",
        HEAD.replace("{local: smollm2-135m-instruct}", "[{local: a}, {local: b}]")
    );
    let error = folder.load(&two, &["teacher.weight=2"]).unwrap_err();
    assert!(error.to_string().contains("`teacher` is a list of 2"), "{error}");
    let error = folder.load(&two, &["teacher.2.weight=2"]).unwrap_err();
    assert!(error.to_string().contains("`teacher` has no item 2"), "{error}");
}

#[test]
fn a_price_file_is_checked_like_a_job() {
    let folder = Folder::new();
    let job = "seeds: {path: seeds.jsonl}\nteacher: {base_url: 'http://h/v1', model: m}\nbudget: {usd: 5, price_file: p.yaml}\nfilter: {validator: {kind: number}}\n";
    for (prices, place, message) in [
        ("m: {input: 1, ouput: 2}\n", (1, 15), "unknown key `ouput`"),
        ("m: {input: 1}\n", (1, 1), "`m` has no `output`"),
        (
            "m: {input: -1, output: 2}\n",
            (1, 1),
            "a price of `m` is negative",
        ),
        ("m: {input: a, output: 2}\n", (1, 12), "must be a number"),
        ("m: [1\n", (2, 1), "not closed"),
    ] {
        folder.write("p.yaml", prices);
        let errors = folder.load(job, &[]).unwrap_err();
        let first = errors.iter().next().unwrap();
        assert!(first.message().contains(message), "{prices}: {first:?}");
        assert_eq!(errors.line_column(first), Some(place), "{prices}");
        assert!(errors.to_json()[0]["file"].as_str().unwrap().ends_with("p.yaml"));
    }
}

proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(?s).{0,300}", set in "(?s).{0,60}") {
        if let Err(errors) = Folder::new().load(&text, &[&set]) {
            prop_assert!(!errors.is_empty());
            crate::render(&errors, true);
            crate::render(&errors, false);
            errors.to_json();
        }
    }

    #[test]
    fn damaged_jobs_never_panic(at in 0usize..400, junk in r#"[\[\]{}:,&*!|>'"%@`#\-? \t\r\né🦀\u{feff}\u{202e}~0-9a-z]{0,8}"#, drop in 0usize..12) {
        let mut text: Vec<char> = "seeds:\n  path: seeds.jsonl\n  fields: &f {question: q, answer: a}\nteacher:\n  - local: smollm2-135m-instruct\n    weight: 2\nbudget: {calls: 100, max_attempts: 2}\nfilter:\n  validator: {kind: label, labels: [\"yes\", 'no']}\n  rules:\n    answer_words: {min: 1, max: ~}\ngenerate:\n  subject: |\n    größer\n    🦀\n  reasoning: true\n".chars().collect();
        let at = at.min(text.len());
        let end = (at + drop).min(text.len());
        text.splice(at..end, junk.chars());
        let text: String = text.into_iter().collect();
        if let Err(errors) = Folder::new().load(&text, &[]) {
            let shown = crate::render(&errors, false);
            prop_assert!(shown.contains("error["));
            for error in errors.iter() {
                if let Some((line, column)) = errors.line_column(error) {
                    let lines: Vec<&str> = text.trim_start_matches('\u{feff}').split('\n').collect();
                    prop_assert!(line <= lines.len() && column <= lines[line - 1].chars().count() + 1, "{line}:{column} {error:?}");
                }
            }
        }
    }
}

#[test]
fn columns_that_do_nothing_or_contradict_each_other_are_refused() {
    let folder = Folder::new();
    for (fields, message, help) in [
        (
            "{choices: options, choices_from: 2}",
            "options counted from 2",
            "give 0 or 1",
        ),
        (
            "{question: messages, answer: messages}",
            "the same column, `messages`",
            "`messages.user` and `messages.assistant`",
        ),
    ] {
        let text = HEAD.replace(
            "{path: seeds.jsonl}",
            &format!("{{path: seeds.jsonl, fields: {fields}}}"),
        );
        let shown = crate::render(&folder.load(text, &[]).unwrap_err(), false);
        assert!(shown.contains(message) && shown.contains(help), "{shown}");
    }
}
