//! How right accepted rows are, what they cost, and how many right ones are lost, on the three real domains.
//!
//!     cargo bench -p gristmill-tests --bench quality
//!     GRISTMILL_BASELINE=path/to/an/older/gristmill cargo bench -p gristmill-tests --bench quality
//!
//! Teachers are right four times in five, or three in five; half of their wrong answers share a value; errors repeat from draw to draw
//! with a correlation of 0 or .3; and one new question in twenty cannot be answered. Jobs leave everything else at its default. Shares
//! come with 95 % Wilson intervals, by the service's own key. Where answers vote, each line stands beside what is usual: one answer that nobody
//! checks, and a vote with a fixed lead of three. With `GRISTMILL_BASELINE`, it stands beside that program's instead.
//! Words after `--` narrow it down, such as `numbers p=0.8 corr=0 without`; `runs=5` adds five runs up, each of another service.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use gristmill_tests::harness::{Bench, data, synthetic};
use gristmill_tests::sim::{AnswerKey, Config, KeyFiles, Quality};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::RowAccessor;

/// Budget of one run.
const CALLS: u32 = 3_000;

struct Domain {
    name: &'static str,
    seeds: PathBuf,
    key: KeyFiles,
    fields: &'static str,
    validator: String,
}

/// What the key says of candidates that met one fate.
#[derive(Default, Clone, Copy)]
struct Grades {
    right: u64,
    wrong: u64,
    /// The question is one that the key knows, but there is no single answer to grade.
    no_answer: u64,
    /// There is no question, or none that anybody can answer.
    no_question: u64,
}

impl Grades {
    fn see(&mut self, key: &AnswerKey, question: &str, answer: &str) {
        let known = key.domain(question).is_some();
        *match key.is_right(question, answer) {
            Some(_) if answer.is_empty() => &mut self.no_answer,
            Some(true) => &mut self.right,
            Some(false) => &mut self.wrong,
            None if known => &mut self.no_answer,
            None => &mut self.no_question,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.right += other.right;
        self.wrong += other.wrong;
        self.no_answer += other.no_answer;
        self.no_question += other.no_question;
    }

    fn all(&self) -> u64 {
        self.right + self.wrong + self.no_answer + self.no_question
    }
}

/// What runs came to: accepted rows, and rejected ones by the filter that threw them out.
#[derive(Default)]
struct Figures {
    accepted: Grades,
    rejected: BTreeMap<String, Grades>,
    /// By the service's bill.
    calls: u64,
    /// By the service's bill.
    usd_micros: u64,
}

impl Figures {
    /// Right rows that were lost for what they say, at most: those that the key calls right, and those whose answers disagree or
    /// whose question was found unanswerable though the key has an answer. Duplicates and failed calls are lost for something else.
    fn lost(&self) -> u64 {
        let reasons = [
            "wrong",
            "disagreement",
            "unanswerable",
            "judged_low",
            "ungrounded",
            "format",
            "repetition",
            "quality",
            "length",
        ];
        let lost = |reason: &&str| {
            self.rejected
                .get(*reason)
                .map_or(0, |grades| grades.right + grades.no_answer)
        };
        reasons.iter().map(lost).sum()
    }

    fn add(&mut self, other: &Self) {
        self.accepted.add(other.accepted);
        self.calls += other.calls;
        self.usd_micros += other.usd_micros;
        for (reason, grades) in &other.rejected {
            self.rejected.entry(reason.clone()).or_default().add(*grades);
        }
    }
}

fn domains(data: &Path) -> [Domain; 3] {
    let gsm8k = data.join("gsm8k/train.jsonl");
    let pubmedqa = data.join("pubmedqa/train.jsonl");
    let sql = data.join("text2sql");
    [
        Domain {
            name: "numbers",
            seeds: gsm8k.clone(),
            key: KeyFiles {
                gsm8k: vec![gsm8k],
                ..KeyFiles::default()
            },
            fields: "{}",
            validator: "{kind: number}".into(),
        },
        Domain {
            name: "labels",
            seeds: pubmedqa.clone(),
            key: KeyFiles {
                pubmedqa: vec![pubmedqa],
                ..KeyFiles::default()
            },
            fields: "{answer: long_answer, references: final_decision, context: contexts, concept: meshes, source: pmid}",
            validator: "{kind: label, labels: [yes, no, maybe]}".into(),
        },
        Domain {
            name: "queries",
            seeds: sql.join("questions.jsonl"),
            key: KeyFiles {
                sql_questions: vec![sql.join("questions.jsonl")],
                ..KeyFiles::default()
            },
            fields: "{answer: accepted_queries, references: accepted_queries, database: db, concept: concept}",
            validator: format!("{{kind: sql, databases: {}}}", sql.display()),
        },
    ]
}

/// Every second of the first 1,000 seeds, beginning with `half`.
fn seeds(domain: &Domain, half: usize) -> String {
    let text = std::fs::read_to_string(&domain.seeds).unwrap();
    text.lines()
        .take(1_000)
        .skip(half)
        .step_by(2)
        .map(|line| format!("{line}\n"))
        .collect()
}

/// How rows are made: without a reference to compare with, or with one.
const WAYS: [(&str, &[&str]); 2] = [
    ("without", &["new_question"]),
    ("with", &["answer_augmentation", "rephrasing"]),
];

/// The program under test, by its defaults.
const UNDER_TEST: &str = "now";

/// A program that is measured.
#[derive(Debug, Clone, Copy)]
struct Who<'a> {
    name: &'static str,
    /// `None` is the one under test.
    program: Option<&'a OsStr>,
    /// Keys of `generate` beside the strategy.
    keys: &'static str,
}

