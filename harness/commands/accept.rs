//! `gate accept`: keeps what the last run saw as what is expected from now on.

use std::{fs, path::Path, sync::Arc};

use stagegate_base::{config::Config, exit::Exit};
use stagegate_contract::{Shape, shape_path};
use stagegate_host::{paths::StateDir, shapes};

use crate::{
    cli,
    failure::{Failure, print_result},
};

pub(super) fn run(config: &Arc<Config>, args: &cli::Accept) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let state = StateDir::of(config, &environment.project);
    let seen = shapes::seen(&state).map_err(Failure::reading(state.root()))?;
    let is_meant =
        |trial: &str| trial.strip_prefix(&args.name).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
    let chosen: Vec<_> = seen.iter().filter(|seen| is_meant(&seen.trial())).collect();
    if chosen.is_empty() {
        let known: Vec<String> = seen.iter().map(shapes::Seen::trial).collect();
        let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        return Err(Failure::usage(format!(
            "no response of `{}` was recorded in `{name}` (recorded: {known}); run `gate test --env {name} \
             contracts` first",
            args.name,
            name = environment.name
        )));
    }
    for seen in chosen {
        let path = shape_path(config.root(), &environment.name, &seen.service, &seen.operation);
        let told = accepted(&path, &seen.text)?;
        let shown = path.strip_prefix(config.root()).unwrap_or(&path).display();
        print_result(&format!("{}: {told}; {shown}", seen.trial()));
    }
    Ok(Exit::Passed)
}

/// Writes a snapshot and reports what is new in it.
fn accepted(path: &Path, text: &str) -> Result<String, Failure> {
    let failed = Failure::writing(path);
    let new = Shape::parse(text)?;
    let old = fs::read_to_string(path).ok().and_then(|old| Shape::parse(&old).ok());
    let reported = match old {
        None => "accepted (first snapshot)".to_owned(),
        Some(old) if old == new => return Ok("unchanged".to_owned()),
        Some(old) => {
            let lines: Vec<String> = old
                .differences(&new)
                .iter()
                .map(|f| format!("{} {} -> {}", f.place.object, f.expected, f.found))
                .collect();
            let reported = if lines.is_empty() { "more values recorded".to_owned() } else { lines.join("; ") };
            format!("accepted: {reported}")
        }
    };
    path.parent().map(fs::create_dir_all).transpose().map_err(&failed)?;
    fs::write(path, text).map_err(failed)?;
    Ok(reported)
}
