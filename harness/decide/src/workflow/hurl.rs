//! `.hurl` files: which program runs them, with which arguments, and what its end means.

use std::{path::Path, time::Duration};

use crate::{
    command::Command,
    record::{Evidence, Outcome},
};

/// The major version whose files and options are known.
pub const MAJOR: u32 = 8;
/// The line by which a file says that it may run in a protected environment.
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

/// Tells whether a file says that it may run in a protected environment.
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

/// Says what an end means.
// Source: hurl, manual page, "Exit codes": 1 options, 2 input, 3 runtime, 4 assertion.
#[must_use]
pub fn outcome(file: &str, code: i32, said: &str) -> Outcome {
    let shown = super::ran::shortened(said.trim(), SHOWN);
    let failed = |message: String| Outcome::Fail {
        message,
        findings: Vec::new(),
        evidence: vec![Evidence { name: "hurl".to_owned(), text: shown.clone() }],
        hint: None,
    };
    match code {
        0 => Outcome::Pass(format!("{file} passes")),
        2 => failed(format!("{file} is no Hurl file")),
        3 => failed(format!("{file}: a request got no answer")),
        4 => failed(format!("{file}: an answer is not as it should be")),
        other => Outcome::Broken(format!("hurl ended with code {other}: {shown}")),
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
    fn a_file_says_that_it_is_safe_above_its_first_request(#[case] text: &str, #[case] want: bool) {
        assert_eq!(is_safe(text), want);
    }

    #[rstest]
    #[case(0, true)]
    #[case(4, false)]
    fn an_end_is_an_outcome(#[case] code: i32, #[case] passes: bool) {
        assert_eq!(matches!(outcome("a.hurl", code, ""), Outcome::Pass(_)), passes);
    }
}
