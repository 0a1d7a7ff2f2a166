//! The head of a dataset card: YAML that tells loaders which files belong to which split.

use std::fmt::Write;

use crate::row::Split;

/// What the card says of the dataset as a whole.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Its name for people.
    pub pretty_name: Option<String>,
    /// Licence identifier as hubs write them (`apache-2.0`, `cc-by-4.0`, `other`).
    pub license: Option<String>,
    /// ISO 639 codes (`en`).
    pub languages: Vec<String>,
    /// Tags beside `synthetic` and `gristmill`.
    pub tags: Vec<String>,
}

/// YAML front matter with its marks, ending in a blank line; the card's Markdown follows.
///
/// Only splits with rows are named: loaders take a pattern without a file for an error. Its configuration names
/// `data/*.parquet` alone, so that `jsonl/` and `rejected.parquet` are not loaded as rows.
///
/// The configuration is called by its rows: `datasets` keeps what it has loaded by the folder's name and this one, and would give the rows of
/// one run for those of another.
pub fn front_matter(about: &About, rows_hash: &str, splits: &[(Split, u64)]) -> String {
    let mut yaml = String::from("---\n");
    for (key, value) in [("pretty_name", &about.pretty_name), ("license", &about.license)] {
        if let Some(value) = value {
            line(&mut yaml, &format!("{key}: {}", quoted(value)));
        }
    }
    if !about.languages.is_empty() {
        line(&mut yaml, "language:");
        about
            .languages
            .iter()
            .for_each(|code| line(&mut yaml, &format!("- {}", quoted(code))));
    }
    line(
        &mut yaml,
        "task_categories:\n- text-generation\ntags:\n- synthetic\n- gristmill",
    );
    about
        .tags
        .iter()
        .for_each(|tag| line(&mut yaml, &format!("- {}", quoted(tag))));
    let rows = splits.iter().map(|(_, rows)| rows).sum();
    line(&mut yaml, &format!("size_categories:\n- {}", size_category(rows)));
    if rows > 0 {
        line(&mut yaml, "configs:");
    }
    // Files of one configuration have the same columns.
    let with_rows = || {
        splits
            .iter()
            .filter(|(_, rows)| *rows > 0)
            .map(|(split, _)| split)
    };
    let own = |split: &&Split| split.stands_alone();
    let mut configurations: Vec<(String, Vec<&Split>)> =
        vec![("rows".into(), with_rows().filter(|split| !own(split)).collect())];
    configurations.extend(
        with_rows()
            .filter(own)
            .map(|split| (split.to_string(), vec![split])),
    );
    configurations.retain(|(_, splits)| !splits.is_empty());
    for (place, (name, splits)) in configurations.iter().enumerate() {
        line(&mut yaml, &format!("- config_name: {name}-{rows_hash}"));
        if place == 0 && configurations.len() > 1 {
            // What loads when nobody says which.
            line(&mut yaml, "  default: true");
        }
        line(&mut yaml, "  data_files:");
        for split in splits {
            // A split of its own is what its configuration is trained on.
            let role = if own(split) { &Split::Train } else { *split };
            line(
                &mut yaml,
                &format!("  - split: {role}\n    path: data/{split}-*.parquet"),
            );
        }
    }
    yaml.push_str("---\n\n");
    yaml
}

fn line(yaml: &mut String, text: &str) {
    yaml.push_str(text);
    yaml.push('\n');
}

/// Hubs' names for sizes.
fn size_category(rows: u64) -> &'static str {
    match rows {
        0..1_000 => "n<1K",
        1_000..10_000 => "1K<n<10K",
        10_000..100_000 => "10K<n<100K",
        100_000..1_000_000 => "100K<n<1M",
        1_000_000..10_000_000 => "1M<n<10M",
        _ => "n>10M",
    }
}

/// A double-quoted YAML text. Control and direction marks are escaped: YAML readers refuse the first, and the second
/// would show a card other than it is.
fn quoted(text: &str) -> String {
    let mut yaml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => yaml.extend(['\\', c]),
            c if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                // Writing to a text cannot fail.
                let _ = write!(yaml, "\\u{:04x}", u32::from(c));
            }
            c => yaml.push(c),
        }
    }
    yaml.push('"');
    yaml
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_splits_with_rows_are_named_and_texts_cannot_break_out() {
        let about = About {
            pretty_name: Some("a\": b\n---\n\u{202e}x".to_owned()),
            license: Some("cc-by-4.0".to_owned()),
            languages: vec!["no".to_owned()],
            tags: vec!["# sql".to_owned()],
        };
        let card = front_matter(
            &about,
            "0123abcd",
            &[(Split::Train, 1_000), (Split::Validation, 0), (Split::Test, 5)],
        );
        let expected = r##"---
pretty_name: "a\": b\u000a---\u000a\u202ex"
license: "cc-by-4.0"
language:
- "no"
task_categories:
- text-generation
tags:
- synthetic
- gristmill
- "# sql"
size_categories:
- 1K<n<10K
configs:
- config_name: rows-0123abcd
  data_files:
  - split: train
    path: data/train-*.parquet
  - split: test
    path: data/test-*.parquet
---

"##;
        assert_eq!(card, expected);
    }
}
