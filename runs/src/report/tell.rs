//! Turns figures into what a person reads.

mod money;
mod rounds;
mod rows;

use gristmill_coordinator::Start;
use gristmill_domain::amount::MicroUsd;
use gristmill_domain::job::EmbedSource;
use gristmill_domain::words::{figure, thousands};
use gristmill_picture::parts::{Gate, Headline, Severity, Table};
use gristmill_picture::report::Report;

use super::gather::Gathered;
use super::measured::Measured;
use crate::assemble::Manifest;
use crate::lengths::LengthBias;
use crate::warnings;

/// The report.
pub(super) fn report(start: &Start, manifest: &Manifest, gathered: &Gathered, measured: &Measured) -> Report {
    let (severity, verdict) = verdict(start, manifest);
    let (concepts, concepts_note) = rows::concepts(manifest, gathered);
    Report {
        title: title(start),
        verdict,
        severity,
        gates: gates(start, manifest),
        headlines: headlines(manifest, gathered, measured),
        map: rows::map(gathered, measured),
        concepts,
        concepts_note,
        funnel: money::funnel(manifest),
        charts: rounds::charts(manifest, measured, gathered.model()),
        rounds: rounds::table(manifest, measured),
        plans: Table {
            heads: Vec::new(),
            rows: manifest.rounds.iter().map(rounds::plan).collect(),
        },
        rounds_note: [
            vec![rounds::note(gathered, measured)],
            measured.failed.iter().map(|line| format!("{line}.")).collect(),
        ]
        .concat()
        .join(" "),
        spending: money::spending(manifest),
        yields: money::yields(manifest, gathered),
        shares: shares(manifest, gathered),
        accepted: gathered.accepted.iter().map(rows::sample).collect(),
        rejected: gathered.rejected.iter().map(rows::sample).collect(),
        warnings: manifest.warnings.clone(),
        facts: facts(start, manifest, gathered),
    }
}

fn title(start: &Start) -> String {
    let name = match start.name.is_empty() {
        true => job(start),
        false => start.name.clone(),
    };
    match name.is_empty() {
        true => format!("Gristmill run {}", start.run),
        false => format!("Gristmill run {} · {name}", start.run),
    }
}

