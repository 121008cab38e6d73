//! Submits a call: reserves it for its tenant, starts it in the tenant's turn and queues its answer.

use std::sync::Arc;

use bailiwick_model::Result;
use bailiwick_runtime::{QueueKey, Reservation};

use crate::completions::{Completion, DONE, FAILED};
use crate::environment::Environment;
use crate::message::Answer;
use crate::operations::{CALL_BYTES, Call, Operation};
use crate::token::Token;
use crate::{dispatch, guard};

/// Starts an operation and returns the token of its answer.
///
/// # Errors
/// `TooMuchInFlight` if the tenant's calls would hold more than its limit: then nothing is copied or started.
pub(crate) fn submit(environment: &Arc<Environment>, number: u32, target: u32, arguments: &[u8]) -> Result<Token> {
    let operation = Operation::from_number(number)?;
    let held = hold(environment, operation, target, arguments.len());
    let held = held.inspect_err(|_| operation.refused(environment, arguments))?;
    let lane = held.as_ref().map_or(QueueKey::SYSTEM, |held| held.queue_key());
    let token = environment.tokens.next()?;
    let bytes = arguments.len();
    let call = Call { environment: environment.clone(), target, arguments: arguments.to_vec(), held };
    dispatch::start(lane, bytes, async move {
        let (environment, held) = (call.environment.clone(), call.held.clone());
        let outcome = guard::operation(operation.name(), operation.run(call)).await;
        complete(&environment, token, operation, held, outcome);
    })?;
    Ok(token)
}

/// Reserves a call of its tenant's limit. A call of no tenant reserves nothing, and so does one of a handle that is not
/// open: it fails when it runs.
fn hold(
    environment: &Environment,
    operation: Operation,
    target: u32,
    bytes: usize,
) -> Result<Option<Arc<Reservation>>> {
    if !operation.counts() {
        return Ok(None);
    }
    let handle = environment.tables().handles.get(target).ok();
    handle.map(|handle| handle.hold(CALL_BYTES + bytes).map(Arc::new)).transpose()
}

fn complete(
    environment: &Environment,
    token: Token,
    operation: Operation,
    held: Option<Arc<Reservation>>,
    outcome: Result<Answer>,
) {
    let bytes = outcome.as_ref().map_or(0, |answer| answer.0.len() as u64);
    let fits = held.as_ref().map_or(Ok(()), |held| held.answered(bytes, operation.only_reads()));
    let (state, payload) = match outcome.and_then(|answer| fits.map(|()| answer)) {
        Ok(answer) => (DONE, answer.0),
        Err(error) => (FAILED, guard::failure_json(&error).into_bytes()),
    };
    let lane = held.as_ref().map_or(QueueKey::SYSTEM, |held| held.queue_key());
    environment.completions.push(lane, Completion { token, state, payload, held });
}
