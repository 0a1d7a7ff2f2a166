//! The table of bad files: where each error points, what it says, and the way out it names.

use super::{Folder, HEAD};

/// Job text, `line:column` (`-` for none), a part of the message, a part of the help. The first error is looked at.
const TABLE: &[(&str, &str, &str, &str)] = &[
    // Unknown keys.
    (
        "+teachr: {}",
        "5:1",
        "unknown key `teachr`",
        "did you mean `teacher`?",
    ),
    (
        "+rows: 5",
        "5:1",
        "unknown key `rows`",
        "`rows` belongs to `generate`",
    ),
    (
        "+generate:\n  maxTokens: 5",
        "6:3",
        "unknown key `maxTokens`",
        "did you mean `max_tokens`?",
    ),
    (
        "+generate:\n  budget: 5",
        "6:3",
        "unknown key `budget`",
        "a section of its own",
    ),
    (
        "+generate:\n  agreement: {leed: 2}",
        "6:15",
        "unknown key `leed`",
        "did you mean `lead`?",
    ),
    (
        "+generate:\n  prompts: {answr: answer.txt}",
        "6:13",
        "unknown key `answr`",
        "did you mean `answer`?",
    ),
    ("+zzz: 1", "5:1", "unknown key `zzz`", "the sections are"),
    (
        "~teacher: {local: smollm2-135m-instruct, wieght: 2}",
        "2:41",
        "unknown key `wieght`",
        "did you mean `weight`?",
    ),
    (
        "~teacher:\n  - local: a\n  - local: b\n    modle: c",
        "5:5",
        "unknown key `modle`",
        "did you mean `model`?",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, api_key: abc}",
        "2:46",
        "unknown key `api_key`",
        "environment variable in `key_env`",
    ),
    (
        "~teacher: {local: {name: a, slotz: 3}}",
        "2:28",
        "unknown key `slotz`",
        "did you mean `slots`?",
    ),
    (
        "~filter: {validator: {kind: number, labels: [a, b]}}",
        "4:36",
        "`labels` does nothing with `kind: number`",
        "it belongs to `kind: label`",
    ),
    (
        "~seeds: {path: seeds.jsonl, fields: {choices_from: 1}}",
        "1:51",
        "no column of options is named",
        "`seeds.fields.choices`",
    ),
    // Wrong types.
    (
        "+generate:\n  rows: many",
        "6:9",
        "`generate.rows` must be a whole number, not the text `many`",
        "give a whole number",
    ),
    (
        "+generate:\n  rows: 1_000",
        "6:9",
        "not the text `1_000`",
        "write `1000`",
    ),
    (
        "+generate:\n  rows: 5.0",
        "6:9",
        "`generate.rows` must be a whole number",
        "write `5`",
    ),
    (
        "+generate:\n  rows: -5",
        "6:9",
        "`generate.rows` is -5",
        "from 0 to",
    ),
    (
        "+generate:\n  max_tokens: 99999999999",
        "6:15",
        "`generate.max_tokens` is 99999999999",
        "from 0 to 4294967295",
    ),
    (
        "+generate:\n  reasoning: yes",
        "6:14",
        "must be `true` or `false`",
        "write `true`",
    ),
    (
        "+generate:\n  strategy: rephrase",
        "6:13",
        "`generate.strategy` cannot be `rephrase`",
        "did you mean `rephrasing`?",
    ),
    (
        "+generate: [1]",
        "5:1",
        "`generate` must be a group of keys, not a list of 1",
        "its keys are",
    ),
    (
        "+embed: {model: 7}",
        "5:16",
        "`embed.model` must be a text, not the number `7`",
        "put it in quotes: \"7\"",
    ),
    (
        "+holdout: {validation: .nan}",
        "5:23",
        "not a finite number",
        "0.5",
    ),
    (
        "~filter: {validator: number}",
        "4:21",
        "`filter.validator` must be a group of keys",
        "write `validator: {kind: number}`",
    ),
    (
        "~filter: {validator: {kind: nmber}}",
        "4:28",
        "cannot be `nmber`",
        "did you mean `number`?",
    ),
    (
        "~filter: {validator: {labels: [a, b]}}",
        "4:10",
        "`filter.validator` has no `kind`",
        "`sql`",
    ),
    (
        "~filter: {validator: {kind: label}}",
        "4:10",
        "`filter.validator` has no `labels`",
        "add `labels`: a list",
    ),
    (
        "~filter: {validator: {kind: number}, rules: {refusals: ['(']}}",
        "4:45",
        "`filter.rules.refusals` cannot be used",
        "leave it out",
    ),
    (
        "~teacher: 7",
        "2:10",
        "`teacher` must be a group of keys or a list",
        "its keys are",
    ),
    ("~seeds: {path: seeds.jsonl, fields: }", "-", "", ""),
    ("~seeds:", "1:1", "`seeds` has no `path`", "add `path`"),
    ("~budget:", "3:1", "the budget has no limit", "`budget.usd`"),
    ("+judge:", "5:1", "`judge` is empty", "take the line out"),
    ("seeds: {path: seeds.jsonl}", "-", "the job has no `", "add `"),
    (
        "[1, 2]",
        "1:1",
        "the job must be a group of keys, not a list of 2",
        "its keys are",
    ),
    ("", "-", "the job is empty", "gristmill init"),
    ("# nothing\n", "-", "the job is empty", "gristmill init"),
    // Contradictions and ranges, at the key or the nearest one above.
    (
        "+holdout: {group_jaccard: 1.5}",
        "5:26",
        "`holdout.group_jaccard` is a share",
        "from 0 to 1",
    ),
    (
        "~filter: {}",
        "4:1",
        "nothing checks what an answer says",
        "judge",
    ),
    (
        "~teacher: [{local: a}, {local: a}]",
        "2:23",
        "two teachers are called `a`",
        "give each model once",
    ),
    (
        "~teacher: [{local: a, weight: 0}]",
        "2:30",
        "a weight of 0",
        "above 0",
    ),
    (
        "~teacher: [{local: a, lineage_depth: 1}]",
        "2:37",
        "rows of the teacher `a` would have 2 synthetic ancestors",
        "`anchor.max_depth: 2`",
    ),
    (
        "+anchor: {max_depth: 0}",
        "5:21",
        "`anchor.max_depth` is 0",
        "at least 1",
    ),
    (
        "~teacher: {local: a, concurrency: 3}",
        "2:34",
        "does nothing for a local model",
        "`local.slots`",
    ),
    (
        "~teacher: {local: a, input_tokens_per_minute: 3000}",
        "2:46",
        "does nothing for a local model",
        "leave it out",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, price: {input: 1, output: 1}, output_tokens_per_minute: 0}",
        "2:102",
        "no provider has such a limit",
        "from 1 to",
    ),
    (
        "~teacher: {base_url: 'ftp://x', model: m}",
        "2:21",
        "does not start with `http://` or `https://`",
        "/v1",
    ),
    (
        "~teacher: {base_url: 'https://me:canary@h/v1', model: m}",
        "2:21",
        "a user name or a password",
        "key_env",
    ),
    (
        "~teacher: {base_url: 'https://h/v1#part', model: m}",
        "2:21",
        "from `#` on",
        "leave that part out",
    ),
    (
        "~teacher: {base_url: 'https://h/v1/messages', model: m}",
        "2:21",
        "Anthropic's API",
        "api: anthropic",
    ),
    (
        "~budget: {calls: 100, at_risk: 0}",
        "3:31",
        "a share of 0",
        "above 0",
    ),
    ("~budget: {usd: -1}", "3:15", "a budget of -1", "above 0"),
    // Files, keys and prices.
    (
        "~seeds: {path: seed.jsonl}",
        "1:15",
        "no such file",
        "relative to the job file",
    ),
    (
        "~seeds: {path: [seeds.jsonl, '*.csv']}",
        "1:29",
        "no file matches `*.csv`",
        "relative to the job file",
    ),
    (
        "+generate: {prompts: {answer: anser.txt}}",
        "5:30",
        "there is no prompt template",
        "answer.txt`?",
    ),
    (
        "+generate: {prompts: {answer: dbs}}",
        "5:30",
        "is a folder",
        "name a file in it",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, key_env: NO_KEY}",
        "2:55",
        "the environment variable `NO_KEY` is not set",
        "export NO_KEY",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, key_env: sk-proj-1234567890abcdef}",
        "2:55",
        "what looks like the key itself",
        "variable",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, key_file: teachr.key}",
        "2:56",
        "there is no key file",
        "teacher.key`?",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, key_file: empty.key}",
        "2:56",
        "is empty",
        "write the key into it",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m, price: {input: 0, output: 0}}\nbudget: {usd: 5}",
        "3:15",
        "a budget in dollars limits nothing",
        "`budget.calls`",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: m}\nbudget: {usd: 5}",
        "2:43",
        "the price of `m` is unknown",
        "`budget.price_file`",
    ),
    (
        "~teacher: {base_url: 'http://h/v1', model: gpt-4o-mni}\nbudget: {usd: 5, price_file: prices.yaml}",
        "2:43",
        "the price of `gpt-4o-mni` is unknown",
        "prices.yaml has `gpt-4o-mini`",
    ),
    (
        "~budget: {calls: 5, price_file: price.yaml}",
        "3:32",
        "there is no price file",
        "prices.yaml`?",
    ),
    (
        "~teacher: {local: none/model.gguf}",
        "2:18",
        "there is no model file",
        "there is no folder",
    ),
    (
        "~seeds: {path: seeds.jsonl, fields: {database: db}}\nfilter: {validator: {kind: sql, databases: db}}",
        "2:44",
        "there is no folder of databases",
        "dbs`?",
    ),
    (
        "~seeds: {path: seeds.jsonl, fields: {database: db}}\nfilter: {validator: {kind: sql, databases: nodbs}}",
        "2:44",
        "holds no database",
        "NAME.sql",
    ),
    // YAML.
    (
        "+budget: {calls: 1}",
        "5:1",
        "`budget` is given twice",
        "keep one of the two",
    ),
    (
        "+generate:\n\trows: 5",
        "6:1",
        "a tab in the indentation",
        "spaces only",
    ),
    (
        "+generate: {rows: 5",
        "*",
        "a `{` or `[` is not closed",
        "close it",
    ),
    (
        "+generate:\n  subject: 'abc",
        "*",
        "a quote is not closed",
        "close it",
    ),
    (
        "+generate:\n  subject: maths: easy",
        "*",
        "a second `:` in one line",
        "quotes",
    ),
    ("+generate: *nothing", "*", "an alias to nothing", "quote"),
    ("+---\nseeds: {}", "5:1", "a second document", "one document"),
    (
        "+generate: !ruby/object {}",
        "5:11",
        "a tag means nothing here",
        "take the word",
    ),
    (
        "+generate:\n  <<: {rows: 5}",
        "6:3",
        "merge keys",
        "write the keys out",
    ),
    (
        "+generate:\n  [a, b]: 5",
        "6:3",
        "stands where a key belongs",
        "key: value",
    ),
];