/// One answer to each question, taken as it is.
const ONE_ANSWER: &str = ", verify: false, agreement: {lead: 1, max_samples: 1}";
/// A vote by a lead of three.
const LEAD_OF_THREE: &str = ", agreement: {lead: 3}";

/// The programs of a line: the one under test, beside what is usual, or beside the older one by its default and by a lead of three.
fn who<'a>(baseline: Option<&'a OsStr>, way: &str) -> Vec<Who<'a>> {
    let who = |name, program, keys| Who { name, program, keys };
    let votes = way == "without";
    let mut all = Vec::new();
    if baseline.is_some() {
        all.push(who("before", baseline, ""));
    } else if votes {
        all.push(who("single", None, ONE_ANSWER));
    }
    if votes {
        all.push(who("lead 3", baseline, LEAD_OF_THREE));
    }
    all.push(who(UNDER_TEST, None, ""));
    all
}

#[derive(Debug, Clone, Copy)]
struct Teacher {
    accuracy: f64,
    correlation: f64,
}

/// One run by a program; `None` is the one under test.
fn run(domain: &Domain, teacher: Teacher, strategy: &str, seed: u64, who: Who<'_>) -> Figures {
    let config = Config {
        key: domain.key.clone(),
        seed,
        quality: Quality {
            accuracy: teacher.accuracy,
            error_correlation: teacher.correlation,
            repeated_error: 0.5,
            unanswerable: 0.05,
            ..Quality::default()
        },
        ..Config::default()
    };
    let bench = Bench::new(config).unwrap();
    bench.write("seeds.jsonl", &seeds(domain, 1)).unwrap();
    let job = format!(
        "seeds: {{path: seeds.jsonl, fields: {}}}\nteacher: {{base_url: {}, model: sim, price: {{input: 0.15, output: 0.60}}}}\n\
         embed: {{model: off}}\ngenerate: {{strategy: {strategy}{}}}\n\
         filter: {{validator: {}}}\nbudget: {{calls: {CALLS}}}\noutput: {{context: false}}\n",
        domain.fields,
        bench.url(),
        who.keys,
        domain.validator
    );
    bench.write("job.yaml", &job).unwrap();
    let mut command = bench
        .command(&["run", "job.yaml", "--output", "json", "--progress", "none"])
        .unwrap();
    if let Some(program) = who.program {
        let args: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
        command = Command::new(program);
        command.args(args).current_dir(bench.folder.path());
    }
    let output = command.output().unwrap();
    // 4: the run ended short of what its job wants, which a weak teacher may bring about.
    assert!(
        matches!(output.status.code(), Some(0 | 4)),
        "{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let mut figures = Figures::default();
    let bill = bench.sim.bill();
    (figures.calls, figures.usd_micros) = (bill.total.calls, bill.total.micro_usd);
    let key = bench.sim.key();
    for row in bench.rows("train").unwrap() {
        if let Some((_, question, answer)) = synthetic(&row) {
            figures.accepted.see(key, &question, &answer);
        }
    }
    for (reason, question, answer) in rejected(&bench.run_folder().unwrap().join("dataset/rejected.parquet"))
    {
        figures
            .rejected
            .entry(reason)
            .or_default()
            .see(key, &question, &answer);
    }
    figures
}

/// Reason, question and answer of each rejected row.
fn rejected(path: &Path) -> Vec<(String, String, String)> {
    let reader = SerializedFileReader::try_from(path).unwrap();
    let at = |name: &str| {
        let schema = reader.metadata().file_metadata().schema_descr();
        (0..schema.num_columns())
            .find(|i| schema.column(*i).path().string() == name)
            .unwrap()
    };
    let (reason, question, answer) = (at("reason"), at("question"), at("answer"));
    let text = |row: &parquet::record::Row, at| row.get_string(at).unwrap().clone();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| {
        let row = row.unwrap();
        (text(&row, reason), text(&row, question), text(&row, answer))
    })
    .collect()
}

