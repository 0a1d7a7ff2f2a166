//! Candidates that share a reply.

use std::collections::BTreeSet;

use gristmill_domain::id::TaskId;
use gristmill_domain::plan::PlannedRecipe;
use gristmill_domain::reply::{Record, Value};

use super::*;

/// New questions of which five share a reply, beside those that are asked for one by one.
fn diverse(candidates: [u64; 2]) -> Stage {
    let names = ["diverse_questions", "new_question"];
    let recipes = names.map(|name| StoredRecipe {
        file: built_in(name).unwrap().file().clone(),
        weight: 1.0,
    });
    let mut stage = Stage::new([0, 0, candidates.iter().sum()], json!({}), json!({}));
    let job = json!({"seeds": {"path": "s.jsonl"}, "generate": {}});
    (stage.setup, stage.seeds) = scripted::setup_with(job, &recipes);
    let planned = stage.setup.recipes().iter().zip(candidates);
    stage.plan.recipes = planned
        .map(|(used, candidates)| PlannedRecipe {
            recipe: used.recipe.name().to_owned(),
            strategy: Strategy::NewQuestion,
            candidates,
            shared_by: used.recipe.shared_by(),
        })
        .collect();
    stage
}

/// Calls that asked for a question, and the candidates at whose places they stand.
fn questions_asked(rows: &[Row]) -> BTreeMap<TaskId, Vec<u64>> {
    let mut asked: BTreeMap<TaskId, Vec<u64>> = BTreeMap::new();
    for row in rows {
        let calls = row
            .tasks
            .iter()
            .zip(&row.steps)
            .filter(|(_, taken)| taken.step.starts_with("question"));
        for (task, _) in calls {
            asked.entry(*task).or_default().push(row.position.index);
        }
    }
    asked
}

#[test]
fn five_candidates_share_a_call_its_seed_and_its_cost_and_each_takes_its_own_record() {
    let stage = diverse([13, 0]);
    let script = |task: &Task| match name(task).as_str() {
        "question" => {
            let record = |n: u64| {
                let question = format!("Of {} and {n} pears, how many are left?", 20 + task.address.index);
                Record::Fields(Fields::from([("question".into(), Value::Text(question))]))
            };
            fields(&[("questions", Value::Records((0..4).map(record).collect()))])
        }
        "answerable" => verified(true, "complete", Some(answer(7, None))),
        _ => answered(answer(7, None)),
    };
    let rows = stage.run(&script);
    let asked = questions_asked(&rows);
    let mut groups: Vec<Vec<u64>> = asked.values().cloned().collect();
    groups.sort();
    assert_eq!(
        groups,
        [vec![0, 1, 2, 3, 4], vec![5, 6, 7, 8, 9], vec![10, 11, 12]]
    );
    for group in &groups {
        let of = |index: &u64| &rows[*index as usize];
        assert!(group.iter().all(|index| of(index).seed == of(&group[0]).seed));
        let calls: Vec<u64> = group.iter().map(|index| of(index).costs[0].1.calls).collect();
        assert_eq!(calls.iter().sum::<u64>(), 1, "the call is paid once: {calls:?}");
    }
    let seeds: BTreeSet<u64> = groups.iter().map(|group| rows[group[0] as usize].seed).collect();
    assert_eq!(
        seeds.len(),
        3,
        "the groups start from seeds in turn, not from every fifth"
    );
    // Four questions were listed: the fifth candidate of each whole group has none.
    let short: Vec<u64> = rows
        .iter()
        .filter(|row| row.question.is_empty())
        .map(|row| row.position.index)
        .collect();
    assert_eq!(short, [4, 9]);
    let rejection = rows[4].rejection.as_ref().unwrap();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (
            Reason::Format,
            "`questions` lists 4, and this candidate takes number 5"
        )
    );
    assert_eq!(rows[6].question, "Of 25 and 1 pears, how many are left?");
}

#[test]
fn a_shared_reply_that_cannot_be_read_is_asked_for_once_more_for_all() {
    let asked = std::cell::Cell::new(0);
    let script = |task: &Task| match &task.work {
        Work::Chat { reply, .. } if reply.name == "question" => {
            asked.set(asked.get() + 1);
            unreadable()
        }
        _ => answered(answer(7, None)),
    };
    let rows = diverse([5, 0]).run(&script);
    assert_eq!(asked.get(), 2);
    assert!(
        rows.iter()
            .all(|row| row.rejection.as_ref().unwrap().reason == Reason::Format)
    );
    assert_eq!(rows.iter().map(|row| row.cost().calls).sum::<u64>(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn candidates_that_share_a_reply_are_the_same_however_it_comes_and_whenever_the_round_is_cut(
        stop in 0usize..64, order in prop::collection::vec(any::<prop::sample::Index>(), 1..80),
    ) {
        let stage = diverse([33, 19]);
        let calls = std::cell::RefCell::new(BTreeSet::new());
        let script = |task: &Task| {
            calls.borrow_mut().insert(task.id);
            teacher(task)
        };
        let expected = stage.run(&script);
        let calls_expected = calls.take();
        let mut places = order.iter().cycle();
        let mut next = |open: usize| places.next().unwrap().index(open);
        let before = stage.drive(&[], stop, &script, &mut next);
        let all = stage.drive(&before, usize::MAX, &script, &mut next);
        prop_assert_eq!(settled(&all), settled(&expected));
        // A candidate that begins after the cut asks for the very task that those before it asked for.
        prop_assert_eq!(calls.take(), calls_expected);
        let paid: u64 = all.iter().map(|row| row.cost().calls).sum();
        let tasks: BTreeSet<TaskId> = all.iter().flat_map(|row| row.tasks.iter().copied()).collect();
        prop_assert_eq!(paid, tasks.len() as u64, "every call is paid once");
    }
}
