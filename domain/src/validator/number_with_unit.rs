//! `number_with_unit`: a number and its unit equal the reference's, in whatever unit of the same dimension.

mod quantity;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Asked, Checker, Fault, Given, Validator, Verdict};
use crate::answer::Unreadable;
use crate::filter::Kind;
use crate::job::{Job, Report};
use crate::unit::{Dimension, Unit};
use quantity::{Found, Quantity};

/// What conversions may lose: far below what anybody writes down.
const ROUNDING: f64 = 1e-9;
/// Digits of a canonical form: as many as conversions keep.
const DIGITS: usize = 9;

/// A number and its unit equal the reference's, in whatever unit of the same dimension.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(inline)]
pub struct NumberWithUnit {
    /// The unit that is asked for, such as `mg/dL`: references without a unit are in it. Answers may be in any that converts into it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Share of the reference by which a right answer may differ: 0.01 is 1 %.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub relative_tolerance: f64,
    /// Amount by which a right answer may differ, in `unit`, or else in the reference's unit. Of both tolerances, the wider one holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub absolute_tolerance: f64,
}

fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

impl NumberWithUnit {
    fn wanted(&self) -> Result<Option<Unit>, String> {
        let Some(name) = &self.unit else { return Ok(None) };
        match Unit::parse(name) {
            Some(unit) => Ok(Some(unit)),
            None => Err(format!("`{name}` is not a unit that is known here")),
        }
    }
}

impl Validator for NumberWithUnit {
    fn name(&self) -> &'static str {
        "number_with_unit"
    }

    fn answers(&self) -> Kind {
        Kind::Number
    }

    fn form(&self) -> Option<String> {
        Some(match &self.unit {
            Some(unit) => format!("The final answer is a single number with its unit, in {unit}."),
            None => "The final answer is a single number with its unit.".to_owned(),
        })
    }

    fn check_settings(&self, _job: &Job, report: &mut Report) {
        if let Err(reason) = self.wanted() {
            report.when(
                true,
                "filter.validator.unit",
                reason,
                "write it as `mg/dL`, `kg*m^2` or `beats/min`, or leave it out: references then name their own",
            );
        }
        report.share("filter.validator.relative_tolerance", self.relative_tolerance);
        report.when(
            !(self.absolute_tolerance >= 0.0 && self.absolute_tolerance.is_finite()),
            "filter.validator.absolute_tolerance",
            format!("a tolerance of {}", self.absolute_tolerance),
            "give a number from 0",
        );
    }

    fn open(&self, _given: Given) -> Result<Box<dyn Checker>, String> {
        let unit = self
            .wanted()
            .map_err(|reason| format!("`filter.validator.unit` cannot be used: {reason}"))?;
        Ok(Box::new(Ready {
            unit,
            settings: self.clone(),
        }))
    }
}

struct Ready {
    unit: Option<Unit>,
    settings: NumberWithUnit,
}

impl Ready {
    /// The quantity that a reference states; a bare number is in the unit that is asked for.
    fn gold(&self, text: &str) -> Result<Quantity, String> {
        let wanted = || self.settings.unit.as_deref().unwrap_or_default();
        let gold = match (quantity::read(text), self.unit) {
            (Found::One(gold), _) => gold,
            (Found::Bare { value, word }, Some(unit)) if word.is_empty() => Quantity {
                value,
                unit,
                text: format!("{value} {}", wanted()),
            },
            (Found::Bare { word, .. }, _) if !word.is_empty() => {
                return Err(format!("names `{word}`, which is not a unit that is known here"));
            }
            (Found::Several(first, second), _) => {
                return Err(format!("names two quantities, `{first}` and `{second}`"));
            }
            (Found::Bare { .. } | Found::Nothing, _) => {
                return Err("is no number with a unit, as `filter.validator` wants".to_owned());
            }
        };
        match self.unit {
            Some(unit) if unit.dimension() != gold.unit.dimension() => {
                Err(format!("cannot be converted into {}", wanted()))
            }
            _ => Ok(gold),
        }
    }

    /// One spelling of a quantity: in the unit that is asked for, or else in base units.
    fn canonical(&self, found: &Quantity) -> String {
        let (value, unit) = match (&self.settings.unit, self.unit) {
            (Some(name), Some(unit)) if unit.dimension() == found.unit.dimension() => {
                (unit.out_of_base(found.in_base()), name.clone())
            }
            _ => (found.in_base(), Dimension::to_string(&found.unit.dimension())),
        };
        format!("{} {unit}", rounded(value))
    }

