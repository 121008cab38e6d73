//! Ids as text: a prefix such as `ref_` and 32 characters of lower-case base32 (RFC 4648) without padding, for 20 bytes.

const PREFIX: &str = "ref_";

/// The id in the form that the API shows: `^ref_[a-z2-7]{32}$`.
pub fn reference_id(id: &[u8; 20]) -> String {
    prefixed_id(PREFIX, id)
}

/// An id of another kind: the prefix and 32 characters of `a–z2–7`.
pub fn prefixed_id(prefix: &str, id: &[u8; 20]) -> String {
    let mut text = String::with_capacity(prefix.len() + 32);
    text.push_str(prefix);
    for five_bytes in id.chunks(5) {
        let bits = five_bytes.iter().fold(0_u64, |bits, byte| (bits << 8) | u64::from(*byte));
        text.extend((0..8).rev().map(|digit| to_digit((bits >> (5 * digit)) as u8 & 31)));
    }
    text
}

/// The bytes of an id. `None` for everything but exactly what [`reference_id`] gives.
pub fn parse_reference_id(text: &str) -> Option<[u8; 20]> {
    parse_prefixed_id(PREFIX, text)
}

/// The bytes of an id. `None` for everything but exactly what [`prefixed_id`] gives with the same prefix.
pub fn parse_prefixed_id(prefix: &str, text: &str) -> Option<[u8; 20]> {
    let digits = text.strip_prefix(prefix)?;
    if digits.len() != 32 {
        return None;
    }
    let mut id = [0; 20];
    for (five_bytes, eight_digits) in id.chunks_mut(5).zip(digits.as_bytes().chunks(8)) {
        let mut bits = 0_u64;
        for digit in eight_digits {
            bits = (bits << 5) | u64::from(from_digit(*digit)?);
        }
        five_bytes.copy_from_slice(bits.to_be_bytes().get(3..)?);
    }
    Some(id)
}

fn to_digit(value: u8) -> char {
    char::from(if value < 26 { b'a' + value } else { b'2' + (value - 26) })
}

fn from_digit(digit: u8) -> Option<u8> {
    match digit {
        b'a'..=b'z' => Some(digit - b'a'),
        b'2'..=b'7' => Some(digit - b'2' + 26),
        _ => None,
    }
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
        fn an_id_is_what_the_library_encodes_and_reads_back(id in any::<[u8; 20]>()) {
            let text = reference_id(&id);
            prop_assert_eq!(&text, &format!("ref_{}", data_encoding::BASE32_NOPAD.encode(&id).to_lowercase()));
            prop_assert_eq!(parse_reference_id(&text), Some(id));
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
