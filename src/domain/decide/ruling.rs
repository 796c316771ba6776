//! The engine's ruling: taken only on the plan and under the policy that it was made for.

use std::sync::Arc;

use super::Draft;
use crate::domain::command::Actor;
use crate::domain::event::What;
use crate::domain::ids::ReleaseId;
use crate::domain::refusal::Refusal;
use crate::domain::ruling::Ruling;

impl Draft {
    pub(super) fn ruled(
        &mut self,
        who: &Actor,
        id: ReleaseId,
        ruling: &Arc<Ruling>,
    ) -> Result<(), Refusal> {
        if *who != Actor::Engine {
            return Err(Refusal::EngineOnly);
        }
        let release = self.release(id)?;
        if ruling.digests.plan != release.digest
            || ruling.digests.policy != self.state.charter_digest
        {
            return Err(Refusal::OtherGrounds(id));
        }
        if release.started() {
            return Ok(());
        }
        self.push(What::Ruled {
            release: id,
            ruling: ruling.clone(),
        });
        self.advance(id);
        Ok(())
    }
}
