//! What `init` and `schema` write.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Folder, HEAD};
use crate::load::load_with;
use crate::place::JOB;
use crate::shape::Shape;
use crate::walk::Walk;
use crate::yaml::parse;
use crate::{BudgetChoice, Check, Sample, SampleError, TeacherChoice, init, init_warnings, schema};

const MATHS: &str = "{\"question\": \"Q\", \"answer\": \"48/2 = 24\\n#### 24\"}\n";

fn budget(text: &str) -> BudgetChoice {
    text.parse().unwrap()
}

fn endpoint(url: &str) -> TeacherChoice {
    TeacherChoice::Endpoint {
        url: url.into(),
        model: "m: odd # name".into(),
        key_env: Some("SET_KEY".into()),
        price: None,
    }
}

/// Each kind of seeds, with every teacher that needs no price: written, loaded, and the sample returned.
pub(super) fn round_trip(seeds: &str, base: &Path) -> Sample {
    let sample = Sample::read(seeds, base, &BTreeMap::new()).unwrap();
    let priced = TeacherChoice::Endpoint {
        url: "http://127.0.0.1:8080/v1".into(),
        model: "m".into(),
        key_env: None,
        price: Some((0.15, 0.6)),
    };
    for (teacher, budget) in [
        (TeacherChoice::Local("smollm2-135m-instruct".into()), "200 calls"),
        (priced, "200 calls,5usd"),
        (endpoint("https://api.example.com/v1"), "200 calls"),
    ] {
        let text = init(&sample, &teacher, &budget.parse().unwrap());
        std::fs::write(base.join("written.yaml"), &text).unwrap();
        let loaded = load_with(&base.join("written.yaml"), &[], Some(&|_| true));
        if let Err(errors) = loaded {
            panic!("{text}\n{}", crate::render(&errors, false));
        }
    }
    sample
}

#[test]
fn bare_numbers_show_no_reasoning() {
    let folder = Folder::new();
    let teacher = TeacherChoice::Local("m".into());
    for (answer, bare) in [("24", true), ("1,024", true), ("48/2 = 24\\n#### 24", false)] {
        let rows: String = (0..30)
            .map(|i| format!("{{\"question\": \"Question {i}?\", \"answer\": \"{answer}\"}}\n"))
            .collect();
        folder.write("numbers.jsonl", rows);
        let sample = round_trip("numbers.jsonl", folder.0.path());
        assert_eq!(sample.check, Check::Number);
        let text = init(&sample, &teacher, &budget("5 calls"));
        assert_eq!(text.contains("reasoning: false"), bare, "{answer}: {text}");
    }
}

#[test]
fn numbers() {
    let folder = Folder::new();
    folder.write("maths.jsonl", MATHS.repeat(30));
    let sample = round_trip("maths.jsonl", folder.0.path());
    assert_eq!(
        (
            sample.check,
            sample.fields.question.as_str(),
            sample.fields.answer.as_str()
        ),
        (Check::Number, "question", "answer")
    );
}

#[test]
fn labels_with_passages() {
    let folder = Folder::new();
    let rows: String = (0..60)
        .map(|i| format!("{{\"pmid\": \"{i}\", \"question\": \"q{i}\", \"contexts\": [\"a\", \"b\"], \"section_labels\": [\"X\"], \"meshes\": [\"M\"], \"year\": \"2001\", \"long_answer\": \"long {i}\", \"final_decision\": \"{}\"}}\n", ["yes", "no", "maybe"][i % 3]))
        .collect();
    folder.write("med.jsonl", rows);
    let sample = round_trip("med.jsonl", folder.0.path());
    assert_eq!(
        sample.check,
        Check::Label(vec!["maybe".into(), "no".into(), "yes".into()])
    );
    assert_eq!(sample.fields.answer, "final_decision");
    let columns = [sample.fields.context, sample.fields.concept, sample.fields.source].map(Option::unwrap);
    assert_eq!(columns, ["contexts", "meshes", "pmid"]);
}

