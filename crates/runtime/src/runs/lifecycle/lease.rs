//! Leases show which process runs a run, when several processes share a store. A lease is a row that expires soon; the process
//! that runs the run renews it. A lease tells other processes only which runs to leave alone: a former owner is fenced by the
//! owner's record, which every commit checks.
//!
//! With only one process there are no leases: it runs every run that is running.
//!
//! A lease is the id of the process (16 bytes).

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bailiwick_model::{Error, Result};
use bailiwick_tenancy::{Access, Area, Change, Committed, Durability, Limits, Name, Version, When};

use crate::handle::Runs;
use crate::runs::follow::Live;
use crate::runs::journal::{KIND, RunHead, RunStatus, fenced};

/// How long a run counts as running after its process renewed the lease last, in milliseconds. The clocks of the processes
/// may differ by about half of it.
pub(crate) const LEASE_MS: u64 = 10_000;
/// How often a process renews a lease.
const RENEWED: Duration = Duration::from_millis(LEASE_MS / 4);

fn lease_name(access: &Access, run_id: &str) -> Name {
    access.name(KIND, &[b"lease/", run_id.as_bytes()].concat())
}

/// The change that takes or renews the lease of a run, if there are leases.
pub(crate) fn taken(access: &Access, run_id: &str) -> Option<Change> {
    let (name, body) = (lease_name(access, run_id), access.process()?.to_vec());
    let expires_at = Some(access.now().saturating_add(LEASE_MS));
    Some(Change::Write { kind: KIND, area: Area::Record, name, body, expires_at, counted: None, when: When::Any })
}

pub(crate) fn given_back(access: &Access, run_id: &str) -> Option<Change> {
    access.process()?;
    Some(Change::Delete { kind: KIND, area: Area::Record, name: lease_name(access, run_id), when: When::Any })
}

/// Returns, for each run, whether another process is running it.
pub(crate) async fn held_elsewhere(access: &Access, run_ids: &[&str]) -> Result<Vec<bool>> {
    let Some(process) = access.process().filter(|_| !run_ids.is_empty()) else {
        return Ok(vec![false; run_ids.len()]);
    };
    let rows: Vec<_> = run_ids.iter().map(|run_id| (Area::Record, lease_name(access, run_id))).collect();
    let leases = access.read_current(KIND, &rows).await?;
    Ok(leases.into_iter().map(|lease| lease.is_some_and(|lease| lease.body.as_slice() != process)).collect())
}

/// The error for resuming such a run.
pub(crate) fn elsewhere(run_id: &str) -> Error {
    let message = "Another process is running this run. Follow it with runs.follow; if that process has died, resume the run once it \
         is listed as interrupted, in a few seconds.";
    Error::run_busy(message, run_id, RunStatus::Running.name())
}

impl Runs<'_> {
    /// Returns, for each run, whether a process is running it: this one or another.
    pub(crate) async fn at_work(self, access: &Access, heads: &[RunHead]) -> Result<Vec<bool>> {
        let here: Vec<bool> = heads.iter().map(|head| self.live().get(&head.run_id).is_some()).collect();
        let unsure = |(head, here): &(&RunHead, &bool)| head.status == RunStatus::Running && !**here;
        let asked: Vec<&str> = heads.iter().zip(&here).filter(unsure).map(|(head, _)| head.run_id.as_str()).collect();
        let mut elsewhere = held_elsewhere(access, &asked).await?.into_iter();
        let answers = heads.iter().zip(&here).map(|pair| if unsure(&pair) { elsewhere.next() } else { Some(*pair.1) });
        Ok(answers.map(Option::unwrap_or_default).collect())
    }
}

/// Renews a lease.
pub(crate) struct Renewal {
    pub(crate) access: Access,
    pub(crate) run_id: String,
    pub(crate) live: Arc<Live>,
    pub(crate) limits: Limits,
    /// The owner's record and its version.
    pub(crate) owner: (Name, Version),
}

impl Renewal {
    /// Works at the run, and renews its lease meanwhile.
    ///
    /// # Errors
    /// `ThreadBusy` once another process has taken the run over, and those of the work.
    pub(crate) async fn during<T>(self, work: impl Future<Output = Result<T>>) -> Result<T> {
        if self.access.process().is_none() {
            return work.await;
        }
        tokio::select! {
            biased;
            outcome = work => outcome,
            () = self.lost() => Err(fenced(&self.run_id)),
        }
    }

    /// Resolves once another process has the run. What fails otherwise is tried again: until the lease lapses there is time.
    async fn lost(&self) {
        loop {
            tokio::time::sleep(RENEWED).await;
            // The end of the run removes the owner's record, and must not be taken for a loss.
            let _not_ending = self.live.ending.lock().await;
            let (name, version) = self.owner;
            let owned = Change::Check { kind: KIND, area: Area::Record, name, when: When::Version(version) };
            let changes = [Some(owned), taken(&self.access, &self.run_id)].into_iter().flatten().collect();
            if let Ok(Committed::Conflict(_)) = self.access.commit(changes, &self.limits, Durability::Relaxed).await {
                return;
            }
        }
    }
}
