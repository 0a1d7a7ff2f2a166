//! Jobs that load, and what they load as.

use gristmill_domain::validator::{Label, Settings};

use super::{Folder, HEAD};

#[test]
fn a_short_job_is_completed_by_defaults() {
    let folder = Folder::new();
    let loaded = folder.load(HEAD, &[]).unwrap();
    assert_eq!(loaded.base, folder.0.path());
    assert_eq!(
        loaded.text_hash,
        blake3::hash(HEAD.as_bytes()).to_hex().to_string()
    );
    assert_eq!(loaded.job.generate, gristmill_domain::job::Generate::default());
    assert_eq!(loaded.job.teacher[0].weight, 1.0);
    assert_eq!(loaded.job.seeds.path, ["seeds.jsonl"]);
}

#[test]
fn columns_are_one_or_several_where_they_hold_options() {
    let folder = Folder::new();
    let fields = |fields: &str| {
        let text = HEAD.replace(
            "{path: seeds.jsonl}",
            &format!("{{path: seeds.jsonl, fields: {fields}}}"),
        );
        folder.load(text, &[]).unwrap().job.seeds.fields
    };
    let plain = fields("{}");
    assert_eq!(
        (plain.input, plain.choices.len(), plain.choices_from),
        (None, 0, 0)
    );
    let one = fields("{input: input, choices: options, choices_from: 1}");
    assert_eq!(
        (one.input.as_deref(), one.choices, one.choices_from),
        (Some("input"), vec!["options".to_owned()], 1)
    );
    assert_eq!(fields("{choices: [A, B, C]}").choices, ["A", "B", "C"]);
}

#[test]
fn empty_sections_are_defaults() {
    let folder = Folder::new();
    let plain = folder.load(HEAD, &[]).unwrap().job;
    let empty = format!(
        "{HEAD}holdout:\nembed: {{}}\ngenerate: ~\nanchor:\n  # max_repeats: 2\noutput:\n  jsonl:\njudge: null\n"
    );
    assert_eq!(folder.load(empty, &[]).unwrap().job, plain);
}

#[test]
fn a_byte_order_mark_and_windows_lines_change_nothing() {
    let folder = Folder::new();
    let plain = folder.load(HEAD, &[]).unwrap().job;
    assert_eq!(
        folder
            .load(format!("\u{feff}{}", HEAD.replace('\n', "\r\n")), &[])
            .unwrap()
            .job,
        plain
    );
    let errors = folder
        .load(format!("\u{feff}{}größe: 1\r\n", HEAD.replace('\n', "\r\n")), &[])
        .unwrap_err();
    assert_eq!(errors.line_column(errors.iter().next().unwrap()), Some((5, 1)));
}

#[test]
fn limits_a_minute_are_read_and_shown() {
    let folder = Folder::new();
    let text = "seeds: {path: seeds.jsonl}\nteacher: {base_url: 'http://h/v1', model: m, price: {input: 1, output: 1}, requests_per_minute: 500, input_tokens_per_minute: 200000, output_tokens_per_minute: 40000}\nfilter: {validator: {kind: number}}\nbudget: {calls: 7}\n";
    let job = folder.load(text, &[]).unwrap().job;
    let limits = job.teacher[0].spec.limits();
    assert_eq!(
        (limits.requests, limits.input_tokens, limits.output_tokens),
        (Some(500), Some(200_000), Some(40_000))
    );
    assert!(!crate::secret::is_secret_name(
        "teacher.0.input_tokens_per_minute"
    ));
}

#[test]
fn one_teacher_or_several_and_aliases() {
    let folder = Folder::new();
    let text = "seeds: {path: [seeds.jsonl]}\nteacher:\n  - &t {base_url: 'http://h/v1', model: a, key_env: SET_KEY, weight: 3}\n  - local: {name: smollm2-135m-instruct, slots: 2}\njudge: {base_url: 'http://h/v1', model: j, key_file: teacher.key, body: {x: [1, 2.5, true, null]}}\nbudget: {calls: 7}\n";
    let job = folder.load(text, &[]).unwrap().job;
    assert_eq!(job.teacher.len(), 2);
    assert_eq!(job.teacher[0].weight, 3.0);
    assert_eq!(job.teacher[1].spec.local.as_ref().unwrap().slots, 2);
    let body = &job.judge.unwrap().spec.body;
    assert_eq!(
        serde_json::to_value(body).unwrap(),
        serde_json::json!({"x": [1, 2.5, true, null]})
    );
    let alias = format!(
        "{HEAD}generate: {{agreement: &n {{lead: 3, max_samples: 9}}}}\nembed: {{batch: &b 8}}\noutput: {{shard_rows: *b}}\n"
    );
    let job = folder.load(alias, &[]).unwrap().job;
    assert_eq!(
        (job.output.shard_rows, job.generate.agreement.max_samples()),
        (8, 9)
    );
}

