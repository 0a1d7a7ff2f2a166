//! A dataset as the files that a trainer takes: the rows in the order in which they are trained on, and the validation rows.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use gristmill_dataset::{DatasetRow, Origin, Split, dataset_folder, each_row, split_files};
use gristmill_domain::training::{Objective, Order, Training, steps};
use gristmill_ports::trainer::{Request, Row, RowTokens, Schedule};
use serde::Serialize;

use crate::Error;
use crate::folder::{Folder, Settings, identity};
use crate::rows::{pair, rows};
use crate::source::{LeftOut, Source};

/// A base model that is at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseModel {
    /// As it was named.
    pub name: String,
    /// Its file or folder.
    pub path: PathBuf,
    /// Hash of its weights.
    pub hash: String,
}

/// Writes the rows and the validation rows of a dataset into a student's folder, as the settings say, and enters there what it is trained
/// with. Where the folder holds a training of the same settings, base and dataset, that one resumes.
///
/// Rows stream; eight bytes of each are held, and four for the order of an epoch.
///
/// # Errors
/// [`Error::Taken`] where the folder holds another training; [`Error::Unusable`] where no row is left to train on; [`Error::Dataset`],
/// [`Error::Io`].
pub fn prepare(
    dataset: &Path,
    training: &Training,
    base: &BaseModel,
    tokens: &dyn RowTokens,
    folder: &Folder,
) -> Result<Settings, Error> {
    let dataset = dataset_folder(dataset);
    let unusable = |reason: String| Error::Unusable {
        path: dataset.clone(),
        reason,
    };
    let mut source = Source {
        dataset_hash: hash(&dataset)?,
        run: run(&dataset),
        dataset: dataset.clone(),
        rows: 0,
        real: 0,
        depth: 0,
        tokens: 0,
        validation: 0,
        left_out: LeftOut::default(),
    };
    folder.claim(&identity(training, &base.hash, &source.dataset_hash))?;
    let mut learned = Learned {
        most: training.max_tokens,
        tokens,
        pile: Pile::new(folder.path())?,
        source: &mut source,
    };
    let answers = training.objective == Objective::Sft;
    for split in Split::TRAINED {
        each_row(&dataset, split, |row| match (split, answers) {
            (Split::Text, _) => {
                learned.source.left_out.texts += 1;
                Ok(())
            }
            (Split::Preference, false) => learned.pair(&row),
            (Split::Preference, true) | (_, false) => {
                learned.source.left_out.other_objective += 1;
                Ok(())
            }
            (_, true) => learned.answers(&row),
        })?;
    }
    let written = learned.pile;
    let steps = steps(
        source.rows,
        training.epochs,
        training.batch_rows,
        training.max_steps,
    );
    if steps == 0 {
        return Err(unusable(format!(
            "it holds no row to train on ({})",
            source.left_out
        )));
    }
    let taken = steps * u64::from(training.batch_rows);
    written.write_in(
        Order::new(source.rows as u32, u64::from(training.seed)),
        taken,
        &folder.rows(),
    )?;
    // Held-out rows are answers: pairs have none to be measured on.
    if answers {
        source.validation = validation(&dataset, training, tokens, folder, &mut source.left_out)?;
    }
    let settings = Settings {
        format: Settings::FORMAT,
        training: training.clone(),
        base: base.name.clone(),
        base_hash: base.hash.clone(),
        request: request(training, &base.path, steps, source.validation > 0, folder),
        source,
    };
    folder.enter(&settings)?;
    Ok(settings)
}

/// What [`prepare`] would enter in the folder `out`, of which nothing is made or changed. The rows are written to a temporary folder and removed.
///
/// # Errors
/// As those of [`prepare`].
pub fn preview(
    dataset: &Path,
    training: &Training,
    base: &BaseModel,
    tokens: &dyn RowTokens,
    out: &Path,
) -> Result<Settings, Error> {
    let scratch = tempfile::tempdir().map_err(Error::io(&std::env::temp_dir()))?;
    let settings = prepare(dataset, training, base, tokens, &Folder::create(scratch.path())?)?;
    let folder = Folder::named(out);
    folder.claim(&settings.hash())?;
    let (steps, validated) = (settings.request.steps, settings.source.validation > 0);
    Ok(Settings {
        request: request(training, &base.path, steps, validated, &folder),
        ..settings
    })
}

