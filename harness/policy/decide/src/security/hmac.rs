//! HMAC with SHA-2, and base64 as tokens write it.
// Source: RFC 2104; RFC 7515, appendix C.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac, digest::KeyInit};
use sha2::{Sha256, Sha384, Sha512};

use stagegate_base::config::Algorithm;

/// Signs a text with a shared key; `None` for an algorithm that has a key pair.
pub(super) fn signature(algorithm: Algorithm, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::HS256 => hmac::<Hmac<Sha256>>(key, text),
        Algorithm::HS384 => hmac::<Hmac<Sha384>>(key, text),
        Algorithm::HS512 => hmac::<Hmac<Sha512>>(key, text),
        _ => None,
    }
}

/// Computes the HMAC of `text`; `None` where the hash takes no such key, which none of these does.
fn hmac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    let mac = <M as Mac>::new_from_slice(key).ok()?;
    Some(mac.chain_update(text).finalize().into_bytes().to_vec())
}

/// Writes bytes in base64 for URLs, without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`base64url`] writes, and nothing else: bits behind the last byte have to be none.
// Source: RFC 4648, 3.5.
pub(super) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    proptest! {
        #[test]
        fn bytes_are_read_as_they_were_written(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }

        #[test]
        fn a_text_is_read_only_where_it_is_the_one_of_its_bytes(text in "[A-Za-z0-9_=+-]{0,7}") {
            if let Some(bytes) = from_base64url(&text) {
                prop_assert_eq!(base64url(&bytes), text);
            }
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    // Source: RFC 4231, test cases 2 and 6.
    #[rstest]
    #[case(Algorithm::HS256, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")]
    #[case(
        Algorithm::HS384,
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649"
    )]
    #[case(
        Algorithm::HS512,
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
    )]
    fn a_signature_is_as_the_standard_states(#[case] algorithm: Algorithm, #[case] want: &str) {
        assert_eq!(hex(&signature(algorithm, b"Jefe", b"what do ya want for nothing?").unwrap()), want);
    }

    #[test]
    fn a_key_longer_than_a_block_is_hashed_first() {
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        let found = hex(&signature(Algorithm::HS256, &[0xaa; 131], text).unwrap());
        assert_eq!(found, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    }

    #[test]
    fn base64_for_urls_has_no_padding_and_no_slash() {
        assert_eq!(base64url(&[0xfb, 0xff, 0xfe, 0xff]), "-__-_w");
        for length in 0..6 {
            let bytes = [0xfb, 0xff, 0xfe, 0x01, 0x80, 0x7f][..length].to_vec();
            assert_eq!(from_base64url(&base64url(&bytes)), Some(bytes));
        }
        assert_eq!((from_base64url("a"), from_base64url("a+bc")), (None, None));
    }
}
