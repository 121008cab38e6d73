//! The limits of a run and of its agents, and its cancellation.

use std::future::Future;
use std::time::Duration;

use bailiwick_model::spec::RunLimits;
use tokio::time::Instant;

use super::{Driver, Stop};
use crate::runs::events::Limit;

impl Driver<'_> {
    /// How long the run was worked at, in milliseconds.
    pub(crate) fn active_ms(&self) -> u64 {
        let now = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.active_before.saturating_add(now)
    }

    /// When the time of the run, or of one of its agents, is over.
    fn deadline(&self) -> Option<Instant> {
        let of_agents = self.state.frames.iter().filter_map(|frame| {
            let most = self.definition(frame)?.limits.max_duration_ms?;
            Some(frame.began_ms.saturating_add(most))
        });
        let until = self.state.limits.max_duration_ms.into_iter().chain(of_agents).min()?;
        self.began.checked_add(Duration::from_millis(until.saturating_sub(self.active_before)))
    }

    /// # Errors
    /// `Cancelled`, or `Limited` if its time is over.
    pub(super) fn check_stopped(&self) -> Result<(), Stop> {
        if self.live.cancelled.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.deadline() {
            Some(deadline) if Instant::now() >= deadline => Err(Stop::Limited(Limit::Duration)),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `Limited` if a model must not be asked once more.
    pub(crate) fn check_steps(&self, own: &RunLimits) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let run = &self.state.limits;
        let reached = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used >= limit);
        if reached(self.state.steps, run.max_steps) || reached(frame.steps, own.max_steps) {
            return Err(Stop::Limited(Limit::Steps));
        }
        if reached(self.state.usage.total(), run.max_tokens) || reached(frame.tokens, own.max_tokens) {
            return Err(Stop::Limited(Limit::Tokens));
        }
        Ok(())
    }

    /// # Errors
    /// `Limited` if this many more tools must not be called.
    pub(crate) fn check_tool_calls(&self, more: u64) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let own = self.definition(frame).and_then(|definition| definition.limits.max_tool_calls);
        let exceeded = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used + more > limit);
        if exceeded(self.state.tool_calls, self.state.limits.max_tool_calls) || exceeded(frame.tool_calls, own) {
            return Err(Stop::Limited(Limit::ToolCalls));
        }
        Ok(())
    }

    /// Waits for the host, unless the run is cancelled or its time is over meanwhile.
    ///
    /// # Errors
    /// `Cancelled` or `Limited`.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            value = work => Ok(value),
            () = self.live.cancelled.cancelled() => Err(Stop::Cancelled),
            () = until(self.deadline()) => Err(Stop::Limited(Limit::Duration)),
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
