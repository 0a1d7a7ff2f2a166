//! Reads the seed files into seeds.

use std::path::Path;

use anyhow::{Context, bail};
use gristmill_coordinator::{Intake, SeedStore};
use gristmill_domain::answer::grounding;
use gristmill_domain::job::{Documents, Fields, Job, TableFormat};
use gristmill_domain::seed::row::{self, SeedRow};
use gristmill_domain::seed::{RowLocation, Seed, Split};
use gristmill_domain::validator::Checker;
use gristmill_domain::words::many;
use gristmill_tables::{Format, Options, Reader, Reason, Record};

use crate::dropped::DroppedText;
use crate::existing::read_existing;

/// Bad rows that are shown one by one.
const SHOWN: usize = 10;
/// Characters of a text in a row's error.
const SHOWN_CHARS: usize = 40;

/// Rows that could not be used.
#[derive(Debug, Default)]
pub struct BadRows {
    /// How many there are.
    pub count: u64,
    shown: Vec<String>,
}

impl BadRows {
    fn add(&mut self, what: String) {
        self.count += 1;
        if self.shown.len() < SHOWN {
            self.shown.push(what);
        }
    }

    /// The first of them, a line each.
    pub fn lines(&self) -> &[String] {
        &self.shown
    }
}

/// What was read of a job's seeds and documents.
pub struct SeedsRead {
    /// The seeds, with their splits.
    pub store: SeedStore,
    /// Rows that could not be used.
    pub bad: BadRows,
    /// Rows that a model wrote.
    pub synthetic: SyntheticRows,
    /// Seeds whose answer is a bare verdict, which `filter.grounding` rejects.
    pub verdicts: u64,
    /// What reading the documents brought beside passages.
    pub documents: DocumentsRead,
}

impl SeedsRead {
    /// Seeds that were read before, of which nothing is left out.
    pub fn of_store(store: SeedStore) -> Self {
        Self {
            store,
            bad: BadRows::default(),
            synthetic: SyntheticRows::default(),
            verdicts: 0,
            documents: DocumentsRead::default(),
        }
    }
}

/// Rows of our own datasets that a model wrote: they are left out, since a seed counts as real and may be held out.
#[derive(Debug, Default)]
pub struct SyntheticRows {
    /// How many there are.
    pub count: u64,
    /// File and line of the first.
    first: String,
}

impl SyntheticRows {
    fn add(&mut self, record: &Record) {
        if self.count == 0 {
            self.first = format!("{}:{}", record.file.display(), record.line);
        }
        self.count += 1;
    }

    /// What to know of them; nothing where there are none.
    pub fn told(&self) -> Option<String> {
        (self.count > 0).then(|| {
            format!(
                "{} left out because a model wrote what they hold (`provenance.origin`), the first at {}: only real rows are seeds",
                many(self.count, "seed row"),
                self.first
            )
        })
    }
}

/// What reading the documents brought beside passages.
#[derive(Default)]
pub struct DocumentsRead {
    /// Files that could not be read.
    pub skipped: BadRows,
    /// What of the others is in no passage.
    pub dropped: DroppedText,
}

