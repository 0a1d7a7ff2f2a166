//! Dialogues and their tools, as they are written and read back.

use std::fs;

use gristmill_dataset::{DatasetRow, Layout, Options, Split, Writer, export_jsonl, read_rows, split_files};
use gristmill_domain::dialogue::{Speaker, Tool, ToolCall, Turn};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::real;

fn tool(name: &str, parameters: Value) -> Tool {
    Tool {
        name: name.into(),
        description: "Looks\u{2028}up \"it\".".into(),
        parameters,
    }
}

/// A dialogue that calls a tool with these arguments.
fn tool_use(arguments: Value) -> DatasetRow {
    let call = ToolCall {
        id: "call_1".into(),
        name: "look_up".into(),
        arguments: arguments.as_object().cloned().unwrap_or_default(),
    };
    DatasetRow {
        messages: vec![
            Turn::new(Speaker::System, "Be brief."),
            Turn::new(Speaker::User, "How high is it?"),
            Turn {
                tool_calls: vec![call],
                ..Turn::new(Speaker::Assistant, "")
            },
            Turn {
                tool_call_id: Some("call_1".into()),
                name: Some("look_up".into()),
                ..Turn::new(Speaker::Tool, "{\"m\": 8848}")
            },
            Turn::new(Speaker::Assistant, "8,848 m."),
        ],
        tools: vec![
            tool("look_up", json!({"type": "object"})),
            tool(
                "add",
                json!({"type": "object", "properties": {"a": {"type": ["number", "null"]}}}),
            ),
        ],
        ..real("t")
    }
}

fn written(layout: Layout, split: Split, row: &DatasetRow) -> (tempfile::TempDir, Vec<DatasetRow>) {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    let options = Options {
        layout,
        ..Options::default()
    };
    let mut writer = Writer::create(&target, options).unwrap();
    writer.push(split, row.clone()).unwrap();
    writer.finish().unwrap().publish().unwrap();
    let files = split_files(&target, split).unwrap();
    let rows = files
        .iter()
        .flat_map(|file| read_rows(file).unwrap().map(Result::unwrap))
        .collect();
    (place, rows)
}

#[test]
fn a_dialogue_with_tools_has_the_columns_that_chat_templates_read() {
    let row = tool_use(json!({"of": "Everest"}));
    for layout in [Layout::Messages, Layout::Alpaca] {
        let (place, rows) = written(layout, Split::ToolUse, &row);
        assert_eq!(rows, std::slice::from_ref(&row));
        let line = fs::read_to_string(place.path().join("set/jsonl/tool_use.jsonl")).unwrap();
        assert_eq!(line.lines().count(), 1, "{line}");
        let line: Value = serde_json::from_str(&line).unwrap();
        let call = json!({"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": "{\"of\":\"Everest\"}"}});
        assert_eq!(
            line["messages"],
            json!([
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "How high is it?"},
                {"role": "assistant", "content": "", "tool_calls": [call]},
                {"role": "tool", "content": "{\"m\": 8848}", "tool_call_id": "call_1", "name": "look_up"},
                {"role": "assistant", "content": "8,848 m."},
            ])
        );
        let tools: Value = serde_json::from_str(line["tools"].as_str().unwrap()).unwrap();
        assert_eq!(tools[1], row.tools[1].as_function());
        assert!(line.get("reasoning").is_none());
    }
}

#[test]
fn dialogues_and_their_tools_stay_in_their_splits() {
    let with_tools = tool_use(json!({}));
    let plain = DatasetRow {
        messages: vec![
            Turn::new(Speaker::User, "Why?"),
            Turn::new(Speaker::Assistant, "Because."),
        ],
        ..real("d")
    };
    assert_eq!(
        written(Layout::PromptCompletion, Split::Dialogue, &plain).1,
        std::slice::from_ref(&plain)
    );
    let place = tempfile::tempdir().unwrap();
    for layout in [
        Layout::Messages,
        Layout::Dialogue,
        Layout::PromptCompletion,
        Layout::Text,
    ] {
        let refused = export_jsonl([Ok(with_tools.clone())], layout, &place.path().join("x.jsonl"));
        let refused = refused.unwrap_err().to_string();
        assert!(
            refused.contains("has tools; only the split `tool_use` holds it"),
            "{layout:?}: {refused}"
        );
    }
}

fn argument() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[ -~\u{2028}\u{e9}\"\\\\]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,4}", inner, 0..3).prop_map(|members| json!(members)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Arguments of any shape come back as they were: none is merged with another's, filled with nulls or dropped.
    #[test]
    fn arguments_of_any_shape_come_back(members in prop::collection::btree_map("[a-z]{1,4}", argument(), 0..4)) {
        let row = tool_use(json!(members));
        let (_place, rows) = written(Layout::Messages, Split::ToolUse, &row);
        prop_assert_eq!(rows, std::slice::from_ref(&row));
    }
}
