//! Arrows between the crates point down only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use sources::Sources;

/// What each layer may depend on, itself excepted.
fn allowed(layer: &str) -> &'static [&'static str] {
    match layer {
        "domain" | "index" | "measure" | "picture" | "confine" => &[],
        "proto" | "ports" | "evaluation" => &["domain"],
        "adapter" => &["ports", "proto", "domain", "confine"],
        "coordinator" | "worker" => &["ports", "proto", "domain", "index", "measure"],
        "datasets" => &["ports", "domain", "index", "measure", "picture"],
        "students" => &["ports", "domain", "picture"],
        "improvement" => &["proto", "domain", "evaluation", "picture"],
        // Reads and compares rows as the operations on datasets do.
        "lineage" => &["datasets", "domain"],
        "diagnosis" => &["ports", "domain", "measure"],
        // Beside `runs`: the coordinator owns the journal's format, which both read.
        "rowindex" => &["coordinator", "ports", "proto", "domain", "measure"],
        // The coordinator owns the journal's format.
        "runs" => &[
            "coordinator",
            "ports",
            "proto",
            "domain",
            "evaluation",
            "index",
            "measure",
            "picture",
        ],
        // Shows what runs say of themselves; a coordinator, which it may be a part of, answers for a cluster.
        "dashboard" => &[
            "runs",
            "lineage",
            "rowindex",
            "coordinator",
            "ports",
            "proto",
            "domain",
            "picture",
        ],
        "cli" => &[
            "dashboard",
            "domain",
            "evaluation",
            "improvement",
            "index",
            "measure",
            "picture",
            "ports",
            "proto",
            "adapter",
            "coordinator",
            "worker",
            "datasets",
            "lineage",
            "diagnosis",
            "rowindex",
            "runs",
            "students",
        ],
        // The judge of all: no crate of the product stands behind it, so that no mistake of theirs can hide in it.
        "tests" => &["tests"],
        other => panic!("`{other}` is no layer"),
    }
}

/// Adapters that another crate than the program may build on, each with the crates that may.
///
/// An adapter builds on another one's formats only where both stand for one neighbour. The libraries read and write files of fixed
/// formats, which are theirs as much as the program's; whatever has several implementations comes to them through a port.
const ADAPTERS: [(&str, &[&str]); 5] = [
    (
        "gristmill-tables",
        &["gristmill-jobfile", "gristmill-datasets", "gristmill-runs"],
    ),
    (
        "gristmill-dataset",
        &[
            "gristmill-runs",
            "gristmill-students",
            "gristmill-lineage",
            "gristmill-diagnosis",
        ],
    ),
    ("gristmill-blob", &["gristmill-runs", "gristmill-dashboard"]),
    ("gristmill-documents", &["gristmill-runs"]),
    ("gristmill-ledger-sqlite", &["gristmill-runs"]),
];

