//! What people and programs are shown.

use super::{Folder, HEAD};
use crate::load::load_with;
use crate::render;

/// The example of the terminal's design.
#[test]
fn an_unknown_key_is_shown_in_four_lines_and_a_way_on() {
    let folder = Folder::new();
    let text = "# one\n# two\n# three\n# four\n# five\n# six\nseeds: {path: seeds.jsonl}\nbudget: {calls: 5}\nfilter:\n  validator: {kind: number}\n\n# thirteen\nholdout:\n  tst: gpt-4o\nteacher: {local: a}\n";
    let errors = folder.load(text, &[]).unwrap_err();
    let shown = render(&errors, false).replace(&format!("{}/", folder.0.path().display()), "");
    let wanted = "error[config]: unknown key `tst`\n  --> job.yaml:14:3\n14 |   tst: gpt-4o\n   |   ^^^ did you mean `test`?\nhelp: nothing was spent; check with `gristmill plan job.yaml`\n";
    assert_eq!(shown, wanted);
}

#[test]
fn the_designs_own_example() {
    let folder = Folder::new();
    let head = "a\n".repeat(12).replace('a', "#");
    // A misspelled section, in a file indented as a whole.
    folder.write(
        "med.yaml",
        format!("{head}  seeds: {{path: seeds.jsonl}}\n  teachr: gpt-4o\n  budget: {{calls: 5}}\n"),
    );
    let errors = load_with(&folder.path("med.yaml"), &[], Some(&|_| true)).unwrap_err();
    let shown = render(&errors, false).replace(&format!("{}/", folder.0.path().display()), "");
    let wanted = "error[config]: unknown key `teachr`\n  --> med.yaml:14:3\n14 |   teachr: gpt-4o\n   |   ^^^^^^ did you mean `teacher`?\nhelp: nothing was spent; check with `gristmill plan med.yaml`\n";
    assert_eq!(shown, wanted);
}

#[test]
fn color_adds_styles_and_nothing_else() {
    let errors = Folder::new()
        .load(format!("{HEAD}teachr: {{}}\n"), &["generate.rws=1"])
        .unwrap_err();
    let (plain, styled) = (render(&errors, false), render(&errors, true));
    assert!(!plain.contains('\u{1b}') && styled.contains('\u{1b}'));
    let mut bare = String::new();
    let mut rest = styled.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        bare.push_str(&rest[..at]);
        rest = &rest[at + rest[at..].find('m').unwrap() + 1..];
    }
    bare.push_str(rest);
    assert_eq!(bare, plain);
}

#[test]
fn programs_get_the_same_as_json() {
    let folder = Folder::new();
    let errors = folder.load(format!("{HEAD}teachr: {{}}\n"), &[]).unwrap_err();
    let file = folder.path("job.yaml").display().to_string();
    let wanted = serde_json::json!([{"code": "config", "message": "unknown key `teachr`", "file": file, "line": 5, "column": 1, "help": "did you mean `teacher`?"}]);
    assert_eq!(errors.to_json(), wanted);
}

#[test]
fn no_key_is_ever_shown() {
    let folder = Folder::new();
    let key = "sk-proj-Ab12Cd34Ef56Gh78";
    folder.write("a.key", key);
    for text in [
        format!("{HEAD}api_key: {key}\n"),
        format!("{HEAD}api_key: hunter22 x\n"),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            &format!("{{base_url: 'http://h/v1', model: m, api_key: {key}}}"),
        ),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            &format!("{{base_url: 'http://h/v1', model: m, key_env: {key}}}"),
        ),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            &format!("{{base_url: 'http://h/v1', model: m, key_file: {key}}}"),
        ),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            &format!("{{base_url: 'http://h/v1', modle: m, headers: {{Authorization: Bearer {key}}}}}"),
        ),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            &format!("{{base_url: 'http://h/v1', model: m, key_env: \"{key}}}"),
        ),
        HEAD.replace(
            "{local: smollm2-135m-instruct}",
            "{base_url: 'http://h/v1', model: 5, key_file: a.key, headers: {X-Secret: hunter22}}",
        ),
    ] {
        let errors = folder.load(&text, &[]).unwrap_err();
        let shown = format!(
            "{}{}{}{errors}",
            render(&errors, false),
            render(&errors, true),
            errors.to_json()
        );
        assert!(
            !shown.contains(key) && !shown.contains("hunter22"),
            "{text}\n{shown}"
        );
    }
    let errors = folder
        .load(
            HEAD,
            &[
                &format!("teacher.api_key={key}"),
                &format!("teacher.key_env={key}"),
            ],
        )
        .unwrap_err();
    let shown = format!("{}{}", render(&errors, false), errors.to_json());
    assert!(!shown.contains(key), "{shown}");
}

#[test]
fn long_lines_and_strange_characters_stay_readable() {
    let folder = Folder::new();
    let errors = folder
        .load(
            format!("{HEAD}généré: {{subject: \"{}\"}}\n", "x".repeat(100_000)),
            &[],
        )
        .unwrap_err();
    let shown = render(&errors, false);
    assert!(shown.len() < 2_000 && shown.contains("^^^^^^"), "{}", shown.len());
    let errors = folder.load(format!("{HEAD}a\u{202e}b: 1\n"), &[]).unwrap_err();
    assert!(!render(&errors, false).contains('\u{202e}'));
}
