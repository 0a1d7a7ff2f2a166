//! The lengths of a pair's two answers. Where the preferred one is mostly the longer, a model that is trained on the pairs learns to write
//! long (Singhal et al. 2023, arXiv 2310.03716): `max_length_ratio` of a recipe's row keeps pairs whose lengths are alike.

use super::State;
use crate::filter::{Reason, Rejection};
use crate::recipe::Recipe;
use crate::row::completion;
use crate::work::Answer;

/// How many times as long the longer of two answers is, in characters with their reasoning; 1 where they are equally long.
pub(super) fn ratio(a: &Answer, b: &Answer) -> f64 {
    let [a, b] = [a, b].map(|answer| {
        completion(&answer.reasoning, &answer.answer)
            .chars()
            .count()
            .max(1)
    });
    a.max(b) as f64 / a.min(b) as f64
}

impl State {
    /// The rejection of a pair whose answers are too unlike in length, once no step is left that could change them.
    pub(super) fn too_unlike(&self, recipe: &Recipe) -> Option<Rejection> {
        let row = &recipe.file().row;
        let most = row.max_length_ratio?;
        recipe.last_answer().filter(|last| self.at > *last)?;
        let (chosen, rejected) = (row.chosen.as_ref()?, row.rejected.as_ref()?);
        let ratio = ratio(self.answer(chosen)?, self.answer(rejected)?);
        (ratio > most).then(|| {
            let detail = format!(
                "one answer is {ratio:.2} times as long as the other, where at most {most} is wanted (`max_length_ratio`)"
            );
            Rejection::new(Reason::Recipe, detail)
        })
    }
}
