//! From a request's prompt to tokens.

use gristmill_domain::chat::template::ChatTemplate;
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
        let vocab = self.model.vocab();
        let rendered = |messages: &[Message]| {
            let refused = |error| format!("the model's chat template refuses these messages: {error}");
            template.render(messages, true).map_err(refused)
        };
        if !messages
            .iter()
            .any(|message| self.markers.iter().any(|marker| message.content.contains(marker)))
        {
            return Ok(vocab.tokenize(rendered(messages)?.as_bytes(), false, true));
        }
        // A message, perhaps out of a document, holds the text of a control token. It must stay text, or it could end its turn
        // and speak in another role: each message is tokenized for itself, as text, and set into the template's tokens.
        let placeholder = |index: usize| format!("\u{e000}{index}\u{e001}");
        let masked: Vec<Message> = messages
            .iter()
            .enumerate()
            .map(|(index, message)| Message {
                role: message.role,
                content: placeholder(index),
            })
            .collect();
        let text = rendered(&masked)?;
        let mut tokens = Vec::new();
        let mut rest = text.as_str();
        for (index, message) in messages.iter().enumerate() {
            // A template may leave a message out.
            let Some((before, after)) = rest.split_once(&placeholder(index)) else {
                continue;
            };
            vocab.tokenize_into(before.as_bytes(), &mut tokens, false, true);
            vocab.tokenize_into(message.content.as_bytes(), &mut tokens, false, false);
            rest = after;
        }
        vocab.tokenize_into(rest.as_bytes(), &mut tokens, false, true);
        Ok(tokens)
    }
}
