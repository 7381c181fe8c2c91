//! Signatures are verified, and public keys are as openssl writes them.

use ring::signature::{UnparsedPublicKey, VerificationAlgorithm};
use rstest::rstest;

use super::*;

/// The public key of `stranger.der`, as `openssl pkey -inform DER -in stranger.der -pubout` writes it.
const RSA_PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEApY+jpelKa4fmukRmUKac\n3JgbpMpx431ctyO/T/yLV6Lk/9kfapZSfGpF50EWmiVu4743eFWU/xDutFT6BOzz\neA7LPVZVEN1HN2R6yi9132ed5J6kvg1p8BPWSSVf8ak9cM1ZHvDyd07v2TgoRWrV\nJXCrKzuDsirUZS+ieHYQKhMuUudDZwwQBUHZ/RM+SIrjJm2um6EiafaELWRudzFt\nAJdyVT6o/9sXPlEOUxHiP4ct9FT7LCIZuAtqiDhtlP/AWBRVXlnT1ytTS6DMIT8d\nYTGjcxyX3cfkGYuKzLYXy4QMgaY9gCCsI30AyDT7KNqOG1KaJ1I6d2GqZ4xewFzM\nSQIDAQAB\n-----END PUBLIC KEY-----\n";
/// Key pairs of `openssl genpkey`, for nothing but this test.
const P256: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgqPgFAnjtcNNv+gar\nOf2Mc2ScZCkEOwtwXGVkrAeOUhahRANCAASE+KI4Vn+vZj6eyQn9AARWM7fDtij6\nxp56vFCwLdyibwHtjZuvjImTCDFoSDg2BjtQIg5zR7BPdXFdecwqP5qy\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhPiiOFZ/r2Y+nskJ/QAEVjO3w7Yo\n+saeerxQsC3com8B7Y2br4yJkwgxaEg4NgY7UCIOc0ewT3VxXXnMKj+asg==\n-----END PUBLIC KEY-----\n",
];
const P384: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\nMIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAKVPhQzLwedvQdc4vX\nXcOXsB4ugpSSnNclFt1EBUSxqrLeBNqD5cmgTnG7yeduMhOhZANiAAS7A/8qUo6N\n6OI8QbCa/IV44oetG3ZMHlI8MpdhiLHIgI5qkTeUeR4640RLWzsFSWWfWhJUe2n4\nl9EUv1HxR+3HWw4DPpI6ckYYBDOtC0k9OAiIUYV7hNfsxz4JiCpIfOw=\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEuwP/KlKOjejiPEGwmvyFeOKHrRt2TB5S\nPDKXYYixyICOapE3lHkeOuNES1s7BUlln1oSVHtp+JfRFL9R8Uftx1sOAz6SOnJG\nGAQzrQtJPTgIiFGFe4TX7Mc+CYgqSHzs\n-----END PUBLIC KEY-----\n",
];
const ED25519: [&str; 2] = [
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIC1yJh+YFUAk+qQWc4uGrC0JOSWKYxo9MsSu19Wo4FE5\n-----END PRIVATE KEY-----\n",
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEALz6dht7Q8uM+KEAAK6zkHg895NA7PpHVYg0yxIaoW48=\n-----END PUBLIC KEY-----\n",
];

fn public_bytes(pair: &Pair) -> Vec<u8> {
    match &pair.key {
        Key::Rsa(key) => key.public_key().as_ref().to_vec(),
        Key::Ecdsa(key) => key.public_key().as_ref().to_vec(),
        Key::Ed25519(key) => key.public_key().as_ref().to_vec(),
    }
}

#[rstest]
#[case(Algorithm::RS256, &signature::RSA_PKCS1_2048_8192_SHA256)]
#[case(Algorithm::RS384, &signature::RSA_PKCS1_2048_8192_SHA384)]
#[case(Algorithm::RS512, &signature::RSA_PKCS1_2048_8192_SHA512)]
#[case(Algorithm::PS256, &signature::RSA_PSS_2048_8192_SHA256)]
#[case(Algorithm::PS384, &signature::RSA_PSS_2048_8192_SHA384)]
#[case(Algorithm::PS512, &signature::RSA_PSS_2048_8192_SHA512)]
#[case(Algorithm::ES256, &signature::ECDSA_P256_SHA256_FIXED)]
#[case(Algorithm::ES384, &signature::ECDSA_P384_SHA384_FIXED)]
#[case(Algorithm::EdDSA, &signature::ED25519)]
fn what_a_pair_signs_is_verified_with_its_public_key(
    #[case] algorithm: Algorithm,
    #[case] verified: &'static dyn VerificationAlgorithm,
) {
    let pair = Pair::stranger(algorithm).unwrap();
    let signature = pair.sign(b"header.claims").unwrap();
    let key = UnparsedPublicKey::new(verified, public_bytes(&pair));
    assert!(key.verify(b"header.claims", &signature).is_ok());
    assert!(key.verify(b"header.other", &signature).is_err());
}

#[rstest]
#[case(Algorithm::ES256, P256)]
#[case(Algorithm::ES384, P384)]
#[case(Algorithm::EdDSA, ED25519)]
fn a_public_key_is_written_as_openssl_writes_it(#[case] algorithm: Algorithm, #[case] pair: [&str; 2]) {
    let [private, public] = pair;
    let pair = Pair::read(algorithm, private).unwrap();
    assert_eq!(pair.public().0, public);
    let on_one_line = Pair::read(algorithm, &private.replace('\n', "\\n")).unwrap();
    assert_eq!(on_one_line.public(), pair.public());
    assert_eq!(unwrapped(public), Some(("PUBLIC KEY".to_owned(), pair.public().1)));
}

#[test]
fn an_rsa_key_has_the_public_key_that_openssl_reports() {
    assert_eq!(Pair::stranger(Algorithm::RS256).unwrap().public().0, RSA_PUBLIC);
}

#[rstest]
#[case::no_pem(Algorithm::RS256, "a secret text", "not a private key in PEM")]
#[case::public(Algorithm::ES256, P256[1], "not a private key in PEM")]
#[case::another_kind(Algorithm::RS256, P256[0], "cannot sign with RS256")]
#[case::another_curve(Algorithm::ES384, P256[0], "cannot sign with ES384")]
#[case::shared(Algorithm::HS256, P256[0], "one shared key")]
#[case::sec1(Algorithm::ES256, "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8")]
fn a_key_that_cannot_sign_is_reported_without_the_key(
    #[case] algorithm: Algorithm,
    #[case] pem: &str,
    #[case] want: &str,
) {
    let Err(error) = Pair::read(algorithm, pem) else { panic!("it was read") };
    let reported = error.to_string();
    assert!(reported.contains(want), "{reported}");
    assert!(!reported.contains("a secret text") && !reported.contains("AAAA"), "{reported}");
}
