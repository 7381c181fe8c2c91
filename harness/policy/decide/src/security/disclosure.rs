//! Does an error tell a stranger how the service is built?

use super::Response;
use stagegate_base::finding::Finding;

/// What stack traces and database errors look like, and what writes them.
const TRACES: [(&str, &str); 20] = [
    ("Traceback (most recent call last)", "Python"),
    ("  File \"/", "Python"),
    ("thread 'main' panicked at", "Rust"),
    ("' panicked at ", "Rust"),
    ("stack backtrace:", "Rust"),
    ("goroutine 1 [running]", "Go"),
    ("runtime error: ", "Go"),
    ("Exception in thread \"", "Java"),
    ("\tat java.", "Java"),
    ("\n\tat org.", "Java"),
    ("\n\tat com.", "Java"),
    (".java:", "Java"),
    ("at Object.<anonymous> (", "Node"),
    ("node_modules/", "Node"),
    ("node:internal/", "Node"),
    ("System.NullReferenceException", ".NET"),
    ("   at Microsoft.AspNetCore.", ".NET"),
    ("Fatal error: Uncaught", "PHP"),
    ("#0 /", "PHP"),
    ("(ActiveRecord::", "Ruby"),
];
/// What errors of a database look like, and which.
const DATABASE_ERRORS: [(&str, &str); 7] = [
    ("SQLSTATE", "a database"),
    ("syntax error at or near", "PostgreSQL"),
    ("PG::", "PostgreSQL"),
    ("psycopg2.", "PostgreSQL"),
    ("You have an error in your SQL syntax", "MySQL"),
    ("ORA-0", "Oracle"),
    ("SQLITE_ERROR", "SQLite"),
];
/// Headers that software names itself in.
const BANNERS: [&str; 6] = ["server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "x-generator", "via"];
/// How much of a line is reported.
const SHOWN: usize = 60;

/// Returns the stack traces and database errors that a response shows.
#[must_use]
pub fn traces(response: &Response) -> Option<Finding> {
    let known = TRACES.iter().map(|known| (known, "a stack trace of"));
    let known = known.chain(DATABASE_ERRORS.iter().map(|known| (known, "an error of")));
    let ((mark, by), what) = known.into_iter().find(|((mark, _), _)| response.body.contains(mark))?;
    Some(Finding::differs(
        format!("{} ({})", response.request, response.status),
        "an error without internals",
        format!("{what} {by} (`{}`)", mark.trim()),
    ))
}

/// Returns the versions that an answer tells in its headers, and on the error page of a web server.
#[must_use]
pub fn banners(response: &Response) -> Vec<Finding> {
    let in_headers = BANNERS.iter().flat_map(|name| response.all(name).map(move |value| (*name, value)));
    let reported = in_headers.filter(|(_, value)| has_version(value)).map(|(name, value)| (name.to_owned(), value));
    let page = (response.status >= 400).then(|| page_banner(&response.body)).flatten();
    let reported = reported.chain(page.map(|text| ("error page".to_owned(), text)));
    reported
        .map(|(place, text)| {
            Finding::differs(
                format!("{}: {place}", response.request),
                "no version",
                format!("`{}`", text.chars().take(SHOWN).collect::<String>()),
            )
        })
        .collect()
}

/// Returns whether a text holds a name, a slash and a number (`nginx/1.27`), or is a version itself.
fn has_version(value: &str) -> bool {
    let digit_after_slash =
        |text: &str| text.split('/').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let bare = value.starts_with(|c: char| c.is_ascii_digit()) && value.contains('.') && !value.contains(' ');
    digit_after_slash(value) || bare
}

/// Finds the line that web servers write below their own error pages.
fn page_banner(body: &str) -> Option<&str> {
    let names = ["nginx/", "Apache/", "Apache Tomcat/", "Caddy/", "lighttpd/", "Werkzeug/", "gunicorn/", "Jetty://"];
    let start = names.iter().find_map(|name| {
        let at = body.find(name)?;
        body[at + name.len()..].starts_with(|c: char| c.is_ascii_digit()).then_some(at)
    })?;
    body[start..].split(['<', '\n']).next()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{super::response::response, *};

    #[rstest]
    #[case("Traceback (most recent call last):\n  File \"/app/main.py\", line 3", Some("Python"))]
    #[case("{\"error\":\"thread 'tokio-runtime-worker' panicked at src/orders.rs:88\"}", Some("Rust"))]
    #[case("java.lang.IllegalStateException\n\tat org.shop.Orders.get(Orders.java:41)", Some("Java"))]
    #[case("ERROR: syntax error at or near \"'\" (SQLSTATE 42601)", Some("a database"))]
    #[case("{\"error\":{\"code\":\"not_found\",\"message\":\"there is no such path\"}}", None)]
    #[case("<p>The panic buying of paper is over</p>", None)]
    fn a_trace_is_reported_with_what_wrote_it(#[case] body: &str, #[case] by: Option<&str>) {
        let found = traces(&response(&[], body));
        assert_eq!(found.is_some(), by.is_some(), "{found:?}");
        assert!(by.is_none_or(|by| found.unwrap().found.contains(by)));
    }

    #[rstest]
    #[case("Server", "nginx/1.27.3", 1)]
    #[case("Server", "nginx", 0)]
    #[case("X-Powered-By", "PHP/8.1.2", 1)]
    #[case("X-Powered-By", "Express", 0)]
    #[case("X-AspNet-Version", "4.0.30319", 1)]
    #[case("Via", "1.1 proxy", 0)]
    #[case("X-Api-Version", "v1/2", 0)]
    fn a_version_in_a_header_is_reported(#[case] name: &str, #[case] value: &str, #[case] want: usize) {
        assert_eq!(banners(&response(&[(name, value)], "")).len(), want);
    }

    #[test]
    fn the_line_below_an_error_page_is_reported() {
        let page = "<center><h1>404 Not Found</h1></center><hr><center>nginx/1.27.3</center>";
        let reply = Response { status: 404, ..response(&[], page) };
        assert_eq!(banners(&reply)[0].found, "`nginx/1.27.3`");
        assert_eq!(banners(&response(&[], page)), [], "a page about nginx is no error page");
    }
}
