//! Which concepts rows belong to: by the labels they carry, by embedding with a stated confidence, or by the clusters found in them.
//!
//! The confidence of an embedding is a probability: it is calibrated on the seeds whose labels say what they are about ([`trial`]). Where
//! no labels do, the embedding's own certainty is taken for one.

mod trial;

use std::num::NonZeroUsize;

use gristmill_domain::concept::Catalogue;
use gristmill_domain::job::{Assign, Concept, Concepts};
use gristmill_domain::seed::Seed;
use gristmill_measure::assign::Prototypes;
use gristmill_measure::calibrate::{Calibration, sigmoid};
use gristmill_measure::clusters::Clusters;
use gristmill_measure::naming::ClusterWords;
use gristmill_measure::{UnitVectors, Vectors};

use crate::Error;
use crate::seeds::SeedStore;

use trial::Labelled;
pub use trial::{Hits, Trial};

/// Rounds of finding clusters start from this.
const CLUSTER_SEED: u64 = 0;
/// Questions of a found concept that stand as its examples.
const EXAMPLES: usize = 3;

/// A concept that a row belongs to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Belongs {
    /// Its number.
    pub concept: u32,
    /// How probable that is; 1 where a label of its own says so.
    pub confidence: f64,
}

/// Assigns rows to concepts.
pub struct Assigner {
    catalogue: Catalogue,
    prototypes: Option<Prototypes>,
    calibration: Calibration,
    trial: Option<Trial>,
    confidence: f64,
    /// Concepts that a model is shown, where one assigns new questions.
    choices: Option<usize>,
}

impl Assigner {
    /// Texts to embed for knowing a list's concepts by, in their order; none where labels alone decide, or where concepts are found.
    pub fn texts(concepts: &Concepts) -> Vec<String> {
        if concepts.assign == Assign::Labels {
            return Vec::new();
        }
        concepts.leaves().flat_map(Catalogue::texts).collect()
    }

    /// An assigner of a list; `vectors` are those of [`texts`](Self::texts), by the model of that name, or none where nothing is embedded.
    ///
    /// # Errors
    /// Vectors that are none, or are not one a text.
    pub fn new(concepts: &Concepts, model: &str, vectors: Vec<Vec<f32>>) -> Result<Self, Error> {
        let catalogue = Catalogue::new(concepts);
        let concept_of: Vec<u32> = (0..)
            .zip(catalogue.concepts())
            .flat_map(|(number, concept)| Catalogue::texts(concept).into_iter().map(move |_| number))
            .collect();
        let prototypes = match concepts.assign {
            Assign::Labels => None,
            Assign::Model if vectors.is_empty() => None,
            Assign::Embedding | Assign::Model => Some(Prototypes::new(unit(model, vectors)?, concept_of)?),
        };
        Ok(Self {
            calibration: uncalibrated(&catalogue),
            trial: None,
            catalogue,
            prototypes,
            confidence: concepts.confidence,
            choices: choices(concepts),
        })
    }

    /// What a job's rows are assigned by: its list, or clusters found in its seeds, which takes seconds for many. `vectors` are those of the
    /// seeds by ordinal, `known` those of [`texts`](Self::texts), all by the model of that name.
    ///
    /// # Errors
    /// Vectors that are none, or are not one a text; seeds that cannot be read.
    pub async fn of_job(
        concepts: &Concepts,
        model: &str,
        seeds: &SeedStore,
        vectors: &[Vec<f32>],
        known: Vec<Vec<f32>>,
    ) -> Result<Self, Error> {
        if concepts.found.is_none() {
            return Self::new(concepts, model, known)?.learned(seeds, vectors).await;
        }
        let of_anchor = (0..seeds.anchors())
            .filter_map(|n| vectors.get(seeds.anchor(n) as usize).cloned())
            .collect();
        let (settings, name) = (concepts.clone(), model.to_owned());
        let threads = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let finding = tokio::task::spawn_blocking(move || Found::find(&settings, &name, of_anchor, threads));
        let found = finding.await.map_err(|_| Error::Interrupted)??;
        Self::found(concepts, found, |n| {
            Ok(seeds.read(seeds.anchor(n as u64))?.question)
        })
    }