#[test]
fn words_that_older_yaml_takes_for_truth_values_are_texts() {
    let job = Folder::new()
        .load(
            HEAD.replace("kind: number", "kind: label, labels: [yes, no, maybe]"),
            &[],
        )
        .unwrap()
        .job;
    assert_eq!(
        job.filter.validator,
        Settings::Label(Label {
            labels: vec!["yes".into(), "no".into(), "maybe".into()]
        })
    );
}

#[test]
fn overrides_change_add_and_take_away() {
    let folder = Folder::new();
    let set = [
        "generate.rows=50",
        "generate.temperature=1",
        "teacher.0.weight=2",
        "teacher.weight=3",
        "filter.validator={kind: label, labels: [a, b]}",
        "filter.rules.answer_words.min=1",
        "output.dir=elsewhere",
        "budget.calls=9",
        "budget.calls=10",
        "generate.rows=",
        "judge={local: smollm2-360m-instruct}",
        "generate.prompts.answer=answer.txt",
    ];
    let job = folder.load(HEAD, &set).unwrap().job;
    assert_eq!(
        (job.generate.rows, job.budget.calls, job.teacher[0].weight),
        (None, Some(10), 3.0)
    );
    assert_eq!(job.filter.rules.answer_words.min, 1);
    assert_eq!(job.output.dir.to_str(), Some("elsewhere"));
    assert!(job.judge.is_some() && job.generate.prompts.len() == 1);
    assert!(matches!(job.filter.validator, Settings::Label(_)));
    let two = HEAD.replace("{local: smollm2-135m-instruct}", "[{local: a}, {local: b}]");
    assert_eq!(
        folder.load(two, &["teacher.1.weight=4"]).unwrap().job.teacher[1].weight,
        4.0
    );
    // A file with nothing in it can be completed from the command line.
    let all = [
        "seeds.path=seeds.jsonl",
        "teacher.local=smollm2-135m-instruct",
        "budget.calls=5",
        "filter.validator.kind=number",
    ];
    assert_eq!(folder.load("", &all).unwrap().job.budget.calls, Some(5));
}

#[test]
fn the_price_file_fills_what_the_job_leaves_open() {
    let folder = Folder::new();
    folder.write(
        "prices.yaml",
        "m: {input: 0.15, output: 0.6}\nj: {input: 1, cached_input: 0.5, output: 2}\n",
    );
    let text = "seeds: {path: seeds.jsonl}\nteacher: {base_url: 'http://h/v1', model: m}\njudge: {base_url: 'http://h/v1', model: j, price: {input: 9, output: 9}}\nbudget: {usd: 5, price_file: prices.yaml}\n";
    let job = folder.load(text, &[]).unwrap().job;
    assert_eq!(job.teacher[0].spec.price.unwrap().output, 0.6);
    assert_eq!(job.judge.unwrap().spec.price.unwrap().input, 9.0);
}

#[test]
fn batches_are_switched_on_or_set_and_cost_half_or_what_the_price_file_says() {
    let folder = Folder::new();
    folder.write(
        "prices.yaml",
        "m: {input: 3, output: 15, batch: {input: 2, output: 10}}\nj: {input: 3, output: 15}\n",
    );
    let load = |teacher: &str, judge: &str| {
        let text = format!(
            "seeds: {{path: seeds.jsonl}}\nteacher: {{base_url: 'http://h/v1', model: m{teacher}}}\n\
             judge: {{base_url: 'http://h/v1', model: j{judge}}}\nbudget: {{usd: 5, price_file: prices.yaml}}\n"
        );
        let job = folder.load(text, &[]).unwrap().job;
        (job.teacher[0].spec.clone(), job.judge.unwrap().spec)
    };
    let (teacher, judge) = load(", batch: true", ", batch: {poll_s: 60}");
    assert_eq!(judge.batch.unwrap().poll_s, 60);
    assert_eq!(teacher.price().unwrap().output, 10_000_000);
    assert_eq!(judge.price().unwrap().output, 7_500_000);
    let (teacher, judge) = load(", batch: false", "");
    assert_eq!((teacher.batch, judge.batch), (None, None));
    assert_eq!(teacher.price().unwrap().output, 15_000_000);
}

#[test]
fn what_was_loaded_loads_again_as_the_same() {
    let folder = Folder::new();
    for text in [
        HEAD.to_owned(),
        format!("{HEAD}judge: {{base_url: 'http://h/v1', model: j, headers: {{X-A: b}}}}\n"),
        format!("{HEAD}judge: {{base_url: 'http://h/v1', model: j, batch: true}}\n"),
    ] {
        let job = folder.load(&text, &[]).unwrap().job;
        let json = serde_json::to_string_pretty(&job).unwrap();
        assert_eq!(folder.load(json, &[]).unwrap().job, job);
    }
}
