//! At which step of its recipe a rejected row was dropped, as far as its record says.
//!
//! A row keeps the calls that were made for it and the reason of its rejection, not the step itself. The two together name it: a candidate takes
//! its steps in their order, and each reason belongs to one kind of step.

use gristmill_domain::filter::Reason;
use gristmill_domain::recipe::{Demand, Does, Recipe, RejectsAs};
use gristmill_domain::row::Row;

/// Number of the step that a call's name belongs to: `answer`, `answer 3`, `critique 1, pass 2`.
pub(super) fn step_of(recipe: &Recipe, call: &str) -> Option<usize> {
    let call = call.split_once(", pass ").map_or(call, |(name, _)| name);
    let number = |name: &str| recipe.steps().iter().position(|step| step.name == name);
    number(call).or_else(|| number(call.rsplit_once(' ')?.0))
}

/// Number of the step that dropped a row; `None` where no step did: it is accepted, was not wanted any more, or its finished row was refused.
pub(super) fn left_at(recipe: &Recipe, row: &Row) -> Option<usize> {
    let mut step = dropped_by(recipe, row)?;
    // The ends of a loop make and drop nothing themselves: it is the step before.
    let is_end = |step: usize| {
        matches!(
            recipe.step(step).map(|step| &step.does),
            Some(Does::Repeat { .. } | Does::Again { .. })
        )
    };
    while step > 0 && is_end(step) {
        step -= 1;
    }
    Some(step)
}

fn dropped_by(recipe: &Recipe, row: &Row) -> Option<usize> {
    let rejection = row.rejection.as_ref()?;
    let asked: Vec<usize> = row
        .steps
        .iter()
        .filter_map(|taken| step_of(recipe, &taken.step))
        .collect();
    let (verdict, judge) = recipe.evidence();
    // Rows of versions before recipes name no calls: then what may have been asked is taken to have been.
    let unnamed = row.steps.is_empty() && !row.tasks.is_empty();
    let ballot = recipe.ballot().filter(|ballot| unnamed || asked.contains(ballot));
    let evidence =
        |step: Option<usize>| step.filter(|step| (unnamed || asked.contains(step)) && ballot.is_some());
    // Steps that are asked beside answers that vote are named before them or after: it is the votes that decide how far it came.
    let beside = |step: &&usize| ballot.is_some() && [verdict, judge].contains(&Some(**step));
    let last = asked.iter().filter(|step| !beside(step)).max().copied();
    let by_call = || last.or_else(|| first_call(recipe));
    match rejection.reason {
        Reason::Surplus | Reason::Calibration => None,
        Reason::CallFailed
        | Reason::Unfunded
        | Reason::Refusal
        | Reason::OutOfTokens
        | Reason::Truncated
        | Reason::Format
        | Reason::Repetition
        | Reason::Length
        | Reason::Quality
        | Reason::Language => by_call(),
        Reason::Changed => keeps_facts(recipe, last).or_else(by_call),
        Reason::ExactDuplicate
        | Reason::NearDuplicate
        | Reason::SemanticDuplicate
        | Reason::DuplicateOfSeed
        | Reason::DuplicateOfExisting
        | Reason::Contaminated
        | Reason::ParentCap => gate(recipe, last),
        Reason::Disagreement => ballot.or_else(by_call),
        Reason::Wrong => ballot
            .filter(|ballot| last == Some(*ballot))
            .or_else(|| recipe.last_answer())
            .or_else(by_call),
        Reason::Unanswerable => evidence(verdict)
            .or_else(|| demanded(recipe, row, last))
            .or_else(by_call),
        Reason::JudgedLow => evidence(judge)
            .or_else(|| demanded(recipe, row, last))
            .or_else(|| graded(recipe, last))
            .or_else(by_call),
        Reason::Ungrounded => demanded(recipe, row, last).or_else(by_call),
        Reason::Recipe => demanded(recipe, row, last).or_else(|| chooses(recipe, last)),
    }
}

fn first_call(recipe: &Recipe) -> Option<usize> {
    let calls = |does: &Does| matches!(does, Does::Ask(_) | Does::Judge(_) | Does::TagConcept);
    recipe.steps().iter().position(|step| calls(&step.does))
}