/// 95 % Wilson interval of a share, in percent.
fn wilson(right: u64, all: u64) -> (f64, f64) {
    let (z, n) = (1.96, all.max(1) as f64);
    let p = right as f64 / n;
    let (scale, center) = (1.0 + z * z / n, p + z * z / (2.0 * n));
    let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    (100.0 * (center - half) / scale, 100.0 * (center + half) / scale)
}

fn show(name: &str, teacher: Teacher, way: &str, who: &str, figures: &Figures) {
    let (right, all) = (figures.accepted.right, figures.accepted.all());
    let (low, high) = wilson(right, all);
    let kept = 100.0 * right as f64 / (right + figures.lost()).max(1) as f64;
    let each = right.max(1) as f64;
    println!(
        "{name:<8} {:>4} {:>4}  {way:<8} {who:<7} {all:>5} {:>7.2} [{low:>6.2}, {high:>6.2}] {kept:>7.1} {:>7.2} {:>9.1}",
        teacher.accuracy,
        teacher.correlation,
        100.0 * right as f64 / all.max(1) as f64,
        figures.calls as f64 / each,
        figures.usd_micros as f64 / each
    );
}

fn confusion(title: &str, figures: &Figures) {
    println!("{title}");
    println!(
        "  {:<20} {:>6} {:>6} {:>10} {:>12}",
        "", "right", "wrong", "no answer", "no question"
    );
    let accepted = ("accepted".to_owned(), figures.accepted);
    let rejected = figures
        .rejected
        .iter()
        .map(|(reason, grades)| (format!("- {reason}"), *grades));
    for (name, g) in std::iter::once(accepted).chain(rejected) {
        println!(
            "  {name:<20} {:>6} {:>6} {:>10} {:>12}",
            g.right, g.wrong, g.no_answer, g.no_question
        );
    }
}

/// The words of the command line that narrow the settings down.
struct Wanted(Vec<String>);

impl Wanted {
    /// Seeds of the service, one for each run of a setting.
    fn seeds(&self) -> std::ops::Range<u64> {
        let runs = self.0.iter().find_map(|word| word.strip_prefix("runs="));
        101..101 + runs.map_or(1, |runs| runs.parse().expect("`runs=` takes a number"))
    }

    /// Whether a value of one sort is wanted: any is, unless a word of its sort is there.
    fn has(&self, sort: &[&str], value: &str) -> bool {
        let mut of_sort = self
            .0
            .iter()
            .filter(|word| sort.contains(&word.as_str()))
            .peekable();
        of_sort.peek().is_none() || of_sort.any(|word| word == value)
    }
}

fn main() {
    let data = data().expect("the benchmark reads real seeds from ../shared/data, or GRISTMILL_DATA");
    let baseline = std::env::var_os("GRISTMILL_BASELINE");
    println!(
        "{:<8} {:>4} {:>4}  {:<8} {:<7} {:>5} {:>7} {:>16} {:>7} {:>7} {:>9}",
        "domain", "p", "corr", "refer.", "program", "rows", "right %", "95 %", "kept %", "calls", "micro-$"
    );
    let wanted = Wanted(std::env::args().skip(1).filter(|arg| arg != "--bench").collect());
    let mut under_test: BTreeMap<&str, Figures> = BTreeMap::new();
    for domain in domains(&data) {
        if !wanted.has(&["numbers", "labels", "queries"], domain.name) {
            continue;
        }
        for accuracy in [0.8, 0.6] {
            for correlation in [0.0, 0.3] {
                let teacher = Teacher {
                    accuracy,
                    correlation,
                };
                if !wanted.has(&["p=0.8", "p=0.6"], &format!("p={accuracy}"))
                    || !wanted.has(&["corr=0", "corr=0.3"], &format!("corr={correlation}"))
                {
                    continue;
                }
                for (way, strategies) in WAYS {
                    if !wanted.has(&["without", "with"], way) {
                        continue;
                    }
                    let programs = who(baseline.as_deref(), way);
                    for who in programs {
                        let mut figures = Figures::default();
                        for strategy in strategies {
                            for seed in wanted.seeds() {
                                figures.add(&run(&domain, teacher, strategy, seed, who));
                            }
                        }
                        show(domain.name, teacher, way, who.name, &figures);
                        if who.name == UNDER_TEST && accuracy == 0.8 {
                            under_test.entry(way).or_default().add(&figures);
                        }
                    }
                }
            }
        }
    }
    for (way, figures) in under_test {
        confusion(
            &format!("what became of candidates {way} a reference, teachers right four times in five"),
            &figures,
        );
    }
}
