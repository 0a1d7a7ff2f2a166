//! Rows, read and embedded a batch at a time.

use super::source::{Rows, SourceRow};
use super::task::Task;
use super::vectors::{BATCH, Vectorizer};

/// Reads all rows a batch at a time, and hands each batch over with the vectors of its texts; with none where there is no vectorizer.
/// `what` names the rows where progress is shown.
pub(super) fn each_batch(
    rows: &mut Rows,
    mut vectorizer: Option<&mut Vectorizer>,
    what: &str,
    task: &Task,
    mut each: impl FnMut(&[SourceRow], Option<Vec<Vec<f32>>>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut counter = task.counting(what);
    loop {
        let batch = rows.batch(BATCH)?;
        if batch.is_empty() {
            return Ok(());
        }
        let vectors = match &mut vectorizer {
            Some(vectorizer) => Some(embed(vectorizer, &batch, task)?),
            None => None,
        };
        each(&batch, vectors)?;
        counter.at(rows.read(), None)?;
    }
}

/// The vectors of a batch.
fn embed(vectorizer: &mut Vectorizer, batch: &[SourceRow], task: &Task) -> anyhow::Result<Vec<Vec<f32>>> {
    let texts: Vec<String> = batch.iter().map(|row| row.text.clone()).collect();
    let own = batch
        .iter()
        .map(|row| {
            vectorizer
                .take(&row.object)
                .map_err(|reason| anyhow::anyhow!("{}: {reason}", row.place))
        })
        .collect::<Result<_, _>>()?;
    vectorizer.vectors(&texts, own, task)
}
