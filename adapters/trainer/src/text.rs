//! Rows as tokens: the model's chat template and vocabulary.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use candle_core::quantized::gguf_file::{Content, Value};
use gristmill_domain::chat::Message;
use gristmill_domain::chat::template::{ChatTemplate, Piece};
use gristmill_ports::trainer::{Row, RowTokens};
use serde_json::{Value as Json, json};
use tokenizers::Tokenizer;

use crate::Error;
use crate::model::Tokens;
use crate::weights::Base;

/// A model's vocabulary and template.
pub struct Text {
    tokenizer: Tokenizer,
    /// The same, to which the text of a special token is text like any other.
    plain: Tokenizer,
    /// The texts that stand for special tokens in a rendered template.
    markers: Vec<String>,
    /// The token that a text begins with that no template has been applied to, where the vocabulary's own rules do not add it.
    beginning: Option<u32>,
    template: ChatTemplate,
    /// What the template and the vocabulary are described by in `tokenizer_config.json`.
    described: Json,
    /// Tokens that end an answer.
    ends: Vec<u32>,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text")
            .field("ends", &self.ends)
            .finish_non_exhaustive()
    }
}

/// What stands between two documents in the training data of SmolLM2 and Qwen.
const END_OF_TEXT: &str = "<|endoftext|>";
/// Tokens that end a turn in the templates of common families, beside those that a model names itself.
const TURN_ENDS: [&str; 5] = ["<|im_end|>", "<|eot_id|>", "<|end_of_text|>", END_OF_TEXT, "</s>"];

