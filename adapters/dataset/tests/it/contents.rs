//! Rows, columns and files.

use std::fs;

use gristmill_dataset::{
    DatasetRow, Error, Layout, Options, Origin, Provenance, RejectedAnswer, Split, Verdict, Writer, convert,
    export_jsonl, read_rejected, read_rows, split_files,
};
use gristmill_domain::dialogue::{Speaker, Turn};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::{real, rejected, row, tree};

const LAYOUTS: [Layout; 3] = [Layout::Messages, Layout::PromptCompletion, Layout::Alpaca];

/// Texts that break out of badly written files: NUL, line ends of every kind, direction marks, quotes, emoji.
fn text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\0",
        "\n",
        "\r\n",
        "\u{85}",
        "\u{2028}",
        "\u{2029}",
        "\u{202e}",
        "\u{200f}",
        "\u{feff}",
        "\"",
        "\\",
        "\\u0041",
        "😀",
        "é",
        "</s>",
        "<|im_end|>",
        "---\n",
        "plain ",
        "\u{7f}",
        "\u{1b}[2J",
        "\u{fffe}",
        "{",
        "}",
    ]);
    prop::collection::vec(pieces, 0..6).prop_map(|pieces| pieces.concat())
}

prop_compose! {
    fn any_row()(
        texts in prop::collection::vec(text(), 6),
        list in prop::collection::vec(text(), 0..3),
        verdicts in prop::collection::vec((text(), (any::<i32>().prop_map(|n| f64::from(n) / 8.0)), text()), 0..3),
        (cost, depth, human) in (any::<u64>(), any::<u8>(), any::<bool>()),
        sparse: bool,
    ) -> DatasetRow {
        let maybe = |at: usize| (!sparse).then(|| texts[at].clone());
        DatasetRow {
            id: format!("id{}", texts[0]),
            messages: vec![Turn::new(Speaker::User, texts[1].clone()), Turn::new(Speaker::Assistant, texts[2].clone())],
            tools: Vec::new(),
            rejected: None,
            reasoning: maybe(3),
            provenance: Provenance {
                origin: if human { Origin::Human } else { Origin::Synthetic },
                seed_id: maybe(4),
                teacher: maybe(5),
                concepts: list.clone(),
                task_ids: list,
                verdicts: verdicts.into_iter().map(|(judge, score, reason)| Verdict { judge, score, reason }).collect(),
                cost_usd_micros: cost,
                depth,
                ..Provenance::default()
            },
        }
    }
}

fn read(dataset: &std::path::Path, split: Split) -> Vec<DatasetRow> {
    let files = split_files(dataset, split).unwrap();
    files
        .iter()
        .flat_map(|file| read_rows(file).unwrap())
        .map(Result::unwrap)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// No text breaks out of its cell: neither in Parquet nor in JSON Lines, in no layout, over no shard's edge.
    #[test]
    fn any_row_comes_back_as_it_went_in(rows in prop::collection::vec(any_row(), 1..12), shard_rows in 1_u64..5) {
        for layout in LAYOUTS {
            let place = tempfile::tempdir().unwrap();
            let target = place.path().join("set");
            let mut writer =
                Writer::create(&target, Options { layout, shard_rows, ..Options::default() }).unwrap();
            for row in &rows {
                writer.push(Split::Train, row.clone()).unwrap();
            }
            writer.finish().unwrap().publish().unwrap();
            prop_assert_eq!(&read(&target, Split::Train), &rows);

            let lines = fs::read_to_string(target.join("jsonl/train.jsonl")).unwrap();
            let bare = lines.contains(['\u{85}', '\u{2028}', '\u{2029}', '\r', '\0']);
            prop_assert!(!bare, "a character that some readers take for a line end");
            let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(lines.len(), rows.len());
            for (line, row) in lines.iter().zip(&rows) {
                prop_assert_eq!(&line["id"], &row.id);
                let answer = match layout {
                    Layout::Messages => &line["messages"][1]["content"],
                    Layout::PromptCompletion => &line["completion"],
                    Layout::Alpaca => &line["output"],
                    Layout::Preference | Layout::Text | Layout::Dialogue | Layout::ToolUse => panic!("no layout of conversations"),
                };
                prop_assert_eq!(answer, &row.messages[1].content);
                prop_assert_eq!(&line["provenance"], &serde_json::to_value(&row.provenance).unwrap());
            }
        }
    }
}

