//! `gate init`: a first stagegate.toml from the compose files and from what runs.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::{
    command::git,
    compose::{Model, StoragePlace, WritableMount},
    config::{Config, Tool},
    container::Container,
    exit::Exit,
    subfolder::Subfolder,
    text::counted,
};
use stagegate_gate_decide::init::{
    Answers, Facts, Proposal, Question, Responses, answer, ports, project_name, propose, questions,
};
use stagegate_host::{
    engine::Engine,
    http::{Http, Request},
    process::Runner,
    project::{self, ProjectError},
};
use stagegate_migration_decide::chain;

use crate::{
    cli, confirm_option,
    failure::{Failure, print_message, print_result},
};

const FILE: &str = "stagegate.toml";
/// The keys of that file for editors, next to it: what is there works without a network, and fits this version.
const SCHEMA: &str = "stagegate.schema.json";
/// Paths at which services report that they work, the most telling first.
const HEALTH: [&str; 10] =
    ["/healthz", "/health", "/readyz", "/api/health", "/api/healthz", "/ping", "/up", "/-/healthy", "/status", "/"];
/// Paths at which frameworks serve their OpenAPI document.
const CONTRACTS: [&str; 6] =
    ["/openapi.json", "/api/openapi.json", "/v3/api-docs", "/swagger.json", "/swagger/v1/swagger.json", "/api-docs"];
/// How long one request may take; what is up responds at once.
const REQUEST_WITHIN: Duration = Duration::from_secs(2);
const GIT_WITHIN: Duration = Duration::from_secs(10);
/// How many folders deep documents and migrations are looked for.
const DEPTH: usize = 4;
/// How many variables may be missing before the files are called unusable.
const MOST_MISSING: usize = 100;
/// Folders that hold other people's files, or a build's.
const FOREIGN: [&str; 6] = ["node_modules", "target", "vendor", "venv", "dist", "build"];

pub(super) async fn run(config: Option<&Path>, args: cli::Init) -> Result<Exit, Failure> {
    let here = std::env::current_dir().map_err(Failure::reading(Path::new("the current folder")))?;
    let path = here.join(config.unwrap_or(Path::new(FILE)));
    let folder = path.parent().unwrap_or(&here).to_path_buf();
    if path.exists() && !args.print {
        let message = format!(
            "{} exists and was not changed; `gate config` shows what it means, `gate init --print` prints a proposal",
            path.display()
        );
        return Err(Failure::configuration(message));
    }
    let mut facts = facts(&path, &folder, !args.no_run).await?;
    if !args.yes && !args.print && confirm_option::has_terminal() {
        for question in questions(&facts) {
            put(&mut facts, &question)?;
        }
    }
    let mut proposal = propose(&facts);
    // What it writes, it can read.
    Config::parse(&path, &proposal.text).map_err(Failure::unexpected)?;
    if !folder.ancestors().any(|above| above.join(".git").exists()) {
        let reason = "promotions: this folder is in no git repository, and a release is a git commit; `git init`";
        proposal.left_out.push(reason.to_owned());
    }
    if args.print {
        print_result(proposal.text.trim_end());
        return Ok(Exit::Passed);
    }
    write_new(&path, &format!("#:schema ./{SCHEMA}\n{}", proposal.text))?;
    let schema = folder.join(SCHEMA);
    fs::write(&schema, super::schema_json::text(cli::UserFile::Config)? + "\n").map_err(Failure::writing(&schema))?;
    print_result(&summary(&path, &facts, &proposal));
    Ok(Exit::Passed)
}

/// Asks a question until its response can be used.
fn put(facts: &mut Facts, question: &Question) -> Result<(), Failure> {
    let mut prompt = format!("{} [{}]: ", question.text, question.otherwise);
    if !question.choices.is_empty() {
        print_message(&question.text);
        question.choices.iter().enumerate().for_each(|(at, choice)| print_message(&format!("  {}) {choice}", at + 1)));
        prompt = format!("Number or name [{}]: ", question.otherwise);
    }
    loop {
        match answer(facts, question, &confirm_option::line(&prompt)?) {
            Ok(()) => return Ok(()),
            Err(error) => print_message(&error.to_string()),
        }
    }
}

/// Writes a file that is not there yet; one that came meanwhile stays.
fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = Failure::writing(path);
    let mut file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(&failed)?;
    file.write_all(text.as_bytes()).map_err(&failed)
}

