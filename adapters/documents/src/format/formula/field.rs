//! The fields of formulas of older word processors: `EQ \f(7,2)` (ECMA-376 part 1, 17.16.5 names them obsolete).

use super::expression::Expression as E;
use super::omml::terms;

/// Instructions inside of each other.
const DEPTH_MAX: usize = 32;

/// The code of a formula's field; `None` where a field is another one.
pub(super) fn code(field: &str) -> Option<&str> {
    let field = field.trim();
    let name = field.get(..2)?;
    let rest = &field[2..];
    let is_formula = name.eq_ignore_ascii_case("eq") && rest.starts_with([' ', '\\', '\u{a0}']);
    is_formula.then_some(rest)
}

/// The expression of a field's code: fractions, roots and brackets; `None` where there is another instruction.
pub(super) fn expression(code: &str) -> Option<E> {
    let mut reader = Reader {
        chars: code.chars().collect(),
        at: 0,
        depth: 0,
    };
    let row = reader.row()?;
    (reader.at == reader.chars.len()).then_some(row)
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
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    /// Text and instructions up to the end of an argument.
    fn row(&mut self) -> Option<E> {
        let mut items = vec![];
        let mut text = String::new();
        // Brackets in the text, which are not those of an instruction.
        let mut open = 0_usize;
        while let Some(c) = self.peek() {
            match c {
                '\\' => {
                    items.extend(terms(&std::mem::take(&mut text)));
                    items.push(self.instruction()?);
                    continue;
                }
                ')' | ',' | ';' if open == 0 && self.depth > 0 => break,
                '(' => open += 1,
                ')' => open = open.checked_sub(1)?,
                _ => {}
            }
            text.push(c);
            self.at += 1;
        }
        items.extend(terms(&text));
        Some(E::Row(items))
    }

    fn instruction(&mut self) -> Option<E> {
        self.at += 1;
        let name = self.peek()?.to_ascii_lowercase();
        self.at += 1;
        self.skip_spaces();
        let mut arguments = self.arguments()?.into_iter();
        let (first, second, more) = (arguments.next()?, arguments.next(), arguments.next());
        match (name, second, more) {
            ('f', Some(under), None) => Some(E::Fraction(first.into(), under.into())),
            ('r', None, None) => Some(E::Root {
                degree: None,
                of: first.into(),
            }),
            ('r', Some(of), None) => Some(E::Root {
                degree: (!matches!(&first, E::Row(items) if items.is_empty())).then(|| first.into()),
                of: of.into(),
            }),
            ('b', None, None) => Some(E::Fenced("(".into(), vec![first], ")".into())),
            _ => None,
        }
    }

    /// What an instruction is applied to, in brackets, with commas or semicolons in between.
    fn arguments(&mut self) -> Option<Vec<E>> {
        if self.peek()? != '(' || self.depth >= DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let mut found = vec![];
        loop {
            self.at += 1;
            found.push(self.row()?);
            match self.peek()? {
                ')' => break,
                _ => continue,
            }
        }
        self.at += 1;
        self.depth -= 1;
        Some(found)
    }
}
