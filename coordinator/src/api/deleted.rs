//! Runs that have ended and whose folder an operator has deleted from the store: nothing of them can be kept, written again or taken up.

use gristmill_domain::id::RunId;
use tonic::Status;

use super::{Api, run_status};
use crate::Events;
use crate::owner::{START, read};

impl Api {
    /// Whether the folder of a run that the register knows as finished or cancelled is gone. Whoever ends a run stores its account first, so a
    /// folder without one is not what the run left there.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) async fn folder_deleted(&self, run: RunId) -> Result<bool, Status> {
        let deleted = async {
            if self.services.assembled(run).await? {
                return Ok(false);
            }
            let state = (self.services.states)(run);
            let events = Events::load(state.as_ref()).await?;
            Ok(!events.has_ended() || read(state.as_ref(), START).await?.is_none())
        };
        deleted.await.map_err(|error: crate::Error| run_status(&error))
    }

    /// What is to be said of such a run.
    pub(super) fn deleted(&self, run: RunId) -> String {
        format!(
            "its folder was deleted from the store ({}); nothing can be kept",
            self.services.folder(run)
        )
    }
}
