//! Long work that counts: rows read, rows embedded.

use tokio::time::Instant;

use super::{LOOK_EVERY, PLAIN_EVERY, View, words};
use crate::args::ProgressStyle;

/// What is counted, on the screen.
pub(crate) struct Counting {
    what: String,
    view: View,
    began: Instant,
    said: Instant,
}

impl View {
    /// Shows counts of some work: `embedding rows`.
    pub(crate) fn counting(&self, what: &str) -> Counting {
        let now = Instant::now();
        Counting {
            what: what.to_owned(),
            view: self.clone(),
            began: now,
            said: now,
        }
    }
}

impl Counting {
    /// So many are done, of so many where that is known.
    pub(crate) fn at(&mut self, done: u64, total: Option<u64>) {
        let (is_bar, every) = match self.view.style {
            ProgressStyle::None => return,
            ProgressStyle::Bar => (true, LOOK_EVERY),
            ProgressStyle::Plain | ProgressStyle::Auto => (false, PLAIN_EVERY),
        };
        if self.said.elapsed() < every {
            return;
        }
        self.said = Instant::now();
        let rate = done as f64 / self.began.elapsed().as_secs_f64().max(1e-3);
        if is_bar {
            let screen = &self.view.screen;
            screen.draw(words::counting(&self.what, done, total, rate, screen.width()));
        } else {
            let of = total.map_or_else(String::new, |total| format!("/{total}"));
            let time = jiff::Timestamp::now().strftime("%H:%M:%SZ");
            let what = self.what.replace(' ', "-");
            self.view.say(&format!(
                "{time} progress work={what} done={done}{of} rate={rate:.1}/s"
            ));
        }
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        if self.view.style == ProgressStyle::Bar {
            self.view.clear();
        }
    }
}
