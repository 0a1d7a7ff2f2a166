//! A model in memory, ready to be trained or asked.

use candle_core::{DType, Device, Tensor, Var};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use gristmill_domain::training::{Lora, Method};

use crate::Error;
use crate::linear::{Adapter, Linear, Weight};
use crate::model::{Layer, Model};
use crate::norm::Norm;
use crate::weights::Base;

/// What is trained of a model.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trained {
    /// Nothing.
    Nothing,
    /// Every tensor.
    Whole,
    /// Adapters of its linear layers; the seed draws what they begin with.
    Adapters { lora: Lora, seed: u64 },
}

impl Trained {
    pub(crate) fn of(method: Method, lora: Lora, seed: u64) -> Self {
        match method {
            Method::Full => Self::Whole,
            Method::Lora => Self::Adapters { lora, seed },
        }
    }
}

/// Reads the base model's tensors.
///
/// # Errors
/// [`Error::Model`] where one is missing or has another size than the model's shape says.
pub(crate) fn load(mut base: Base, trained: Trained, device: &Device) -> Result<Model, Error> {
    let mut loader = Loader {
        draws: ChaCha8Rng::seed_from_u64(match trained {
            Trained::Adapters { seed, .. } => seed,
            _ => 0,
        }),
        base: &mut base,
        trained,
        device,
    };
    let shape = loader.base.shape.clone();
    let (hidden, vocabulary) = (shape.hidden, shape.vocabulary);
    let embedding = loader.weight("model.embed_tokens.weight", &[vocabulary, hidden])?;
    let mut layers = Vec::with_capacity(shape.layers);
    for number in 0..shape.layers {
        layers.push(loader.layer(number)?);
    }
    let norm = loader.norm("model.norm.weight", hidden)?;
    let head = match shape.tied {
        true => None,
        false => Some(loader.weight("lm_head.weight", &[vocabulary, hidden])?),
    };
    Ok(Model {
        device: device.clone(),
        shape,
        embedding,
        layers,
        norm,
        head,
    })
}

struct Loader<'a> {
    base: &'a mut Base,
    trained: Trained,
    device: &'a Device,
    draws: ChaCha8Rng,
}

impl Loader<'_> {
    fn layer(&mut self, number: usize) -> Result<Layer, Error> {
        let shape = self.base.shape.clone();
        let (hidden, inner) = (shape.hidden, shape.intermediate);
        let (queries, keys) = (shape.heads * shape.head_size, shape.kv_heads * shape.head_size);
        let name = |of: &str| format!("model.layers.{number}.{of}");
        let head_norm = |loader: &mut Self, of: &str| {
            let name = format!("model.layers.{number}.self_attn.{of}.weight");
            let found = loader.base.take_if_there(&name, loader.device)?;
            found
                .map(|found| loader.norm_of(&name, found, shape.head_size))
                .transpose()
        };
        let head_norms = head_norm(self, "q_norm")?.zip(head_norm(self, "k_norm")?);
        Ok(Layer {
            attention_norm: self.norm(&format!("{}.weight", name("input_layernorm")), hidden)?,
            query: self.linear(name("self_attn.q_proj"), queries, hidden)?,
            key: self.linear(name("self_attn.k_proj"), keys, hidden)?,
            value: self.linear(name("self_attn.v_proj"), keys, hidden)?,
            output: self.linear(name("self_attn.o_proj"), hidden, queries)?,
            head_norms,
            forward_norm: self.norm(&format!("{}.weight", name("post_attention_layernorm")), hidden)?,
            gate: self.linear(name("mlp.gate_proj"), inner, hidden)?,
            up: self.linear(name("mlp.up_proj"), inner, hidden)?,
            down: self.linear(name("mlp.down_proj"), hidden, inner)?,
        })
    }

    fn linear(&mut self, name: String, out: usize, input: usize) -> Result<Linear, Error> {
        let weight = self.weight(&format!("{name}.weight"), &[out, input])?;
        let bias_name = format!("{name}.bias");
        let bias = self.base.take_if_there(&bias_name, self.device)?;
        let bias = bias.map(|bias| self.kept(&bias_name, bias, &[out])).transpose()?;
        let adapter = match self.trained {
            Trained::Adapters { lora, .. } => Some(self.adapter(lora, out, input)?),
            Trained::Nothing | Trained::Whole => None,
        };
        Ok(Linear {
            name,
            weight,
            bias,
            adapter,
        })
    }

    /// As PEFT begins: `A` uniform within ±1/√in (Kaiming with a = √5), `B` zero.
    fn adapter(&mut self, lora: Lora, out: usize, input: usize) -> Result<Adapter, Error> {
        let rank = lora.rank as usize;
        let bound = (1.0 / input as f64).sqrt() as f32;
        let a: Vec<f32> = (0..rank * input)
            .map(|_| self.draws.random_range(-bound..=bound))
            .collect();
        let a = Tensor::from_vec(a, (rank, input), self.device)?;
        Ok(Adapter {
            a: Var::from_tensor(&a)?,
            b: Var::zeros((out, rank), DType::F32, self.device)?,
            scale: lora.scale(),
        })
    }

    fn norm(&mut self, name: &str, width: usize) -> Result<Norm, Error> {
        let tensor = self.base.take(name, self.device)?;
        self.norm_of(name, tensor, width)
    }

    fn norm_of(&self, name: &str, tensor: Tensor, width: usize) -> Result<Norm, Error> {
        Ok(Norm {
            weight: self.kept(name, tensor, &[width])?,
            epsilon: self.base.shape.norm_epsilon,
        })
    }

    fn weight(&mut self, name: &str, dims: &[usize]) -> Result<Weight, Error> {
        let tensor = self.base.take(name, self.device)?;
        self.kept(name, tensor, dims)
    }

    fn kept(&self, name: &str, tensor: Tensor, dims: &[usize]) -> Result<Weight, Error> {
        if tensor.dims() != dims {
            let reason = format!(
                "the tensor `{name}` has the size {:?}, and the model's shape wants {dims:?}",
                tensor.dims()
            );
            return Err(Error::model(&self.base.path, reason));
        }
        Ok(match self.trained {
            Trained::Whole => Weight::Trained(Var::from_tensor(&tensor)?),
            Trained::Nothing | Trained::Adapters { .. } => Weight::Frozen(tensor),
        })
    }
}
