//! What people see while a run works: bars on a terminal, plain lines elsewhere. All of it on standard error.

use std::io::IsTerminal;
use std::time::Duration;

use gristmill_coordinator::Progress;
use gristmill_domain::amount::MicroUsd;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::args;

/// Time between two plain lines when nothing changes.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Time between two looks at the run: at most four draws a second.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Width under which the stage lines go.
const NARROW: u16 = 80;

/// How progress is shown.
#[derive(Debug, Clone)]
pub(crate) struct View {
    style: args::ProgressStyle,
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
        Self { style }
    }

    /// A line for a person, whatever the style, unless there is none.
    #[allow(
        clippy::print_stderr,
        reason = "the terminal layer: this is where people are told"
    )]
    pub(crate) fn say(&self, text: &str) {
        if self.style != args::ProgressStyle::None {
            eprintln!("{text}");
        }
    }

    /// Shows the fetching of a model.
    #[cfg(any(feature = "embedder", feature = "local-model"))]
    pub(crate) fn fetching(&self, name: &str) -> Fetching {
        let bar = (self.style == args::ProgressStyle::Bar).then(|| {
            let bar = ProgressBar::new_spinner().with_message(format!("model {name}"));
            bar.set_style(style("{msg} {bytes} of {total_bytes} {wide_bar} {bytes_per_sec}"));
            bar
        });
        Fetching {
            bar,
            name: name.to_owned(),
            view: self.clone(),
            said: None,
        }
    }

    /// Shows a run until `progress` closes.
    pub(crate) async fn watch(self, head: String, mut progress: watch::Receiver<Progress>) {
        match self.style {
            args::ProgressStyle::None => while progress.changed().await.is_ok() {},
            args::ProgressStyle::Bar => self.bars(head, progress).await,
            args::ProgressStyle::Plain | args::ProgressStyle::Auto => self.lines(head, progress).await,
        }
    }

    async fn lines(&self, head: String, mut progress: watch::Receiver<Progress>) {
        let start = Instant::now();
        let (mut phase, mut said) = (String::new(), start);
        loop {
            let open = tokio::time::timeout(LOOK_EVERY, progress.changed())
                .await
                .is_ok_and(|changed| changed.is_err());
            let now = progress.borrow_and_update().clone();
            if !now.phase.is_empty() && (now.phase != phase || said.elapsed() >= PLAIN_EVERY) {
                said = Instant::now();
                phase.clone_from(&now.phase);
                self.say(&line(&head, &now, start.elapsed()));
            }
            if open {
                return;
            }
        }
    }

    async fn bars(&self, head: String, mut progress: watch::Receiver<Progress>) {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(4));
        let wide = terminal_width() >= NARROW;
        let title = bars.add(ProgressBar::new_spinner());
        title.set_style(style("{msg}"));
        let rows = bars.add(ProgressBar::new(0));
        rows.set_style(style("rows     {bar:24} {msg}"));
        let budget = bars.add(ProgressBar::new(0));
        budget.set_style(style("budget   {bar:24} {msg}"));
        let stages = bars.add(ProgressBar::new_spinner());
        let rejects = bars.add(ProgressBar::new_spinner());
        for line in [&stages, &rejects] {
            line.set_style(style("{wide_msg}"));
        }
        let start = Instant::now();
        loop {
            let closed = tokio::time::timeout(LOOK_EVERY, progress.changed())
                .await
                .is_ok_and(|changed| changed.is_err());
            let now = progress.borrow_and_update().clone();
            title.set_message(format!("{head} · {}", now.phase));
            rows.set_length(now.expected_rows.max(now.accepted));
            rows.set_position(now.accepted);
            rows.set_message(rows_text(&now, start.elapsed()));
            let (used, limit) = budget_share(&now);
            budget.set_length(limit);
            budget.set_position(used);
            budget.set_message(budget_text(&now));
            if wide {
                stages.set_message(stages_text(&now));
                rejects.set_message(rejects_text(&now));
            }
            if closed {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        for bar in [title, rows, budget, stages, rejects] {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━━─")
}

fn terminal_width() -> u16 {
    console::Term::stderr()
        .size_checked()
        .map_or(NARROW, |(_, columns)| columns)
}

fn rate(now: &Progress, elapsed: Duration) -> f64 {
    now.accepted as f64 / elapsed.as_secs_f64().max(0.1)
}

fn eta(now: &Progress, elapsed: Duration) -> Option<u64> {
    let missing = now.expected_rows.saturating_sub(now.accepted) as f64;
    (now.accepted > 0).then(|| (missing / rate(now, elapsed)).ceil() as u64)
}

fn rows_text(now: &Progress, elapsed: Duration) -> String {
    let left = eta(now, elapsed).map_or_else(String::new, |s| format!("  {} left", duration(s)));
    format!(
        "{}/{}  {:.1}/s{left}",
        thousands(now.accepted),
        thousands(now.expected_rows),
        rate(now, elapsed)
    )
}

fn budget_share(now: &Progress) -> (u64, u64) {
    match (now.limit.usd, now.limit.calls) {
        (Some(usd), _) => (now.gone.usd.0 + now.held.usd.0, usd.0),
        (None, Some(calls)) => (now.gone.calls + now.held.calls, calls),
        (None, None) => (0, 1),
    }
}

fn budget_text(now: &Progress) -> String {
    let mut parts = Vec::new();
    if let Some(limit) = now.limit.usd {
        parts.push(format!(
            "{} spent + {} held of {limit}",
            now.gone.usd, now.held.usd
        ));
    }
    if let Some(limit) = now.limit.calls {
        parts.push(format!(
            "{} + {} of {} calls",
            thousands(now.gone.calls),
            now.held.calls,
            thousands(limit)
        ));
    }
    parts.join(" · ")
}

fn stages_text(now: &Progress) -> String {
    let stage = |(stage, open): (&gristmill_domain::stage::Stage, &u64)| {
        let running = now.running.get(stage).copied().unwrap_or(0);
        format!("{stage} {running} out, {} queued", open.saturating_sub(running))
    };
    now.open.iter().map(stage).collect::<Vec<_>>().join(" · ")
}

fn rejects_text(now: &Progress) -> String {
    let total: u64 = now.rejected.values().sum();
    if total == 0 {
        return String::new();
    }
    let mut reasons: Vec<_> = now.rejected.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(reason, count)| format!("{reason} {}", thousands(**count)))
        .collect();
    format!("rejected {}: {}", thousands(total), reasons.join(", "))
}

fn line(head: &str, now: &Progress, elapsed: Duration) -> String {
    let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
    let accept = if now.decided > 0 {
        format!(" accept={:.2}", now.accepted as f64 / now.decided as f64)
    } else {
        String::new()
    };
    let usd = now.limit.usd.map_or_else(String::new, |limit| {
        let plain = |usd: MicroUsd| format!("{:.4}", usd.as_usd());
        format!(
            " spent={} held={} budget={}",
            plain(now.gone.usd),
            plain(now.held.usd),
            plain(limit)
        )
    });
    let calls = now.limit.calls.map_or_else(
        || format!(" calls={}", now.gone.calls),
        |limit| format!(" calls={}/{limit} open_calls={}", now.gone.calls, now.held.calls),
    );
    let eta = eta(now, elapsed).map_or_else(String::new, |s| format!(" eta={s}s"));
    let phase = now.phase.replace(' ', "-");
    format!(
        "{time} progress {head} phase={phase} accepted={}/{} rate={:.1}/s{usd}{calls}{accept}{eta}",
        now.accepted,
        now.expected_rows,
        rate(now, elapsed)
    )
}

/// `3m15s`, `42s`.
pub(crate) fn duration(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// `12,345`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The fetching of a model.
#[cfg(any(feature = "embedder", feature = "local-model"))]
pub(crate) struct Fetching {
    bar: Option<ProgressBar>,
    name: String,
    view: View,
    said: Option<Instant>,
}

#[cfg(any(feature = "embedder", feature = "local-model"))]
impl Fetching {
    /// So many bytes are there.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) {
        if let Some(bar) = &self.bar {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
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
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_durations_read_well() {
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(thousands(999), "999");
        assert_eq!(duration(195), "3m15s");
        assert_eq!(duration(7_320), "2h02m");
    }
}
