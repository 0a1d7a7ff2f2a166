//! What of the documents is in no passage.

use serde::Serialize;

use gristmill_domain::words::thousands;

/// Parts of pages that are listed by name.
const PARTS_SHOWN: usize = 8;

/// What was left out of the documents that were read, the most words first.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DroppedText {
    reasons: Vec<Dropped>,
    /// Parts of pages, by what the pages call them: `nav`, `.sidebar`, `#comments`.
    parts: Vec<Dropped>,
}

#[derive(Debug, Clone, Serialize)]
struct Dropped {
    name: String,
    /// Blocks, lines, passages or formulas, as they were met.
    pieces: u64,
    words: u64,
    /// It is told with the parts of pages that it was.
    #[serde(skip)]
    by_parts: bool,
}

impl DroppedText {
    #[cfg(feature = "documents")]
    pub(crate) fn of(dropped: &gristmill_documents::Dropped) -> Self {
        let named = |(name, amount): (&str, gristmill_documents::Amount)| Dropped {
            name: name.to_owned(),
            pieces: amount.pieces,
            words: amount.words,
            by_parts: false,
        };
        let mut reasons: Vec<_> = dropped
            .iter()
            .map(|(why, amount)| Dropped {
                by_parts: why == gristmill_documents::Why::Navigation,
                ..named((why.name(), amount))
            })
            .collect();
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.words));
        Self {
            reasons,
            parts: dropped.names().into_iter().map(named).collect(),
        }
    }

    /// Each reason with its amount, in words: `navigation` and `1,204 words in 35 pieces (nav 900, .sidebar 304)`.
    pub fn told(&self) -> Vec<(String, String)> {
        self.reasons
            .iter()
            .map(|reason| {
                let amount = match reason.words {
                    0 => thousands(reason.pieces),
                    words => format!(
                        "{} words in {} pieces",
                        thousands(words),
                        thousands(reason.pieces)
                    ),
                };
                let parts = if reason.by_parts {
                    self.parts()
                } else {
                    String::new()
                };
                (reason.name.clone(), amount + &parts)
            })
            .collect()
    }

    fn parts(&self) -> String {
        if self.parts.is_empty() {
            return String::new();
        }
        let shown = self.parts.iter().take(PARTS_SHOWN);
        let mut shown: Vec<String> = shown
            .map(|part| format!("{} {}", part.name, thousands(part.words)))
            .collect();
        if self.parts.len() > PARTS_SHOWN {
            shown.push(format!("{} more", self.parts.len() - PARTS_SHOWN));
        }
        format!(" ({})", shown.join(", "))
    }
}