/// The step whose reply changed a fact: that of the last call, or the first that may have.
fn keeps_facts(recipe: &Recipe, last: Option<usize>) -> Option<usize> {
    let keeps = |number: &usize| recipe.ask(*number).is_some_and(|ask| ask.keeps_facts.is_some());
    last.filter(keeps)
        .or_else(|| (0..recipe.steps().len()).find(keeps))
}

/// The first gate after the last call; the last gate where there is none after it.
fn gate(recipe: &Recipe, last: Option<usize>) -> Option<usize> {
    let is_gate = |number: &usize| {
        let does = recipe.step(*number).map(|step| &step.does);
        matches!(does, Some(Does::Distinct { .. }))
    };
    let gates: Vec<usize> = (0..recipe.steps().len()).filter(is_gate).collect();
    let after = gates.iter().find(|gate| last.is_none_or(|last| **gate > last));
    after.or_else(|| gates.last()).copied()
}

/// The steps that may have dropped a candidate after its last call: that of the call, and those up to the next call.
fn since(recipe: &Recipe, last: Option<usize>) -> impl Iterator<Item = (usize, &Does)> {
    let from = last.unwrap_or(0);
    let steps = recipe.steps().iter().enumerate().skip(from);
    steps.map(|(number, step)| (number, &step.does))
}

/// The step whose condition did not hold. Its rejection quotes the condition, unless a field says why.
fn demanded(recipe: &Recipe, row: &Row, last: Option<usize>) -> Option<usize> {
    let rejection = row.rejection.as_ref()?;
    let demand = |does: &Does| -> Option<Demand> {
        match does {
            Does::Check(demand) => Some(demand.clone()),
            Does::Ask(ask) => ask.require.clone(),
            _ => None,
        }
    };
    let counts = |demand: &Demand| reason(demand.rejects_as) == rejection.reason;
    let mut found: Vec<(usize, Demand)> = since(recipe, last)
        .filter_map(|(number, does)| Some((number, demand(does)?)))
        .filter(|(_, demand)| counts(demand))
        .collect();
    let quoted = |demand: &Demand| {
        let condition = format!("`{}` ", demand.condition);
        rejection.detail.starts_with(&condition)
    };
    if let Some((number, _)) = found.iter().find(|(_, demand)| quoted(demand)) {
        return Some(*number);
    }
    found.retain(|(_, demand)| demand.because.is_some());
    found.first().map(|(number, _)| *number)
}

fn reason(rejects_as: RejectsAs) -> Reason {
    match rejects_as {
        RejectsAs::Unanswerable => Reason::Unanswerable,
        RejectsAs::Ungrounded => Reason::Ungrounded,
        RejectsAs::JudgedLow => Reason::JudgedLow,
        RejectsAs::Recipe => Reason::Recipe,
    }
}

/// The judge that gave too few points, or the choice that looked at them.
fn graded(recipe: &Recipe, last: Option<usize>) -> Option<usize> {
    let is_choice = |does: &Does| matches!(does, Does::Choose { .. });
    let passes = |does: &Does| match does {
        // With samples, the points decide at the choice.
        Does::Judge(_) => !recipe.steps().iter().any(|step| is_choice(&step.does)),
        does => is_choice(does),
    };
    since(recipe, last)
        .find(|(_, does)| passes(does))
        .map(|(number, _)| number)
}

fn chooses(recipe: &Recipe, last: Option<usize>) -> Option<usize> {
    let choice = |does: &Does| matches!(does, Does::Choose { .. });
    since(recipe, last)
        .find(|(_, does)| choice(does))
        .map(|(number, _)| number)
}

#[cfg(test)]
mod tests {
    use gristmill_domain::filter::Rejection;
    use gristmill_domain::id::{ContentId, TaskId};
    use gristmill_domain::recipe::built_in;
    use gristmill_domain::row::TakenStep;

    use super::*;

