//! The reader: files in, passages out, one document at a time.

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use gristmill_domain::passage::{Media, Passage, Source};

use crate::block::{Content, Kind, Why};
use crate::cut::{Cut, cut};
use crate::find::{Files, Found};
use crate::options::{Error, Limits, Options};
use crate::repeats::Repeats;
use crate::skip::{Reason, Skipped};
use crate::summary::{Document, Summary};
use crate::wire::Reply;
use crate::worker::{Death, Worker};

/// Documents after which a child is replaced, so that nothing it may leak adds up.
const DOCUMENTS_A_CHILD: u32 = 200;
/// A passage in which less than this share of the signs are letters is a dump of data.
const LETTERS_SHARE_MIN: f64 = 0.35;
/// More signs than this without a meaning, and a passage cannot be read.
const UNKNOWN_SHARE_MAX: f64 = 0.03;

/// What the reader comes upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A passage of the document being read.
    Passage(Passage),
    /// A file that gave none.
    Skipped(Skipped),
    /// The document whose passages came before this.
    Document(Document),
}

/// Reads documents as it is asked for the next event. What it holds is one document's passages.
pub struct Reader {
    files: Files,
    program: Option<PathBuf>,
    limits: Limits,
    cut: Cut,
    worker: Option<Worker>,
    waiting: VecDeque<Event>,
    repeats: Repeats,
    /// Files read, by device and inode.
    read: HashSet<(u64, u64)>,
    summary: Summary,
}

impl std::fmt::Debug for Reader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl Reader {
    /// Reads what patterns name: files, folders (all documents in them, hidden ones apart) and globs (`docs/**/*.md`).
    ///
    /// Files come in the order of the patterns and by name within one, each once. Fails only where nothing can be read at
    /// all; what is wrong with a file is a [`Event::Skipped`].
    pub fn open<P: AsRef<str>>(patterns: &[P], options: &Options) -> Result<Self, Error> {
        if let Some(reason) = options.cut.fault() {
            return Err(Error::Cut { reason });
        }
        let files = Files::new(patterns, options.base.as_deref())?;
        let worker = Worker::start(options.program.as_deref(), &options.limits)
            .map_err(|reason| Error::Child { reason })?;
        Ok(Self {
            files,
            program: options.program.clone(),
            limits: options.limits,
            cut: options.cut,
            worker: Some(worker),
            waiting: VecDeque::new(),
            repeats: Repeats::default(),
            read: HashSet::new(),
            summary: Summary::default(),
        })
    }

    /// What came of the documents so far; of all once the events have ended.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    fn file(&mut self, path: &Path, media: Media) {
        let event = match self.content(path, media) {
            Ok((content, bytes)) => {
                let source = Source {
                    file: path.display().to_string(),
                    media,
                };
                let document = self.passages(source, content, bytes);
                self.summary.add(&document);
                Event::Document(document)
            }
            Err(reason) => {
                self.summary.skipped += 1;
                Event::Skipped(Skipped {
                    file: path.to_owned(),
                    reason,
                })
            }
        };
        self.waiting.push_back(event);
    }

    /// Has a child read a file.
    fn content(&mut self, path: &Path, media: Media) -> Result<(Content, u64), Reason> {
        // Asked before it is opened: to open a pipe waits for its other end.
        let found = fs::metadata(path).map_err(|error| Reason::of_io(&error))?;
        if !found.is_file() {
            return Err(Reason::Special);
        }
        if found.len() == 0 {
            return Err(Reason::Empty);
        }
        if found.len() > self.limits.file_bytes_max {
            let mib = |bytes: u64| bytes >> 20;
            let what = format!(
                "{} MiB, more than {}",
                mib(found.len()),
                mib(self.limits.file_bytes_max)
            );
            return Err(Reason::too_large(what));
        }
        if !self.read.insert((found.dev(), found.ino())) {
            return Err(Reason::Again);
        }
        let mut last_try = false;
        loop {
            let file = File::open(path).map_err(|error| Reason::of_io(&error))?;
            let mut worker = self.take_worker()?;
            let is_fresh = worker.served == 0;
            let death = match worker.read(media, file, found.len(), &self.limits) {
                Ok(reply) => {
                    self.worker = Some(worker);
                    return match reply {
                        Reply::Content(content) => Ok((content, found.len())),
                        Reply::Skipped(reason) => Err(reason),
                        other => Err(Reason::Crashed {
                            how: format!("it answered {other}"),
                        }),
                    };
                }
                Err(death) => death,
            };
            match death {
                // Whether memory suffices must not depend on what the child read before.
                Death::Document(Reason::TooMuchMemory { .. }) if !is_fresh => {}
                Death::Document(reason) => return Err(reason),
                Death::Child(how) if last_try => return Err(Reason::Crashed { how }),
                Death::Child(reason) => {
                    tracing::warn!(reason, "a child that reads documents had ended; starting another");
                    last_try = true;
                }
            }
        }
    }

    fn take_worker(&mut self) -> Result<Worker, Reason> {
        match self.worker.take() {
            Some(worker) if worker.served < DOCUMENTS_A_CHILD => Ok(worker),
            _ => Worker::start(self.program.as_deref(), &self.limits).map_err(|why| Reason::Io { why }),
        }
    }

    /// Cuts what was read and keeps what is worth it.
    fn passages(&mut self, source: Source, content: Content, bytes: u64) -> Document {
        self.repeats.next_document();
        let mut dropped = content.dropped;
        let mut blocks = content.blocks;
        blocks.retain(|block| {
            let is_again =
                !matches!(block.kind, Kind::Heading(_)) && self.repeats.is_boilerplate(&block.text);
            if is_again {
                dropped.count(Why::Boilerplate, &block.text);
            }
            !is_again
        });
        let (mut passages, mut words) = (0, 0);
        for passage in cut(&source, content.title.as_deref(), &blocks, &self.cut) {
            if let Some(why) = self.fault(&passage) {
                dropped.count(why, &passage.text);
                continue;
            }
            passages += 1;
            words += passage.text.split_whitespace().count() as u64;
            self.waiting.push_back(Event::Passage(passage));
        }
        Document {
            source,
            bytes,
            passages,
            words,
            dropped,
        }
    }

    fn fault(&mut self, passage: &Passage) -> Option<Why> {
        if self.cut.unit.size(&passage.text) < self.cut.least {
            Some(Why::Fragment)
        } else if is_illegible(&passage.text) {
            Some(Why::Illegible)
        } else if self.repeats.is_double(&passage.text) {
            Some(Why::Duplicate)
        } else {
            None
        }
    }
}

fn is_illegible(text: &str) -> bool {
    let (mut signs, mut letters, mut unknown) = (0_usize, 0_usize, 0_usize);
    // Rules of tables drawn with characters say nothing of what is in the tables.
    for c in text
        .chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '-' | '=' | '+' | '|' | '_' | '.' | '─'..='╿'))
    {
        signs += 1;
        letters += usize::from(c.is_alphabetic());
        unknown += usize::from(c == '\u{fffd}');
    }
    let share = |count: usize| count as f64 / signs.max(1) as f64;
    share(letters) < LETTERS_SHARE_MIN || share(unknown) > UNKNOWN_SHARE_MAX
}

impl Iterator for Reader {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            match self.files.next()? {
                Found::File { path, media } => self.file(&path, media),
                Found::Other(ending) => self.summary.other(ending),
                Found::Skipped(skipped) => {
                    self.summary.skipped += 1;
                    return Some(Event::Skipped(skipped));
                }
            }
        }
    }
}
