//! The HTTP request by which a healthcheck knows that its service is healthy.

use stagegate_base::compose::{Model, unescaped};

/// Returns the port of the HTTP request that a service's healthcheck sends to itself, and its path where all that it does
/// is a plain GET that requires success. Otherwise the path alone may respond with something else.
pub(super) fn http_of_healthcheck(model: &Model, name: &str) -> Option<(u16, Option<String>)> {
    if !model.has_healthcheck(name) {
        return None;
    }
    let test: Vec<String> = model.json()["services"][name]["healthcheck"]["test"]
        .as_array()?
        .iter()
        .filter_map(|part| part.as_str().map(unescaped))
        .collect();
    let words = match test.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["CMD-SHELL", text, ..] => words_of(text),
        ["CMD", shell, "-c", text] if shell.ends_with("sh") => words_of(text),
        ["CMD", words @ ..] => words.iter().map(|word| (*word).to_owned()).collect(),
        _ => return None,
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Some(url) = plain_get(&words) {
        let (port, path) = request(url, name)?;
        return Some((port.unwrap_or(80), Some(path)));
    }
    let goes_elsewhere = |word: &&str| {
        ["--unix-socket", "--abstract-unix-socket", "--proxy", "-x", "--socks5"]
            .iter()
            .any(|option| word.starts_with(option))
    };
    if words.iter().any(goes_elsewhere) {
        return None;
    }
    // A host alone may be a header; with a port it is where the service listens.
    let text = words.join(" ");
    let mut ports: Vec<u16> = text
        .split("http://")
        .skip(1)
        .filter_map(|rest| request(&format!("http://{}", rest.split(ends_url).next().unwrap_or_default()), name)?.0)
        .collect();
    let is_client = words.iter().any(|word| program_of(word).is_some());
    let alone = words.iter().filter(|_| is_client).filter_map(|word| request(word, name));
    ports.extend(alone.map(|(port, _)| port.unwrap_or(80)));
    ports.sort_unstable();
    ports.dedup();
    match ports.as_slice() {
        [port] => Some((*port, None)),
        _ => None,
    }
}

fn ends_url(c: char) -> bool {
    c.is_whitespace() || "'\"`|;)&<>\\".contains(c)
}

/// Returns port and path of a URL of the service itself; none of a URL with a variable.
fn request(url: &str, name: &str) -> Option<(Option<u16>, String)> {
    let rest = url.strip_prefix("http://")?;
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = match authority.rsplit_once(':').filter(|(host, _)| !host.ends_with(':') && *host != "[") {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
        _ => (authority, None),
    };
    let is_itself = ["localhost", "127.0.0.1", "0.0.0.0", "[::1]"].contains(&host) || host == name;
    let path = path.split('#').next().unwrap_or_default();
    (is_itself && !url.contains(['$', '`', ' '])).then(|| (port, format!("/{path}")))
}

/// A program that sends HTTP requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Client {
    Curl,
    Wget,
}

fn program_of(word: &str) -> Option<Client> {
    match word.rsplit('/').next()? {
        "curl" => Some(Client::Curl),
        "wget" => Some(Client::Wget),
        _ => None,
    }
}

/// Options that change nothing of what a request is, by whether a value follows.
const FLAGS: [&str; 19] = [
    "--fail",
    "--fail-with-body",
    "--silent",
    "--show-error",
    "--insecure",
    "--location",
    "--globoff",
    "--ipv4",
    "--ipv6",
    "--verbose",
    "--retry-connrefused",
    "--retry-all-errors",
    "--quiet",
    "--spider",
    "--no-verbose",
    "-nv",
    "--no-check-certificate",
    "--no-proxy",
    "--http1.1",
];
const WITH_VALUE: [&str; 11] = [
    "--output",
    "--max-time",
    "--connect-timeout",
    "--retry",
    "--retry-delay",
    "--retry-max-time",
    "--noproxy",
    "--tries",
    "--timeout",
    "--output-document",
    "--waitretry",
];

/// Returns the URL where the words are one `curl` or `wget` that sends a plain GET and fails at any other response.
fn plain_get<'a>(words: &[&'a str]) -> Option<&'a str> {
    let (first, rest) = words.split_first()?;
    let client = program_of(first)?;
    let (options, otherwise) = match rest.iter().position(|word| *word == "||") {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &[][..]),
    };
    if !matches!(otherwise, [] | ["exit"] | ["exit", "1"] | ["false"]) {
        return None;
    }
    let (mut url, mut fails, mut at) = (None, client == Client::Wget, 0);
    while let Some(word) = options.get(at).copied() {
        at += 1;
        let (name, inline) = word.split_once('=').map_or((word, false), |(name, _)| (name, true));
        match word {
            _ if word.starts_with("http://") && url.is_none() => url = Some(word),
            ">" | ">>" | "2>" | "1>" | "&>" => at += 1,
            ">/dev/null" | "1>/dev/null" | "2>/dev/null" | "&>/dev/null" | "2>&1" => {}
            _ if FLAGS.contains(&word) => fails |= word.starts_with("--fail"),
            _ if WITH_VALUE.contains(&name) => at += usize::from(!inline),
            _ if word.starts_with('-') && !word.starts_with("--") => {
                let takes_next = short_options(client, &word[1..])?;
                fails |= client == Client::Curl && word.contains('f');
                at += usize::from(takes_next);
            }
            _ => return None,
        }
    }
    url.filter(|_| fails)
}