    fn row(calls: &[&str], reason: Reason, detail: &str) -> Row {
        let id = ContentId::of(&[b"row"]);
        let mut row: Row = serde_json::from_value(serde_json::json!({
            "id": id, "position": {"round": 0, "index": 0}, "seed": 0, "family": 0, "seed_id": id, "strategy": "new_question", "concept": null,
            "question": "", "reasoning": "", "answer": "", "teacher": "t", "teacher_version": "t", "prompts": [], "tasks": [], "costs": [],
            "checks": {"correct": null, "votes": null, "judgements": [], "details": []}, "depth": 1, "rejection": null,
        }))
        .unwrap();
        row.steps = calls
            .iter()
            .map(|call| TakenStep {
                step: (*call).to_owned(),
                prompt: String::new(),
                model: "t".to_owned(),
            })
            .collect();
        row.tasks = vec![TaskId::of(&[b"task"]); calls.len()];
        row.rejection = Some(Rejection::new(reason, detail));
        row
    }

    /// Name of the step that dropped a row.
    fn left(recipe: &str, calls: &[&str], reason: Reason, detail: &str) -> Option<String> {
        let recipe = built_in(recipe).unwrap();
        let step = left_at(&recipe, &row(calls, reason, detail))?;
        let said = match &recipe.step(step).unwrap().does {
            Does::Distinct { .. } => "distinct".to_owned(),
            Does::Choose { .. } => "choose".to_owned(),
            _ => recipe.step(step).unwrap().name.clone(),
        };
        Some(said)
    }

    #[test]
    fn a_new_question_is_dropped_where_its_reason_belongs() {
        let left = |calls: &[&str], reason| left("new_question", calls, reason, "why").unwrap_or_default();
        assert_eq!(left(&["question"], Reason::Format), "question");
        assert_eq!(left(&["question"], Reason::NearDuplicate), "distinct");
        assert_eq!(
            left(&["question", "answerable"], Reason::Unanswerable),
            "answerable"
        );
        assert_eq!(
            left(
                &["question", "answer 1", "answer 2", "answerable"],
                Reason::Unanswerable
            ),
            "answerable"
        );
        assert_eq!(
            left(&["question", "answer 1", "answer 2"], Reason::Disagreement),
            "answer"
        );
        assert_eq!(
            left(&["question", "answer 1", "grade 1"], Reason::JudgedLow),
            "grade"
        );
        assert_eq!(
            left(&["question", "answer 1", "grade 1"], Reason::Unfunded),
            "answer"
        );
        assert_eq!(
            left(&["question", "answer 1"], Reason::Surplus),
            "",
            "no step dropped it"
        );
        assert_eq!(left(&[], Reason::Unfunded), "question", "nobody was asked");
    }

    #[test]
    fn loops_and_choices_drop_at_a_step_that_is_shown() {
        let revised = ["draft", "critique", "revision", "critique, pass 2"];
        assert_eq!(
            left("critique_revise", &revised, Reason::Wrong, "differs").as_deref(),
            Some("revision")
        );
        assert_eq!(
            left("critique_revise", &revised, Reason::ExactDuplicate, "").as_deref(),
            Some("distinct")
        );
        assert_eq!(
            left(
                "critique_revise",
                &["draft", "critique", "grade 1"],
                Reason::JudgedLow,
                ""
            )
            .as_deref(),
            Some("grade")
        );
        let judged = ["answer 1", "answer 2", "grade 1", "grade 2"];
        assert_eq!(
            left(
                "preference_pairs",
                &judged,
                Reason::Recipe,
                "the best answer leads"
            )
            .as_deref(),
            Some("choose")
        );
        assert_eq!(
            left("rejection_sampling", &judged, Reason::JudgedLow, "").as_deref(),
            Some("choose")
        );
        assert_eq!(
            left(
                "revision_pairs",
                &["draft", "critique"],
                Reason::Recipe,
                "it is good"
            )
            .as_deref(),
            Some("critique")
        );
    }

    #[test]
    fn calls_are_known_by_their_names() {
        let recipe = built_in("critique_revise").unwrap();
        let step = |call: &str| step_of(&recipe, call).map(|step| recipe.step(step).unwrap().name.clone());
        assert_eq!(step("critique, pass 2").as_deref(), Some("critique"));
        assert_eq!(step("grade 3").as_deref(), Some("grade"));
        assert_eq!(step("nothing 3"), None);
    }
}
