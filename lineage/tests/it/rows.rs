//! What becomes of single rows: repetitions, forms, quarantine, changes on the disk.

use gristmill_dataset::{DatasetRow, Layout, Origin, RejectedAnswer, Split};
use gristmill_domain::dialogue::{Speaker, Turn};
use gristmill_lineage::{Error, Lineage, Quarantining, Rule};

use super::{Desk, made, made_with, real};

#[test]
fn a_real_row_stands_as_often_as_where_it_stands_most() {
    let desk = Desk::new();
    let times = |question: &str, times: usize| {
        std::iter::repeat_n((Split::Train, real(question)), times).collect::<Vec<_>>()
    };
    let first = desk.dataset([times("How far?", 3), times("How near?", 1)].concat());
    let second = desk.dataset([times("How far?", 1), times("How near?", 2), times("How wide?", 1)].concat());
    let one = desk.add(&[first], |_| ()).unwrap();
    assert_eq!((one.anchor.rows, one.anchor.with_repeats), (2, 4));
    let two = desk.add(&[second], |_| ()).unwrap();
    assert_eq!((two.anchor.rows, two.anchor.with_repeats), (3, 6));
    assert_eq!((two.anchor.added, two.anchor.carried), (1, 0));
    assert_eq!(
        desk.ids(2, Origin::Human),
        [
            "How far? / so",
            "How far? / so",
            "How far? / so",
            "How near? / so",
            "How near? / so",
            "How wide? / so"
        ]
    );
}

#[test]
fn what_a_person_wrote_stays_a_real_row() {
    let desk = Desk::new();
    let copied = || super::row(Origin::Synthetic, "Why?", "so");
    let rows = [
        (Split::Train, copied()),
        (Split::Train, real("Why?")),
        (Split::Train, made("Since when?")),
    ];
    let one = desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    assert_eq!(
        (one.anchor.rows, one.synthetic.rows, one.synthetic.duplicates),
        (1, 1, 1)
    );
    assert_eq!(desk.ids(1, Origin::Human), ["Why? / so"]);
    // A synthetic row that a person turns out to have written.
    let rows = [(Split::Train, super::row(Origin::Human, "Since when?", "so it is"))];
    let two = desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    assert_eq!((two.anchor.rows, two.anchor.added, two.synthetic.rows), (2, 1, 0));
    assert!(desk.checked(1).is_whole() && desk.checked(2).is_whole());
}

#[test]
fn rows_of_every_form_are_kept_apart_and_counted() {
    let desk = Desk::new();
    let pair = DatasetRow {
        rejected: Some(RejectedAnswer {
            content: "no".to_owned(),
            margin: Some(1.0),
        }),
        ..made("Which is better?")
    };
    let text = DatasetRow {
        messages: vec![Turn::new(Speaker::Assistant, "A text about gears.")],
        ..made("text")
    };
    let rows = [
        (Split::Train, real("Why?")),
        (Split::Train, made("Which is better?")),
        (Split::Preference, pair.clone()),
        (Split::Text, text.clone()),
    ];
    let one = desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    assert_eq!((one.synthetic.rows, one.synthetic.duplicates), (3, 0));
    let again = [
        (Split::Text, text),
        (Split::Preference, pair),
        (Split::Train, made("Which is new?")),
    ];
    let two = desk.add(&[desk.dataset(again)], |_| ()).unwrap();
    assert_eq!((two.synthetic.rows, two.synthetic.duplicates), (4, 2));
    assert_eq!(two.synthetic.by_generation, [(1, 3), (2, 1)].into());
    assert_eq!(two.anchor.carried, 1, "the real row is in no new dataset");
}

