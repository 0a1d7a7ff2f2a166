//! Answers side by side: without names to vote on, and with names, grades and the right answer after the vote.

use gristmill_runs::evaluation::{Arena, Choice, Contest, StoredAnswer, StoredItem, Vote};
use maud::{Markup, html};

use super::long_text::{block, cut};
use crate::text::Shown;

/// The address of the whole of a text, by its name.
type Whole<'a> = &'a dyn Fn(&str) -> String;

/// The right answers of a question, as one text.
pub(super) fn references(item: &StoredItem) -> String {
    item.references.join("\nor ")
}

/// The question with its passage.
fn question(contest: &Contest<'_>, whole: Whole<'_>) -> Markup {
    html! {
        section aria-labelledby="question-title" {
            h2 #question-title { "Question" }
            (cut(&contest.item.question, &whole("question")))
            @if let Some(passage) = &contest.item.context {
                details #passage open { summary { "Passage" } div.passage { (cut(passage, &whole("passage"))) } }
            }
        }
    }
}

/// Answers without names, with a form to vote by where the visitor may: its address and token.
pub(super) fn blind(contest: &Contest<'_>, form: Option<(&str, &str)>, whole: Whole<'_>) -> Markup {
    let answers = html! {
        div.answers { @for (place, answer) in (1..).zip(&contest.answers) {
            section.answer aria-labelledby={ "answer-" (place) } {
                h3 id={ "answer-" (place) } { "Answer " (place) }
                (cut(&answer.reply, &whole(&place.to_string())))
                @if form.is_some() {
                    button name="choice" value=(place) data-key=(place) { "Answer " (place) " is the best " kbd { (place) } }
                }
            }
        } }
    };
    html! {
        (question(contest, whole))
        @match form {
            None => (answers),
            Some((address, token)) => form method="post" action=(address) {
                input type="hidden" name="form_token" value=(token);
                (answers)
                (neither(contest))
            },
        }
    }
}

/// Buttons for votes that name no answer.
fn neither(contest: &Contest<'_>) -> Markup {
    html! {
        div.acts {
            button name="choice" value="tie" data-key="t" { "Equally good " kbd { "t" } }
            button name="choice" value="bad" data-key="b" { (bad(contest)) " " kbd { "b" } }
        }
    }
}

fn bad(contest: &Contest<'_>) -> &'static str {
    match contest.answers.len() {
        2 => "Both are bad",
        _ => "All are bad",
    }
}

/// Answers with the names of their models, their grades and the right answer, and a form to change the vote by.
pub(super) fn revealed(
    contest: &Contest<'_>,
    vote: &Vote,
    arena: &Arena,
    (address, token): (&str, &str),
    whole: Whole<'_>,
) -> Markup {
    let is_best = |answer: &StoredAnswer| vote.choice == Choice::Best(answer.model.clone());
    html! {
        p.verdict.good { span.sign aria-hidden="true" { "✓" } (said(contest, vote)) }
        (question(contest, whole))
        section aria-labelledby="reference-title" {
            h2 #reference-title { "Right answer" }
            (cut(&references(contest.item), &whole("reference")))
            @if !contest.item.references.contains(&contest.item.answer) && !contest.item.answer.is_empty() {
                (block("As a person wrote it", &contest.item.answer, &whole("written")))
            }
        }
        div.answers { @for (place, answer) in (1..).zip(&contest.answers) {
            section.answer.chosen[is_best(answer)] aria-labelledby={ "answer-" (place) } {
                h3 id={ "answer-" (place) } { "Answer " (place) ": " (Shown(&answer.model)) " (" (role(arena, &answer.model)) ")" }
                p { (grade(answer)) @if is_best(answer) { " · your vote" } }
                (cut(&answer.reply, &whole(&place.to_string())))
                @if !answer.detail.is_empty() { p.quiet { (Shown(&answer.detail)) } }
            }
        } }
        details #change {
            summary { "Change the vote" }
            p.quiet { "You know by now whose the answers are: a vote that is changed counts in the place of the first one, and is marked." }
            form method="post" action=(address) {
                input type="hidden" name="form_token" value=(token);
                div.acts { @for (place, _) in (1..).zip(&contest.answers) {
                    button name="choice" value=(place) { "Answer " (place) " is the best" }
                } }
                div.acts {
                    button name="choice" value="tie" { "Equally good" }
                    button name="choice" value="bad" { (bad(contest)) }
                }
            }
        }
    }
}

fn said(contest: &Contest<'_>, vote: &Vote) -> Markup {
    let place = |model: &String| contest.answers.iter().position(|answer| answer.model == *model);
    html! {
        @match &vote.choice {
            Choice::Best(model) => {
                "You voted for answer " (place(model).map_or(0, |place| place + 1)) ", which is of " (Shown(model)) "."
            },
            Choice::Tie => "You called the answers equally good.",
            Choice::Bad => "You called the answers bad.",
        }
    }
}

fn role<'a>(arena: &'a Arena, model: &str) -> &'a str {
    let mut models = arena.models().iter();
    models
        .find(|(name, _)| name == model)
        .map_or("", |(_, role)| role.name())
}

/// The grade as a mark.
fn grade(answer: &StoredAnswer) -> Markup {
    let grade = answer.graded.grade;
    let (class, sign, word) = match (grade.is_correct(), grade.attempted()) {
        (true, _) => ("good", "✓", "graded right"),
        (false, true) => ("bad", "✗", "graded wrong"),
        (false, false) => ("quiet", "–", "not attempted"),
    };
    html! { span.state.(class) { span.sign aria-hidden="true" { (sign) } (word) } }
}
