//! Columns of multiple choice: the options, and which of them the answer means.

use gristmill_domain::seed::{choices, row};
use gristmill_tables::Column;
use serde_json::Value;

use super::Error;
use super::columns::{ANSWER, Chosen, Columns, is_empty};
use crate::near::list;

const CHOICES: &[&str] = &[
    "choices",
    "options",
    "candidates",
    "endings",
    "answer_choices",
    "multiple_choice",
];
/// Options in columns of their own.
const CHOICE_COLUMNS: &[&[&str]] = &[
    &["A", "B", "C", "D", "E"],
    &["a", "b", "c", "d", "e"],
    &["opa", "opb", "opc", "opd", "ope"],
    &["option_a", "option_b", "option_c", "option_d", "option_e"],
    &["option_1", "option_2", "option_3", "option_4", "option_5"],
    &["option1", "option2", "option3", "option4", "option5"],
    &["choice1", "choice2", "choice3", "choice4", "choice5"],
    &["sol1", "sol2"],
];
/// Names of an answer that says which option it is, besides those of any answer.
const CHOSEN: &[&str] = &[
    "answer",
    "answerkey",
    "answer_key",
    "answer_idx",
    "answer_index",
    "correct",
    "correct_answer",
    "correct_option",
    "cop",
    "gold",
    "label",
    "target",
];

impl Columns<'_> {
    /// The columns of options, the column that says which of them is the answer, and the number of the first option.
    pub(super) fn choices(
        &self,
        question: &str,
        told_answer: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Chosen>, Error> {
        let told = self
            .named
            .get("choices")
            .map(|names| -> Vec<String> { names.split(',').map(|name| name.trim().to_owned()).collect() });
        let columns = match &told {
            Some(columns) => {
                for column in columns {
                    self.known("choices", column)?;
                }
                columns.clone()
            }
            None => match self.choice_columns() {
                Some(columns) => columns,
                None => return Ok(None),
            },
        };
        let candidates: Vec<String> = match told_answer {
            Some(answer) => vec![answer.to_owned()],
            None => CHOSEN
                .iter()
                .chain(ANSWER)
                .filter_map(|name| {
                    self.all
                        .iter()
                        .find(|column| column.name.eq_ignore_ascii_case(name))
                })
                .map(|column| column.name.clone())
                .filter(|name| name != question && !columns.contains(name))
                .collect(),
        };
        for answer in &candidates {
            if let Some(first) = self.first_choice(&columns, answer, notes) {
                return Ok(Some(Chosen {
                    columns,
                    answer: answer.clone(),
                    first,
                }));
            }
        }
        let misfit = candidates
            .first()
            .and_then(|answer| self.misfit(&columns, answer));
        if told.is_some() {
            return Err(misfit.unwrap_or_else(|| Error::NoColumn {
                path: self.path.to_owned(),
                what: "answer",
                columns: self.names(),
            }));
        }
        let columns = list(columns.iter().map(String::as_str), "and");
        notes.push(match misfit.filter(|_| told_answer.is_some()) {
            Some(misfit) => {
                format!("decide: {columns} holds options, and the answers do not name them: {misfit}")
            }
            None => format!(
                "decide: {columns} holds options, and no column says which of them is the answer: name it with `--field answer=COLUMN`"
            ),
        });
        Ok(None)
    }

    /// What does not fit between columns of options and of an answer, in the first row where it does not.
    fn misfit(&self, columns: &[String], answer: &str) -> Option<Error> {
        const OPTIONS_FIT: &str = "Options fit that are a list (`[\"iron\", \"tin\"]`), an object by label (`{\"A\": \"iron\", \"B\": \"tin\"}`), \
                                   or columns of one option each (`--field choices=COLUMN,COLUMN`)";
        const ANSWER_FITS: &str = "An answer fits that is an option's label (`A`, or the row's own), its number, or its text; \
                                   `--field answer=COLUMN` names another column";
        let faults = self.rows.iter().zip(self.places).filter_map(|(row, place)| {
            let options = match row::options(row, columns) {
                Ok(options) => options,
                Err(reason) => return Some((place, reason, OPTIONS_FIT)),
            };
            let Some(value) = row::value(row, answer) else {
                return Some((place, format!("there is no column `{answer}`"), ANSWER_FITS));
            };
            let names_one = |first| choices::chosen(&options, &value, first).is_some();
            let listed: Vec<String> = options
                .iter()
                .map(|option| format!("{}) {}", option.label, option.text))
                .collect();
            let reason = || {
                format!(
                    "the answer `{}` in column `{answer}` names none of the options `{}`",
                    row::shown(&value),
                    row::shown(&listed.join(" ").into())
                )
            };
            (!names_one(0) && !names_one(1)).then(|| (place, reason(), ANSWER_FITS))
        });
        let faults: Vec<_> = faults.collect();
        let misfits = faults.len();
        let (place, reason, fits) = faults.into_iter().next()?;
        Some(Error::Misfit {
            place: place.clone(),
            reason,
            misfits,
            rows: self.rows.len(),
            fits,
        })
    }

    /// Columns that hold options: one with all of them, or several with one each.
    fn choice_columns(&self) -> Option<Vec<String>> {
        let holds = |column: &&Column| {
            let mut values = self
                .rows
                .iter()
                .filter_map(|row| row.get(&column.name))
                .filter(|value| !is_empty(value));
            values
                .next()
                .is_some_and(|value| choices::choices(value).is_some())
        };
        let named = |name: &&str| {
            self.all
                .iter()
                .find(|column| column.name.eq_ignore_ascii_case(name))
                .filter(holds)
        };
        if let Some(column) = CHOICES.iter().find_map(named) {
            return Some(vec![column.name.clone()]);
        }
        let apart = |names: &&&[&str]| {
            let there: Vec<String> = names
                .iter()
                .filter(|name| self.all.iter().any(|column| column.name == **name))
                .map(|name| (*name).to_owned())
                .collect();
            // All from the first on, with none between them missing.
            (there.len() >= 2 && names.starts_with(&there.iter().map(String::as_str).collect::<Vec<_>>()))
                .then_some(there)
        };
        CHOICE_COLUMNS.iter().find_map(|names| apart(&names))
    }

    /// The number of the first option, where a column's answers name options in nearly all rows.
    fn first_choice(&self, columns: &[String], answer: &str, notes: &mut Vec<String>) -> Option<u32> {
        let rows: Vec<(Vec<choices::Choice>, Value)> = self
            .rows
            .iter()
            .filter_map(|row| {
                Some((
                    row::options(row, columns).ok()?,
                    row::value(row, answer)?.into_owned(),
                ))
            })
            .collect();
        let named = |first: u64| {
            rows.iter()
                .filter(|(options, answer)| choices::chosen(options, answer, first).is_some())
                .count()
        };
        let (from_zero, from_one) = (named(0), named(1));
        let enough = |count: usize| count > 0 && count * 20 >= self.rows.len() * 19;
        if !enough(from_zero.max(from_one)) {
            return None;
        }
        let by_number = rows.iter().any(|(options, answer)| {
            choices::chosen(options, answer, 0) != choices::chosen(options, answer, 1)
        });
        if by_number && from_zero == from_one {
            notes.push(format!(
                "decide: the numbers in column `{answer}` could count the options from 0 or from 1; from 0 is taken, `choices_from: 1` says otherwise"
            ));
        }
        Some(u32::from(from_one > from_zero))
    }
}
