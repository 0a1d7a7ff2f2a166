//! Seeds audited: what they touch of the documents, what was left out and why, and the page that shows it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;

use gristmill_tests::harness::Bench;
use gristmill_tests::questions;
use gristmill_tests::sim::Config;
use serde_json::{Value, json};

/// What a document may hold, and no page may do.
const HOSTILE: &str = "<script>document.title='x'</script><img src=http://example.invalid/a>\u{202e}";
/// The largest page that an audit of any size may have.
const BYTES_MAX: usize = 1 << 20;

const WELL: &str = "The well behind the mill is forty feet deep. Its bucket is drawn up by a chain that runs over an iron wheel, \
    and the chain is oiled on the first day of every month, so that it does not rust in the rain.";
const OVEN: &str = "The baker heats the oven with beech wood before dawn. When the bricks have turned white he rakes the ashes out, \
    and the loaves stay inside for an hour, until their crust sounds hollow under a knuckle.";
const GEESE: &str = "Geese are driven to the pond in the evening and counted at the gate. A goose that lags behind is looked at by the \
    farmer, who keeps tar for sore feet and a warm box of straw for those that will not eat.";

/// A folder with seeds of which one names a document, one rests on a passage, and none is about geese.
fn bench(embed: &str) -> Bench {
    let bench = Bench::new(Config::default()).unwrap();
    let seed = |question: &str, context: &str, source: &str| {
        format!(
            "{}\n",
            json!({ "question": question, "answer": "yes", "context": context, "source": source })
        )
    };
    let mut seeds =
        seed("Is it so?", OVEN, "a book") + &seed("Does it hold?", "A text of its own.", "inn.md");
    for n in 0..12 {
        seeds += &seed(
            &format!(
                "How deep is the well behind mill {n}, whose bucket hangs on a chain over an iron wheel?"
            ),
            &format!("Nothing is known of mill {n}."),
            &format!("letter {n} {HOSTILE}"),
        );
    }
    bench.write("seeds.jsonl", &seeds).unwrap();
    for (name, text) in [("well", WELL), ("oven", OVEN), ("geese", GEESE)] {
        bench
            .write(
                &format!("docs/{name}.md"),
                &format!("# On the {name}\n\n{text}\n"),
            )
            .unwrap();
    }
    bench
        .write(
            "docs/inn.md",
            "# On the inn\n\nThe inn has nine rooms, and travellers pay for a night before they go up; whoever comes after ten \
             finds the door locked and must ring for the keeper, who sleeps above the stable and hears badly.\n",
        )
        .unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {{context: context, source: source}}, documents: {{path: docs}}}}\n\
         holdout: {{validation: 0, test: 0}}\nteacher: {{base_url: {}, model: sim}}\nembed: {{model: {embed}}}\n\
         filter: {{validator: {{kind: label, labels: [yes, no]}}}}\nbudget: {{calls: 100}}\n",
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    bench
}

fn audit(bench: &Bench, more: &[&str]) -> Value {
    bench.json(&[&["audit", "job.yaml"], more].concat()).unwrap()
}

