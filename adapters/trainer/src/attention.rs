//! Causal attention with rotary positions (Su et al. 2021, arXiv 2104.09864).

use candle_core::{D, DType, Device, Result, Tensor};

use crate::shape::Shape;

/// What a layer's tokens ask, are found by and say, `[tokens, heads, head]` each; keys and values have fewer heads where several queries
/// share them.
#[derive(Debug)]
pub(crate) struct Heads {
    pub(crate) query: Tensor,
    pub(crate) key: Tensor,
    pub(crate) value: Tensor,
}

/// Angles of the positions of tokens.
#[derive(Debug)]
pub(crate) struct Angles {
    /// `[tokens, head/2]`.
    cosine: Tensor,
    sine: Tensor,
}

impl Angles {
    pub(crate) fn new(
        shape: &Shape,
        positions: impl ExactSizeIterator<Item = usize>,
        device: &Device,
    ) -> Result<Self> {
        let size = (positions.len(), shape.rope_speeds.len());
        let angles =
            positions.flat_map(|position| shape.rope_speeds.iter().map(move |speed| position as f32 * speed));
        let angles = Tensor::from_iter(angles, device)?.reshape(size)?;
        Ok(Self {
            cosine: angles.cos()?,
            sine: angles.sin()?,
        })
    }

    /// Rotates `[…, tokens, head]`, the halves of a head being its pairs.
    fn rotate(&self, x: &Tensor) -> Result<Tensor> {
        rotate(x, &self.cosine, &self.sine)
    }

    /// Rotates `[tokens, heads, head]`.
    pub(crate) fn rotate_heads(&self, x: &Tensor) -> Result<Tensor> {
        rotate(x, &self.cosine.unsqueeze(1)?, &self.sine.unsqueeze(1)?)
    }
}

fn rotate(x: &Tensor, cosine: &Tensor, sine: &Tensor) -> Result<Tensor> {
    let half = x.dim(D::Minus1)? / 2;
    let (left, right) = (x.narrow(D::Minus1, 0, half)?, x.narrow(D::Minus1, half, half)?);
    let turned_left = (left.broadcast_mul(cosine)? - right.broadcast_mul(sine)?)?;
    let turned_right = (right.broadcast_mul(cosine)? + left.broadcast_mul(sine)?)?;
    Tensor::cat(&[turned_left, turned_right], D::Minus1)
}

/// What a masked position's score is lowered by: finite, so that a row of masked positions stays a number.
const MASKED: f32 = -1e9;

/// Lowers the scores of tokens that come later: `[tokens, before + tokens]`, for tokens behind `before` others.
pub(crate) fn mask(before: usize, tokens: usize, device: &Device) -> Result<Tensor> {
    let seen = before + tokens;
    let lowered = (0..tokens)
        .flat_map(|token| (0..seen).map(move |other| if other > before + token { MASKED } else { 0.0 }));
    Tensor::from_iter(lowered, device)?.reshape((tokens, seen))
}

/// What the tokens of a batch of rows of one length see of each other, from the rows' first tokens on.
#[derive(Debug)]
pub(crate) struct Rows {
    rows: usize,
    angles: Angles,
    mask: Tensor,
}

impl Rows {
    pub(crate) fn new(shape: &Shape, rows: usize, tokens: usize, device: &Device) -> Result<Self> {
        Ok(Self {
            rows,
            angles: Angles::new(shape, 0..tokens, device)?,
            mask: mask(0, tokens, device)?,
        })
    }

    /// Attention within each row; returns `[tokens of all rows, heads·head]`.
    pub(crate) fn attend(&self, shape: &Shape, heads: Heads) -> Result<Tensor> {
        let by_row = |x: &Tensor| {
            let (tokens, heads, size) = x.dims3()?;
            x.reshape((self.rows, tokens / self.rows.max(1), heads, size))?
                .transpose(1, 2)?
                .contiguous()
        };
        let query = self.angles.rotate(&by_row(&heads.query)?)?;
        let (key, value) = (self.angles.rotate(&by_row(&heads.key)?)?, by_row(&heads.value)?);
        let (rows, heads, tokens, size) = query.dims4()?;
        let kv = shape.kv_heads;
        // The heads that share a key stand one below the other, so that no key is copied.
        let query = query.reshape((rows * kv, heads / kv * tokens, size))?;
        let key = key.reshape((rows * kv, tokens, size))?;
        let value = value.reshape((rows * kv, tokens, size))?;
        let scores = (query.matmul(&key.t()?)? * (size as f64).powf(-0.5))?;
        let scores = scores
            .reshape((rows, heads, tokens, tokens))?
            .broadcast_add(&self.mask)?;
        let shares = softmax(&scores)?.reshape((rows * kv, heads / kv * tokens, tokens))?;
        let mixed = shares.matmul(&value)?.reshape((rows, heads, tokens, size))?;
        mixed
            .transpose(1, 2)?
            .contiguous()?
            .reshape((rows * tokens, heads * size))
    }
}

/// Attention of the last tokens of one sequence, rotated queries `[tokens, heads, head]`, over all keys and values of it, `[kv_heads, seen, head]`;
/// returns `[tokens, heads·head]`. A lone token needs no mask.
pub(crate) fn attend_behind(
    query: &Tensor,
    keys: &Tensor,
    values: &Tensor,
    mask: Option<&Tensor>,
) -> Result<Tensor> {
    let (tokens, heads, size) = query.dims3()?;
    let (kv, seen, _) = keys.dims3()?;
    let group = heads / kv.max(1);
    let query = query
        .reshape((tokens, kv, group, size))?
        .permute((1, 2, 0, 3))?
        .contiguous()?
        .reshape((kv, group * tokens, size))?;
    let scores = (query.matmul(&keys.t()?)? * (size as f64).powf(-0.5))?;
    let shares = match mask {
        None => softmax(&scores)?,
        Some(mask) => {
            let scores = scores.reshape((heads, tokens, seen))?.broadcast_add(mask)?;
            softmax(&scores)?.reshape((kv, group * tokens, seen))?
        }
    };
    shares
        .matmul(values)?
        .reshape((kv, group, tokens, size))?
        .permute((2, 0, 1, 3))?
        .contiguous()?
        .reshape((tokens, heads * size))
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
