//! `gate contract diff`: what changed between two contracts, and whom it hurts.

use std::path::{Path, PathBuf};

use stagegate_base::exit::Exit;
use stagegate_contract::{
    Format,
    diff::{self, Contract, Level, Waiver},
    report::Comparison,
};
use stagegate_host::{contract, process::Runner};

use crate::{
    cli,
    failure::{Failure, give},
};

pub(super) async fn diff(args: cli::ContractDiff, config: Option<&Path>) -> Result<Exit, Failure> {
    let runner = Runner::default();
    let old = contract::read(&runner, &args.old).await?;
    let new = contract::read(&runner, &args.new).await?;
    let today = stagegate_host::clock::today();
    let waivers = waivers(args.waivers.as_deref(), config)?;
    let (before, after) = (document(&args.old, &old)?, document(&args.new, &new)?);
    let judgement = diff::judge(diff::compare(&before, &after, &today), &waivers, &today);
    let comparison = Comparison { old: &args.old, new: &args.new, judgement: &judgement };
    give(&match (args.json, args.markdown) {
        (true, _) => comparison.json()?,
        (_, true) => comparison.markdown(),
        _ => comparison.text(),
    });
    let level = match args.fail_on {
        cli::BreakingLevel::Error => Level::Error,
        cli::BreakingLevel::Warning => Level::Warning,
    };
    Ok(if judgement.holds(level) { Exit::Held } else { Exit::Passed })
}

fn document<'t>(name: &str, text: &'t str) -> Result<Contract<'t>, Failure> {
    let format = Format::of(Path::new(name));
    Contract::read(text, format)
        .map_err(|error| Failure::usage(error).context(format!("contract {name} is not usable")))
}

/// Reads the waivers that are named, else those beside stagegate.toml where there are any.
fn waivers(named: Option<&Path>, config: Option<&Path>) -> Result<Vec<Waiver>, Failure> {
    let beside = || -> Option<PathBuf> {
        let here = std::env::current_dir().ok()?;
        let config = config.map(|path| here.join(path)).or_else(|| stagegate_host::paths::find_config(&here))?;
        Some(config.with_file_name(diff::FILE_NAME)).filter(|path| path.is_file())
    };
    let Some(path) = named.map(Path::to_path_buf).or_else(beside) else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(&path).map_err(Failure::reading(&path))?;
    diff::waivers(&text)
        .map_err(|error| Failure::configuration(error).context(format!("waivers in {}", path.display())))
}
