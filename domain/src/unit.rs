//! Units of measure: their names, what they measure, and how they convert into each other.
//!
//! A unit is a product of named units with exponents (`mg/dL`, `kg*m^2`, `mL/min/1.73 m^2`). Two units convert into each other when they
//! measure the same; `mg/dL` and `mmol/L` do not, since that takes a substance.

mod names;

use std::fmt;

use names::{SYMBOL_PREFIXES, SYMBOLS, WORD_PREFIXES, WORDS};

/// What units are built from. The first ones are physical, the others count things that do not convert into each other.
const BASES: [&str; 15] = [
    "m", "g", "s", "K", "mol", "A", "deg", "%", "IU", "U", "Eq", "Osm", "beat", "breath", "month",
];

/// Largest exponent of a unit: more is a misreading.
const EXPONENT_MAX: i8 = 6;

/// What a unit measures: an exponent for each of [`BASES`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Dimension([i8; BASES.len()]);

impl Dimension {
    /// One of the bases, by its place.
    const fn base(place: usize) -> Self {
        Self::NONE.with(place, 1)
    }

    const NONE: Self = Self([0; BASES.len()]);

    const fn with(self, place: usize, exponent: i8) -> Self {
        let mut exponents = self.0;
        exponents[place] = exponent;
        Self(exponents)
    }
}

impl fmt::Display for Dimension {
    /// In base units: `g/m^3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |(name, exponent): (&&str, i8)| match exponent {
            1 => (*name).to_owned(),
            exponent => format!("{name}^{exponent}"),
        };
        let powers = || BASES.iter().zip(self.0);
        let above: Vec<String> = powers().filter(|(_, e)| *e > 0).map(part).collect();
        let below: Vec<String> = powers()
            .filter(|(_, e)| *e < 0)
            .map(|(name, e)| part((name, -e)))
            .collect();
        let above = if above.is_empty() {
            "1".to_owned()
        } else {
            above.join("*")
        };
        match below.as_slice() {
            [] => f.write_str(&above),
            below => write!(f, "{above}/{}", below.join("/")),
        }
    }
}

/// A unit: a value times `factor` plus `offset` is the value in base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Unit {
    factor: f64,
    /// Other than 0 for temperatures alone.
    offset: f64,
    dimension: Dimension,
}

impl Unit {
    /// The unit that a text is, and nothing else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (unit, end) = Self::at_start(text)?;
        text[end..].trim().is_empty().then_some(unit)
    }

    /// The unit that a text starts with, and the byte where it ends.
    pub(crate) fn at_start(text: &str) -> Option<(Self, usize)> {
        let mut reader = Reader { text, at: 0 };
        let mut unit = match reader.operator('/') {
            // `10^9/L`: nothing stands above.
            true => reader.below()?,
            false => reader.power()?,
        };
        loop {
            let before = reader.at;
            let next = match reader.operator('/') {
                true => reader.below(),
                false if reader.operator('*') => reader.power(),
                false => None,
            };
            // What follows is no unit: the sign belongs to the text.
            match next.and_then(|next| unit.times(next)) {
                Some(product) => unit = product,
                None => {
                    reader.at = before;
                    break;
                }
            }
        }
        Some((unit, reader.at))
    }

    /// What it measures.
    pub(crate) fn dimension(self) -> Dimension {
        self.dimension
    }

    /// A value of this unit in base units.
    pub(crate) fn to_base(self, value: f64) -> f64 {
        value * self.factor + self.offset
    }

    /// A value in base units as one of this unit.
    pub(crate) fn out_of_base(self, value: f64) -> f64 {
        (value - self.offset) / self.factor
    }

    /// A difference of values of this unit in base units.
    pub(crate) fn span(self, difference: f64) -> f64 {
        difference * self.factor
    }

    fn named(name: &str) -> Option<Self> {
        let symbol = |name: &str| SYMBOLS.iter().find(|known| known.name == name);
        if let Some(known) = symbol(name) {
            return Some(known.unit());
        }
        for (prefix, factor) in SYMBOL_PREFIXES {
            let rest = name.strip_prefix(prefix).and_then(symbol);
            if let Some(known) = rest.filter(|known| known.takes_prefixes) {
                return Some(known.unit().scaled(factor));
            }
        }
        let lower = name.to_lowercase();
        let word = |name: &str| {
            let find = |name: &str| WORDS.iter().find(|known| known.name == name);
            find(name).or_else(|| find(name.strip_suffix('s')?))
        };
        if let Some(known) = word(&lower) {
            return Some(known.unit());
        }
        WORD_PREFIXES.iter().find_map(|(prefix, factor)| {
            let known = word(lower.strip_prefix(prefix)?)?;
            known.takes_prefixes.then(|| known.unit().scaled(*factor))
        })
    }

    fn scaled(self, by: f64) -> Self {
        Self {
            factor: self.factor * by,
            ..self
        }
    }

    /// A power; a temperature on a scale has none but the first.
    fn powered(self, exponent: i8) -> Option<Self> {
        if exponent == 1 {
            return Some(self);
        }
        if exponent == 0 || exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let mut dimension = self.dimension;
        for own in &mut dimension.0 {
            *own = own.checked_mul(exponent)?;
        }
        Some(Self {
            factor: self.factor.powi(exponent.into()),
            offset: 0.0,
            dimension,
        })
    }

    fn times(self, other: Self) -> Option<Self> {
        let mut dimension = self.dimension;
        for (own, its) in dimension.0.iter_mut().zip(other.dimension.0) {
            *own = own.checked_add(its)?;
        }
        Some(Self {
            factor: self.factor * other.factor,
            offset: 0.0,
            dimension,
        })
    }
}

