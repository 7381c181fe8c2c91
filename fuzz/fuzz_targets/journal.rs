//! What is read of a journal is written again as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_gate_decide::promotion::read;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(chain) = read(bytes) {
        assert!(chain.bytes <= bytes.len());
        assert_eq!(bytes[..chain.bytes].iter().filter(|byte| **byte == b'\n').count(), chain.lines.len());
    }
});
