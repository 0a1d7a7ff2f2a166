//! Whether the embedding model knows the language of the seeds.

use gristmill_coordinator::SeedStore;
use gristmill_domain::filter::language::{Language, detect};
use gristmill_domain::job::{EmbedSource, Job};
use gristmill_domain::words::thousands;

/// Seeds that are looked at.
const LOOKED_AT: u64 = 200;
/// Share of them in other languages from which it is worth a warning.
const FOREIGN: f64 = 0.1;
/// The detector's confidence from which a language is believed.
const CONFIDENCE: f64 = 0.95;

/// What to know where seeds are in languages that the embedding model was not made for: it tells their questions apart badly, so that
/// distinct ones look alike and disguised ones do not.
/// `languages` are the codes of those that it was made for; nothing is known of a model without any.
pub(crate) fn unknown_to_embedder(
    job: &Job,
    seeds: &SeedStore,
    languages: &[&str],
) -> anyhow::Result<Option<String>> {
    let EmbedSource::Local(name) = job.embed.source() else {
        return Ok(None);
    };
    let known: Vec<Language> = languages.iter().filter_map(|code| code.parse().ok()).collect();
    let step = (seeds.len() / LOOKED_AT).max(1);
    let (mut looked, mut foreign, mut named) = (0_u64, 0_u64, Vec::new());
    for ordinal in (0..seeds.len()).step_by(usize::try_from(step)?) {
        looked += 1;
        let question = seeds.read(ordinal)?.question;
        if let Some((language, confidence)) = detect(&question)
            && confidence >= CONFIDENCE
            && !known.contains(&language)
        {
            foreign += 1;
            if !named.contains(&language.name()) {
                named.push(language.name());
            }
        }
    }
    named.truncate(3);
    Ok((!languages.is_empty() && foreign as f64 > FOREIGN * looked as f64).then(|| {
        format!(
            "{} of {} seeds looked at are in languages that `embed.model: {name}` does not know ({}): duplicates and leaks in meaning are \
             told by facts and words rather than by vectors; name a folder with a multilingual model in `embed.model`, or set it to `off`",
            thousands(foreign),
            thousands(looked),
            named.join(", ")
        )
    }))
}