/// Reads all seeds and documents and draws the splits. The validator's checker says which references can be used.
///
/// # Errors
/// Files that cannot be read, more bad rows than the job allows, and seeds or documents of which nothing is left.
pub fn read_seeds(job: &Job, base: &Path, checker: &dyn Checker) -> anyhow::Result<SeedsRead> {
    let format = match job.seeds.format {
        None => Format::Auto,
        Some(TableFormat::Jsonl) => Format::Jsonl,
        Some(TableFormat::Csv) => Format::Csv,
        Some(TableFormat::Parquet) => Format::Parquet,
    };
    let options = Options {
        format,
        base: Some(base.to_owned()),
        ..Options::default()
    };
    let reader = Reader::open_with(&job.seeds.path, &options).context("the seeds cannot be read")?;
    let mut intake = Intake::new(&job.holdout)?;
    let (mut bad, mut synthetic) = (BadRows::default(), SyntheticRows::default());
    let (mut rows, mut verdicts) = (0u64, 0u64);
    let mut empty = Vec::new();
    let (mut unseen, mut columns) = (Unseen::of(&job.seeds.fields), None);
    for row in reader {
        if let Ok(record) = &row
            && row::is_synthetic(&record.value)
        {
            synthetic.add(record);
            continue;
        }
        rows += 1;
        if let Ok(record) = &row {
            unseen.see(record);
            columns.get_or_insert_with(|| {
                let names: Vec<&str> = record.value.keys().map(String::as_str).collect();
                names.join(", ")
            });
        }
        match row {
            Ok(record) => match seed(&record, &job.seeds.fields).and_then(|seed| checked(checker, seed)) {
                Ok(seed) => {
                    verdicts += u64::from(grounding::is_verdict(&seed.answer));
                    intake.push(&seed)?;
                }
                Err(reason) => bad.add(format!("{}:{}: {reason}", record.file.display(), record.line)),
            },
            Err(row) => {
                if matches!(row.reason, Reason::Empty(_)) {
                    empty.push(row.to_string());
                }
                bad.add(row.to_string());
            }
        }
    }
    if !empty.is_empty() && empty.len() as u64 == rows {
        bail!(
            "there are no seeds: {}\nhelp: give each file of `seeds.path` at least one row",
            empty.join("; ")
        );
    }
    if let Some(columns) = &columns {
        unseen.check(columns)?;
    }
    if bad.count > allowed_bad_rows(job.seeds.max_bad_share, rows) {
        bail!(
            "{} of {rows} seed rows cannot be used, more than the {:.1} % that `seeds.max_bad_share` allows:\n  {}{}",
            bad.count,
            100.0 * job.seeds.max_bad_share,
            bad.shown.join("\n  "),
            if bad.count as usize > SHOWN {
                format!("\n  … and {} more", bad.count as usize - SHOWN)
            } else {
                String::new()
            }
        );
    }
    let used = rows - bad.count;
    if job.filter.grounding.is_some() && 2 * verdicts > used {
        bail!(
            "`filter.grounding` wants answers that stand in their passages, and {verdicts} of {used} seeds are answered by a bare verdict \
             (yes, no, true, false), which no passage says word by word: leave `filter.grounding` out and check with \
             `filter.validator: {{kind: label, labels: […]}}`"
        );
    }
    let mut documents_read = DocumentsRead::default();
    if let Some(documents) = &job.seeds.documents {
        documents_read = read_documents(documents, base, &mut intake)?;
    }
    // An evaluation makes no rows.
    if let (Some(existing), None) = (&job.filter.existing, &job.evaluate) {
        read_existing(existing, base, &mut intake)?;
    }
    let skipped = &documents_read.skipped;
    let seeds = intake.taken();
    let store = match &job.evaluate {
        None => intake.finish(&job.holdout)?,
        // Every row of an evaluation is a question, but for those that are shown before questions.
        Some(evaluate) => {
            if !evaluate.shots_path.is_empty() {
                read_shots(
                    job,
                    &evaluate.shots_path,
                    &options,
                    checker,
                    &mut intake,
                    &mut bad,
                )?;
            }
            let asked = evaluate.split.split();
            intake.finish_by(|ordinal| match ordinal < seeds {
                true => asked,
                false => Split::Anchor,
            })?
        }
    };
    if let Some(told) = synthetic.told().filter(|_| seeds == 0) {
        bail!("no seed row is left: {told}");
    }
    if seeds == 0 {
        bail!("the seed files hold no row: generation needs real examples to start from");
    }
    if job.seeds.documents.is_some() && store.passages().is_empty() {
        bail!(
            "`seeds.documents` gives no passage to ask about: {} passages are left to held-out rows, and {} files were skipped{}",
            store.summary().held_out_passages,
            skipped.count,
            skipped
                .lines()
                .iter()
                .map(|line| format!("\n  {line}"))
                .collect::<String>()
        );
    }
    Ok(SeedsRead {
        store,
        bad,
        synthetic,
        verdicts,
        documents: documents_read,
    })
}