/// File names of the documents that no seed touches, in the order in which they are told.
fn untouched(audit: &Value) -> Vec<String> {
    let list = audit["documents"]["list"].as_array().unwrap().iter();
    list.filter(|line| line["touched"] == 0 && line["named"] == 0)
        .map(|line| {
            line["document"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect()
}

#[test]
fn what_no_seed_touches_is_named() {
    let bench = bench("all-minilm-l6-v2");
    let kept = std::fs::read_to_string(bench.folder.path().join("job.yaml")).unwrap();
    for (place, why) in [
        ("job.yaml", "ends in .html"),
        ("mine.html", "no page of Gristmill's"),
    ] {
        bench.write("mine.html", "<html>mine</html>").unwrap();
        let refused = bench.gristmill(&["audit", "job.yaml", "--page", place]).unwrap();
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(refused.status.code() == Some(3) && told.contains(why), "{told}");
    }
    assert_eq!(
        std::fs::read_to_string(bench.folder.path().join("job.yaml")).unwrap(),
        kept
    );
    audit(&bench, &["--page", "audit.html"]);
    // Its own page is replaced.
    let found = audit(&bench, &["--page", "audit.html"]);
    let documents = &found["documents"];
    println!("{documents}");
    assert_eq!(untouched(&found), ["geese.md"]);
    assert_eq!(
        (
            &documents["documents"],
            &documents["documents_touched"],
            &documents["passages"]
        ),
        (&json!(4), &json!(3), &json!(4))
    );
    assert_eq!(
        documents["touched"], 2,
        "the inn is named, and no question is about it"
    );
    assert_eq!(
        (&documents["near"]["n"], &found["left_out"]),
        (&json!(14), &json!([]))
    );
    let page = std::fs::read_to_string(bench.folder.path().join("audit.html")).unwrap();
    for part in [
        "map-part",
        "clusters",
        "documents",
        "duplicates",
        "outliers",
        "diversity",
        "facts",
    ] {
        assert!(page.contains(&format!("id=\"{part}\"")), "{part}");
    }
    assert!(page.len() < BYTES_MAX && page.contains("geese.md") && page.contains("τ = 0.1, n = 14"));
    // Nothing is fetched, and nothing in a row acts.
    assert!(!page.contains("<script>document") && !page.contains("<img") && !page.contains('\u{202e}'));
    assert_eq!(page.matches("<script>").count(), 1);
    assert!(!page.contains("style=\""), "the page's policy would block it");
    let plain = bench.gristmill(&["audit", "job.yaml"]).unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(
        plain.contains("2 of 4 passages (50.0%) and 3 of 4 documents are touched by a seed")
            && plain.contains("geese.md"),
        "{plain}"
    );
}

#[test]
fn what_was_not_looked_at_is_said() {
    let bench = bench("off");
    let found = audit(&bench, &["--page", "audit.html"]);
    assert_eq!(
        untouched(&found),
        ["geese.md", "well.md"],
        "{}",
        found["documents"]
    );
    let left: Vec<&str> = found["left_out"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| left["what"].as_str().unwrap())
        .collect();
    assert_eq!(
        left,
        [
            "clusters",
            "outliers",
            "diversity of the meanings",
            "map",
            "passages that seeds touch by their meaning"
        ]
    );
    let page = std::fs::read_to_string(bench.folder.path().join("audit.html")).unwrap();
    assert!(!page.contains("id=\"map-part\"") && page.contains("`embed.model` is `off`"));
    let plain = bench.gristmill(&["audit", "job.yaml"]).unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(
        plain.contains("left out   clusters: `embed.model` is `off`, and they need vectors"),
        "{plain}"
    );
    // A page that cannot be written is no success.
    let refused = bench
        .gristmill(&["audit", "job.yaml", "--page", "nowhere/audit.html"])
        .unwrap();
    assert!(!refused.status.success());
}

#[test]
fn found_clusters_have_names_that_say_something() {
    let Some(data) = questions::real_only().unwrap() else {
        return;
    };
    let bench = Bench::new(Config::default()).unwrap();
    let job = format!(
        "seeds:\n  path: {}\n  fields: {{answer: long_answer, references: final_decision, context: contexts}}\n\
         teacher: {{base_url: {}, model: sim}}\nconcepts: {{found: 20}}\n\
         filter: {{validator: {{kind: label, labels: [yes, no, maybe]}}}}\nbudget: {{calls: 100}}\n",
        data.join("pubmedqa/train.jsonl").display(),
        bench.url()
    );
    bench.write("job.yaml", &job).unwrap();
    let found = audit(&bench, &[]);
    let names: Vec<&str> = found["clusters"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cluster| cluster["name"].as_str().unwrap())
        .collect();
    println!("{names:#?}");
    let distinct: BTreeSet<&&str> = names.iter().collect();
    assert_eq!((names.len(), distinct.len()), (20, 20));
    let grammar = [
        "does", "would", "should", "with", "that", "after", "using", "there", "between",
    ];
    for name in &names {
        let words: Vec<&str> = name.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        assert!(!words.is_empty() && !words.contains(&"cluster"), "{name}");
        assert!(
            words
                .iter()
                .all(|word| !grammar.contains(word) && !word.contains(|c: char| c.is_numeric())),
            "{name}"
        );
    }
    // Words that a reader would expect of this set name clusters of their own.
    for subject in ["cancer", "surgery"] {
        assert!(
            names.iter().any(|name| name.contains(subject)),
            "{subject}: {names:?}"
        );
    }
}