fn summary(path: &Path, facts: &Facts, proposal: &Proposal) -> String {
    let (services, databases) = (counted(proposal.services, "service"), counted(proposal.databases, "database"));
    let mut text = format!(
        "wrote {}: {services}, {databases}\nwrote {SCHEMA} next to it: its keys with their meanings, for editors\n",
        path.display()
    );
    for reason in &proposal.left_out {
        text += &format!("  left out: {reason}\n");
    }
    let env = &proposal.environment;
    text += "next:\n";
    text += &format!("  gate lint --env {env}       # findings in the compose files\n");
    if facts.running.is_none() {
        text += &format!("  gate up --env {env}         # start the stack, and wait until it is healthy\n");
    }
    text + &format!("  gate test --env {env}       # what is wrong, and what to do about it")
}

async fn facts(path: &Path, folder: &Path, looks_at_containers: bool) -> Result<Facts, Failure> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Resolved { model, env_file, missing } = resolve(path, folder, &project_name(&name)).await?;
    let mut facts = Facts {
        name,
        model,
        running: None,
        env_file,
        missing,
        exposed: BTreeMap::new(),
        responses: BTreeMap::new(),
        migrations: Vec::new(),
        folders: Vec::new(),
        contracts: Vec::new(),
        subfolder: subfolder(folder),
        answers: Answers::default(),
    };
    look_at_folder(folder, "", (DEPTH, false), &mut facts);
    facts.folders = folders_of_data(folder, &facts.model).await;
    if looks_at_containers {
        match Engine::connect().await {
            Ok(engine) => look_at_containers_of(&engine, folder, &mut facts).await?,
            Err(error) => print_message(&format!("containers and images were not looked at: {error}")),
        }
    }
    if let Some(project) = &facts.running {
        facts.name.clone_from(project);
    }
    Ok(facts)
}

/// Returns the folders below `folder` that services can write and of which git has nothing.
async fn folders_of_data(folder: &Path, model: &Model) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for WritableMount { service, place, .. } in model.writable_mounts() {
        let StoragePlace::Folder(path) = place else { continue };
        let Ok(inside) = path.strip_prefix(folder) else { continue };
        if inside.as_os_str().is_empty() || path.is_file() {
            continue;
        }
        let tracked = Runner::default().run(&git::tracked(folder, inside), GIT_WITHIN).await;
        if tracked.is_ok_and(|output| output.stdout.is_empty()) {
            found.push((service, inside.to_string_lossy().into_owned()));
        }
    }
    found
}

/// Returns where a folder lies in its repository; at the top where it is in none.
fn subfolder(folder: &Path) -> Subfolder {
    let top = folder.ancestors().find(|above| above.join(".git").exists());
    top.and_then(|top| folder.strip_prefix(top).ok()).map(Subfolder::new).unwrap_or_default()
}

/// What Compose made of the files.
struct Resolved {
    model: Model,
    /// The example of an env file that has the variables, where there is no `.env`.
    env_file: Option<String>,
    /// Variables that the files require and that no env file sets.
    missing: Vec<String>,
}

/// Resolves the compose files, with an example of an env file where there is no `.env`, and with values made up for what
/// is required and set nowhere.
async fn resolve(path: &Path, folder: &Path, name: &str) -> Result<Resolved, Failure> {
    let examples =
        project::EXAMPLES.iter().filter(|file| folder.join(file).is_file()).map(|file| Some((*file).to_owned()));
    let mut tries: Vec<Option<String>> = examples.collect();
    if folder.join(".env").is_file() {
        tries.insert(0, None);
    } else {
        tries.push(None);
    }
    let mut first = None;
    for env_file in tries {
        match resolve_with(path, name, env_file.as_slice()).await {
            Ok(model) => return Ok(Resolved { model, env_file, missing: Vec::new() }),
            Err(error) => first = first.or(Some((env_file, error))),
        }
    }
    let Some((env_file, mut error)) = first else {
        return Err(Failure::unexpected(format!("nothing was tried in {}", folder.display())));
    };
    let mut missing = Vec::new();
    while let Some(name_of) = required(&error).filter(|name| missing.len() < MOST_MISSING && !missing.contains(name)) {
        missing.push(name_of);
        match resolve_with_placeholders(path, name, env_file.as_ref(), &missing).await? {
            Ok(model) => return Ok(Resolved { model, env_file, missing }),
            Err(next) => error = next,
        }
    }
    Err(refusal(folder, error))
}

