//! The forward pass: token ids of several texts in, one unit vector a text out.
//!
//! The texts' tokens lie one after the other as rows of one matrix, without padding: the linear layers see all rows at once,
//! attention sees each text for itself.

use pulp::{Simd, WithSimd};

use crate::kernel::{Packed, Product, Strided};
use crate::math;
use crate::weights::{Layer, Linear, Network, Norm};

/// Memory of a forward pass, kept between passes.
#[derive(Debug)]
pub(crate) struct Scratch {
    states: Vec<f32>,
    projected: Vec<f32>,
    context: Vec<f32>,
    update: Vec<f32>,
    wide: Vec<f32>,
    scores: Vec<f32>,
    keys: Packed,
    values: Packed,
    blocks: Vec<f32>,
}

impl Scratch {
    pub(crate) const fn new() -> Self {
        Self {
            states: Vec::new(),
            projected: Vec::new(),
            context: Vec::new(),
            update: Vec::new(),
            wide: Vec::new(),
            scores: Vec::new(),
            keys: Packed::empty(),
            values: Packed::empty(),
            blocks: Vec::new(),
        }
    }

    fn resize(&mut self, network: &Network, rows: usize) {
        let hidden = network.config.hidden_size;
        self.states.resize(rows * hidden, 0.0);
        self.projected.resize(rows * 3 * hidden, 0.0);
        self.context.resize(rows * hidden, 0.0);
        self.update.resize(rows * hidden, 0.0);
        self.wide.resize(rows * network.config.intermediate_size, 0.0);
    }
}

/// Embeds texts given as token ids: 1 to `max_position_embeddings` each, all below `vocab_size`.
pub(crate) fn embed(network: &Network, texts: &[&[u32]], scratch: &mut Scratch) -> Vec<Vec<f32>> {
    network.arch.dispatch(Pass {
        network,
        texts,
        scratch,
    })
}

struct Pass<'a> {
    network: &'a Network,
    texts: &'a [&'a [u32]],
    scratch: &'a mut Scratch,
}

impl WithSimd for Pass<'_> {
    type Output = Vec<Vec<f32>>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<Vec<f32>> {
        let Self {
            network,
            texts,
            scratch,
        } = self;
        scratch.resize(network, texts.iter().map(|ids| ids.len()).sum());
        look_up(network, texts, &mut scratch.states);
        for layer in &network.layers {
            attend(simd, network, layer, texts, scratch);
            feed_forward(simd, network, layer, scratch);
        }
        pool(texts, &scratch.states, network.config.hidden_size)
    }
}

#[inline(always)]
fn look_up(network: &Network, texts: &[&[u32]], states: &mut [f32]) {
    let hidden = network.config.hidden_size;
    let tokens = texts.iter().flat_map(|ids| ids.iter().enumerate());
    for ((position, id), row) in tokens.zip(states.chunks_exact_mut(hidden)) {
        let word = &network.words[*id as usize * hidden..][..hidden];
        let position = &network.positions[position * hidden..][..hidden];
        for ((x, word), position) in row.iter_mut().zip(word).zip(position) {
            *x = word + position;
        }
        let Norm { gain, bias } = &network.norm;
        math::layer_norm(row, gain, bias, network.config.layer_norm_eps);
    }
}

/// out = input · weight, without the bias: that is added in the pass which reads the result anyway.
#[inline(always)]
fn multiply<S: Simd>(
    simd: S,
    input: &[f32],
    layer: &Linear,
    inputs: usize,
    out: &mut [f32],
    blocks: &mut Vec<f32>,
) {
    let outputs = layer.bias.len();
    simd.vectorize(Product {
        a: input,
        a_stride: inputs,
        rows: input.len() / inputs,
        b: &layer.weight,
        c: out,
        c_stride: outputs,
        blocks,
    });
}

/// states = norm(states + update + bias).
#[inline(always)]
fn add_and_norm(states: &mut [f32], update: &[f32], bias: &[f32], norm: &Norm, epsilon: f32) {
    let size = bias.len();
    for (row, update) in states.chunks_exact_mut(size).zip(update.chunks_exact(size)) {
        for ((x, update), bias) in row.iter_mut().zip(update).zip(bias) {
            *x += update + bias;
        }
        math::layer_norm(row, &norm.gain, &norm.bias, epsilon);
    }
}

