//! LaTeX whose backslashes a model forgot to double: `"\frac{1}{2}"` is valid JSON for a form feed and `rac{1}{2}`.
//!
//! Nobody means a form feed or a backspace: before a letter, `\f` and `\b` are always commands. `\n`, `\r` and `\t` are told by the word
//! that follows: one that only LaTeX has (`\times`) is a command wherever it stands; one that prose or code could have as well (`\ne`,
//! `\to`) only where the object shows that its backslashes are not doubled, or inside a formula. A writer that doubles some of its
//! backslashes forgets it for others: a tab or a carriage return inside a formula is one of those.
//!
//! The row break `\\` has two backslashes already. Where the commands around it have one, it means two.

/// Commands whose letters behind the first begin no word that would stand behind a line end or a tab.
const CERTAIN: &[&str] = &[
    "nabla",
    "ncong",
    "nearrow",
    "negmedspace",
    "negthinspace",
    "neq",
    "newcommand",
    "nexists",
    "ngeq",
    "ngeqslant",
    "ngtr",
    "nleftarrow",
    "nleq",
    "nleqslant",
    "nless",
    "nmid",
    "noindent",
    "nolimits",
    "nonumber",
    "notin",
    "nparallel",
    "nprec",
    "nrightarrow",
    "nsim",
    "nsubseteq",
    "nsucc",
    "nsupseteq",
    "ntriangleleft",
    "ntriangleright",
    "nVdash",
    "nwarrow",
    "raisebox",
    "rangle",
    "rbrace",
    "rbrack",
    "rceil",
    "relax",
    "renewcommand",
    "resizebox",
    "rfloor",
    "rgroup",
    "rho",
    "right",
    "rightarrow",
    "rightarrowtail",
    "rightharpoonup",
    "rightleftarrows",
    "rightleftharpoons",
    "rightsquigarrow",
    "rlap",
    "rmoustache",
    "rotatebox",
    "rtimes",
    "rVert",
    "rvert",
    "tabularnewline",
    "tanh",
    "tau",
    "tbinom",
    "text",
    "textasciitilde",
    "textbackslash",
    "textbf",
    "textcolor",
    "textdegree",
    "textgreater",
    "textit",
    "textless",
    "textmd",
    "textnormal",
    "textrm",
    "textsc",
    "textsf",
    "textsl",
    "textstyle",
    "textsubscript",
    "textsuperscript",
    "texttt",
    "textup",
    "textwidth",
    "tfrac",
    "therefore",
    "theta",
    "thetasym",
    "thickapprox",
    "thicksim",
    "thickspace",
    "thinspace",
    "tilde",
    "times",
    "toprule",
    "triangle",
    "triangleleft",
    "trianglelefteq",
    "triangleq",
    "triangleright",
    "trianglerighteq",
    "twoheadleftarrow",
    "twoheadrightarrow",
];

/// Commands that could also be a line end or a tab and a short word or a name.
const POSSIBLE: &[&str] = &[
    "natural",
    "ne",
    "neg",
    "newline",
    "ni",
    "normalsize",
    "not",
    "nu",
    "ref",
    "rm",
    "root",
    "rule",
    "tag",
    "tan",
    "tiny",
    "to",
    "top",
    "tt",
];

/// The possible commands whose letters behind the first begin nothing that would stand behind a tab in the middle of a line.
const LIKELY: &[&str] = &["tag", "tiny", "to", "top", "tt"];

/// What an object shows of how its writer treats backslashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Commands stand there with one backslash.
    single: bool,
    /// Commands stand there with two, as JSON wants it.
    doubled: bool,
    /// Row breaks stand there with four.
    rows_doubled: bool,
}

impl Evidence {
    /// Looks through an object's text.
    pub(super) fn of(text: &str) -> Self {
        let (mut single, mut doubled, mut rows_doubled) = (false, false, false);
        let mut rest = text;
        while let Some(found) = rest.find('\\') {
            rest = &rest[found + 1..];
            if let Some(behind) = rest.strip_prefix('\\') {
                doubled |= letters(behind).len() >= 2;
                rows_doubled |= behind.starts_with("\\\\");
                rest = behind;
                continue;
            }
            let word = letters(rest);
            single |= match rest.chars().next() {
                Some('(' | ')' | '[' | ']' | '{' | '}' | ',' | ';' | '!' | '%') => true,
                Some('b' | 'f') => word.len() >= 2,
                Some('n' | 'r' | 't') => CERTAIN.contains(&word),
                // `\u0041` is an escape; `\underline` is not.
                Some('u') => super::unit(rest).is_none() && word.len() >= 2,
                Some(c) => c.is_ascii_alphabetic(),
                None => false,
            };
        }
        Self {
            single,
            doubled,
            rows_doubled,
        }
    }

