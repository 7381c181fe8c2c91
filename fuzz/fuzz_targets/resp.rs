//! A reply takes no more bytes than there are, and none of its beginnings is a whole reply.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_base::resp::{Limits, reply};

const LIMITS: Limits = Limits { bytes: 4_096, values: 64 };

fuzz_target!(|bytes: &[u8]| {
    if let Ok(Some((_, length))) = reply(bytes, LIMITS) {
        assert!(length <= bytes.len());
        assert_eq!(reply(&bytes[..length - 1], LIMITS), Ok(None));
    }
});
