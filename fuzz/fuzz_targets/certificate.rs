//! Any bytes are a certificate or an error.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_policy_decide::security::Certificate;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(read) = Certificate::parse(bytes) {
        assert_eq!(read.last_day.len(), 10);
    }
});
