//! The rows of a run as a stream, read from the journal one segment at a time.

use std::collections::VecDeque;
use std::pin::Pin;

use gristmill_domain::id::RunId;
use gristmill_domain::row::{Position, Row};
use gristmill_proto::{SegmentKind, v1};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::auth::Who;
use super::{Api, register_status, run_status, told, unknown_run};
use crate::{Journal, row_message};

/// Rows of a message at most.
const MESSAGE_ROWS_MAX: usize = 256;
/// Size of a message's rows, in bytes, from which no more are put into it: a message stays below the 4 MiB that clients take unless told
/// otherwise, however many rows a segment has, except where a single row is larger.
const MESSAGE_BYTES: usize = 256 << 10;

/// Rows on their way to a client.
pub(super) type RowStream = Pin<Box<dyn Stream<Item = Result<v1::ReadRowsResponse, Status>> + Send>>;

/// Where the answer of one call goes.
type Sender = mpsc::Sender<Result<v1::ReadRowsResponse, Status>>;

impl Api {
    /// Streams rows of a run to someone who may look. A slow reader holds up the reading: one segment is in memory, however many there are.
    pub(super) async fn stream_rows(
        &self,
        who: Who,
        wanted: v1::ReadRowsRequest,
    ) -> Result<RowStream, Status> {
        let run = self.id_of(&wanted.run).await?;
        let known = self.services.register.get(run).await;
        known
            .map_err(|error| register_status(&error))?
            .ok_or_else(|| unknown_run(run))?;
        let reading = Reading {
            api: self.clone(),
            who,
            run,
            rejected: wanted.rejected,
            after: wanted
                .after
                .map(|v1::trace::Position { round, index }| Position { round, index }),
            left: if wanted.limit == 0 { u64::MAX } else { wanted.limit },
        };
        let (sender, receiver) = mpsc::channel(1);
        tokio::spawn(async move {
            if let Err(status) = reading.send_all(&sender).await {
                // A client that went away asks for no reason.
                let _gone = sender.send(Err(status)).await;
            }
        });
        Ok(Box::pin(ReceiverStream::new(receiver)))
    }
}

/// One call that reads rows.
struct Reading {
    api: Api,
    who: Who,
    run: RunId,
    rejected: bool,
    after: Option<Position>,
    /// Rows that may still be sent.
    left: u64,
}

impl Reading {
    async fn send_all(mut self, sender: &Sender) -> Result<(), Status> {
        let state = (self.api.services.states)(self.run);
        let journal = Journal::new(state.as_ref());
        let from = self.after.map_or(0, |after| after.round);
        let names = journal.segments_from(SegmentKind::Rows, from).await;
        for name in names.map_err(|error| run_status(&error))? {
            if self.left == 0 {
                return Ok(());
            }
            let records = journal.rows(&name).await.map_err(|error| run_status(&error))?;
            let rows = records.into_iter().map(|record| record.value);
            let mut rows: VecDeque<Row> = rows.filter(|row| self.wants(row)).collect();
            while let Some(message) = self.message(&mut rows)? {
                self.may_go_on()?;
                if sender.send(Ok(message)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn wants(&self, row: &Row) -> bool {
        (self.rejected || row.accepted()) && self.after.is_none_or(|after| row.position > after)
    }

    /// A token may be withdrawn while rows are sent, and a coordinator that stops waits for nobody.
    fn may_go_on(&self) -> Result<(), Status> {
        if self.api.stop.is_cancelled() {
            return Err(Status::unavailable(
                "this coordinator stops: read on from the last row, and another one answers",
            ));
        }
        match self.api.audit.access().role(&self.who) {
            Some(_) => Ok(()),
            None => Err(Status::unauthenticated("the token is not known here any more")),
        }
    }

    /// Takes the rows of the next message; none where there are no more.
    fn message(&mut self, rows: &mut VecDeque<Row>) -> Result<Option<v1::ReadRowsResponse>, Status> {
        let (mut message, mut bytes) = (v1::ReadRowsResponse::default(), 0);
        while self.left > 0 && message.rows.len() < MESSAGE_ROWS_MAX && bytes < MESSAGE_BYTES {
            let Some(row) = rows.pop_front() else {
                break;
            };
            let row = row_message(&row).map_err(|error| Status::internal(told(&error)))?;
            bytes += row.encoded_len();
            message.rows.push(row);
            self.left -= 1;
        }
        Ok((!message.rows.is_empty()).then_some(message))
    }
}
