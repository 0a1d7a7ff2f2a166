//! The simulator on all questions that tests run on.

use gristmill_tests::questions;
use gristmill_tests::sim::{AnswerKey, Config, KeyFiles, Model, Outcome, Quality};

#[test]
fn every_question_is_answered_rightly_and_found_again_in_other_words() {
    let data = questions::folder().unwrap();
    let files = KeyFiles {
        gsm8k: vec![data.join("gsm8k/train.jsonl")],
        pubmedqa: vec![data.join("pubmedqa/train.jsonl")],
        sql_questions: vec![data.join("text2sql/questions.jsonl")],
        new_from: vec![],
    };
    let start = std::time::Instant::now();
    let key = std::sync::Arc::new(AnswerKey::load(&files).unwrap());
    println!(
        "{} questions loaded in {:?}, ambiguous: {:?}",
        key.len(),
        start.elapsed(),
        key.ambiguous()
    );
    assert!(key.len() > 400 && key.ambiguous().len() <= key.len() / 500);
    let perfect = Model::new(
        key.clone(),
        Config {
            quality: Quality::perfect(),
            ..Config::default()
        },
    );
    let never = Quality {
        accuracy: 0.0,
        ..Quality::perfect()
    };
    let wrong = Model::new(
        key.clone(),
        Config {
            quality: never,
            ..Config::default()
        },
    );
    let (mut close, mut verbatim, mut asked, mut micros) = (0, 0, 0, 0);
    for file in files
        .gsm8k
        .iter()
        .chain(&files.pubmedqa)
        .chain(&files.sql_questions)
    {
        for line in std::fs::read_to_string(file).unwrap().lines() {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            let question = row["question"].as_str().unwrap();
            if key.ambiguous().iter().any(|q| q == question) {
                continue;
            }
            let rewrite = format!("Rewrite the question.\n<question>{question}</question>");
            let began = std::time::Instant::now();
            let rephrased = perfect.reply(&rewrite, asked, None).content;
            micros += began.elapsed().as_micros();
            asked += 1;
            close += u64::from(jaccard(question, &rephrased) > 0.8);
            verbatim += u64::from(rephrased == question);
            if asked.is_multiple_of(250) {
                println!("{question}\n  -> {rephrased}");
            }
            for (model, right) in [(&perfect, true), (&wrong, false)] {
                let reply = model.reply(
                    &format!("Answer the question.\n<question>{rephrased}</question>"),
                    asked,
                    None,
                );
                let (reasoning, answer) = reply.content.rsplit_once("\nAnswer: ").unwrap();
                assert_eq!(
                    key.is_right(question, answer),
                    Some(right),
                    "{answer} to {question}"
                );
                assert_eq!(reply.outcome == Outcome::Right, right);
                if asked.is_multiple_of(250) {
                    println!("  {right}: {reasoning} | {answer}");
                }
            }
        }
    }
    println!("{asked} rephrasings, {micros} µs in all; over .8 alike: {close}, verbatim: {verbatim}");
    assert!(
        close * 50 < asked,
        "under 2 % may look like near-duplicates: {close} of {asked}"
    );
}

/// Jaccard similarity of word triples.
fn jaccard(a: &str, b: &str) -> f64 {
    let triples = |text: &str| -> std::collections::HashSet<Vec<String>> {
        let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
        words.windows(3).map(<[String]>::to_vec).collect()
    };
    let (a, b) = (triples(a), triples(b));
    a.intersection(&b).count() as f64 / a.union(&b).count().max(1) as f64
}
