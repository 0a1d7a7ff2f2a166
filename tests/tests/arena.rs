//! Evaluations in the dashboard, and votes in the blind arena: real runs, and pages as a browser asks for them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gristmill_tests::browser::{Answer, Browser};
use gristmill_tests::cluster::{Cluster, LONG};
use gristmill_tests::desk::{BY_NUMBER, Desk, FORMATS, QUESTIONS};
use gristmill_tests::sim::Faults;
use gristmill_tests::ui::Ui;
use serde_json::Value;

/// Questions that are voted on besides the first one.
const OTHERS: usize = 15;

/// The address that an answer leads to.
fn leads_to(answer: &Answer) -> String {
    assert!(
        answer.head.starts_with("HTTP/1.1 303"),
        "{} {}",
        answer.head,
        answer.body
    );
    let (_, after) = answer.head.split_once("location: ").unwrap();
    after.split("\r\n").next().unwrap().to_owned()
}

fn ok(answer: Answer) -> String {
    assert!(
        answer.head.starts_with("HTTP/1.1 200"),
        "{} {}",
        answer.head,
        answer.body
    );
    answer.body
}

/// The texts of answers on a page, in their order.
fn shown(page: &str) -> Vec<String> {
    let (_, answers) = page.split_once("<div class=\"answers\">").unwrap();
    let each = answers.split("<pre>").skip(1);
    each.map(|rest| rest.split("</pre>").next().unwrap().to_owned())
        .collect()
}