/// Rows on their way to a trainer.
struct Learned<'a> {
    most: u32,
    tokens: &'a dyn RowTokens,
    pile: Pile,
    source: &'a mut Source,
}

impl Learned<'_> {
    fn answers(&mut self, row: &DatasetRow) -> Result<(), Error> {
        let Some(learned) = rows(row) else {
            self.source.left_out.tools += 1;
            return Ok(());
        };
        for one in learned {
            if let Some(count) = self.fits(std::slice::from_ref(&one))? {
                self.took(row, count);
                self.pile.push(&one)?;
            }
        }
        Ok(())
    }

    fn pair(&mut self, row: &DatasetRow) -> Result<(), Error> {
        let Some(pair) = pair(row) else {
            self.source.left_out.tools += 1;
            return Ok(());
        };
        let answered = [&pair.chosen, &pair.rejected].map(|answer| Row {
            id: pair.id.clone(),
            prompt: pair.prompt.clone(),
            completion: answer.clone(),
        });
        if let Some(count) = self.fits(&answered)? {
            self.took(row, count);
            self.pile.push(&pair)?;
        }
        Ok(())
    }

    /// The tokens of all, where each is short enough.
    fn fits(&mut self, rows: &[Row]) -> Result<Option<u64>, Error> {
        let mut sum = 0;
        for row in rows {
            let count = fits(row, self.most, self.tokens, &mut self.source.left_out);
            match count.map_err(|reason| Error::Unusable {
                path: self.source.dataset.clone(),
                reason,
            })? {
                None => return Ok(None),
                Some(count) => sum += count,
            }
        }
        Ok(Some(sum))
    }

    fn took(&mut self, row: &DatasetRow, tokens: u64) {
        self.source.rows += 1;
        self.source.tokens += tokens;
        self.source.real += u64::from(row.provenance.origin == Origin::Human);
        self.source.depth = self.source.depth.max(row.provenance.depth);
    }
}

fn request(training: &Training, base: &Path, steps: u64, validated: bool, folder: &Folder) -> Request {
    let every = training.validation.every.unwrap_or(steps.div_ceil(10)).max(1);
    Request {
        format: Request::FORMAT,
        objective: training.objective,
        method: training.method,
        base: base.to_owned(),
        lora: training.lora,
        initial_adapter: None,
        dpo: (training.objective == Objective::Dpo).then(|| training.dpo.unwrap_or_default()),
        learning_rate: training.peak_learning_rate(),
        weight_decay: training.weight_decay,
        warmup: training.warmup,
        schedule: Schedule::default(),
        max_grad_norm: training.max_grad_norm,
        batch_rows: training.batch_rows,
        micro_batch_rows: training.micro_batch(),
        max_tokens: training.max_tokens,
        steps,
        seed: u64::from(training.seed),
        precision: training.precision,
        rows: folder.rows(),
        validation: validated.then(|| folder.validation()),
        validate_every: every,
        // A patience of 0 would end a training at its first measurement.
        patience: Some(training.validation.patience).filter(|patience| *patience > 0),
        checkpoint_every: training.checkpoints.every.unwrap_or(every),
        keep_checkpoints: training.checkpoints.keep,
        out: folder.path().to_owned(),
    }
}

/// The tokens of a row that is short enough; notes those that are not.
fn fits(row: &Row, most: u32, tokens: &dyn RowTokens, left_out: &mut LeftOut) -> Result<Option<u64>, String> {
    let count = tokens
        .count(row)
        .map_err(|reason| format!("row {}: {reason}", row.id))?;
    if count <= u64::from(most) {
        return Ok(Some(count));
    }
    left_out.too_long += 1;
    if left_out
        .longest
        .as_ref()
        .is_none_or(|(_, longest)| count > *longest)
    {
        left_out.longest = Some((row.id.clone(), count));
    }
    Ok(None)
}

