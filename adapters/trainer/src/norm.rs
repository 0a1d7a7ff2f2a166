//! Root-mean-square normalisation as one operation (Zhang and Sennrich 2019, arXiv 1910.07467).

use candle_core::{CpuStorage, CudaStorage, CustomOp1, D, Layout, Result, Shape, Tensor};

use crate::linear::{Weight, on_cpu, on_cuda};

/// `x / √(mean(x²) + ε) · w` over the last dimension.
#[derive(Debug)]
pub(crate) struct Norm {
    /// `[width]`.
    pub(crate) weight: Weight,
    pub(crate) epsilon: f64,
}

impl Norm {
    /// Normalises `x`, `[…, width]`. `remember` keeps what a backward pass needs.
    pub(crate) fn forward(&self, x: &Tensor, remember: bool) -> Result<Tensor> {
        match (&self.weight, remember) {
            (Weight::Frozen(weight), true) => {
                let (normal, inverse) = self.normal(&x.detach())?;
                let y = normal.broadcast_mul(weight)?;
                let operation = Frozen {
                    y,
                    normal,
                    inverse,
                    weight: weight.clone(),
                };
                x.apply_op1(operation)
            }
            (Weight::Trained(weight), true) => {
                let inverse = self.inverse(x)?;
                x.broadcast_mul(&inverse)?.broadcast_mul(weight.as_tensor())
            }
            (weight, false) => self.normal(x)?.0.broadcast_mul(&weight.tensor().detach()),
        }
    }

    fn inverse(&self, x: &Tensor) -> Result<Tensor> {
        (x.sqr()?.mean_keepdim(D::Minus1)? + self.epsilon)?
            .sqrt()?
            .recip()
    }

    fn normal(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        let inverse = self.inverse(x)?;
        Ok((x.broadcast_mul(&inverse)?, inverse))
    }
}

/// Of a weight that is not trained: the gradient of `x` only.
struct Frozen {
    y: Tensor,
    normal: Tensor,
    inverse: Tensor,
    weight: Tensor,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-norm"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu(&self.y)
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        on_cuda(&self.y)
    }

    /// With `n = x/r`: `dx = (g·w − n · mean(g·w·n)) / r`.
    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        let scaled = gradient.broadcast_mul(&self.weight)?;
        let along = (&scaled * &self.normal)?.mean_keepdim(D::Minus1)?;
        let across = (scaled - self.normal.broadcast_mul(&along)?)?;
        across.broadcast_mul(&self.inverse).map(Some)
    }
}
