//! What fails, why, and what to run next, for people.

use std::fmt::Write;

use gristmill_domain::words::one_line;

use crate::causes::ShownCause;
use crate::finding::Findings;
use crate::mend::{Estimate, Gaps};
use crate::verdict::Verdict;

/// Items of a list.
const LISTED: usize = 20;

/// What `mend/README.md` tells.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The result, as it was named.
    pub result: &'a str,
    /// The student.
    pub model: &'a str,
    /// The dataset, as it was named.
    pub dataset: &'a str,
    /// The folder that the files are in, as it was named.
    pub out: &'a str,
    /// Questions that were asked.
    pub asked: u64,
    /// What was found.
    pub findings: &'a Findings,
    /// The causes that are shown.
    pub causes: &'a [ShownCause],
    /// Rows of `quarantine.jsonl`.
    pub quarantined: u64,
    /// The gaps.
    pub gaps: &'a Gaps,
    /// Where the dataset is a generation of a lineage: synthetic rows that may be added to its newest one, and whether the gaps were cut to that.
    pub room: Option<(u64, bool)>,
    /// What the job is expected to spend; `None` where nothing is known of what rows cost.
    pub estimate: Option<Estimate>,
    /// Whether `job.yaml` was written.
    pub job: bool,
    /// Name of a teacher that is a shown cause and remains in the job, because no other is left.
    pub same_teacher: Option<&'a str>,
}

/// The page, in Markdown.
pub fn readme(report: &Report<'_>) -> String {
    let mut page = format!(
        "# What to mend\n\n`{}` was asked {} of `{}` and got {} wrong.\n\n## Why\n\n| verdict | wrong answers |\n|---|---:|\n",
        report.model,
        many(report.asked, "question", "questions"),
        report.result,
        report.findings.diagnoses.len(),
    );
    for (verdict, count) in report.findings.counts() {
        let _written = writeln!(page, "| {} | {count} |", verdict.words());
    }
    causes(&mut page, report);
    gaps(&mut page, report);
    unlearned(&mut page, report);
    doubtful(&mut page, report);
    next(&mut page, report);
    page
}

fn causes(page: &mut String, report: &Report<'_>) {
    page.push_str("\n## Rows that contradict right answers\n\n");
    let wrong = count(report, Verdict::CoveredWrongly);
    match (report.causes, wrong) {
        ([], 0) => page.push_str("None were found.\n"),
        ([], _) => {
            let _written = writeln!(
                page,
                "{} covered wrongly, but no teacher version, prompt version or passage stands out among the rows behind them. \
                 `gristmill trace --eval {} ITEM` shows the rows of each.",
                many(wrong, "question is", "questions are"),
                report.result
            );
        }
        (causes, _) => {
            for shown in causes {
                let _written = writeln!(page, "- `{}`: {}.", shown.cause, shown.why());
            }
            let _written = writeln!(
                page,
                "\n`quarantine.jsonl` lists {}. Nothing is deleted: quarantine makes a new generation without them.",
                many(report.quarantined, "row", "rows")
            );
        }
    }
    if let Some(name) = report.same_teacher {
        let _written = writeln!(
            page,
            "\n`{name}` is the only teacher of the job. Name another, or a version of it that is not the cause, in `job.yaml` before you run it."
        );
    }
}

fn gaps(page: &mut String, report: &Report<'_>) {
    page.push_str("\n## Gaps\n\n");
    if let Some((room, cut)) = report.room {
        let _written = writeln!(
            page,
            "The lineage has room for {} under its ceiling{}. {}\n",
            many(room, "more synthetic row", "more synthetic rows"),
            match report.quarantined {
                0 => "",
                _ => ", once those of `quarantine.jsonl` are taken out",
            },
            match cut {
                true =>
                    "The rows to make are cut to that: more would be bought to be dropped. Real rows, or a higher `--max-synthetic-share` of \
                     `generation add`, make more room.",
                false => "The rows to make fit in.",
            }
        );
    }
    if report.gaps.aimed.is_empty() {
        page.push_str(match report.gaps.left {
            0 => "No concept lacks rows, so there is no job.\n",
            _ => "There is no room for a row, so there is no job.\n",
        });
    } else {
        page.push_str("| concept | wrong answers | real rows | synthetic rows | rows to make |\n|---|---:|---:|---:|---:|\n");
        for gap in &report.gaps.aimed {
            let _written = writeln!(
                page,
                "| {} | {} | {} | {} | {} |",
                one_line(&gap.concept).replace('|', "\\|"),
                gap.items.values().sum::<u64>(),
                gap.rows.real,
                gap.rows.synthetic,
                gap.wanted
            );
        }
        if report.gaps.left > 0 {
            let _written = writeln!(
                page,
                "\n{} rows as well, more than one job can aim at: run these first, then mend again.",
                many(report.gaps.left, "more concept lacks", "more concepts lack")
            );
        }
        match report.estimate {
            Some(estimate) => {
                let _written = writeln!(
                    page,
                    "\nExpected to cost ${:.2} and {}: what an accepted row of the dataset's run cost, and a quarter more.",
                    estimate.usd,
                    many(estimate.calls, "call", "calls")
                );
            }
            None => page.push_str("\nWhat a row costs is not known; the budget is the one that was named.\n"),
        }
    }
    if report.gaps.nameless > 0 {
        let _written = writeln!(
            page,
            "\n{} a gap, but no concept that a job could aim at. Label them (`seeds.fields.concept`), or set `concepts.found` in the job.",
            many(report.gaps.nameless, "wrong answer has", "wrong answers have")
        );
    }
}