#[test]
fn a_passage_in_quarantine_takes_its_rows_along_whoever_brings_them() {
    let desk = Desk::new();
    let from = |question: &str, place: &str| {
        made_with(question, |of| {
            of.source_place = Some(place.to_owned());
            of.seed_source = Some("book.pdf".to_owned());
        })
    };
    let rows = [
        (Split::Train, real("Why?")),
        (
            Split::Train,
            from("What do gears turn here?", "book.pdf: pages 3–4"),
        ),
        (
            Split::Train,
            from("What do levers lift there?", "book.pdf: page 9"),
        ),
    ];
    desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    let two = desk.quarantine(&["passage=book.pdf: pages 3–4"]).unwrap();
    assert_eq!(two.synthetic.rows, 1);
    assert_eq!(
        (two.quarantine[0].rows, two.quarantine[0].cause.as_str()),
        (1, "wrong")
    );
    // Another run with the same rows, of which one lost its passage, and one that the rule holds for as well.
    let rows = [
        (Split::Train, made("What do gears turn here?")),
        (
            Split::Train,
            from("Which wheels bear the load now?", "book.pdf: pages 3–4"),
        ),
        (Split::Train, made("How do pulleys change a force?")),
    ];
    let three = desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    assert_eq!(three.synthetic.rows, 2, "{three:?}");
    assert_eq!(three.quarantine[0].rows, 2);
    assert_eq!(three.quarantine[0].since, 2);
    // Real rows are never left out.
    let told = desk.quarantine(&["row=Why? / so"]).unwrap_err().to_string();
    assert!(told.contains("the anchor never shrinks"), "{told}");
}

#[test]
fn a_generation_that_somebody_wrote_anew_without_a_real_row_is_found_out() {
    let desk = Desk::new();
    let rows = [
        (Split::Train, real("Why?")),
        (Split::Train, real("Since when?")),
        (Split::Train, made("Who says that?")),
    ];
    desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    assert!(desk.checked(1).is_whole());
    // A whole lineage of fewer rows, whose only generation takes the place of this one.
    let other = Desk::new();
    let fewer = [
        (Split::Train, real("Why?")),
        (Split::Train, made("Who says that?")),
    ];
    other.add(&[other.dataset(fewer)], |_| ()).unwrap();
    let (here, there) = (
        desk.lineage().join("generations/1"),
        other.lineage().join("generations/1"),
    );
    let rows = std::fs::read(here.join("rows.csv")).unwrap();
    std::fs::remove_dir_all(&here).unwrap();
    std::fs::rename(&there, &here).unwrap();
    let checked = desk.checked(1);
    assert!(!checked.is_whole());
    assert!(
        checked.faults.iter().any(|fault| fault.contains("manifest.json")),
        "{checked:?}"
    );
    // With the old list of rows, the real row that is missing shows, too.
    std::fs::write(here.join("rows.csv"), rows).unwrap();
    let checked = desk.checked(1);
    assert_eq!((checked.anchor_expected, checked.anchor_present), (2, 1));
    let more = desk.dataset([(Split::Train, real("Where?"))]);
    let told = desk.add(&[more], |_| ()).unwrap_err();
    assert!(matches!(told, Error::Damaged { .. }), "{told}");
}

#[test]
fn deeper_rows_than_the_limit_are_refused_and_named() {
    let desk = Desk::new();
    let deep = made_with("Who taught the teacher?", |of| of.depth = 3);
    let dataset = desk.dataset([(Split::Train, real("Why?")), (Split::Train, deep)]);
    let told = desk
        .add(std::slice::from_ref(&dataset), |_| ())
        .unwrap_err()
        .to_string();
    assert!(
        told.contains("Who taught the teacher?") && told.contains("--max-depth 3"),
        "{told}"
    );
    let one = desk
        .add(&[dataset], |additions| additions.max_depth = Some(3))
        .unwrap();
    assert_eq!((one.depth, one.self_improvement), (3, true));
}