#[inline(always)]
fn attend<S: Simd>(simd: S, network: &Network, layer: &Layer, texts: &[&[u32]], scratch: &mut Scratch) {
    let config = &network.config;
    let hidden = config.hidden_size;
    multiply(
        simd,
        &scratch.states,
        &layer.attention_in,
        hidden,
        &mut scratch.projected,
        &mut scratch.blocks,
    );
    for row in scratch.projected.chunks_exact_mut(3 * hidden) {
        row.iter_mut()
            .zip(&layer.attention_in.bias)
            .for_each(|(x, bias)| *x += bias);
    }
    let mut first = 0;
    for ids in texts {
        for head in 0..config.num_attention_heads {
            attend_head(simd, network, first, ids.len(), head, scratch);
        }
        first += ids.len();
    }
    multiply(
        simd,
        &scratch.context,
        &layer.attention_out,
        hidden,
        &mut scratch.update,
        &mut scratch.blocks,
    );
    let bias = &layer.attention_out.bias;
    add_and_norm(
        &mut scratch.states,
        &scratch.update,
        bias,
        &layer.attention_norm,
        config.layer_norm_eps,
    );
}

/// Scaled dot-product attention (Vaswani et al. 2017) of one head over one text: rows `first..first + count`.
#[inline(always)]
fn attend_head<S: Simd>(
    simd: S,
    network: &Network,
    first: usize,
    count: usize,
    head: usize,
    scratch: &mut Scratch,
) {
    let (hidden, size) = (network.config.hidden_size, network.config.head_size());
    let stride = 3 * hidden;
    let rows = &scratch.projected[first * stride..][..count * stride];
    let (queries, keys, values) = (head * size, hidden + head * size, 2 * hidden + head * size);
    let transposed_keys = Strided {
        data: &rows[keys..],
        row_stride: 1,
        column_stride: stride,
    };
    scratch.keys.fill::<S>(transposed_keys, size, count);
    scratch.scores.resize(count * count, 0.0);
    simd.vectorize(Product {
        a: &rows[queries..],
        a_stride: stride,
        rows: count,
        b: &scratch.keys,
        c: &mut scratch.scores,
        c_stride: count,
        blocks: &mut scratch.blocks,
    });
    let scale = 1.0 / (size as f32).sqrt();
    for row in scratch.scores.chunks_exact_mut(count) {
        math::softmax(row, scale);
    }
    let values = Strided {
        data: &rows[values..],
        row_stride: stride,
        column_stride: 1,
    };
    scratch.values.fill::<S>(values, count, size);
    simd.vectorize(Product {
        a: &scratch.scores,
        a_stride: count,
        rows: count,
        b: &scratch.values,
        c: &mut scratch.context[first * hidden + head * size..],
        c_stride: hidden,
        blocks: &mut scratch.blocks,
    });
}

#[inline(always)]
fn feed_forward<S: Simd>(simd: S, network: &Network, layer: &Layer, scratch: &mut Scratch) {
    let (hidden, wide) = (network.config.hidden_size, network.config.intermediate_size);
    multiply(
        simd,
        &scratch.states,
        &layer.up,
        hidden,
        &mut scratch.wide,
        &mut scratch.blocks,
    );
    for row in scratch.wide.chunks_exact_mut(wide) {
        for (x, bias) in row.iter_mut().zip(&layer.up.bias) {
            *x = math::gelu(*x + bias);
        }
    }
    multiply(
        simd,
        &scratch.wide,
        &layer.down,
        wide,
        &mut scratch.update,
        &mut scratch.blocks,
    );
    let epsilon = network.config.layer_norm_eps;
    add_and_norm(
        &mut scratch.states,
        &scratch.update,
        &layer.down.bias,
        &layer.norm,
        epsilon,
    );
}

