//! The child process: criterion asks the probes of one environment.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use criterion::Criterion;
use stagegate_base::{
    config::{Config, Load as Wanted, Probe},
    exit::Exit,
};
use stagegate_host::{engine::Engine, process::Runner, project::Project};
use stagegate_performance_act::{
    bench::{self, criterion::write_requests},
    load::{self, Extent, Load, Measured, Pace, Subject},
};
use stagegate_performance_decide::{Arm, criterion::RequestCounts, faults};
use tokio::runtime::Handle;

use crate::{cli, confirm_option, failure::Failure};

/// How long criterion measures a probe that is quick enough for all its samples.
const MEASURED: Duration = Duration::from_secs(3);
/// Most samples, and the least that criterion takes.
const SAMPLES: [u128; 2] = [50, 10];
/// Draws of its resampling. Its 100,000 take many seconds in a build without optimisation, and move no digit shown.
const DRAWS: usize = 10_000;
/// Requests that are tried first.
const TRIED: u64 = 20;

/// Measures every probe by criterion. It ends when its standard input does: with the process that started it.
pub(in crate::commands) async fn run(config: &Arc<Config>, args: cli::Criterion) -> Result<Exit, Failure> {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(i32::from(Exit::Inconclusive.code()));
    });
    measured(config, args).await.map_err(super::ended)
}

async fn measured(config: &Arc<Config>, args: cli::Criterion) -> Result<Exit, Failure> {
    let environment = config.environment(&args.env)?;
    confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), "putting full load on it")?;
    let engine = Engine::connect().await?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let containers = project.containers(&engine).await?;
    let subjects: Vec<(Probe, Subject)> = bench::measurable(config)
        .map(|probe| Ok((probe.clone(), load::subject(config, probe, &containers, &project.model)?)))
        .collect::<Result<_, Failure>>()?;
    let dir = args.dir.clone();
    let runtime = Handle::current();
    // Criterion waits for its responses itself, which a thread of the runtime may not.
    let criterion = std::thread::spawn(move || all(&subjects, &args, &runtime));
    let requests = tokio::task::spawn_blocking(move || criterion.join())
        .await?
        .map_err(|_| Failure::unexpected("criterion panicked"))?
        .map_err(Failure::writing(&dir))?;
    write_requests(&dir, &requests).map_err(Failure::writing(&dir))?;
    Ok(Exit::Passed)
}

fn all(
    subjects: &[(Probe, Subject)],
    args: &cli::Criterion,
    runtime: &Handle,
) -> std::io::Result<BTreeMap<String, RequestCounts>> {
    let mut all = BTreeMap::new();
    for (probe, subject) in subjects {
        let mut asking = Asking { probe, subject, runtime, requests: RequestCounts::default(), broken: None };
        asking.measure(args);
        if let Some(error) = asking.broken {
            return Err(error);
        }
        all.insert(probe.name.clone(), asking.requests);
    }
    Ok(all)
}

/// Returns criterion as it is to measure one probe; its own options are never read from this process's arguments.
fn criterion(args: &cli::Criterion, samples: usize) -> Criterion {
    let criterion = Criterion::default()
        .without_plots()
        .with_output_color(false)
        .output_directory(&args.dir)
        .sample_size(samples)
        .nresamples(DRAWS)
        .measurement_time(MEASURED);
    match (&args.save_baseline, &args.baseline) {
        (Some(name), _) => criterion.save_baseline(name.clone()),
        // Leniently: a probe that is new has no baseline, and criterion would panic.
        (None, Some(name)) => criterion.retain_baseline(name.clone(), false),
        (None, None) => criterion,
    }
}

/// One probe, as criterion asks it.
struct Asking<'a> {
    probe: &'a Probe,
    subject: &'a Subject,
    runtime: &'a Handle,
    requests: RequestCounts,
    broken: Option<std::io::Error>,
}

impl Asking<'_> {
    /// Measures it, where anything is answered well at all.
    fn measure(&mut self, args: &cli::Criterion) {
        let tried = self.request(TRIED);
        if self.requests.failed == self.requests.sent {
            return;
        }
        let samples = (MEASURED.as_nanos() / tried.as_nanos().max(1)).clamp(SAMPLES[1], SAMPLES[0]);
        let warm_up = self.probe.warm_up.0.max(Duration::from_millis(100));
        let mut criterion = criterion(args, usize::try_from(samples).unwrap_or(10)).warm_up_time(warm_up);
        criterion.bench_function(&self.probe.name, |bencher| {
            bencher.iter_custom(|requests| {
                let nanoseconds = self.request(requests).as_nanos().saturating_mul(u128::from(requests));
                Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
            });
        });
    }

    /// Asks so many times and returns the mean time of a good response, or the time limit where there was none.
    fn request(&mut self, requests: u64) -> Duration {
        let clients = match self.probe.load {
            Wanted::Concurrency(clients) => usize::try_from(clients).unwrap_or(1),
            Wanted::Rate(_) => 1,
        };
        let timeout = self.probe.timeout.0;
        let load = Load { pace: Pace::Concurrency(clients), extent: Extent::Requests(requests), timeout };
        match self.runtime.block_on(load::run(self.subject, load, 1)) {
            Ok(measured) => self.count(&measured).unwrap_or(timeout),
            Err(error) => {
                self.broken = Some(error);
                timeout
            }
        }
    }

    fn count(&mut self, measured: &Measured) -> Option<Duration> {
        let block = load::block(Arm::Candidate, 0, measured, Pace::Concurrency(1), [Instant::now(); 2]);
        self.requests.sent += block.sent;
        self.requests.failed += block.failed();
        if block.failed() > 0 {
            self.requests.reasons = faults(&block);
        }
        (block.latencies.count > 0).then(|| Duration::from_nanos(block.latencies.mean))
    }
}
