//! What a generation holds: reads everything once, refuses what may not be in it, and says what stays.

use std::collections::{BTreeMap, HashMap, HashSet};

use gristmill_domain::id::ContentId;
use gristmill_domain::share::synthetic_ceiling;

use super::Making;
use crate::ceiling::{Drawable, left_out};
use crate::checker::{Checker, Found, told};
use crate::error::Error;
use crate::gather::{Gathered, Taking, gather};
use crate::generation::{ByTeacher, Ceiling, LeakCheck, Made, Quarantine};
use crate::identity::refuse_merged;
use crate::rule::Rule;
use crate::source::{Source, each_held_out};

/// Ceiling where a teacher descends from the student: fewer than 10 % real rows are refused.
const SELF_IMPROVEMENT_CEILING: f64 = 0.9;

/// What was read, and what follows from it.
pub(super) struct Chosen {
    pub(super) gathered: Gathered,
    pub(super) leak_check: LeakCheck,
    pub(super) ceiling: Ceiling,
    pub(super) left_out: HashSet<ContentId>,
    pub(super) rules: Vec<Quarantine>,
}

impl Making<'_> {
    /// Reads everything once, and says what stays.
    pub(super) fn choose(&self, sources: &[Source]) -> Result<Chosen, Error> {
        let mut rules: Vec<Quarantine> = Vec::new();
        let mut read: Vec<Option<Rule>> = Vec::new();
        if let Some(before) = &self.before {
            for rule in &before.generation.quarantine {
                // What only names rows holds by their contents.
                read.push(rule.rule.parse().ok().filter(Rule::stands));
                rules.push(rule.clone());
            }
        }
        for (rule, cause) in &self.new_rules {
            rules.push(Quarantine {
                rule: rule.to_string(),
                cause: cause.clone(),
                since: self.number(),
                rows: 0,
            });
            read.push(Some(rule.clone()));
        }
        let held_out = self.held_out(sources);
        let mut checker = Checker::open(self.leaks, self.task, &mut |split, take| {
            each_held_out(held_out, split, &mut |row, dataset| {
                if self.before.is_none() {
                    refuse_merged(self.settings.layout, split, row, dataset)?;
                }
                take(row, dataset)
            })
        })?;
        let nothing = HashMap::new();
        let taking = Taking {
            sources,
            replace: self.made == Made::Replace,
            number: self.number(),
            entered: self.before.as_ref().map_or(&nothing, |before| &before.entered),
            rules: &read,
            barred: self.before.as_ref().map_or(&[], |before| &before.barred),
            max_depth: self.settings.max_depth,
            layout: self.settings.layout,
        };
        let mut gathered = gather(&taking, &mut checker, self.task)?;
        let (found, leak_check) = checker.finish()?;
        self.refuse_leaks(&mut gathered, &found, &read)?;
        if gathered.real.is_empty() {
            return Err(Error::unusable(
                self.folder,
                "the generation would hold no real row: add the dataset of a run that has an anchor",
            ));
        }
        for (rule, rows) in rules.iter_mut().zip(&gathered.kept_out) {
            rule.rows = *rows;
        }
        let (ceiling, left_out) = self.ceiling(&gathered, sources);
        Ok(Chosen {
            leak_check: self.checked.clone().unwrap_or(leak_check),
            gathered,
            ceiling,
            left_out,
            rules,
        })
    }

    /// Refuses held-out rows, or puts synthetic ones into quarantine where that was asked for.
    fn refuse_leaks(
        &self,
        gathered: &mut Gathered,
        found: &[Found],
        rules: &[Option<Rule>],
    ) -> Result<(), Error> {
        let there = |found: &&Found| found.real || gathered.synthetic.contains_key(&found.row);
        let found: Vec<&Found> = found.iter().filter(there).collect();
        let rule = rules.iter().rposition(|rule| *rule == Some(Rule::Leaks));
        let refused: Vec<&Found> = found
            .iter()
            .copied()
            .filter(|found| found.real || rule.is_none())
            .collect();
        if !refused.is_empty() {
            let way_out = match refused.iter().any(|found| found.real) {
                true => {
                    "\na real row serves one purpose: leave the held-out rows out of the seeds with `gristmill decontaminate`, and make the run again \
                     (docs/generations.md shows how)"
                }
                false => {
                    "\nleave them out with `--quarantine leaks`, which records them, or with `gristmill decontaminate`"
                }
            };
            Error::refuse_leaks(self.folder, told(refused), way_out)?;
        }
        if let Some(rule) = rule {
            let rows: Vec<(ContentId, String)> =
                found.iter().map(|found| (found.row, found.id.clone())).collect();
            gathered.bar(rows, rule);
        }
        Ok(())
    }

    /// Whether a teacher of some rows descends from the student.
    pub(super) fn self_improvement(&self, gathered: &Gathered, sources: &[Source]) -> bool {
        let of_parent = self
            .before
            .as_ref()
            .is_some_and(|before| before.generation.self_improvement && self.made != Made::Replace);
        // The parent's manifest holds the job of its newest dataset, whose rows may be gone.
        let mut new = sources.iter().filter(|source| !source.is_parent);
        of_parent || gathered.descended || new.any(|source| source.said.self_improvement())
    }

    fn ceiling(&self, gathered: &Gathered, sources: &[Source]) -> (Ceiling, HashSet<ContentId>) {
        let mut share = self.settings.max_synthetic_share;
        if self.self_improvement(gathered, sources) {
            share = share.min(SELF_IMPROVEMENT_CEILING);
        }
        let allowed = synthetic_ceiling(share, gathered.with_repeats());
        let drawable: Vec<Drawable> = gathered
            .synthetic
            .iter()
            .map(|(row, made)| Drawable {
                concept: made.concept,
                row: *row,
            })
            .collect();
        let left_out = left_out(&drawable, &gathered.concepts, allowed, self.settings.seed);
        let stay = (drawable.len() - left_out.len()) as u64;
        let ceiling = Ceiling {
            max_synthetic_share: share,
            left_out: left_out.len() as u64,
            by_concept: BTreeMap::new(),
            room: allowed.saturating_sub(stay),
        };
        (ceiling, left_out)
    }

    /// Refuses a generation that would be its parent again, and one without a real row of its parent.
    pub(super) fn check_new(&self, chosen: &Chosen) -> Result<(), Error> {
        let Some(before) = &self.before else {
            return Ok(());
        };
        let gathered = &chosen.gathered;
        let lost = before
            .entered
            .values()
            .filter(|member| !member.synthetic && !gathered.real.contains_key(&member.row));
        let lost = lost.count();
        if lost > 0 {
            return Err(Error::damaged(
                &before.source.folder,
                format!("{lost} of its real rows are not in its files"),
            ));
        }
        let number = before.generation.number;
        if self.made == Made::Quarantine {
            let kept_out: u64 = chosen.rules.iter().map(|rule| rule.rows).sum();
            if kept_out == 0 {
                let rules: Vec<&str> = chosen
                    .rules
                    .iter()
                    .filter(|rule| rule.since > number)
                    .map(|rule| rule.rule.as_str())
                    .collect();
                let teachers = before.generation.synthetic.by_teacher.iter();
                let teachers: Vec<String> = teachers
                    .filter_map(ByTeacher::rule)
                    .map(|rule| format!("`{rule}`"))
                    .collect();
                let such_as = match teachers.is_empty() {
                    true => String::new(),
                    false => format!(", such as {}", teachers.join(", ")),
                };
                return Err(Error::unusable(
                    self.folder,
                    format!(
                        "no synthetic row of generation {number} is one of `{}`; rules name rows as the column `provenance` does{such_as}",
                        rules.join("`, `")
                    ),
                ));
            }
            return Ok(());
        }
        let stay = gathered
            .synthetic
            .keys()
            .filter(|row| !chosen.left_out.contains(row));
        let new = |row: &&ContentId| !before.entered.contains_key(*row);
        let brings = gathered.real.keys().chain(stay.clone()).filter(new).count();
        let same = stay.count() as u64 == before.generation.synthetic.rows;
        let recorded = chosen
            .rules
            .iter()
            .any(|rule| rule.since > number && rule.rows > 0);
        if brings == 0 && same && !recorded {
            return Err(Error::unusable(
                self.folder,
                format!("the datasets bring no row that generation {number} does not have"),
            ));
        }
        Ok(())
    }
}
