//! Recipes whose rows are dialogues.

use super::*;
use crate::dialogue::{Speaker, Tool, ToolCall, Turn};

pub(super) fn weather() -> Tool {
    Tool {
        name: "weather".into(),
        description: "The weather in a city.".into(),
        parameters: json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
    }
}

/// A dialogue that calls a tool with one argument.
pub(super) fn turns(tool: &str, argument: &str) -> Vec<Turn> {
    let arguments = json!({argument: "Oslo"});
    let call = ToolCall {
        id: "a".into(),
        name: tool.into(),
        arguments: arguments.as_object().cloned().unwrap(),
    };
    vec![
        Turn::new(Speaker::User, "Rain in Oslo?"),
        Turn {
            tool_calls: vec![call],
            ..Turn::new(Speaker::Assistant, "")
        },
        Turn {
            tool_call_id: Some("a".into()),
            name: Some(tool.into()),
            ..Turn::new(Speaker::Tool, "yes")
        },
        Turn::new(Speaker::Assistant, "Yes, all day."),
    ]
}

fn tool_use() -> serde_json::Value {
    json!({
        "recipe": "mine",
        "version": 1,
        "about": "Dialogues with tools.",
        "tools": [weather()],
        "steps": [
            {"ask": "talk", "prompt": "talk.txt", "reply": [{"messages": "tool_messages"}], "again": 1},
            {"distinct": "messages"},
            {"check": "messages | length >= 4"},
        ],
        "row": {"form": "tool_use", "messages": "messages", "tools": "tools"},
    })
}

fn told(spoil: impl Fn(&mut serde_json::Value)) -> String {
    let mut recipe = tool_use();
    spoil(&mut recipe);
    match Recipe::new(serde_json::from_value(recipe).unwrap()) {
        Ok(_) => "nothing\n".to_owned(),
        Err(problems) => problems
            .into_iter()
            .map(|problem| format!("{}: {} ({})\n", problem.path, problem.message, problem.help))
            .collect(),
    }
}

fn world() -> World {
    World {
        recipe: Recipe::new(serde_json::from_value(tool_use()).unwrap()).unwrap(),
        ..World::new("knowledge")
    }
}