#[test]
fn queries_on_databases_beside() {
    let folder = Folder::new();
    folder.write("dbs/questions.jsonl", "{\"id\": \"a\", \"db\": \"shop\", \"concept\": \"c\", \"question\": \"q\", \"accepted_queries\": [\"SELECT 1\"]}\n".repeat(30));
    let sample = round_trip("dbs/questions.jsonl", folder.0.path());
    assert_eq!(sample.check, Check::Sql("dbs".into()));
    assert_eq!(
        (
            sample.fields.references.as_deref(),
            sample.fields.answer.as_str(),
            sample.fields.database.as_deref()
        ),
        (Some("accepted_queries"), "accepted_queries", Some("db"))
    );
}

#[test]
fn short_and_open_answers() {
    let folder = Folder::new();
    let short: String = (0..40)
        .map(|i| {
            format!(
                "{{\"question\": \"q{i}\", \"answer\": \"word{i}\", \"context\": \"c\", \"source\": \"s\"}}\n"
            )
        })
        .collect();
    folder.write("short.jsonl", short);
    assert_eq!(round_trip("short.jsonl", folder.0.path()).check, Check::Text);
    let long: String = (0..40)
        .map(|i| format!("\"q{i}\",\"{}\"\n", "word ".repeat(30)))
        .collect();
    folder.write("open.csv", format!("Instruction,Output\n{long}"));
    let sample = round_trip("open.csv", folder.0.path());
    assert_eq!(
        (
            sample.check,
            sample.fields.question.as_str(),
            sample.fields.answer.as_str()
        ),
        (Check::Open, "Instruction", "Output")
    );
}

/// The fields of a sample as `field: column`, and what is said about it.
fn described(sample: &Sample) -> (serde_json::Value, String) {
    (
        serde_json::to_value(&sample.fields).unwrap(),
        sample.notes.join("\n"),
    )
}

#[test]
fn inputs_contexts_and_choices_are_used() {
    let folder = Folder::new();
    let rows = |row: fn(usize) -> String| (0..24).map(row).collect::<String>();
    folder.write(
        "alpaca.jsonl",
        rows(|i| format!("{{\"instruction\":\"Name the first noun.\",\"input\":\"Kettle {i} boiled.\",\"output\":\"kettle {i}\"}}\n")),
    );
    let sample = round_trip("alpaca.jsonl", folder.0.path());
    assert_eq!(
        described(&sample).0,
        serde_json::json!({"question": "instruction", "input": "input", "answer": "output"})
    );
    folder.write(
        "half.jsonl",
        rows(|i| {
            format!(
                "{{\"question\":\"q {i}?\",\"context\":{},\"answer\":\"a {i}\",\"id\":{i}}}\n",
                if i % 2 == 0 { "null" } else { "\"p\"" }
            )
        }),
    );
    let sample = round_trip("half.jsonl", folder.0.path());
    assert_eq!(
        (sample.fields.context.as_deref(), sample.unused.as_slice()),
        (Some("context"), &["id".to_owned()][..])
    );
    folder.write(
        "index.jsonl",
        rows(|i| {
            format!(
                "{{\"question\":\"q {i}?\",\"choices\":[\"iron\",\"tin\",\"lead\"],\"answer\":{}}}\n",
                i % 3
            )
        }),
    );
    let sample = round_trip("index.jsonl", folder.0.path());
    assert_eq!(
        described(&sample),
        (
            serde_json::json!({"question": "question", "choices": ["choices"], "answer": "answer"}),
            String::new()
        )
    );
    assert!(
        matches!(&sample.check, Check::Label(labels) if labels.len() == 3),
        "the options' texts: {:?}",
        sample.check
    );
    folder.write(
        "one.csv",
        format!(
            "question,A,B,C,answer\n{}",
            rows(|i| format!("q {i}?,iron {i},tin {i},lead {i},{}\n", ["1", "2", "3"][i % 3]))
        ),
    );
    let sample = round_trip("one.csv", folder.0.path());
    assert_eq!((sample.fields.choices.len(), sample.fields.choices_from), (3, 1));
    folder.write(
        "letters.jsonl",
        rows(|i| format!("{{\"question\":\"q {i}?\",\"choices\":{{\"text\":[\"iron {i}\",\"tin {i}\"],\"label\":[\"A\",\"B\"]}},\"answerKey\":\"B\"}}\n")),
    );
    let sample = round_trip("letters.jsonl", folder.0.path());
    assert_eq!(
        (sample.fields.answer.as_str(), sample.check),
        ("answerKey", Check::Text)
    );
}

