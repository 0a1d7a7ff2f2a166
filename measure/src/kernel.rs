//! Similarity of two unit vectors.

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::tile::{Absolute, Dot, Form, Squared};

/// A kernel of DCScore and Vendi, as in the reference code of DCScore (arXiv 2502.08512). 1 at most for all but
/// [`Kernel::Polynomial`]; largest for a vector with itself for all.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Kernel {
    /// `x·y`.
    #[default]
    Cosine,
    /// `exp(-γ‖x-y‖²)`.
    Rbf {
        /// γ, over 0.
        gamma: f64,
    },
    /// `exp(-γ‖x-y‖₁)`.
    Laplacian {
        /// γ, over 0.
        gamma: f64,
    },
    /// `(x·y/d + 1)^degree` for `d` dimensions.
    Polynomial {
        /// 1 to 64.
        degree: u32,
    },
}

impl Kernel {
    /// The kernel of two vectors of one length, in double precision.
    pub fn of(&self, x: &[f32], y: &[f32]) -> f64 {
        let pairs = || x.iter().zip(y).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        let dot = || pairs().map(|(x, y)| x * y).sum::<f64>();
        match *self {
            Self::Cosine => dot(),
            Self::Rbf { gamma } => (-gamma * pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>()).exp(),
            Self::Laplacian { gamma } => (-gamma * pairs().map(|(x, y)| (x - y).abs()).sum::<f64>()).exp(),
            // At most 64 by `check`.
            Self::Polynomial { degree } => (dot() / x.len() as f64 + 1.0).powi(degree.min(64) as i32),
        }
    }

    /// What it is for a unit vector with itself: no pair's is larger.
    pub(crate) fn peak(&self, dimensions: usize) -> f64 {
        match self {
            Self::Polynomial { degree } => Polynomial::new(*degree, dimensions).of(1.0),
            Self::Cosine | Self::Rbf { .. } | Self::Laplacian { .. } => 1.0,
        }
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match *self {
            Self::Rbf { gamma } | Self::Laplacian { gamma } => positive("gamma", gamma),
            Self::Polynomial { degree } if !(1..=64).contains(&degree) => Err(Error::Setting {
                name: "degree",
                value: degree.into(),
                must: "between 1 and 64",
            }),
            Self::Cosine | Self::Polynomial { .. } => Ok(()),
        }
    }
}

pub(crate) fn positive(name: &'static str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::Setting {
        name,
        value,
        must: "a finite number over 0",
    })
}

/// A kernel as a function of what is summed over a pair's dimensions.
pub(crate) trait OfPair: Copy + Send + Sync {
    type Form: Form;

    fn of(&self, sum: f64) -> f64;
}

#[derive(Clone, Copy)]
pub(crate) struct Cosine;

#[derive(Clone, Copy)]
pub(crate) struct Rbf {
    pub(crate) gamma: f64,
}

#[derive(Clone, Copy)]
pub(crate) struct Laplacian {
    pub(crate) gamma: f64,
}

#[derive(Clone, Copy)]
pub(crate) struct Polynomial {
    degree: u32,
    scale: f64,
}

impl Polynomial {
    pub(crate) fn new(degree: u32, dimensions: usize) -> Self {
        Self {
            degree,
            scale: (dimensions as f64).recip(),
        }
    }
}

impl OfPair for Cosine {
    type Form = Dot;

    #[inline(always)]
    fn of(&self, sum: f64) -> f64 {
        sum
    }
}

impl OfPair for Rbf {
    type Form = Squared;

    #[inline(always)]
    fn of(&self, sum: f64) -> f64 {
        crate::exp::exp(-self.gamma * sum)
    }
}

impl OfPair for Laplacian {
    type Form = Absolute;

    #[inline(always)]
    fn of(&self, sum: f64) -> f64 {
        crate::exp::exp(-self.gamma * sum)
    }
}

impl OfPair for Polynomial {
    type Form = Dot;

    #[inline(always)]
    fn of(&self, sum: f64) -> f64 {
        let base = sum * self.scale + 1.0;
        (1..self.degree).fold(base, |power, _| power * base)
    }
}
