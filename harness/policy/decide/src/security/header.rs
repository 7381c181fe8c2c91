//! Do answers that reach browsers carry the headers that protect their users?

use super::Response;
use stagegate_base::finding::Finding;

/// Half a year, below which HSTS is of little use.
// Source: RFC 6797, section 11.2 leaves the time open; browsers' preload lists ask for a year, audits for half of one.
const HSTS_SECONDS: u64 = 15_552_000;

/// Returns the headers of `expected` that a response lacks or has in a form that protects nobody.
///
/// `content-security-policy` and `x-frame-options` are asked of HTML only: nothing else is shown as a page. A response
/// over TLS also needs `strict-transport-security`.
#[must_use]
pub fn headers(response: &Response, expected: &[String]) -> Vec<Finding> {
    let hsts = response.encrypted.then_some("strict-transport-security");
    let expected = expected.iter().map(String::as_str).filter(|name| applies(response, name)).chain(hsts);
    expected.filter_map(|name| finding(response, name)).collect()
}

fn applies(response: &Response, name: &str) -> bool {
    match name {
        "content-security-policy" | "x-frame-options" => response.is_html(),
        "strict-transport-security" => false,
        _ => true,
    }
}

fn finding(response: &Response, name: &str) -> Option<Finding> {
    let wanted = wanted(name);
    let value = response.header(name);
    let good = match (name, value) {
        ("x-frame-options", _) if frames_are_ruled(response) => true,
        (_, None) => false,
        ("x-content-type-options", Some(value)) => value.trim().eq_ignore_ascii_case("nosniff"),
        ("x-frame-options", Some(value)) => ["DENY", "SAMEORIGIN"].iter().any(|v| value.trim().eq_ignore_ascii_case(v)),
        ("strict-transport-security", Some(value)) => max_age(value).is_some_and(|seconds| seconds >= HSTS_SECONDS),
        (_, Some(value)) => !value.trim().is_empty(),
    };
    let found = value.map_or("no such header".to_owned(), |value| format!("`{}`", shortened(value)));
    (!good).then(|| Finding::differs(format!("{}: {name}", response.request), wanted.to_owned(), found))
}

fn wanted(name: &str) -> &'static str {
    match name {
        "x-content-type-options" => "`nosniff`",
        "x-frame-options" => "`DENY` or `SAMEORIGIN`, or `frame-ancestors` in the content security policy",
        "content-security-policy" => "a policy",
        "strict-transport-security" => "`max-age=` of half a year or more",
        _ => "a value",
    }
}

fn frames_are_ruled(response: &Response) -> bool {
    response
        .all("content-security-policy")
        .any(|policy| policy.split(';').any(|rule| rule.trim().to_ascii_lowercase().starts_with("frame-ancestors")))
}

fn max_age(value: &str) -> Option<u64> {
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    parts.find_map(|part| part.strip_prefix("max-age=")?.trim_matches('"').parse().ok())
}

fn shortened(value: &str) -> String {
    value.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::response::response, *};

    const HTML: (&str, &str) = ("Content-Type", "text/html; charset=utf-8");
    const JSON: (&str, &str) = ("content-type", "application/json");
    const SNIFF: (&str, &str) = ("X-Content-Type-Options", "nosniff");
    const POLICY: (&str, &str) = ("Content-Security-Policy", "default-src 'self'");
    const ANCESTORS: (&str, &str) = ("Content-Security-Policy", "default-src 'self'; Frame-Ancestors 'none'");

    fn missing(headers: &[(&str, &str)], encrypted: bool) -> Vec<String> {
        let expected = ["content-security-policy", "x-content-type-options", "x-frame-options"].map(str::to_owned);
        let reply = Response { encrypted, ..response(headers, "") };
        super::headers(&reply, &expected).into_iter().map(|f| f.place.object.replace("GET /: ", "")).collect()
    }

    #[rstest]
    #[case::page_without_any(&[HTML], &["content-security-policy", "x-content-type-options", "x-frame-options"])]
    #[case::page_with_all(&[HTML, SNIFF, POLICY, ("x-frame-options", "deny")], &[])]
    #[case::frames_ruled_by_the_policy(&[HTML, SNIFF, ANCESTORS], &[])]
    #[case::frames_from_anywhere(&[HTML, SNIFF, POLICY, ("x-frame-options", "ALLOWALL")], &["x-frame-options"])]
    #[case::data_needs_no_policy(&[JSON, SNIFF], &[])]
    #[case::data_may_not_be_guessed_at(&[JSON], &["x-content-type-options"])]
    #[case::an_empty_policy_is_none(&[HTML, SNIFF, ANCESTORS, ("content-security-policy", "")], &[])]
    fn what_a_page_lacks_is_reported(#[case] headers: &[(&str, &str)], #[case] want: &[&str]) {
        assert_eq!(missing(headers, false), want);
    }

    #[rstest]
    #[case::none(None, true)]
    #[case::a_day(Some("max-age=86400"), true)]
    #[case::switched_off(Some("max-age=0; includeSubDomains"), true)]
    #[case::a_year(Some("includeSubDomains; max-age=31536000"), false)]
    fn strict_transport_is_requested_of_what_comes_over_tls(#[case] value: Option<&str>, #[case] told: bool) {
        let mut headers = vec![JSON, SNIFF];
        headers.extend(value.map(|value| ("Strict-Transport-Security", value)));
        assert_eq!(missing(&headers, true) == ["strict-transport-security"], told);
        assert_eq!(missing(&headers, false), [""; 0]);
    }
}
