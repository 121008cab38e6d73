//! Bodies as earlier code wrote them (`tests/golden`). Their types read each and write the same bytes.

use bailiwick_model::json::{self, Json};
use data_encoding::HEXLOWER;

pub(crate) fn bodies(lines: &str) -> Vec<Vec<u8>> {
    let body = |line: &str| {
        let line: Json = json::from_slice(line.as_bytes(), &json::Limits::default()).ok()?;
        match line.get("text") {
            Some(text) => Some(text.as_str()?.as_bytes().to_vec()),
            None => HEXLOWER.decode(line.get("hex")?.as_str()?.as_bytes()).ok(),
        }
    };
    let bodies: Option<Vec<Vec<u8>>> = lines.lines().map(body).collect();
    bodies.filter(|bodies| !bodies.is_empty()).unwrap_or_default()
}
