//! `gate lint`: the compose audit, over files alone or over an environment with its containers.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::{
    command::compose::Source, config::Config, exit::Exit, lifetime::one_shots, report::Report, waiver::Waivers,
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

/// The names that Compose looks for, in its order.
const FILES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

pub(super) async fn run(config: Option<&Path>, args: cli::Lint) -> Result<Exit, Failure> {
    if let Some(id) = &args.explain {
        return explained(id);
    }
    let (facts, waivers, config) = match lint_target(config, &args)? {
        LintTarget::Files(files) => of_files(&files, &args.env_file).await?,
        LintTarget::Environment(config) => of_environment(config, args.env.as_ref()).await?,
    };
    if let Some(refusal) = facts.refusal.as_ref().filter(|_| !facts.is_judged()) {
        return Err(Failure::configuration(format!("Compose cannot resolve the files: {refusal}")));
    }
    if let Some(reason) = &facts.left_out {
        print_message(&format!("services of inactive profiles were not checked: {reason}"));
    }
    let mut findings = policy::audit(&facts, &waivers, &stagegate_host::clock::today());
    if let Some(config) = &config {
        for finding in &mut findings {
            let trial = format!("policy::stack::{}", finding.code.replace('-', "_"));
            finding.severity = config.severity_of(&trial, finding.severity);
        }
    }
    let title = match &config {
        Some(config) => format!("Compose files of {}", super::named(config, args.env.as_ref())?.name),
        None => "Compose files".to_owned(),
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
    Environment(Arc<Config>),
}

/// Finds out what is meant: files, an environment, or the compose file of this folder.
fn lint_target(config: Option<&Path>, args: &cli::Lint) -> Result<LintTarget, Failure> {
    if !args.files.is_empty() {
        return Ok(LintTarget::Files(args.files.clone()));
    }
    let named = args.env.is_some() || std::env::var_os("STAGEGATE_ENV").is_some_and(|name| !name.is_empty());
    let here = FILES.iter().map(PathBuf::from).find(|file| file.is_file());
    match here {
        Some(file) if !named && config.is_none() => Ok(LintTarget::Files(vec![file])),
        _ => Ok(LintTarget::Environment(Arc::new(read_config(config)?))),
    }
}

async fn of_files(files: &[PathBuf], env_files: &[PathBuf]) -> Result<(Facts, Waivers, Option<Arc<Config>>), Failure> {
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
    Ok((facts, waivers::read(None, &dir)?, None))
}

async fn of_environment(
    config: Arc<Config>,
    env: Option<&String>,
) -> Result<(Facts, Waivers, Option<Arc<Config>>), Failure> {
    let environment = super::named(&config, env)?;
    let source = project::source(environment)?;
    super::report_ignored(&source, &format!("`{}`", environment.name));
    let mut facts = audit::of_source(&Runner::default(), &environment.name, &source).await?;
    let engine = Engine::connect().await?;
    facts.one_shots = facts.model.as_ref().map(|model| one_shots(&config, model)).unwrap_or_default();
    audit::read_images(&mut facts, &engine).await?;
    audit::read_containers(&mut facts, &engine, &environment.project).await?;
    if facts.containers.as_ref().is_some_and(Vec::is_empty) {
        print_message(&format!("no containers are running in `{}`: only its files were checked", environment.name));
    }
    let waivers = waivers::read(None, config.root())?;
    Ok((facts, waivers, Some(config)))
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
