//! What people see while a run works: bars on a terminal, plain lines elsewhere. All of it on standard error.

mod counting;
mod screen;
#[cfg(feature = "trainer")]
mod training;
mod words;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use gristmill_coordinator::Progress;
#[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
use gristmill_domain::words::thousands;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args;
pub(crate) use counting::Counting;
use screen::Screen;
#[cfg(feature = "trainer")]
pub(crate) use training::TrainingView;

/// Time between two plain lines when nothing changes.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks at the run: at most four draws a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How progress is shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    style: args::ProgressStyle,
    screen: Screen,
}

impl View {
    /// Chooses between bars and lines where the user did not.
    pub(crate) fn new(style: args::ProgressStyle) -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb") || std::env::var_os("CI").is_some();
        let style = match style {
            args::ProgressStyle::Auto if std::io::stderr().is_terminal() && !dumb => args::ProgressStyle::Bar,
            args::ProgressStyle::Auto => args::ProgressStyle::Plain,
            chosen => chosen,
        };
        Self {
            style,
            screen: Screen::new(),
        }
    }

    /// A line for a person, whatever the style, unless there is none. It scrolls above the bars.
    pub(crate) fn say(&self, text: &str) {
        if self.style != args::ProgressStyle::None {
            self.screen.above(format!("{text}\n").as_bytes());
        }
    }

    /// A warning, in every style: that rows or documents are missing is no progress.
    pub(crate) fn warn(&self, text: &str) {
        self.screen.above(format!("warning: {text}\n").as_bytes());
    }

    /// Where log lines go: standard error, above the bars.
    pub(crate) fn log(&self) -> Log {
        Log(self.screen.clone())
    }

    /// Takes the bars away, for a program that ends without waiting for them.
    pub(crate) fn clear(&self) {
        self.screen.draw(String::new());
    }

    /// Shows the fetching of a model.
    #[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
    pub(crate) fn fetching(&self, name: &str) -> Fetching {
        Fetching {
            name: name.to_owned(),
            view: self.clone(),
            said: None,
        }
    }

    /// Shows a run until `progress` closes.
    pub(crate) async fn watch(self, head: Head, mut progress: watch::Receiver<Progress>) {
        match self.style {
            args::ProgressStyle::None => while progress.changed().await.is_ok() {},
            args::ProgressStyle::Bar => self.draw(&head, progress).await,
            args::ProgressStyle::Plain | args::ProgressStyle::Auto => self.lines(&head, progress).await,
        }
    }

    async fn lines(&self, head: &Head, mut progress: watch::Receiver<Progress>) {
        let mut lines = Lines::default();
        loop {
            let closed = changed_or_late(&mut progress).await;
            let now = progress.borrow_and_update().clone();
            if let Some(line) = lines.next(head, &now, Instant::now(), closed) {
                self.say(&line);
            }
            if closed {
                return;
            }
        }
    }

    async fn draw(&self, head: &Head, mut progress: watch::Receiver<Progress>) {
        let (mut pace, mut drawn) = (Pace::default(), Instant::now());
        while !changed_or_late(&mut progress).await {
            tokio::time::sleep_until(drawn + LOOK_EVERY).await;
            drawn = Instant::now();
            let now = progress.borrow_and_update().clone();
            pace.see(drawn, &now);
            self.screen
                .draw(words::picture(head, &now, &pace, self.screen.width()));
        }
        self.clear();
    }
}

/// What a run is called on the screen.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    run: String,
    job: Option<String>,
}

impl Head {
    /// The head of a run, with the name of its job file where that is known.
    pub(crate) fn of(run: impl Display, job_file: Option<&str>) -> Self {
        let name = |path| Some(Path::new(path).file_name()?.to_string_lossy().into_owned());
        Self {
            run: run.to_string(),
            job: job_file.and_then(name),
        }
    }
}

/// Waits for news, or for the next look; true when there will be none any more.
async fn changed_or_late(progress: &mut watch::Receiver<Progress>) -> bool {
    tokio::time::timeout(LOOK_EVERY, progress.changed())
        .await
        .is_ok_and(|changed| changed.is_err())
}

/// Which plain lines are said: one at each new phase, one every ten seconds, and one at the end.
#[derive(Debug, Default)]
struct Lines {
    pace: Pace,
    /// What was said last, and when.
    last: Option<(Progress, Instant)>,
}

impl Lines {
    /// The line for a look at a run, where one is due. A run that ends before the next one is due still says how far it came.
    fn next(&mut self, head: &Head, progress: &Progress, now: Instant, closed: bool) -> Option<String> {
        self.pace.see(now, progress);
        let due = self
            .last
            .as_ref()
            .is_none_or(|(last, said)| last.phase != progress.phase || now - *said >= PLAIN_EVERY);
        let news = || self.last.as_ref().is_none_or(|(last, _)| last != progress);
        if progress.phase.is_empty() || !(due || closed && news()) {
            return None;
        }
        self.last = Some((progress.clone(), now));
        Some(words::line(head, progress, &self.pace))
    }
}

/// How fast a run goes: over the last half minute, without what an earlier start left.
#[derive(Debug, Default)]
struct Pace(std::collections::VecDeque<(Instant, Seen)>);