impl Text {
    /// Reads the vocabulary and the template of a base model: a `.gguf` file, or a folder in Hugging Face layout.
    ///
    /// # Errors
    /// [`Error::Model`] where they are missing or of a kind that this crate does not know.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let wrong = |reason: String| Error::model(path, reason);
        if path.is_dir() {
            return Self::of_folder(path).map_err(wrong);
        }
        let content = File::open(path).map_err(|error| wrong(error.to_string()))?;
        let content = Content::read(&mut BufReader::new(content));
        Self::of_gguf(&content.map_err(|error| wrong(format!("it is not a GGUF file: {error}")))?)
            .map_err(wrong)
    }

    pub(crate) fn of(base: &Base) -> Result<Self, Error> {
        let wrong = |reason: String| Error::model(&base.path, reason);
        match base.gguf() {
            Some(content) => Self::of_gguf(content).map_err(wrong),
            None => Self::of_folder(&base.path).map_err(wrong),
        }
    }

    fn of_folder(folder: &Path) -> Result<Self, String> {
        let file = folder.join("tokenizer.json");
        let tokenizer = Tokenizer::from_file(&file).map_err(|error| format!("`tokenizer.json`: {error}"))?;
        let config = std::fs::read(folder.join("tokenizer_config.json"))
            .map_err(|error| format!("`tokenizer_config.json`: {error}"))?;
        let config: Json =
            serde_json::from_slice(&config).map_err(|error| format!("`tokenizer_config.json`: {error}"))?;
        let in_file = std::fs::read_to_string(folder.join("chat_template.jinja")).ok();
        let template = in_file.or_else(|| config.get("chat_template")?.as_str().map(str::to_owned));
        let token = |name: &str| {
            let token = config.get(name)?;
            let text = token.as_str().or_else(|| token.get("content")?.as_str());
            text.map(str::to_owned)
        };
        Self::new(tokenizer, template, token("bos_token"), token("eos_token"), false)
    }

    fn of_gguf(content: &Content) -> Result<Self, String> {
        let tokenizer = tokenizer(content)?;
        let text = |key: &str| {
            let value = content.metadata.get(key);
            value.and_then(|value| value.to_string().ok()).cloned()
        };
        let token = |key: &str| {
            let id = content.metadata.get(key).and_then(|value| value.to_u32().ok());
            id.and_then(|id| tokenizer.id_to_token(id))
        };
        let (bos, eos) = (
            token("tokenizer.ggml.bos_token_id"),
            token("tokenizer.ggml.eos_token_id"),
        );
        let adds_bos = content
            .metadata
            .get("tokenizer.ggml.add_bos_token")
            .is_some_and(|value| value.to_bool().unwrap_or(false));
        let template = text("tokenizer.chat_template");
        Self::new(tokenizer.clone(), template, bos, eos, adds_bos)
    }

    fn new(
        mut tokenizer: Tokenizer,
        template: Option<String>,
        bos: Option<String>,
        eos: Option<String>,
        adds_bos: bool,
    ) -> Result<Self, String> {
        let source =
            template.ok_or("it has no chat template: take the instruction-tuned model of its family")?;
        // What a file says of cutting and padding is for other uses.
        tokenizer.with_padding(None);
        tokenizer
            .with_truncation(None)
            .map_err(|error| error.to_string())?;
        let named = eos.as_deref().into_iter().chain(TURN_ENDS);
        let ends = named.filter_map(|token| tokenizer.token_to_id(token)).collect();
        let added = tokenizer.get_added_tokens_decoder();
        let special = added.into_values().filter(|token| token.special);
        let markers = special.map(|token| token.content).collect();
        let mut plain = tokenizer.clone();
        plain.set_encode_special_tokens(true);
        let beginning = bos.as_deref().filter(|_| adds_bos);
        let beginning = beginning.and_then(|token| tokenizer.token_to_id(token));
        let described = json!({
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": source,
            "bos_token": bos,
            "eos_token": eos,
            "add_bos_token": false,
        });
        let template = ChatTemplate::new(source, bos.unwrap_or_default(), eos.unwrap_or_default())
            .map_err(|error| format!("its chat template cannot be read: {error}"))?;
        Ok(Self {
            tokenizer,
            plain,
            markers,
            beginning,
            template,
            described,
            ends,
        })
    }

    /// Writes `tokenizer.json` and `tokenizer_config.json`.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Error> {
        let file = folder.join("tokenizer.json");
        self.tokenizer
            .save(&file, false)
            .map_err(|error| Error::model(&file, error))?;
        let file = folder.join("tokenizer_config.json");
        let text = serde_json::to_vec_pretty(&self.described).map_err(|error| Error::model(&file, error))?;
        std::fs::write(&file, text).map_err(Error::io(&file))
    }

    /// The tokens of a row. The completion's are those of what it adds to the prompt's text, the end of its turn included.
    ///
    /// # Errors
    /// The template refuses the messages, or shows the prompt differently once the completion stands behind it.
    pub fn row(&self, prompt: &[Message], completion: &[Message]) -> Result<Tokens, String> {
        let asked = self.template.render(prompt, true)?;
        let both: Vec<Message> = prompt.iter().chain(completion).cloned().collect();
        let whole = self.template.render(&both, false)?;
        let answer = whole.strip_prefix(&asked).ok_or(
            "the model's chat template shows the prompt differently once an answer stands behind it, so that the answer's tokens cannot be told \
             from the prompt's",
        )?;
        // Encoded apart, as they are when the model answers.
        let mut ids = self.encode(&asked)?;
        let prompt = ids.len();
        ids.extend(self.encode(answer)?);
        match ids.len() > prompt {
            true => Ok(Tokens { ids, prompt }),
            false => Err("its answer is empty".to_owned()),
        }
    }

    /// The tokens of a prompt, up to where the answer begins. What looks like a special token in a message's text is text.
    ///
    /// # Errors
    /// The template refuses the messages.
    pub fn prompt(&self, messages: &[Message]) -> Result<Vec<u32>, String> {
        let mut ids = Vec::new();
        for piece in self.template.pieces(messages, true, &self.markers)? {
            ids.extend(match piece {
                Piece::Template(text) => self.encode(&text)?,
                Piece::Text(text) => encode(&self.plain, &text, false)?,
            });
        }
        Ok(ids)
    }

    /// The tokens of a text that the model continues, without a template. What looks like a special token in it is text.
    ///
    /// # Errors
    /// The vocabulary has no token for a part of it.
    pub fn raw(&self, text: &str) -> Result<Vec<u32>, String> {
        let mut ids: Vec<u32> = self.beginning.into_iter().collect();
        ids.extend(encode(&self.plain, text, true)?);
        Ok(ids)
    }

    /// The token that a document begins with: the one that the vocabulary puts before each text, or else the one that ends texts, which stands
    /// between the documents that a model was trained on.
    ///
    /// # Errors
    /// A vocabulary that has neither.
    pub(crate) fn document_beginning(&self) -> Result<u32, String> {
        let first = self.raw("")?.first().copied();
        let separator = || self.tokenizer.token_to_id(END_OF_TEXT);
        let found = first.or_else(separator).or_else(|| self.ends.first().copied());
        found.ok_or_else(|| "its vocabulary has no token that a document begins with".to_owned())
    }

    /// The tokens of a text that follows another. What looks like a special token in it is text.
    ///
    /// # Errors
    /// The vocabulary has no token for a part of it.
    pub(crate) fn raw_continuation(&self, text: &str) -> Result<Vec<u32>, String> {
        encode(&self.plain, text, false)
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// The vocabulary has no token for a part of it.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        encode(&self.tokenizer, text, false)
    }

    /// The text of tokens, without those that only mark turns.
    ///
    /// # Errors
    /// A token that the vocabulary does not have.
    pub fn decode(&self, ids: &[u32]) -> Result<String, String> {
        self.tokenizer
            .decode(ids, true)
            .map_err(|error| error.to_string())
    }

    /// Whether an answer ends with this token.
    pub(crate) fn is_end(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// Whether one of these texts stands in the end of an answer. What lies further back was looked at when its tokens came.
    pub(crate) fn has_stop(&self, answer: &[u32], stops: &[String]) -> bool {
        let stops = || stops.iter().filter(|stop| !stop.is_empty());
        let Some(longest) = stops().map(String::len).max() else {
            return false;
        };
        // A token is a byte of text at least, but for a few that are none.
        let from = answer.len().saturating_sub(longest + 4);
        let end = self.decode(answer.get(from..).unwrap_or_default());
        end.is_ok_and(|end| stops().any(|stop| end.contains(stop.as_str())))
    }

    /// The text of an answer, without the token or the text that ends it, and without a character that was cut in two.
    pub(crate) fn answer(&self, answer: &[u32], stops: &[String]) -> Result<String, String> {
        let ids = match answer.split_last() {
            Some((last, before)) if self.is_end(*last) => before,
            _ => answer,
        };
        let mut text = self.decode(ids)?;
        let stops = stops.iter().filter(|stop| !stop.is_empty());
        if let Some(at) = stops.filter_map(|stop| text.find(stop.as_str())).min() {
            text.truncate(at);
        }
        text.truncate(text.trim_end_matches(char::REPLACEMENT_CHARACTER).len());
        Ok(text)
    }

    /// Tokens in the vocabulary.
    pub(crate) fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }
}

