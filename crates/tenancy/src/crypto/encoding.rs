//! The injective encoding of fields before they are hashed or authenticated.

/// `0x01 ‖ u32be(count) ‖ for each: u64be(length) ‖ bytes`. Injective: two different lists of fields never give the
/// same bytes.
pub(crate) fn encode(parts: &[&[u8]]) -> Vec<u8> {
    let total = parts.iter().map(|part| part.len() + 8).sum::<usize>() + 5;
    let mut joined = Vec::with_capacity(total);
    joined.push(1);
    joined.extend_from_slice(&u32::try_from(parts.len()).unwrap_or(u32::MAX).to_be_bytes());
    for part in parts {
        joined.extend_from_slice(&(part.len() as u64).to_be_bytes());
        joined.extend_from_slice(part);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::encode;
    use proptest::prelude::*;

    /// The inverse of `encode`: that it exists makes the encoding injective.
    fn decode(bytes: &[u8]) -> Vec<Vec<u8>> {
        assert_eq!(bytes[0], 1);
        let count = u32::from_be_bytes(bytes[1..5].try_into().unwrap());
        let mut rest = &bytes[5..];
        let mut parts = Vec::new();
        for _ in 0..count {
            let length = u64::from_be_bytes(rest[..8].try_into().unwrap()) as usize;
            parts.push(rest[8..8 + length].to_vec());
            rest = &rest[8 + length..];
        }
        assert!(rest.is_empty());
        parts
    }

    proptest! {
        #[test]
        fn encoding_is_injective(parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8)) {
            let borrowed: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(decode(&encode(&borrowed)), parts);
        }
    }
}