#[test]
fn a_lineage_that_lost_its_file_is_never_begun_anew() {
    let desk = Desk::new();
    let first = desk.dataset([
        (Split::Train, real("Why?")),
        (Split::Test, real("How far is the moon?")),
    ]);
    let second = desk.dataset([(Split::Train, real("Where?"))]);
    let file = desk.lineage().join("lineage.json");
    let card = desk.lineage().join("generations/1/generation.json");
    desk.add(std::slice::from_ref(&first), |_| ()).unwrap();
    let (there, whole) = (std::fs::read(&file).unwrap(), std::fs::read(&card).unwrap());
    std::fs::remove_file(&file).unwrap();
    // Other datasets would lock other rows.
    let told = desk
        .add(std::slice::from_ref(&second), |_| ())
        .unwrap_err()
        .to_string();
    assert!(told.contains("put the file back from a copy"), "{told}");
    assert_eq!(std::fs::read(&card).unwrap(), whole);
    let told = desk.quarantine(&["teacher=teacher"]).unwrap_err().to_string();
    assert!(told.contains("put the file back from a copy"), "{told}");
    // A first `add` that was killed is simply run again.
    desk.add(std::slice::from_ref(&first), |_| ()).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), there);
    desk.add(&[second], |_| ()).unwrap();
    std::fs::remove_file(&file).unwrap();
    // With a second generation, no `add` was killed.
    let told = desk.add(&[first], |_| ()).unwrap_err().to_string();
    assert!(told.contains("move the folder aside"), "{told}");
    assert_eq!(std::fs::read(&card).unwrap(), whole);
    assert!(desk.lineage().join("generations/2").is_dir() && !file.exists());
}

#[test]
fn self_improvement_ends_with_the_rows_that_it_is_said_of() {
    let desk = Desk::new();
    let job = serde_json::json!({"anchor": {"self_improvement": true}});
    let of_student = [(Split::Train, real("Why?")), (Split::Train, made("Who says so?"))];
    let first = desk.dataset_of(Layout::Messages, Some(job), of_student);
    assert!(desk.add(&[first], |_| ()).unwrap().self_improvement);
    let other = || desk.dataset([(Split::Train, real("Why?")), (Split::Train, made("What else?"))]);
    let two = desk
        .add(&[other()], |additions| additions.replace = true)
        .unwrap();
    assert!(!two.self_improvement, "{two:?}");

    let desk = Desk::new();
    let job = serde_json::json!({"anchor": {"self_improvement": true}});
    let of_student = [(Split::Train, real("Why?")), (Split::Train, made("Who says so?"))];
    desk.add(
        &[desk.dataset_of(Layout::Messages, Some(job), of_student)],
        |_| (),
    )
    .unwrap();
    let two = [(Split::Train, made("What else?"))];
    assert!(desk.add(&[desk.dataset(two)], |_| ()).unwrap().self_improvement);
}

#[test]
fn the_rules_that_a_message_names_hold() {
    let desk = Desk::new();
    let of = |question: &str, teacher: Option<&str>, version: Option<&str>| {
        let row = made_with(question, |of| {
            of.teacher = teacher.map(str::to_owned);
            of.teacher_version = version.map(str::to_owned);
        });
        (Split::Train, row)
    };
    let rows = [
        (Split::Train, real("Why?")),
        of("Who says so?", Some("x@1"), Some("x@1-b")),
        of("Who else does?", Some("y"), None),
        of("Since when is it so?", None, None),
    ];
    desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    let told = desk.quarantine(&["teacher=z"]).unwrap_err().to_string();
    assert!(
        told.contains("`teacher=x@1@x@1-b`, `teacher=y`") && !told.contains("unknown"),
        "{told}"
    );
    let two = desk.quarantine(&["teacher=x@1@x@1-b", "teacher=y"]).unwrap();
    assert_eq!((two.quarantine[0].rows, two.quarantine[1].rows), (1, 1));
}

