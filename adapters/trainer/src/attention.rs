//! Causal attention with rotary positions, and the keys and values that generation keeps.

use candle_core::{D, DType, Device, Result, Tensor};

use crate::shape::Shape;

/// Angles of the positions of a batch, and which positions see which.
#[derive(Debug)]
pub(crate) struct Positions {
    /// `[batch or 1, 1, tokens, head/2]`.
    cosine: Tensor,
    sine: Tensor,
    /// `[batch or 1, 1, tokens, seen]`, 0 or a large negative number.
    mask: Tensor,
}

/// What a masked position's score is lowered by: finite, so that a row of masked positions stays a number.
const MASKED: f32 = -1e9;

impl Positions {
    /// Of whole rows from their first token on: each token sees those before it.
    pub(crate) fn whole(shape: &Shape, tokens: usize, device: &Device) -> Result<Self> {
        let mask = (0..tokens).flat_map(|row| (0..tokens).map(move |seen| masked(seen > row)));
        let mask = Tensor::from_iter(mask, device)?.reshape((1, 1, tokens, tokens))?;
        Self::new(shape, 1, (0..tokens as u32).collect(), mask, device)
    }

    /// Of one more token in each row of a batch, whose prompts were padded to `padded` tokens, behind `behind` tokens that followed them.
    pub(crate) fn next(
        shape: &Shape,
        lengths: &[usize],
        padded: usize,
        behind: usize,
        device: &Device,
    ) -> Result<Self> {
        let seen = padded + behind + 1;
        let mask = lengths
            .iter()
            .flat_map(|length| (0..seen).map(move |at| masked(at >= *length && at < padded)));
        let mask = Tensor::from_iter(mask, device)?.reshape((lengths.len(), 1, 1, seen))?;
        let positions = lengths.iter().map(|length| (length + behind) as u32).collect();
        Self::new(shape, lengths.len(), positions, mask, device)
    }

    fn new(shape: &Shape, rows: usize, positions: Vec<u32>, mask: Tensor, device: &Device) -> Result<Self> {
        let pairs = shape.rope_speeds.len();
        let tokens = positions.len() / rows.max(1);
        let angles = positions.iter().flat_map(|position| {
            shape
                .rope_speeds
                .iter()
                .map(move |speed| *position as f32 * speed)
        });
        let angles = Tensor::from_iter(angles, device)?.reshape((rows, 1, tokens, pairs))?;
        Ok(Self {
            cosine: angles.cos()?,
            sine: angles.sin()?,
            mask,
        })
    }

    /// Rotates `[batch, heads, tokens, head]`, the halves of a head being its pairs.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        let half = x.dim(D::Minus1)? / 2;
        let (left, right) = (x.narrow(3, 0, half)?, x.narrow(3, half, half)?);
        let turned_left = (left.broadcast_mul(&self.cosine)? - right.broadcast_mul(&self.sine)?)?;
        let turned_right = (right.broadcast_mul(&self.cosine)? + left.broadcast_mul(&self.sine)?)?;
        Tensor::cat(&[turned_left, turned_right], 3)
    }
}

fn masked(is: bool) -> f32 {
    if is { MASKED } else { 0.0 }
}

/// Keys and values of one layer, `[batch, kv_heads, tokens, head]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cache {
    pub(crate) kept: Option<(Tensor, Tensor)>,
}

/// Attention over queries `[batch, heads, tokens, head]` and keys and values of fewer heads; returns `[batch·tokens, heads·head]`.
pub(crate) fn attend(
    shape: &Shape,
    positions: &Positions,
    (query, key, value): (Tensor, Tensor, Tensor),
    cache: Option<&mut Cache>,
) -> Result<Tensor> {
    let (batch, heads, tokens, size) = query.dims4()?;
    let (query, mut key, mut value) = (positions.rotate(&query)?, positions.rotate(&key)?, value);
    if let Some(cache) = cache {
        if let Some((old_key, old_value)) = &cache.kept {
            key = Tensor::cat(&[old_key, &key], 2)?;
            value = Tensor::cat(&[old_value, &value], 2)?;
        }
        cache.kept = Some((key.clone(), value.clone()));
    }
    let (kv, seen) = (shape.kv_heads, key.dim(2)?);
    // The heads that share a key stand one below the other, so that no key is copied.
    let query = query.reshape((batch * kv, heads / kv * tokens, size))?;
    let key = key.reshape((batch * kv, seen, size))?;
    let value = value.contiguous()?.reshape((batch * kv, seen, size))?;
    let scores = (query.matmul(&key.t()?)? * (size as f64).powf(-0.5))?;
    let scores = scores
        .reshape((batch, heads, tokens, seen))?
        .broadcast_add(&positions.mask)?;
    let shares = softmax(&scores)?.reshape((batch * kv, heads / kv * tokens, seen))?;
    let mixed = shares.matmul(&value)?.reshape((batch, heads, tokens, size))?;
    mixed
        .transpose(1, 2)?
        .contiguous()?
        .reshape((batch * tokens, heads * size))
}

/// Shares over the last dimension that sum to one.
fn softmax(x: &Tensor) -> Result<Tensor> {
    let highest = x.max_keepdim(D::Minus1)?.detach();
    let powers = x.broadcast_sub(&highest)?.exp()?;
    let sum = powers.sum_keepdim(D::Minus1)?;
    powers.broadcast_div(&sum)
}

/// Logarithms of the shares over the last dimension.
pub(crate) fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let highest = x.max_keepdim(D::Minus1)?.detach();
    let moved = x.broadcast_sub(&highest)?;
    let sum = moved.exp()?.sum_keepdim(D::Minus1)?.log()?;
    moved.broadcast_sub(&sum)
}

/// Tokens of a batch, padded at their ends: `[rows, longest]`.
pub(crate) fn padded(rows: &[&[u32]], device: &Device) -> Result<Tensor> {
    let longest = rows.iter().map(|row| row.len()).max().unwrap_or_default();
    let ids = rows.iter().flat_map(|row| {
        row.iter()
            .copied()
            .chain(std::iter::repeat_n(0, longest - row.len()))
    });
    Tensor::from_iter(ids, device)?
        .reshape((rows.len(), longest))?
        .to_dtype(DType::U32)
}
