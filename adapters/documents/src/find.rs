//! From patterns to files, one at a time: a folder is walked as it is read, and only one folder's names are held.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};
use gristmill_domain::passage::Media;
use walkdir::WalkDir;

use crate::options::Error;
use crate::skip::{Reason, Skipped};

/// What stands at a place.
#[derive(Debug)]
pub(crate) enum Found {
    File {
        path: PathBuf,
        media: Media,
    },
    Skipped(Skipped),
    /// A file of another kind in a folder or under a pattern, by its ending.
    Other(String),
}

/// The kind of document that an ending stands for.
pub(crate) fn media(path: &Path) -> Option<Media> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "md" | "markdown" | "mdown" | "mkd" | "mkdn" => Media::Markdown,
        "html" | "htm" | "xhtml" => Media::Html,
        "pdf" => Media::Pdf,
        "docx" | "docm" => Media::Docx,
        "txt" | "text" | "rst" => Media::Text,
        _ => return None,
    })
}

#[derive(Debug)]
enum Pattern {
    /// A path that exists, or has no signs of a pattern.
    Path(PathBuf),
    Glob {
        text: String,
        root: PathBuf,
        matcher: GlobMatcher,
    },
}

/// Files by name within a folder, patterns in their order.
pub(crate) struct Files {
    patterns: VecDeque<Pattern>,
    walk: Option<Walk>,
}

struct Walk {
    entries: walkdir::IntoIter,
    /// `None` for a folder that was named.
    matcher: Option<(String, GlobMatcher)>,
    root: PathBuf,
    matched: bool,
}

impl Files {
    /// Relative patterns start at `base`, or at the current folder.
    pub(crate) fn new<P: AsRef<str>>(patterns: &[P], base: Option<&Path>) -> Result<Self, Error> {
        if patterns.is_empty() {
            return Err(Error::Nothing);
        }
        let patterns = patterns
            .iter()
            .map(|pattern| parse(pattern.as_ref(), base))
            .collect::<Result<_, _>>()?;
        Ok(Self { patterns, walk: None })
    }
}

fn parse(pattern: &str, base: Option<&Path>) -> Result<Pattern, Error> {
    // Without the dots that say "here": each file has one name.
    let path: PathBuf = base
        .map_or_else(|| PathBuf::from(pattern), |base| base.join(pattern))
        .components()
        .collect();
    let is_signs = |c: char| matches!(c, '*' | '?' | '[' | '{');
    if !pattern.contains(is_signs) || path.symlink_metadata().is_ok() {
        return Ok(Pattern::Path(path));
    }
    // The longest part without signs is where to look.
    let literal = &pattern[..pattern.find(is_signs).unwrap_or(0)];
    let folder = literal.rfind('/').map_or("", |end| &literal[..=end]);
    let matcher = GlobBuilder::new(pattern)
        .literal_separator(true)
        .build()
        .map_err(|error| Error::Pattern {
            pattern: pattern.to_owned(),
            reason: error.kind().to_string(),
        })?
        .compile_matcher();
    let root = match base {
        Some(base) => base.join(folder),
        None if folder.is_empty() => PathBuf::from("."),
        None => PathBuf::from(folder),
    };
    Ok(Pattern::Glob {
        // What comes before the folder in the paths found is not part of the pattern.
        text: pattern.to_owned(),
        root,
        matcher,
    })
}

impl Iterator for Files {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(walk) = &mut self.walk {
                match walk.next() {
                    Some(found) => return Some(found),
                    None => {
                        let walk = self.walk.take()?;
                        if let (Some((text, _)), false) = (walk.matcher, walk.matched) {
                            return Some(Found::Skipped(Skipped {
                                file: text.into(),
                                reason: Reason::NoMatch {
                                    base: walk.root.display().to_string(),
                                },
                            }));
                        }
                    }
                }
            }
            match self.patterns.pop_front()? {
                Pattern::Glob { text, root, matcher } => {
                    self.walk = Some(Walk::new(root, Some((text, matcher))))
                }
                Pattern::Path(path) => match named(&path) {
                    Named::Folder => self.walk = Some(Walk::new(path, None)),
                    Named::Found(found) => return Some(found),
                },
            }
        }
    }
}

