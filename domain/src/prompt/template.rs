//! Marks of chat templates that a model or a server left in a text.

use std::sync::LazyLock;

use regex::Regex;

/// Marks of chat templates: in an answer they are leaks, and would break the template of whoever trains on it.
static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?i:(?:<|&lt;)[|｜][a-z_▁]{2,24}[|｜](?:>|&gt;))|</?s>\s*$|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|(?m:^### ?(?:Instruction|Response):)").ok()
});

/// What may help against such marks: the server's template is not the model's.
pub const HELP: &str = "let its server use the template and the end marks of this model";

/// A mark of a chat template that is left in a text.
pub fn mark(text: &str) -> Option<&str> {
    let found = MARK.as_ref().and_then(|marks| marks.find(text))?;
    Some(found.as_str().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_and_tags_are_not() {
        assert!(MARK.is_some());
        for (text, found) in [
            ("so it is<|im_end|>", "<|im_end|>"),
            ("so it is</s>\n", "</s>"),
            ("so it is&lt;|EOT_ID|&gt;", "&lt;|EOT_ID|&gt;"),
            ("so it is<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>"),
            ("[/INST] so it is", "[/INST]"),
        ] {
            assert_eq!(mark(text), Some(found));
        }
        assert_eq!(mark("<s>old</s> new; a <| b |> c"), None);
    }
}