/// What a run has done since it was taken up, at one look.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Accepted rows, stored or about to be.
    accepted: u64,
    calls: u64,
}

impl Pace {
    const WINDOW: Duration = Duration::from_secs(30);

    fn see(&mut self, now: Instant, progress: &Progress) {
        let before = progress.before;
        let seen = Seen {
            accepted: progress.accepted_so_far().saturating_sub(before.accepted),
            calls: progress.gone.calls.saturating_sub(before.calls),
        };
        self.0.push_back((now, seen));
        while self.0.len() > 2 && self.0[1].0 + Self::WINDOW < now {
            self.0.pop_front();
        }
    }

    /// So many a second.
    fn rate(&self, of: fn(&Seen) -> u64) -> f64 {
        match (self.0.front(), self.0.back()) {
            (Some((from, before)), Some((to, now))) if to > from => {
                of(now).saturating_sub(of(before)) as f64 / (*to - *from).as_secs_f64()
            }
            _ => 0.0,
        }
    }

    /// Rows a second.
    fn rows(&self) -> f64 {
        self.rate(|seen| seen.accepted)
    }

    /// Calls a second.
    fn calls(&self) -> f64 {
        self.rate(|seen| seen.calls)
    }
}

/// Log lines on standard error; what is drawn there steps aside for each.
pub(crate) struct Log(Screen);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        self.0.above(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

/// The fetching of a model.
#[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
pub(crate) struct Fetching {
    name: String,
    view: View,
    said: Option<Instant>,
}

#[cfg(any(feature = "embedder", feature = "local-model", feature = "trainer"))]
impl Fetching {
    /// So many bytes are there.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) {
        if self.view.style == args::ProgressStyle::Bar {
            if self.said.is_none_or(|said| said.elapsed() >= LOOK_EVERY) {
                self.said = Some(Instant::now());
                let screen = &self.view.screen;
                screen.draw(words::fetching(&self.name, done, total, screen.width()));
            }
        } else if self.said.is_none_or(|said| said.elapsed() >= PLAIN_EVERY) {
            self.said = Some(Instant::now());
            let of = total.map_or_else(String::new, |total| format!(" of {}", thousands(total)));
            self.view.say(&format!(
                "fetching model={} bytes={}{of}",
                self.name,
                thousands(done)
            ));
        }
    }

    /// It is there.
    pub(crate) fn end(self) {
        self.view.clear();
    }
}

#[cfg(test)]
mod tests {
    use gristmill_coordinator::Before;
    use gristmill_domain::amount::Amount;

    use super::*;

    #[test]
    fn a_run_that_ends_at_once_says_how_far_it_came() {
        let (head, start) = (Head::of("0123", None), Instant::now());
        let at = |phase: &str, accepted| Progress {
            phase: phase.to_owned(),
            accepted,
            decided: accepted,
            ..Progress::default()
        };
        let mut lines = Lines::default();
        let mut next = |progress: &Progress, ms, closed| {
            lines.next(&head, progress, start + Duration::from_millis(ms), closed)
        };
        assert_eq!(next(&at("", 0), 0, false), None);
        assert!(next(&at("pilot", 0), 10, false).is_some());
        assert_eq!(next(&at("pilot", 40), 20, false), None, "not yet due");
        let last = next(&at("pilot", 1_234), 30, true).unwrap();
        assert!(last.contains("accepted=1234 "), "{last}");
        assert_eq!(next(&at("pilot", 1_234), 30, true), None, "nothing is said twice");
    }

    #[test]
    fn the_pace_forgets_what_an_earlier_start_left() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let at = |accepted, calls| Progress {
            accepted,
            gone: Amount {
                calls,
                ..Amount::ZERO
            },
            ..Progress::default()
        };
        pace.see(start, &at(5_000, 9_000));
        assert_eq!((pace.rows(), pace.calls()), (0.0, 0.0), "one look is no pace");
        for second in 1..=60 {
            pace.see(
                start + Duration::from_secs(second),
                &at(5_000 + 2 * second, 9_000 + 5 * second),
            );
        }
        assert!((pace.rows() - 2.0).abs() < 1e-9);
        assert!((pace.calls() - 5.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_read_from_the_journal_is_no_pace() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        let at = |accepted, calls, before| Progress {
            settled_accepted: accepted,
            gone: Amount {
                calls,
                ..Amount::ZERO
            },
            before,
            ..Progress::default()
        };
        let before = |accepted, calls| Before { accepted, calls };
        pace.see(start, &Progress::default());
        // The journal is read in steps, the books in one.
        for (second, accepted) in [(1, 800), (2, 1_478)] {
            pace.see(
                start + Duration::from_secs(second),
                &at(accepted, 4_050, before(accepted, 4_050)),
            );
        }
        assert_eq!((pace.rows(), pace.calls()), (0.0, 0.0));
        pace.see(
            start + Duration::from_secs(10),
            &at(1_488, 4_080, before(1_478, 4_050)),
        );
        assert!((pace.rows() - 1.0).abs() < 1e-9);
        assert!((pace.calls() - 3.0).abs() < 1e-9);
    }
}
