//! The image that `scripts/image.sh` makes of Debian's packages and the program: it starts with nothing else, holds no shell, and is the same
//! whoever packs it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use gristmill_tests::harness::program;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What a command prints; it must succeed.
fn printed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Packs the program that stands beside the tests, as somebody with this umask.
fn pack(out: &Path, umask: &str) -> Vec<u8> {
    let script = root().join("scripts/image.sh");
    let said = printed(
        Command::new("bash")
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(script)
            .arg("--program")
            .arg(program().unwrap())
            .args(["--name", "gristmill:test", "--out"])
            .arg(out),
    );
    println!("{}", said.trim());
    std::fs::read(out.join("gristmill.oci.tar")).unwrap()
}

fn blob(folder: &Path, descriptor: &Value) -> PathBuf {
    let digest = descriptor["digest"].as_str().unwrap();
    folder.join("blobs").join(digest.replace(':', "/"))
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What the image consists of, laid out in a folder as a runtime does it, with its configuration.
fn unpack(archive: &Path, to: &Path) -> Value {
    let layout = to.join("layout");
    let files = to.join("files");
    std::fs::create_dir_all(&layout).unwrap();
    std::fs::create_dir_all(&files).unwrap();
    printed(Command::new("tar").arg("-xf").arg(archive).arg("-C").arg(&layout));
    let index = json(&layout.join("index.json"));
    let manifest = json(&blob(&layout, &index["manifests"][0]));
    for layer in manifest["layers"].as_array().unwrap() {
        let layer = blob(&layout, layer);
        printed(Command::new("tar").arg("-xzf").arg(layer).arg("-C").arg(&files));
    }
    json(&blob(&layout, &manifest["config"]))
}

#[test]
fn the_image_is_the_same_whoever_packs_it_and_needs_nothing_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    // Packages are fetched once.
    let out = root().join("target/image-test");
    let first = pack(&out, "022");
    let kept = folder.path().join("first.tar");
    std::fs::write(&kept, &first).unwrap();
    assert!(
        first == pack(&out, "077"),
        "the archive depends on who packs it: {}",
        kept.display()
    );

    let config = unpack(&kept, folder.path());
    let files = folder.path().join("files");
    assert_eq!(config["config"]["User"], "10001:10001");
    assert_eq!(config["config"]["Entrypoint"][0], "/usr/local/bin/gristmill");
    for absent in ["bin/sh", "usr/bin", "usr/sbin", "sbin", "var/lib/dpkg", "etc/apt"] {
        assert!(!files.join(absent).exists(), "{absent} is in the image");
    }
    let bundle = std::fs::read_to_string(files.join("etc/ssl/certs/ca-certificates.crt")).unwrap();
    assert!(bundle.matches("BEGIN CERTIFICATE").count() > 100);

    // Only root may look from there.
    if nix::unistd::geteuid().is_root() {
        let version = printed(
            Command::new("chroot")
                .args(["--userspec=10001:10001"])
                .arg(&files)
                .args(["/usr/local/bin/gristmill", "--version"]),
        );
        assert!(version.starts_with("gristmill "), "{version}");
    } else {
        println!("not root: the program was not started in the image");
    }
}

#[test]
fn the_list_of_parts_names_every_crate_of_the_program_and_no_crate_of_the_tests() {
    let list = |features: &str| -> BTreeSet<String> {
        let mut script = Command::new(root().join("scripts/sbom.py"));
        let text = printed(script.args(["--features", features, "--debian", "libc6=2.36-9+deb12u14"]));
        let bom: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            (&bom["bomFormat"], &bom["specVersion"]),
            (&"CycloneDX".into(), &"1.6".into())
        );
        let components = bom["components"].as_array().unwrap();
        for component in components.iter().filter(|part| !part["purl"].is_null()) {
            let purl = component["purl"].as_str().unwrap();
            let of_cargo = purl.starts_with("pkg:cargo/");
            assert_eq!(
                of_cargo,
                component["hashes"][0]["content"].is_string(),
                "{component}"
            );
            assert!(!of_cargo || component["licenses"].is_array(), "{component}");
        }
        let names = components
            .iter()
            .map(|part| part["name"].as_str().unwrap().to_owned());
        names.collect()
    };
    let names = list("");
    for part in ["gristmill-domain", "lapin", "redis", "tonic", "libc6"] {
        assert!(names.contains(part), "{part}: {names:?}");
    }
    for foreign in [
        "gristmill-tests",
        "gristmill-servers",
        "proptest",
        "gristmill-local-model",
    ] {
        assert!(!names.contains(foreign), "{foreign}");
    }
    assert!(list("local-model").contains("gristmill-local-model"));
}
