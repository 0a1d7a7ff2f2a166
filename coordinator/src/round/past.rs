//! What a round goes on from.

use gristmill_domain::again::Again;
use gristmill_domain::job::Filter;
use gristmill_domain::row::Row;
use gristmill_domain::strategy::Strategy;

use crate::Error;
use crate::corpus::Corpus;
use crate::coverage::Coverage;
use crate::stored_rows::{self, StoredRows};

/// What finished rounds left behind, and this one adds to.
pub(crate) struct Past<'a> {
    pub(crate) corpus: &'a mut Corpus,
    pub(crate) kept: &'a mut StoredRows,
    pub(crate) coverage: Option<&'a mut Coverage>,
    /// Questions that were aimed at each concept in finished rounds, by its number.
    pub(crate) again: &'a [Again],
}

impl Past<'_> {
    /// Puts a row that was stored before back where later ones are compared with it.
    pub(crate) fn recall(
        &mut self,
        filter: &Filter,
        row: &Row,
        vector: Option<Vec<f32>>,
    ) -> Result<(), Error> {
        if !row.accepted() && !row.surplus() {
            return Ok(());
        }
        let mut shingles = Box::default();
        if row.strategy == Strategy::AnswerAugmentation {
            let words = filter.near_duplicates.shingle_words;
            shingles = stored_rows::shingles(&row.reasoning, &row.answer, words);
        } else {
            let probe = self.corpus.probe(row.compared(), vector);
            self.corpus.insert(&probe, row.family)?;
        }
        self.kept.keep(row.strategy, row.seed, shingles);
        match &mut self.coverage {
            Some(coverage) if row.accepted() => coverage.recall(row),
            Some(_) | None => Ok(()),
        }
    }
}

/// Candidates of a round that were decided and stored before, in their order.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    pub(crate) decided: u64,
    /// Those of them that were accepted.
    pub(crate) accepted: u64,
}
