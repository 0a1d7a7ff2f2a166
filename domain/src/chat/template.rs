//! The chat template that a model carries, rendered as its authors' own tools render it (Jinja, with Python's string methods).
//!
//! llama.cpp's built-in rendering recognises a template by its look and drops what it does not know, such as the default
//! system prompt of SmolLM2, which changes the answers.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};

use super::{Message, Role};

/// A parsed chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos: String,
    eos: String,
}

/// The only template of an environment.
const NAME: &str = "chat";

impl ChatTemplate {
    /// Parses a template; `bos` and `eos` are the texts that it may place at the beginning and end.
    ///
    /// # Errors
    /// What is wrong with the template, in words.
    pub fn new(source: String, bos: String, eos: String) -> Result<Self, String> {
        let mut environment = Environment::new();
        // As the reference implementation sets it; templates are written against this.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| format!("{error:#}"))?);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |reason: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| format!("{error:#}"))?;
        Ok(Self {
            environment,
            bos,
            eos,
        })
    }

    /// The conversation's text. With `asking`, it ends where the assistant's turn begins.
    ///
    /// # Errors
    /// What the template, or its author, refuses.
    pub fn render(&self, messages: &[Message], asking: bool) -> Result<String, String> {
        let turns: Value = messages
            .iter()
            .map(|message| {
                let role = match message.role {
                    Role::System => "system",
                    Role::User => "user",
                    Role::Assistant => "assistant",
                };
                context! { role => role, content => message.content.as_str() }
            })
            .collect();
        let context = context! {
            messages => turns,
            add_generation_prompt => asking,
            bos_token => self.bos.as_str(),
            eos_token => self.eos.as_str(),
        };
        let template = self
            .environment
            .get_template(NAME)
            .map_err(|error| error.to_string())?;
        template.render(context).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(role: Role, content: &str) -> Message {
        Message {
            role,
            content: content.to_owned(),
        }
    }

    fn template(source: &str) -> ChatTemplate {
        ChatTemplate::new(source.to_owned(), "<s>".to_owned(), "</s>".to_owned()).unwrap()
    }

    #[test]
    fn a_default_system_prompt_is_kept_and_replaced() {
        let chatml = template(
            "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nDefault<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        );
        let asked = message(Role::User, "Hi");
        assert_eq!(
            chatml.render(std::slice::from_ref(&asked), true).unwrap(),
            "<|im_start|>system\nDefault<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
        assert_eq!(
            chatml
                .render(&[message(Role::System, "Own"), asked], true)
                .unwrap(),
            "<|im_start|>system\nOwn<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    #[test]
    fn python_methods_and_refusals_work() {
        let strict = template(
            "{{ bos_token }}{% for m in messages %}\n  {% if m.role == 'system' %}{{ raise_exception('no system role') }}{% endif %}\n{{ m.content.strip() | upper }}{{ eos_token }}{% endfor %}",
        );
        assert_eq!(
            strict.render(&[message(Role::User, "  hi ")], true).unwrap(),
            // As Jinja2 renders it with `trim_blocks` and `lstrip_blocks`.
            "<s>HI</s>"
        );
        let told = strict.render(&[message(Role::System, "x")], true).unwrap_err();
        assert!(told.contains("no system role"), "{told}");
        assert!(ChatTemplate::new("{% if %}".into(), String::new(), String::new()).is_err());
    }
}