#[test]
fn conversations_and_objects_are_used_by_their_parts() {
    let folder = Folder::new();
    let user = "{\"role\":\"user\",\"content\":\"Why N?\"}";
    let assistant = "{\"role\":\"assistant\",\"content\":\"So N.\"}";
    let parts = serde_json::json!({"question": "messages.user", "answer": "messages.assistant"});
    let rows = |row: String| {
        (0..24)
            .map(|i| row.replace('N', &i.to_string()) + "\n")
            .collect::<String>()
    };
    folder.write(
        "chat.jsonl",
        rows(format!("{{\"messages\":[{user},{assistant}]}}")),
    );
    assert_eq!(
        described(&round_trip("chat.jsonl", folder.0.path())),
        (parts, String::new())
    );
    folder.write(
        "more.jsonl",
        rows(format!(
            "{{\"messages\":[{user},{assistant},{user},{assistant}]}}"
        )),
    );
    assert!(
        described(&round_trip("more.jsonl", folder.0.path()))
            .1
            .contains("later turns are left out")
    );
    folder.write(
        "sharegpt.json",
        "[{\"id\": \"a\", \"conversations\": [{\"from\": \"human\", \"value\": \"Why?\"}, {\"from\": \"gpt\", \"value\": \"So.\"}]}]",
    );
    let sample = round_trip("sharegpt.json", folder.0.path());
    assert_eq!(sample.fields.answer, "conversations.assistant");
    folder.write(
        "own.jsonl",
        rows(format!("{{\"id\":\"N\",\"messages\":[{user},{assistant}],\"reasoning\":\"r\",\"provenance\":{{\"concepts\":[\"c\"],\"passage_chars\":0}}}}")),
    );
    let sample = round_trip("own.jsonl", folder.0.path());
    let columns = [sample.fields.concept, sample.fields.reasoning].map(Option::unwrap);
    assert_eq!(columns, ["provenance.concepts", "reasoning"]);
    folder.write("squad.jsonl", rows("{\"question\":\"Why N?\",\"context\":\"p\",\"answers\":{\"text\":[\"so N\"],\"answer_start\":[1]}}".to_owned()));
    assert_eq!(
        round_trip("squad.jsonl", folder.0.path()).fields.answer,
        "answers.text"
    );
    let named = BTreeMap::from([
        ("question".to_owned(), "messages".to_owned()),
        ("answer".to_owned(), "messages".to_owned()),
    ]);
    let sample = Sample::read("chat.jsonl", folder.0.path(), &named).unwrap();
    assert_eq!(
        (sample.fields.question.as_str(), sample.fields.answer.as_str()),
        ("messages.user", "messages.assistant")
    );
}

#[test]
fn what_is_left_out_is_named_and_decided_where_it_matters() {
    let folder = Folder::new();
    let rows: String = (0..24)
        .map(|i| format!("{{\"instruction\":\"Name the first noun of it.\",\"sentence\":\"The kettle number {i} boiled over.\",\"output\":\"kettle {i}\"}}\n"))
        .collect();
    folder.write("contradict.jsonl", &rows);
    let read = |named: &[(&str, &str)]| {
        let named = named
            .iter()
            .map(|(field, column)| (field.to_string(), column.to_string()));
        Sample::read("contradict.jsonl", folder.0.path(), &named.collect())
    };
    let error = read(&[]).unwrap_err();
    assert!(
        matches!(&error, SampleError::Undecided { rows: 24, .. })
            && error.to_string().contains("`sentence`")
            && error.to_string().contains("--field input=COLUMN"),
        "{error}"
    );
    assert_eq!(
        read(&[("input", "sentence")]).unwrap().fields.input.as_deref(),
        Some("sentence")
    );
    let sample = read(&[("question", "instruction")]).unwrap();
    assert_eq!(sample.unused, ["sentence"]);
    assert!(
        sample.notes[0].starts_with("decide: column `sentence` holds texts"),
        "{:?}",
        sample.notes
    );
    for (name, row) in [
        (
            "code",
            r#""prompt":"What does this print?","code":"print(N)","completion":"a N""#,
        ),
        (
            "operands",
            r#""question":"Add the two.","a":N,"answer":"it is N""#,
        ),
    ] {
        let rows: String = (0..24)
            .map(|i| format!("{{{}}}\n", row.replace('N', &i.to_string())))
            .collect();
        folder.write(&format!("{name}.jsonl"), &rows);
        let error = Sample::read(&format!("{name}.jsonl"), folder.0.path(), &BTreeMap::new()).unwrap_err();
        assert!(
            matches!(&error, SampleError::Undecided { rows: 24, .. }),
            "{name}: {error}"
        );
    }
    let text = init(&sample, &TeacherChoice::Local("m".into()), &budget("5 calls"));
    assert!(
        text.contains("    # Not used: `sentence`.\n") && text.contains("    # decide: column"),
        "{text}"
    );
    folder.write("distinct.jsonl", "{\"question\":\"q?\",\"answer\":\"a\",\"hint\":\"a longer hint\",\"year\":1}\n{\"question\":\"r?\",\"answer\":\"b\",\"hint\":\"another hint\",\"year\":2}\n");
    let sample = Sample::read("distinct.jsonl", folder.0.path(), &BTreeMap::new()).unwrap();
    assert_eq!(
        (sample.unused.len(), sample.notes.len()),
        (2, 1),
        "a year needs no decision"
    );
}