    /// Why an answer is not a reference; `None` where it is.
    fn difference(&self, found: &Quantity, gold: &Quantity) -> Option<String> {
        if found.unit.dimension() != gold.unit.dimension() {
            return Some(format!(
                "{} does not measure the same as the reference {}",
                found.text, gold.text
            ));
        }
        let (own, its) = (found.in_base(), gold.in_base());
        // Of a temperature, 1 % is 1 % of the degrees that stand there.
        let size = gold.unit.span(gold.value).abs();
        let relative = self.settings.relative_tolerance * size;
        let absolute = self
            .unit
            .unwrap_or(gold.unit)
            .span(self.settings.absolute_tolerance);
        let slack = ROUNDING * its.abs().max(own.abs()).max(size);
        let is_same = (own - its).abs() <= relative.max(absolute) + slack;
        (!is_same).then(|| format!("{}, reference {}", found.text, gold.text))
    }
}

#[async_trait]
impl Checker for Ready {
    fn reference(&self, text: &str) -> Result<(), String> {
        self.gold(text).map(drop).map_err(|why| {
            format!(
                "{why}: write one such as `5.5 mmol/L`, name their column in `seeds.fields.references`, or give the unit of bare numbers in \
                 `filter.validator.unit`"
            )
        })
    }

    async fn check(&self, asked: &Asked<'_>) -> Result<Verdict, Fault> {
        let golds: Vec<Quantity> = asked
            .references
            .iter()
            .filter_map(|text| self.gold(text).ok())
            .collect();
        let found = match quantity::read(asked.answer) {
            Found::One(found) => found,
            Found::Several(first, second) => {
                let kind = "number with a unit";
                return Err(Unreadable::Ambiguous { kind, first, second }.into());
            }
            Found::Nothing => {
                return Err(Unreadable::Missing {
                    kind: "number with a unit",
                }
                .into());
            }
            Found::Bare { value, word } => {
                let said = match word.as_str() {
                    "" => format!("{value} has no unit"),
                    word => format!("`{word}` is not a unit that is known here"),
                };
                // Without a reference, there is nothing that it could differ from.
                let Some(gold) = golds.first() else {
                    return Err(Fault::form(said));
                };
                return Ok(Verdict {
                    canonical: rounded(value),
                    correct: Some(false),
                    detail: format!("{said}, reference {}", gold.text),
                });
            }
        };
        let canonical = self.canonical(&found);
        let differences: Vec<String> = golds
            .iter()
            .filter_map(|gold| self.difference(&found, gold))
            .collect();
        let (correct, detail) = match (golds.first(), differences.first()) {
            (None, _) => {
                self.of_wanted_dimension(&found)?;
                (None, format!("{}, no reference", found.text))
            }
            (Some(_), Some(first)) if differences.len() == golds.len() => (Some(false), first.clone()),
            (Some(gold), _) => (Some(true), format!("{}, reference {}", found.text, gold.text)),
        };
        Ok(Verdict {
            canonical,
            correct,
            detail,
        })
    }
}

impl Ready {
    fn of_wanted_dimension(&self, found: &Quantity) -> Result<(), Fault> {
        match (&self.settings.unit, self.unit) {
            (Some(name), Some(unit)) if unit.dimension() != found.unit.dimension() => Err(Fault::form(
                format!("{} cannot be converted into {name}", found.text),
            )),
            _ => Ok(()),
        }
    }
}

