//! The functions that JavaScript calls: free functions over plain numbers and typed arrays, because a class method takes a
//! lock of the whole process.

use std::sync::Arc;

use bailiwick_model::json::{self, Json};
use bailiwick_model::spec::{RuntimeSpec, TenantPart};
use bailiwick_model::{Error, Issue, Result};
use bailiwick_runtime::{Reply, TenantHandle, Validated};
use napi::Env;
use napi::bindgen_prelude::{External, Function, Uint8ArraySlice};
use napi_derive::napi;

use crate::callbacks::MOST_CALLBACK_BYTES;
use crate::completions::put;
use crate::environment::Environment;
use crate::guard::export;
use crate::operations::resolved_header;
use crate::token::Token;

type Held = External<Arc<Environment>>;

/// Makes the environment of this JavaScript thread. `wakeUp` is called when answers wait.
#[napi(ts_args_type = "wakeUp: () => void", ts_return_type = "object")]
pub fn create_environment(env: Env, wake_up: Function<'_, (), ()>) -> napi::Result<Held> {
    let wake_up = wake_up.build_threadsafe_function::<()>().weak::<true>().callee_handled::<false>().build()?;
    let environment = Environment::new(wake_up);
    env.add_env_cleanup_hook(environment.clone(), |environment| environment.end())?;
    export("createEnvironment", || Ok(External::new(environment)))
}

/// Starts an operation on the first `length` bytes of `arena`, which are copied, and returns the token of its answer.
#[napi]
pub fn submit(environment: &Held, operation: u32, target: u32, arena: &[u8], length: u32) -> napi::Result<f64> {
    export("submit", || {
        let arguments = arena.get(..length as usize).ok_or_else(out_of_range)?;
        crate::submit::submit(environment, operation, target, arguments).map(Token::to_number)
    })
}

/// Writes up to `most` answers into `slab`.
#[napi]
pub fn drain(environment: &Held, mut slab: Uint8ArraySlice<'_>, most: u32) -> napi::Result<()> {
    export("drain", || environment.completions.drain(writable(&mut slab), most as usize))
}

/// Copies an answer that was too large for the slab, once. Whether it succeeds or not, the answer is removed.
#[napi]
pub fn take(environment: &Held, token: f64, mut target: Uint8ArraySlice<'_>) -> napi::Result<()> {
    export("take", || environment.completions.take(Token::from_number(token), writable(&mut target)))
}

/// The length of a reference's id, `ref_` and 32 characters.
const ID_LENGTH: usize = 36;

/// Resolves a reference from the cache of decrypted records into `slab`, which begins with its id. Writes the answer of
/// `resolve`. Returns `false` if the caller must `submit` instead.
#[napi]
pub fn resolve_at_hand(environment: &Held, handle: u32, mut slab: Uint8ArraySlice<'_>) -> napi::Result<bool> {
    export("resolveAtHand", || {
        let slab = writable(&mut slab);
        let handle = environment.tables().handles.get(handle)?;
        let id = slab.get(..ID_LENGTH).ok_or_else(out_of_range)?;
        let Some(found) = std::str::from_utf8(id).ok().and_then(|id| handle.references().resolve_at_hand(id)) else {
            return Ok(false);
        };
        let header = resolved_header(&found);
        let parts = [&header, found.members(), found.glimpse(), found.bytes()];
        if slab.len() < parts.iter().map(|part| part.len()).sum() {
            return Ok(false);
        }
        parts.into_iter().try_fold(0, |at, part| put(slab, at, part))?;
        Ok(true)
    })
}

/// Binds a handle to a tenant. `tenant` is the tenant part of a spec as JSON; its member `validated` names the tools and
/// agents whose values the host validates.
#[napi]
pub fn create_handle(environment: &Held, store: u32, topology: u32, tenant: &[u8]) -> napi::Result<u32> {
    export("createHandle", || {
        let mut tenant = json::parse(tenant, &json::Limits::default())?;
        let validated = Validated::take_from(&mut tenant);
        let part = TenantPart::from_json(&tenant)?;
        let (opened, catalogue) = {
            let tables = environment.tables();
            (tables.stores.get(store)?, tables.topologies.get(topology)?)
        };
        let handle = TenantHandle::new(opened.store(), &part.tenant, catalogue, part.limits, part.retention)
            .validating(validated);
        let mut tables = environment.tables();
        let number = tables.handles.add(Arc::new(handle))?;
        tables.stores_of.insert(number, store);
        Ok(number)
    })
}

