//! What holds of every number with a unit, every configuration and every secret, whoever wrote it.

use std::{path::Path, time::Duration};

use proptest::prelude::*;

use super::{
    config::Config,
    redact::{Mask, Secret},
    units::{Share, Size, Span},
};

/// Writes a value as journals do and reads it again.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

proptest! {
    #[test]
    fn any_text_is_a_number_with_a_unit_or_refused(text in "[0-9.]{0,6} ?[a-zA-Z%]{0,3}\\PC{0,2}") {
        let _ = (text.parse::<Span>(), text.parse::<Size>(), text.parse::<Share>());
    }

    #[test]
    fn a_duration_is_read_as_it_was_written(nanos in prop_oneof![0..10_u64.pow(10), 0..10_u64.pow(15)]) {
        for duration in [Duration::from_nanos(nanos), Duration::from_millis(nanos), Duration::from_secs(nanos / 1_000)] {
            prop_assert_eq!(again(&Span(duration)), Span(duration));
        }
    }

    #[test]
    fn a_size_is_read_as_it_was_written(bytes in prop_oneof![0..10_000_u64, 0..1_u64 << 53]) {
        prop_assert_eq!(again(&Size(bytes)), Size(bytes));
    }

    #[test]
    fn a_share_is_read_as_it_was_written(share in 0.0..1.0_f64) {
        prop_assert!((again(&Share(share)).0 - share).abs() < 1e-12);
    }

    #[test]
    fn any_text_is_a_configuration_or_refused(text in "([a-z\\[\\]=\"'.#{}, \n]|\\PC){0,60}") {
        let _ = Config::parse(Path::new("/srv/stagegate.toml"), &text);
    }

    #[test]
    fn a_secret_is_masked_wherever_it_stands(secret in "[!-~]{6,20}", before in "[ -~]{0,20}", after in "[ -~]{0,20}") {
        let masked = Mask::new([Secret::new(secret.as_str())]).apply(&format!("{before}{secret}{after}"));
        prop_assert!(!masked.contains(&secret) || "***".repeat(20).contains(&secret), "{}", masked);
    }
}
