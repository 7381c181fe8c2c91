//! `gate lint`: the compose audit, over files alone or over an environment with its containers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::{
    command::compose::Source,
    config::{Config, EPHEMERAL, Environment},
    exit::Exit,
    lifetime::one_shots,
    report::Report,
    waiver::Waivers,
};
use stagegate_host::{
    engine::Engine,
    process::Runner,
    project::{self, read_config},
};
use stagegate_policy_act::audit;
use stagegate_policy_decide::rules::{self as policy, Facts};

use super::{output, waivers};
use crate::{
    cli,
    failure::{Failure, print_message, print_result},
};

pub(super) async fn run(config: Option<&Path>, args: cli::Lint) -> Result<Exit, Failure> {
    if let Some(id) = &args.explain {
        return explained(id);
    }
    let target = lint_target(config, &args)?;
    let (facts, waivers) = match &target {
        LintTarget::Files(files) => of_files(files, &args.env_file).await?,
        LintTarget::Environment { config, environment, chosen } => of_environment(config, environment, *chosen).await?,
    };
    if let Some(refusal) = facts.refusal.as_ref().filter(|_| !facts.is_judged()) {
        let way_out = project::env_file_hint(refusal).map(|way_out| format!("; {way_out}")).unwrap_or_default();
        return Err(Failure::configuration(format!("Compose cannot resolve the files: {refusal}{way_out}")));
    }
    if let Some(reason) = &facts.left_out {
        print_message(&format!("services of inactive profiles were not checked: {reason}"));
    }
    let mut findings = policy::audit(&facts, &waivers, &stagegate_host::clock::today());
    let title = match &target {
        LintTarget::Files(_) => "Compose files".to_owned(),
        LintTarget::Environment { config, environment, .. } => {
            for finding in &mut findings {
                let check = format!("policy::stack::{}", finding.code.replace('-', "_"));
                finding.severity = config.severity_of(&check, finding.severity);
            }
            format!("Compose files of {}", environment.name)
        }
    };
    let report = policy::report(title, findings);
    written(&report, &args)?;
    Ok(if report.fails(output::severity(args.fail_on)) { Exit::Held } else { Exit::Passed })
}

fn explained(id: &str) -> Result<Exit, Failure> {
    let text = policy::explained(id).ok_or_else(|| {
        let near = policy::nearest(id).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        Failure::usage(format!("there is no rule `{id}`{near} (`gate lint --explain all` lists them)"))
    })?;
    print_result(&text);
    Ok(Exit::Passed)
}

enum LintTarget {
    Files(Vec<PathBuf>),
    Environment { config: Arc<Config>, environment: Box<Environment>, chosen: Chosen },
}

/// Who chose the environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Chosen {
    /// The user: its containers are looked at, too.
    ByName,
    /// Nobody: it is the one of this folder, and its files are what is meant. Docker may not be there.
    ByFolder,
}

/// Finds out what is meant: files, an environment, or what Compose reads in this folder.
fn lint_target(config: Option<&Path>, args: &cli::Lint) -> Result<LintTarget, Failure> {
    if !args.files.is_empty() {
        return Ok(LintTarget::Files(args.files.clone()));
    }
    let here = std::env::current_dir().map_err(Failure::reading(Path::new("the current folder")))?;
    let of_named = |config: Config| {
        let environment = super::named(&config, args.env.as_ref())?.clone();
        Ok(LintTarget::Environment {
            config: Arc::new(config),
            environment: Box::new(environment),
            chosen: Chosen::ByName,
        })
    };
    let is_named = args.env.is_some() || std::env::var_os("STAGEGATE_ENV").is_some_and(|name| !name.is_empty());
    if is_named || config.is_some() {
        return of_named(read_config(config)?);
    }
    let read = read_config(None);
    if let Ok(config) = &read
        && args.env_file.is_empty()
        && let Some(environment) = of_folder(config, &here).cloned()
    {
        return Ok(LintTarget::Environment {
            config: Arc::new(config.clone()),
            environment: Box::new(environment),
            chosen: Chosen::ByFolder,
        });
    }
    let env_files: Vec<PathBuf> = args.env_file.iter().map(|file| here.join(file)).collect();
    match (project::files_in(&here, &env_files), project::unnamed_files_in(&here)) {
        (files, _) if !files.is_empty() => Ok(LintTarget::Files(files)),
        (_, unnamed) if read.is_err() && !unnamed.is_empty() => Err(Failure::configuration(format!(
            "Compose finds no file in {}; name it: `gate lint {}`, or write COMPOSE_FILE={} into .env",
            here.display(),
            unnamed[0],
            unnamed[0],
        ))),
        _ => of_named(read?),
    }
}

