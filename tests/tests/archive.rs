//! The archive that `scripts/archive.py` makes of a program: what people download.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A program as far as packing goes: it says its version, and is smaller than the real one.
const PROGRAM: &str = "#!/bin/sh\necho gristmill 1.2.3\n";

fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Packs a program into a folder, and returns the archive.
fn pack(program: &Path, folder: &Path) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/archive.py");
    let said = printed(Command::new("python3").arg(script).arg(program).arg(folder));
    println!("{}", said.trim());
    PathBuf::from(said.split(':').next().unwrap())
}

#[test]
fn an_archive_is_whole_checked_and_the_same_each_time() {
    let work = tempfile::tempdir().unwrap();
    let program = work.path().join("gristmill");
    std::fs::write(&program, PROGRAM).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let [archive, again] = ["a", "b"].map(|folder| pack(&program, &work.path().join(folder)));
    let name = archive.file_name().unwrap().to_str().unwrap();
    let name = name.strip_suffix(".tar.gz").unwrap();
    assert!(name.starts_with("gristmill-1.2.3-"), "{name}");
    assert!(
        std::fs::read(&archive).unwrap() == std::fs::read(again).unwrap(),
        "it differs"
    );

    let folder = archive.parent().unwrap();
    let mut check = Command::new("sha256sum");
    printed(
        check
            .args(["--check", &format!("{name}.tar.gz.sha256")])
            .current_dir(folder),
    );
    printed(Command::new("tar").arg("-xzf").arg(&archive).current_dir(folder));
    let unpacked = folder.join(name);
    let mut files: Vec<String> = std::fs::read_dir(&unpacked)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    assert_eq!(
        files,
        [
            "CHANGELOG.md",
            "LICENSE",
            "README.md",
            "gristmill",
            "gristmill.cdx.json"
        ]
    );
    let version = printed(Command::new(unpacked.join("gristmill")).arg("--version"));
    assert_eq!(version.trim(), "gristmill 1.2.3");
    let parts = std::fs::read(unpacked.join("gristmill.cdx.json")).unwrap();
    let parts: Value = serde_json::from_slice(&parts).unwrap();
    let digest = printed(Command::new("sha256sum").arg(&program));
    let program = &parts["metadata"]["component"]["hashes"][0]["content"];
    assert_eq!(program, digest.split(' ').next().unwrap());
    assert!(parts["components"].as_array().unwrap().len() > 100, "{parts}");
}
