//! The arithmetic of the LLM cluster agent (arXiv 2410.15226): a model is shown `K` rows at a time and asked for clusters of them,
//! then asked of each cluster whether it holds up. Asking is the caller's; here are the draws and the score.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::draw::Draw;

/// How rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentDraws {
    /// Draws `N`: each is one call that clusters and its verifications.
    pub draws: usize,
    /// Rows `K` of a draw.
    pub rows: usize,
    /// Chooses the rows.
    pub seed: u64,
}

impl Default for AgentDraws {
    /// 10 rows a call, as in the paper, and 100 calls.
    fn default() -> Self {
        Self {
            draws: 100,
            rows: 10,
            seed: 0,
        }
    }
}

/// A cluster that the model named in a draw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedCluster {
    /// Its rows, by their place in the draw.
    pub rows: Vec<usize>,
    /// False when the model's own verification threw it out.
    pub verified: bool,
}

/// The score, with all that it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AgentScore {
    /// Mean over draws of clusters over rows a cluster, of verified clusters: from 0 to `K`.
    pub value: f64,
    /// Standard error of the mean; 0 for a single draw.
    pub standard_error: f64,
    /// Clusters named.
    pub clusters: usize,
    /// Clusters dropped as not verified or without a row.
    pub dropped: usize,
    /// How rows were shown.
    #[serde(flatten)]
    pub draws: AgentDraws,
    /// Draws that were answered, and counted.
    pub answered: usize,
    /// Rows there were to draw from.
    pub n: usize,
    /// Name of the model that clustered.
    pub judge: String,
}

/// The rows of each draw, none twice in one.
///
/// # Errors
/// [`Error::Setting`] when a number is 0; [`Error::TooFew`] when there are fewer rows than a draw takes.
pub fn draws(n: usize, draws: AgentDraws) -> Result<Vec<Vec<usize>>, Error> {
    for (name, value) in [("draws", draws.draws), ("rows of a draw", draws.rows)] {
        if value == 0 {
            return Err(Error::Setting {
                name,
                value: 0.0,
                must: "at least 1",
            });
        }
    }
    if n < draws.rows {
        return Err(Error::TooFew {
            what: "the cluster agent",
            need: draws.rows,
            got: n,
        });
    }
    let drawn =
        (0..draws.draws as u64).map(|number| Draw::numbered(draws.seed, number).sample(n, draws.rows));
    Ok(drawn.collect())
}

/// Scores the clusters of each answered draw. A row counts in the first verified cluster that names it; a draw without a verified cluster
/// counts as 0.
///
/// # Errors
/// [`Error::TooFew`] without an answered draw; [`Error::OutOfRange`] when a cluster names a row that its draw has not.
pub fn score(
    n: usize,
    draws: AgentDraws,
    answers: &[Vec<NamedCluster>],
    judge: &str,
) -> Result<AgentScore, Error> {
    if answers.is_empty() {
        return Err(Error::TooFew {
            what: "the cluster agent's score",
            need: 1,
            got: 0,
        });
    }
    let (mut named, mut kept) = (0, 0);
    let mut values = Vec::with_capacity(answers.len());
    for answer in answers {
        named += answer.len();
        let sizes = cluster_sizes(answer, draws.rows)?;
        kept += sizes.len();
        let rows: usize = sizes.iter().sum();
        let clusters = sizes.len() as f64;
        // Clusters over mean rows a cluster.
        values.push(if rows == 0 {
            0.0
        } else {
            clusters * clusters / rows as f64
        });
    }
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Ok(AgentScore {
        value: mean,
        standard_error: if values.len() > 1 {
            (squares / (count - 1.0) / count).sqrt()
        } else {
            0.0
        },
        clusters: named,
        dropped: named - kept,
        draws,
        answered: answers.len(),
        n,
        judge: judge.to_owned(),
    })
}

/// Rows of each verified cluster, those without a row left out.
fn cluster_sizes(answer: &[NamedCluster], rows: usize) -> Result<Vec<usize>, Error> {
    let mut taken = vec![false; rows];
    let mut sizes = Vec::new();
    for cluster in answer {
        let mut size = 0;
        for &row in &cluster.rows {
            let place = taken.get_mut(row).ok_or(Error::OutOfRange {
                what: "a cluster's row",
                got: row,
                most: rows,
            })?;
            if cluster.verified && !std::mem::replace(place, true) {
                size += 1;
            }
        }
        if size > 0 {
            sizes.push(size);
        }
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster(rows: &[usize], verified: bool) -> NamedCluster {
        NamedCluster {
            rows: rows.to_vec(),
            verified,
        }
    }

    #[test]
    fn the_score_is_clusters_over_rows_a_cluster() {
        let settings = AgentDraws {
            draws: 3,
            rows: 4,
            seed: 5,
        };
        let answers = [
            // Two clusters of two: 2 / 2.
            vec![cluster(&[0, 1], true), cluster(&[2, 3], true)],
            // Four of one: 4 / 1; a fifth only repeats a row.
            vec![
                cluster(&[0], true),
                cluster(&[1], true),
                cluster(&[2], true),
                cluster(&[3], true),
                cluster(&[3], true),
            ],
            // One thrown out, one of three left: 1 / 3.
            vec![cluster(&[0], false), cluster(&[1, 2, 3, 3], true)],
        ];
        let score = score(20, settings, &answers, "judge").unwrap();
        assert!((score.value - (1.0 + 4.0 + 1.0 / 3.0) / 3.0).abs() < 1e-12);
        assert_eq!((score.clusters, score.dropped, score.answered), (9, 2, 3));
        assert!(
            (score.standard_error - 1.127_655).abs() < 1e-5,
            "{}",
            score.standard_error
        );
    }

    #[test]
    fn what_cannot_be_scored_is_refused() {
        let settings = AgentDraws {
            rows: 2,
            ..AgentDraws::default()
        };
        assert!(score(9, settings, &[], "judge").is_err());
        assert!(score(9, settings, &[vec![cluster(&[2], true)]], "judge").is_err());
        assert_eq!(
            score(9, settings, &[vec![cluster(&[0], false)]], "judge")
                .unwrap()
                .value,
            0.0
        );
    }

    #[test]
    fn draws_are_distinct_rows_and_the_same_each_time() {
        let settings = AgentDraws::default();
        let drawn = draws(40, settings).unwrap();
        assert_eq!(drawn.len(), 100);
        assert_eq!(draws(40, settings).unwrap(), drawn);
        for mut draw in drawn {
            draw.sort_unstable();
            draw.dedup();
            assert_eq!(draw.len(), 10);
        }
        assert!(draws(9, settings).is_err());
    }
}
