//! The rows that are trained on, in blocks.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use gristmill_dataset::{DatasetRow, Origin, Split, each_row};

use crate::Error;

/// Rows that are embedded and compared together.
const BLOCK: usize = 256;

/// Calls `take` with blocks of the rows that are trained on, each with its number; a real row that is repeated comes once. Rows
/// of one id may differ in their text: those are several.
pub(crate) fn each_block(
    dataset: &Path,
    progress: &mut dyn FnMut(u64) -> Result<(), Error>,
    mut take: impl FnMut(&[(u32, DatasetRow)]) -> Result<(), Error>,
) -> Result<(), Error> {
    let (state, mut seen) = (RandomState::new(), HashSet::new());
    let (mut block, mut read, mut number) = (Vec::with_capacity(BLOCK), 0, 0_u32);
    for split in Split::TRAINED {
        each_row::<Error>(dataset, split, |row| {
            read += 1;
            if row.provenance.origin == Origin::Human {
                let text = serde_json::to_string(&row.messages).unwrap_or_default();
                if !seen.insert(state.hash_one((&row.id, text))) {
                    return Ok(());
                }
            }
            block.push((number, row));
            number = number.saturating_add(1);
            if block.len() == BLOCK {
                take(&block)?;
                block.clear();
                progress(read)?;
            }
            Ok(())
        })?;
    }
    take(&block)?;
    progress(read)
}
