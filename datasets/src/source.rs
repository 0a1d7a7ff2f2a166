//! Rows of tables or of a run's dataset, one by one, with errors that say where.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use gristmill_domain::seed::RowLocation;
use gristmill_tables::{Format, Reader, Record};

use super::fields::{self, Object, Usual};
use super::out;

/// Which rows are read.
#[derive(Debug, Clone)]
pub struct RowsOptions {
    /// Tables or patterns.
    pub files: Vec<String>,
    /// Folder of a run's dataset, which is read in place of `files`: its synthetic training rows.
    pub dataset: Option<PathBuf>,
    /// Fields with the text; the usual names are looked for when there is none.
    pub field: Vec<String>,
    /// Leaves rows out that cannot be used, and counts them; otherwise the first one is an error.
    pub skip_bad: bool,
}

/// What is read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    patterns: Vec<String>,
    /// Rows of one origin only, of a run's training split.
    origin: Option<&'static str>,
    fields: Vec<String>,
    /// Where the text is looked for first, when no field is named.
    prefer: Option<String>,
    /// Rows need no text: they bring vectors.
    textless: bool,
    skip_bad: bool,
}

/// A row as it was read, with its text.
#[derive(Debug, Clone)]
pub(crate) struct SourceRow {
    pub(crate) place: RowLocation,
    pub(crate) text: String,
    pub(crate) object: Object,
}

impl Source {
    /// What `rows` names; a run's dataset stands for its synthetic rows.
    pub(crate) fn new(rows: &RowsOptions) -> Self {
        let mut source = Self {
            patterns: rows.files.clone(),
            origin: None,
            fields: rows.field.clone(),
            prefer: None,
            textless: false,
            skip_bad: rows.skip_bad,
        };
        if let Some(dataset) = &rows.dataset {
            source.patterns = vec![dataset.join("data/train-*.parquet").display().to_string()];
            source.origin = Some("synthetic");
        }
        source
    }

    /// True for a file that is among those that are read.
    pub(crate) fn reads(&self, file: &Path) -> bool {
        // Names that match nothing are told when they are opened.
        let read = gristmill_tables::files(&self.patterns, None).unwrap_or_default();
        read.iter().any(|read| out::same(read, file))
    }

    /// Other tables, read the same way.
    pub(crate) fn of_files(&self, files: &[String]) -> Self {
        Self {
            patterns: files.to_vec(),
            origin: None,
            ..self.clone()
        }
    }

    /// The real rows of the same run; `None` where tables are read.
    pub(crate) fn real(&self) -> Option<Self> {
        self.origin.map(|_| Self {
            origin: Some("human"),
            ..self.clone()
        })
    }

    /// Reads another field.
    pub(crate) fn with_fields(mut self, fields: Vec<String>) -> Self {
        self.fields = fields;
        self
    }

    /// Looks for the text in this field first, when none is named.
    pub(crate) fn preferring(mut self, field: Option<String>) -> Self {
        self.prefer = field;
        self
    }

    /// Takes rows without a text too.
    pub(crate) fn textless(mut self, textless: bool) -> Self {
        self.textless = textless;
        self
    }

    /// Looks whether the tables are there and can be opened, before any work is done on others.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub(crate) fn look(&self) -> anyhow::Result<()> {
        Reader::open(&self.patterns, Format::Auto)?;
        Ok(())
    }

    /// Opens the tables: all of them are looked at before the first row.
    pub(crate) fn open(&self) -> anyhow::Result<Rows> {
        Ok(Rows {
            reader: Reader::open(&self.patterns, Format::Auto)?,
            source: self.clone(),
            fields: self.fields.clone(),
            input: None,
            cut: false,
            bad: Bad::default(),
            read: 0,
        })
    }
}

/// Rows that were left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bad {
    pub(crate) count: u64,
    pub(crate) first: Option<String>,
}

impl Bad {
    /// A line for the screen, where there is something to say.
    pub(crate) fn warning(&self) -> Option<String> {
        let first = self.first.as_deref()?;
        Some(format!(
            "warning: {} rows were left out; the first: {first}",
            self.count
        ))
    }
}