/// Reads the rows that models are shown before questions. Those that a model wrote are no real rows, and are passed over; those that cannot be
/// used are told.
fn read_shots(
    job: &Job,
    path: &[String],
    options: &Options,
    checker: &dyn Checker,
    intake: &mut Intake,
    bad: &mut BadRows,
) -> anyhow::Result<()> {
    let reader =
        Reader::open_with(path, options).context("the rows of `evaluate.shots_path` cannot be read")?;
    for row in reader {
        match row {
            Ok(record) if row::is_synthetic(&record.value) => {}
            Ok(record) => match seed(&record, &job.seeds.fields).and_then(|seed| checked(checker, seed)) {
                Ok(seed) => intake.push(&seed)?,
                Err(reason) => bad.add(format!("{}:{}: {reason}", record.file.display(), record.line)),
            },
            Err(row) => bad.add(row.to_string()),
        }
    }
    Ok(())
}

/// Bad rows that are let pass: the share, and in a small file one that a share of its few rows would not allow. It is told by its line all the
/// same; a share of 0 allows none.
fn allowed_bad_rows(share: f64, rows: u64) -> u64 {
    const SMALL: u64 = 10;
    let by_share = (share * rows as f64).floor() as u64;
    by_share.max(u64::from(share > 0.0 && rows >= SMALL))
}

/// Cuts documents into passages. A file that cannot be read is skipped with its reason, and ends nothing.
#[cfg(feature = "documents")]
fn read_documents(documents: &Documents, base: &Path, intake: &mut Intake) -> anyhow::Result<DocumentsRead> {
    use gristmill_documents::{Cut, Event, Options, Reader};
    let options = Options {
        cut: Cut {
            target: documents.words as usize,
            most: documents.words_max as usize,
            overlap: documents.overlap as usize,
            ..Cut::default()
        },
        base: Some(base.to_owned()),
        ..Options::default()
    };
    let mut reader = Reader::open(&documents.path, &options).context("the documents cannot be read")?;
    let mut skipped = BadRows::default();
    for event in reader.by_ref() {
        match event {
            Event::Passage(passage) => intake.push_passage(&passage)?,
            Event::Skipped(file) => skipped.add(format!("{}: {}", file.file.display(), file.reason)),
            Event::Document(_) => {}
        }
    }
    Ok(DocumentsRead {
        skipped,
        dropped: DroppedText::of(&reader.summary().dropped),
    })
}

#[cfg(not(feature = "documents"))]
fn read_documents(_: &Documents, _: &Path, _: &mut Intake) -> anyhow::Result<DocumentsRead> {
    bail!(
        "`seeds.documents` needs the feature `documents`, and this program was built without it\nhelp: install it with `cargo install --path cli --locked --features documents`"
    )
}

fn seed(record: &Record, fields: &Fields) -> Result<Seed, String> {
    let SeedRow {
        question,
        answer,
        reasoning,
        references,
        context,
        concepts,
        source,
        database,
    } = row::read(&record.value, fields)?;
    Ok(Seed {
        id: Seed::content_id(&question, context.as_deref(), &answer, database.as_deref()),
        reasoning,
        references,
        context,
        concepts,
        source,
        database,
        place: RowLocation {
            file: record.file.display().to_string(),
            line: record.line,
        },
        question,
        answer,
    })
}

/// The columns that the job names and that no row had so far.
struct Unseen<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Unseen<'a> {
    fn of(fields: &'a Fields) -> Self {
        Self(row::optional(fields))
    }

    fn see(&mut self, record: &Record) {
        self.0
            .retain(|(_, column)| row::value(&record.value, column).is_none());
    }

    /// A column that is in no row is a wrong name, and would leave its field out without a word.
    fn check(&self, columns: &str) -> anyhow::Result<()> {
        match self.0.first() {
            None => Ok(()),
            Some((field, column)) => bail!(
                "no seed row has a column `{column}`, which `seeds.fields.{field}` names; the first has {columns}"
            ),
        }
    }
}

