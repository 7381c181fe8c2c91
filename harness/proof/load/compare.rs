//! Rounds in turns: the generator, `wrk`, the generator; then medians and ratios.

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use stagegate_base::units::Span;
use stagegate_host::http::{Http, Request};
use stagegate_performance_act::load::{Aim, Call, Extent, Load, Pace, Subject};
use stagegate_performance_decide::Latencies;

use crate::{Done, ROUND, seconds, wrk};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Rounds for each path
    #[arg(long, default_value_t = 7)]
    rounds: usize,
    /// How long a round lasts
    #[arg(long, default_value = ROUND)]
    round: Span,
    /// Connections
    #[arg(long, default_value_t = 32)]
    connections: usize,
    /// The program to compare with; without it the generator is measured alone
    #[arg(long)]
    wrk: Option<PathBuf>,
}

/// One round of one program.
#[derive(Clone, Copy, Debug)]
struct Round {
    rate: f64,
    p99_ms: f64,
    /// The p99 of the server's own log of the same requests.
    log_ms: f64,
}

impl Round {
    /// How far the told p99 is from the server's own, in milliseconds.
    fn error_ms(&self) -> f64 {
        (self.p99_ms - self.log_ms).abs()
    }
}

/// A running server; it ends with this value.
struct Server {
    child: Child,
    address: SocketAddr,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start() -> Result<Self, Box<dyn Error>> {
        let mut child = Command::new(std::env::current_exe()?).arg("serve").stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("the server has no output")?;
        let mut port = String::new();
        BufReader::new(out).read_line(&mut port)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port.trim().parse()?));
        Ok(Server { child, address })
    }

    /// Returns the log since the last time.
    async fn log(&self) -> Result<Latencies, Box<dyn Error>> {
        Ok(serde_json::from_str(&Http::shared()?.get(self.address, "/log", None).await?.text())?)
    }
}

pub(crate) fn run(args: &Args) -> Done {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(all(args))
}

async fn all(args: &Args) -> Done {
    let server = Server::start()?;
    let mut text =
        "| path | program | requests/s | p99 | p99 in the server's log | apart |\n|---|---|---|---|---|---|\n"
            .to_owned();
    for path in ["/", "/slow"] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..args.rounds {
            ours.push(our_round(&server, path, args).await?);
            if let Some(program) = &args.wrk {
                server.log().await?;
                let printed = wrk::run(
                    program,
                    &format!("http://{}{path}", server.address),
                    args.connections,
                    seconds(args.round),
                )?;
                theirs.push(Round { rate: printed.rate, p99_ms: printed.p99_ms, log_ms: p99(&server.log().await?) });
            }
        }
        text.push_str(&row(path, "stagegate", &ours));
        if !theirs.is_empty() {
            text.push_str(&row(path, "wrk", &theirs));
            text.push_str(&ratio(path, &ours, &theirs));
        }
    }
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

async fn our_round(server: &Server, path: &str, args: &Args) -> Result<Round, Box<dyn Error>> {
    let aim = Aim::at_loopback(server.address).ok_or("the server is not on the loopback")?;
    let subject = Subject::Http(Call::new(&aim, &Request::get(path), Some(200)));
    let load = Load {
        pace: Pace::Concurrency(args.connections),
        extent: Extent::For(Duration::from_secs(seconds(args.round))),
        timeout: Duration::from_secs(5),
    };
    server.log().await?;
    let measured = stagegate_performance_act::load::run(&subject, load, 1).await?;
    if !measured.faults.is_empty() {
        return Err(format!("requests failed: {:?}", measured.errors()).into());
    }
    Ok(Round { rate: measured.rate(), p99_ms: p99(&measured.summary()), log_ms: p99(&server.log().await?) })
}

#[expect(clippy::cast_precision_loss, reason = "shown to some digits")]
fn p99(latencies: &Latencies) -> f64 {
    latencies.p99 as f64 / 1e6
}

fn median(rounds: &[Round], of: impl Fn(&Round) -> f64) -> f64 {
    let mut values: Vec<f64> = rounds.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn row(path: &str, program: &str, rounds: &[Round]) -> String {
    format!(
        "| `{path}` | {program} | {:.0} | {:.3} ms | {:.3} ms | {:.3} ms |\n",
        median(rounds, |r| r.rate),
        median(rounds, |r| r.p99_ms),
        median(rounds, |r| r.log_ms),
        median(rounds, Round::error_ms),
    )
}

/// Reports the ratios of rounds that stood side by side.
fn ratio(path: &str, ours: &[Round], theirs: &[Round]) -> String {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(a, b)| a.rate / b.rate).collect();
    ratios.sort_by(f64::total_cmp);
    let (low, high) = (ratios.first().copied().unwrap_or(f64::NAN), ratios.last().copied().unwrap_or(f64::NAN));
    let middle = ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN);
    format!("| `{path}` | stagegate / wrk | {middle:.2} ({low:.2} to {high:.2}) | | | |\n")
}
