//! One pass through a model over tokens of several sequences, each behind what it has read before.
//!
//! The tokens of all sequences go through the linear layers together, one below the other without padding; each sequence attends to its own
//! keys and values. What a sequence's tokens come to does not depend, to the last bit, on the other sequences of the pass, as long as it is
//! read in the same pieces on the same machine.

use candle_core::{DType, Device, Result, Tensor};

use crate::attention::{Angles, attend_behind, mask};
use crate::model::Model;

/// Tokens of one prompt that a pass reads at most: what bounds the memory for its scores.
const PIECE: usize = 256;

/// What is read next of a prompt of which so many tokens are read. It is cut at multiples of a fixed number of tokens, whatever is read beside it.
pub(crate) fn next_piece(prompt: &[u32], read: usize) -> &[u32] {
    let end = (read / PIECE + 1) * PIECE;
    prompt.get(read..end.min(prompt.len())).unwrap_or_default()
}

/// What a sequence has read: its keys and values.
#[derive(Debug)]
pub(crate) struct Sequence {
    layers: Vec<Kept>,
    read: usize,
    /// Tokens that it has room for.
    room: usize,
    /// Tokens that it will come to, as far as is known.
    expected: usize,
}

/// Of one layer, `[kv_heads, room, head]`, filled in place.
#[derive(Debug)]
struct Kept {
    keys: Tensor,
    values: Tensor,
}

impl Sequence {
    /// A sequence that has read nothing, and is expected to come to so many tokens. It grows when there are more.
    pub(crate) fn new(expected: usize) -> Self {
        Self {
            layers: Vec::new(),
            read: 0,
            room: 0,
            expected,
        }
    }

    /// Another sequence that has read the same, with room for so many more tokens.
    pub(crate) fn fork(&self, model: &Model, more: usize) -> Result<Self> {
        let room = self.read + more;
        let size = (model.shape.kv_heads, room, model.shape.head_size);
        let grown = |old: Option<&Tensor>| -> Result<Tensor> {
            let new = Tensor::zeros(size, DType::F32, &model.device)?;
            if let Some(old) = old.filter(|_| self.read > 0) {
                new.slice_set(&old.narrow(1, 0, self.read)?.contiguous()?, 1, 0)?;
            }
            Ok(new)
        };
        let layer = |number: usize| -> Result<Kept> {
            let old = self.layers.get(number);
            Ok(Kept {
                keys: grown(old.map(|old| &old.keys))?,
                values: grown(old.map(|old| &old.values))?,
            })
        };
        Ok(Self {
            layers: (0..model.layers.len()).map(layer).collect::<Result<_>>()?,
            read: self.read,
            room,
            expected: self.expected,
        })
    }

    /// Tokens that it has read.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// Grows to what is expected, or by half: an answer of unknown length costs few copies.
    fn make_room(&mut self, model: &Model, tokens: usize) -> Result<()> {
        if self.read + tokens > self.room {
            let expected = self.expected.saturating_sub(self.read);
            *self = self.fork(model, tokens.max(expected).max(self.read / 2))?;
        }
        Ok(())
    }
}

/// Tokens that a sequence reads next, at least one.
#[derive(Debug)]
pub(crate) struct Part<'a> {
    pub(crate) sequence: &'a mut Sequence,
    pub(crate) tokens: &'a [u32],
    pub(crate) logits: Logits,
}

/// After which tokens of a part the next token's logits are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Logits {
    None,
    Last,
    All,
}

impl Part<'_> {
    /// Places among its tokens.
    fn wanted(&self) -> std::ops::Range<usize> {
        let tokens = self.tokens.len();
        match self.logits {
            Logits::None => tokens..tokens,
            Logits::Last => tokens.saturating_sub(1)..tokens,
            Logits::All => 0..tokens,
        }
    }
}

/// Reads the parts; returns the logits that they want, `[wanted tokens, vocabulary]` in the order of the parts, if they want any.
pub(crate) fn pass(model: &Model, parts: &mut [Part<'_>]) -> Result<Option<Tensor>> {
    for part in parts.iter_mut() {
        part.sequence.make_room(model, part.tokens.len())?;
    }
    let ids: Vec<u32> = parts.iter().flat_map(|part| part.tokens).copied().collect();
    let positions = parts.iter().flat_map(|part| {
        let read = part.sequence.read;
        read..read + part.tokens.len()
    });
    let mut positions: Vec<usize> = positions.collect();
    let ids = doubled_if_lone(ids);
    positions.resize(ids.len(), 0);
    let masks = parts.iter().map(|part| match part.tokens.len() {
        1 => Ok(None),
        tokens => mask(part.sequence.read, tokens, &model.device).map(Some),
    });
    let masks: Vec<Option<Tensor>> = masks.collect::<Result<_>>()?;
    let angles = Angles::new(&model.shape, positions.into_iter(), &model.device)?;
    let hidden = model.hidden(&column(ids, &model.device)?, None, |number, heads| {
        let query = angles.rotate_heads(&heads.query)?;
        let key = angles.rotate_heads(&heads.key)?;
        let mut mixed = Vec::with_capacity(parts.len() + 1);
        let mut from = 0;
        for (part, mask) in parts.iter().zip(&masks) {
            let Some(kept) = part.sequence.layers.get(number) else {
                candle_core::bail!("a sequence has no layer {number}");
            };
            let (tokens, read) = (part.tokens.len(), part.sequence.read);
            let by_head = |x: &Tensor| x.narrow(0, from, tokens)?.transpose(0, 1)?.contiguous();
            kept.keys.slice_set(&by_head(&key)?, 1, read)?;
            kept.values.slice_set(&by_head(&heads.value)?, 1, read)?;
            let seen = |kept: &Tensor| kept.narrow(1, 0, read + tokens);
            let query = query.narrow(0, from, tokens)?;
            mixed.push(attend_behind(
                &query,
                &seen(&kept.keys)?,
                &seen(&kept.values)?,
                mask.as_ref(),
            )?);
            from += tokens;
        }
        let mixed = Tensor::cat(&mixed, 0)?;
        match from {
            1 => Tensor::cat(&[&mixed, &mixed], 0),
            _ => Ok(mixed),
        }
    })?;
    let mut wanted = Vec::new();
    let mut from = 0;
    for part in parts {
        wanted.extend(part.wanted().map(|at| (from + at) as u32));
        from += part.tokens.len();
        part.sequence.read += part.tokens.len();
    }
    if wanted.is_empty() {
        return Ok(None);
    }
    let count = wanted.len();
    let wanted = column(doubled_if_lone(wanted), &model.device)?;
    let logits = model.logits(&hidden.index_select(&wanted, 0)?, false)?;
    logits.narrow(0, 0, count).map(Some)
}

/// A lone row goes through the linear layers twice: the product of a matrix and a single row is summed in another order than that of several.
fn doubled_if_lone(mut rows: Vec<u32>) -> Vec<u32> {
    if let [row] = rows.as_slice() {
        rows.push(*row);
    }
    rows
}

fn column(ids: Vec<u32>, device: &Device) -> Result<Tensor> {
    let count = ids.len();
    Tensor::from_vec(ids, count, device)
}