/// Rows being read.
pub(crate) struct Rows {
    reader: Reader,
    source: Source,
    /// The fields with the text; found in the first row where none was named.
    fields: Vec<String>,
    /// What the question goes on in, where it stands apart; rows may lack it.
    input: Option<String>,
    /// Passages were cut off.
    cut: bool,
    bad: Bad,
    read: u64,
}

impl Rows {
    /// Good rows that were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Rows that were left out.
    pub(crate) fn bad(&self) -> &Bad {
        &self.bad
    }

    /// True where rows have a text.
    pub(crate) fn worded(&self) -> bool {
        !self.fields.is_empty()
    }

    /// Where the text was found, in words.
    pub(crate) fn fields(&self) -> String {
        match self.fields.as_slice() {
            [] => "no text".to_owned(),
            [field] if let Some(input) = &self.input => format!("text `{field}` + `{input}`"),
            [field] if self.source.fields.is_empty() && fields::CONVERSATIONS.contains(&field.as_str()) => {
                let passages = if self.cut { ", without passages" } else { "" };
                format!("text: the questions in `{field}`{passages}")
            }
            fields if self.cut => format!("text `{}` without passages", fields.join("` + `")),
            fields => format!("text `{}`", fields.join("` + `")),
        }
    }

    fn row(&mut self, record: Record) -> Result<SourceRow, String> {
        let Record { file, line, value } = record;
        if self.fields.is_empty() {
            match Usual::Question.find(&value, self.source.prefer.as_deref()) {
                Some(found) => {
                    let input = Usual::Question.input(&value, &found);
                    self.fields.push(found);
                    self.input = input;
                }
                None if self.source.textless => {}
                None => {
                    return Err(format!(
                        "{}: name one with `--field`",
                        Usual::Question.missing(&value)
                    ));
                }
            }
        }
        let mut parts: Vec<String> = self
            .fields
            .iter()
            .map(|field| fields::text(&value, field, Usual::Question))
            .collect::<Result<_, _>>()?;
        if let Some(input) = &self.input
            && let Ok(more) = fields::text(&value, input, Usual::Question)
            && !more.is_empty()
        {
            parts.push(more);
        }
        // Of our own rows the question is taken, as the run did, without the passage before it; unless whole messages are asked for.
        if self.source.fields.is_empty() {
            for part in &mut parts {
                self.cut |= fields::cut_passage(&value, part);
            }
        }
        Ok(SourceRow {
            place: RowLocation {
                file: file.display().to_string(),
                line,
            },
            text: parts.join("\n"),
            object: value,
        })
    }

    /// Reads the next row that can be used, and makes of it what `take` makes.
    pub(crate) fn next_with<T>(
        &mut self,
        mut take: impl FnMut(SourceRow) -> Result<T, String>,
    ) -> anyhow::Result<Option<T>> {
        while let Some(read) = self.reader.next() {
            let made = match read {
                Ok(record) => {
                    if let Some(origin) = self.source.origin
                        && fields::labels(&record.value, "origin") != [origin]
                    {
                        continue;
                    }
                    let at = format!("{}:{}", record.file.display(), record.line);
                    let made = self.row(record).and_then(&mut take);
                    made.map_err(|reason| format!("{at}: {reason}"))
                }
                // Rows behind it exist and were not seen: never only a bad row.
                Err(bad) if bad.ends_file() => return Err(bad.into()),
                Err(bad) => Err(bad.to_string()),
            };
            match made {
                Ok(made) => {
                    self.read += 1;
                    return Ok(Some(made));
                }
                Err(reason) if self.source.skip_bad => {
                    self.bad.count += 1;
                    self.bad.first.get_or_insert(reason);
                }
                Err(reason) => {
                    return Err(anyhow!(
                        "{reason}; leave such rows out with `--skip-bad`, or mend the file"
                    ));
                }
            }
        }
        Ok(None)
    }

    /// Reads the next rows, at most so many.
    pub(crate) fn batch(&mut self, most: usize) -> anyhow::Result<Vec<SourceRow>> {
        let mut rows = Vec::new();
        while rows.len() < most {
            match self.next_with(Ok)? {
                Some(row) => rows.push(row),
                None => break,
            }
        }
        Ok(rows)
    }
}
