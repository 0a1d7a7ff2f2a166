//! Linear layers: frozen, frozen with a low-rank adapter (LoRA, Hu et al. 2021, arXiv 2106.09685), or trained whole.

use candle_core::{
    CpuStorage, CudaStorage, CustomOp1, CustomOp3, Error, Layout, Result, Shape, Storage, Tensor, Var, bail,
};

use crate::dropout::Dropout;

/// `y = x Wᵀ + b`, with what is trained of it.
#[derive(Debug)]
pub(crate) struct Linear {
    /// Name in PEFT's files, without `base_model.model.`: `model.layers.0.self_attn.q_proj`.
    pub(crate) name: String,
    /// `[out, in]`.
    pub(crate) weight: Weight,
    /// `[out]`, never trained by an adapter.
    pub(crate) bias: Option<Weight>,
    pub(crate) adapter: Option<Adapter>,
}

/// A tensor of the base model.
#[derive(Debug)]
pub(crate) enum Weight {
    /// Gets no gradient, so that the backward pass has half the work.
    Frozen(Tensor),
    Trained(Var),
}

impl Weight {
    pub(crate) fn tensor(&self) -> &Tensor {
        match self {
            Self::Frozen(tensor) => tensor,
            Self::Trained(var) => var.as_tensor(),
        }
    }

    /// The same numbers of a matrix, held column by column: products with few rows run through it in the order in which it is held.
    pub(crate) fn by_columns(&self) -> Result<Self> {
        Ok(Self::Frozen(self.tensor().detach().t()?.contiguous()?.t()?))
    }
}

/// What LoRA adds to a layer: `y += scale · dropout(x) Aᵀ Bᵀ`.
#[derive(Debug)]
pub(crate) struct Adapter {
    /// `[rank, in]`.
    pub(crate) a: Var,
    /// `[out, rank]`, zero at first.
    pub(crate) b: Var,
    /// `alpha / rank`.
    pub(crate) scale: f64,
}

impl Linear {
    /// Applies the layer to `x`, `[tokens, in]`. With `dropout`, gradients flow; without, nothing of it is remembered.
    pub(crate) fn forward(&self, x: &Tensor, dropout: Option<&mut Dropout>) -> Result<Tensor> {
        let y = match (&self.weight, &self.adapter, dropout) {
            (Weight::Frozen(weight), Some(adapter), Some(dropout)) => {
                let mask = dropout.mask(x.dims2()?, x.device())?;
                adapted(x, weight, adapter, mask)?
            }
            (Weight::Frozen(weight), Some(adapter), None) => {
                let low = x.matmul(&adapter.a.as_detached_tensor().t()?)?;
                let added = low.matmul(&adapter.b.as_detached_tensor().t()?)?;
                (x.matmul(&weight.t()?)? + (added * adapter.scale)?)?
            }
            (Weight::Frozen(weight), None, Some(_)) => frozen(x, weight)?,
            (Weight::Frozen(weight), None, None) => x.matmul(&weight.t()?)?,
            (Weight::Trained(weight), _, Some(_)) => x.matmul(&weight.as_tensor().t()?)?,
            (Weight::Trained(weight), _, None) => x.matmul(&weight.as_detached_tensor().t()?)?,
        };
        match &self.bias {
            None => Ok(y),
            Some(bias) => y.broadcast_add(bias.tensor()),
        }
    }

    /// Adds the adapter into the weight, and makes the layer quick to ask. It can no longer be trained.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if let Some(adapter) = self.adapter.take() {
            let (a, b) = (adapter.a.as_detached_tensor(), adapter.b.as_detached_tensor());
            let added = (b.matmul(&a)? * adapter.scale)?;
            self.weight = Weight::Frozen((self.weight.tensor().detach() + added)?);
        }
        self.weight = self.weight.by_columns()?;
        Ok(())
    }
}

/// `x Wᵀ` whose backward pass computes the gradient of `x` only.
pub(crate) fn frozen(x: &Tensor, weight: &Tensor) -> Result<Tensor> {
    let y = x.detach().matmul(&weight.t()?)?;
    x.apply_op1(Frozen {
        y,
        weight: weight.clone(),
    })
}

struct Frozen {
    y: Tensor,
    weight: Tensor,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        on_cpu(&self.y)
    }

    fn cuda_fwd(&self, _: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        on_cuda(&self.y)
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, gradient: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(gradient.contiguous()?.matmul(&self.weight)?))
    }
}

/// The frozen layer and its adapter as one operation, so that nothing is remembered but what its own backward pass needs.
fn adapted(x: &Tensor, weight: &Tensor, adapter: &Adapter, mask: Option<Tensor>) -> Result<Tensor> {
    let (a, b) = (adapter.a.as_tensor(), adapter.b.as_tensor());
    let kept = match &mask {
        None => x.detach(),
        Some(mask) => (x.detach() * mask)?,
    };
    let low = (kept.matmul(&a.detach().t()?)? * adapter.scale)?;
    let y = (x.detach().matmul(&weight.t()?)? + low.matmul(&b.detach().t()?)?)?;
    let operation = Adapted {
        y,
        weight: weight.clone(),
        kept,
        mask,
        low,
        scale: adapter.scale,
    };
    x.apply_op3(a, b, operation)
}

struct Adapted {
    y: Tensor,
    weight: Tensor,
    /// The input after dropout.
    kept: Tensor,
    mask: Option<Tensor>,
    /// `scale · kept Aᵀ`.
    low: Tensor,
    scale: f64,
}

impl CustomOp3 for Adapted {
    fn name(&self) -> &'static str {
        "adapted-linear"
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        on_cpu(&self.y)
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        on_cuda(&self.y)
    }

    fn bwd(
        &self,
        _: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let gradient = gradient.contiguous()?;
        let of_b = gradient.t()?.matmul(&self.low)?;
        let of_low = (gradient.matmul(&b.detach())? * self.scale)?;
        let of_a = of_low.t()?.matmul(&self.kept)?;
        let mut through = of_low.matmul(&a.detach())?;
        if let Some(mask) = &self.mask {
            through = (through * mask)?;
        }
        let of_x = (gradient.matmul(&self.weight)? + through)?;
        Ok((Some(of_x), Some(of_a), Some(of_b)))
    }
}

/// A tensor that was computed before, as the result of an operation.
pub(crate) fn on_cpu(y: &Tensor) -> Result<(CpuStorage, Shape)> {
    let (storage, _) = y.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => Ok((storage.clone(), y.shape().clone())),
        _ => bail!("the model is on another device than its input"),
    }
}

pub(crate) fn on_cuda(y: &Tensor) -> Result<(CudaStorage, Shape)> {
    let (storage, layout) = y.storage_and_layout();
    match storage.try_clone(layout)? {
        Storage::Cuda(storage) => Ok((storage, y.shape().clone())),
        _ => Err(Error::Msg("the model is on another device than its input".to_owned()).bt()),
    }
}
