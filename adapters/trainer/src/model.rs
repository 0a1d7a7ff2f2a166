//! The decoder: its layers, and a pass through them.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Result, Tensor, Var};

use crate::attention::{Heads, Rows, log_softmax, padded};
use crate::dropout::Dropout;
use crate::linear::{Linear, Weight, frozen};
use crate::norm::Norm;
use crate::shape::Shape;

/// A decoder, with what is trained of it.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) shape: Shape,
    pub(crate) device: Device,
    /// `[vocabulary, hidden]`.
    pub(crate) embedding: Weight,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norm: Norm,
    /// `[vocabulary, hidden]`, where it is not the embedding.
    pub(crate) head: Option<Weight>,
}

#[derive(Debug)]
pub(crate) struct Layer {
    pub(crate) attention_norm: Norm,
    pub(crate) query: Linear,
    pub(crate) key: Linear,
    pub(crate) value: Linear,
    pub(crate) output: Linear,
    /// Of each head's queries and keys (Qwen3).
    pub(crate) head_norms: Option<(Norm, Norm)>,
    pub(crate) forward_norm: Norm,
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

/// A row's tokens, and from which on they are answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tokens {
    /// Prompt and completion.
    pub ids: Vec<u32>,
    /// The number of tokens that the prompt has.
    pub prompt: usize,
}

impl Tokens {
    /// Tokens of the completion: those that the loss is taken of.
    pub fn completion(&self) -> usize {
        self.ids.len().saturating_sub(self.prompt.max(1))
    }
}

impl Model {
    /// What follows the layers, `[tokens, hidden]`, of tokens `[tokens]`. `attend` lets the tokens of a layer, by its number, see each other; it
    /// returns `[tokens, heads·head]`.
    pub(crate) fn hidden(
        &self,
        ids: &Tensor,
        mut dropout: Option<&mut Dropout>,
        mut attend: impl FnMut(usize, Heads) -> Result<Tensor>,
    ) -> Result<Tensor> {
        let tokens = ids.dim(0)?;
        let train = dropout.is_some();
        let mut x = embed(&self.embedding, ids, train)?;
        for (number, layer) in self.layers.iter().enumerate() {
            let y = layer.attention_norm.forward(&x, train)?;
            let split = |x: Tensor, heads: usize, norm: Option<&Norm>| {
                let x = x.reshape((tokens, heads, self.shape.head_size))?;
                match norm {
                    None => Ok(x),
                    Some(norm) => norm.forward(&x, train),
                }
            };
            let norms = layer.head_norms.as_ref();
            let query = split(
                layer.query.forward(&y, dropout.as_deref_mut())?,
                self.shape.heads,
                norms.map(|norms| &norms.0),
            )?;
            let key = split(
                layer.key.forward(&y, dropout.as_deref_mut())?,
                self.shape.kv_heads,
                norms.map(|norms| &norms.1),
            )?;
            let value = split(
                layer.value.forward(&y, dropout.as_deref_mut())?,
                self.shape.kv_heads,
                None,
            )?;
            let mixed = attend(number, Heads { query, key, value })?;
            x = (x + layer.output.forward(&mixed, dropout.as_deref_mut())?)?;
            let y = layer.forward_norm.forward(&x, train)?;
            let gate = layer.gate.forward(&y, dropout.as_deref_mut())?.silu()?;
            let gated = (gate * layer.up.forward(&y, dropout.as_deref_mut())?)?;
            x = (x + layer.down.forward(&gated, dropout.as_deref_mut())?)?;
        }
        Ok(x)
    }

    /// Logits of the next token, `[rows, vocabulary]`, for rows of what [`Self::hidden`] returns.
    pub(crate) fn logits(&self, hidden: &Tensor, train: bool) -> Result<Tensor> {
        let hidden = self.norm.forward(hidden, train)?;
        match (self.head.as_ref().unwrap_or(&self.embedding), train) {
            (Weight::Frozen(head), true) => frozen(&hidden, head),
            (head, true) => hidden.matmul(&head.tensor().t()?),
            (head, false) => hidden.matmul(&head.tensor().detach().t()?),
        }
    }