/// States why there is nothing to propose.
fn refusal(folder: &Path, error: ProjectError) -> Failure {
    match error {
        ProjectError::Missing { .. } => {
            let here = folder.display();
            Failure::configuration(match project::unnamed_files_in(folder).as_slice() {
                [] => format!("{here} has no compose file; change to your product's folder ({error})"),
                [file, ..] => format!(
                    "{here} has no file that Compose reads without being named, but {file}; write COMPOSE_FILE={file} into \
                     {here}/.env (several files with `:` between them), then run `gate init` again"
                ),
            })
        }
        ProjectError::Refused { reason, .. } => {
            let otherwise = || "correct them, or write the variables that they use into .env".to_owned();
            let way_out = project::env_file_hint(&reason).unwrap_or_else(otherwise);
            let files = folder.display();
            Failure::configuration(format!("docker compose refuses the files of {files}: {reason}; {way_out}"))
        }
        error => error.into(),
    }
}

/// Returns the variable without which Compose refuses the files.
fn required(error: &ProjectError) -> Option<String> {
    let ProjectError::Refused { reason, .. } = error else { return None };
    project::required(reason).map(str::to_owned)
}

/// Resolves the files with a value made up for each variable, which is kept nowhere.
async fn resolve_with_placeholders(
    path: &Path,
    name: &str,
    env_file: Option<&String>,
    missing: &[String],
) -> Result<Result<Model, ProjectError>, Failure> {
    let file = std::env::temp_dir().join(format!("stagegate-init-{}.env", std::process::id()));
    // A number is a port, a name and a password.
    let text: String = missing.iter().map(|name| format!("{name}=1\n")).collect();
    write_new(&file, &text)?;
    let mut files: Vec<String> = env_file.into_iter().cloned().collect();
    files.push(file.display().to_string());
    let model = resolve_with(path, name, &files).await;
    fs::remove_file(&file).map_err(Failure::writing(&file))?;
    Ok(model)
}

async fn resolve_with(path: &Path, name: &str, env_files: &[String]) -> Result<Model, ProjectError> {
    let files = serde_json::Value::from(env_files);
    let text = format!("[project]\nname = \"{name}\"\n[environments.local]\nenv_file = {files}\n");
    let config = Config::parse(path, &text)?;
    let source = project::source(config.environment("local")?)?;
    project::resolve_active(&Runner::default(), "local", &source).await
}

/// Looks for documents and migrations in a folder and those below it. What cannot be read is not there.
///
/// Scripts below the folder of a tool that runs its migrations itself (`is_driven`) are that tool's.
fn look_at_folder(folder: &Path, below: &str, (depth, is_driven): (usize, bool), facts: &mut Facts) {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).collect();
    entries.sort();
    let driven = driven_tool_of(folder);
    let is_driven = is_driven || driven.is_some();
    if let Some(tool) = driven {
        let name = if below.is_empty() { "." } else { below.trim_end_matches('/') };
        facts.migrations.push((name.to_owned(), tool));
    }
    for entry in entries {
        let Some(name) = entry.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let relative = format!("{below}{name}");
        let is_folder = fs::symlink_metadata(&entry).is_ok_and(|entry| entry.is_dir());
        if name.starts_with('.') || (is_folder && FOREIGN.contains(&name.as_str())) {
            continue;
        }
        if is_folder {
            if let Some(tool) = tool_of(&entry, &name).filter(|_| !is_driven) {
                facts.migrations.push((relative, tool));
            } else if depth > 0 {
                look_at_folder(&entry, &format!("{relative}/"), (depth - 1, is_driven), facts);
            }
        } else if is_contract(&entry, &name) {
            facts.contracts.push(relative);
        }
    }
}

/// Returns the tool whose migrations are programs, if a folder is where its own commands run.
// Source: what `alembic init`, `flask db init`, `django-admin startproject`, `yoyo init` and `rails new` write.
fn driven_tool_of(folder: &Path) -> Option<Tool> {
    let has = |file: &str, word: &str| fs::read_to_string(folder.join(file)).is_ok_and(|text| text.contains(word));
    let is_flask = |env: &str| has(env, "current_app");
    let has_ruby = || {
        let entries = fs::read_dir(folder.join("db/migrate")).into_iter().flatten().filter_map(Result::ok);
        entries.into_iter().any(|entry| entry.path().extension().is_some_and(|end| end == "rb"))
    };
    match () {
        // The folder of Flask-Migrate's env.py has an alembic.ini, and the commands run next to the application.
        () if has("alembic.ini", "[alembic]") && !is_flask("env.py") => Some(Tool::Alembic),
        () if has("pyproject.toml", "[tool.alembic") || is_flask("migrations/env.py") => Some(Tool::Alembic),
        () if has("manage.py", "django") => Some(Tool::Django),
        () if folder.join("yoyo.ini").is_file() => Some(Tool::Yoyo),
        () if has_ruby() => Some(Tool::Rails),
        () => None,
    }
}

