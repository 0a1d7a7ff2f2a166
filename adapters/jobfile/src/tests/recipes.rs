//! Recipe files: what is wrong with one is shown at its line and column.

use std::fs;

use expect_test::{Expect, expect};

use crate::{recipe, recipe_file, render};

const SOUND: &str = "recipe: mine
version: 1
about: One of mine.
steps:
  - ask: facts
    prompt: facts
    reply:
      - facts: {texts: {at_least: 2}}
      - kind: {one_of: {names: [cause, cure]}}
      - score: {number: {min: 1, max: 5}}
      - reason: text
  - ask: question
    prompt: mine.txt
    reply:
      - question: question
  - distinct: question
  - ask: answer
    prompt: answer
    reply:
      - answer: answer
row: {form: instruction, question: question, answer: answer}
";
const PROMPT: &str = "version: 1\n=== user\nAsk about {{ kind }}: {{ facts | join(', ') }}.\n";

/// What is said of a recipe in which some words are others.
fn said(change: &[(&str, &str)]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut text = SOUND.to_owned();
    let mut prompt = PROMPT.to_owned();
    for (from, to) in change {
        assert!(text.contains(from) || prompt.contains(from), "{from}");
        text = text.replacen(from, to, 1);
        prompt = prompt.replacen(from, to, 1);
    }
    fs::write(folder.path().join("mine.txt"), prompt).unwrap();
    let file = folder.path().join("mine.yaml");
    fs::write(&file, text).unwrap();
    match recipe_file(&file) {
        Ok(_) => "nothing".to_owned(),
        Err(errors) => render(&errors, false).replace(&format!("{}/", folder.path().display()), ""),
    }
}

fn check(change: &[(&str, &str)], expected: Expect) {
    expected.assert_eq(&said(change));
}

#[test]
fn a_recipe_brings_its_prompts_along() {
    assert_eq!(said(&[]), "nothing");
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mine.txt"), PROMPT).unwrap();
    fs::write(folder.path().join("mine.yaml"), SOUND).unwrap();
    let file = recipe("mine.yaml", folder.path()).unwrap();
    assert_eq!(file.prompts.keys().collect::<Vec<_>>(), ["mine.txt"]);
    assert_eq!(recipe("self_play", folder.path()).unwrap().recipe, "self_play");
}

#[test]
fn a_wrong_key_type_or_field_is_shown_where_it_stands() {
    check(
        &[("at_least", "at_last")],
        expect![[r#"
        error[config]: unknown key `at_last`
         --> mine.yaml:8:25
        8 |       - facts: {texts: {at_last: 2}}
          |                         ^^^^^^^ did you mean `at_least`?
        help: nothing was spent; check with `gristmill recipe check mine.yaml`
    "#]],
    );
    check(
        &[("texts:", "text:")],
        expect![[r#"
        error[config]: unknown key `text`
         --> mine.yaml:8:17
        8 |       - facts: {text: {at_least: 2}}
          |                 ^^^^ did you mean `texts`?
        help: nothing was spent; check with `gristmill recipe check mine.yaml`
    "#]],
    );
    check(
        &[("question: question", "question: qestion")],
        expect![[r#"
        error[config]: `steps.1.reply.0.question` cannot be `qestion`
          --> mine.yaml:15:19
        15 |       - question: qestion
           |                   ^^^^^^^ did you mean `question`?
        help: nothing was spent; check with `gristmill recipe check mine.yaml`
    "#]],
    );
    check(
        &[("prompt: facts", "prompt: fact")],
        expect![[r#"
        error[file]: there is no prompt `fact`
         --> mine.yaml:6:13
        6 |     prompt: fact
          |             ^^^^ did you mean the built-in prompt `facts`?
        help: nothing was spent; check with `gristmill recipe check mine.yaml`
    "#]],
    );
    check(
        &[("distinct: question", "distinct: answer")],
        expect![[r#"
            error[config]: no step before it makes the field `answer`
              --> mine.yaml:16:15
            16 |   - distinct: answer
               |               ^^^^^^ name a field that a reply fills
            help: nothing was spent; check with `gristmill recipe check mine.yaml`
        "#]],
    );
    check(
        &[("{{ kind }}", "{{ kid }}")],
        expect![[r#"
            error[config]: the prompt `mine.txt` cannot be used: undefined value: `kid` is undefined (in 0:1)
              --> mine.yaml:13:13
            13 |     prompt: mine.txt
               |             ^^^^^^^^ a prompt shows the fields of its recipe (facts, kind, score, reason, question, answer) and the variables of built-in prompts
            help: nothing was spent; check with `gristmill recipe check mine.yaml`
        "#]],
    );
    check(
        &[("steps:", "step:")],
        expect![[r#"
        error[config]: unknown key `step`
         --> mine.yaml:4:1
        4 | step:
          | ^^^^ did you mean `steps`?
        help: nothing was spent; check with `gristmill recipe check mine.yaml`
    "#]],
    );
}

#[test]
fn a_name_that_is_nearly_one_says_which_was_meant() {
    let folder = tempfile::tempdir().unwrap();
    let errors = recipe("self_pla", folder.path()).unwrap_err();
    let shown = render(&errors, false).replace(&format!("{}/", folder.path().display()), "");
    expect![[r#"
        error[file]: there is no recipe `self_pla`
        --> self_pla
         = help: did you mean the built-in recipe `self_play`?
        help: nothing was spent
    "#]]
    .assert_eq(&shown);
}
