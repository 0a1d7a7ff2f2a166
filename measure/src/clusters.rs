//! Clusters of real rows, and how evenly other rows fall into them.
//!
//! k-means (Lloyd 1982) started by k-means++ (Arthur and Vassilvitskii 2007) from a seed. Fit it on *real* rows and count any set's rows by
//! it: a synthetic set that leaves clusters empty misses what the real data has.

use std::num::NonZeroUsize;

use serde::Serialize;

use crate::draw::Draw;
use crate::neighbors::nearest;
use crate::{Error, Vectors};

/// Rounds after which a fit stops, converged or not.
const ROUNDS_MAX: usize = 100;

/// Centers of clusters.
#[derive(Debug, Clone, PartialEq)]
pub struct Clusters {
    centers: Vectors,
}

/// Evenness of rows over clusters, with what it depends on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClusterEntropy {
    /// `H = -Σ p ln p` over the clusters' shares, in nats.
    pub entropy: f64,
    /// `e^H`: as many evenly filled clusters have the same entropy.
    pub effective: f64,
    /// `H / ln k`, from 0 to 1; 1 for a single cluster.
    pub normalized: f64,
    /// Clusters without a row.
    pub empty: usize,
    /// Clusters.
    pub k: usize,
    /// Rows counted.
    pub n: usize,
    /// Name of the embedding model.
    pub model: String,
}

impl Clusters {
    /// Finds `k` clusters, on up to `threads` threads.
    ///
    /// A cluster that loses all rows takes the row farthest from its center.
    ///
    /// # Errors
    /// [`Error::Setting`] when `k` is 0; [`Error::TooFew`] with fewer than `k` rows.
    pub fn fit(real: &Vectors, k: usize, seed: u64, threads: NonZeroUsize) -> Result<Self, Error> {
        if k == 0 {
            return Err(Error::Setting {
                name: "clusters",
                value: 0.0,
                must: "at least 1",
            });
        }
        real.at_least(k, "clustering")?;
        let mut fitted = Self {
            centers: real.select(&starts(real, k, seed))?,
        };
        let mut before = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let (rows, distances) = fitted.closest(real, threads)?;
            if rows == before {
                break;
            }
            fitted.centers = means(real, k, &rows, &distances)?;
            before = rows;
        }
        Ok(fitted)
    }

    /// The centers, a row each.
    pub fn centers(&self) -> &Vectors {
        &self.centers
    }

    /// The cluster of each row, on up to `threads` threads.
    ///
    /// # Errors
    /// [`Error::Dimensions`] or [`Error::Models`] when the rows do not compare with those it was fitted on.
    pub fn assign(&self, vectors: &Vectors, threads: NonZeroUsize) -> Result<Vec<u32>, Error> {
        Ok(self.closest(vectors, threads)?.0)
    }

    /// How evenly rows fall into the clusters.
    ///
    /// # Errors
    /// Those of [`Self::assign`]; [`Error::TooFew`] for an empty set.
    pub fn entropy(&self, vectors: &Vectors, threads: NonZeroUsize) -> Result<ClusterEntropy, Error> {
        let mut counts = vec![0usize; self.centers.len()];
        for cluster in self.assign(vectors, threads)? {
            counts[cluster as usize] += 1;
        }
        entropy(&counts, vectors.model())
    }

    fn closest(&self, vectors: &Vectors, threads: NonZeroUsize) -> Result<(Vec<u32>, Vec<f32>), Error> {
        let found = nearest(vectors, &self.centers, 1, threads)?;
        Ok((0..vectors.len()).flat_map(|row| found.of(row)).unzip())
    }
}

/// Evenness of counts by cluster, for clusters from elsewhere.
///
/// # Errors
/// [`Error::TooFew`] when nothing was counted.
pub fn entropy(counts: &[usize], model: &str) -> Result<ClusterEntropy, Error> {
    let n: usize = counts.iter().sum();
    if n == 0 {
        return Err(Error::TooFew {
            what: "cluster entropy",
            need: 1,
            got: 0,
        });
    }
    let shares = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| count as f64 / n as f64);
    let entropy = -shares.map(|share| share * share.ln()).sum::<f64>();
    let k = counts.len();
    Ok(ClusterEntropy {
        // A single full cluster gives -0.
        entropy: entropy.max(0.0),
        effective: entropy.exp(),
        normalized: if k == 1 {
            1.0
        } else {
            entropy.max(0.0) / (k as f64).ln()
        },
        empty: counts.iter().filter(|&&count| count == 0).count(),
        k,
        n,
        model: model.to_owned(),
    })
}

/// k-means++: each start is drawn with a chance that grows with its squared distance from those before.
fn starts(real: &Vectors, k: usize, seed: u64) -> Vec<usize> {
    let mut draw = Draw::new(seed);
    let mut chosen = vec![draw.below(real.len())];
    let mut distances = vec![f64::INFINITY; real.len()];
    while chosen.len() < k {
        let last = real.row(chosen[chosen.len() - 1]);
        for (distance, row) in distances.iter_mut().zip(real.rows()) {
            let apart: f32 = row.iter().zip(last).map(|(x, y)| (x - y) * (x - y)).sum();
            *distance = distance.min(apart.into());
        }
        let mut left = draw.uniform() * distances.iter().sum::<f64>();
        let drawn = distances.iter().position(|&distance| {
            left -= distance;
            left < 0.0
        });
        // Fewer distinct rows than clusters: any row not chosen yet.
        let next = drawn.or_else(|| (0..real.len()).find(|row| !chosen.contains(row)));
        chosen.extend(next);
    }
    chosen
}

/// The mean of each cluster's rows; an empty one gets a row of its own, the farthest from its center first.
fn means(real: &Vectors, k: usize, clusters: &[u32], distances: &[f32]) -> Result<Vectors, Error> {
    let d = real.dimensions();
    let mut counts = vec![0usize; k];
    let mut sums = vec![0.0f64; k * d];
    for (row, &cluster) in real.rows().zip(clusters) {
        counts[cluster as usize] += 1;
        let sums = &mut sums[cluster as usize * d..][..d];
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += f64::from(x);
        }
    }
    let mut far: Vec<usize> = Vec::new();
    if counts.contains(&0) {
        far = (0..real.len()).collect();
        far.sort_by(|&a, &b| distances[a].total_cmp(&distances[b]).then(b.cmp(&a)));
    }
    let mut values = Vec::with_capacity(k * d);
    for (sums, &count) in sums.chunks_exact(d).zip(&counts) {
        if count > 0 {
            values.extend(sums.iter().map(|sum| (sum / count as f64) as f32));
        } else {
            values.extend_from_slice(real.row(far.pop().unwrap_or(0)));
        }
    }
    Vectors::new(real.model().clone(), d, values)
}