/// Writes validation rows, evenly over those there are; returns how many.
fn validation(
    dataset: &Path,
    training: &Training,
    tokens: &dyn RowTokens,
    folder: &Folder,
    left_out: &mut LeftOut,
) -> Result<u64, Error> {
    let mut there = 0u64;
    each_row::<Error>(dataset, Split::Validation, |_| {
        there += 1;
        Ok(())
    })?;
    let wanted = u64::from(training.validation.rows).min(there);
    let path = folder.validation();
    let mut file = BufWriter::new(File::create(&path).map_err(Error::io(&path))?);
    let (mut seen, mut taken, mut skipped) = (0u64, 0u64, LeftOut::default());
    each_row::<Error>(dataset, Split::Validation, |row| {
        // Evenly: the rows at which the share that should be taken passes a whole number.
        let due = (seen + 1) * wanted / there.max(1) > seen * wanted / there.max(1);
        seen += 1;
        for learned in rows(&row).filter(|_| due).unwrap_or_default() {
            let fits = fits(&learned, training.max_tokens, tokens, &mut skipped);
            let fits = fits.map_err(|reason| Error::Unusable {
                path: dataset.to_owned(),
                reason,
            })?;
            match fits {
                None => left_out.validation += 1,
                Some(_) => {
                    taken += 1;
                    line(&mut file, &learned).map_err(Error::io(&path))?;
                }
            }
        }
        Ok(())
    })?;
    file.flush().map_err(Error::io(&path))?;
    Ok(taken)
}

fn line(out: &mut impl Write, row: &Row) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, row)?;
    out.write_all(b"\n")
}

/// Rows on disk, with where each begins.
struct Pile {
    path: PathBuf,
    file: BufWriter<File>,
    at: u64,
    starts: Vec<u64>,
}

impl Pile {
    fn new(folder: &Path) -> Result<Self, Error> {
        let file = tempfile::tempfile_in(folder).map_err(Error::io(folder))?;
        Ok(Self {
            path: folder.to_owned(),
            file: BufWriter::new(file),
            at: 0,
            starts: Vec::new(),
        })
    }

    fn push(&mut self, row: &impl Serialize) -> Result<(), Error> {
        let text = serde_json::to_vec(row).map_err(|error| Error::io(&self.path)(error.into()))?;
        self.starts.push(self.at);
        self.at += text.len() as u64 + 1;
        let written = self
            .file
            .write_all(&text)
            .and_then(|()| self.file.write_all(b"\n"));
        written.map_err(Error::io(&self.path))
    }

    /// Writes rows in an order, so many of them.
    fn write_in(self, order: Order, rows: u64, target: &Path) -> Result<(), Error> {
        let file = self
            .file
            .into_inner()
            .map_err(|error| Error::io(&self.path)(error.into_error()))?;
        let mut pile = BufReader::new(file);
        let mut out = BufWriter::new(File::create(target).map_err(Error::io(target))?);
        let mut text = Vec::new();
        for number in order.take(rows as usize) {
            let start = self.starts.get(number as usize).copied().unwrap_or_default();
            text.clear();
            let read = pile
                .seek(SeekFrom::Start(start))
                .and_then(|_| pile.read_until(b'\n', &mut text));
            read.map_err(Error::io(&self.path))?;
            out.write_all(&text).map_err(Error::io(target))?;
        }
        out.flush().map_err(Error::io(target))
    }
}

/// Hash of what a dataset holds.
pub(crate) fn hash(dataset: &Path) -> Result<String, Error> {
    let manifest = dataset.join("manifest.json");
    if manifest.exists() {
        let text = std::fs::read(&manifest).map_err(Error::io(&manifest))?;
        return Ok(blake3::hash(&text).to_hex().to_string());
    }
    let mut hasher = blake3::Hasher::new();
    for split in Split::ALL {
        for file in split_files(dataset, split)? {
            let bytes = File::open(&file).and_then(|file| hasher.update_reader(file).map(|_| ()));
            bytes.map_err(Error::io(&file))?;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The run that a dataset's manifest names, and the hash of its configuration.
fn run(dataset: &Path) -> Option<(String, String)> {
    let text = std::fs::read(dataset.join("manifest.json")).ok()?;
    let manifest: serde_json::Value = serde_json::from_slice(&text).ok()?;
    let text = |key: &str| manifest.get(key)?.as_str().map(str::to_owned);
    text("run").zip(text("configuration"))
}
