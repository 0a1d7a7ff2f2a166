//! Runs in requests: they are named by their ids, and whoever gives the name of a run is told its id.

use gristmill_domain::id::RunId;
use gristmill_domain::words::one_line;
use tonic::Status;

use super::{Api, register_status, run_id};

/// The newest runs whose names are looked at.
const LOOKED_AT: usize = 500;
/// Runs that are named where several have the name.
const NAMED: usize = 3;

impl Api {
    /// The id of a run in a request.
    ///
    /// # Errors
    /// A text that is not an id: it names the runs that are called so.
    pub(super) async fn id_of(&self, text: &str) -> Result<RunId, Status> {
        let unknown = match run_id(text) {
            Ok(run) => return Ok(run),
            Err(unknown) => unknown,
        };
        let runs = self.services.register.list(0, LOOKED_AT).await;
        let runs = runs.map_err(|error| register_status(&error))?;
        let called: Vec<String> = runs
            .iter()
            .filter(|run| run.name == text)
            .take(NAMED)
            .map(|run| run.run.to_string())
            .collect();
        if called.is_empty() {
            return Err(unknown);
        }
        Err(Status::not_found(format!(
            "`{}` is the name of run {}: give the id of the run",
            one_line(text),
            called.join(", and of run ")
        )))
    }
}
