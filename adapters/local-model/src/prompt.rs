//! From a request's prompt to tokens.

use gristmill_domain::chat::template::{ChatTemplate, Piece};
use gristmill_domain::chat::{Message, Prompt};
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

/// Turns prompts into tokens for one model.
#[derive(Debug)]
pub(crate) struct Tokenizer<'a> {
    model: &'a LlamaModel,
    template: Result<ChatTemplate, String>,
    /// The texts that stand for control tokens in a rendered template.
    markers: Vec<String>,
}

impl<'a> Tokenizer<'a> {
    pub(crate) fn new(model: &'a LlamaModel) -> Self {
        let vocab = model.vocab();
        let text = |token: LlamaToken| {
            let known = (0..vocab.n_tokens()).contains(&token.0);
            let bytes = if known {
                vocab.token_to_piece(token, true, None)
            } else {
                Vec::new()
            };
            String::from_utf8_lossy(&bytes).into_owned()
        };
        let markers = vocab.tokens().filter(|token| vocab.is_control(*token)).map(text);
        let markers = markers.filter(|marker| !marker.is_empty()).collect();
        let source = model
            .chat_template(None)
            .map_err(|_| "the model file has no chat template".to_owned());
        let template = source
            .and_then(|source| {
                source
                    .to_string()
                    .map_err(|error| format!("its chat template is no text: {error}"))
            })
            .and_then(|source| {
                ChatTemplate::new(source, text(vocab.bos()), text(vocab.eos()))
                    .map_err(|error| format!("its chat template cannot be used: {error}"))
            });
        Self {
            model,
            template,
            markers,
        }
    }

    /// The prompt's tokens, or why there are none.
    pub(crate) fn tokens(&self, prompt: &Prompt) -> Result<Vec<LlamaToken>, String> {
        match prompt {
            // Raw text is text: what looks like a control token in it is not one.
            Prompt::Raw(text) => Ok(self.model.vocab().tokenize(text.as_bytes(), true, false)),
            Prompt::Chat(messages) => self.chat(messages),
        }
    }

    fn chat(&self, messages: &[Message]) -> Result<Vec<LlamaToken>, String> {
        let template = self
            .template
            .as_ref()
            .map_err(|reason| format!("{reason}: send it raw prompts"))?;
        let pieces = template
            .pieces(messages, true, &self.markers)
            .map_err(|error| format!("the model's chat template refuses these messages: {error}"))?;
        let vocab = self.model.vocab();
        let mut tokens = Vec::new();
        for piece in pieces {
            // What looks like a control token is one in the template's own text alone.
            let (text, parse_special) = match piece {
                Piece::Template(text) => (text, true),
                Piece::Text(text) => (text, false),
            };
            tokens.extend(vocab.tokenize(text.as_bytes(), false, parse_special));
        }
        Ok(tokens)
    }
}