    /// Negative log-likelihoods of the rows' completions, one for each token, in the rows' order, in nats. With `dropout`, a backward pass can
    /// follow.
    pub(crate) fn losses(&self, rows: &[&Tokens], dropout: Option<&mut Dropout>) -> Result<Tensor> {
        let train = dropout.is_some();
        let ids: Vec<&[u32]> = rows.iter().map(|row| row.ids.as_slice()).collect();
        let batch = padded(&ids, &self.device)?;
        let longest = batch.dim(1)?;
        let seen = Rows::new(&self.shape, rows.len(), longest, &self.device)?;
        let hidden = self.hidden(&batch.flatten_all()?, dropout, |_, heads| {
            seen.attend(&self.shape, heads)
        })?;
        // The output layer is by far the widest: only positions before a completion's token go through it.
        let mut before = Vec::new();
        let mut targets = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            for at in row.prompt.max(1)..row.ids.len() {
                before.push((number * longest + at - 1) as u32);
                targets.push(row.ids.get(at).copied().unwrap_or_default());
            }
        }
        let count = targets.len();
        let chosen = hidden.index_select(&Tensor::from_vec(before, count, &self.device)?, 0)?;
        let logs = log_softmax(&self.logits(&chosen, train)?)?;
        let targets = Tensor::from_vec(targets, (count, 1), &self.device)?;
        logs.gather(&targets, 1)?.flatten_all()?.neg()
    }

    /// Adds adapters into the weights, and makes the model quick to ask. It can no longer be trained.
    pub(crate) fn settle(&mut self) -> Result<()> {
        for layer in &mut self.layers {
            for linear in layer.linears_mut() {
                linear.settle()?;
            }
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding).by_columns()?;
        self.head = Some(head);
        Ok(())
    }

    /// Writes the tensors that are trained into a file of safetensors.
    pub(crate) fn save_trained(&self, file: &Path) -> Result<()> {
        let named = self.trained().into_iter();
        let tensors: HashMap<String, Tensor> = named
            .map(|(name, var)| (name, var.as_detached_tensor()))
            .collect();
        candle_core::safetensors::save(&tensors, file)
    }

    /// The tensors that are trained, with their names in the files that hold them, always in the same order.
    pub(crate) fn trained(&self) -> Vec<(String, Var)> {
        let mut trained = Vec::new();
        let mut take = |name: &str, weight: &Weight| {
            if let Weight::Trained(var) = weight {
                trained.push((name.to_owned(), var.clone()));
            }
        };
        take("model.embed_tokens.weight", &self.embedding);
        take("model.norm.weight", &self.norm.weight);
        if let Some(head) = &self.head {
            take("lm_head.weight", head);
        }
        for (number, layer) in self.layers.iter().enumerate() {
            let name = |of: &str| format!("model.layers.{number}.{of}.weight");
            take(&name("input_layernorm"), &layer.attention_norm.weight);
            take(&name("post_attention_layernorm"), &layer.forward_norm.weight);
            if let Some((query, key)) = &layer.head_norms {
                take(&name("self_attn.q_norm"), &query.weight);
                take(&name("self_attn.k_norm"), &key.weight);
            }
            for linear in layer.linears() {
                take(&format!("{}.weight", linear.name), &linear.weight);
                if let Some(bias) = &linear.bias {
                    take(&format!("{}.bias", linear.name), bias);
                }
            }
        }
        for linear in self.layers.iter().flat_map(Layer::linears) {
            if let Some(adapter) = &linear.adapter {
                let name = |of: &str| format!("base_model.model.{}.{of}.weight", linear.name);
                trained.push((name("lora_A"), adapter.a.clone()));
                trained.push((name("lora_B"), adapter.b.clone()));
            }
        }
        trained
    }
}

impl Layer {
    pub(crate) fn linears(&self) -> [&Linear; 7] {
        [
            &self.query,
            &self.key,
            &self.value,
            &self.output,
            &self.gate,
            &self.up,
            &self.down,
        ]
    }

    fn linears_mut(&mut self) -> [&mut Linear; 7] {
        [
            &mut self.query,
            &mut self.key,
            &mut self.value,
            &mut self.output,
            &mut self.gate,
            &mut self.up,
            &mut self.down,
        ]
    }
}

/// Rows of the embedding, `[tokens, hidden]`.
fn embed(embedding: &Weight, ids: &Tensor, train: bool) -> Result<Tensor> {
    match (embedding, train) {
        (Weight::Trained(var), true) => var.as_tensor().index_select(ids, 0),
        (weight, _) => weight.tensor().detach().index_select(ids, 0),
    }
}
