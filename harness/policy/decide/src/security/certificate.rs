//! Is the certificate that a service shows good for its name, now and for some time to come?
//!
//! Whether the chain leads to a known authority is asked of a TLS library in `stagegate_policy_act`; here its response is
//! told, and the certificate's own times are read.

use stagegate_base::{finding::Finding, text::counted};
use x509_parser::{certificate::X509Certificate, prelude::FromDer};

const DAY: i64 = 86_400;

/// What a TLS client thinks of what a service showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// It is good for the name, and its chain leads to an authority that is trusted.
    Trusted,
    /// Its time is over.
    Expired,
    /// Its time has not come.
    NotYet,
    /// It is good for other names.
    OtherNames(Vec<String>),
    /// No authority that is trusted stands behind it.
    UnknownIssuer,
    /// Something else is wrong, in the library's words.
    Refused(String),
}

/// The times of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// First second at which it is good, since 1970.
    pub not_before: i64,
    /// Last second at which it is good, since 1970.
    pub not_after: i64,
    /// The day of `not_after`, such as `2026-01-31`.
    pub last_day: String,
}

/// Bytes that should be a certificate and are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the service sent no readable X.509 certificate")]
pub struct CertificateError;

impl Certificate {
    /// Reads the times of a certificate from its DER form.
    ///
    /// # Errors
    /// [`CertificateError`] where the bytes are not laid out as a certificate is.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        let (_, read) = X509Certificate::from_der(der).map_err(|_| CertificateError)?;
        let validity = read.validity();
        let last = validity.not_after.to_datetime();
        Ok(Certificate {
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
            last_day: format!("{:04}-{:02}-{:02}", last.year(), u8::from(last.month()), last.day()),
        })
    }
}

/// Tells why a client that asks for `name` would not go on with what `service` showed.
#[must_use]
pub fn certificate(service: &str, name: &str, trust: &Trust, shown: &Certificate, now: i64) -> Option<Finding> {
    let found = match trust {
        // A library may stop at an unknown authority before it looks at the time.
        _ if now > shown.not_after => format!("expired on {}", shown.last_day),
        Trust::Trusted => return None,
        Trust::Expired => format!("expired on {}", shown.last_day),
        Trust::NotYet => "not valid yet".to_owned(),
        Trust::OtherNames(names) if names.is_empty() => "valid for no name".to_owned(),
        Trust::OtherNames(names) => format!("valid for {}", names.join(", ")),
        Trust::UnknownIssuer => "not signed by a trusted authority".to_owned(),
        Trust::Refused(reason) => reason.clone(),
    };
    let expected = format!("valid for `{name}`, signed by a trusted authority");
    Some(Finding::differs(format!("certificate of {service}"), expected, found))
}

/// Reports that a certificate ends within `days` from `now`, which is in seconds since 1970.
#[must_use]
pub fn expiry(service: &str, shown: &Certificate, days: u32, now: i64) -> Option<Finding> {
    let left = (shown.not_after - now).div_euclid(DAY);
    (left < i64::from(days)).then(|| {
        Finding::differs(
            format!("certificate of {service}"),
            format!("valid for {} more", counted(days, "day")),
            if left < 0 {
                format!("expired on {}", shown.last_day)
            } else {
                format!("{}, until {}", counted(left, "day"), shown.last_day)
            },
        )
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = Certificate::parse(&bytes);
        }
    }

    const UNTIL_2038: &[u8] = include_bytes!("../../../../../fixtures/certificates/until-2038.der");
    const UNTIL_2100: &[u8] = include_bytes!("../../../../../fixtures/certificates/until-2100.der");

    // Source: RFC 5280, 4.1.2.5: `UTCTime` until 2049, with 50 to 99 in the last century; `GeneralizedTime` after it.
    #[rstest]
    #[case::two_digits(UNTIL_2038, (0, i64::from(i32::MAX)), "2038-01-19")]
    #[case::four_digits(UNTIL_2100, (2_524_607_999, 4_107_542_399), "2100-02-28")]
    fn the_times_are_read(#[case] der: &[u8], #[case] times: (i64, i64), #[case] last_day: &str) {
        let read = Certificate::parse(der).unwrap();
        assert_eq!((read.not_before, read.not_after), times);
        assert_eq!(read.last_day, last_day);
    }

    #[test]
    fn bytes_that_are_cut_anywhere_are_no_certificate() {
        for length in 0..UNTIL_2038.len() {
            assert_eq!(Certificate::parse(&UNTIL_2038[..length]), Err(CertificateError), "{length} bytes");
        }
        assert_eq!(Certificate::parse(b"-----BEGIN CERTIFICATE-----"), Err(CertificateError));
    }

    fn shown() -> Certificate {
        Certificate { not_before: 0, not_after: i64::from(i32::MAX), last_day: "2038-01-19".to_owned() }
    }

    #[rstest]
    #[case::sound(Trust::Trusted, 0, None)]
    #[case::nobody_knows_it(Trust::UnknownIssuer, 0, Some("not signed by a trusted authority"))]
    #[case::over_and_unknown(Trust::UnknownIssuer, i64::MAX, Some("expired on 2038-01-19"))]
    #[case::other(Trust::OtherNames(vec!["old.example.org".to_owned()]), 0, Some("valid for old.example.org"))]
    fn a_certificate_that_clients_refuse_is_reported(
        #[case] trust: Trust,
        #[case] now: i64,
        #[case] want: Option<&str>,
    ) {
        let found = certificate("web", "shop.example.org", &trust, &shown(), now);
        assert_eq!(found.map(|finding| finding.found), want.map(str::to_owned));
    }

    #[rstest]
    #[case::a_month(30, None)]
    #[case::the_last_day(21, None)]
    #[case::a_day_less(20, Some("20 days, until 2038-01-19"))]
    #[case::today(0, Some("0 days, until 2038-01-19"))]
    #[case::over(-1, Some("expired on 2038-01-19"))]
    fn an_end_that_is_near_is_reported(#[case] left: i64, #[case] want: Option<&str>) {
        let shown = shown();
        let found = expiry("web", &shown, 21, shown.not_after - left * DAY);
        assert_eq!(found.map(|finding| finding.found), want.map(str::to_owned));
    }
}