fn unlearned(page: &mut String, report: &Report<'_>) {
    let unlearned = count(report, Verdict::NotLearned);
    if unlearned > 0 {
        let _written = writeln!(
            page,
            "\n## Covered and not learned\n\n{} enough training rows that speak for the right answer or not against it. More rows of the \
             same kind are not the remedy: train longer, with a higher LoRA rank, or a larger base.",
            many(unlearned, "wrong answer has", "wrong answers have")
        );
    }
}

fn doubtful(page: &mut String, report: &Report<'_>) {
    let doubtful = report.findings.diagnoses.iter();
    let doubtful: Vec<&str> = doubtful
        .filter(|one| one.verdict == Verdict::ContradictedByRealData)
        .map(|one| one.item.as_str())
        .collect();
    if doubtful.is_empty() {
        return;
    }
    page.push_str(
        "\n## For a person to look at\n\nReal rows answer the same question otherwise. Either they or the held-out rows are wrong:\n\n",
    );
    for item in doubtful.iter().take(LISTED) {
        let _written = writeln!(page, "- `gristmill trace --eval {} {item}`", report.result);
    }
    if let Some(more) = doubtful.len().checked_sub(LISTED).filter(|more| *more > 0) {
        let _written = writeln!(page, "- and {more} more");
    }
}

fn next(page: &mut String, report: &Report<'_>) {
    page.push_str("\n## What to run next\n\n");
    let mut commands = String::new();
    match report.quarantined {
        0 => page.push_str("No row is to be taken out, so there is no `quarantine.jsonl`.\n\n"),
        _ => {
            let _written = writeln!(
                commands,
                "    gristmill generation quarantine LINEAGE --rows {}/quarantine.jsonl",
                report.out
            );
        }
    }
    if report.job {
        let _written = writeln!(commands, "    gristmill run {}/job.yaml", report.out);
    }
    match commands.is_empty() {
        true => page.push_str("Nor is there a job to run.\n"),
        false => {
            page.push_str(&commands);
            let _written = writeln!(
                page,
                "\nAdd the new run's dataset to the lineage that holds `{}`, train again, and evaluate on validation again.",
                report.dataset
            );
        }
    }
}

fn count(report: &Report<'_>, verdict: Verdict) -> u64 {
    let of = report.findings.counts();
    of.iter()
        .find(|(other, _)| *other == verdict)
        .map_or(0, |(_, count)| *count)
}

/// A number with its noun, and verb.
fn many(number: u64, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::finding::Coverage;
    use crate::mend::Gap;

    #[test]
    fn gaps_that_are_left_and_rows_to_take_out_are_told() {
        let findings = Findings {
            diagnoses: Vec::new(),
            concepts: BTreeMap::new(),
            rows: Coverage::default(),
            sources: BTreeMap::new(),
            speaking: Vec::new(),
            vectors: String::new(),
            near: 0.5,
            same: 0.75,
        };
        let gap = Gap {
            concept: "iron".to_owned(),
            items: BTreeMap::new(),
            rows: Coverage::default(),
            quarantined: 0,
            wanted: 5,
        };
        let page = |left, quarantined| {
            let gaps = Gaps {
                aimed: vec![gap.clone()],
                left,
                nameless: 0,
            };
            readme(&Report {
                result: "eval",
                model: "student",
                dataset: "set",
                out: "mend",
                asked: 1,
                findings: &findings,
                causes: &[],
                quarantined,
                gaps: &gaps,
                room: None,
                estimate: None,
                job: true,
                same_teacher: None,
            })
        };
        assert!(page(6, 0).contains("6 more concepts lack rows as well"));
        assert!(!page(0, 0).contains("more than one job"));
        // A file that is not there is named by no command.
        assert!(page(0, 0).contains("so there is no `quarantine.jsonl`"));
        assert!(!page(0, 0).contains("--rows mend/quarantine.jsonl"));
        let with = page(0, 3);
        assert!(with.contains("generation quarantine LINEAGE --rows mend/quarantine.jsonl"));
        assert!(!with.contains("there is no `quarantine.jsonl`"), "{with}");
    }
}
