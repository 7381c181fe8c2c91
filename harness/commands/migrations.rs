//! `gate migrations`: migrations proven up, down and up again.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use stagegate_base::{
    config::{self, Tool},
    exit::Exit,
    record::Severity,
    text,
    units::Span,
    waiver::Waivers,
};
use stagegate_host::signal::{self, Again};
use stagegate_migration_act::{
    Commands, Options, Proven, Rows, SessionOptions, chain_of_folder,
    scratch::{ScratchMethod, ServerSpec},
};
use stagegate_migration_decide::{
    Chain, Finding,
    locks::{Sizes, Thresholds},
    of_steps,
    round_trip::{Counts, OnRows, Report, RoundTrip, least, line, merged, summary, whole_line},
    schema,
};
use stagegate_suites::migrations::{Progress, prove_on};

use super::{output, waivers};
use crate::{
    cli,
    failure::{Failure, print_message},
};

pub(super) async fn run(args: cli::Migrations) -> Result<Exit, Failure> {
    match args.command {
        cli::MigrationsCommand::Check(args) => check(*args).await,
    }
}

async fn check(args: cli::MigrationsCheck) -> Result<Exit, Failure> {
    output::writable(&args.output)?;
    let tool: Option<Tool> = args.tool.as_deref().map(str::parse).transpose().map_err(Failure::usage)?;
    let waivers = waivers::read(args.waivers.as_deref(), Path::new("."))?;
    let within: Span = args.statement_timeout.parse()?;
    let options = Options {
        manner: SessionOptions { statement_within: within.0, search_path: None },
        history_tables: args.history_tables.clone(),
        before: stagegate_migration_act::roles(&args.roles),
        always_clone: args.always_clone,
        ways_back: true,
        commands: commands(&args, tool, within),
        rows: rows(&args)?,
    };
    if args.schema.is_some() && args.pg.len() > 1 {
        return Err(Failure::usage(
            "--schema writes one schema, and --pg names several major versions; name one of them",
        ));
    }
    let mut known = match options.commands {
        Some(_) => None,
        None => Some(chain_of_folder(&args.dir, tool, args.stand_ins.as_deref())?),
    };
    let majors: Vec<Option<u32>> =
        if args.pg.is_empty() { vec![None] } else { args.pg.iter().copied().map(Some).collect() };
    let (mut reports, mut tried, mut worst) = (Vec::new(), Vec::new(), Exit::Passed);
    for major in majors {
        let (major, report, round_trips) = on_one(&args, &mut known, &options, (major, &waivers)).await?;
        tried.push((major, round_trips));
        worst = worse(worst, ended(&report.findings));
        reports.push(report);
    }
    let least = least(&tried.iter().map(|(major, round_trips)| (*major, round_trips.as_slice())).collect::<Vec<_>>());
    output::write(&merged(&args.dir.to_string_lossy(), &reports, least.as_deref()), &args.output)?;
    Ok(worst)
}

async fn on_one(
    args: &cli::MigrationsCheck,
    known: &mut Option<Chain>,
    options: &Options,
    (major, waivers): (Option<u32>, &Waivers),
) -> Result<(u32, Report, Vec<RoundTrip>), Failure> {
    let spec = ServerSpec {
        images: images(args, major),
        major,
        variable: args.server_variable.clone(),
        way: args.scratch.map(method),
        ..ServerSpec::default()
    };
    let mut begun = Instant::now();
    let signals = signal::listen(Again::Ends);
    let shown = |progress: Progress<'_>| match progress {
        Progress::Ready { server, chain, took } => {
            print_message(&ready(&server, chain, took));
            begun = Instant::now();
        }
        Progress::Trip(trip) if args.verbose => print_message(&line(trip)),
        Progress::Trip(_) => {}
    };
    let on = prove_on(&spec, known, options, signals.first(), shown).await?;
    let chain = &*known.get_or_insert_with(|| of_steps(&[], false));
    let (nothing, limits) = (Sizes::new(), Thresholds::default());
    let locks = options.rows.is_some().then_some((&nothing, &limits));
    let found = on.proven.findings(chain, (waivers, &stagegate_host::clock::today()), locks).all();
    let mut report = Report::new(chain, &on.server, &on.proven.trips, &on.proven.whole, found);
    let on_rows = &on.proven.rows;
    report.rows = options.rows.is_some().then_some(OnRows {
        tried: on_rows.tried,
        whole: on_rows.whole,
        untouched: on_rows.untouched,
    });
    print_report(&report, &on.proven, begun.elapsed().as_secs_f64());
    if let Some(path) = &args.schema {
        std::fs::write(path, schema::write(&schema::dumped(&on.proven.top))).map_err(Failure::writing(path))?;
    }
    Ok((on.major, report, on.proven.trips))
}

fn ready(server: &str, chain: &Chain, took: Duration) -> String {
    let (migrations, seconds) = (text::counted(chain.migrations.len(), "migration"), took.as_secs_f64());
    format!("{server}, {migrations} of {}, ready in {seconds:.1} s", chain.tool)
}

/// Returns the commands of a tool that runs its migrations itself.
fn commands(args: &cli::MigrationsCheck, tool: Option<Tool>, within: Span) -> Option<Commands> {
    let config = config::Commands::of_tool(tool?, &args.program)?;
    Some(Commands { config, dir: args.dir.clone(), model: None, within: within.0, secrets: Vec::new() })
}

fn rows(args: &cli::MigrationsCheck) -> Result<Option<Rows>, Failure> {
    if args.no_rows {
        return Ok(None);
    }
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path)
            .map_err(|error| Failure::reading(path)(error).context("the seed file is not usable"))
    };
    Ok(Some(Rows { seed: args.seed.as_ref().map(read).transpose()?, ..Rows::default() }))
}

fn print_report(report: &Report, proven: &Proven, seconds: f64) {
    let whole = &proven.whole;
    print_message(&format!("{}: {} in {seconds:.1} s", report.server, summary(&Counts::of(&proven.trips))));
    print_message(&whole_line(whole));
    if let Some(rows) = report.rows {
        print_message(&format!(
            "{} tested with rows; {} more cannot change an existing table",
            text::counted(rows.tried, "migration"),
            rows.untouched
        ));
    }
}

fn method(method: cli::ScratchMethod) -> ScratchMethod {
    match method {
        cli::ScratchMethod::Docker => ScratchMethod::Docker,
        cli::ScratchMethod::Programs => ScratchMethod::Programs,
        cli::ScratchMethod::Server => ScratchMethod::Named,
    }
}

fn images(args: &cli::MigrationsCheck, major: Option<u32>) -> Vec<String> {
    match &args.image {
        Some(image) => vec![image.clone()],
        None => stagegate_migration_act::scratch::images(Path::new("."), major),
    }
}

/// States how the command ends: what could not be tried is no pass, and no failure either.
fn ended(findings: &[Finding]) -> Exit {
    let required = |finding: &&Finding| finding.severity == Severity::Required && finding.waived.is_none();
    let mut required = findings.iter().filter(required).peekable();
    if required.peek().is_none() {
        return Exit::Passed;
    }
    if required.all(|finding| finding.code == "not-run") { Exit::Inconclusive } else { Exit::Held }
}

fn worse(a: Exit, b: Exit) -> Exit {
    if a == Exit::Held || b == Exit::Passed { a } else { b }
}