#[test]
fn an_endpoint_under_a_dollar_budget_is_asked_for_its_price_only() {
    let folder = Folder::new();
    folder.write("maths.jsonl", MATHS.repeat(30));
    let sample = Sample::read("maths.jsonl", folder.0.path(), &BTreeMap::new()).unwrap();
    // A proxy to a paid endpoint may stand on this machine too.
    for url in ["https://api.example.com/v1", "http://127.0.0.1:4000/v1"] {
        let text = init(&sample, &endpoint(url), &budget("5usd"));
        let errors = folder.load(&text, &[]).unwrap_err();
        let codes: Vec<&str> = errors.iter().map(|error| error.code().as_str()).collect();
        assert_eq!(codes, ["price"], "{text}");
        folder
            .load(
                text.replace("# price: {input: …, output: …}", "price: {input: 1, output: 2}"),
                &[],
            )
            .unwrap();
    }
}

#[test]
fn what_a_first_job_lacks_is_told() {
    let told = |url: &str, price: Option<(f64, f64)>, limit: &str| {
        let teacher = TeacherChoice::Endpoint {
            url: url.to_owned(),
            model: "m".to_owned(),
            key_env: None,
            price,
        };
        init_warnings(&teacher, &budget(limit))
    };
    let bare = told("http://127.0.0.1:8000/", None, "5usd");
    assert_eq!(bare.len(), 2, "{bare:?}");
    assert!(
        bare[0].contains("`--teacher http://127.0.0.1:8000/v1`") && bare[0].contains("`gristmill doctor`"),
        "{bare:?}"
    );
    assert!(bare[1].contains("`--price IN,OUT`"), "{bare:?}");
    for (url, price, limit) in [
        ("http://127.0.0.1:8000/v1", Some((1.0, 2.0)), "5usd"),
        ("http://127.0.0.1:8000/v1", None, "200 calls"),
        ("https://openrouter.ai/api/v1", Some((0.0, 0.0)), "5usd"),
        // Completed in the job.
        ("https://api.openai.com", Some((1.0, 2.0)), "5usd"),
    ] {
        assert_eq!(told(url, price, limit), [""; 0], "{url}");
    }
    let local = TeacherChoice::Local("smollm2-135m-instruct".to_owned());
    assert_eq!(init_warnings(&local, &budget("200 calls")), [""; 0]);
}

