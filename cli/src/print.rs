//! Results on standard output, errors on standard error.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::time::Duration;

use gristmill_runs::{Manifest, RunFolder, outcome, shown};

use crate::args::OutputStyle;
use crate::failure::Failure;

/// Writes a line to standard output.
macro_rules! out {
    ($($text:tt)*) => { put(format_args!("{}\n", format_args!($($text)*))) };
}

/// Writes to standard output. A reader who has gone away (`| head`) has seen enough; a disk that is full ends the program with an error.
fn put(text: Arguments<'_>) {
    let mut stdout = io::stdout().lock();
    match stdout.write_fmt(text).and_then(|()| stdout.flush()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
        Err(error) => {
            tell(format_args!(
                "error[output]: standard output cannot be written: {error}\n"
            ));
            crate::leave(1);
        }
    }
}

/// Writes to standard error; where nobody listens, nobody is told.
fn tell(text: Arguments<'_>) {
    let _gone = io::stderr().lock().write_fmt(text);
}

/// The errors of a job file, as a failure.
pub(crate) fn job_errors(errors: &gristmill_jobfile::Errors) -> Failure {
    let color = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    Failure::Job(gristmill_jobfile::render(errors, color))
}

/// Prints why the program ends.
pub(crate) fn failure(failure: &Failure, output: OutputStyle) {
    let text = failure.text();
    match (output, failure) {
        (OutputStyle::Json, _) => {
            let value = serde_json::json!({"error": failure.name(), "message": text});
            tell(format_args!("{value}\n"));
        }
        // Rendered with its own heads.
        (OutputStyle::Text, Failure::Job(_)) => tell(format_args!("{text}")),
        (OutputStyle::Text, _) => tell(format_args!("error[{}]: {text}\n", failure.name())),
    }
}

/// Prints a value as one line of JSON, or the text.
pub(crate) fn either(output: OutputStyle, value: &serde_json::Value, text: &str) {
    match output {
        OutputStyle::Json => out!("{value}"),
        OutputStyle::Text => out!("{}", text.trim_end()),
    }
}

/// Prints a text as it is.
pub(crate) fn plain(text: &str) {
    put(format_args!("{text}"));
}

/// Prints how a run ended.
pub(crate) fn done(manifest: &Manifest, folder: &RunFolder, took: Option<Duration>, output: OutputStyle) {
    let place = shown(folder.root());
    let (value, text) = (
        outcome::json(manifest, &place, took),
        outcome::text(manifest, &place, took),
    );
    either(output, &value, &text);
}
