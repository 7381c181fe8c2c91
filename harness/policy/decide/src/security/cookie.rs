//! Are cookies kept from scripts, from plain HTTP and from other sites?

use super::Response;
use stagegate_base::finding::Finding;

/// Parts of the names of cookies that let their owner in.
const SESSION: [&str; 9] = ["sess", "sid", "auth", "token", "jwt", "login", "remember", "identity", "ticket"];
/// Parts of the names of cookies that scripts have to read: they answer a form's question, and let nobody in.
const READ_BY_SCRIPTS: [&str; 2] = ["csrf", "xsrf"];

/// Returns the flags that the cookies of a response lack: `Secure`, `SameSite`, and `HttpOnly` for sessions.
///
/// The values of cookies are never told.
#[must_use]
pub fn cookies(response: &Response) -> Vec<Finding> {
    response.all("set-cookie").flat_map(|line| findings(response, line)).collect()
}

fn findings(response: &Response, line: &str) -> Vec<Finding> {
    let mut parts = line.split(';');
    let name = parts.next().and_then(|pair| pair.split_once('=')).map_or("", |(name, _)| name.trim());
    let flags: Vec<String> = parts.map(|part| part.trim().to_ascii_lowercase()).collect();
    let has = |flag: &str| flags.iter().any(|found| found == flag || found.starts_with(&format!("{flag}=")));
    let is_removed = has("max-age") && flags.iter().any(|flag| flag == "max-age=0");
    let mut lacks = Vec::new();
    if !has("secure") {
        lacks.push(("Secure", "sent over plain HTTP too"));
    }
    if is_session(name) && !has("httponly") {
        lacks.push(("HttpOnly", "readable by scripts"));
    }
    if !has("samesite") {
        lacks.push(("SameSite=Lax or Strict", "the browser decides when other sites send it"));
    }
    let at = format!("{}: cookie {name}", response.request);
    let reported = lacks.into_iter().filter(|_| !is_removed);
    reported.map(|(flag, found)| Finding::differs(at.clone(), flag.to_owned(), found.to_owned())).collect()
}

fn is_session(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    has(&SESSION) && !has(&READ_BY_SCRIPTS)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::super::response::response;

    #[rstest]
    #[case::bare_session("sid=31d4d96e407aad42; Path=/", &["Secure", "HttpOnly", "SameSite=Lax or Strict"])]
    #[case::sound_session("sid=31d4d96e407aad42; Secure; HttpOnly; SameSite=Lax", &[])]
    #[case::upper_case("JSESSIONID=1; SECURE; HTTPONLY; SAMESITE=STRICT", &[])]
    #[case::a_preference("theme=dark; secure; samesite=lax", &[])]
    #[case::for_scripts("XSRF-TOKEN=a; secure; samesite=lax", &[])]
    #[case::plain_http("theme=dark; samesite=lax", &["Secure"])]
    #[case::taken_away("sid=; Max-Age=0", &[])]
    fn a_cookie_lacks_what_its_kind_needs(#[case] line: &str, #[case] want: &[&str]) {
        let found = super::cookies(&response(&[("Set-Cookie", line)], ""));
        assert_eq!(found.iter().map(|f| f.expected.as_str()).collect::<Vec<_>>(), want);
        assert!(!format!("{found:?}").contains("31d4d96e407aad42"), "a cookie's value is told");
    }
}
