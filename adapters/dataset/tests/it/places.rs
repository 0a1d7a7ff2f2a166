//! The folder: what is replaced, what is kept, what is left.

use std::fs;
use std::path::Path;

use gristmill_dataset::{Error, Options, Split, Writer, read_rows, split_files};

use crate::{real, tree};

fn publish(target: &Path, id: &str) {
    let mut writer = Writer::create(target, Options::default()).unwrap();
    writer.push(Split::Train, real(id)).unwrap();
    writer.finish().unwrap().publish().unwrap();
}

/// The id of the one row of the one published dataset.
fn published(target: &Path) -> String {
    let files = split_files(target, Split::Train).unwrap();
    read_rows(&files[0]).unwrap().next().unwrap().unwrap().id
}

fn hidden(place: &Path) -> Vec<String> {
    tree(place)
        .into_iter()
        .filter(|name| name.starts_with('.'))
        .collect()
}

#[test]
fn a_finished_dataset_takes_the_place_of_the_one_before() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    fs::create_dir(&target).unwrap();
    publish(&target, "first");
    assert_eq!(published(&target), "first", "an empty folder is taken");
    publish(&target, "second");
    assert_eq!(
        (
            published(&target).as_str(),
            fs::read_dir(place.path()).unwrap().count()
        ),
        ("second", 1)
    );
}

#[cfg(unix)]
#[test]
fn a_linked_output_folder_stays_a_link() {
    let place = tempfile::tempdir().unwrap();
    let (disk, link) = (place.path().join("disk"), place.path().join("link"));
    fs::create_dir(&disk).unwrap();
    std::os::unix::fs::symlink(&disk, &link).unwrap();
    publish(&link, "a");
    publish(&link, "b");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(published(&disk), "b");
}

#[test]
fn an_unfinished_dataset_leaves_the_one_before_and_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    publish(&target, "first");
    let before = tree(&target);
    let mut writer = Writer::create(&target, Options::default()).unwrap();
    writer.push(Split::Train, real("never")).unwrap();
    drop(writer);
    let mut writer = Writer::create(&target, Options::default()).unwrap();
    writer.push(Split::Train, real("never")).unwrap();
    drop(writer.finish().unwrap());
    assert_eq!(
        (published(&target).as_str(), tree(&target), hidden(place.path())),
        ("first", before, vec![])
    );
}

#[test]
fn what_a_killed_writer_left_is_cleared_or_repaired() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    publish(&target, "first");
    // Killed while writing.
    let staging = place.path().join(".set.gristmill-new");
    fs::create_dir_all(staging.join("data")).unwrap();
    fs::write(staging.join("data/train-00000.part"), "torn").unwrap();
    publish(&target, "second");
    assert_eq!(
        (published(&target).as_str(), hidden(place.path())),
        ("second", vec![])
    );
    assert!(!tree(&target).iter().any(|name| name.ends_with(".part")));
    // Killed between the two renames, on a disk that cannot exchange.
    fs::rename(&target, place.path().join(".set.gristmill-old")).unwrap();
    drop(Writer::create(&target, Options::default()).unwrap());
    assert_eq!(
        (published(&target).as_str(), hidden(place.path())),
        ("second", vec![])
    );
}

#[test]
fn a_folder_with_other_things_in_it_is_never_replaced() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    publish(&target, "first");
    fs::write(target.join("thesis.txt"), "years of work").unwrap();
    let error = Writer::create(&target, Options::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Occupied { entry, .. } if entry == "thesis.txt"),
        "{error}"
    );
    fs::remove_file(target.join("thesis.txt")).unwrap();

    let writer = Writer::create(&target, Options::default()).unwrap();
    fs::write(target.join("thesis.txt"), "put there meanwhile").unwrap();
    assert!(matches!(
        writer.finish().unwrap().publish(),
        Err(Error::Occupied { .. })
    ));
    assert!(target.join("thesis.txt").exists() && hidden(place.path()).is_empty());

    let named = Options {
        extra_names: vec!["thesis.txt".to_owned()],
        ..Options::default()
    };
    assert!(Writer::create(&target, named).is_ok());
    fs::write(place.path().join("file"), "").unwrap();
    let refused = Writer::create(&place.path().join("file"), Options::default()).unwrap_err();
    assert!(
        refused.to_string().contains("a file of that name exists"),
        "{refused}"
    );
    assert!(matches!(
        Writer::create(Path::new("/"), Options::default()),
        Err(Error::Target { .. })
    ));
}

#[test]
fn two_writers_of_one_place_do_not_meet() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    let mut first = Writer::create(&target, Options::default()).unwrap();
    first.push(Split::Train, real("first")).unwrap();
    assert!(matches!(
        Writer::create(&target, Options::default()),
        Err(Error::Busy { .. })
    ));
    let finished = first.finish().unwrap();
    assert!(matches!(
        Writer::create(&target, Options::default()),
        Err(Error::Busy { .. })
    ));
    finished.publish().unwrap();
    publish(&target, "second");
    assert_eq!(published(&target), "second");
}

#[test]
fn further_files_stay_inside_and_under_their_names() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("set");
    let options = Options {
        extra_names: vec!["pictures".to_owned()],
        ..Options::default()
    };
    let mut finished = Writer::create(&target, options).unwrap().finish().unwrap();
    finished.add("pictures/funnel.svg", b"<svg/>").unwrap();
    finished.add("README.md", b"mine").unwrap();
    for name in [
        "../out",
        "/etc/x",
        "pictures/../../x",
        "pictures//x",
        "",
        "other.txt",
        "data/x",
        "README.md",
        "pictures\\x",
        "rejected.parquet",
    ] {
        assert!(
            matches!(finished.add(name, b""), Err(Error::Name { .. })),
            "{name:?}"
        );
    }
    finished.publish().unwrap();
    assert_eq!(tree(&target), ["README.md", "pictures/funnel.svg"]);
    assert_eq!(
        fs::read_to_string(target.join("README.md")).unwrap(),
        "mine",
        "a card of one's own stays"
    );
}

#[test]
fn no_room_for_a_row_is_no_option() {
    let place = tempfile::tempdir().unwrap();
    let options = Options {
        shard_rows: 0,
        ..Options::default()
    };
    assert!(matches!(
        Writer::create(&place.path().join("set"), options),
        Err(Error::Options(_))
    ));
}
