//! `.hurl` files: which program runs them, with which arguments, and what its end means.

use std::{path::Path, time::Duration};

use stagegate_base::{
    command::Command,
    finding::Finding,
    record::{Evidence, Outcome},
};

/// The major version whose files and options are known.
pub const MAJOR: u32 = 8;
/// The line by which a file states that it may run in a protected environment.
pub const SAFE: &str = "# stagegate: safe";
/// How long one request may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(10);
/// How much of its output is shown, in characters.
const SHOWN: usize = 4_000;

/// Returns the command that tells the version.
#[must_use]
pub fn version() -> Command {
    Command::new("hurl").arg("--version")
}

/// Reads the major version out of `hurl 8.0.1 (..) libcurl/..`.
#[must_use]
pub fn major(text: &str) -> Option<u32> {
    text.strip_prefix("hurl ")?.split('.').next()?.parse().ok()
}

/// Returns whether a file states that it may run in a protected environment.
#[must_use]
pub fn is_safe(text: &str) -> bool {
    text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#')).any(|line| line.trim() == SAFE)
}

/// Returns the command that runs a file; `urls` are `(service, http://address)`.
///
/// Each service's address is the variable `<service>_url`, with `_` for what a variable may not have.
// Source: hurl, manual page, "Options": --test, --no-color, --max-time, --max-filesize, --noproxy, --variable.
#[must_use]
pub fn run(file: &Path, urls: &[(String, String)]) -> Command {
    let seconds = REQUEST_WITHIN.as_secs().to_string();
    let command = Command::new("hurl").args([
        "--test",
        "--no-color",
        "--max-time",
        &seconds,
        "--max-filesize",
        "1048576",
        "--noproxy",
        "*",
    ]);
    let variables = urls.iter().map(|(service, url)| {
        let name: String = service.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        format!("{name}_url={url}")
    });
    variables.fold(command, |command, variable| command.args(["--variable".to_owned(), variable])).path(file)
}

/// States what an end means.
// Source: hurl, manual page, "Exit codes": 1 options, 2 input, 3 runtime, 4 assertion.
#[must_use]
pub fn outcome(file: &str, code: i32, output: &str) -> Outcome {
    let shown = super::result::truncated(output.trim(), SHOWN);
    let errors = errors(output);
    let failed = |what: &str| Outcome::Fail {
        message: match errors.first() {
            None => format!("{file}: {what}"),
            Some(HurlError { step: Some(step), line, title, .. }) => {
                format!("step `{step}` ({file}:{line}): {title}: {what}")
            }
            Some(HurlError { line, title, .. }) => format!("{file}:{line}: {title}: {what}"),
        },
        findings: errors.iter().map(|error| error.finding(file)).collect(),
        evidence: vec![Evidence { name: "hurl".to_owned(), text: shown.clone() }],
        hint: None,
    };
    match code {
        0 => Outcome::Pass(format!("{file} passes")),
        2 => failed("not a valid Hurl file"),
        3 => failed("the request failed, or got no response"),
        4 => failed("the response is not the expected one"),
        other => Outcome::Broken(format!("hurl exited with code {other}: {shown}")),
    }
}

/// An error as hurl reports it.
#[derive(Debug, Default, PartialEq, Eq)]
struct HurlError {
    title: String,
    line: String,
    /// The request's line of the file.
    step: Option<String>,
    /// The line of the file that does not hold.
    source: String,
    expected: Option<String>,
    found: Vec<String>,
}

impl HurlError {
    fn finding(&self, file: &str) -> Finding {
        let step = self.step.as_ref().map_or_else(String::new, |step| format!(" {step}"));
        let expected = match &self.expected {
            Some(expected) => format!("{}: {expected}", self.source),
            None => self.source.clone(),
        };
        Finding::differs(format!("{file}:{}{step}", self.line), expected, self.found.join("; "))
    }
}

/// Reads the errors out of what hurl states; what is written otherwise is left to the evidence.
// Source: hurl 8.0.1: `error: TITLE`, `  --> FILE:LINE:COLUMN`, then the file's lines behind `|`: the request's, with no
// number, then the one that does not hold, with its number, then what was found, with no number.
fn errors(output: &str) -> Vec<HurlError> {
    let mut all: Vec<HurlError> = Vec::new();
    for line in output.lines() {
        if let Some(title) = line.strip_prefix("error: ") {
            all.push(HurlError { title: title.to_owned(), ..HurlError::default() });
            continue;
        }
        let Some(error) = all.last_mut() else { continue };
        if let Some(place) = line.trim_start().strip_prefix("--> ") {
            let mut parts = place.rsplit(':').skip(1);
            error.line = parts.next().unwrap_or_default().to_owned();
        } else if let Some((number, text)) = line.split_once('|') {
            error.read(number.trim(), text.trim());
        }
    }
    all.retain(|error| !error.line.is_empty());
    all
}