enum Named {
    Folder,
    Found(Found),
}

/// A path that was named as it is.
fn named(path: &Path) -> Named {
    let skipped = |reason| {
        Named::Found(Found::Skipped(Skipped {
            file: path.to_owned(),
            reason,
        }))
    };
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => Named::Folder,
        Ok(found) if !found.is_file() => skipped(Reason::Special),
        // `README` is text; its first bytes are looked at all the same.
        Ok(_) => match media(path).or(path.extension().is_none().then_some(Media::Text)) {
            Some(media) => Named::Found(Found::File {
                path: path.to_owned(),
                media,
            }),
            None => skipped(Reason::UnknownKind),
        },
        Err(_) if path.is_symlink() => skipped(Reason::BrokenLink),
        Err(error) => skipped(Reason::of_io(&error)),
    }
}

impl Walk {
    fn new(root: PathBuf, matcher: Option<(String, GlobMatcher)>) -> Self {
        let entries = WalkDir::new(&root)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        Self {
            entries,
            matcher,
            root,
            matched: false,
        }
    }

    /// Whether a path is asked for. A pattern is matched from where it starts.
    fn wants(&self, path: &Path) -> bool {
        let Some((text, matcher)) = &self.matcher else {
            return true;
        };
        let folder = text
            .find(['*', '?', '[', '{'])
            .and_then(|end| text[..end].rfind('/'))
            .map_or("", |end| &text[..=end]);
        let rest = path.strip_prefix(&self.root).unwrap_or(path);
        matcher.is_match(Path::new(folder).join(rest))
    }
}

impl Iterator for Walk {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let entry = match self.entries.next()? {
                Ok(entry) => entry,
                Err(error) => match self.failed(&error) {
                    Some(found) => return Some(found),
                    None => continue,
                },
            };
            let asks_hidden = self
                .matcher
                .as_ref()
                .is_some_and(|(text, _)| text.starts_with('.') || text.contains("/."));
            let is_hidden = entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.');
            if is_hidden && !asks_hidden {
                if entry.file_type().is_dir() {
                    self.entries.skip_current_dir();
                }
                continue;
            }
            if entry.file_type().is_dir() || !self.wants(entry.path()) {
                continue;
            }
            self.matched = true;
            let path = entry.into_path();
            return Some(match media(&path) {
                Some(_) if !path.is_file() => Found::Skipped(Skipped {
                    file: path,
                    reason: Reason::Special,
                }),
                Some(media) => Found::File { path, media },
                None => Found::Other(ending(&path)),
            });
        }
    }
}

impl Walk {
    /// What could not be looked at. Of links that lead nowhere, those that are named as documents.
    fn failed(&self, error: &walkdir::Error) -> Option<Found> {
        let path = error.path()?.to_owned();
        let is_missing = error
            .io_error()
            .is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
        let is_loop = error.loop_ancestor().is_some();
        if is_missing && !path.is_symlink() {
            // The pattern's folder is not there: nothing matches.
            return None;
        }
        if (is_missing || is_loop) && (!self.wants(&path) || is_missing && media(&path).is_none()) {
            return Some(Found::Other(ending(&path)));
        }
        let reason = match error.io_error() {
            _ if is_missing || is_loop => Reason::BrokenLink,
            Some(error) => Reason::of_io(error),
            None => Reason::Io {
                why: error.to_string(),
            },
        };
        Some(Found::Skipped(Skipped { file: path, reason }))
    }
}

fn ending(path: &Path) -> String {
    path.extension().map_or_else(String::new, |ending| {
        ending.to_string_lossy().to_ascii_lowercase()
    })
}
