//! Figures as text, each column with what it depends on.

use gristmill_domain::amount::MicroUsd;
use gristmill_domain::words::{figure, one_line, thousands};
use gristmill_measure::Kernel;

use super::{Measurements, Set};
use crate::table::Table;

/// What a set is called.
pub(super) fn name(of: Option<&(String, String)>) -> String {
    match of {
        None => "all rows".to_owned(),
        Some((field, value)) => one_line(&format!("{field} {value}")),
    }
}

fn kernel(kernel: Kernel) -> String {
    match kernel {
        Kernel::Cosine => "cosine".to_owned(),
        Kernel::Rbf { gamma } => format!("rbf γ={gamma}"),
        Kernel::Laplacian { gamma } => format!("laplacian γ={gamma}"),
        Kernel::Polynomial { degree } => format!("polynomial of degree {degree}"),
    }
}

impl Measurements {
    /// For programs: an object a set, that of all rows first.
    pub fn json(&self) -> Vec<serde_json::Value> {
        self.sets
            .iter()
            .map(|set| {
                let of = set
                    .of
                    .as_ref()
                    .map(|(field, value)| serde_json::json!({ "field": field, "value": value }));
                let mut value = serde_json::json!({ "of": of, "figures": set.figures });
                if set.of.is_none() {
                    value["concepts"] = serde_json::json!(self.concepts);
                    value["cluster_agent"] = serde_json::json!(self.agent);
                    value["read"] = serde_json::json!(self.head);
                    value["left_out"] = serde_json::json!(self.left);
                }
                value
            })
            .collect()
    }

