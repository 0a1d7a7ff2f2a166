//! Pairs whose answers are to be alike in length.

use super::*;

/// A recipe that ships, with a limit on how unlike its two answers may be in length.
fn limited(name: &str, most: f64) -> World {
    let mut file = built_in(name).unwrap().file().clone();
    file.row.max_length_ratio = Some(most);
    World {
        recipe: Recipe::new(file).unwrap(),
        ..World::new(name)
    }
}

fn long(answer: &str) -> Value {
    Value::Answer(Some(Answer {
        reasoning: String::new(),
        answer: answer.into(),
        canonical: answer.into(),
        correct: None,
        detail: String::new(),
    }))
}

/// Four answers by their texts and points.
fn chosen(world: &World, answers: [(&str, usize); 4]) -> State {
    let (state, _) = world.walk_with(&|name, fields| {
        let number = |prefix: &str| Some(name.strip_prefix(prefix)?.parse::<usize>().ok()? - 1);
        if let Some(n) = number("answer ") {
            fields.insert("answer".into(), long(answers[n].0));
        }
        if let Some(n) = number("grade ") {
            *fields = points(answers[n].1);
        }
    });
    state
}

#[test]
fn the_worst_of_those_like_the_best_in_length_is_kept() {
    let answers = [("ten letter", 5), ("a", 1), ("five..", 3), ("eight...", 4)];
    let state = chosen(&limited("preference_pairs", 2.0), answers);
    assert_eq!(
        (state.text("chosen"), state.text("rejected")),
        ("ten letter", "five..")
    );
    assert_eq!(state.fields()["margin"], Value::Number(2.0));
    let state = chosen(&World::new("preference_pairs"), answers);
    assert_eq!(state.text("rejected"), "a", "without a limit, the worst of all");
}

#[test]
fn without_another_of_like_length_there_is_no_pair() {
    let answers = [("ten letter", 5), ("a", 1), ("bb", 2), ("ccc", 3)];
    let state = chosen(&limited("preference_pairs", 1.5), answers);
    let rejection = state.decided().flatten().unwrap();
    assert_eq!(rejection.reason, Reason::Recipe);
    assert_eq!(
        rejection.detail,
        "no other answer is within 1.5 times the length of the best (`max_length_ratio`)"
    );
}

#[test]
fn a_pair_that_nothing_chose_is_dropped_before_it_is_judged() {
    let world = limited("revision_pairs", 1.5);
    let revised = |text: &'static str| {
        world.walk_with(&move |name, fields| match name {
            "draft" => drop(fields.insert("draft".into(), long("ten letter"))),
            "critique" => drop(fields.insert("acceptable".into(), Value::YesNo(false))),
            "revision" => drop(fields.insert("answer".into(), long(text))),
            _ => {}
        })
    };
    let (state, names) = revised("sixteen letters!");
    assert_eq!(
        state.decided().flatten().unwrap().detail,
        "one answer is 1.60 times as long as the other, where at most 1.5 is wanted (`max_length_ratio`)"
    );
    assert_eq!(names, ["draft", "critique", "revision"], "its judge was not paid");
    let (state, _) = revised("fifteen letters");
    assert_eq!(state.decided(), Some(None));
}

proptest! {
    /// Whatever the lengths, no pair is kept whose longer answer is over the limit.
    #[test]
    fn no_kept_pair_is_over_the_limit(
        lengths in prop::collection::vec(1usize..60, 4),
        grades in prop::collection::vec(0usize..6, 4),
        most in 1.0f64..4.0,
    ) {
        let texts: Vec<String> = lengths.iter().zip('a'..).map(|(n, c)| c.to_string().repeat(*n)).collect();
        let answers: Vec<(&str, usize)> = texts.iter().map(String::as_str).zip(grades).collect();
        let state = chosen(&limited("preference_pairs", most), answers.try_into().unwrap());
        if state.decided() == Some(None) {
            let [a, b] = ["chosen", "rejected"].map(|field| state.text(field).len() as f64);
            prop_assert!(a.max(b) / a.min(b) <= most, "{a} against {b}");
        }
    }
}

#[test]
fn a_limit_that_nothing_meets_is_refused() {
    let told = |most: f64| {
        let mut file = built_in("preference_pairs").unwrap().file().clone();
        file.row.max_length_ratio = Some(most);
        Recipe::new(file)
            .err()
            .map(|problems| problems[0].message.clone())
    };
    assert_eq!(
        told(0.5).unwrap(),
        "the longer of two answers cannot be 0.5 times as long"
    );
    assert!(told(f64::NAN).is_some() && told(1.0).is_none());
}
