//! `gate contract diff`: what changed between two contracts, and whom it hurts.

use std::path::Path;

use stagegate_base::exit::Exit;
use stagegate_contract::{
    Files,
    diff::{self, Contract},
    report::report,
};
use stagegate_host::{contract, process::Runner};

use super::{output, waivers};
use crate::{cli, failure::Failure};

pub(super) async fn diff(args: cli::ContractDiff, config: Option<&Path>) -> Result<Exit, Failure> {
    let runner = Runner::default();
    let old = contract::read(&runner, &args.old).await?;
    let new = contract::read(&runner, &args.new).await?;
    let today = stagegate_host::clock::today();
    let waivers = waivers::read(args.waivers.as_deref(), &waivers::folder(config))?;
    let (before, after) = (document(&old)?, document(&new)?);
    let changes = diff::compare(&before, &after, &today);
    let report = report(&args.old, &args.new, diff::judge(&changes, (&args.old, &args.new), &waivers, &today));
    output::write(&report, &args.output)?;
    Ok(if report.fails(output::severity(args.fail_on)) { Exit::Held } else { Exit::Passed })
}

fn document(files: &Files) -> Result<Contract<'_>, Failure> {
    Contract::of(files)
        .map_err(|error| Failure::usage(error).context(format!("contract {} is not usable", files.shown())))
}