/// Mean over each text's tokens, scaled to unit length.
#[inline(always)]
fn pool(texts: &[&[u32]], states: &[f32], hidden: usize) -> Vec<Vec<f32>> {
    let mut rows = states.chunks_exact(hidden);
    let pooled = texts.iter().map(|ids| {
        let mut vector = vec![0.0; hidden];
        for row in rows.by_ref().take(ids.len()) {
            vector.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        // The count's division cancels in the scaling. A zero vector has no direction and stays what it is.
        let length = math::sum_of_squares(&vector).sqrt().max(f32::MIN_POSITIVE);
        vector.iter_mut().for_each(|x| *x /= length);
        vector
    });
    pooled.collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use pulp::Arch;
    use safetensors::{Dtype, tensor::TensorView};

    use super::*;
    use crate::config::Config;
    use crate::kernel::tests::archs;

    /// A small encoder with weights drawn from a fixed sequence.
    fn tiny(arch: Arch) -> Network {
        let config = Config::tiny();
        let (hidden, wide) = (config.hidden_size, config.intermediate_size);
        let mut shapes = vec![
            (
                "embeddings.word_embeddings.weight".to_owned(),
                vec![config.vocab_size, hidden],
            ),
            (
                "embeddings.position_embeddings.weight".to_owned(),
                vec![config.max_position_embeddings, hidden],
            ),
            (
                "embeddings.token_type_embeddings.weight".to_owned(),
                vec![config.type_vocab_size, hidden],
            ),
        ];
        let mut pair = |name: String, weight: Vec<usize>| {
            shapes.push((format!("{name}.bias"), vec![weight[0]]));
            shapes.push((format!("{name}.weight"), weight));
        };
        pair("embeddings.LayerNorm".into(), vec![hidden]);
        for i in 0..config.num_hidden_layers {
            let layer = format!("encoder.layer.{i}");
            for part in ["self.query", "self.key", "self.value", "output.dense"] {
                pair(format!("{layer}.attention.{part}"), vec![hidden, hidden]);
            }
            pair(format!("{layer}.attention.output.LayerNorm"), vec![hidden]);
            pair(format!("{layer}.intermediate.dense"), vec![wide, hidden]);
            pair(format!("{layer}.output.dense"), vec![hidden, wide]);
            pair(format!("{layer}.output.LayerNorm"), vec![hidden]);
        }
        let mut state = 1_u32;
        let data: HashMap<String, (Vec<usize>, Vec<u8>)> = shapes
            .into_iter()
            .map(|(name, shape)| {
                let numbers = (0..shape.iter().product()).flat_map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    (f32::from((state >> 16) as u16) / 65_536.0 - 0.5).to_le_bytes()
                });
                let numbers = numbers.collect();
                (name, (shape, numbers))
            })
            .collect();
        let views = data.iter().map(|(name, (shape, bytes))| {
            (
                name.clone(),
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        let bytes = safetensors::serialize(views, None).unwrap();
        Network::parse(&bytes, config, arch).unwrap()
    }

    fn bits(vectors: &[Vec<f32>]) -> Vec<Vec<u32>> {
        vectors
            .iter()
            .map(|vector| vector.iter().map(|x| x.to_bits()).collect())
            .collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn a_vector_depends_on_its_text_alone(
            texts in prop::collection::vec(prop::collection::vec(0_u32..50, 1..40), 1..6),
        ) {
            let slices: Vec<&[u32]> = texts.iter().map(Vec::as_slice).collect();
            let reference = tiny(Arch::Scalar);
            let alone: Vec<_> = slices.iter().flat_map(|text| embed(&reference, &[text], &mut Scratch::new())).collect();
            for vector in &alone {
                prop_assert!((math::sum_of_squares(vector) - 1.0).abs() < 1e-5);
            }
            let mut scratch = Scratch::new();
            for arch in archs() {
                let network = tiny(arch);
                prop_assert_eq!(bits(&embed(&network, &slices, &mut scratch)), bits(&alone), "{:?}", arch);
                let mut reversed = slices.clone();
                reversed.reverse();
                let mut again = embed(&network, &reversed, &mut scratch);
                again.reverse();
                prop_assert_eq!(bits(&again), bits(&alone));
            }
        }
    }

    #[test]
    fn wrong_shapes_are_named() {
        let tensor = TensorView::new(Dtype::F32, vec![1], &[0; 4]).unwrap();
        let name = "embeddings.position_embeddings.weight".to_owned();
        let bytes = safetensors::serialize([(name.clone(), tensor)], None).unwrap();
        let told = Network::parse(&bytes, Config::tiny(), Arch::Scalar).unwrap_err();
        assert!(told.contains(&name) && told.contains("[64, 24]"), "{told}");
    }
}
