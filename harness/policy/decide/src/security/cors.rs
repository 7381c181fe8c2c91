//! May any site read what a signed-in user sees?

use super::Response;
use stagegate_base::finding::Finding;

/// The origins that a request pretends to come from: a site that nobody knows, and a sandboxed page.
// Source: RFC 2606: nothing under `.invalid` will ever be a site.
pub const ORIGINS: [&str; 2] = ["https://stagegate.invalid", "null"];

/// Returns what a response to a request from `origin` lets that site do with a user's cookies.
#[must_use]
pub fn cors(response: &Response, origin: &str) -> Option<Finding> {
    let allowed = response.header("access-control-allow-origin")?.trim();
    let credentials = response.header("access-control-allow-credentials")?.trim().eq_ignore_ascii_case("true");
    let found = match allowed {
        "*" => "`*` with credentials: browsers refuse it, and it would mean every site".to_owned(),
        _ if allowed.eq_ignore_ascii_case(origin) => {
            format!("origin `{origin}` is allowed with credentials: it is reflected, though unknown")
        }
        _ => return None,
    };
    let expected = "credentials for known origins only".to_owned();
    credentials.then(|| Finding::differs(format!("{} from `{origin}`", response.request), expected, found))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::response::response, *};

    #[rstest]
    #[case::nothing(None, Some("true"), false)]
    #[case::public_data(Some("*"), None, false)]
    #[case::any_site_with_cookies(Some("*"), Some("true"), true)]
    #[case::sent_back(Some("https://stagegate.invalid"), Some("true"), true)]
    #[case::sent_back_without_cookies(Some("https://stagegate.invalid"), None, false)]
    #[case::refused_by_a_word(Some("https://stagegate.invalid"), Some("false"), false)]
    #[case::a_known_site(Some("https://shop.example.org"), Some("true"), false)]
    fn credentials_go_to_known_origins(#[case] allowed: Option<&str>, #[case] sent: Option<&str>, #[case] told: bool) {
        let mut headers = Vec::new();
        headers.extend(allowed.map(|value| ("access-control-allow-origin", value)));
        headers.extend(sent.map(|value| ("access-control-allow-credentials", value)));
        assert_eq!(cors(&response(&headers, ""), ORIGINS[0]).is_some(), told);
    }
}
