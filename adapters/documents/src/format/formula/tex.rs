//! The part of TeX's mathematics that school books and papers use in running text.

use super::expression::Expression as E;
use super::mathml::{accent, scripts};

/// Groups inside of each other.
const DEPTH_MAX: usize = 64;

/// The expression; `None` where a command is not known or brackets do not match.
pub(super) fn expression(source: &str) -> Option<E> {
    let mut reader = Reader {
        chars: source.chars().collect(),
        at: 0,
        depth: 0,
    };
    let items = reader.row(None)?;
    (reader.at == reader.chars.len()).then_some(E::Row(items))
}

struct Reader {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Reader {
    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn skip_spaces(&mut self) {
        while self.peek().is_some_and(|c| c.is_whitespace() || c == '~') {
            self.at += 1;
        }
    }

    /// Terms up to a closing character, which is taken.
    fn row(&mut self, end: Option<char>) -> Option<Vec<E>> {
        let mut items: Vec<E> = vec![];
        loop {
            self.skip_spaces();
            match self.peek() {
                None => return end.is_none().then_some(items),
                Some(c) if Some(c) == end => {
                    self.at += 1;
                    return Some(items);
                }
                Some(c @ ('^' | '_')) => {
                    self.at += 1;
                    let script = self.argument()?;
                    let base = items.pop().unwrap_or(E::Row(vec![]));
                    items.push(scripted(base, c == '^', script)?);
                }
                Some('\'') => {
                    self.at += 1;
                    let base = items.pop()?;
                    items.push(scripted(base, true, E::Sign("′".into()))?);
                }
                Some(_) => items.extend(self.term()?),
            }
        }
    }

    /// One term; `None` inside where it shows nothing.
    fn term(&mut self) -> Option<Option<E>> {
        let c = self.peek()?;
        self.at += 1;
        Some(Some(match c {
            '{' => self.group('}')?,
            '}' | '&' | '#' | '$' | '%' => return None,
            '\\' => return self.command(),
            c if c.is_ascii_digit() => {
                let start = self.at - 1;
                let digit = |c: Option<&char>| c.is_some_and(char::is_ascii_digit);
                while digit(self.chars.get(self.at))
                    || matches!(self.peek(), Some('.' | ',')) && digit(self.chars.get(self.at + 1))
                {
                    self.at += 1;
                }
                E::Number(self.chars[start..self.at].iter().collect())
            }
            c if c.is_alphabetic() => E::name(&c.to_string()),
            c => E::sign(&c.to_string()),
        }))
    }

    fn group(&mut self, end: char) -> Option<E> {
        self.depth += 1;
        let items = (self.depth < DEPTH_MAX).then(|| self.row(Some(end)))??;
        self.depth -= 1;
        Some(E::Row(items))
    }

    /// What a command or a script is given: a group, or the next character or command.
    fn argument(&mut self) -> Option<E> {
        self.skip_spaces();
        match self.peek()? {
            c if c.is_ascii_digit() => {
                self.at += 1;
                Some(E::Number(c.to_string()))
            }
            _ => self.term()?,
        }
    }

    /// The text of a group as it stands.
    fn words(&mut self) -> Option<String> {
        self.skip_spaces();
        if self.peek()? != '{' {
            return None;
        }
        let start = self.at + 1;
        let length = self.chars[start..].iter().position(|c| *c == '}')?;
        self.at = start + length + 1;
        let words: String = self.chars[start..start + length].iter().collect();
        (!words.contains(['\\', '{', '$'])).then_some(words)
    }

    fn command(&mut self) -> Option<Option<E>> {
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphabetic()) {
            self.at += 1;
        }
        if self.at == start {
            let c = self.peek()?;
            self.at += 1;
            return match c {
                ',' | ';' | ':' | '!' | ' ' | '>' => Some(None),
                '%' | '$' | '#' | '&' | '_' | '{' | '}' | '|' => Some(Some(E::sign(&c.to_string()))),
                _ => None,
            };
        }
        let name: String = self.chars[start..self.at].iter().collect();
        Some(Some(match name.as_str() {
            "frac" | "dfrac" | "tfrac" | "cfrac" | "nicefrac" | "sfrac" => {
                let over = self.argument()?;
                E::Fraction(over.into(), self.argument()?.into())
            }
            "binom" | "dbinom" | "tbinom" => E::Call("binom", vec![self.argument()?, self.argument()?]),
            "sqrt" => {
                self.skip_spaces();
                let degree = match self.peek() {
                    Some('[') => {
                        self.at += 1;
                        Some(self.group(']')?.into())
                    }
                    _ => None,
                };
                E::Root {
                    degree,
                    of: self.argument()?.into(),
                }
            }
            "text" | "mbox" | "textrm" | "textit" | "textnormal" => E::Words(self.words()?),
            "mathrm" | "operatorname" | "mathit" | "mathsf" | "rm" => match self.words()? {
                words if words.contains(' ') => E::Words(words),
                word => E::name(word.trim()),
            },
            "mathbf" | "boldsymbol" | "bm" | "mathcal" | "mathbb" | "mathfrak" | "boxed" => {
                self.argument()?
            }
            "bar" | "overline" => E::Call("bar", vec![self.argument()?]),
            "hat" | "widehat" => E::Call(accent("^")?, vec![self.argument()?]),
            "tilde" | "widetilde" => E::Call(accent("~")?, vec![self.argument()?]),
            "vec" | "overrightarrow" => E::Call(accent("→")?, vec![self.argument()?]),
            "dot" => E::Call("dot", vec![self.argument()?]),
            "ddot" => E::Call("ddot", vec![self.argument()?]),
            // The size of a bracket, and `.` for none.
            "left" | "right" | "big" | "Big" | "bigl" | "bigr" | "Bigl" | "Bigr" | "middle" => {
                self.skip_spaces();
                if self.peek() == Some('.') {
                    self.at += 1;
                }
                return Some(None);
            }
            "displaystyle" | "textstyle" | "scriptstyle" | "limits" | "nolimits" | "quad" | "qquad"
            | "nonumber" => {
                return Some(None);
            }
            name => symbol(name)?,
        }))
    }
}

