//! Ids as text: a prefix such as `ref_`, and 20 bytes as 32 characters of lower-case base32 (RFC 4648) without padding.

use data_encoding::{BASE32_NOPAD, BASE32_NOPAD_NOCASE};

const PREFIX: &str = "ref_";

/// Returns the text of a reference's id: `^ref_[a-z2-7]{32}$`.
pub fn reference_id(id: &[u8; 20]) -> String {
    prefixed_id(PREFIX, id)
}

/// Returns the text of an id: the prefix and 32 characters of `a–z2–7`.
pub fn prefixed_id(prefix: &str, id: &[u8; 20]) -> String {
    format!("{prefix}{}", BASE32_NOPAD.encode(id).to_ascii_lowercase())
}

/// Returns the bytes of a reference's id. `None` for anything but what [`reference_id`] returns.
pub fn parse_reference_id(text: &str) -> Option<[u8; 20]> {
    parse_prefixed_id(PREFIX, text)
}

/// Returns the bytes of an id. `None` for anything but what [`prefixed_id`] returns with the same prefix.
pub fn parse_prefixed_id(prefix: &str, text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix(prefix)?.as_bytes();
    if digits.len() != 32 || digits.iter().any(u8::is_ascii_uppercase) {
        return None;
    }
    BASE32_NOPAD_NOCASE.decode(digits).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_ids() {
        assert_eq!(reference_id(&[0; 20]), format!("ref_{}", "a".repeat(32)));
        assert_eq!(reference_id(&[0xff; 20]), format!("ref_{}", "7".repeat(32)));
        assert_eq!(reference_id(b"foobarfoobarfoobar!!"), "ref_mzxw6ytbojtg633cmfzgm33pmjqxeijb");
    }

    proptest! {
        #[test]
        fn an_id_is_read_back(id in any::<[u8; 20]>()) {
            prop_assert_eq!(parse_reference_id(&reference_id(&id)), Some(id));
        }

        #[test]
        fn only_exact_ids_are_read(text in "(ref_|REF_|ref-)?[a-zA-Z0-9=é]{28,36}") {
            if let Some(id) = parse_reference_id(&text) {
                prop_assert_eq!(reference_id(&id), text);
            }
        }
    }

    #[test]
    fn malformed_ids_are_refused() {
        let good = reference_id(&[7; 20]);
        for bad in ["", "ref_", &good[1..], &good[..35], &format!("{good}a"), &good.to_uppercase(), &format!(" {good}")]
        {
            assert_eq!(parse_reference_id(bad), None, "{bad:?}");
        }
        for digit in ["0", "1", "8", "9", "A", "=", "\n", "\0"] {
            assert_eq!(parse_reference_id(&format!("{}{digit}", &good[..35])), None, "{digit:?}");
        }
        assert_eq!(parse_reference_id(&format!("ref_{}", "é".repeat(16))), None);
    }
}
