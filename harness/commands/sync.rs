//! `gate sync`: the data of one environment in another one.

mod volume_files;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::{
    config::{Config, Database, EPHEMERAL, Environment, Integrity},
    exit::Exit,
    text::{self, counted},
    units::Size,
};
use stagegate_data_act::{
    sanitize,
    sync::{self as act, Keeping, Sanitising, Side, SyncOptions, SyncPlan},
};
use stagegate_data_decide::sync::{Pace, SyncReport, subset::SubsetFile};
use stagegate_host::{
    database::Server,
    engine::Engine,
    files,
    lock::{self, Lock},
    paths::StateDir,
    process::Runner,
    project::Project,
    signal::{self, Again},
};

use super::{differences::chosen, environment::taken};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_json, print_message, print_result},
};

/// How many of the largest tables a plan names.
const NAMED: usize = 10;

pub(super) async fn run(config: &Arc<Config>, args: cli::Sync) -> Result<Exit, Failure> {
    let (source, target) = (config.environment(&args.from)?, config.environment(&args.to)?);
    may_be_target(source, target)?;
    let databases = chosen(config, args.database.as_deref())?;
    if args.subset.is_some() && databases.len() > 1 {
        return Err(Failure::usage("a subset is of one database; name it by --database"));
    }
    let mut names: Vec<&str> = databases.iter().map(|database| database.name.as_str()).collect();
    let volumes = volume_files::chosen(config, target, &args)?;
    names.extend(volumes.iter().map(String::as_str));
    if !args.dry_run {
        let question = format!("Replace {} of `{}` with the data of `{}`?", names.join(", "), target.name, source.name);
        confirm_option::confirm(&question, args.yes)?;
    }
    let (from, to) = (StateDir::of(config, &source.project), StateDir::of(config, &target.project));
    let what = format!("gate sync --from {} --to {}", source.name, target.name);
    let lock = if args.dry_run { None } else { Some(taken(&to, target, &what)?) };
    let _source = Lock::share(&from, &source.project, &what)?;
    let sync = Sync { config, source, target, state: to, run: format!("{}-sync", super::new_run()) };
    if lock.is_some() {
        remove_left_files(&sync.state);
        volume_files::finish(config, target, &sync.state).await?;
    }
    let files = sync.files(&volumes).await?;
    let signals = signal::listen(Again::Ends);
    let mut replaced: Vec<&str> = Vec::new();
    for database in databases {
        let done = tokio::select! {
            done = sync.one(database, &args) => done,
            () = signals.first() => {
                sync.end_programs();
                return Err(Failure::interrupted(interrupted(&replaced)));
            }
        };
        replaced.push(&database.id);
        if done.map_err(|failure| failure.context(format!("database `{}`", database.id)))? != Exit::Passed {
            return Ok(Exit::Held);
        }
    }
    let Some(files) = files else { return Ok(Exit::Passed) };
    tokio::select! {
        done = sync.copy_files(&files, &args) => done,
        () = signals.first() => {
            sync.end_programs();
            volume_files::finish(config, target, &sync.state).await?;
            Err(Failure::interrupted("interrupted; each volume of the target is as before, or complete"))
        }
    }
}

/// Returns what an interrupt leaves, where some databases were replaced before it.
fn interrupted(replaced: &[&str]) -> String {
    match replaced {
        [] => "interrupted; the target is as it was before".to_owned(),
        _ => format!(
            "interrupted; replaced before: {}; everything else of the target is as it was before",
            replaced.join(", ")
        ),
    }
}

/// The folder of a sync, in which files of the source lie: they go with it, however it ends. The schema may name what the rows do not,
/// and large objects are as they were.
struct OfSource<'a>(&'a Path);

impl OfSource<'_> {
    const FILES: [&'static str; 3] = ["schema.dump", "schema.sql", "large-objects.dump"];
}

impl Drop for OfSource<'_> {
    fn drop(&mut self) {
        for name in Self::FILES {
            let _ = std::fs::remove_file(self.0.join(name));
        }
    }
}

/// Removes what a sync that was killed left of its source; the lock of the target is held, so that none is at work.
fn remove_left_files(state: &StateDir) {
    for dir in std::fs::read_dir(state.runs()).into_iter().flatten().flatten().map(|entry| entry.path()) {
        // A promotion keeps dumps under names of the user's.
        if !stagegate_gate_act::journal::is_run(&dir) {
            drop(OfSource(&dir));
        }
    }
}

/// Refuses a target whose data nobody can get again.
fn may_be_target(source: &Environment, target: &Environment) -> Result<(), Failure> {
    let name = &target.name;
    if source.name == *name {
        return Err(Failure::usage(format!("`{name}` cannot be copied onto itself; name another environment as --to")));
    }
    if target.protected {
        return Err(Failure::usage(format!("`{name}` is protected, and so never the target of a sync")));
    }
    match [source, target].iter().find(|one| one.name == EPHEMERAL) {
        Some(_) => Err(Failure::usage("`ephemeral` exists only while `gate test` runs; name another environment")),
        None => Ok(()),
    }
}

struct Sync<'a> {
    config: &'a Arc<Config>,
    source: &'a Environment,
    target: &'a Environment,
    state: StateDir,
    run: String,
}