#[test]
fn a_row_that_the_layout_would_change_is_refused_before_anything_is_written() {
    let framed = |question: &str| {
        let mut row = real(question);
        row.messages.insert(0, Turn::new(Speaker::System, "Be brief."));
        row
    };
    for (layout, name) in [
        (Layout::Alpaca, "alpaca"),
        (Layout::PromptCompletion, "prompt_completion"),
    ] {
        for split in [Split::Train, Split::Test] {
            let desk = Desk::new();
            let job = serde_json::json!({"output": {"layout": name}});
            let rows = [
                (Split::Train, real("Why?")),
                (Split::Test, real("How far is the moon?")),
            ];
            let first = desk.dataset_of(layout, Some(job), rows);
            let messages = || desk.dataset([(split, framed("Where?")), (Split::Train, real("When?"))]);
            let told = desk
                .add(&[first.clone(), messages()], |_| ())
                .unwrap_err()
                .to_string();
            assert!(
                told.contains("row Where? / so") && told.contains(&format!("--layout {name}")),
                "{told}"
            );
            assert!(!desk.lineage().join("generations/1").exists());
            desk.add(&[first], |_| ()).unwrap();
            let two = desk.add(&[messages()], |_| ());
            // What a later dataset holds out is not written.
            assert_eq!(two.is_err(), split == Split::Train, "{two:?}");
            assert_eq!(
                desk.lineage().join("generations/2").exists(),
                split != Split::Train
            );
            let job = serde_json::json!({"output": {"layout": "messages"}});
            let exported = desk.dataset_of(
                layout,
                Some(job),
                [(split, framed("Where?")), (Split::Train, real("Who?"))],
            );
            let next = desk.add(&[exported], |_| ()).unwrap();
            assert!(desk.checked(next.number).is_whole());
            desk.add(&[desk.dataset([(Split::Train, real("Which?"))])], |_| ())
                .unwrap();
        }
    }
    let desk = Desk::new();
    desk.add(&[desk.dataset([(Split::Train, framed("Where?"))])], |_| ())
        .unwrap();
    assert!(desk.checked(1).is_whole());
}

#[test]
fn a_check_tells_of_files_that_are_gone_and_looks_at_the_others() {
    type Break = fn(&std::path::Path);
    let breaks: [(&str, Break); 6] = [
        ("generation.json", |folder| {
            std::fs::remove_file(folder.join("generation.json")).unwrap();
        }),
        ("manifest.json", |folder| {
            std::fs::write(folder.join("manifest.json"), "{").unwrap()
        }),
        ("rows.csv", |folder| {
            std::fs::remove_file(folder.join("rows.csv")).unwrap()
        }),
        ("rows.csv", |folder| {
            std::fs::write(folder.join("rows.csv"), "x").unwrap()
        }),
        ("data", |folder| {
            std::fs::remove_dir_all(folder.join("data")).unwrap()
        }),
        ("train-", |folder| {
            let files = std::fs::read_dir(folder.join("data")).unwrap();
            for file in files.map(|file| file.unwrap().path()) {
                std::fs::write(file, "x").unwrap();
            }
        }),
    ];
    for (name, break_it) in breaks {
        let desk = Desk::new();
        let rows = [(Split::Train, real("Why?")), (Split::Train, made("Who says so?"))];
        desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
        break_it(&desk.lineage().join("generations/1"));
        let checked = desk.checked(1);
        assert!(!checked.is_whole());
        assert!(
            checked.faults.iter().any(|fault| fault.contains(name)),
            "{name}: {checked:?}"
        );
        let read = u64::from(name != "data" && name != "train-");
        assert_eq!(checked.anchor_present, read * checked.anchor_expected, "{name}");
    }
}

#[test]
fn ids_that_name_no_row_are_told_of() {
    let desk = Desk::new();
    let rows = [
        (Split::Train, real("Why?")),
        (Split::Train, made("Who says so?")),
        (Split::Train, made("Who else does?")),
    ];
    desk.add(&[desk.dataset(rows)], |_| ()).unwrap();
    let list = desk.lineage().with_file_name("bad.txt");
    let read = |ids: &str| {
        std::fs::write(&list, ids).unwrap();
        Quarantining {
            rules: vec![Rule::read(&format!("rows={}", list.display())).unwrap()],
            cause: None,
        }
    };
    let some = read("Who says so? / so it is\nx1\nx4\nx3\nx2\n");
    let two = Lineage::quarantine(&desk.lineage(), &some, &desk.task()).unwrap();
    let told = two.warnings.join("\n");
    assert!(told.contains("4 of 5 ids in "), "{told}");
    assert!(
        told.contains("bad.txt name no training row of generation 1: x1, x2, x3 and 1 more"),
        "{told}"
    );
    let all = read("Who else does? / so it is\n");
    let three = Lineage::quarantine(&desk.lineage(), &all, &desk.task()).unwrap();
    assert!(
        !three.warnings.join("\n").contains("training row of"),
        "{three:?}"
    );
}
