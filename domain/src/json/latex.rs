//! LaTeX whose backslashes a model forgot to double: `"\frac{1}{2}"` is valid JSON for a form feed and `rac{1}{2}`.
//!
//! Nobody means a form feed or a backspace: before a letter, `\f` and `\b` are always commands. `\n`, `\r` and `\t` are told by the word
//! that follows: one that only LaTeX has (`\times`) is a command wherever it stands; one that prose or code could have as well (`\ne`,
//! `\to`) only where the object shows that its backslashes are not doubled, or inside `$…$`.

/// Commands whose letters behind the first begin no word that would stand behind a line end or a tab.
const CERTAIN: &[&str] = &[
    "nabla",
    "nearrow",
    "neq",
    "newcommand",
    "nexists",
    "ngeq",
    "ngtr",
    "nleftarrow",
    "nleq",
    "nless",
    "nmid",
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
    "nwarrow",
    "raisebox",
    "rangle",
    "rbrace",
    "rbrack",
    "rceil",
    "rfloor",
    "rho",
    "right",
    "rightarrow",
    "rightharpoonup",
    "rightleftharpoons",
    "rtimes",
    "rvert",
    "tanh",
    "tau",
    "tbinom",
    "text",
    "textbf",
    "textcolor",
    "textit",
    "textnormal",
    "textrm",
    "textsf",
    "textstyle",
    "textsubscript",
    "textsuperscript",
    "texttt",
    "tfrac",
    "therefore",
    "theta",
    "thickapprox",
    "thicksim",
    "thickspace",
    "thinspace",
    "tilde",
    "times",
    "triangle",
    "triangleleft",
    "trianglelefteq",
    "triangleq",
    "triangleright",
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

/// What an object shows of how its writer treats backslashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Evidence {
    /// Commands stand there with one backslash.
    single: bool,
    /// Commands stand there with two, as JSON wants it.
    doubled: bool,
}

impl Evidence {
    /// Looks through an object's text.
    pub(super) fn of(text: &str) -> Self {
        let (mut single, mut doubled) = (false, false);
        let mut rest = text;
        while let Some(found) = rest.find('\\') {
            rest = &rest[found + 1..];
            if let Some(behind) = rest.strip_prefix('\\') {
                doubled |= letters(behind).len() >= 2;
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
        Self { single, doubled }
    }

    /// Whether the escape is a command's start. `before` is the text up to its backslash, `rest` what follows the backslash.
    pub(super) fn is_command(self, before: &str, rest: &str) -> bool {
        let word = letters(rest);
        match rest.as_bytes().first() {
            Some(b'b' | b'f') => word.len() >= 2,
            _ if CERTAIN.contains(&word) => true,
            // A writer that doubles its backslashes means the others.
            _ if self.doubled => false,
            first => {
                let in_formula = before.matches('$').count() % 2 == 1;
                let possible = POSSIBLE.contains(&word);
                let unknown = matches!(first, Some(b'r' | b't')) && word.len() >= 2;
                (possible && (self.single || in_formula)) || (unknown && in_formula)
            }
        }
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
    fn what_remains_of_a_control_character_is_left_for_the_rules_to_reject() {
        assert_eq!(read(r"page \f 2"), "page \u{c} 2");
        assert_eq!(read(r"bell \u0007"), "bell \u{7}");
    }
}
