//! Pages: templates filled in, with style and script inside and a policy that lets nothing else in.

use base64::Engine;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::style;
use crate::text::clean_all;

const SCRIPT: &str = include_str!("../page/points.js");
const TEMPLATES: [(&str, &str); 6] = [
    ("frame.html", include_str!("../page/frame.html")),
    ("parts.html", include_str!("../page/parts.html")),
    ("audit.html", include_str!("../page/audit.html")),
    ("evaluation.html", include_str!("../page/evaluation.html")),
    ("report.html", include_str!("../page/report.html")),
    ("map.html", include_str!("../page/map.html")),
];

/// A picture or a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template and its data do not fit.
    #[error("the page cannot be made: {0:#}")]
    Template(#[from] minijinja::Error),
    /// The data has no JSON.
    #[error("the page's data cannot be read: {0}")]
    Data(#[from] serde_json::Error),
    /// A picture of no size, or too large to hold.
    #[error("a picture of {side} pixels a side cannot be made: from 1 to {most} can")]
    Png {
        /// Pixels asked for.
        side: u32,
        /// Pixels there may be.
        most: u32,
    },
    /// The picture could not be written as PNG.
    #[error("the picture cannot be encoded: {0}")]
    Encode(#[from] png::EncodingError),
}

/// Fills a template in. Everything is escaped but `pictures`, which this crate has drawn.
pub(crate) fn render(
    template: &str,
    data: &impl Serialize,
    pictures: &[(&str, String)],
) -> Result<String, Error> {
    let mut data = serde_json::to_value(data)?;
    clean_all(&mut data);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder()
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()?;
    environment.set_syntax(syntax);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let sheet = style::style_sheet();
    let drawn: Value = pictures
        .iter()
        .map(|(name, svg)| ((*name).to_owned(), Value::from(svg.as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(&sheet),
        hash(SCRIPT)
    );
    let context = serde_json::json!({
        "data": data, "drawn": drawn, "policy": policy, "sheet": sheet, "script": SCRIPT,
    });
    Ok(environment.get_template(template)?.render(Serde(context))?)
}

/// As a content security policy names what may run.
fn hash(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()))
}