/// The seed, unless the validator can read none of its references: else no answer would ever equal one.
fn checked(checker: &dyn Checker, seed: Seed) -> Result<Seed, String> {
    // Where there are no references, there is nothing to be read in them.
    let mut why = None;
    for reference in &seed.references {
        match checker.reference(reference) {
            Ok(()) => return Ok(seed),
            Err(reason) => why = why.or(Some(reason)),
        }
    }
    let Some(why) = why else { return Ok(seed) };
    let first: String = seed
        .references
        .iter()
        .flat_map(|text| text.chars())
        .take(SHOWN_CHARS)
        .collect();
    Err(format!("its reference `{first}` {why}"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use gristmill_domain::job::Job;

    use gristmill_domain::validator::Given;

    use super::{SeedsRead, allowed_bad_rows};

    fn read_seeds(job: &Job, base: &Path) -> anyhow::Result<SeedsRead> {
        let checker = job.filter.validator.open(Given::Nothing).unwrap();
        super::read_seeds(job, base, &*checker)
    }

    fn job(filter: &str) -> Job {
        serde_json::from_str(&format!(
            r#"{{"seeds": {{"path": ["seeds.jsonl"], "fields": {{"question": "q", "answer": "a", "context": "c"}}}}, "teacher": {{"local": {{"name": "m"}}}},
                "budget": {{"calls": 9}}, "filter": {filter}}}"#
        ))
        .unwrap()
    }

    fn folder(rows: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("seeds.jsonl"), rows.join("\n")).unwrap();
        folder
    }

    #[test]
    fn rows_that_a_model_wrote_are_left_out_and_counted() {
        let made = r#"{"q": "Made?", "a": "b", "provenance": {"origin": "synthetic"}}"#;
        let real = r#"{"q": "Real?", "a": "b", "c": "", "provenance": {"origin": "human"}}"#;
        let read = |rows: &[&str]| read_seeds(&job("{}"), folder(rows).path());
        let seeds = read(&[real, made, made]).unwrap();
        assert_eq!(
            (seeds.store.len(), seeds.synthetic.count, seeds.bad.count),
            (1, 2, 0)
        );
        let told = seeds.synthetic.told().unwrap();
        assert!(
            told.contains("2 seed rows") && told.contains("seeds.jsonl:2"),
            "{told}"
        );
        let refused = read(&[made]).err().unwrap().to_string();
        assert!(refused.contains("no seed row is left"), "{refused}");
    }

    #[test]
    fn verdicts_cannot_be_looked_for_in_passages() {
        let rows = [
            r#"{"q": "Is it?", "a": false, "c": "It rained."}"#,
            r#"{"q": "Was it?", "a": "True", "c": "It rained."}"#,
            r#"{"q": "What fell?", "a": "rain", "c": "Rain fell."}"#,
        ];
        let read = |filter: &str, base: &Path| read_seeds(&job(filter), base);
        let folder = folder(&rows);
        let refused = read(r#"{"grounding": {}}"#, folder.path())
            .err()
            .unwrap()
            .to_string();
        assert!(
            refused.contains("2 of 3 seeds are answered by a bare verdict"),
            "{refused}"
        );
        assert_eq!(read("{}", folder.path()).unwrap().verdicts, 2);
    }

    #[test]
    fn one_bad_row_refuses_no_file_of_ten() {
        for (share, rows, allowed) in [
            (0.01, 5, 0),
            (0.01, 20, 1),
            (0.01, 1_000, 10),
            (0.5, 4, 2),
            (0.0, 1_000, 0),
        ] {
            assert_eq!(allowed_bad_rows(share, rows), allowed, "{share} of {rows}");
        }
    }
}
