//! Runs that the store holds and the register has lost, entered again by request.

use std::time::Duration;

use gristmill_domain::id::RunId;
use gristmill_proto::v1;
use tonic::Status;

use super::{Api, register_status, run_status};
use crate::fleet::{AdoptError, Adoption};

/// In whose name, and for how long at most, a run is held while it is adopted by a request.
pub(super) const ADOPTER: &str = "the API";
pub(super) const ADOPTION: Duration = Duration::from_secs(15);

impl Api {
    /// Adopts a run, or with an empty id every run of the store.
    pub(super) async fn adopt_wanted(&self, wanted: &str) -> Result<Vec<v1::AdoptedRun>, Status> {
        let adopted = match wanted {
            "" => self.services.adopt_all(ADOPTER, ADOPTION).await,
            one => {
                let run = self.id_of(one).await?;
                let adopted = self.services.adopt(run, ADOPTER, ADOPTION).await;
                adopted.map(|adoption| vec![(run, adoption)])
            }
        };
        match adopted {
            Ok(adopted) => Ok(adopted.into_iter().map(shown).collect()),
            Err(AdoptError::Register(error)) => Err(register_status(&error)),
            Err(AdoptError::State(error)) => Err(run_status(&error)),
        }
    }
}

fn shown((run, adoption): (RunId, Adoption)) -> v1::AdoptedRun {
    v1::AdoptedRun {
        run: run.to_string(),
        outcome: adoption.to_string(),
        adopted: adoption.is_new(),
        refused: matches!(adoption, Adoption::Refused(_)),
    }
}
