//! What is kept of a row: its facts, the beginnings of its texts, and its words.

use std::collections::BTreeSet;

use gristmill_domain::id::ContentId;
use gristmill_domain::row::Row;
use gristmill_domain::seed::Seed;
use gristmill_domain::strategy::Strategy;
use rusqlite::{Connection, params};

use crate::amounts::Spent;
use crate::columns::{Facts, Tail};
use crate::error::Error;
use crate::facet::Facet;
use crate::names::Names;
use crate::search;

/// Characters of a text that lists show.
const SHOWN_CHARS: usize = 200;
/// Bytes of a row's texts whose words are found.
const SEARCHED_BYTES: usize = 65_536;

/// A row, as it goes into the file.
pub(crate) struct Entry {
    id: ContentId,
    /// Its segment, and its place there; of a real row, its ordinal.
    place: (Option<i64>, u64),
    /// Ordinal of the seed that it was made from.
    seed: Option<u32>,
    values: [Vec<String>; Facet::ALL.len()],
    spent: Spent,
    question: String,
    answer: String,
    detail: String,
    words: String,
}

impl Entry {
    /// A real row.
    pub(crate) fn real(seed: &Seed, ordinal: u64) -> Self {
        let mut values: [Vec<String>; Facet::ALL.len()] = Default::default();
        values[Facet::Verdict.column()] = vec!["real".to_owned()];
        values[Facet::Kind.column()] = vec!["real".to_owned()];
        values[Facet::Concept.column()].clone_from(&seed.concepts);
        let reasoning = seed.reasoning.as_deref().unwrap_or_default();
        Self {
            id: seed.id,
            place: (None, ordinal),
            seed: None,
            values,
            spent: Spent::default(),
            question: beginning(&seed.question),
            answer: beginning(&seed.answer),
            detail: seed.place.to_string(),
            words: words(&[&seed.question, &seed.answer, reasoning]),
        }
    }

    /// A decided row, and the labels of its seed.
    pub(crate) fn made(row: &Row, labels: &[String], unpriced: &BTreeSet<String>) -> Self {
        let mut values: [Vec<String>; Facet::ALL.len()] = Default::default();
        let mut set = |facet: Facet, of: Vec<String>| values[facet.column()] = of;
        let verdict = if row.accepted() { "accepted" } else { "rejected" };
        set(Facet::Verdict, vec![verdict.to_owned()]);
        set(Facet::Kind, vec!["synthetic".to_owned()]);
        let reason = row.rejection.iter().map(|rejection| rejection.reason.to_string());
        set(Facet::Reason, reason.collect());
        let recipe = row.made.as_ref().map(|made| made.recipe.clone());
        set(
            Facet::Recipe,
            vec![recipe.unwrap_or_else(|| row.strategy.to_string())],
        );
        set(Facet::Round, vec![row.position.round.to_string()]);
        set(Facet::Concept, concepts(row, labels));
        let counted = row.assigned.iter().filter(|assigned| assigned.counted);
        set(
            Facet::Counted,
            counted.map(|assigned| assigned.concept.clone()).collect(),
        );
        set(Facet::Strategy, vec![row.strategy.to_string()]);
        set(Facet::Teacher, named(&row.teacher));
        let cost = row.cost();
        let without_price = row.steps.iter().any(|step| unpriced.contains(&step.model));
        let without_price = cost.calls > 0 && (without_price || unpriced.contains(&row.teacher));
        let messages: Vec<&str> = row.messages.iter().map(|turn| turn.content.as_str()).collect();
        let detail = row.rejection.as_ref().map(|rejection| rejection.detail.as_str());
        let mut texts = vec![row.question.as_str(), &row.answer, &row.reasoning];
        texts.extend(detail);
        texts.extend(messages);
        Self {
            id: row.id,
            place: (None, 0),
            seed: u32::try_from(row.seed).ok(),
            values,
            spent: Spent {
                usd: cost.usd,
                calls: cost.calls,
                unpriced: without_price.into(),
            },
            question: beginning(&row.question),
            answer: beginning(&row.answer),
            detail: beginning(detail.unwrap_or_default()),
            words: words(&texts),
        }
    }

    /// Where the row stands in the journal.
    pub(crate) fn at(mut self, segment: i64, place: u64) -> Self {
        self.place = (Some(segment), place);
        self
    }

    /// Stores it as the row of a number.
    pub(crate) fn store(
        self,
        connection: &Connection,
        number: u64,
        (tail, names): (&mut Tail, &mut Names),
        vector: Option<u32>,
    ) -> Result<(), Error> {
        let mut codes = [0; Facet::ALL.len()];
        for (facet, (code, values)) in Facet::ALL.into_iter().zip(codes.iter_mut().zip(&self.values)) {
            *code = names.code(connection, facet, values)?;
        }
        tail.push(connection, Facts::new(codes, (vector, self.seed), self.spent))?;
        let (segment, at) = self.place;
        connection
            .prepare_cached(
                "INSERT INTO rows (row, id, segment, at, question, answer, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                number as i64,
                self.id.as_bytes().as_slice(),
                segment,
                at as i64,
                self.question,
                self.answer,
                self.detail,
            ])?;
        connection
            .prepare_cached("INSERT INTO words (rowid, text) VALUES (?1, ?2)")?
            .execute(params![number as i64, self.words])?;
        Ok(())
    }
}

/// A new question has concepts of its own; any other row has its seed's, unless that lent its form alone.
fn concepts(row: &Row, labels: &[String]) -> Vec<String> {
    if !row.assigned.is_empty() {
        return row
            .assigned
            .iter()
            .map(|assigned| assigned.concept.clone())
            .collect();
    }
    if let Some(aimed) = &row.concept {
        return vec![aimed.clone()];
    }
    let own = row.borrowed || row.passage.is_some() || row.strategy == Strategy::NewQuestion;
    if own { Vec::new() } else { labels.to_vec() }
}

fn named(name: &str) -> Vec<String> {
    match name.is_empty() {
        true => Vec::new(),
        false => vec![name.to_owned()],
    }
}

fn beginning(text: &str) -> String {
    let mut rest = text.chars();
    let mut shown: String = rest.by_ref().take(SHOWN_CHARS).collect();
    if rest.next().is_some() {
        shown.push('…');
    }
    shown
}

fn words(texts: &[&str]) -> String {
    let mut words = String::new();
    for text in texts {
        let room = SEARCHED_BYTES.saturating_sub(words.len());
        words.push_str(&search::spaced(&text[..text.floor_char_boundary(room)]));
        words.push('\n');
    }
    words
}