/// Preference trainers read `prompt`, `chosen` and `rejected`; what is trained on as it stands is a `text`.
#[test]
fn pairs_and_texts_have_files_and_columns_of_their_own() {
    let pair = DatasetRow {
        rejected: Some(RejectedAnswer {
            content: "worse\u{2028}".into(),
            margin: Some(2.5),
        }),
        ..row("p", "q", "better")
    };
    let text = DatasetRow {
        messages: vec![Turn::new(Speaker::Assistant, "as it stands")],
        ..real("t")
    };
    for layout in LAYOUTS {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("set");
        let options = Options {
            layout,
            ..Options::default()
        };
        let mut writer = Writer::create(&target, options).unwrap();
        writer.push(Split::Train, row("r", "q", "a")).unwrap();
        writer.push(Split::Preference, pair.clone()).unwrap();
        writer.push(Split::Text, text.clone()).unwrap();
        for (split, wrong) in [
            (Split::Train, &pair),
            (Split::Preference, &text),
            (Split::Text, &pair),
        ] {
            assert!(
                writer.push(split, wrong.clone()).is_err(),
                "{layout:?}: {split} takes {}",
                wrong.id
            );
        }
        writer.finish().unwrap().publish().unwrap();
        assert_eq!(read(&target, Split::Preference), std::slice::from_ref(&pair));
        assert_eq!(read(&target, Split::Text), std::slice::from_ref(&text));
        let line: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(target.join("jsonl/preference.jsonl")).unwrap())
                .unwrap();
        let said = |role: &str, content: &str| serde_json::json!([{"role": role, "content": content}]);
        assert_eq!(line["prompt"], said("user", "q"));
        assert_eq!(line["chosen"], said("assistant", "better"));
        assert_eq!(line["rejected"], said("assistant", "worse\u{2028}"));
        assert_eq!(line["margin"], 2.5);
        let card = fs::read_to_string(target.join("README.md")).unwrap();
        for (name, split) in [("rows", "train"), ("preference", "preference"), ("text", "text")] {
            let config = format!("- config_name: {name}-");
            let after = card.split_once(&config).unwrap().1;
            let files = format!("  - split: train\n    path: data/{split}-*.parquet");
            assert!(
                after
                    .lines()
                    .skip(1)
                    .collect::<Vec<_>>()
                    .join("\n")
                    .contains(&files),
                "{card}"
            );
        }
    }
}

#[test]
fn files_are_named_counted_and_hashed() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out/set");
    let written = |target: &std::path::Path| {
        let mut writer = Writer::create(
            target,
            Options {
                shard_rows: 2,
                ..Options::default()
            },
        )
        .unwrap();
        for at in 0..5 {
            writer
                .push(Split::Train, row(&format!("r{at}"), "q", "a"))
                .unwrap();
        }
        writer.push(Split::Test, real("t")).unwrap();
        writer.reject(rejected("x")).unwrap();
        let mut finished = writer.finish().unwrap();
        assert_eq!(
            Split::ALL.map(|split| finished.rows(split)),
            [5, 0, 1, 0, 0, 0, 0]
        );
        finished.add("manifest.json", b"{}").unwrap();
        finished.publish().unwrap()
    };
    let files = written(&target);
    let listed: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.rows)).collect();
    assert_eq!(
        listed,
        [
            ("data/train-00000-of-00003.parquet", 2),
            ("data/train-00001-of-00003.parquet", 2),
            ("data/train-00002-of-00003.parquet", 1),
            ("jsonl/train.jsonl", 5),
            ("data/test-00000-of-00001.parquet", 1),
            ("jsonl/test.jsonl", 1),
            ("rejected.parquet", 1),
            ("manifest.json", 0),
            ("README.md", 0),
        ]
    );
    let mut names: Vec<_> = files.iter().map(|file| file.path.clone()).collect();
    names.sort();
    assert_eq!(tree(&target), names, "nothing else is left");
    for file in &files {
        let bytes = fs::read(target.join(&file.path)).unwrap();
        let hash: String = Sha256::digest(&bytes)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            (file.bytes, &file.sha256),
            (bytes.len() as u64, &hash),
            "{}",
            file.path
        );
    }
    let card = fs::read_to_string(target.join("README.md")).unwrap();
    assert!(
        card.contains("split: train\n") && card.contains("split: test\n") && !card.contains("validation"),
        "{card}"
    );
    let rows: Vec<_> = read_rejected(&target.join("rejected.parquet"))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(rows, [rejected("x")]);

    assert_eq!(
        written(&place.path().join("again")),
        files,
        "the same rows are the same bytes"
    );
}

#[test]
fn large_texts_pass_and_split_into_row_groups() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    let mut writer = Writer::create(
        &target,
        Options {
            jsonl: false,
            ..Options::default()
        },
    )
    .unwrap();
    // 40 megabytes that do not compress away.
    let big = |at: u32| {
        let mut state = u64::from(at) + 0x9e37_79b9;
        let mut text = String::from("😀\u{202e}\0 ");
        while text.len() < 1_000_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            text += &format!("{state:x}");
        }
        text
    };
    for at in 0..40 {
        writer
            .push(Split::Train, row(&at.to_string(), "q", &big(at)))
            .unwrap();
    }
    writer.finish().unwrap().publish().unwrap();
    assert_eq!(tree(&target), ["README.md", "data/train-00000-of-00001.parquet"]);
    let file = &split_files(&target, Split::Train).unwrap()[0];
    for (at, row) in (0..).zip(read_rows(file).unwrap()) {
        assert!(row.unwrap().messages[1].content == big(at), "row {at}");
    }
    let reader = parquet::file::reader::SerializedFileReader::try_from(file.as_path()).unwrap();
    let groups = parquet::file::reader::FileReader::metadata(&reader).num_row_groups();
    assert!(
        (2..=10).contains(&groups),
        "bounded memory shows in several groups, not {groups}"
    );
}

