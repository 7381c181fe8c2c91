//! `gate migrations`: migrations proven up, down and up again.

use std::{path::Path, time::Instant};

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
    Commands, Manner, Options, Proven, Rows, files, prove,
    scratch::{Way, Wish},
};
use stagegate_migration_decide::{
    Chain, Extent, Finding, apply_waivers, chain,
    locks::{Sizes, Thresholds, of_chain},
    round_trip::{Counts, OnRows, Report, Trip, findings, least, line, merged, once_for_chain, summary, whole_line},
    schema, stand_in,
};
use stagegate_suites::scratch;

use super::{output, waivers};
use crate::{
    cli,
    failure::{Failure, say},
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
        manner: Manner { statement_within: within.0, search_path: None },
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
        None => Some(of_folder(&args, tool)?),
    };
    let majors: Vec<Option<u32>> =
        if args.pg.is_empty() { vec![None] } else { args.pg.iter().copied().map(Some).collect() };
    let (mut reports, mut tried, mut worst) = (Vec::new(), Vec::new(), Exit::Passed);
    for major in majors {
        let (major, report, trips) = on_one(&args, &mut known, &options, (major, &waivers)).await?;
        tried.push((major, trips));
        worst = worse(worst, ended(&report.findings));
        reports.push(report);
    }
    let least = least(&tried.iter().map(|(major, trips)| (*major, trips.as_slice())).collect::<Vec<_>>());
    output::write(&merged(&args.dir.to_string_lossy(), &reports, least.as_deref()), &args.output)?;
    Ok(worst)
}

async fn on_one(
    args: &cli::MigrationsCheck,
    known: &mut Option<Chain>,
    options: &Options,
    (major, waivers): (Option<u32>, &Waivers),
) -> Result<(u32, Report, Vec<Trip>), Failure> {
    let wish = Wish {
        images: images(args, major),
        major,
        variable: args.server_variable.clone(),
        way: args.scratch.map(way),
        ..Wish::default()
    };
    let begun = Instant::now();
    let server = scratch::start(&wish).await?;
    let chain = match (known.take(), &options.commands) {
        (None, Some(commands)) => match commands.chain(&server, &options.before).await {
            Ok(chain) => chain,
            Err(error) => {
                server.end().await;
                return Err(error.into());
            }
        },
        (chain, _) => chain.unwrap_or_else(|| stagegate_migration_decide::of_steps(&[], false)),
    };
    let chain = &*known.insert(chain);
    say(&format!(
        "{}, {} of {}, ready in {:.1} s",
        server.told(),
        text::counted(chain.migrations.len(), "migration"),
        chain.tool,
        begun.elapsed().as_secs_f64()
    ));
    let begun = Instant::now();
    let signals = signal::listen(Again::Ends);
    let verbose = |trip: &Trip| {
        if args.verbose {
            say(&line(trip));
        }
    };
    let proven = tokio::select! {
        proven = prove(&server, chain, options, verbose) => proven,
        () = signals.first() => {
            server.end().await;
            return Err(Failure::interrupted("interrupted; the scratch server was removed"));
        }
    };
    let (told, major) = (server.told(), server.major());
    server.end().await;
    let proven = proven?;
    let mut found = findings(chain, &proven.trips, &proven.whole);
    found.extend(proven.rows.integrity.iter().chain(&proven.rows.seeds).cloned());
    if options.rows.is_some() {
        found.extend(of_chain(chain, &proven.rows.locks, &Sizes::new(), &Thresholds::default()));
    }
    apply_waivers(waivers, &mut found, &stagegate_host::clock::today(), Extent::Run);
    once_for_chain(chain, &mut found);
    let mut report = Report::new(chain, &told, &proven.trips, &proven.whole, found);
    let on_rows = &proven.rows;
    report.rows = options.rows.is_some().then_some(OnRows {
        tried: on_rows.tried,
        whole: on_rows.whole,
        untouched: on_rows.untouched,
    });
    tell(&report, &proven, begun.elapsed().as_secs_f64());
    if let Some(path) = &args.schema {
        std::fs::write(path, schema::write(&schema::dumped(&proven.top))).map_err(Failure::writing(path))?;
    }
    Ok((major, report, proven.trips))
}

fn of_folder(args: &cli::MigrationsCheck, tool: Option<Tool>) -> Result<Chain, Failure> {
    let mut chain = chain(&files(&args.dir)?, tool)?;
    if let Some(folder) = &args.stand_ins {
        stand_in(&mut chain, &files(folder)?);
    }
    Ok(chain)
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

fn tell(report: &Report, proven: &Proven, seconds: f64) {
    let whole = &proven.whole;
    say(&format!("{}: {} in {seconds:.1} s", report.server, summary(&Counts::of(&proven.trips))));
    say(&whole_line(whole));
    if let Some(rows) = report.rows {
        say(&format!(
            "{} tested with rows; {} more cannot change an existing table",
            text::counted(rows.tried, "migration"),
            rows.untouched
        ));
    }
}

fn way(way: cli::ScratchWay) -> Way {
    match way {
        cli::ScratchWay::Docker => Way::Docker,
        cli::ScratchWay::Programs => Way::Programs,
        cli::ScratchWay::Server => Way::Named,
    }
}

fn images(args: &cli::MigrationsCheck, major: Option<u32>) -> Vec<String> {
    match &args.image {
        Some(image) => vec![image.clone()],
        None => stagegate_migration_act::scratch::images(Path::new("."), major),
    }
}

/// Says how the command ends: what could not be tried is no pass, and no failure either.
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
