//! What rows are filtered and counted by.

/// A property of rows with few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Facet {
    /// `accepted`, `rejected`, or `real` for a row that nobody made.
    Verdict,
    /// Why a row was rejected.
    Reason,
    /// The recipe that made it.
    Recipe,
    /// The round that it was made in.
    Round,
    /// Concepts that it belongs to; of a row that was assigned none, the one it was aimed at, or else its seed's labels.
    Concept,
    /// Concepts for whose target it counts.
    Counted,
    /// What it is compared and counted as.
    Strategy,
    /// The teacher.
    Teacher,
    /// `real` or `synthetic`.
    Kind,
}

impl Facet {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Verdict,
        Self::Reason,
        Self::Recipe,
        Self::Round,
        Self::Concept,
        Self::Counted,
        Self::Strategy,
        Self::Teacher,
        Self::Kind,
    ];

    /// Its name in an address: `verdict`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Reason => "reason",
            Self::Recipe => "recipe",
            Self::Round => "round",
            Self::Concept => "concept",
            Self::Counted => "counted",
            Self::Strategy => "strategy",
            Self::Teacher => "teacher",
            Self::Kind => "kind",
        }
    }

    /// Its name in a sentence.
    pub fn label(self) -> &'static str {
        match self {
            Self::Reason => "reason of rejection",
            Self::Counted => "concept that it counts for",
            other => other.name(),
        }
    }

    /// The facet of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|facet| facet.name() == name)
    }

    /// Its column, which is its place among all.
    pub(crate) fn column(self) -> usize {
        self as usize
    }
}