#[test]
fn layouts_of_single_texts_merge_the_system_message_and_refuse_longer_talks() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    let mut with_system = real("s");
    with_system
        .messages
        .insert(0, Turn::new(Speaker::System, "be brief"));
    let mut writer = Writer::create(&source, Options::default()).unwrap();
    writer.push(Split::Train, with_system.clone()).unwrap();
    writer.push(Split::Validation, real("v")).unwrap();
    writer.reject(rejected("x")).unwrap();
    writer.finish().unwrap().publish().unwrap();

    for layout in [Layout::PromptCompletion, Layout::Alpaca] {
        let target = place.path().join(format!("{layout:?}"));
        let finished = convert(
            &source,
            &target,
            Options {
                layout,
                ..Options::default()
            },
        )
        .unwrap();
        finished.publish().unwrap();
        let train = read(&target, Split::Train);
        assert_eq!(train[0].messages[0], Turn::new(Speaker::User, "be brief\n\nq"));
        // What stands before the question is more now.
        let told = Provenance {
            passage_chars: "be brief\n\n".len() as u64,
            ..with_system.provenance.clone()
        };
        assert_eq!(train[0].provenance, told);
        assert_eq!(read(&target, Split::Validation), [real("v")]);
        assert!(target.join("rejected.parquet").exists());
    }

    let mut long = real("long \u{1b}[2J");
    long.messages.extend(real("").messages);
    let mut writer = Writer::create(
        &place.path().join("x"),
        Options {
            layout: Layout::Alpaca,
            ..Options::default()
        },
    )
    .unwrap();
    let error = writer.push(Split::Train, long).unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"row "long \u{1b}[2J": is not one question with one answer; only the layout `messages` holds it"#
    );
    writer.push(Split::Train, real("next")).unwrap();
    assert_eq!(
        writer.finish().unwrap().rows(Split::Train),
        1,
        "a refused row does not end the dataset"
    );
}

#[test]
fn rows_that_no_file_can_hold_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let mut writer = Writer::create(&place.path().join("set"), Options::default()).unwrap();
    let mut nan = row("nan", "q", "a");
    nan.provenance.verdicts[0].score = f64::NAN;
    let mut silent = real("silent");
    silent.messages.clear();
    let huge = row("huge", "q", &"a".repeat((64 << 20) + 1));
    for (bad, reason) in [
        (nan, "no finite number"),
        (silent, "no messages"),
        (real(""), "no id"),
        (huge, "larger than"),
    ] {
        let error = writer.push(Split::Train, bad).unwrap_err();
        assert!(
            matches!(&error, Error::Row { .. }) && error.to_string().contains(reason),
            "{error}"
        );
    }
    assert!(writer.finish().unwrap().files().is_empty());
}

#[test]
fn an_export_replaces_a_file_only_when_it_is_whole() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("rows.jsonl");
    let info = export_jsonl([Ok(real("a")), Ok(real("b"))], Layout::Alpaca, &target).unwrap();
    assert_eq!((info.rows, info.bytes), (2, fs::metadata(&target).unwrap().len()));
    let before = fs::read(&target).unwrap();
    let mut bad = real("c");
    bad.messages.pop();
    assert!(export_jsonl([Ok(real("a")), Ok(bad)], Layout::Alpaca, &target).is_err());
    assert_eq!(
        (fs::read(&target).unwrap(), tree(place.path())),
        (before, vec!["rows.jsonl".to_owned()])
    );
}

#[test]
fn foreign_and_damaged_files_are_named() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    let mut writer = Writer::create(&target, Options::default()).unwrap();
    writer.push(Split::Train, real("a")).unwrap();
    writer.reject(rejected("x")).unwrap();
    writer.finish().unwrap().publish().unwrap();

    let foreign: Vec<_> = read_rows(&target.join("rejected.parquet")).unwrap().collect();
    assert_eq!(foreign.len(), 1, "ends behind its error");
    let error = foreign[0].as_ref().unwrap_err().to_string();
    assert!(
        error.contains("rejected.parquet: is no dataset") && error.contains("`messages` is missing"),
        "{error}"
    );

    let whole = fs::read(target.join("rejected.parquet")).unwrap();
    let cut = place.path().join("cut.parquet");
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    assert!(matches!(read_rejected(&cut), Err(Error::Parquet { file, .. }) if file == cut));
    assert!(matches!(
        read_rows(&place.path().join("none")),
        Err(Error::Io { .. })
    ));
}
