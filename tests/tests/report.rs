//! A run's report: written beside its dataset, the same each time it is made, and nothing in it acts.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use gristmill_tests::harness::Bench;
use gristmill_tests::sim::{Config, KeyFiles};
use serde_json::{Value, json};

/// What a document may hold, and no page may do.
const HOSTILE: &str =
    "<script>document.title='x'</script><img src=http://example.invalid/a onerror=alert(1)>\u{202e}";
/// The largest page that a run of any size may have.
const BYTES_MAX: usize = 1 << 20;

fn seeds(rows: usize) -> String {
    (0..rows)
        .map(|n| {
            let row = json!({
                "question": format!("Tom has {n} apples {HOSTILE} and buys {} more. How many apples does he have now?", n + 2),
                "answer": format!("He has {n} + {} = {}.\n#### {}", n + 2, 2 * n + 2, 2 * n + 2),
                "concept": format!("sums {}</td>", n % 5),
            });
            format!("{row}\n")
        })
        .collect()
}

#[test]
fn a_run_leaves_its_report() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("seeds.jsonl");
    std::fs::write(&key, seeds(60)).unwrap();
    let bench = Bench::new(Config {
        key: KeyFiles {
            gsm8k: vec![key.clone()],
            ..KeyFiles::default()
        },
        seed: 5,
        ..Config::default()
    })
    .unwrap();
    let job = format!(
        "seeds: {{path: {}, fields: {{concept: concept}}}}\nteacher: {{base_url: {}, model: sim, price: {{input: 1, output: 2}}}}\n\
         embed: {{model: off}}\nfilter: {{validator: {{kind: number}}}}\nbudget: {{calls: 300, usd: 5}}\n",
        key.display(),
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let summary = bench.run_job("job.yaml", &[]).unwrap();
    let run = bench.run_folder().unwrap();
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.len() < BYTES_MAX, "{} bytes", page.len());
    let accepted = summary["rows"]["train_synthetic"].as_u64().unwrap();
    assert!(
        page.contains(&format!("<strong>{accepted}</strong>")),
        "it counts as the summary does"
    );
    assert!(page.contains("sums 1&lt;&#x2f;td&gt;") && page.contains("differs from the reference"));
    assert!(
        page.contains("&lt;script&gt;document.title"),
        "rows are shown as text"
    );
    assert!(!page.contains("<script>document") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains("style=\""), "the page's policy would block it");
    // Made again, and with pictures.
    let run_name = run.display().to_string();
    let output = bench
        .gristmill(&[
            "report",
            &run_name,
            "--out",
            "again.html",
            "--pictures",
            "pictures",
        ])
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let again = std::fs::read_to_string(bench.folder.path().join("again.html")).unwrap();
    assert!(page == again, "the same each time");
    for name in [
        "map.svg",
        "concepts.svg",
        "funnel.svg",
        "spending.svg",
        "rounds-1.svg",
    ] {
        let svg = std::fs::read_to_string(bench.folder.path().join("pictures").join(name)).unwrap();
        assert!(
            svg.starts_with("<svg xmlns") && !svg.contains("<script") && !svg.contains("NaN"),
            "{name}"
        );
    }
    // Another layout is a dataset of its own, with card and manifest.
    let output = bench
        .gristmill(&["export", &run_name, "alpaca", "--layout", "alpaca"])
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let exported = bench.folder.path().join("alpaca");
    let again = |more: &[&str]| {
        let command = ["export", &run_name, "alpaca", "--layout", "alpaca"];
        bench.gristmill(&[command.as_slice(), more].concat()).unwrap()
    };
    let refused = again(&[]);
    assert!(!refused.status.success());
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        said.contains("alpaca exists") && said.contains("--overwrite"),
        "{said}"
    );
    assert!(again(&["--overwrite"]).status.success());
    let read = |folder: &std::path::Path| -> Value {
        serde_json::from_slice(&std::fs::read(folder.join("manifest.json")).unwrap()).unwrap()
    };
    let (before, after) = (read(&run.join("dataset")), read(&exported));
    assert_eq!(after["rows"], before["rows"]);
    for file in after["files"].as_array().unwrap() {
        assert!(exported.join(file["path"].as_str().unwrap()).is_file(), "{file}");
    }
    assert_ne!(after["files"], before["files"]);
    let card = std::fs::read_to_string(exported.join("README.md")).unwrap();
    assert!(
        card.starts_with("---\n") && card.contains("# Gristmill run "),
        "{card}"
    );
    let rows = std::fs::read_to_string(exported.join("jsonl/train.jsonl")).unwrap();
    assert_eq!(
        rows.lines().count() as u64,
        after["rows"]["train"].as_u64().unwrap()
    );
    assert!(rows.starts_with("{") && rows.contains("\"instruction\":"));
    // Without a dataset the journal still says what there is, and why the run has ended.
    std::fs::remove_file(run.join("dataset/manifest.json")).unwrap();
    let output = bench
        .gristmill(&["report", &run_name, "--out", "so_far.html"])
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let so_far = std::fs::read_to_string(bench.folder.path().join("so_far.html")).unwrap();
    assert!(
        so_far.contains(after["end"].as_str().unwrap())
            && so_far.contains(&format!("<strong>{accepted}</strong>"))
    );
    let output = bench.gristmill(&["report", "out"]).unwrap();
    assert_eq!(output.status.code(), Some(3), "a folder that is no run's");
}