    /// The assigner with its confidence calibrated on the seeds whose labels say what they are about, where there are any.
    async fn learned(mut self, seeds: &SeedStore, vectors: &[Vec<f32>]) -> Result<Self, Error> {
        let Some(prototypes) = self.prototypes.take() else {
            return Ok(self);
        };
        let mut labelled = Vec::new();
        for n in 0..seeds.anchors() {
            let ordinal = seeds.anchor(n);
            let seed = seeds.read(ordinal)?;
            if let Some(vector) = vectors.get(ordinal as usize)
                && !seed.concepts.is_empty()
            {
                labelled.push(Labelled {
                    concepts: self.catalogue.by_labels(&seed.concepts),
                    vector: vector.clone(),
                });
            }
        }
        let (concepts, confidence) = (self.catalogue.len(), self.confidence);
        let trying = tokio::task::spawn_blocking(move || {
            let found = trial::calibrated(&prototypes, &labelled, concepts, confidence);
            (prototypes, found)
        });
        let (prototypes, found) = trying.await.map_err(|_| Error::Interrupted)?;
        if let Some((calibration, trial)) = found {
            (self.calibration, self.trial) = (calibration, Some(trial));
        }
        self.prototypes = Some(prototypes);
        Ok(self)
    }

    /// An assigner by labels alone, also for concepts that are otherwise known by embedding.
    pub fn by_labels(concepts: &Concepts) -> Self {
        let catalogue = Catalogue::new(concepts);
        Self {
            calibration: uncalibrated(&catalogue),
            trial: None,
            catalogue,
            prototypes: None,
            confidence: concepts.confidence,
            choices: choices(concepts),
        }
    }

    /// An assigner of found clusters, each named by its own words; `question` tells a seed's question by its place among the vectors.
    ///
    /// # Errors
    /// Those of `question`.
    fn found(
        concepts: &Concepts,
        found: Found,
        question: impl Fn(usize) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let mut words = ClusterWords::new(found.nearest.len());
        for (row, &cluster) in found.cluster_of.iter().enumerate() {
            words.add(cluster as usize, &question(row)?);
        }
        let mut named = Vec::with_capacity(found.nearest.len());
        for (name, nearest) in words.names().into_iter().zip(&found.nearest) {
            let concept = Concept {
                name,
                examples: nearest
                    .iter()
                    .map(|row| question(*row))
                    .collect::<Result<_, _>>()?,
                ..Concept::default()
            };
            named.push((concept, concepts.target.unwrap_or(0)));
        }
        let catalogue = Catalogue::of(named);
        Ok(Self {
            calibration: uncalibrated(&catalogue),
            trial: None,
            catalogue,
            prototypes: Some(found.centers),
            confidence: concepts.confidence,
            choices: choices(concepts),
        })
    }

    /// The concepts.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// The concepts of a seed: those that its labels name, or else the one that it is near with confidence.
    pub fn of_seed(&self, seed: &Seed, vector: Option<&[f32]>) -> Vec<Belongs> {
        let labelled = self.catalogue.by_labels(&seed.concepts);
        if labelled.is_empty() {
            return self.of_vector(vector).into_iter().collect();
        }
        labelled
            .into_iter()
            .map(|concept| Belongs {
                concept,
                confidence: 1.0,
            })
            .collect()
    }

    /// The concepts that a model is shown to assign a new question by: those `asked` for, and the nearest; none where no model does.
    pub(crate) fn choices(&self, vector: Option<&[f32]>, asked: &[u32]) -> Vec<u32> {
        let all = self.catalogue.len();
        match (self.choices, &self.prototypes, vector) {
            (None, _, _) => Vec::new(),
            (Some(most), _, _) if all <= most => (0..all as u32).collect(),
            (Some(most), Some(prototypes), Some(vector)) => {
                // Of those asked for, the nearest are left where there is no room for all.
                let near = |among: &[u32], most| prototypes.nearest_of(vector, among, most);
                let others: Vec<u32> = (0..all as u32).filter(|n| !asked.contains(n)).collect();
                let mut shown = near(asked, most);
                shown.extend(near(&others, most - shown.len()));
                shown.sort_unstable();
                shown
            }
            (Some(_), _, _) => Vec::new(),
        }
    }

