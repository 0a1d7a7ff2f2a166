//! What the validator `sql` asks of a query engine.

use std::sync::Arc;

use async_trait::async_trait;
use gristmill_domain::validator::{JudgedQuery, Queries, QueryFault};

use super::{Fault, SqlEngine, judge};

/// An engine whose queries are judged by what they return on a database and on its altered copies.
pub struct Judging(pub Arc<dyn SqlEngine>);

#[async_trait]
impl Queries for Judging {
    async fn judge(
        &self,
        database: &str,
        query: &str,
        references: &[String],
    ) -> Result<JudgedQuery, QueryFault> {
        let judged = judge(self.0.as_ref(), database, query, references).await;
        let judged = judged.map_err(|fault| match fault {
            Fault::Query(error) if error.is_querys_fault() => QueryFault::Query(error.to_string()),
            Fault::Query(error) => QueryFault::Engine(error.to_string()),
            fault @ (Fault::Reference { .. } | Fault::Engine(_)) => QueryFault::Engine(fault.to_string()),
        })?;
        Ok(JudgedQuery {
            canonical: judged.fingerprint.to_string(),
            correct: judged.correct,
            detail: judged.detail,
            is_empty: judged.empty,
        })
    }
}