#[test]
fn arrows_point_down_only() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().unwrap();
    let root = metadata.workspace_root.clone();
    let layer_of = |path: &str| -> String {
        let folder = path.trim_start_matches('/').to_owned();
        match folder.split_once('/') {
            Some(("adapters", _)) => "adapter".into(),
            Some((first, _)) => first.into(),
            None => folder,
        }
    };
    let layers: BTreeMap<String, String> = metadata
        .workspace_packages()
        .iter()
        .map(|package| {
            let folder = package
                .manifest_path
                .parent()
                .unwrap()
                .strip_prefix(&root)
                .unwrap()
                .to_string();
            (package.name.to_string(), layer_of(&folder))
        })
        .collect();
    let mut wrong = Vec::new();
    let mut arrows = BTreeSet::new();
    for package in metadata.workspace_packages() {
        let from = &layers[package.name.as_str()];
        for dependency in &package.dependencies {
            let dev = dependency.kind == cargo_metadata::DependencyKind::Development;
            let Some(to) = layers.get(&dependency.name) else {
                continue;
            };
            arrows.insert((from.clone(), to.clone()));
            let named = ADAPTERS
                .iter()
                .any(|(adapter, by)| dependency.name == *adapter && by.contains(&package.name.as_str()));
            if !dev && !named && !allowed(from).contains(&to.as_str()) {
                wrong.push(format!("{} ({from}) → {} ({to})", package.name, dependency.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "arrows that point up or sideways:\n{}",
        wrong.join("\n")
    );
    assert!(
        arrows.contains(&("cli".into(), "coordinator".into())),
        "the test reads the workspace it means to"
    );
}

/// Within a crate no file uses an item of another that uses one of its own, by whatever way round: two such files are one, or an item
/// of one belongs into a third.
///
/// A file uses an item where its code names it, or imports it for itself. An item belongs to the file that defines it, through
/// whatever re-exports it is named; a re-export alone uses nothing. One direction is free: a module may use what the modules that it lies in
/// define, since it is a part of them and sees their private items as well. All else counts, a parent's use of its child included, so that
/// `a → b → b/c → a` is a cycle, and `b → b/c → b` is none.
#[test]
fn no_two_files_use_each_other() {
    let metadata = cargo_metadata::MetadataCommand::new().no_deps().exec().unwrap();
    let tests = metadata.workspace_root.join("tests");
    let (mut found, mut files) = (Vec::new(), 0);
    for package in metadata.workspace_packages() {
        let of_product = !package.manifest_path.starts_with(&tests);
        let targets = package.targets.iter();
        for target in targets.filter(|target| of_product && (target.is_lib() || target.is_bin())) {
            let sources = Sources::read(target.src_path.as_std_path());
            files += sources.files();
            let cycles = sources.cycles().into_iter();
            found.extend(cycles.map(|cycle| format!("{}: {cycle}", package.name)));
        }
    }
    assert!(
        found.is_empty(),
        "files that use each other; move what they share into a file of its own:\n{}",
        found.join("\n")
    );
    assert!(
        files > 500,
        "the test reads the workspace it means to: {files} files"
    );
}

/// The cycles of a crate with these files, in words.
fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let sources = Sources::read(&folder.path().join("lib.rs"));
    sources.cycles().iter().map(ToString::to_string).collect()
}

#[test]
fn a_type_in_the_wrong_file_is_named() {
    let found = cycles(&[
        ("lib.rs", "mod plan; mod run; pub use plan::Plan;"),
        (
            "plan.rs",
            "use crate::run; pub struct Plan; pub fn next() { run::start(); }",
        ),
        (
            "run.rs",
            "use crate::Plan; pub fn start() {} fn all(plan: &Plan) { println!(\"{}\", crate::plan::next()); }",
        ),
    ]);
    assert_eq!(
        found,
        ["plan.rs uses start of run.rs, and run.rs uses Plan, next of plan.rs"]
    );
}

#[test]
fn a_way_round_through_a_child_is_a_cycle() {
    let files = |made: &'static str| {
        [
            ("lib.rs", "mod recipe; mod row;"),
            (
                "recipe.rs",
                "mod walk; pub use walk::Call; pub struct Recipe(Call);",
            ),
            ("recipe/walk.rs", made),
            ("row.rs", "pub struct Row { made: crate::recipe::Recipe }"),
        ]
    };
    // What lies in a module may use what that one defines.
    assert_eq!(cycles(&files("pub struct Call; impl super::Recipe {}")), [""; 0]);
    assert_eq!(
        cycles(&files("use crate::row::Row as Made; pub struct Call(Made);")),
        [
            "recipe.rs uses Call of recipe/walk.rs, and recipe/walk.rs uses Row of row.rs, and row.rs uses Recipe of recipe.rs"
        ]
    );
}

#[test]
fn tests_may_use_what_they_test() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b;"),
        (
            "a.rs",
            "pub struct A; #[cfg(test)] mod tests { use crate::b::B; }",
        ),
        ("b.rs", "pub struct B(crate::a::A);"),
    ]);
    assert_eq!(found, [""; 0]);
}
