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

    /// When the time of the run, or of one of its agents, is over, and the place of that agent.
    fn deadline(&self) -> Option<(Instant, usize)> {
        let of_agents = self.state.frames.iter().enumerate().filter_map(|(at, frame)| {
            let most = self.definition(frame)?.limits.max_duration_ms?;
            Some((frame.began_ms.saturating_add(most), at))
        });
        let of_run = self.state.limits.max_duration_ms.map(|most| (most, 0));
        let (until, at) = of_run.into_iter().chain(of_agents).min()?;
        let until = self.began.checked_add(Duration::from_millis(until.saturating_sub(self.active_before)))?;
        Some((until, at))
    }

    /// # Errors
    /// `Cancelled`, or `Limited` or `AgentLimited` if a time is over.
    pub(super) fn check_stopped(&self) -> Result<(), Stop> {
        if self.live.cancelled.is_cancelled() {
            return Err(Stop::Cancelled);
        }
        match self.deadline() {
            Some((deadline, at)) if Instant::now() >= deadline => Err(limited(Limit::Duration, at)),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// `Limited` or `AgentLimited` if a model must not be asked once more.
    pub(crate) fn check_steps(&self, own: &RunLimits) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let run = &self.state.limits;
        let reached = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used >= limit);
        let limits = [
            (Limit::Steps, reached(self.state.steps, run.max_steps), reached(frame.steps, own.max_steps)),
            (Limit::Tokens, reached(self.state.usage.total(), run.max_tokens), reached(frame.tokens, own.max_tokens)),
        ];
        self.unless_reached(&limits)
    }

    /// # Errors
    /// `Limited` or `AgentLimited` if this many more tools must not be called.
    pub(crate) fn check_tool_calls(&self, more: u64) -> Result<(), Stop> {
        let Some(frame) = self.state.frames.last() else { return Ok(()) };
        let own = self.definition(frame).and_then(|definition| definition.limits.max_tool_calls);
        let exceeded = |used: u64, limit: Option<u64>| limit.is_some_and(|limit| used + more > limit);
        let of_run = exceeded(self.state.tool_calls, self.state.limits.max_tool_calls);
        self.unless_reached(&[(Limit::ToolCalls, of_run, exceeded(frame.tool_calls, own))])
    }

    /// `limits`: whether each is reached for the run, and for the last agent.
    fn unless_reached(&self, limits: &[(Limit, bool, bool)]) -> Result<(), Stop> {
        if let Some((limit, ..)) = limits.iter().find(|(_, of_run, _)| *of_run) {
            return Err(Stop::Limited(*limit));
        }
        let of_agent = limits.iter().find(|(.., of_agent)| *of_agent);
        of_agent.map_or(Ok(()), |(limit, ..)| Err(limited(*limit, self.state.frames.len().saturating_sub(1))))
    }

    /// Waits for the host, unless the run is cancelled or its time is over meanwhile.
    ///
    /// # Errors
    /// `Cancelled`, `Limited` or `AgentLimited`.
    pub(crate) async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        let deadline = self.deadline();
        tokio::select! {
            biased;
            value = work => Ok(value),
            () = self.live.cancelled.cancelled() => Err(Stop::Cancelled),
            () = until(deadline.map(|(deadline, _)| deadline)) => {
                Err(limited(Limit::Duration, deadline.map_or(0, |(_, at)| at)))
            }
        }
    }
}

/// Why the agent at this place goes on no more: a limit of the agent that was asked ends the run.
fn limited(limit: Limit, at: usize) -> Stop {
    if at == 0 { Stop::Limited(limit) } else { Stop::AgentLimited(limit, at) }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
