//! Actors: the people and services that the host names.

use bailiwick_model::{Error, Result};

/// The longest name of an actor, in bytes of UTF-8.
const ACTOR_BYTES: usize = 1024;

/// Checks an actor that the caller passed as `name`.
///
/// # Errors
/// `InvalidInput` for an empty name, and for more than 1,024 bytes.
pub(crate) fn check_actor(actor: &str, name: &str) -> Result<()> {
    if (1..=ACTOR_BYTES).contains(&actor.len()) {
        Ok(())
    } else {
        Err(Error::invalid(format!("{name} must have 1 to {ACTOR_BYTES} bytes of UTF-8.")))
    }
}
