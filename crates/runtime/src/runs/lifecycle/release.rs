//! Giving a run up: this process stops working at it, and any process may go on with it at once.

use bailiwick_model::Result;

use crate::handle::Runs;

impl Runs<'_> {
    /// Gives a run up, or the run that goes on with the calls that it has left: before its next step, or `at_once`. One that this process does not work at is due for work, so that another
    /// takes it up.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn release(self, run_id: &str, at_once: bool) -> Result<()> {
        match self.live_or_next(run_id).await? {
            Some(live) if at_once => live.released.cancel(),
            Some(live) => live.yields.cancel(),
            None => self.wake_work(self.handle.scope.now()).await?,
        }
        Ok(())
    }

    /// Stops waiting for the turn of a run that is queued here. It stays queued, and is due for work in its turn. A run that has begun
    /// goes on.
    pub fn release_queued(self, run_id: &str) {
        if let Some(live) = self.live().get(run_id) {
            live.leaves_queue.cancel();
        }
    }
}