impl HurlError {
    fn read(&mut self, number: &str, text: &str) {
        let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
        if is_number && number == self.line {
            self.source = text.to_owned();
            // What fails while it is sent is the request's own line.
            self.step.get_or_insert_with(|| text.to_owned());
        } else if !number.is_empty() || text.is_empty() || text == "..." {
            // Another line of the file, for orientation.
        } else if self.source.is_empty() {
            self.step = Some(text.to_owned());
        } else if let Some(expected) = text.strip_prefix("expected:") {
            self.expected = Some(expected.trim().to_owned());
        } else {
            let found = text.strip_prefix("actual:").unwrap_or(text.trim_start_matches('^'));
            self.found.push(found.trim().to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("hurl 8.0.1 (x86_64-pc-linux-gnu) libcurl/8.14.1", Some(8))]
    #[case("hurl 10.2.0", Some(10))]
    #[case("curl 8.0.1", None)]
    fn the_major_version_is_read(#[case] text: &str, #[case] want: Option<u32>) {
        assert_eq!(major(text), want);
    }

    #[test]
    fn a_file_gets_the_services_addresses() {
        let urls = [("shop-web".to_owned(), "http://172.18.0.2:80".to_owned())];
        assert_eq!(
            run(Path::new("workflows/a b.hurl"), &urls).line(),
            "hurl --test --no-color --max-time 10 --max-filesize 1048576 --noproxy '*' --variable shop_web_url=http://172.18.0.2:80 'workflows/a b.hurl'"
        );
    }

    #[rstest]
    #[case("# stagegate: safe\nGET http://x", true)]
    #[case("# about\n\n# stagegate: safe\nGET x", true)]
    #[case("GET http://x\n# stagegate: safe", false)]
    fn a_file_states_that_it_is_safe_above_its_first_request(#[case] text: &str, #[case] want: bool) {
        assert_eq!(is_safe(text), want);
    }

    /// What hurl 8.0.1 wrote.
    const STATUS: &str = "error: Assert status code
  --> /srv/shop/workflows/a.hurl:6:6
   |
   | GET {{web_url}}/nope
 6 | HTTP 200
   |      ^^^ actual value is <404>
   |

Failure /srv/shop/workflows/a.hurl (2 request(s) in 76 ms)
";
    const ASSERTS: &str = r#"error: Assert failure
  --> /srv/shop/workflows/a.hurl:8:0
   |
   | GET {{web_url}}/nope
   | ...
 8 | header "content-type" contains "json"
   |   actual:   string <text/html;charset=utf-8>
   |   expected: contains string <json>
   |

error: Invalid JSON
  --> /srv/shop/workflows/a.hurl:9:1
   |
   | GET {{web_url}}/nope
   | ...
 9 | jsonpath "$.x" == 3
   | ^^^^^^^^^^^^^^ HTTP response is not a valid JSON
   |
"#;
    const CONNECTION: &str = "error: HTTP connection
  --> /srv/shop/workflows/a.hurl:2:5
   |
 2 | GET {{web_url}}/
   |     ^^^^^^^^^^^^ (7) Failed to connect to 127.0.0.1 port 18999
   |
";

    #[rstest]
    #[case(
        4,
        STATUS,
        "step `GET {{web_url}}/nope` (workflows/a.hurl:6): Assert status code: the response is not the expected one",
        &["workflows/a.hurl:6 GET {{web_url}}/nope|HTTP 200|actual value is <404>"]
    )]
    #[case(
        4,
        ASSERTS,
        "step `GET {{web_url}}/nope` (workflows/a.hurl:8): Assert failure: the response is not the expected one",
        &[
            "workflows/a.hurl:8 GET {{web_url}}/nope|header \"content-type\" contains \"json\": contains string <json>\
             |string <text/html;charset=utf-8>",
            "workflows/a.hurl:9 GET {{web_url}}/nope|jsonpath \"$.x\" == 3|HTTP response is not a valid JSON",
        ]
    )]
    #[case(
        3,
        CONNECTION,
        "step `GET {{web_url}}/` (workflows/a.hurl:2): HTTP connection: the request failed, or got no response",
        &["workflows/a.hurl:2 GET {{web_url}}/|GET {{web_url}}/|(7) Failed to connect to 127.0.0.1 port 18999"]
    )]
    #[case(2, "something else | here", "workflows/a.hurl: not a valid Hurl file", &[])]
    fn a_failure_names_file_line_and_step(
        #[case] code: i32,
        #[case] output: &str,
        #[case] want: &str,
        #[case] findings: &[&str],
    ) {
        let Outcome::Fail { message, findings: found, .. } = outcome("workflows/a.hurl", code, output) else {
            panic!()
        };
        let found: Vec<String> =
            found.iter().map(|f| format!("{}|{}|{}", f.place.object, f.expected, f.found)).collect();
        assert_eq!((message.as_str(), found), (want, findings.iter().map(|f| (*f).to_owned()).collect()));
    }

    #[rstest]
    #[case(0, true)]
    #[case(4, false)]
    fn an_end_is_an_outcome(#[case] code: i32, #[case] passes: bool) {
        assert_eq!(matches!(outcome("a.hurl", code, ""), Outcome::Pass(_)), passes);
    }
}
