//! 1,000 operations of a contract: asked and compared by us, only fetched by curl, asked with two assertions by hurl.

use std::{
    fmt::Write,
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use futures_util::{StreamExt, stream};
use stagegate_contract::{Document, Format, ServiceResponse, calls, check};
use stagegate_host::http::{Http, Request};
use tokio::runtime::Runtime;

use super::{Ended, median, own, print_line, server::Server};

const CHECKS: usize = 1_000;
const ROUNDS: usize = 9;
/// How many requests everybody has on the way.
const AT_A_TIME: usize = 8;
/// The schema of a response.
const THING: &str = r#"{"type": "object", "required": ["id", "name", "price_cents", "tags", "at"],
    "additionalProperties": false, "properties": {
        "id": {"type": "integer", "minimum": 1}, "name": {"type": "string", "maxLength": 200},
        "price_cents": {"type": "integer", "minimum": 0}, "tags": {"type": "array", "items": {"type": "string"}},
        "at": {"type": "string", "format": "date-time"} }}"#;
/// What we are called, by the schemas.
const OURS: [(&str, &str); 2] = [("stagegate", "shared"), ("stagegate, a schema each", "own")];

/// Which schemas the operations answer with.
#[derive(Clone, Copy)]
pub(super) enum Schemas {
    /// All with the same one.
    Shared,
    /// Each with one of its own.
    Own,
}

fn contract(schemas: Schemas) -> String {
    let thing = |n: usize| match schemas {
        Schemas::Shared => "Thing".to_owned(),
        Schemas::Own => format!("Thing{n}"),
    };
    let mut text = String::from(r#"{"openapi": "3.1.0", "paths": {"#);
    for n in 0..CHECKS {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(
            text,
            r##"{comma} "/things/{n}": {{"get": {{"responses": {{"200": {{"content": {{"application/json": {{"schema":
                {{"$ref": "#/components/schemas/{}"}} }} }} }} }} }} }}"##,
            thing(n)
        );
    }
    text.push_str(r#"}, "components": {"schemas": {"#);
    let count = if matches!(schemas, Schemas::Shared) { 1 } else { CHECKS };
    for n in 0..count {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, r#"{comma} "{}": {THING}"#, thing(n));
    }
    text.push_str("}}}");
    text
}

/// Asks and compares every operation; ends with an error where one is not sound.
pub(super) fn run(address: &str, schemas: Schemas) -> Ended {
    let address: SocketAddr = address.parse()?;
    let document = Document::parse(&contract(schemas), Format::Json)?;
    let calls = calls(&document, false);
    let http = Http::new()?;
    let sound = Runtime::new()?.block_on(async {
        let requested = stream::iter(&calls).map(|call| {
            let (http, document) = (&http, &document);
            async move {
                let request = call.request.as_ref().ok()?;
                let wire = Request { headers: request.headers.clone(), ..Request::get(&request.target) };
                let (_, response) = http.send_first(&[address], &wire).await.ok()?;
                let facts = ServiceResponse {
                    status: response.status,
                    headers: &response.headers,
                    body: &response.body,
                    truncated: response.truncated,
                };
                check(document, &call.operation, &facts).is_valid().then_some(())
            }
        });
        requested.buffer_unordered(AT_A_TIME).filter_map(std::future::ready).count().await
    });
    if sound == CHECKS { Ok(()) } else { Err(format!("{sound} of {CHECKS} checks were sound").into()) }
}

/// Lets everybody run in turn, and reports the medians.
pub(super) fn race(hurl: Option<&str>) -> Ended {
    let server = Server::start()?;
    let folder = std::env::temp_dir().join(format!("stagegate-bench-http-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let list = folder.join("list");
    let line = |n| format!("url = \"http://{}/things/{n}\"\noutput = /dev/null\n", server.address);
    fs::write(&list, (0..CHECKS).map(line).collect::<String>())?;
    let mut names: Vec<&str> = OURS.iter().map(|(name, _)| *name).chain(["curl"]).collect();
    if hurl.is_some() {
        hurl_files(&folder, &server.address)?;
        names.push("hurl");
    }
    let mut all: Vec<Vec<f64>> = vec![Vec::new(); names.len()];
    for _ in 0..ROUNDS {
        for (name, times) in names.iter().zip(&mut all) {
            times.push(timed(command(name, &server.address, &folder, hurl)?)?);
        }
    }
    fs::remove_dir_all(&folder)?;
    for (name, times) in names.iter().zip(all) {
        let (least, most) = times.iter().fold((f64::MAX, f64::MIN), |(a, b), t| (a.min(*t), b.max(*t)));
        print_line(&format!("{name:<24} median {:.3} s   least {least:.3}   most {most:.3}", median(times)));
    }
    Ok(())
}

fn command(name: &str, address: &str, folder: &Path, hurl: Option<&str>) -> Result<Command, std::io::Error> {
    let at_a_time = AT_A_TIME.to_string();
    let ours = OURS.iter().find(|(own, _)| *own == name);
    let mut command = match (name, ours) {
        (_, Some((_, schemas))) => own(&["checks", address, schemas])?,
        ("curl", _) => {
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--fail", "--parallel", "--parallel-max", &at_a_time, "--config"])
                .arg(folder.join("list"));
            curl
        }
        _ => {
            let mut program = Command::new(hurl.unwrap_or("hurl"));
            program.args(["--test", "--parallel", "--jobs", &at_a_time]).arg(folder.join("hurl"));
            program
        }
    };
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command)
}

fn timed(mut command: Command) -> Result<f64, Box<dyn std::error::Error>> {
    let begun = Instant::now();
    let status = command.status()?;
    if status.success() {
        Ok(begun.elapsed().as_secs_f64())
    } else {
        Err(format!("{command:?} ended with {status}").into())
    }
}

/// Writes one file a request, which is how hurl runs requests in parallel.
fn hurl_files(folder: &Path, address: &str) -> std::io::Result<()> {
    let folder = folder.join("hurl");
    fs::create_dir_all(&folder)?;
    for n in 0..CHECKS {
        let text = format!(
            "GET http://{address}/things/{n}\nHTTP 200\n[Asserts]\njsonpath \"$.id\" isInteger\njsonpath \"$.name\" isString\n"
        );
        fs::write(folder.join(format!("{n}.hurl")), text)?;
    }
    Ok(())
}
