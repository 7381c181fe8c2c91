//! HMAC with SHA-2, and base64 as tokens write it.
// Source: RFC 2104; RFC 7515, appendix C.

use sha2::{Digest, Sha256, Sha384, Sha512};

use stagegate_base::config::Algorithm;

/// Signs a text with a shared key; `None` for an algorithm that has a key pair.
pub(super) fn signature(algorithm: Algorithm, key: &[u8], text: &[u8]) -> Option<Vec<u8>> {
    match algorithm {
        Algorithm::HS256 => Some(hmac::<Sha256>(64, key, text)),
        Algorithm::HS384 => Some(hmac::<Sha384>(128, key, text)),
        Algorithm::HS512 => Some(hmac::<Sha512>(128, key, text)),
        _ => None,
    }
}

/// Computes the HMAC of `text`; `block` is the hash's block size in bytes.
fn hmac<D: Digest>(block: usize, key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut padded = if key.len() > block { D::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(block, 0);
    let with = |pad: u8| padded.iter().map(|byte| byte ^ pad).collect::<Vec<u8>>();
    let inner = D::new().chain_update(with(0x36)).chain_update(text).finalize();
    D::new().chain_update(with(0x5c)).chain_update(inner).finalize().to_vec()
}

/// Writes bytes in base64 for URLs, without padding.
pub(super) fn base64url(bytes: &[u8]) -> String {
    let text = stagegate_base::redact::base64(bytes);
    text.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// Reads what [`base64url`] writes.
pub(super) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    let digit = |c: u8| match c {
        b'A'..=b'Z' => Some(u32::from(c - b'A')),
        b'a'..=b'z' => Some(u32::from(c - b'a') + 26),
        b'0'..=b'9' => Some(u32::from(c - b'0') + 52),
        b'-' => Some(62),
        b'_' => Some(63),
        _ => None,
    };
    let mut bytes = Vec::new();
    for four in text.as_bytes().chunks(4) {
        let missing = 4 - four.len();
        let bits = four.iter().try_fold(0, |bits, c| Some(bits << 6 | digit(*c)?))? << (6 * missing);
        // One digit alone holds no byte.
        let count = 3_usize.checked_sub(missing).filter(|count| *count > 0)?;
        bytes.extend(bits.to_be_bytes().into_iter().skip(1).take(count));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

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
    fn a_signature_is_as_the_standard_says(#[case] algorithm: Algorithm, #[case] want: &str) {
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