impl RowTokens for Text {
    fn count(&self, row: &Row) -> Result<u64, String> {
        let tokens = self.row(&row.prompt, &row.completion)?;
        Ok(tokens.ids.len() as u64)
    }
}

fn encode(tokenizer: &Tokenizer, text: &str, whole: bool) -> Result<Vec<u32>, String> {
    let encoding = tokenizer.encode(text, whole);
    Ok(encoding.map_err(|error| error.to_string())?.get_ids().to_vec())
}

/// How the pre-tokenizers of Qwen2 and of Llama 3 split a text; they differ in how many digits stand together.
fn words(digits: &str) -> Json {
    let pattern = format!(
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{digits}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    );
    json!({"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": false})
}

/// The tokenizer that a GGUF file describes, by way of the `tokenizer.json` that says the same: byte-level byte pairs only.
fn tokenizer(content: &Content) -> Result<Tokenizer, String> {
    let text = |key: &str| {
        let value = content.metadata.get(key).and_then(|value| value.to_string().ok());
        value.map_or("", String::as_str)
    };
    let list = |key: &str| -> Result<&Vec<Value>, String> {
        let value = content
            .metadata
            .get(key)
            .ok_or_else(|| format!("`{key}` is missing"))?;
        value.to_vec().map_err(|error| format!("`{key}`: {error}"))
    };
    let texts = |key: &str| -> Result<Vec<&String>, String> {
        let strings = list(key)?.iter().map(Value::to_string);
        strings
            .collect::<Result<_, _>>()
            .map_err(|error| format!("`{key}`: {error}"))
    };
    let kind = text("tokenizer.ggml.model");
    if kind != "gpt2" {
        return Err(format!(
            "its vocabulary is of the kind `{kind}`, and only byte-level byte pairs (`gpt2`) are read from GGUF: name the folder with the model's \
             `tokenizer.json` instead"
        ));
    }
    let bytes = |regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": regex});
    let rules = text("tokenizer.ggml.pre");
    let (normalizer, split) = match rules {
        "smollm" => (
            Json::Null,
            [json!({"type": "Digits", "individual_digits": true}), bytes(true)],
        ),
        "qwen2" => (json!({"type": "NFC"}), [words(""), bytes(false)]),
        "llama-bpe" | "llama3" => (Json::Null, [words("{1,3}"), bytes(false)]),
        other => {
            return Err(format!(
                "its texts are split by the rules `{other}`, which are not known here: name the folder with the model's `tokenizer.json` instead"
            ));
        }
    };
    let tokens = texts("tokenizer.ggml.tokens")?;
    // Control tokens are 3 and those of the user 4 in llama.cpp's list of kinds.
    let kinds = list("tokenizer.ggml.token_type")?.iter().map(Value::to_i32);
    let special = kinds
        .zip(tokens.iter().enumerate())
        .filter(|(kind, _)| matches!(kind, Ok(3 | 4)));
    let special: Vec<Json> = special
        .map(|(_, (id, token))| {
            json!({"id": id, "content": token, "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false})
        })
        .collect();
    let vocabulary: serde_json::Map<String, Json> = tokens
        .iter()
        .enumerate()
        .map(|(id, token)| ((*token).clone(), json!(id)))
        .collect();
    let described = json!({
        "version": "1.0",
        "added_tokens": special,
        "normalizer": normalizer,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": split},
        "decoder": bytes(true),
        "model": {
            "type": "BPE",
            "vocab": vocabulary,
            "merges": texts("tokenizer.ggml.merges")?,
            "fuse_unk": false,
            "byte_fallback": false,
        },
    });
    described
        .to_string()
        .parse()
        .map_err(|error| format!("its vocabulary cannot be used: {error}"))
}