#[test]
fn what_a_dialogue_needs_is_told_at_its_key() {
    assert_eq!(told(|_| ()), "nothing\n");
    let all = [
        told(|r| r["tools"] = json!([])),
        told(|r| r["tools"][0]["name"] = json!("the weather")),
        told(|r| r["tools"] = json!([weather(), weather()])),
        told(|r| r["steps"][0]["reply"] = json!([{"messages": "messages"}])),
        told(|r| r["steps"][0]["reply"] = json!([{"messages": "tool_messages"}, {"more": "tools"}])),
        told(|r| r["steps"][0]["samples"] = json!(3)),
        told(|r| r["row"] = json!({"form": "dialogue", "messages": "messages"})),
        told(|r| r["row"] = json!({"form": "tool_use", "messages": "messages"})),
        told(|r| r["row"]["max_length_ratio"] = json!(2)),
    ];
    expect![[r#"
        steps.0.reply.0: there are no tools to call (list `tools` at the top of the recipe, or ask for them before: `- tools: tools`)
        row.tools: no step makes the field `tools` (fields: `question`, `messages`)

        tools.0.name: `the weather` cannot be the name of a tool: use at most 64 letters, digits, `_` and `-` (correct it)

        tools.1.name: two tools are named `weather` (give each a name of its own)

        row.messages: `messages` does not hold `tool_messages` (change its type in `reply`)

        steps.0.reply.1: the tools of a recipe are made once, before its loops and before the messages that call them (keep one member of the type `tools`, and put its step first)

        steps.0.samples: `choose` ranks answers, and not dialogues or tools (leave `samples` out, or ask for the answers in a step of their own)

        row.messages: `messages` does not hold `messages` (change its type in `reply`)

        row: a row of the form `tool_use` needs `tools` (name the field that holds it, such as `tools: tools`)

        row.max_length_ratio: a row of the form `tool_use` has no two answers to compare in length (leave it out)
    "#]]
    .assert_eq(&all.join("\n"));
}

#[test]
fn tools_that_a_step_asks_for_are_there_for_the_next() {
    let asked = json!({"ask": "tools", "prompt": "tools.txt", "reply": [{"tools": "tools"}]});
    let first = |r: &mut serde_json::Value| {
        r["tools"] = json!([]);
        r["steps"].as_array_mut().unwrap().insert(0, asked.clone());
    };
    assert_eq!(told(first), "nothing\n");
    let last = told(|r| r["steps"].as_array_mut().unwrap().push(asked.clone()));
    assert!(
        last.starts_with("steps.3.reply.0: the tools of a recipe are made once"),
        "{last}"
    );
}

#[test]
fn a_recipe_without_tools_is_stored_as_before() {
    let stored = serde_json::to_value(built_in("new_question").unwrap().file()).unwrap();
    assert!(
        stored.get("tools").is_none() && stored["row"].get("messages").is_none(),
        "{stored}"
    );
}

#[test]
fn a_dialogue_is_a_row_when_its_calls_fit_the_tools() {
    let world = world();
    let (state, names) = world.walk_with(&|_, _| ());
    assert_eq!((state.decided(), names), (Some(None), vec!["talk".to_owned()]));
    let recipe = &world.recipe;
    assert_eq!(state.messages(recipe), Some(turns("weather", "city").as_slice()));
    assert_eq!(state.tools(recipe), [weather()]);
    assert_eq!(state.compared("messages"), "Rain in Oslo?");
    assert_eq!(
        (recipe.kind(), recipe.asks_question()),
        (Strategy::NewQuestion, true)
    );
}

#[test]
fn calls_that_do_not_fit_are_asked_for_again_and_then_dropped() {
    let world = world();
    let walked = |wrong: &'static [&'static str], with: fn() -> Vec<Turn>| {
        world.walk_with(&move |name, fields| {
            if wrong.contains(&name) {
                fields.insert("messages".into(), Value::Messages(with()));
            }
        })
    };
    let unknown = || turns("forecast", "city");
    let (state, names) = walked(&["talk"], unknown);
    assert_eq!(
        (state.decided(), names.as_slice()),
        (Some(None), &["talk".to_owned(), "talk 2".to_owned()][..])
    );
    let (state, _) = walked(&["talk", "talk 2"], unknown);
    let rejection = state.decided().flatten().unwrap();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (Reason::Format, "`forecast` is not one of the tools (weather)")
    );
    assert!(
        state.last_text().contains("Rain in Oslo?"),
        "what was said is kept: {}",
        state.last_text()
    );
    let (state, _) = walked(&["talk", "talk 2"], || turns("weather", "town"));
    let rejection = state.decided().flatten().unwrap();
    assert!(
        rejection.detail.contains("of `weather` do not fit"),
        "{rejection:?}"
    );
}

#[test]
fn a_row_whose_answer_no_step_made_is_not_accepted() {
    let recipe = json!({
        "recipe": "mine", "version": 1, "about": "Sometimes nothing is asked.",
        "steps": [{"ask": "answer", "prompt": "answer", "when": "question == 'never'",
                   "reply": [{"reasoning": "reasoning"}, {"answer": "answer"}]},
                  {"distinct": "answer"}],
        "row": {"form": "instruction", "question": "question", "answer": "answer"},
    });
    let world = World {
        recipe: Recipe::new(serde_json::from_value(recipe).unwrap()).unwrap(),
        ..world()
    };
    let (state, _) = world.walk_with(&|_, _| ());
    let rejection = state.decided().flatten().unwrap();
    assert_eq!(
        (rejection.reason, rejection.detail.as_str()),
        (
            Reason::Recipe,
            "no step that was done has made the answer of the row"
        )
    );
}

#[test]
fn a_dialogue_that_no_step_made_is_no_row() {
    let mut recipe = tool_use();
    recipe["steps"][0]["when"] = json!("question == 'never'");
    let world = World {
        recipe: Recipe::new(serde_json::from_value(recipe).unwrap()).unwrap(),
        ..world()
    };
    let (state, _) = world.walk_with(&|_, _| ());
    assert_eq!(
        state.decided().flatten().map(|rejection| rejection.reason),
        Some(Reason::Recipe)
    );
}