/// Closes a handle and ends its runs and its calls that wait for another caller. Closing it twice does nothing.
#[napi]
pub fn close_handle(environment: &Held, handle: u32) -> napi::Result<()> {
    export("closeHandle", || {
        let mut tables = environment.tables();
        tables.stores_of.remove(&handle);
        let handle = tables.handles.take(handle);
        drop(tables);
        if let Some(handle) = handle {
            handle.close();
        }
        Ok(())
    })
}

/// Makes the ids of a new run and writes them into `slab` one after the other: the run's, and one for a thread. The same
/// `request_key` gives the same ids.
#[napi]
pub fn prepare_run(
    environment: &Held,
    handle: u32,
    request_key: Option<String>,
    mut slab: Uint8ArraySlice<'_>,
) -> napi::Result<()> {
    export("prepareRun", || {
        let mut tables = environment.tables();
        let prepared = tables.handles.get(handle)?.runs().prepare(request_key.as_deref())?;
        let slab = writable(&mut slab);
        let at = put(slab, 0, prepared.run_id.as_bytes())?;
        put(slab, at, prepared.thread_id.as_bytes())?;
        tables.add_prepared(prepared);
        Ok(())
    })
}

/// Replies to a callback with the first `length` bytes of `arena`, which are copied. `kind` is 0 for a piece, 1 for the
/// value, 2 for a failure. Returns `false` if the callback is not open any more: it was answered or cancelled.
#[napi]
pub fn answer(environment: &Held, token: f64, kind: u32, arena: &[u8], length: u32) -> napi::Result<bool> {
    export("answer", || {
        let bytes = bounded(arena.get(..length as usize).ok_or_else(out_of_range)?)?.to_vec();
        let reply = match kind {
            0 => Reply::Piece(bytes),
            1 => Reply::Value(bytes),
            _ => Reply::Failure(bytes),
        };
        Ok(environment.callbacks.answer(Token::from_number(token), reply))
    })
}

/// # Errors
/// `InvalidInput` for a reply that is larger than any value and the names beside it.
fn bounded(reply: &[u8]) -> Result<&[u8]> {
    if reply.len() > MOST_CALLBACK_BYTES {
        return Err(Error::invalid("What a callback answers is too large. Keep large values as references."));
    }
    Ok(reply)
}

/// Releases a topology. Handles that use it keep it.
#[napi]
pub fn release_topology(environment: &Held, topology: u32) -> napi::Result<()> {
    export("releaseTopology", || {
        drop(environment.tables().topologies.take(topology));
        Ok(())
    })
}

/// Checks a dumped spec strictly.
#[napi]
pub fn check_spec(spec: &[u8]) -> napi::Result<()> {
    export("checkSpec", || check(spec))
}

fn check(spec: &[u8]) -> Result<()> {
    // Text that is not JSON is a problem of the spec, like everything else that is wrong with it.
    let spec: Json = json::parse(spec, &json::Limits::default())
        .map_err(|error| Error::Spec(vec![Issue { path: String::new(), message: error.to_string() }]))?;
    RuntimeSpec::from_json(&spec).map(|_| ())
}

/// The bytes of a buffer that `ts/native` made for this thread alone: never shared with a worker, never handed to a
/// caller, never detached, and not read during a call into the addon.
fn writable<'a>(buffer: &'a mut Uint8ArraySlice<'_>) -> &'a mut [u8] {
    // SAFETY: the text above; the pointer and length come from the engine at this very call.
    unsafe { buffer.as_mut() }
}

fn out_of_range() -> Error {
    Error::internal("A call crossed the boundary in the wrong shape.")
}

/// Makes the next call of an export or operation panic. Only in test builds.
#[cfg(feature = "faults")]
#[napi]
pub fn arm_panic(name: String) {
    *crate::guard::armed().lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(name);
}

/// Continues the tokens of an environment from this one. Only in test builds.
#[cfg(feature = "faults")]
#[napi]
pub fn skip_tokens(environment: &Held, next: f64) {
    environment.tokens.skip_to(Token::from_number(next));
}