    /// Whether the escape is a command's start. `rest` is what follows its backslash.
    pub(super) fn is_command(self, place: &LatexState, rest: &str) -> bool {
        let word = letters(rest);
        let first = rest.as_bytes().first();
        match first {
            Some(b'b' | b'f') => return word.len() >= 2,
            _ if CERTAIN.contains(&word) => return true,
            _ => {}
        }
        let possible = POSSIBLE.contains(&word);
        // Nobody means a carriage return before a letter.
        if possible && first == Some(&b'r') {
            return true;
        }
        let likely = LIKELY.contains(&word);
        let unknown = matches!(first, Some(b'r' | b't')) && word.len() >= 2;
        if self.doubled {
            // A line end is what such a writer means by `\n`, but for the middle of a line.
            let in_line = place.math == Math::Inline;
            (likely && place.before != Before::Start) || ((possible || unknown) && in_line)
        } else {
            (possible && (self.single || place.is_formula()))
                || (unknown && place.is_formula())
                || (likely && place.before == Before::Space)
        }
    }

    /// Whether two backslashes are a row break rather than one that was doubled. `rest` is what follows both.
    pub(super) fn is_row_break(self, place: &LatexState, rest: &str) -> bool {
        if !self.single || self.rows_doubled {
            return false;
        }
        let Some(next) = rest.chars().next() else {
            return false;
        };
        let at_space = next.is_whitespace() || (rest.starts_with("\\n") && letters(&rest[1..]).len() < 2);
        if place.environments == 0 {
            return at_space && !self.doubled;
        }
        // A doubled command (`\\frac`, `\\,`) may stand in a row, too; and the text may end here.
        let command = letters(rest).len() >= 2
            || matches!(next, '{' | '}' | '|' | ',' | ';' | '!' | '%' | '_' | '#' | '$');
        !command && next != '"'
    }
}

/// What stands open at a place of a text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct LatexState {
    math: Math,
    /// Environments (`\begin{…}`) within each other.
    environments: usize,
    /// The next character belongs to a mark that was seen.
    seen: bool,
    /// What the place stands behind.
    before: Before,
    /// What the next place stands behind.
    last: Before,
}

/// What stands right before a place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Before {
    /// The start of a line, and white space at most.
    #[default]
    Start,
    Space,
    Other,
}

/// A formula by its marks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Math {
    #[default]
    None,
    /// `$…$` or `\(…\)`.
    Inline,
    /// `$$…$$` or `\[…\]`.
    Display,
}

impl LatexState {
    /// Goes past what the rest of a text starts with: a character, or an escape.
    pub(super) fn pass(&mut self, rest: &str) {
        self.before = self.last;
        let starts = |marks: &[&str]| marks.iter().any(|mark| rest.starts_with(mark));
        if starts(&["\n", "\\n", "\\r"]) {
            self.last = Before::Start;
        } else if !starts(&[" ", "\\t"]) {
            self.last = Before::Other;
        } else if self.last == Before::Other {
            self.last = Before::Space;
        }
        if std::mem::take(&mut self.seen) {
            return;
        }
        let toggled = |now: Math, mark| if now == Math::None { mark } else { Math::None };
        if let Some(behind) = rest.strip_prefix('\\') {
            let behind = behind.strip_prefix('\\').unwrap_or(behind);
            self.seen = behind.starts_with('$');
            if behind.starts_with("begin{") {
                self.environments += 1;
            } else if behind.starts_with("end{") {
                self.environments = self.environments.saturating_sub(1);
            } else if self.environments == 0 {
                match behind.chars().next() {
                    Some('(') => self.math = Math::Inline,
                    Some('[') => self.math = Math::Display,
                    Some(')' | ']') => self.math = Math::None,
                    _ => {}
                }
            }
        } else if rest.starts_with("$$") {
            self.math = toggled(self.math, Math::Display);
            self.seen = true;
        } else if rest.starts_with('$') {
            self.math = toggled(self.math, Math::Inline);
        }
    }

    fn is_formula(self) -> bool {
        self.math != Math::None || self.environments > 0
    }
}

