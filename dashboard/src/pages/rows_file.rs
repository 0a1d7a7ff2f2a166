//! Rows as a file, sent as it is made.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use gristmill_rowindex::{Error, Export, Filter, Form};
use tokio::sync::mpsc;

use super::rows_asked::{Pairs, RowsAsked};
use crate::indexes::{Indexed, ask};
use crate::live::Asked;
use crate::source::Refusal;

/// Pieces that wait to be sent: a slow reader holds the making up.
const PIECES: usize = 2;

pub(super) async fn jsonl(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    answer(asked, run, pairs, Form::Jsonl).await
}

pub(super) async fn csv(asked: Asked, Path(run): Path<String>, Query(pairs): Query<Pairs>) -> Response {
    answer(asked, run, pairs, Form::Csv).await
}

async fn answer(asked: Asked, run: String, pairs: Pairs, form: Form) -> Response {
    let made = async {
        let wanted = RowsAsked::read(&pairs, &[])?;
        let app = &asked.app;
        let indexed = app
            .indexes
            .of(app.source.as_ref(), asked.visitor.session.who, &run)
            .await?;
        if !indexed.is_whole() {
            return Err(Refusal::new(
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                "The journal is still being read, so the file would lack rows. Ask again when the page of rows no longer says so.",
            ));
        }
        // The first piece is made before the answer begins, so that what is refused is refused as such.
        let filter = wanted.filter.clone();
        let first = ask(&indexed, move |indexed| {
            indexed
                .index
                .export(&indexed.journal(), &filter, form, Export::default())
        });
        Ok((first.await?, indexed, wanted.filter))
    };
    match made.await {
        Ok((first, indexed, filter)) => file(&run, first, (indexed, filter, form)),
        Err(refusal) => asked.refused(&refusal),
    }
}

fn file(
    run: &str,
    first: Option<(String, Export)>,
    (indexed, filter, form): (Arc<Indexed>, Filter, Form),
) -> Response {
    let (sender, receiver) = mpsc::channel::<Result<Bytes, Error>>(PIECES);
    tokio::task::spawn_blocking(move || {
        let mut next = first;
        while let Some((text, at)) = next {
            if sender.blocking_send(Ok(text.into())).is_err() {
                return;
            }
            match indexed.index.export(&indexed.journal(), &filter, form, at) {
                Ok(piece) => next = piece,
                Err(error) => {
                    // Breaks the connection, so that nobody takes the file for whole.
                    let _gone = sender.blocking_send(Err(error));
                    return;
                }
            }
        }
    });
    let pieces = futures::stream::unfold(receiver, async |mut receiver| {
        Some((receiver.recv().await?, receiver))
    });
    let name = format!("attachment; filename=\"{run}-rows.{}\"", form.ending());
    let headers = [
        (header::CONTENT_TYPE, form.media().to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    (headers, Body::from_stream(pieces)).into_response()
}