/// Returns whether short options, written together, take the next word; none where one of them changes the request.
fn short_options(client: Client, letters: &str) -> Option<bool> {
    let (flags, with_value) = match client {
        Client::Curl => ("fsSkLgqv46N", "om"),
        Client::Wget => ("qS46cv", "OtT"),
    };
    let at = letters.find(|letter: char| !flags.contains(letter));
    match at {
        None => Some(false),
        // What follows in the same word is the value.
        Some(at) if letters[at..].starts_with(|letter| with_value.contains(letter)) => Some(letters[at..].len() == 1),
        Some(_) => None,
    }
}

/// Splits a shell text into words; operators are words of their own, and quotes are taken off.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            _ if quote == Some(c) => quote = None,
            '"' | '\'' if quote.is_none() => quote = Some(c),
            '|' | ';' if quote.is_none() => {
                let doubled = rest.next_if_eq(&c).is_some();
                words.push(if doubled { format!("{c}{c}") } else { c.to_string() });
                words.push(String::new());
            }
            _ if c.is_whitespace() && quote.is_none() => words.push(String::new()),
            _ => words.last_mut().into_iter().for_each(|word| word.push(c)),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::curl(r#"["CMD","curl","-f","http://localhost:8080/healthz"]"#, Some((8080, Some("/healthz"))))]
    #[case::with_options(r#"["CMD-SHELL","curl -fsSo /dev/null --max-time 3 'http://localhost:8080/h?a=1' || exit 1"]"#,
        Some((8080, Some("/h?a=1"))))]
    #[case::wget(r#"["CMD-SHELL","wget -qO- http://127.0.0.1/ || exit 1"]"#, Some((80, Some("/"))))]
    #[case::spider(r#"["CMD-SHELL","wget --no-verbose --tries=1 --spider http://localhost:3000/h > /dev/null 2>&1"]"#,
        Some((3000, Some("/h"))))]
    #[case::six(r#"["CMD-SHELL","curl -fg \"http://[::1]:3000/live\""]"#, Some((3000, Some("/live"))))]
    #[case::no_path(r#"["CMD","curl","-f","http://localhost:5000"]"#, Some((5000, Some("/"))))]
    #[case::its_name(r#"["CMD","curl","--fail","http://web:5000/x"]"#, Some((5000, Some("/x"))))]
    #[case::any_response(r#"["CMD","curl","http://localhost:5000/"]"#, Some((5000, None)))]
    #[case::a_header(r#"["CMD","curl","-f","-H","Host: x","http://localhost:5000/h"]"#, Some((5000, None)))]
    #[case::a_user(r#"["CMD","curl","--user","a:b","-f","http://localhost:5000/h"]"#, Some((5000, None)))]
    #[case::another_method(r#"["CMD","curl","-f","-X","POST","http://localhost:5000/h"]"#, Some((5000, None)))]
    #[case::negated(r#"["CMD-SHELL","! curl -sf http://localhost:5000/maintenance"]"#, Some((5000, None)))]
    #[case::a_status(r#"["CMD-SHELL","curl -sf -w '%{http_code}' http://localhost:5000/ | grep -q 302"]"#, Some((5000, None)))]
    #[case::another_program(r#"["CMD","check","-u","http://localhost:5000/h"]"#, Some((5000, None)))]
    #[case::in_python(r#"["CMD-SHELL","python -c \"u.urlopen('http://localhost:5000/ok')\""]"#, Some((5000, None)))]
    #[case::two_ports(r#"["CMD-SHELL","curl -f http://localhost:15000/a && curl -f http://localhost/b"]"#, None)]
    #[case::a_socket(r#"["CMD","curl","--unix-socket","/run/x.sock","http://localhost/ping"]"#, None)]
    #[case::a_proxy(r#"["CMD-SHELL","curl --proxy http://localhost:3128 http://localhost:8082/h"]"#, None)]
    #[case::a_header_by_hand(
        r#"["CMD-SHELL","exec 3<>/dev/tcp/127.0.0.1/9000;echo -e 'GET /health/ready HTTP/1.1\\r\\nhost: http://localhost\\r\\n' >&3"]"#,
        None
    )]
    #[case::another_host(r#"["CMD","curl","-f","http://db:5000/x"]"#, None)]
    #[case::a_variable(r#"["CMD-SHELL","curl -f http://localhost:$${PORT}/x"]"#, None)]
    #[case::a_command(r#"["CMD","pg_isready"]"#, None)]
    #[case::none(r#"["NONE"]"#, None)]
    fn the_request_of_a_healthcheck_is_read(#[case] test: &str, #[case] want: Option<(u16, Option<&str>)>) {
        let model = format!(r#"{{"name":"x","services":{{"web":{{"image":"x","healthcheck":{{"test":{test}}}}}}}}}"#);
        let found = http_of_healthcheck(&Model::parse(&model).unwrap(), "web");
        assert_eq!(found, want.map(|(port, path)| (port, path.map(str::to_owned))));
    }
}
