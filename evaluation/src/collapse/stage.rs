//! The stage of one comparison.

use std::fmt;

use gristmill_domain::words::thousands;
use serde::{Deserialize, Serialize};

use super::settings::CollapseSettings;
use crate::judge::{JudgeQuality, seen_share, true_change};
use crate::paired::PairedComparison;

/// Differences of shares under this are rounding.
const ROUNDING: f64 = 1e-9;

/// A stage of knowledge collapse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollapseStage {
    /// Stage A: the knowledge is kept, and that is shown.
    Kept,
    /// Stage B: less is right, in the same good form. The dangerous one, since it reads as well as before.
    ConfidentlyWrong,
    /// Stage C: no better than guessing, or not even in the form that was asked for.
    Incoherent,
    /// Accuracy and form have both fallen: something is broken, and it may be no more than the format.
    Degraded,
    /// The data do not say.
    Inconclusive {
        /// Items, asked in the same formats, that would settle it with a power of 80 %; `None` where more items would not.
        items_needed: Option<u64>,
        /// Why.
        because: Unsettled,
    },
}

/// Why a stage is inconclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unsettled {
    /// The change is neither shown to be small nor shown to be large.
    TooFewItems,
    /// The items were asked in fewer formats than it takes.
    TooFewFormats,
    /// Some questions were answered by one of the models only.
    Unpaired,
    /// Nothing follows from the judge's grades: it was not measured, or does no better than guessing.
    BlindJudge,
    /// The baseline guesses, or does not keep the form, so that it has nothing to lose.
    BaselineUnfit,
}

impl CollapseStage {
    /// True where knowledge is shown to be lost: B, C, or degraded.
    pub fn is_collapse(&self) -> bool {
        match self {
            Self::ConfidentlyWrong | Self::Incoherent | Self::Degraded => true,
            Self::Kept | Self::Inconclusive { .. } => false,
        }
    }
}

impl CollapseStage {
    /// Items, asked in the same formats, that would settle it; `None` where it is settled, or more items would not.
    pub fn items_needed(&self) -> Option<u64> {
        match self {
            Self::Inconclusive { items_needed, .. } => *items_needed,
            Self::Kept | Self::ConfidentlyWrong | Self::Incoherent | Self::Degraded => None,
        }
    }
}

impl fmt::Display for CollapseStage {
    /// `stage B, confidently wrong`; `inconclusive: 1,960 items would settle it`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kept => write!(f, "stage A, knowledge kept"),
            Self::ConfidentlyWrong => write!(f, "stage B, confidently wrong"),
            Self::Incoherent => write!(f, "stage C, incoherent"),
            Self::Degraded => write!(f, "degraded, unclassified: accuracy and form have both fallen"),
            Self::Inconclusive {
                items_needed,
                because,
            } => match (because, items_needed) {
                (Unsettled::TooFewItems, Some(items)) => {
                    write!(f, "inconclusive: {} items would settle it", thousands(*items))
                }
                (Unsettled::TooFewItems, None) => {
                    write!(
                        f,
                        "inconclusive: the change is just at the margin, and no number of items would settle it"
                    )
                }
                (Unsettled::TooFewFormats, _) => {
                    write!(f, "inconclusive: the items were asked in too few prompt formats")
                }
                (Unsettled::Unpaired, _) => {
                    write!(
                        f,
                        "inconclusive: some questions were answered by one of the models only"
                    )
                }
                (Unsettled::BlindJudge, _) => {
                    write!(
                        f,
                        "inconclusive: the judge was not measured, or does no better than guessing"
                    )
                }
                (Unsettled::BaselineUnfit, _) => {
                    write!(
                        f,
                        "inconclusive: the baseline itself guesses or does not keep the form"
                    )
                }
            },
        }
    }
}

/// The stage that a comparison with the baseline shows; the p-values are adjusted already.
pub(super) fn classify(
    found: &PairedComparison,
    p_value: f64,
    form_p_value: f64,
    settings: &CollapseSettings,
) -> CollapseStage {
    let alpha = settings.confidence.alpha();
    let inconclusive = |because| CollapseStage::Inconclusive {
        items_needed: None,
        because,
    };
    let (Some((change, interval)), Some(guess)) = (
        true_change(found, settings.judge.as_ref(), settings.confidence),
        seen_share(settings.chance + settings.above_chance, settings.judge.as_ref()),
    ) else {
        return inconclusive(Unsettled::BlindJudge);
    };
    let guess = guess + ROUNDING;
    if found.before <= guess || found.form_before < settings.form_min {
        return inconclusive(Unsettled::BaselineUnfit);
    }
    if found.formats < settings.formats_min.max(2) {
        return inconclusive(Unsettled::TooFewFormats);
    }
    if found.unpaired > 0 {
        return inconclusive(Unsettled::Unpaired);
    }
    let has_fallen = p_value < alpha && found.change < 0.0;
    let form_has_fallen = form_p_value < alpha && found.form_after < found.form_before;
    if (found.after <= guess && has_fallen) || (found.form_after < settings.form_min && form_has_fallen) {
        return CollapseStage::Incoherent;
    }
    if has_fallen && change <= -settings.drop + ROUNDING {
        let form_holds = found.form_after - found.form_before >= -settings.form_drop - ROUNDING;
        return if form_holds {
            CollapseStage::ConfidentlyWrong
        } else {
            CollapseStage::Degraded
        };
    }
    if interval.low > -settings.margin {
        return CollapseStage::Kept;
    }
    // More items would show that it is within the margin, or else that it has fallen at all.
    let informedness = settings
        .judge
        .as_ref()
        .and_then(JudgeQuality::informedness)
        .unwrap_or(1.0);
    let toward = if change > -settings.margin {
        settings.margin * informedness
    } else {
        0.0
    };
    CollapseStage::Inconclusive {
        items_needed: found.items_to_settle(toward, settings.confidence),
        because: Unsettled::TooFewItems,
    }
}