fn scripted(base: E, upper: bool, script: E) -> Option<E> {
    match (base, upper) {
        (
            E::Scripts {
                base,
                lower,
                upper: None,
            },
            true,
        ) => Some(scripts(*base, lower.map(|lower| *lower), Some(script))),
        (
            E::Scripts {
                base,
                lower: None,
                upper,
            },
            false,
        ) => Some(scripts(*base, Some(script), upper.map(|upper| *upper))),
        // Two of one kind are an error in TeX, but for primes.
        (E::Scripts { .. }, _) => None,
        (base, true) => Some(scripts(base, None, Some(script))),
        (base, false) => Some(scripts(base, Some(script), None)),
    }
}

/// Commands that stand for one sign or name.
fn symbol(name: &str) -> Option<E> {
    let sign = match name {
        "times" | "cdot" | "ast" | "bullet" => "*",
        "div" => "/",
        "pm" => "±",
        "mp" => "∓",
        "le" | "leq" | "leqslant" => "≤",
        "ge" | "geq" | "geqslant" => "≥",
        "ne" | "neq" => "≠",
        "lt" => "<",
        "gt" => ">",
        "approx" => "≈",
        "equiv" => "≡",
        "sim" => "∼",
        "propto" => "∝",
        "to" | "rightarrow" | "longrightarrow" => "→",
        "leftarrow" => "←",
        "Rightarrow" | "implies" => "⇒",
        "iff" | "Leftrightarrow" => "⇔",
        "in" => "∈",
        "notin" => "∉",
        "cup" => "∪",
        "cap" => "∩",
        "subset" => "⊂",
        "subseteq" => "⊆",
        "land" | "wedge" => "∧",
        "lor" | "vee" => "∨",
        "neg" | "lnot" => "¬",
        "mid" | "vert" | "lvert" | "rvert" => "|",
        "circ" | "degree" => "°",
        "prime" => "′",
        "ldots" | "dots" | "cdots" => "…",
        "langle" => "⟨",
        "rangle" => "⟩",
        "lbrace" => "{",
        "rbrace" => "}",
        "forall" => "∀",
        "exists" => "∃",
        _ => return letter(name),
    };
    Some(E::sign(sign))
}

fn letter(name: &str) -> Option<E> {
    let letter = match name {
        "alpha" => "α",
        "beta" => "β",
        "gamma" => "γ",
        "delta" => "δ",
        "epsilon" | "varepsilon" => "ε",
        "zeta" => "ζ",
        "eta" => "η",
        "theta" | "vartheta" => "θ",
        "kappa" => "κ",
        "lambda" => "λ",
        "mu" => "μ",
        "nu" => "ν",
        "xi" => "ξ",
        "pi" => "π",
        "rho" => "ρ",
        "sigma" => "σ",
        "tau" => "τ",
        "phi" | "varphi" => "φ",
        "chi" => "χ",
        "psi" => "ψ",
        "omega" => "ω",
        "Gamma" => "Γ",
        "Delta" => "Δ",
        "Theta" => "Θ",
        "Lambda" => "Λ",
        "Pi" => "Π",
        "Sigma" => "Σ",
        "Phi" => "Φ",
        "Psi" => "Ψ",
        "Omega" => "Ω",
        "infty" => "∞",
        "partial" => "∂",
        "nabla" => "∇",
        "hbar" => "ħ",
        "ell" => "ℓ",
        "emptyset" => "∅",
        "sum" => return Some(E::Function("∑".into())),
        "prod" => return Some(E::Function("∏".into())),
        "int" => return Some(E::Function("∫".into())),
        name => {
            let function = E::name(name);
            return matches!(function, E::Function(_)).then_some(function);
        }
    };
    Some(E::Name(letter.to_owned()))
}