    /// True where new questions are assigned: by their words, or by a model. By labels alone they never are.
    pub(crate) fn weighs(&self) -> bool {
        self.prototypes.is_some() || self.choices.is_some()
    }

    /// Probability from which a row belongs to a concept.
    pub(crate) fn confidence(&self) -> f64 {
        self.confidence
    }

    /// How each concept fits a question, by its number, as log odds; `None` where nothing is embedded. What they are worth, says the
    /// [`calibration`](Self::calibration).
    pub(crate) fn scores(&self, vector: Option<&[f32]>) -> Option<Vec<f64>> {
        self.prototypes.as_ref()?.log_odds(vector?)
    }

    /// What scores are worth.
    pub(crate) fn calibration(&self) -> &Calibration {
        &self.calibration
    }

    /// How good assigning by embedding is, by the seeds' labels, where these say enough.
    pub fn trial(&self) -> Option<&Trial> {
        self.trial.as_ref()
    }

    /// The concept that a question is near with confidence.
    pub fn of_vector(&self, vector: Option<&[f32]>) -> Option<Belongs> {
        let scores = (0..).zip(self.scores(vector)?);
        // Of equals the earlier.
        let (concept, score) = scores.reduce(|best, at| if at.1 > best.1 { at } else { best })?;
        let confidence = sigmoid(self.calibration.log_odds(score));
        (confidence >= self.confidence).then_some(Belongs { concept, confidence })
    }
}

/// Takes an embedding's certainty for a probability. Nothing known, each concept is as likely as "none of them".
fn uncalibrated(catalogue: &Catalogue) -> Calibration {
    Calibration::identity(-(catalogue.len().max(1) as f64).ln())
}

fn choices(concepts: &Concepts) -> Option<usize> {
    concepts.by_model().then_some(concepts.choices as usize)
}

/// Clusters found in seeds.
struct Found {
    centers: Prototypes,
    cluster_of: Vec<u32>,
    /// Of each cluster, the seeds nearest to its center, closest first.
    nearest: Vec<Vec<usize>>,
}

impl Found {
    /// Finds as many clusters as a job says, or as there are seeds. Takes seconds for many seeds.
    ///
    /// # Errors
    /// Vectors that are none.
    fn find(
        concepts: &Concepts,
        model: &str,
        vectors: Vec<Vec<f32>>,
        threads: NonZeroUsize,
    ) -> Result<Self, Error> {
        let seeds = unit(model, vectors)?;
        let seeds = seeds.as_vectors();
        let k = (concepts.found.unwrap_or(1) as usize).clamp(1, seeds.len().max(1));
        let clusters = Clusters::fit(seeds, k, CLUSTER_SEED, threads)?;
        let cluster_of = clusters.assign(seeds, threads)?;
        let centers = clusters.centers().clone().normalized()?;
        let nearest = (0..k)
            .map(|cluster| {
                let center = centers.as_vectors().row(cluster);
                let cosine =
                    |row: usize| -> f32 { seeds.row(row).iter().zip(center).map(|(x, y)| x * y).sum() };
                let mut members: Vec<usize> = (0..cluster_of.len())
                    .filter(|row| cluster_of[*row] as usize == cluster)
                    .collect();
                members.sort_by(|a, b| cosine(*b).total_cmp(&cosine(*a)).then(a.cmp(b)));
                members.truncate(EXAMPLES);
                members
            })
            .collect();
        Ok(Self {
            centers: Prototypes::new(centers, (0..k as u32).collect())?,
            cluster_of,
            nearest,
        })
    }
}

fn unit(model: &str, vectors: Vec<Vec<f32>>) -> Result<UnitVectors, Error> {
    let dimensions = vectors.first().map_or(0, Vec::len);
    Ok(Vectors::new(model, dimensions, vectors.concat())?.normalized()?)
}