/// The letters at the start of a text.
fn letters(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use crate::json::objects;

    fn read(inner: &str) -> String {
        let reply = format!("{{\"a\": \"{inner}\"}}");
        let (_, object) = objects(&reply).next().unwrap();
        object["a"].as_str().unwrap().to_owned()
    }

    #[test]
    fn single_backslashes_mean_commands() {
        for inner in [
            r"We take $\frac{1446}{1} \times 1$ with \theta",
            r"\sum_{i} \beta_i \rho \to \nu",
            r"$E = h\nu$, $x \ne 0$, $\tan x$ and $\rm d$",
            r"\(a \neq b\)",
            r"\underline{x} \uparrow \boxed{4} \forall",
            r"so \therefore \text{yes} \right) \nabla f",
        ] {
            assert_eq!(read(inner), inner, "{inner}");
        }
    }

    #[test]
    fn doubled_backslashes_are_single_ones_and_line_ends_stay() {
        assert_eq!(
            read(r"$\\frac{1}{2}$\nNext\tcolumn"),
            "$\\frac{1}{2}$\nNext\tcolumn"
        );
        assert_eq!(read(r"one\ntwo\r\nthree"), "one\ntwo\r\nthree");
        assert_eq!(
            read(r"x = 2\ne = 3\ni = 0"),
            "x = 2\ne = 3\ni = 0",
            "code, not LaTeX"
        );
        assert_eq!(
            read(r"$\\pi r^2$\ne = 5"),
            "$\\pi r^2$\ne = 5",
            "this writer doubles its backslashes"
        );
        assert_eq!(read(r"It costs $5\nand $7\nTotal"), "It costs $5\nand $7\nTotal");
        assert_eq!(read(r"a\/b \u0041 \u00e9"), "a/b A é");
        assert_eq!(read(r"\\n and \\times"), r"\n and \times");
    }

    #[test]
    fn row_breaks_keep_both_backslashes() {
        for inner in [
            r"\begin{aligned} a \\ b \end{aligned}",
            r"\begin{pmatrix} 1 & 2 \\3 & 4 \\[4pt] x \\y \end{pmatrix}",
            r"$$ \alpha = 1 \\ \beta = 2 $$",
            r"\begin{array}{c} a \\\hline b \\& c \end{array}",
        ] {
            assert_eq!(read(inner), inner, "{inner}");
        }
        assert_eq!(
            read(r"\begin{cases} \\frac{1}{2} \\ b \end{cases}"),
            r"\begin{cases} \frac{1}{2} \\ b \end{cases}",
            "the writer doubled one command only"
        );
        assert_eq!(
            read(r"\begin{cases} a \\\\ b\\ c \end{cases}"),
            r"\begin{cases} a \\ b\ c \end{cases}",
            "row breaks are doubled, so the other is a space"
        );
        assert_eq!(
            read(r"\\begin{aligned} a \\\\ b\\ c \\end{aligned}"),
            r"\begin{aligned} a \\ b\ c \end{aligned}"
        );
        assert_eq!(read(r"\\(x \neq 0\\) in \\{1\\}"), r"\(x \neq 0\) in \{1\}");
        assert_eq!(read(r"C:\\ and D:\\"), r"C:\ and D:\");
    }

    #[test]
    fn a_writer_that_doubles_most_backslashes_may_forget_one() {
        for (inner, wanted) in [
            (r"$\\frac{1}{n} \to 0$", r"$\frac{1}{n} \to 0$"),
            (r"\\frac{1}{n} \to 0", r"\frac{1}{n} \to 0"),
            (r"\\(\\frac{1}{n} \ne 0\\)", r"\(\frac{1}{n} \ne 0\)"),
            (r"$\\pi \tan x$ and $\\mu \rm d$", r"$\pi \tan x$ and $\mu \rm d$"),
            (r"$$\\pi\ne^x$$", "$$\\pi\ne^x$$"),
            (r"\\pi:\tan apple", "\\pi:\tan apple"),
        ] {
            assert_eq!(read(inner), wanted, "{inner}");
        }
        assert_eq!(
            read(r"$$a \to b$$ and \[c \ne d\]"),
            r"$$a \to b$$ and \[c \ne d\]"
        );
        assert_eq!(
            read(r"It costs \\$5\nu"),
            "It costs \\$5\nu",
            "an escaped sign opens nothing"
        );
    }

    #[test]
    fn what_remains_of_a_control_character_is_left_for_the_rules_to_reject() {
        assert_eq!(read(r"page \f 2"), "page \u{c} 2");
        assert_eq!(read(r"bell \u0007"), "bell \u{7}");
    }
}
