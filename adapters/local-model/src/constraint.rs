//! Structured output: the tokens that a JSON Schema allows next, by llama.cpp's grammars.

use gristmill_domain::chat::sampler::Sampler;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

/// One completion's position in the grammar of its schema.
#[derive(Debug)]
pub(crate) struct Constraint {
    grammar: LlamaSampler,
}

impl Constraint {
    pub(crate) fn new(model: &LlamaModel, schema: &serde_json::Value) -> Result<Self, String> {
        let grammar = llama_cpp_2::json_schema_to_grammar(&schema.to_string())
            .map_err(|error| format!("its JSON Schema cannot be made a grammar: {error}"))?;
        let grammar = LlamaSampler::grammar(model, &grammar, "root")
            .map_err(|error| format!("its JSON Schema makes no usable grammar: {error}"))?;
        Ok(Self { grammar })
    }

    /// Chooses an allowed token and moves on; `None` at a dead end.
    ///
    /// The free choice is tried first: checking one token is cheap, and a model that follows its prompt mostly passes.
    pub(crate) fn choose(&mut self, sampler: &mut Sampler, logits: &[f32]) -> Option<usize> {
        let free = sampler.choose(logits)?;
        let chosen = if self.allows(free) {
            free
        } else {
            let mut masked = vec![f32::NEG_INFINITY; logits.len()];
            for allowed in self.filter(logits.iter().copied().enumerate()) {
                if let Some(logit) = usize::try_from(allowed.id().0)
                    .ok()
                    .and_then(|index| masked.get_mut(index))
                {
                    *logit = allowed.logit();
                }
            }
            sampler.choose(&masked)?
        };
        self.grammar.try_accept(token(chosen)).ok().map(|()| chosen)
    }

    fn allows(&mut self, index: usize) -> bool {
        self.filter(std::iter::once((index, 0.0)))
            .iter()
            .any(|data| data.logit().is_finite())
    }

    fn filter(&mut self, candidates: impl Iterator<Item = (usize, f32)>) -> Vec<LlamaTokenData> {
        let data = candidates.map(|(index, logit)| LlamaTokenData::new(token(index), logit, 0.0));
        let mut array = LlamaTokenDataArray::from_iter(data, false);
        self.grammar.apply(&mut array);
        array.data
    }
}

fn token(index: usize) -> LlamaToken {
    // Vocabularies are far smaller than 2^31; a wrapped index would be refused by the grammar.
    LlamaToken(index as i32)
}