fn votes(run: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(run.join("votes.jsonl")).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Votes on a question, and returns the page that follows.
fn vote(browser: &mut Browser, address: &str, choice: &str) -> String {
    let token = browser.form_token(address);
    let voted = browser.post(address, &format!("choice={choice}&form_token={token}"));
    assert_eq!(
        leads_to(&voted),
        address,
        "it is the question with its names that follows"
    );
    ok(browser.get(address))
}

fn evaluated(desk: &Desk) -> (PathBuf, String, Value) {
    desk.job("eval.yaml", BY_NUMBER);
    let told = desk.run("eval.yaml");
    let folder = desk.result(&told).parent().unwrap().to_owned();
    let run = folder.file_name().unwrap().to_str().unwrap().to_owned();
    (folder, run, told)
}

#[test]
fn an_evaluation_is_shown_with_its_result_and_no_page_of_it_is_about_rows() {
    let desk = Desk::new(0.5, Faults::default());
    let (folder, run, told) = evaluated(&desk);
    for looked_in in [&folder, folder.parent().unwrap()] {
        let ui = Ui::start(&desk.student, looked_in);
        let mut browser = Browser::open(&ui.address);
        let list = ok(browser.get("/runs"));
        let all = 2 * QUESTIONS * FORMATS;
        assert!(
            list.contains(&run) && list.contains(&format!("{all} answers")),
            "{list}"
        );
        let page = ok(browser.get(&format!("/runs/{run}")));
        for model in told["models"].as_array().unwrap() {
            let accuracy = model["scorecard"]["accuracy"]["value"].as_f64().unwrap();
            let wanted = format!("{:.1} %", 100.0 * accuracy);
            assert!(page.contains(&wanted), "{wanted}: {page}");
        }
        for wanted in [
            "Wrong answers of the student",
            "against strong (teacher)",
            "Nobody has voted yet",
        ] {
            assert!(page.contains(wanted), "{wanted}: {page}");
        }
        for other in [
            "rows",
            "rejects",
            "recipes",
            "map",
            "coverage",
            "rows.jsonl",
            "map.png",
        ] {
            let answer = browser.get(&format!("/runs/{run}/{other}"));
            assert!(
                answer.head.starts_with("HTTP/1.1 404"),
                "{other}: {}",
                answer.head
            );
            assert!(answer.body.contains("makes no rows"), "{other}: {}", answer.body);
        }
        let compared = browser.get(&format!("/compare?a={run}&b={run}"));
        assert!(compared.body.contains("is an evaluation"), "{}", compared.body);
        for other in ["budget", "endpoints"] {
            let page = ok(browser.get(&format!("/runs/{run}/{other}")));
            assert!(
                page.contains("strong") && !page.contains("accepted row"),
                "{page}"
            );
        }
    }
}

#[test]
fn votes_are_blind_durable_and_counted() {
    let desk = Desk::new(0.3, Faults::default());
    let (folder, run, _) = evaluated(&desk);
    let ui = Ui::start(&desk.student, folder.parent().unwrap());
    let mut browser = Browser::open(&ui.address);
    let arena = format!("/runs/{run}/arena");
    assert!(ok(browser.get(&arena)).contains("Your name"));
    let begin = format!("{arena}/next?voter=ann");

    // Before the vote, a page says nothing of whose the answers are, nor what is right.
    let first = leads_to(&browser.get(&begin));
    let page = ok(browser.get(&first));
    assert_eq!(shown(&page).len(), 2, "{page}");
    let item = first
        .trim_start_matches(&arena)
        .split('/')
        .nth(1)
        .unwrap()
        .to_owned();
    for hidden in ["weak", "strong", "graded", "Right answer"] {
        assert!(!page.contains(hidden), "{hidden}: {page}");
    }
    assert_eq!(
        shown(&page),
        shown(&ok(browser.get(&first))),
        "loading it again changes nothing"
    );
    let hidden = first.replace('?', "/text/reference?");
    assert!(browser.get(&hidden).head.starts_with("HTTP/1.1 404"));

    // Forms of others do nothing; nor does what is no vote.
    assert!(browser.post(&first, "choice=1").head.starts_with("HTTP/1.1 403"));
    let token = browser.form_token(&first);
    let wrong = browser.post(&first, &format!("choice=7&form_token={token}"));
    assert!(wrong.head.starts_with("HTTP/1.1 400"), "{}", wrong.head);
    assert_eq!(votes(&folder), Vec::<Value>::new());

    let page = vote(&mut browser, &first, "1");
    assert!(
        page.contains("weak (student)") && page.contains("strong (teacher)"),
        "{page}"
    );
    assert!(
        page.contains("Right answer") && page.contains("your vote"),
        "{page}"
    );
    let stored = votes(&folder);
    assert_eq!(
        (stored.len(), &stored[0]["voter"], &stored[0]["item"]),
        (1, &"ann".into(), &item.into())
    );
    let best = stored[0]["choice"]["best"].as_str().unwrap().to_owned();
    assert!(page.contains(&format!("which is of {best}.")), "{page}");

    // A crash in the middle of a line takes no vote with it, and a dashboard that starts again knows them.
    drop(ui);
    let file = folder.join("votes.jsonl");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{text}{}", &text[..text.len() / 2])).unwrap();
    let ui = Ui::start(&desk.student, folder.parent().unwrap());
    let mut browser = Browser::open(&ui.address);
    vote(&mut browser, &first, "tie");
    let stored = votes(&folder);
    assert_eq!((stored.len(), &stored[1]["choice"]), (2, &"tie".into()));
    assert_eq!(stored[1]["revised"], true);

    // Some others, always for the strong model: no question comes up again.
    let mut seen = BTreeSet::new();
    let mut next = leads_to(&browser.get(&begin));
    for _ in 0..OTHERS {
        assert!(next != first && seen.insert(next.clone()), "{next} came up again");
        let page = vote(&mut browser, &next, "1");
        let strong = page.contains("which is of strong.");
        if !strong {
            vote(&mut browser, &next, "2");
        }
        next = leads_to(&browser.get(&begin));
    }
    let page = ok(browser.get(&format!("{arena}/votes")));
    assert!(page.contains("strong is preferred to weak"), "{page}");
    assert!(page.contains("A damaged line does not count"), "{page}");
    assert!(page.contains("Tango") && page.contains("Cohen"), "{page}");
    let counted = seen.len() + 1;
    assert!(page.contains(&format!("{counted} votes")), "{counted}: {page}");
    assert!(ok(browser.get(&format!("/runs/{run}"))).contains("strong is preferred to weak"));

    // A result that is made again keeps the votes on it.
    let (code, _, why) = desk.said(&["assemble", folder.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{why}");
    assert!(ok(browser.get(&format!("{arena}/votes"))).contains(&format!("{counted} votes")));
}

#[test]
fn in_a_cluster_operators_vote_under_their_own_names_and_it_is_written_down() {
    let desk = Desk::new(0.5, Faults::default());
    desk.job("eval.yaml", BY_NUMBER);
    let mut cluster = Cluster::start().unwrap();
    let tokens = cluster.store().with_file_name("tokens");
    let (vera, otto) = ("look-look-look-look", "change-change-change");
    std::fs::write(&tokens, format!("viewer {vera} vera\noperator {otto} otto\n")).unwrap();
    cluster.coordinator(&[]).unwrap();
    cluster.worker(&[]).unwrap();
    let run = cluster
        .submit(&desk.student.folder.path().join("eval.yaml"))
        .unwrap();
    cluster.finished(&run, LONG).unwrap();
    cluster
        .coordinator(&["--tokens", tokens.to_str().unwrap()])
        .unwrap();
    let address = cluster.coordinators[1].http.clone();
    let sign_in = |token: &str| {
        let mut door = Browser::open(&address);
        leads_to(&door.post("/sign-in", &format!("token={token}&next=/runs")));
        // A stranger's connection is closed once it is answered.
        let mut browser = Browser::open(&address);
        browser.cookie = door.cookie;
        browser
    };
    let arena = format!("/runs/{run}/arena");
    let mut operator = sign_in(otto);
    assert!(ok(operator.get(&format!("/runs/{run}"))).contains("strong (teacher)"));
    assert!(ok(operator.get(&arena)).contains("otto has voted on 0 of"));
    // Nobody votes under the name of another.
    let next = leads_to(&operator.get(&format!("{arena}/next?voter=vera")));
    vote(&mut operator, &next, "bad");
    let folder = cluster.store().join(&run);
    assert_eq!(votes(&folder)[0]["voter"], "otto");

    let mut viewer = sign_in(vera);
    let next = leads_to(&viewer.get(&format!("{arena}/next")));
    let page = ok(viewer.get(&next));
    assert!(!page.contains("name=\"choice\""), "{page}");
    let token = viewer.form_token("/runs");
    let refused = viewer.post(&next, &format!("choice=1&form_token={token}"));
    assert!(refused.head.starts_with("HTTP/1.1 403"), "{}", refused.head);
    assert_eq!(votes(&folder).len(), 1);
    let log = std::fs::read_to_string(&cluster.coordinators[1].log).unwrap();
    let written = log
        .lines()
        .filter(|line| line.contains("gristmill_audit") && line.contains("\"method\":\"Vote\""));
    let written: Vec<&str> = written.collect();
    assert!(
        matches!(written[..], [line] if line.contains("otto") && line.contains(&run)),
        "{written:?}"
    );
}