/// `+` adds to the common head; `~` replaces the sections it begins with, one a line; without either it stands alone.
fn job(text: &str) -> String {
    if let Some(more) = text.strip_prefix('+') {
        return format!("{HEAD}{more}\n");
    }
    let Some(more) = text.strip_prefix('~') else {
        return text.to_owned();
    };
    let section = |line: &str| line.split(':').next().unwrap_or("").to_owned();
    let replaced: Vec<(String, String)> = more
        .split('\n')
        .fold(Vec::<String>::new(), |mut blocks, line| {
            match blocks.last_mut() {
                Some(block) if line.starts_with(' ') => *block = format!("{block}\n{line}"),
                _ => blocks.push(line.to_owned()),
            }
            blocks
        })
        .into_iter()
        .map(|block| (section(&block), block))
        .collect();
    let head = HEAD.lines().map(
        |line| match replaced.iter().find(|(name, _)| *name == section(line)) {
            Some((_, block)) => format!("{block}\n"),
            None => format!("{line}\n"),
        },
    );
    head.collect()
}

#[test]
fn each_bad_job_is_told_where_and_how_to_mend_it() {
    let folder = Folder::new();
    let mut wrong = Vec::new();
    for (text, place, message, help) in TABLE {
        // Two sections replaced: the place is counted from the first of them.
        let text = job(text);
        match (folder.load(&text, &[]), *message) {
            (Ok(_), "") => {}
            (Ok(_), _) => wrong.push(format!("accepted:\n{text}")),
            (Err(errors), _) => {
                let first = errors.iter().next().unwrap();
                let found = errors
                    .line_column(first)
                    .map_or("-".to_owned(), |(line, column)| format!("{line}:{column}"));
                let place_fits = *place == "*" && found != "-"
                    || *place == found
                    || place_of_second(&text, place) == found;
                if !(place_fits
                    && !message.is_empty()
                    && first.message().contains(message)
                    && first.help().contains(help))
                {
                    wrong.push(format!(
                        "{text}=> {found} (wanted {place}) {} | {}",
                        first.message(),
                        first.help()
                    ));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        TABLE.len(),
        wrong.join("\n\n")
    );
}

/// Where `2:…` names the second of two replaced sections, and that is the validator in line 4.
fn place_of_second(text: &str, place: &str) -> String {
    match place.strip_prefix("2:") {
        Some(column) if text.contains("kind: sql") => format!("4:{column}"),
        _ => String::new(),
    }
}

#[test]
fn everything_is_told_in_one_go() {
    let folder = Folder::new();
    let errors = folder
        .load(
            format!("{HEAD}teachr: {{}}\ngenerate: {{row: 5, reasoning: on, max_tokens: x}}\n"),
            &[],
        )
        .unwrap_err();
    let messages: Vec<&str> = errors.iter().map(crate::Error::message).collect();
    assert_eq!(messages.len(), 4, "{messages:?}");
    let text = "seeds: {path: none.jsonl}\nteacher: {base_url: 'http://h/v1', model: m, key_env: NO_KEY}\nbudget: {usd: 5}\nholdout: {test: 2}\n";
    let errors = folder.load(text, &[]).unwrap_err();
    let codes: Vec<&str> = errors.iter().map(|error| error.code().as_str()).collect();
    for code in ["file", "key", "price", "config"] {
        assert!(codes.contains(&code), "{code} in {codes:?}");
    }
}

#[test]
fn a_key_given_twice_names_both_places() {
    let errors = Folder::new()
        .load(format!("{HEAD}budget: {{calls: 1}}\n"), &[])
        .unwrap_err();
    let text = crate::render(&errors, false);
    assert!(
        text.contains(":5:1")
            && text.contains("first given here")
            && text.contains("3 | budget: {calls: 100}"),
        "{text}"
    );
}

#[test]
fn a_wrong_job_is_examined_as_far_as_it_can_be_understood() {
    let folder = Folder::new();
    let look = |text: &str| {
        folder.write("job.yaml", text);
        let (loaded, errors) = crate::examine(&folder.path("job.yaml"), &[], crate::Keys::Elsewhere);
        let codes = errors.map(|errors| errors.iter().map(|error| error.code().as_str()).collect());
        (loaded.map(|loaded| loaded.job.teacher.len()), codes)
    };
    assert_eq!(look(HEAD), (Some(1), None));
    let unpriced = HEAD
        .replace(
            "{local: smollm2-135m-instruct}",
            "{base_url: \"http://h/v1\", model: m}",
        )
        .replace("{calls: 100}", "{usd: 1}");
    assert_eq!(look(&unpriced), (Some(1), Some(vec!["price"])));
    let missing = HEAD.replace("seeds.jsonl", "seed.jsonl");
    assert_eq!(look(&missing), (Some(1), Some(vec!["file"])));
    assert_eq!(look("seeds: ["), (None, Some(vec!["yaml"])));
}