/// Returns the tool of a folder that has migrations and is called so.
fn tool_of(folder: &Path, name: &str) -> Option<Tool> {
    let name = name.to_lowercase();
    if !["migrat", "sqitch", "deploy", "drizzle"].iter().any(|part| name.contains(part)) {
        return None;
    }
    let files = stagegate_migration_act::files(folder).ok()?;
    chain(&files, None).ok().filter(|chain| !chain.migrations.is_empty()).map(|chain| chain.tool)
}

fn is_contract(path: &Path, name: &str) -> bool {
    let lower = name.to_lowercase();
    let is_named = ["openapi", "swagger"].iter().any(|word| lower.contains(word));
    let is_document = [".json", ".yaml", ".yml"].iter().any(|end| lower.ends_with(end));
    let reads_as_one = || {
        let text: io::Result<String> = fs::read_to_string(path);
        text.is_ok_and(|text| text.contains("openapi") && text.contains("paths"))
    };
    is_named && is_document && reads_as_one()
}

async fn look_at_containers_of(engine: &Engine, folder: &Path, facts: &mut Facts) -> Result<(), Failure> {
    for service in facts.model.services() {
        if let Some(image) = engine.image_details(&facts.model.image_name(&service)).await? {
            facts.exposed.insert(service, exposed_ports(&image));
        }
    }
    let real = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_path_buf());
    let label = format!("com.docker.compose.project.working_dir={}", real.display());
    let containers: Vec<Container> =
        engine.labelled(&label).await?.into_iter().filter(|container| !container.one_off).collect();
    let mut projects: BTreeMap<&str, usize> = BTreeMap::new();
    for project in containers.iter().filter_map(|container| container.labels.get("com.docker.compose.project")) {
        *projects.entry(project).or_default() += 1;
    }
    let Some((project, _)) = projects.into_iter().max_by_key(|(_, count)| *count) else { return Ok(()) };
    facts.running = Some(project.to_owned());
    let of_project = |container: &&Container| {
        container.labels.get("com.docker.compose.project").is_some_and(|of| Some(of) == facts.running.as_ref())
    };
    let http = Http::shared().map_err(Failure::not_run)?.deadline(REQUEST_WITHIN);
    let mut responses = BTreeMap::new();
    for container in containers.iter().filter(of_project) {
        let port = ports(facts).into_iter().find(|(service, _)| *service == container.service);
        if let Some((service, port)) = port {
            responses.insert(service, responses_of(&http, container, port).await);
        }
    }
    facts.responses = responses;
    Ok(())
}

/// Returns the TCP ports that an image exposes, the lowest first.
fn exposed_ports(image: &serde_json::Value) -> Vec<u16> {
    let ports = image["Config"]["ExposedPorts"].as_object();
    let mut found: Vec<u16> = ports
        .into_iter()
        .flat_map(|ports| ports.keys())
        .filter_map(|port| port.strip_suffix("/tcp").unwrap_or(port).parse().ok())
        .collect();
    found.sort_unstable();
    found
}

/// Sends GET to the usual paths, one after the other, until one tells.
async fn responses_of(http: &Http, container: &Container, port: u16) -> Responses {
    let addresses = container.reach(port);
    let mut responses = Responses::default();
    for path in HEALTH {
        match http.send_first(&addresses, &Request::get(path)).await {
            Ok((_, answer)) if (200..300).contains(&answer.status) => {
                responses.health = Some(path.to_owned());
                break;
            }
            Ok(_) => {}
            // It speaks another protocol, or does not respond: no other path will.
            Err(_) => return responses,
        }
    }
    for path in CONTRACTS {
        let Ok((_, answer)) = http.send_first(&addresses, &Request::get(path)).await else { break };
        let is_document = answer.status == 200 && {
            let text = answer.text();
            text.contains("\"openapi\"") && text.contains("\"paths\"")
        };
        if is_document {
            responses.contract = Some(path.to_owned());
            break;
        }
    }
    responses
}
