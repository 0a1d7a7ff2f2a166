//! How likely texts are behind a prompt, which is read once for all of them.

use candle_core::{Result, Tensor};
use gristmill_domain::chat::Likelihood;

use crate::attention::log_softmax;
use crate::model::Model;
use crate::pass::{Logits, Part, Sequence, next_piece, pass};

/// Continuations that are read at once: each has a copy of the prompt's keys and values.
const AT_ONCE: usize = 8;

/// The likelihoods of continuations, each of one token at least, behind a prompt of one token at least.
pub(crate) fn likelihoods(
    model: &Model,
    prompt: &[u32],
    continuations: &[Vec<u32>],
) -> Result<Vec<Likelihood>> {
    let mut sequence = Sequence::new(prompt.len());
    let mut first = None;
    while sequence.read() < prompt.len() {
        let tokens = next_piece(prompt, sequence.read());
        let logits = match sequence.read() + tokens.len() < prompt.len() {
            true => Logits::None,
            false => Logits::Last,
        };
        let part = Part {
            sequence: &mut sequence,
            tokens,
            logits,
        };
        first = pass(model, &mut [part])?;
    }
    let Some(first) = first else {
        candle_core::bail!("the prompt is empty");
    };
    let first = log_softmax(&first)?;
    let mut likelihoods = Vec::with_capacity(continuations.len());
    for some in continuations.chunks(AT_ONCE) {
        let begin: Vec<u32> = some.iter().filter_map(|tokens| tokens.first()).copied().collect();
        let logs = first.broadcast_as((begin.len(), first.dim(1)?))?.contiguous()?;
        let mut sums = chosen(&logs, begin)?;
        let later = later(model, &sequence, some)?;
        let mut later = later.iter();
        for (sum, tokens) in sums.iter_mut().zip(some) {
            *sum += later.by_ref().take(tokens.len() - 1).sum::<f64>();
        }
        likelihoods.extend(sums.into_iter().zip(some).map(|(sum, tokens)| Likelihood {
            log_likelihood: sum,
            tokens: tokens.len() as u32,
        }));
    }
    Ok(likelihoods)
}

/// The likelihood of a text behind the one token that a document begins with. It is read in windows of `context` tokens, each behind the last
/// token of the one before (`loglikelihood_rolling` of lm-evaluation-harness, with a context of one token).
pub(crate) fn of_document(model: &Model, beginning: u32, text: &[u32], context: usize) -> Result<Likelihood> {
    let (mut sum, mut before) = (0.0, beginning);
    for window in text.chunks(context.max(1)) {
        let Some((last, seen)) = window.split_last() else {
            continue;
        };
        let inputs: Vec<u32> = std::iter::once(before).chain(seen.iter().copied()).collect();
        let mut sequence = Sequence::new(inputs.len());
        while sequence.read() < inputs.len() {
            let at = sequence.read();
            let tokens = next_piece(&inputs, at);
            let targets = window.get(at..at + tokens.len()).unwrap_or_default().to_vec();
            let part = Part {
                sequence: &mut sequence,
                tokens,
                logits: Logits::All,
            };
            if let Some(logits) = pass(model, &mut [part])? {
                sum += chosen(&log_softmax(&logits)?, targets)?.iter().sum::<f64>();
            }
        }
        before = *last;
    }
    Ok(Likelihood {
        log_likelihood: sum,
        tokens: text.len() as u32,
    })
}

/// Logarithms of the probabilities of the continuations' tokens but their first, one behind the other.
fn later(model: &Model, prompt: &Sequence, continuations: &[Vec<u32>]) -> Result<Vec<f64>> {
    let longer = || continuations.iter().filter(|tokens| tokens.len() > 1);
    let forks = longer().map(|tokens| prompt.fork(model, tokens.len()));
    let mut forks: Vec<Sequence> = forks.collect::<Result<_>>()?;
    let parts = forks.iter_mut().zip(longer()).map(|(sequence, tokens)| Part {
        sequence,
        tokens: tokens.split_last().map_or(&[][..], |(_, before)| before),
        logits: Logits::All,
    });
    let mut parts: Vec<Part<'_>> = parts.collect();
    if parts.is_empty() {
        return Ok(Vec::new());
    }
    let Some(logits) = pass(model, &mut parts)? else {
        return Ok(Vec::new());
    };
    let targets = longer().flat_map(|tokens| tokens.get(1..).unwrap_or_default());
    chosen(&log_softmax(&logits)?, targets.copied().collect())
}

/// Of each row, `[rows, vocabulary]`, the value of the token that is named.
fn chosen(logs: &Tensor, tokens: Vec<u32>) -> Result<Vec<f64>> {
    let count = tokens.len();
    let tokens = Tensor::from_vec(tokens, (count, 1), logs.device())?;
    let values: Vec<f32> = logs.gather(&tokens, 1)?.flatten_all()?.to_vec1()?;
    Ok(values.into_iter().map(f64::from).collect())
}