    /// For people: tables.
    pub fn text(&self) -> String {
        let mut text = self.head.join("\n");
        text.push_str("\n\n");
        text.push_str(&self.diversity());
        text.push('\n');
        text.push_str(&self.vendi());
        text.push('\n');
        text.push_str(&self.wording());
        if self.sets.iter().any(|set| set.figures.against_real.is_some()) {
            text.push('\n');
            text.push_str(&self.against());
        }
        if let Some(found) = &self.concepts {
            text.push_str(&format!(
                "\nof {} concepts, {:.0} % have {} real rows or more, {:.0} % synthetic ones, {:.0} % both together\n",
                found.concepts,
                100.0 * found.real,
                found.at_least,
                100.0 * found.synthetic,
                100.0 * found.together
            ));
        }
        if let Some(found) = &self.agent {
            let score = &found.score;
            text.push_str(&format!(
                "\nLLM cluster agent by {}: {} ± {} (clusters over rows a cluster, of {} rows a draw; standard error)\n  {} draws of {} answered, \
                 {} clusters, {} dropped; {} calls, {}; {}\n",
                score.judge,
                figure(score.value),
                figure(score.standard_error),
                score.draws.rows,
                score.answered,
                score.answered + found.unanswered,
                score.clusters,
                score.dropped,
                thousands(found.calls),
                MicroUsd(found.usd_micros),
                found.prompt
            ));
        }
        for line in &self.left {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    fn table(&self, heads: Vec<String>, cells: impl Fn(&Set) -> Vec<Option<String>>) -> String {
        let mut table = Table::of(heads);
        for set in &self.sets {
            let cells = cells(set)
                .into_iter()
                .map(|cell| cell.unwrap_or_else(|| "–".to_owned()));
            table.row(
                [name(set.of.as_ref()), thousands(set.figures.n as u64)]
                    .into_iter()
                    .chain(cells),
            );
        }
        table.text()
    }

    fn diversity(&self) -> String {
        let Some(whole) = self.sets.first() else {
            return String::new();
        };
        let scores = &whole.figures.dcscore;
        let mut heads = vec!["set".to_owned(), "n".to_owned()];
        for score in scores {
            heads.push(format!("DCScore τ={}", score.settings.tau));
            if let Some(fixed) = whole.figures.dcscore_at_fixed_n.first() {
                heads.push(format!("at n={}", fixed.draws.size));
            }
        }
        if let Some(novelty) = &whole.figures.novelsum {
            heads.push(format!("NovelSum at n={}", novelty.draws.size));
        }
        let text = self.table(heads, |set| {
            let figures = &set.figures;
            let mut cells = Vec::new();
            for place in 0..scores.len() {
                cells.push(figures.dcscore.get(place).map(|score| figure(score.value)));
                if !whole.figures.dcscore_at_fixed_n.is_empty() {
                    let fixed = figures.dcscore_at_fixed_n.get(place);
                    cells.push(fixed.map(|fixed| {
                        format!(
                            "{} [{}, {}]",
                            figure(fixed.mean),
                            figure(fixed.low),
                            figure(fixed.high)
                        )
                    }));
                }
            }
            if whole.figures.novelsum.is_some() {
                cells.push(figures.novelsum.as_ref().map(|found| {
                    let [mean, low, high] = [found.mean, found.low, found.high].map(figure);
                    format!("{mean} [{low}, {high}]")
                }));
            }
            cells
        });
        let kernel = scores
            .first()
            .map_or_else(String::new, |score| kernel(score.settings.kernel));
        let draws = whole
            .figures
            .dcscore_at_fixed_n
            .first()
            .map_or_else(String::new, |fixed| {
                format!(
                    "; at n={}: mean of {} draws and their middle 95 %, seed {}",
                    thousands(fixed.draws.size as u64),
                    fixed.draws.draws,
                    fixed.draws.seed
                )
            });
        let novelty = whole.figures.novelsum.as_ref().map_or_else(String::new, |found| {
            format!(
                "; NovelSum, α={}, β={}, densities by {} neighbours among {} rows",
                found.settings.alpha,
                found.settings.beta,
                found.settings.neighbors,
                thousands(found.reference as u64)
            )
        });
        format!("DCScore, from 1 to n, kernel {kernel}{draws}{novelty}\n{text}")
    }

    fn vendi(&self) -> String {
        let Some(whole) = self.sets.first() else {
            return String::new();
        };
        let mut heads = vec!["set".to_owned(), "n".to_owned()];
        heads.extend(whole.figures.vendi.iter().map(|score| {
            let order = if score.order.is_finite() {
                score.order.to_string()
            } else {
                "∞".to_owned()
            };
            format!("Vendi q={order}")
        }));
        heads.extend(["distance", "to nearest", "its median"].map(str::to_owned));
        let orders = whole.figures.vendi.len();
        let text = self.table(heads, |set| {
            let figures = &set.figures;
            let mut cells: Vec<Option<String>> = (0..orders)
                .map(|place| figures.vendi.get(place).map(|score| figure(score.value)))
                .collect();
            let spread = figures.spread.as_ref();
            cells.push(spread.map(|spread| figure(spread.mean)));
            cells.push(spread.map(|spread| figure(spread.nearest_mean)));
            cells.push(spread.map(|spread| figure(spread.nearest_median)));
            cells
        });
        format!(
            "Vendi scores, from 1 to n, and cosine distances: of all pairs, and to each row's nearest other\n{text}"
        )
    }

    fn wording(&self) -> String {
        let heads = [
            "set",
            "n",
            "distinct-1",
            "distinct-2",
            "distinct-3",
            "4 words shared",
        ];
        let text = self.table(heads.map(str::to_owned).to_vec(), |set| {
            let Some(words) = &set.figures.words else {
                return vec![None; 4];
            };
            let shares = words.distinct.iter().copied().chain([words.self_similarity]);
            shares.map(|share| Some(figure(share))).collect()
        });
        format!(
            "Wording: distinct runs of words over all, and the share of a text's runs that others have. Falls as n grows\n{text}"
        )
    }

    fn against(&self) -> String {
        let heads = [
            "set",
            "n",
            "precision",
            "recall",
            "density",
            "coverage",
            "clusters",
            "evenness",
            "empty",
        ];
        let text = self.table(heads.map(str::to_owned).to_vec(), |set| {
            let Some(against) = &set.figures.against_real else {
                return vec![None; 7];
            };
            let found = against.coverage.as_ref();
            let cell =
                |of: fn(&gristmill_measure::coverage::Coverage) -> f64| found.map(|found| figure(of(found)));
            vec![
                cell(|found| found.precision),
                cell(|found| found.recall),
                cell(|found| found.density),
                cell(|found| found.coverage),
                Some(figure(against.clusters.effective)),
                Some(figure(against.clusters.normalized)),
                Some(thousands(against.clusters.empty as u64)),
            ]
        });
        let first = self.sets.iter().find_map(|set| set.figures.against_real.as_ref());
        let k = first
            .and_then(|against| against.coverage.as_ref())
            .map_or_else(String::new, |found| {
                format!("balls of the {} nearest real neighbours; ", found.k)
            });
        let clusters = first.map_or(0, |against| against.clusters.k);
        format!(
            "Against the real rows: {k}{clusters} clusters fitted on the real rows, effectively filled\n{text}"
        )
    }
}