/// A name in the table of units.
struct Named {
    name: &'static str,
    factor: f64,
    offset: f64,
    dimension: Dimension,
    takes_prefixes: bool,
}

impl Named {
    const fn unit(&self) -> Unit {
        Unit {
            factor: self.factor,
            offset: self.offset,
            dimension: self.dimension,
        }
    }
}

/// Reads a unit from the front of a text.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Takes an operator with the blanks around it.
    fn operator(&mut self, wanted: char) -> bool {
        let rest = self.rest();
        let bare = rest.trim_start_matches(' ');
        let Some(after) = bare.strip_prefix(wanted) else {
            return false;
        };
        let after = after.trim_start_matches(' ');
        self.at = self.text.len() - after.len();
        true
    }

    /// What stands below a fraction's line: a power, or a number of them, as in `/1.73 m^2`.
    fn below(&mut self) -> Option<Unit> {
        let rest = self.rest();
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let number: f64 = match &rest[..digits] {
            "" => 1.0,
            number => number.parse().ok()?,
        };
        self.at += digits;
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(' ').len();
        self.power()?.scaled(number).powered(-1)
    }

    /// A name with its exponent: `m^2`, `m2`, `s^-1`.
    fn power(&mut self) -> Option<Unit> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || matches!(c, '°' | '%')))
            .unwrap_or(rest.len());
        let run = &rest[..end];
        // `cmH2O` has a digit in its name, `cm2` behind it.
        let bare = run.trim_end_matches(|c: char| c.is_ascii_digit());
        let (name, unit) = [run, bare]
            .into_iter()
            .find_map(|name| Some((name, Unit::named(name)?)))?;
        self.at += name.len();
        let exponent = self.exponent()?;
        unit.powered(exponent)
    }

    fn exponent(&mut self) -> Option<i8> {
        let rest = self.rest();
        let (marked, digits) = match rest.strip_prefix('^') {
            Some(digits) => (1, digits),
            None => (0, rest),
        };
        let sign = usize::from(marked == 1 && digits.starts_with('-'));
        let length = digits[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if length == 0 {
            // A mark without a number is left to the text.
            return Some(1);
        }
        let exponent = digits[..sign + length].parse().ok()?;
        self.at += marked + sign + length;
        Some(exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(value: f64, from: &str, to: &str) -> Option<f64> {
        let [from, to] = [from, to].map(|name| Unit::parse(name).unwrap_or_else(|| panic!("{name}")));
        (from.dimension() == to.dimension()).then(|| to.out_of_base(from.to_base(value)))
    }

    #[test]
    fn units_of_one_dimension_convert() {
        for (value, from, other, to) in [
            (1.0, "in", 2.54, "cm"),
            (1.0, "mile", 1609.344, "meters"),
            (1.0, "m^2", 10_000.0, "cm2"),
            (1.0, "cc", 1.0, "mL"),
            (1.0, "L", 1000.0, "cm^3"),
            (2.0, "lbs", 907.18474, "g"),
            (1.0, "mcg", 1000.0, "ng"),
            (1.0, "h", 3600.0, "seconds"),
            (1.0, "year", 12.0, "months"),
            (37.0, "°C", 98.6, "°F"),
            (0.0, "C", 273.15, "K"),
            (1.0, "g/L", 100.0, "mg/dL"),
            (140.0, "mmol/L", 140.0, "mM"),
            (1.0, "mEq/L", 1000.0, "µEq/L"),
            (120.0, "mmHg", 15.998_686_49, "kPa"),
            (60.0, "bpm", 1.0, "beats/s"),
            (10.0, "IU/mL", 10.0, "kIU/L"),
            (5.0, "mU/L", 5.0, "µU/mL"),
            (36.0, "km/h", 10.0, "m/s"),
            (1.0, "kcal", 4.184, "kilojoules"),
            (1.0, "N", 1.0, "kg*m/s^2"),
            (90.0, "mL/min/1.73 m^2", 1.5, "mL/s/1.73m2"),
            (9.0, "/L", 9e-6, "/µL"),
            (1.0, "tbsp", 3.0, "tsp"),
        ] {
            let found = converted(value, from, to).unwrap_or_else(|| panic!("{from} is no {to}"));
            assert!(
                (found / other - 1.0).abs() < 1e-8,
                "{value} {from} = {found} {to}"
            );
        }
    }

    #[test]
    fn units_of_other_dimensions_do_not() {
        for (from, to) in [
            ("mg/dL", "mmol/L"),
            ("IU", "U"),
            ("%", "mg"),
            ("beats/min", "breaths/min"),
            ("cm", "cm2"),
            ("day", "month"),
        ] {
            assert_eq!(converted(1.0, from, to), None, "{from} {to}");
        }
    }

    #[test]
    fn names_that_are_no_unit_are_none() {
        for text in [
            "", "apples", "mapple", "mmmHg", "kmin", "m^9", "mg/apple", "mg/", "^2", "2",
        ] {
            assert_eq!(Unit::parse(text), None, "{text}");
        }
        // What follows a unit is left to the text.
        assert_eq!(Unit::at_start("mg/apple").map(|(_, end)| end), Some(2));
        assert_eq!(Unit::at_start("mg / dL, in all").map(|(_, end)| end), Some(7));
    }

    #[test]
    fn dimensions_are_spelled_in_base_units() {
        for (unit, spelled) in [
            ("mg/dL", "g/m^3"),
            ("N", "m*g/s^2"),
            ("Hz", "1/s"),
            ("mg/kg", "1"),
        ] {
            assert_eq!(Unit::parse(unit).unwrap().dimension().to_string(), spelled);
        }
    }
}
