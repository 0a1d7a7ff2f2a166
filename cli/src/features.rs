//! Parts of the program that a build may leave out, and what to say where one is missing.

use anyhow::anyhow;

/// Each part that can be left out: its feature, whether this program has it, and what it is.
const PARTS: [(&str, bool, &str); 7] = [
    ("cluster", cfg!(feature = "cluster"), "runs on many machines"),
    ("dashboard", cfg!(feature = "dashboard"), "runs in a browser"),
    ("documents", cfg!(feature = "documents"), "seeds from documents"),
    (
        "embedder",
        cfg!(feature = "embedder"),
        "embeddings in this process",
    ),
    (
        "local-model",
        cfg!(feature = "local-model"),
        "GGUF models by llama.cpp",
    ),
    (
        "object-storage",
        cfg!(feature = "object-storage"),
        "runs in S3, GCS or Azure",
    ),
    (
        "trainer",
        cfg!(feature = "trainer"),
        "students: trained, and asked in this process",
    ),
];

/// Says that something needs a feature that this program lacks, and how to get it.
pub(crate) fn missing(what: &str, feature: &str) -> anyhow::Error {
    anyhow!(
        "{what} needs the feature `{feature}`, and this program was built without it\nhelp: install it with `cargo install --path cli \
         --locked --features {feature}`"
    )
}

/// The features that this program was built without.
pub(crate) fn names_left_out() -> Vec<&'static str> {
    let missing = PARTS.iter().filter(|(_, built_in, _)| !built_in);
    missing.map(|(feature, _, _)| *feature).collect()
}

/// The last lines of `--help`: what this program was built without.
pub(crate) fn left_out() -> String {
    let missing: Vec<String> = PARTS
        .iter()
        .filter(|(_, built_in, _)| !built_in)
        .map(|(feature, _, what)| format!("  {feature:<15} {what}"))
        .collect();
    if missing.is_empty() {
        return String::new();
    }
    format!(
        "Not built in (add one with `cargo install --path cli --locked --features NAME`):\n{}",
        missing.join("\n")
    )
}
