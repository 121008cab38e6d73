//! The note of an erase receipt: `bailiwick erase v1`, the receipt without its note in RFC 8785 form, signed.

use super::checkpoint::Checkpoint;
use super::note::{NoteSigner, NoteVerifier};
use crate::json::{self, Json};
use crate::{Error, Result};

/// No checkpoint begins like this, so neither can pass for the other.
const TITLE: &str = "bailiwick erase v1";

/// Returns the receipt with its note added.
///
/// # Errors
/// `InvalidInput` if it is not an object or has a note already.
pub fn sign(signer: &NoteSigner, receipt: Json) -> Result<Json> {
    let text = text(&receipt)?;
    match receipt {
        Json::Object(mut members) if members.iter().all(|(key, _)| key != "note") => {
            members.push(("note".to_owned(), Json::String(signer.sign(&text)?)));
            Ok(Json::Object(members))
        }
        _ => Err(Error::invalid("A receipt to be signed is an object without a note.")),
    }
}

/// Returns whether this key signed the receipt as it is, and also its checkpoint, if it has one.
pub fn verify(verifier: &NoteVerifier, receipt: &Json) -> bool {
    let Some(members) = receipt.as_object() else { return false };
    let Some(note) = receipt.get("note").and_then(Json::as_str) else { return false };
    let unsigned = members.iter().filter(|(key, _)| key != "note").cloned().collect();
    let Ok(text) = text(&Json::Object(unsigned)) else { return false };
    verifier.open(note) == Some(text.as_str()) && checkpoint_holds(verifier, receipt)
}

fn checkpoint_holds(verifier: &NoteVerifier, receipt: &Json) -> bool {
    receipt.get("checkpoint").is_none_or(|checkpoint| {
        Checkpoint::from_json(checkpoint).is_some_and(|checkpoint| checkpoint.verify(verifier, None))
    })
}

fn text(unsigned: &Json) -> Result<String> {
    let canonical =
        String::from_utf8(json::canonical(unsigned)).map_err(|_| Error::internal("Canonical JSON is not UTF-8."))?;
    Ok(format!("{TITLE}\n{canonical}\n"))
}
