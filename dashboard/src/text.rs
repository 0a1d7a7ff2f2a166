//! Texts, numbers and times as pages show them.

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::thousands;
use maud::{Markup, Render, html};

/// A text that nobody vouches for: escaped, and with characters that reorder or hide what is written made visible as `⟨U+202E⟩`.
pub(crate) struct Shown<'a>(pub(crate) &'a str);

impl Render for Shown<'_> {
    fn render_to(&self, buffer: &mut String) {
        let mut rest = self.0;
        while let Some(at) = rest.find(is_hidden) {
            rest[..at].render_to(buffer);
            let mut after = rest[at..].chars();
            if let Some(hidden) = after.next() {
                html! { span.hidden-mark { (format!("⟨U+{:04X}⟩", u32::from(hidden))) } }.render_to(buffer);
            }
            rest = after.as_str();
        }
        rest.render_to(buffer);
    }
}

/// A sentence of the program, with what stands between backticks as code. It may quote texts of others.
pub(crate) struct Prose<'a>(pub(crate) &'a str);

impl Render for Prose<'_> {
    fn render_to(&self, buffer: &mut String) {
        let parts: Vec<&str> = self.0.split('`').collect();
        // An odd backtick has no partner: the text is left as it is.
        if parts.len().is_multiple_of(2) {
            return Shown(self.0).render_to(buffer);
        }
        for (number, part) in parts.into_iter().enumerate() {
            match number % 2 {
                0 => Shown(part).render_to(buffer),
                _ => html! { code { (Shown(part)) } }.render_to(buffer),
            }
        }
    }
}

/// Control characters but for line ends and tabs, marks of direction (Unicode UAX #9), and characters that are not seen.
fn is_hidden(c: char) -> bool {
    let control = c.is_control() && !matches!(c, '\n' | '\t' | '\r');
    control
        || matches!(
            c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

/// `71.4 %`; a dash where there is nothing to take a share of.
pub(crate) fn percent(part: u64, whole: u64) -> String {
    match whole {
        0 => "–".to_owned(),
        whole => format!("{:.1}\u{a0}%", 100.0 * part as f64 / whole as f64),
    }
}

/// The same of a share, 0 to 1.
pub(crate) fn share(share: f64) -> String {
    format!("{:.1}\u{a0}%", 100.0 * share)
}

/// Money of a run. A run whose prices are not known has none: it shows a dash, never `$0`.
pub(crate) fn money(usd: MicroUsd, priced: bool) -> String {
    match priced || usd.0 > 0 {
        true => usd.to_string(),
        false => "–".to_owned(),
    }
}

/// A time of the day and its date, for people and for programs. Times are UTC, as in the logs.
pub(crate) fn time(ms: u64) -> Markup {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match at.filter(|_| ms > 0) {
        Some(at) => html! {
            time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M")) "\u{a0}UTC" }
        },
        None => html! { "–" },
    }
}

/// The same to the second, for times that are close together.
pub(crate) fn second(ms: u64) -> Markup {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match at.filter(|_| ms > 0) {
        Some(at) => html! {
            time datetime=(at.strftime("%Y-%m-%dT%H:%M:%SZ")) { (at.strftime("%Y-%m-%d %H:%M:%S")) "\u{a0}UTC" }
        },
        None => html! { "–" },
    }
}

/// `14:02`, in UTC.
pub(crate) fn clock(ms: u64) -> String {
    let at = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    at.map_or_else(String::new, |at| at.strftime("%H:%M").to_string())
}

/// Now, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0)
}

/// A rate of rows: `18.4/s`, `3.2/min`; nothing where there is none.
pub(crate) fn rate(a_second: f64) -> String {
    match a_second {
        slow if slow <= 0.0 => String::new(),
        slow if slow < 1.0 => format!("{:.1}/min", slow * 60.0),
        fast if fast < 100.0 => format!("{fast:.1}/s"),
        fast => format!("{}/s", thousands(fast.round() as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_acts_or_hides() {
        let hostile = "<script>alert(1)</script>\u{202e}gpj.exe\u{200b}\"'&\u{7}\nnext";
        let shown = html! { p title=(Shown("a\"b")) { (Shown(hostile)) } }.into_string();
        assert_eq!(
            shown,
            "<p title=\"a&quot;b\">&lt;script&gt;alert(1)&lt;/script&gt;<span class=\"hidden-mark\">⟨U+202E⟩</span>gpj.exe\
             <span class=\"hidden-mark\">⟨U+200B⟩</span>&quot;'&amp;<span class=\"hidden-mark\">⟨U+0007⟩</span>\nnext</p>"
        );
    }

    #[test]
    fn commands_are_code_and_lone_backticks_stay() {
        let shown = |text: &str| html! { (Prose(text)) }.into_string();
        assert_eq!(shown("try `a <b>` now"), "try <code>a &lt;b&gt;</code> now");
        assert_eq!(shown("it`s"), "it`s");
    }

    #[test]
    fn what_is_not_known_is_not_zero() {
        assert_eq!(money(MicroUsd(0), false), "–");
        assert_eq!(money(MicroUsd(0), true), "$0.00");
        assert_eq!(percent(0, 0), "–");
        assert_eq!(time(0).into_string(), "–");
        assert_eq!(
            time(1_700_000_000_000)
                .into_string()
                .matches("2023-11-14")
                .count(),
            2
        );
        assert_eq!([rate(0.0), rate(0.1), rate(18.42)], ["", "6.0/min", "18.4/s"]);
    }
}
