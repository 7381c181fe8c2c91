//! What is read of a journal is written again as the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_gate_decide::promotion::read;

fuzz_target!(|bytes: &[u8]| {
    if let Ok((lines, good)) = read(bytes) {
        assert!(good <= bytes.len());
        assert_eq!(bytes[..good].iter().filter(|byte| **byte == b'\n').count(), lines.len());
    }
});
