//! The nearest known name, for help that a typing error needs.

/// The candidate most like `name`, if it is like enough to be meant: a third of its letters may differ, or its ending.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let plain = plain(name);
    let allowed = (plain.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&plain, &self::plain(candidate)),
                candidate,
            )
        })
        .filter(|(distance, candidate)| {
            // The same beginning counts for more in long names: `rephrase` means `rephrasing`.
            let alike = plain.len() >= 5 && strsim::jaro_winkler(&plain, candidate) >= 0.9;
            alike || (*distance <= allowed && *distance < candidate.chars().count())
        })
        .min_by_key(|(distance, candidate)| (*distance, candidate.len()))
        .map(|(_, candidate)| candidate)
}

/// `maxTokens`, `max-tokens` and `Max Tokens` are all `max_tokens`.
fn plain(name: &str) -> String {
    let mut out = String::new();
    let mut after_lower = false;
    // A name longer than any setting cannot be near one; comparing is quadratic.
    for c in name.chars().take(100) {
        if c.is_uppercase() && after_lower {
            out.push('_');
        }
        after_lower = c.is_lowercase();
        out.extend(if matches!(c, '-' | ' ') { '_' } else { c }.to_lowercase());
    }
    out
}