/// The job file's name, without the folders that it lay in.
fn job(start: &Start) -> String {
    let name = std::path::Path::new(&start.job_file).file_name();
    name.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

fn verdict(start: &Start, manifest: &Manifest) -> (Severity, String) {
    let accepted = manifest.rows.train_synthetic;
    let rows = match start.job.generate.rows {
        Some(wanted) => format!("{} of {} rows", thousands(accepted), thousands(wanted)),
        None => format!("{} rows", thousands(accepted)),
    };
    let job = &start.job;
    let short = manifest.short();
    let severity = match (accepted, &short) {
        (0, _) => Severity::Bad,
        (_, Some(_)) => Severity::Warn,
        (_, None) => Severity::Good,
    };
    // What is wanted of rows stands there already.
    let short = short.filter(|_| job.generate.rows.is_none() && accepted > 0);
    let short = short.map_or_else(String::new, |short| format!("{short}; "));
    (severity, format!("{rows} accepted; {short}{}.", manifest.end))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn share_of(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}

/// What the dataset is held to.
fn gates(start: &Start, manifest: &Manifest) -> Vec<Gate> {
    let rows = &manifest.rows;
    let mut gates = Vec::new();
    let mut gate = |severity: Severity, text: String| gates.push(Gate { severity, text });
    let holds = |holds: bool| if holds { Severity::Good } else { Severity::Bad };
    let ceiling = manifest.job.anchor.max_synthetic_share;
    gate(
        holds(rows.synthetic_share <= ceiling),
        format!(
            "{} of the training rows are synthetic, the ceiling is {}",
            percent(rows.synthetic_share),
            percent(ceiling)
        ),
    );
    let (spent, calls) = (manifest.usd_micros(), manifest.calls());
    let within = manifest.limit.usd.is_none_or(|limit| spent <= limit.0)
        && manifest.limit.calls.is_none_or(|limit| calls <= limit);
    gate(holds(within), format!("spent {}", money::spent_of(manifest)));
    let held_out = rows.validation + rows.test;
    if held_out == 0 {
        gate(
            Severity::Warn,
            "no real row is held out: nothing is left to judge the student by".to_owned(),
        );
    } else {
        gate(
            Severity::Good,
            format!(
                "{} validation and {} test rows are real, and nothing was generated from them",
                thousands(rows.validation),
                thousands(rows.test)
            ),
        );
    }
    for check in &manifest.teacher_checks {
        gate(
            holds(check.passes()),
            format!("the teacher is related to the student: {check}"),
        );
    }
    if let Some(short) = manifest.certainty.as_ref().and_then(warnings::uncertain) {
        gate(Severity::Warn, short);
    }
    if let Some(lean) = manifest.length_bias.as_ref().and_then(LengthBias::warning) {
        gate(Severity::Warn, lean);
    }
    if start.job.embed.source() == EmbedSource::Off {
        gate(
            Severity::Warn,
            "nothing was embedded: duplicates in meaning were not looked for".to_owned(),
        );
    }
    if !start.job.filter.validator.verifies() && start.job.judge.is_none() {
        gate(
            Severity::Warn,
            "no validator and no judge: nothing checked what answers say".to_owned(),
        );
    }
    gates
}

fn headlines(manifest: &Manifest, gathered: &Gathered, measured: &Measured) -> Vec<Headline> {
    let mut all = Vec::new();
    let mut headline = |name: &str, value: String, note: String| {
        all.push(Headline {
            name: name.to_owned(),
            value,
            note,
        });
    };
    let accepted = manifest.rows.train_synthetic;
    headline(
        "accepted rows",
        thousands(accepted),
        format!("beside {} real ones", thousands(manifest.rows.train_human)),
    );
    headline(
        "acceptance",
        percent(share_of(accepted, manifest.candidates)),
        format!("of {} candidates", thousands(manifest.candidates)),
    );
    let (usd, calls) = (manifest.usd_micros(), manifest.calls());
    let a_row = |told: String| match accepted {
        0 => "for no row".to_owned(),
        _ => format!("{told} an accepted row"),
    };
    if usd > 0 {
        let cost = MicroUsd(usd / accepted.max(1));
        headline("spent", MicroUsd(usd).to_string(), a_row(cost.to_string()));
    } else {
        let cost = calls as f64 / accepted.max(1) as f64;
        headline("calls", thousands(calls), a_row(figure(cost)));
    }
    let lost: u64 = manifest.rejected.iter().map(|(_, loss)| loss.calls).sum();
    headline(
        "calls on rejects",
        percent(share_of(lost, calls)),
        format!("{} of {} calls", thousands(lost), thousands(calls)),
    );
    let last = measured.last();
    let few = || match measured.failed.is_empty() {
        true => "too few rows to say".to_owned(),
        false => "could not be measured: the note on rounds says why".to_owned(),
    };
    let covered = last.and_then(|last| last.coverage.as_ref());
    headline(
        "real rows covered",
        covered.map_or_else(|| "–".to_owned(), |found| percent(found.coverage)),
        covered.map_or_else(few, |found| {
            format!(
                "k = {}, {} synthetic against {} real, {}",
                found.k,
                thousands(found.n as u64),
                thousands(found.real as u64),
                gathered.model()
            )
        }),
    );
    let diversity = last.and_then(|last| last.diversity.as_ref());
    headline(
        "diversity (DCScore)",
        diversity.map_or_else(|| "–".to_owned(), |found| figure(found.mean)),
        diversity.map_or_else(few, |found| {
            let real = measured
                .real
                .as_ref()
                .map_or_else(String::new, |real| format!("; real rows {}", figure(real.mean)));
            format!(
                "τ = {}, n = {}, at which all rounds are compared{real}",
                found.settings.tau,
                thousands(found.draws.size as u64)
            )
        }),
    );
    all
}

fn pair(name: &str, value: impl Into<String>) -> Vec<String> {
    vec![name.to_owned(), value.into()]
}

fn shares(manifest: &Manifest, gathered: &Gathered) -> Table {
    let rows = &manifest.rows;
    let depths: Vec<String> = gathered
        .depths
        .iter()
        .map(|(depth, count)| format!("{} rows at depth {depth}", thousands(*count)))
        .collect();
    Table {
        heads: Vec::new(),
        rows: vec![
            pair(
                "real anchor",
                format!(
                    "{} rows, all of them in the training set",
                    thousands(rows.train_human)
                ),
            ),
            pair(
                "synthetic share",
                format!(
                    "{}, ceiling {}",
                    percent(rows.synthetic_share),
                    percent(manifest.job.anchor.max_synthetic_share)
                ),
            ),
            pair(
                "held out",
                format!(
                    "{} validation, {} test",
                    thousands(rows.validation),
                    thousands(rows.test)
                ),
            ),
            pair(
                "lineage",
                if depths.is_empty() {
                    "no synthetic row".to_owned()
                } else {
                    depths.join(", ")
                },
            ),
            pair(
                "rejected",
                format!("{} rows, kept with reason and cost", thousands(rows.rejected)),
            ),
        ]
        .into_iter()
        .chain(
            manifest
                .length_bias
                .map(|bias| pair("lengths of pairs", bias.in_words())),
        )
        .collect(),
    }
}

fn facts(start: &Start, manifest: &Manifest, gathered: &Gathered) -> Table {
    let mut rows = vec![
        pair("run", manifest.run.clone()),
        pair("job", job(start)),
        pair("configuration", manifest.configuration.clone()),
        pair("gristmill", manifest.gristmill.clone()),
    ];
    rows.extend(
        manifest
            .resumed
            .iter()
            .map(|resumed| pair("resumed", resumed.to_string())),
    );
    let mut prices: Vec<_> = start.prices().into_iter().collect();
    prices.sort_by(|a, b| a.0.cmp(&b.0));
    for (name, price) in prices {
        rows.push(pair(
            "model and its price",
            format!(
                "{name}: {} in, {} in from a cache, {}{} out, a million tokens",
                MicroUsd(price.input),
                MicroUsd(price.cached_input),
                price
                    .cache_write
                    .map_or_else(String::new, |write| format!("{} into a cache, ", MicroUsd(write))),
                MicroUsd(price.output)
            ),
        ));
    }
    let seeds = &manifest.seeds;
    rows.push(pair(
        "embedding",
        format!("{}; vectors here by {}", start.job.embed.model, gathered.model()),
    ));
    rows.push(pair(
        "real rows",
        format!(
            "{} in {} groups, {} repeated ones left out",
            thousands(seeds.rows),
            thousands(seeds.groups),
            seeds.repeated
        ),
    ));
    rows.push(pair("prompts", manifest.prompts.join(", ")));
    rows.push(pair(
        "draw of the splits",
        format!("seed {}", start.job.holdout.seed),
    ));
    Table {
        heads: Vec::new(),
        rows,
    }
}