/// A number with as many digits as conversions keep.
fn rounded(value: f64) -> String {
    let digits = format!("{value:.*e}", DIGITS - 1);
    let value: f64 = digits.parse().unwrap_or(value);
    // -0 is 0.
    (value + 0.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::Given;
    use super::super::tests::{asked, checked, opened, rejected, settings};

    const PLAIN: &str = r#"{"kind": "number_with_unit"}"#;

    #[test]
    fn quantities_are_compared_in_any_unit_of_their_dimension() {
        let checker = opened(PLAIN);
        for (answer, reference, correct) in [
            ("2.54 cm", "1 in", true),
            ("1000 mg", "1 g", true),
            ("1 g/L", "100 mg/dL", true),
            ("98.6 °F", "37 °C", true),
            ("90 min", "1.5 h", true),
            ("0.5 L", "500 cc", true),
            ("120/60 s", "2 s", true),
            ("-40 °F", "-40 °C", true),
            ("72 bpm", "72 beats per minute", true),
            ("2.5 cm", "1 in", false),
            ("100 mg", "1 g", false),
            ("38 °C", "37 °C", false),
            ("100 mg/dL", "100 mmol/L", false),
            ("12 %", "12 mg", false),
        ] {
            let verdict = checked(&*checker, &asked(answer, &[reference])).unwrap();
            assert_eq!(verdict.correct, Some(correct), "{answer} / {reference}");
        }
        let several = checked(&*checker, &asked("2 h", &["1 h", "120 min"])).unwrap();
        assert_eq!(several.correct, Some(true));
    }

    #[test]
    fn a_wrong_or_missing_unit_is_wrong_with_a_reason() {
        let checker = opened(PLAIN);
        for (answer, reason) in [
            ("12", "12 has no unit, reference 12 mg"),
            (
                "12 tablets",
                "`tablets` is not a unit that is known here, reference 12 mg",
            ),
            ("12 mL", "12 mL does not measure the same as the reference 12 mg"),
            ("12 g", "12 g, reference 12 mg"),
        ] {
            let verdict = checked(&*checker, &asked(answer, &["12 mg"])).unwrap();
            assert_eq!(
                (verdict.correct, verdict.detail.as_str()),
                (Some(false), reason),
                "{answer}"
            );
        }
        for answer in ["12", "12 tablets", "some", "5 mg or 6 mg"] {
            rejected(&*checker, &asked(answer, &[]));
        }
    }

    #[test]
    fn tolerances_widen_what_is_right() {
        let relative = opened(r#"{"kind": "number_with_unit", "relative_tolerance": 0.01}"#);
        let absolute = opened(r#"{"kind": "number_with_unit", "unit": "mg", "absolute_tolerance": 5}"#);
        for (checker, answer, reference, correct) in [
            (&relative, "101 mg", "0.1 g", true),
            (&relative, "101.1 mg", "0.1 g", false),
            (&relative, "37.3 °C", "37 °C", true),
            (&relative, "38 °C", "37 °C", false),
            (&absolute, "105 mg", "0.1 g", true),
            (&absolute, "0.106 g", "100", false),
        ] {
            let verdict = checked(&**checker, &asked(answer, &[reference])).unwrap();
            assert_eq!(verdict.correct, Some(correct), "{answer} / {reference}");
        }
    }

    #[test]
    fn equal_quantities_have_one_canonical_form() {
        let plain = opened(PLAIN);
        let asked_for = opened(r#"{"kind": "number_with_unit", "unit": "mg/dL"}"#);
        for (checker, answer, canonical) in [
            (&plain, "2.54 cm", "0.0254 m"),
            (&plain, "1 in", "0.0254 m"),
            (&plain, "37 °C", "310.15 K"),
            (&plain, "98.6 °F", "310.15 K"),
            (&asked_for, "1 g/L", "100 mg/dL"),
            (&asked_for, "100 mg/dl", "100 mg/dL"),
        ] {
            let verdict = checked(&**checker, &asked(answer, &[])).unwrap();
            assert_eq!(verdict.canonical, canonical, "{answer}");
        }
        assert!(rejected(&*asked_for, &asked("5 mmol/L", &[])).contains("converted into mg/dL"));
    }

    #[test]
    fn references_without_a_number_and_a_unit_are_refused() {
        let plain = opened(PLAIN);
        let asked_for = opened(r#"{"kind": "number_with_unit", "unit": "mg/dL"}"#);
        for (checker, refused, why) in [
            (&plain, "", "is no number with a unit"),
            (&plain, "high", "is no number with a unit"),
            (&plain, "12", "is no number with a unit"),
            (&plain, "12 tablets", "names `tablets`"),
            (&plain, "60-100 bpm", "names two quantities"),
            (&asked_for, "5.5 mmol/L", "cannot be converted into mg/dL"),
        ] {
            let found = checker.reference(refused).unwrap_err();
            assert!(
                found.contains(why) && found.contains("`filter.validator.unit`"),
                "{refused}: {found}"
            );
        }
        assert_eq!(plain.reference("so #### 5.5 mmol/L"), Ok(()));
        assert_eq!(asked_for.reference("95"), Ok(()));
    }

    #[test]
    fn a_unit_that_is_not_known_cannot_be_asked_for() {
        let settings = settings(r#"{"kind": "number_with_unit", "unit": "tablets"}"#);
        let why = settings.open(Given::Nothing).err().unwrap();
        assert!(
            why.contains("`filter.validator.unit`") && why.contains("`tablets`"),
            "{why}"
        );
    }
}