impl Sync<'_> {
    async fn one(&self, database: &Database, args: &cli::Sync) -> Result<Exit, Failure> {
        let dir = self.state.run(&self.run);
        files::private_dir(&dir).map_err(Failure::writing(&dir))?;
        let runner = self.runner(&dir)?;
        let engine = Engine::connect().await?;
        let source = self.side(&engine, self.source, database).await?;
        let target = self.side(&engine, self.target, database).await?;
        let options = SyncOptions {
            run: self.run.clone(),
            state: self.state.id().map_err(Failure::writing(self.state.root()))?,
            dir: &dir,
            workers: self.config.sync.workers,
            with_checksums: self.config.sync.integrity == Integrity::Checksums,
            within: self.config.sync.within.0,
            lock_timeout: self.config.sync.lock_timeout.0,
            max_row: self.config.sync.max_row,
            pace: self.config.sync.rate.map(|rate| Pace { bytes: rate.0 }),
            subset: subset(args.subset.as_deref())?,
            sanitising: self.sanitising(database)?,
            keeping: if args.incremental { Some(self.keeping(database)?) } else { None },
        };
        if args.dry_run {
            let plan = act::plan(&source, &target, &options).await?;
            print_result(&plan_text(&plan, (&self.source.name, &self.target.name), &database.name));
            return Ok(if plan.refusals.is_empty() { Exit::Passed } else { Exit::Held });
        }
        print_message(&format!("copying `{}` from `{}` to `{}`", database.name, self.source.name, self.target.name));
        let report = {
            let _read = OfSource(&dir);
            act::sync(&source, &target, &options, &runner).await?
        };
        if !args.incremental {
            // The copy that they describe is dropped.
            let _ = std::fs::remove_dir_all(self.copy_folder(database));
        }
        self.show(&report, args.json)?;
        Ok(Exit::Passed)
    }

    fn keeping(&self, database: &Database) -> Result<Keeping, Failure> {
        let key = sanitize::key(self.state.root()).map_err(Failure::reading(self.state.root()))?;
        Ok(Keeping { folder: self.copy_folder(database), key })
    }

    fn copy_folder(&self, database: &Database) -> PathBuf {
        self.state.root().join("sync").join(&database.id)
    }

    /// Returns by what values are replaced; real ones only go where the configuration states so.
    fn sanitising(&self, database: &Database) -> Result<Option<Sanitising>, Failure> {
        if self.config.sync.real_data.contains(&self.target.name) {
            return Ok(None);
        }
        let rules = super::sanitize::rules(self.config, &database.id)?;
        let key = sanitize::key(self.state.root()).map_err(Failure::reading(self.state.root()))?;
        Ok(Some(Sanitising { key, rules }))
    }

    fn show(&self, report: &SyncReport, json: bool) -> Result<(), Failure> {
        if json {
            give_json(&serde_json::to_string_pretty(report)?);
        } else {
            print_result(&report.text());
        }
        Ok(())
    }

    fn runner(&self, dir: &Path) -> Result<Runner, Failure> {
        let log = dir.join("run.log");
        let runner = Runner::default().with_mark(&self.mark()).with_log(&log).map_err(Failure::writing(&log))?;
        Ok(runner.with_progress(|line| print_message(&format!("  {}", text::clean(line)))))
    }

    fn mark(&self) -> String {
        lock::mark(&self.state, &self.run)
    }

    /// Ends the programs that a stopped run left.
    fn end_programs(&self) {
        let mark = self.mark();
        let _ = stagegate_host::process::end_marked(|of| of == mark);
    }

    async fn side(&self, engine: &Engine, environment: &Environment, database: &Database) -> Result<Side, Failure> {
        let project = Project::load(&Runner::default(), self.config, &environment.name).await?;
        let server = Server::of(&project, engine, database, &format!("stagegate/{}", self.run)).await?;
        Ok(Side { environment: environment.name.clone(), server, database: database.name.clone() })
    }
}

/// Reads the file of a subset.
fn subset(path: Option<&Path>) -> Result<Option<SubsetFile>, Failure> {
    let Some(path) = path else { return Ok(None) };
    let text = stagegate_host::files::text(path).map_err(Failure::reading(path))?;
    let file = SubsetFile::parse(&text);
    file.map(Some).map_err(|error| Failure::configuration(error).context(path.display().to_string()))
}

fn plan_text(plan: &SyncPlan, (source, target): (&str, &str), database: &str) -> String {
    let mut tables: Vec<_> = plan.tables.iter().enumerate().map(|(at, table)| (plan.part(at), table)).collect();
    let bytes: u64 = tables.iter().map(|((_, bytes), _)| bytes).sum();
    let mut lines =
        vec![format!("{database}: {source} -> {target}, {}, {}", counted(plan.tables.len(), "table"), Size(bytes))];
    if plan.selected.is_some() {
        let rows: u64 = tables.iter().map(|((rows, _), _)| rows).sum();
        let of: u64 = plan.tables.iter().map(|table| table.rows).sum();
        lines.push(format!("  subset of about {rows} of {of} rows"));
    }
    tables.sort_by_key(|((rows, bytes), _)| std::cmp::Reverse((*bytes, *rows)));
    lines.extend(tables.iter().take(NAMED).map(|((rows, bytes), table)| {
        let rows = if plan.selected.is_some() { format!("  {rows:>10} of {} rows", table.rows) } else { String::new() };
        format!("  {:>10}{rows}  {}", Size(*bytes).to_string(), text::clean(&table.label()))
    }));
    if tables.len() > NAMED {
        lines.push(format!("  and {} more", tables.len() - NAMED));
    }
    let sanitised = plan.assigned.sanitised.iter();
    lines.extend(sanitised.map(|(column, rule)| format!("  {:>10}  {}", rule.name(), text::clean(column))));
    lines.extend(plan.refusals.iter().map(|reason| format!("refused: {reason}")));
    lines.join("\n")
}
