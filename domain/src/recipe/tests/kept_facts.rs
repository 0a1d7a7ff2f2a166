//! Replies that say something in other words: what they lose, and what may be asked of them.

use super::*;

const DRAFT: &str = "Give 5 mg of Warfarin once a day. It is not safe in pregnancy.";
const KEPT: &str =
    "The dose of Warfarin is five milligrams, taken once a day; while pregnant it is not a safe choice.";

fn words(reasoning: &str, text: &str, correct: Option<bool>) -> Value {
    Value::Answer(Some(Answer {
        reasoning: reasoning.into(),
        answer: text.into(),
        canonical: text.to_lowercase(),
        correct,
        detail: format!("it is {text}"),
    }))
}

/// `own_words` with a reference, where answers in words have no canonical form.
struct Said {
    world: World,
    draft: Value,
    canonical: bool,
}

impl Said {
    fn in_words(draft: &str) -> Self {
        Self::new(words("", draft, None), false)
    }

    fn new(draft: Value, canonical: bool) -> Self {
        let mut world = World::new("own_words");
        world.votes = false;
        Self {
            world,
            draft,
            canonical,
        }
    }

    /// What comes of a rewording: the state, and the calls.
    fn by(&self, reworded: &Value) -> (State, Vec<String>) {
        let context = Context {
            measures_meaning: !self.canonical,
            ..self.world.context()
        };
        let (mut state, mut names) = (State::default(), Vec::new());
        let mut events = vec![Event::Begin];
        while let Some(event) = events.pop() {
            let (after, effects) = apply(&context, state, event);
            state = after;
            for effect in effects {
                match effect {
                    Effect::Call(call) => {
                        let name = self.world.recipe.call_name(call);
                        let answer = |value: &Value| Fields::from([("answer".to_owned(), value.clone())]);
                        let fields = match name.as_str() {
                            "own_words" => answer(reworded),
                            name if name.starts_with("grade") => points(5),
                            _ => answer(&self.draft),
                        };
                        names.push(name);
                        events.push(Event::Brought {
                            call,
                            outcome: Ok(fields),
                        });
                    }
                    Effect::Gate(_) => events.push(Event::Passed),
                    Effect::Decide(_) => {}
                }
            }
        }
        (state, names)
    }

    fn reason(&self, reworded: &Value) -> Option<Reason> {
        let (state, _) = self.by(reworded);
        state.decided().unwrap().map(|rejection| rejection.reason)
    }
}

#[test]
fn the_students_wording_is_the_row_where_it_keeps_every_fact() {
    let (state, asked) = Said::in_words(DRAFT).by(&words("", KEPT, None));
    assert_eq!(state.decided(), Some(None));
    assert_eq!(state.text("answer"), KEPT);
    assert_eq!(asked, ["answer 1", "own_words", "grade 1"]);
}

#[test]
fn a_wording_that_loses_changes_or_adds_a_fact_is_dropped_before_it_is_judged() {
    for wrong in [
        "Warfarin is taken once a day. While pregnant it is not a safe choice.",
        "The dose of Warfarin is 50 mg, taken once a day; while pregnant it is not a safe choice.",
        "The dose of Warfarin is five grams, taken once a day; while pregnant it is not a safe choice.",
        "The dose of Heparin is five milligrams, taken once a day; while pregnant it is not a safe choice.",
        "The dose of Warfarin is five milligrams, taken once a day; while pregnant it is a safe choice.",
        "The dose of Warfarin is five milligrams, taken once a day with Aspirin; while pregnant it is not a safe choice.",
    ] {
        let (state, asked) = Said::in_words(DRAFT).by(&words("", wrong, None));
        let rejection = state.decided().unwrap().unwrap();
        assert_eq!(rejection.reason, Reason::Changed, "{wrong}");
        assert!(
            rejection.detail.starts_with("`answer` against its rewording: "),
            "{rejection}"
        );
        assert_eq!(state.text("answer"), wrong, "the row shows what was wrong");
        assert_eq!(asked, ["answer 1", "own_words"]);
    }
}

