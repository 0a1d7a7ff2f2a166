//! What people should know of a generation.

use gristmill_dataset::RowList;
use gristmill_domain::words::{first_of, many, thousands};

use crate::gather::Gathered;
use crate::generation::{Generation, Made};

/// Synthetic share from which a student whose teacher descends from it loses rare cases: at least 30 % of the rows should be real.
const SELF_IMPROVEMENT_SHARE: f64 = 0.7;

/// What a generation is like besides its own figures.
pub(crate) struct Circumstances<'a> {
    pub(crate) gathered: &'a Gathered,
    /// Synthetic rows of the parent.
    pub(crate) of_parent: u64,
    /// Held-out rows of the datasets that the lineage does not hold out.
    pub(crate) held_out_elsewhere: u64,
    /// Lists of rows that the generation came with.
    pub(crate) lists: Vec<&'a RowList>,
    /// The ceiling that was asked for, where another is in force.
    pub(crate) lowered_from: Option<f64>,
}

/// Error of a student that is trained with a real share of α in each generation, as a multiple of that of one trained on real data alone:
/// about 1/(α(2-α)). It is derived for models that are trained on their own output (Shumailov et al. 2024, s41586-024-07566-y;
/// Gerstgrasser et al. 2024, arXiv 2404.01413).
pub(crate) fn error_ratio(real_share: f64) -> f64 {
    1.0 / (real_share * (2.0 - real_share))
}

/// What people should know of it.
pub(crate) fn of(generation: &Generation, circumstances: &Circumstances<'_>) -> Vec<String> {
    let Circumstances {
        gathered,
        of_parent,
        held_out_elsewhere,
        lists,
        lowered_from,
    } = circumstances;
    let mut warnings = Vec::new();
    let real_share = 1.0 - generation.synthetic.share;
    if generation.made == Made::Replace {
        warnings.push(format!(
            "the parent's {} synthetic rows are replaced: trained on the newest rows alone, generation by generation, a student loses the tails of \
             the data first, and then its mean; accumulating bounds the error. {:.1} % of the rows are real: with that share in each generation, \
             the error is about {:.2} times that of real data alone",
            thousands(*of_parent),
            100.0 * real_share,
            error_ratio(real_share)
        ));
    }
    if generation.self_improvement && generation.synthetic.share > SELF_IMPROVEMENT_SHARE {
        warnings.push(format!(
            "{:.1} % of the rows are real, and a teacher descends from the student: at least 30 % should be",
            100.0 * real_share
        ));
    }
    if let Some(asked) = lowered_from {
        warnings.push(format!(
            "the ceiling is {:.0} % in place of {:.0} %: a teacher descends from the student, so at least 10 % of the rows must be real",
            100.0 * generation.ceiling.max_synthetic_share,
            100.0 * asked
        ));
    }
    if generation.ceiling.left_out > 0 {
        warnings.push(format!(
            "{} left out under the ceiling of {:.1} %, the largest concepts first: `gristmill generation show` says how many more may be made",
            many(generation.ceiling.left_out, "synthetic row"),
            100.0 * generation.ceiling.max_synthetic_share
        ));
    }
    if gathered.changed > 0 {
        warnings.push(format!(
            "{} the id of a row of the parent, and another text: both are kept. If the text before or after the question is all that differs, \
             give the jobs the same `output` settings",
            match gathered.changed {
                1 => "1 real row has".to_owned(),
                count => format!("{} real rows have", thousands(count)),
            }
        ));
    }
    if *held_out_elsewhere > 0 {
        warnings.push(format!(
            "{} of the datasets not held out by the lineage, whose validation and test rows are locked: they are left out",
            match held_out_elsewhere {
                1 => "1 held-out row is".to_owned(),
                count => format!("{} held-out rows are", thousands(*count)),
            }
        ));
    }
    warnings.extend(lists.iter().filter_map(|list| unmet(list, generation, gathered)));
    for (rows, split, purpose) in [
        (generation.validation, "validation", "early stopping"),
        (generation.test, "test", "the gate"),
    ] {
        if rows == 0 {
            warnings.push(format!(
                "the lineage has no {split} rows, so there are none for {purpose}: set `holdout.{split}` in the job that makes its first dataset"
            ));
        }
    }
    if generation.leak_check.embedder.is_none() {
        warnings.push(
            "held-out rows in other words were not looked for, since nothing was embedded: name an embedding model (`--embed` of `generation add`, \
             `embed.model` in the job of a loop)"
                .to_owned(),
        );
    }
    warnings
}

/// Ids of a list that name no training row.
fn unmet(list: &RowList, generation: &Generation, gathered: &Gathered) -> Option<String> {
    let mut unmet: Vec<String> = list.ids().difference(&gathered.listed).cloned().collect();
    if unmet.is_empty() {
        return None;
    }
    unmet.sort_unstable();
    let parent = generation.number - 1;
    Some(format!(
        "{} of {} in {} no training row of {}: {}",
        thousands(unmet.len() as u64),
        many(list.ids().len() as u64, "id"),
        match unmet.len() {
            1 => format!("{} names", list.file().display()),
            _ => format!("{} name", list.file().display()),
        },
        match generation.made {
            Made::First => "the datasets".to_owned(),
            Made::Quarantine => format!("generation {parent}"),
            Made::Accumulate | Made::Replace => format!("generation {parent} or the datasets"),
        },
        first_of(&unmet, 3)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_is_that_of_the_derivation() {
        for (real, error) in [(0.5, 1.333), (0.3, 1.961), (0.2, 2.778), (0.1, 5.263)] {
            assert!((error_ratio(real) - error).abs() < 5e-4, "{real}");
        }
    }
}
