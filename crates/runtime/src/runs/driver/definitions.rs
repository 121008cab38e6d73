//! The definitions that the agents of a run go on with.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_model::pace::ahead_of;
use bailiwick_tenancy::{Area, Change};

use super::Driver;
use crate::runs::definitions::{Definition, StoredDefinitions, definition_name, stored};
use crate::runs::journal::KIND;
use crate::runs::state::Frame;

impl Driver<'_> {
    /// The definition that an agent of the run goes on with.
    pub(crate) fn definition(&self, frame: &Frame) -> Option<&Arc<Definition>> {
        let kept = self.definitions.get(&frame.number);
        kept.or_else(|| self.agents().agent(&frame.agent).map(|agent| &agent.definition))
    }

    /// Goes on with the definitions that its agents began with.
    ///
    /// # Errors
    /// `StoreCorrupt` for a damaged one, and those of the store.
    pub(crate) async fn keep_definitions(&mut self) -> Result<()> {
        for frame in &self.state.frames {
            if let Some(definition) = self.former(frame).await? {
                self.definitions.insert(frame.number, Arc::new(definition));
            }
        }
        for frame in &self.state.frames {
            let definition = self.definition(frame).filter(|_| frame.definition.is_some());
            self.storing.extend(definition.and_then(|definition| self.stored(definition)));
        }
        Ok(())
    }

    /// Stores the definition of an agent that begins now, with the next commit. Returns its hash.
    pub(crate) fn begin_with(&mut self, agent: &str) -> Option<String> {
        let definition = &self.agents().agent(agent)?.definition;
        self.storing.extend(self.stored(definition));
        Some(definition.hash.clone())
    }

    /// The definition that an agent began with. `None`: it is that of the spec, or cannot be gone on with.
    async fn former(&self, frame: &Frame) -> Result<Option<Definition>> {
        let Some(now) = self.agents().agent(&frame.agent).map(|agent| &agent.definition) else { return Ok(None) };
        let Some(hash) = frame.definition.as_ref().filter(|hash| **hash != now.hash) else { return Ok(None) };
        let rows = [(Area::Record, definition_name(&self.access, hash))];
        let Some(record) = self.access.read_current(KIND, &rows).await?.pop().flatten() else { return Ok(None) };
        ahead_of(record.body.len() + now.config.len()).await;
        let definition = now.with(&record.body)?;
        let has_providers = definition.models.iter().all(|model| self.agents().has_provider(model));
        Ok(has_providers.then_some(definition))
    }

    fn stored(&self, definition: &Definition) -> Option<Change> {
        let known = self.handle.scope.shared::<StoredDefinitions>();
        stored(&known, &self.access, definition, self.journal.expires_at)
    }
}
