//! Which segments of results hold the results of which tasks, so that one row's are found without reading a whole round.

use gristmill_coordinator::TaskResult;
use gristmill_domain::id::TaskId;
use gristmill_proto::{Segment, SegmentKind};
use rusqlite::{Connection, params};
use serde::Deserialize;

use crate::error::Error;

/// A result as far as its task: the rest is skipped, which is several times as fast as reading it.
#[derive(Deserialize)]
struct OfTask {
    task: TaskId,
}

/// The beginning of a task's id: two tasks of a segment hardly share one, and where they do nothing is lost.
fn beginning(task: &TaskId) -> u32 {
    let bytes = task.as_bytes();
    u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// Notes which tasks a segment of results holds.
pub(crate) fn note(
    connection: &Connection,
    segment: i64,
    (name, round): (&str, u32),
    bytes: &[u8],
) -> Result<(), Error> {
    let records =
        Segment::decode::<OfTask>(SegmentKind::Results, bytes).map_err(|source| Error::Segment {
            name: name.to_owned(),
            source,
        })?;
    let mut ids: Vec<u32> = records
        .iter()
        .map(|record| beginning(&record.value.task))
        .collect();
    ids.sort_unstable();
    let ids: Vec<u8> = ids.iter().flat_map(|id| id.to_le_bytes()).collect();
    connection
        .prepare_cached("INSERT INTO tasks (segment, round, ids) VALUES (?1, ?2, ?3)")?
        .execute(params![segment, round, ids])?;
    Ok(())
}

/// Names of the segments of a round that may hold a result of one of the tasks, in order.
pub(crate) fn segments(connection: &Connection, round: u32, tasks: &[TaskId]) -> Result<Vec<String>, Error> {
    let wanted: Vec<u32> = tasks.iter().map(beginning).collect();
    let mut statement = connection.prepare_cached(
        "SELECT segments.name, tasks.ids FROM tasks JOIN segments ON segments.number = tasks.segment WHERE tasks.round = ?1 ORDER BY segments.name",
    )?;
    let mut rows = statement.query([round])?;
    let mut names = Vec::new();
    while let Some(row) = rows.next()? {
        let ids = row
            .get_ref(1)?
            .as_blob()
            .map_err(|_| Error::Damaged("a list of tasks"))?;
        let ids = ids.as_chunks::<4>().0;
        let has = |task: &u32| {
            ids.binary_search_by_key(task, |id| u32::from_le_bytes(*id))
                .is_ok()
        };
        if wanted.iter().any(has) {
            names.push(row.get(0)?);
        }
    }
    Ok(names)
}

/// The results of these tasks among those of a segment.
pub(crate) fn among(results: Vec<TaskResult>, tasks: &[TaskId]) -> impl Iterator<Item = TaskResult> {
    results.into_iter().filter(|result| tasks.contains(&result.task))
}