/// Returns the environment whose stack is the one of a folder, where exactly one is.
fn of_folder<'a>(config: &'a Config, folder: &Path) -> Option<&'a Environment> {
    let folder = folder.canonicalize().ok()?;
    let is_it = |environment: &&Environment| {
        environment.name != EPHEMERAL && environment.workdir.canonicalize().is_ok_and(|workdir| workdir == folder)
    };
    let mut found = config.environments_here().filter(is_it);
    found.next().filter(|_| found.next().is_none())
}

async fn of_files(files: &[PathBuf], env_files: &[PathBuf]) -> Result<(Facts, Waivers), Failure> {
    let here = std::env::current_dir().map_err(Failure::reading(Path::new("the current folder")))?;
    let files: Vec<PathBuf> = files.iter().map(|file| here.join(file)).collect();
    let dir = files.first().and_then(|file| file.parent()).unwrap_or(&here).to_path_buf();
    let source = Source {
        // Nothing is started under this name.
        project: "lint".to_owned(),
        dir: dir.clone(),
        env_files: env_files.iter().map(|file| here.join(file)).collect(),
        files,
    };
    super::report_ignored(&source, "these files");
    let mut facts = audit::of_source(&Runner::default(), "files", &source).await?;
    let looked = match Engine::connect().await {
        Ok(engine) => audit::read_images(&mut facts, &engine).await,
        Err(error) => Err(error),
    };
    if let Err(error) = looked {
        print_message(&format!("image metadata is not available: {error}"));
    }
    Ok((facts, waivers::read(None, &dir)?))
}

async fn of_environment(
    config: &Config,
    environment: &Environment,
    chosen: Chosen,
) -> Result<(Facts, Waivers), Failure> {
    let source = project::source(environment)?;
    super::report_ignored(&source, &format!("`{}`", environment.name));
    let mut facts = audit::of_source(&Runner::default(), &environment.name, &source).await?;
    facts.one_shots = facts.model.as_ref().map(|model| one_shots(config, model)).unwrap_or_default();
    let waivers = waivers::read(None, config.root())?;
    let engine = match (Engine::connect().await, chosen) {
        (Ok(engine), _) => engine,
        (Err(error), Chosen::ByName) => return Err(error.into()),
        (Err(error), Chosen::ByFolder) => {
            print_message(&format!("containers and image metadata are not available: {error}"));
            return Ok((facts, waivers));
        }
    };
    audit::read_images(&mut facts, &engine).await?;
    audit::read_containers(&mut facts, &engine, &environment.project).await?;
    if facts.containers.as_ref().is_some_and(Vec::is_empty) {
        print_message(&format!("no containers are running in `{}`: only its files were checked", environment.name));
    }
    Ok((facts, waivers))
}

fn written(report: &Report, args: &cli::Lint) -> Result<(), Failure> {
    // No value of a variable is in a finding. Masking would hide names instead: a password may be a service's name.
    if !args.fix {
        return output::write(report, &args.output);
    }
    match policy::lines_to_add(&report.findings) {
        lines if lines.is_empty() => print_message("nothing to fix"),
        lines => {
            print_result(&lines);
            print_message("review the values, then merge these lines into the file or pass them as a second --file");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_of_a_folder_is_the_one_whose_workdir_it_is() {
        let folder = std::env::temp_dir();
        let of = |environments: &str| {
            let text = format!("[project]\nname = \"shop\"\n{environments}");
            let config = Config::parse(&folder.join("stagegate.toml"), &text).unwrap();
            of_folder(&config, &folder).map(|environment| environment.name.clone())
        };
        let local = of("[environments.local]\n[environments.staging]\nworkdir = \"../x\"\n");
        assert_eq!(local.as_deref(), Some("local"));
        assert_eq!(of("[environments.local]\n[environments.other]\n"), None, "two are of this folder");
        assert_eq!(of("[environments.production]\nworkdir = \"/\"\n"), None, "it is elsewhere");
        assert_eq!(of("[environments.ephemeral]\nenv_file = \".env.example\"\n"), None, "it is a copy");
    }
}