#[test]
fn reasoning_and_final_answers_are_each_held_against_their_own() {
    let draft = words("He has 12 pears and sells 2, so 10 are left.", "10", Some(true));
    let said = Said::new(draft, true);
    let reworded = |reasoning: &str, text: &str| said.reason(&words(reasoning, text, None));
    assert_eq!(reworded("Of 12 pears he sells 2; 10 are left.", "10"), None);
    assert_eq!(
        reworded("Of 12 pears he sells 3; 10 are left.", "10"),
        Some(Reason::Changed)
    );
    assert_eq!(reworded("", "10"), Some(Reason::Changed));
    // A figure of the reasoning in the place of the answer.
    assert_eq!(
        reworded("Of 12 pears he sells 2; 10 are left.", "12"),
        Some(Reason::Changed)
    );
    let open = Said::new(
        words("He has 12 pears and sells 2.", "He is left with 10.", None),
        false,
    );
    let hidden = words(
        "Of 12 pears he sells 2, and 10 stay.",
        "He is left with 12.",
        None,
    );
    assert_eq!(open.reason(&hidden), Some(Reason::Changed));
    // A validator may compare what facts do not: a label.
    let label = Said::new(words("", "red", None), true);
    assert_eq!(label.reason(&words("", "blue", None)), Some(Reason::Changed));
    assert_eq!(label.reason(&words("", "Red", None)), None);
}

#[test]
fn a_wrong_answer_is_not_said_again_and_a_missing_one_not_at_all() {
    let (state, asked) = Said::new(words("", "9", Some(false)), true).by(&words("", "9", Some(false)));
    assert_eq!(state.decided().unwrap().unwrap().reason, Reason::Wrong);
    assert_eq!(asked, ["answer 1"]);
    // What the reference refutes is no row, whatever facts it keeps.
    let refuted = words("", "10", Some(false));
    assert_eq!(
        Said::new(words("", "10", None), true).reason(&refuted),
        Some(Reason::Wrong)
    );
    let mut stored = serde_json::to_value(built_in("own_words").unwrap().file()).unwrap();
    stored["steps"][0] = json!({"ask": "answer", "prompt": "answer", "reply": [{"answer": "answer"}], "when": "not job.verify"});
    let mut world = World::new("own_words");
    world.recipe = Recipe::new(serde_json::from_value(stored).unwrap()).unwrap();
    let (state, asked) = world.walk_with(&|_, _| ());
    let rejection = state.decided().unwrap().unwrap();
    assert_eq!(rejection.reason, Reason::Recipe);
    assert!(rejection.detail.contains("has made `answer`"), "{rejection}");
    assert!(asked.is_empty());
}

