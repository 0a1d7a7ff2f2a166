//! Arrows between the crates point down only.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::{BTreeMap, BTreeSet};

/// What each layer may depend on, itself excepted.
fn allowed(layer: &str) -> &'static [&'static str] {
    match layer {
        "domain" | "index" | "measure" | "picture" | "confine" => &[],
        "proto" | "ports" => &["domain"],
        "adapter" => &["ports", "proto", "domain", "confine"],
        "coordinator" | "worker" => &["ports", "proto", "domain", "index", "measure"],
        "datasets" => &["ports", "domain", "index", "measure", "picture"],
        // The coordinator owns the journal's format.
        "runs" => &[
            "coordinator",
            "ports",
            "proto",
            "domain",
            "index",
            "measure",
            "picture",
        ],
        "cli" => &[
            "domain",
            "index",
            "measure",
            "picture",
            "ports",
            "proto",
            "adapter",
            "coordinator",
            "worker",
            "datasets",
            "runs",
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
    ("gristmill-dataset", &["gristmill-runs"]),
    ("gristmill-blob", &["gristmill-runs"]),
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