#[test]
fn seeds_that_say_nothing_are_named() {
    let folder = Folder::new();
    folder.write("odd.jsonl", "{\"a\": 1, \"b\": 2}\n");
    let read = |named: &[(&str, &str)]| {
        let named = named
            .iter()
            .map(|(field, column)| (field.to_string(), column.to_string()));
        Sample::read("odd.jsonl", folder.0.path(), &named.collect())
    };
    let error = read(&[]).unwrap_err();
    assert!(
        matches!(&error, SampleError::NoColumn { what: "question", .. })
            && error.to_string().contains("`odd.jsonl`")
            && error.to_string().contains("`a` and `b`"),
        "{error}"
    );
    let error = read(&[("question", "c"), ("answer", "b")]).unwrap_err();
    assert!(matches!(&error, SampleError::NoSuchColumn { .. }), "{error}");
    let error = read(&[("qestion", "a")]).unwrap_err();
    assert!(error.to_string().contains("`qestion`"), "{error}");
    let sample = read(&[("question", "a"), ("answer", "b")]).unwrap();
    assert_eq!(
        (sample.fields.question.as_str(), sample.fields.answer.as_str()),
        ("a", "b")
    );
    folder.write(
        "clinic.csv",
        "PubMed ID,Clinical question,Final answer\n1,Does it work?,yes\n",
    );
    let sample = Sample::read("clinic.csv", folder.0.path(), &BTreeMap::new()).unwrap();
    assert_eq!(
        (sample.fields.question.as_str(), sample.fields.answer.as_str()),
        ("Clinical question", "Final answer")
    );
    folder.write("empty.jsonl", "not json\n");
    let error = Sample::read("empty.jsonl", folder.0.path(), &BTreeMap::new()).unwrap_err();
    assert!(matches!(&error, SampleError::NoRows { .. }), "{error}");
}

#[test]
fn seeds_of_every_kind_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let given = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/questions");
    let at = |name: &str| format!("{given}/{name}");
    let check = |seeds: &str| round_trip(seeds, folder.path()).check;
    assert_eq!(check(&at("gsm8k/train.jsonl")), Check::Number);
    assert!(matches!(check(&at("pubmedqa/train.jsonl")), Check::Label(labels) if labels.len() == 3));
    assert_eq!(check(&at("text2sql/questions.jsonl")), Check::Sql(at("text2sql")));
}

/// How many things the published schema finds wrong.
fn refused(schema: &serde_json::Value, job: &serde_json::Value) -> usize {
    let shape = Shape::of(schema);
    let mut walk = Walk::new(&shape, "the job");
    walk.run(&parse(JOB, &job.to_string()).unwrap());
    walk.errors.len()
}

#[test]
fn the_schema_accepts_good_jobs_and_refuses_what_load_refuses() {
    let schema = schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["title"], "Gristmill job");
    let good = schema["examples"][0].clone();
    assert_eq!(refused(&schema, &good), 0);
    let folder = Folder::new();
    for more in [
        "",
        "holdout: {}\n",
        "judge: {local: a, when: always}\n",
        "generate: {strategy: rephrasing, prompts: {answer: answer.txt}}\n",
    ] {
        let job = folder.load(format!("{HEAD}{more}"), &[]).unwrap().job;
        assert_eq!(refused(&schema, &serde_json::to_value(job).unwrap()), 0, "{more}");
    }
    for (pointer, value) in [
        ("/teacher/modle", serde_json::json!("x")),
        ("/budget/usd", serde_json::json!("5")),
        ("/filter/validator/kind", serde_json::json!("nmber")),
        ("/generate", serde_json::json!({"rws": 1})),
        ("/generate", serde_json::json!({"prompts": {"answr": "a"}})),
    ] {
        let mut bad = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        bad.pointer_mut(parent).unwrap()[name] = value;
        assert_eq!(refused(&schema, &bad), 1, "{pointer}");
    }
}

#[test]
fn the_schema_closes_every_group_and_describes_every_key() {
    fn visit(value: &serde_json::Value, open: &mut Vec<String>) {
        if let Some(properties) = value.get("properties").and_then(serde_json::Value::as_object) {
            if value["additionalProperties"] != false {
                open.push(format!("open: {:?}", properties.keys().collect::<Vec<_>>()));
            }
            let bare = properties.iter().filter(|(_, property)| {
                property.get("description").is_none() && property.get("const").is_none()
            });
            open.extend(bare.map(|(name, _)| format!("without description: {name}")));
        }
        match value {
            serde_json::Value::Object(members) => members.values().for_each(|member| visit(member, open)),
            serde_json::Value::Array(items) => items.iter().for_each(|item| visit(item, open)),
            _ => {}
        }
    }
    let mut wrong = Vec::new();
    visit(&schema(), &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