#[test]
fn of_several_wordings_those_that_keep_the_facts_are_chosen_from() {
    let mut stored = serde_json::to_value(built_in("own_words").unwrap().file()).unwrap();
    stored["steps"][1]["samples"] = json!(3);
    stored["steps"].as_array_mut().unwrap().swap(2, 3);
    stored["steps"]
        .as_array_mut()
        .unwrap()
        .insert(3, json!({"choose": "own_words"}));
    let mut world = World::new("own_words");
    world.recipe = Recipe::new(serde_json::from_value(stored).unwrap()).unwrap();
    world.votes = false;
    let walked = |kept: &str| {
        world.walk_with(&|name, fields| {
            let number = match name {
                name if name.starts_with("grade") => {
                    *fields = points(5);
                    return;
                }
                name if name.starts_with("own_words") && name != kept => 8,
                _ => 7,
            };
            fields.insert("answer".into(), Value::Answer(Some(answer(number, None))));
        })
    };
    for kept in ["own_words 1", "own_words 2", "own_words 3"] {
        let (state, asked) = walked(kept);
        assert_eq!(
            (state.decided(), state.text("answer")),
            (Some(None), "7"),
            "{kept}"
        );
        assert_eq!(
            asked.iter().filter(|name| name.starts_with("grade")).count(),
            1,
            "{asked:?}"
        );
    }
    let (state, _) = walked("none of them");
    assert_eq!(state.decided().unwrap().unwrap().reason, Reason::Changed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_row_has_another_number_than_its_draft(draft in 2u32..500, said in 2u32..500, reasoned: bool) {
        let of = |number: u32| match reasoned {
            true => words(&format!("Of all of them {number} count."), "as stated", None),
            false => words("", &format!("Of all of them {number} count."), None),
        };
        let reason = Said::new(of(draft), false).reason(&of(said));
        prop_assert_eq!(reason, (draft != said).then_some(Reason::Changed));
    }
}

#[test]
fn whose_facts_are_kept_is_checked_before_anything_is_spent() {
    let keeps = |of: serde_json::Value, reply: serde_json::Value| {
        move |r: &mut serde_json::Value| {
            let step = json!({"ask": "again", "prompt": "own_words", "reply": reply.clone(), "keeps_facts": of.clone()});
            r["steps"].as_array_mut().unwrap().push(step);
        }
    };
    let answer = || json!([{"answer": "answer"}]);
    for sound in [
        keeps(json!("answer"), answer()),
        keeps(json!("question"), json!([{"question": "question"}])),
        keeps(
            json!("answer"),
            json!([{"why": "text"}, {"reasoning": "reasoning"}, {"answer": "answer"}]),
        ),
    ] {
        assert_eq!(told(sound), "nothing\n");
    }
    check(
        keeps(json!("anser"), answer()),
        expect![[r#"
            steps.3.keeps_facts: no step before it makes the field `anser` (fields so far: `question`, `answer`)
        "#]],
    );
    check(
        keeps(json!(true), answer()),
        expect![[r#"
            steps.3.keeps_facts: only a question can keep the facts of the seed's (leave it out, or name the field whose text the reply says in other words, such as `keeps_facts: answer`)
        "#]],
    );
    check(
        keeps(json!("answer"), json!([{"said": "text"}])),
        expect![[r#"
            steps.3.keeps_facts: `answer` is of the type `answer`, and the reply holds nothing of that type (ask for one member of the type `answer`)
        "#]],
    );
    check(
        |r| r["steps"][0]["keeps_facts"] = json!("question"),
        expect![[r#"
            steps.0.keeps_facts: `question` is the seed's question (write `keeps_facts: true`)
        "#]],
    );
    check(
        |r| {
            r["steps"][0]["reply"] = json!([{"question": "question"}, {"hard": "yes_no"}]);
            r["steps"][2]["keeps_facts"] = json!("hard");
        },
        expect![[r#"
            steps.2.keeps_facts: `hard`, of the type `yes_no`, has no text whose facts could be kept (name a question, an answer or a text)
        "#]],
    );
    check(
        |r| {
            keeps(json!("answer"), answer())(r);
            r["counts_as"] = json!("answer_augmentation");
            r["steps"][0] = json!({"ask": "first", "prompt": "answer", "reply": [{"answer": "answer"}]});
            r["steps"][1] = json!({"distinct": "answer"});
            r["steps"].as_array_mut().unwrap().remove(2);
            r["steps"][2]["samples"] = json!({"until": "agreement"});
        },
        expect![[r#"
            steps.2.keeps_facts: answers that vote are compared with each other, and not with a text (leave it out here, and say the answer in other words in a step after this one)
        "#]],
    );
    check(
        |r| r["steps"][1]["keeps_facts"] = json!("question"),
        expect![[r#"
            steps.1.keeps_facts: `keeps_facts` means nothing in a `distinct` (leave it out)
        "#]],
    );
}
