//! `gate salvage`: rows of a database that a rollback, a restore or a sync put aside.

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::{Value, json};
use stagegate_base::{
    config::{Config, Database, Environment, Migrations},
    exit::Exit,
    mark::{Mark, Role},
    text::counted,
    units::Size,
};
use stagegate_data_act::salvage::{Salvage, Scope, set_aside_databases};
use stagegate_data_decide::salvage::{CarryResult, TableRows};
use stagegate_host::{
    clock, database::Server, engine::Engine, files, paths::StateDir, process::Runner, project::Project,
};

use super::{differences, environment::taken};
use crate::{
    cli, confirm_option,
    failure::{Failure, give_json, print_message, print_result},
};

pub(super) async fn run(config: &Arc<Config>, args: cli::Salvage) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let databases = differences::chosen(config, args.database.as_deref())?;
    let engine = Engine::connect().await?;
    let project = Project::load(&Runner::default(), config, &environment.name).await?;
    let mut all = Vec::new();
    for database in databases {
        let server = Server::of(&project, &engine, database, "stagegate/salvage").await?;
        let marks = set_aside_databases(&server).await?.into_iter().filter(|mark| mark.of == database.name);
        all.extend(marks.map(|mark| SetAsideDatabase { database, server: server.clone(), mark }));
    }
    let Some(run) = &args.run else { return list(environment, &all, args.json).await };
    all.retain(|kept| kept.mark.run == *run);
    if all.is_empty() {
        return Err(Failure::usage(format!(
            "no database of `{}` that run {run} put aside is on its server; `gate salvage --env {0}` lists those there are",
            environment.name
        )));
    }
    // What a row refers to is in another table: whether that one changed is known only where it was compared too.
    if args.carry && !args.table.is_empty() && !args.accept_links {
        return Err(Failure::usage(
            "--carry with --table does not compare the tables that rows refer to; leave out --table, or add --accept-links if \
             the rows that they refer to mean the same in both databases",
        ));
    }
    let of_config = |migrations: &Migrations| {
        let of_commands = migrations.commands.iter().flat_map(|commands| &commands.history_tables);
        migrations.history_tables.iter().chain(of_commands).cloned().collect::<Vec<String>>()
    };
    let history_tables = config.migrations.values().flat_map(of_config).collect();
    let work = Work { environment, args: &args, within: config.gate.backup_within.0, history_tables };
    if !args.carry {
        return work.show(&all).await;
    }
    confirm_option::refuse_if_protected(environment, args.confirm.as_deref(), "rows being written into its databases")?;
    let state = StateDir::of(config, &environment.project);
    let lock = taken(&state, environment, "gate salvage")?;
    let done = work.carry(&all, state.root()).await;
    drop(lock);
    done
}

/// Inserts the rows that a rollback put aside into the restored databases; the rollback was confirmed, and so is this.
pub(super) async fn carry(config: &Arc<Config>, environment: &str, run: String) -> Result<Exit, Failure> {
    let args = cli::Salvage {
        run: Some(run.clone()),
        env: Some(environment.to_owned()),
        database: None,
        table: Vec::new(),
        csv: None,
        sql: None,
        carry: true,
        accept_links: false,
        yes: true,
        confirm: Some(environment.to_owned()),
        json: false,
    };
    let text =
        format!("rolled back; rows written since could not be carried: gate salvage {run} --env {environment} --carry");
    self::run(config, args).await.map_err(|failure| failure.context(text))
}

/// A database that was put aside.
struct SetAsideDatabase<'a> {
    database: &'a Database,
    server: Server,
    mark: Mark,
}

/// Returns what put a database of a role aside.
fn origin(role: Role) -> &'static str {
    match role {
        Role::Failed => "as a release that was rolled back left it",
        Role::Replaced => "replaced by a sync",
        _ => "replaced by a rollback with data, or by a restore",
    }
}

async fn list(environment: &Environment, all: &[SetAsideDatabase<'_>], as_json: bool) -> Result<Exit, Failure> {
    let mut values = Vec::new();
    for kept in all {
        let (bytes, _) = kept.server.sizes(&kept.mark.name).await?;
        let Mark { name, of, role, run, .. } = &kept.mark;
        if as_json {
            values.push(json!({"run": run, "database": of, "kept_as": name, "bytes": bytes, "origin": origin(*role)}));
        } else {
            print_result(&format!("{run}  {of}  {:>9}  {name}  ({})", Size(bytes).to_string(), origin(*role)));
        }
    }
    if as_json {
        let all = json!({"v": 1, "environment": environment.name, "kept": values});
        give_json(&serde_json::to_string_pretty(&all)?);
    } else if all.is_empty() {
        print_message(&format!("`{}`: no database was put aside", environment.name));
    } else {
        print_message(&format!("compare one with the live database: gate salvage --env {} RUN", environment.name));
    }
    Ok(Exit::Passed)
}

struct Work<'a> {
    environment: &'a Environment,
    args: &'a cli::Salvage,
    within: Duration,
    /// History tables that no known tool has.
    history_tables: Vec<String>,
}

impl Work<'_> {
    async fn compare<'k>(&self, kept: &'k SetAsideDatabase<'_>, remember: bool) -> Result<Salvage<'k>, Failure> {
        let names = (kept.mark.name.as_str(), kept.mark.of.as_str());
        let begun = std::time::Instant::now();
        // A table that takes a second is worth a line.
        let mut noted = begun;
        let progress = |table: &str| {
            if noted.elapsed() >= Duration::from_secs(1) {
                print_message(&format!("comparing {table} ({:.0} s)", begun.elapsed().as_secs_f64()));
                noted = std::time::Instant::now();
            }
        };
        let scope = Scope { wanted: &self.args.table, history_tables: &self.history_tables, within: self.within };
        Ok(Salvage::compare(&kept.server, names, scope, remember, progress).await?)
    }

    async fn show(&self, all: &[SetAsideDatabase<'_>]) -> Result<Exit, Failure> {
        let remember = self.args.csv.is_some() || self.args.sql.is_some();
        let mut values = Vec::new();
        for kept in all {
            let salvage = self.compare(kept, remember).await?;
            if self.args.json {
                values.push(value(&kept.mark, &salvage, None));
            } else {
                print_result(&text(&kept.mark, &salvage));
            }
            self.export(kept, &salvage, all.len() > 1).await?;
        }
        self.end(values)?;
        Ok(Exit::Passed)
    }

    /// Writes the files that were named; with several databases each gets a folder, or a file, of its own.
    async fn export(&self, kept: &SetAsideDatabase<'_>, salvage: &Salvage<'_>, several: bool) -> Result<(), Failure> {
        if let Some(dir) = &self.args.csv {
            let dir = if several { dir.join(&kept.database.id) } else { dir.clone() };
            let written = salvage.csv(&dir).await?;
            print_message(&format!("{} in {}", counted(written.len(), "file"), dir.display()));
        }
        if let Some(file) = &self.args.sql {
            let ending = format!("{}.sql", kept.database.id);
            let file = if several { file.with_extension(ending) } else { file.clone() };
            let rows = salvage.sql(&file).await?;
            print_message(&format!("{} in {}", counted(rows, "statement"), file.display()));
        }
        Ok(())
    }

    async fn carry(&self, all: &[SetAsideDatabase<'_>], state: &Path) -> Result<Exit, Failure> {
        let mut compared = Vec::new();
        for kept in all {
            compared.push((kept, self.compare(kept, true).await?));
        }
        for (kept, salvage) in &compared {
            print_message(&text(&kept.mark, salvage));
        }
        let missing: u64 = compared.iter().flat_map(|(_, salvage)| salvage.found()).map(|table| table.missing).sum();
        if missing == 0 {
            print_message("there is no row to carry");
            return Ok(Exit::Passed);
        }
        let name = &self.environment.name;
        confirm_option::confirm(
            &format!("Write {} into the live databases of `{name}`?", counted(missing, "row")),
            self.args.yes,
        )?;
        let (mut values, mut left) = (Vec::new(), 0);
        for (kept, salvage) in &compared {
            let carried = salvage.carry(self.args.accept_links).await?;
            left += carried.iter().map(CarryResult::remaining).sum::<u64>();
            if !self.args.json {
                carried.iter().for_each(|table| print_result(&table.text()));
            }
            values.push(value(&kept.mark, salvage, Some(&carried)));
            left += verify(self, kept, &carried).await?;
        }
        note(state, &values)?;
        self.end(values)?;
        if left > 0 {
            print_message(&format!(
                "{} not carried and still in the kept database; --csv DIR exports them",
                counted(left, "row")
            ));
            return Ok(Exit::Held);
        }
        Ok(Exit::Passed)
    }

    fn end(&self, values: Vec<Value>) -> Result<(), Failure> {
        if self.args.json {
            let all = json!({"v": 1, "environment": self.environment.name, "databases": values});
            give_json(&serde_json::to_string_pretty(&all)?);
        }
        Ok(())
    }
}

/// Compares once more: what was reported as carried is in the live database. Returns how many rows are not.
async fn verify(work: &Work<'_>, kept: &SetAsideDatabase<'_>, carried: &[CarryResult]) -> Result<u64, Failure> {
    let again = work.compare(kept, false).await?;
    let mut absent = 0;
    for table in carried {
        let found = again.found().iter().find(|found| found.table == table.table);
        let more = found.map_or(0, |found| found.missing).saturating_sub(table.remaining());
        if more > 0 {
            let rows = counted(more, "row");
            print_message(&format!(
                "{}: {rows} reported as carried are not in the live table: a trigger or rule changed them, or a session deleted them",
                table.table
            ));
        }
        absent += more;
    }
    Ok(absent)
}

/// Keeps what was carried in the state folder.
fn note(state: &Path, values: &[Value]) -> Result<(), Failure> {
    let dir = state.join("salvage");
    files::private_dir(&dir).map_err(Failure::writing(&dir))?;
    // Two commands may end within a second.
    let path = dir.join(format!("{}-{:04x}.json", clock::stamp(), std::process::id() & 0xffff));
    let text = serde_json::to_string_pretty(&json!({"v": 1, "databases": values}))?;
    files::write_whole(&path, text.as_bytes()).map_err(Failure::writing(&path))?;
    print_message(&format!("report: {}", path.display()));
    Ok(())
}

fn value(mark: &Mark, salvage: &Salvage<'_>, carried: Option<&[CarryResult]>) -> Value {
    let found = salvage.found();
    let differing: Vec<&TableRows> = found.iter().filter(|table| table.differs()).collect();
    json!({
        "run": mark.run, "database": mark.of, "kept_as": mark.name, "tables_compared": found.len(),
        "tables": differing, "history_tables_left_out": salvage.history_tables(), "carried": carried,
    })
}

fn text(mark: &Mark, salvage: &Salvage<'_>) -> String {
    let found = salvage.found();
    let Mark { name, of, role, .. } = mark;
    let mut lines = vec![format!("{name} ({}), compared with {of}:", origin(*role))];
    let width = found.iter().filter(|table| table.differs()).map(|table| table.table.len()).max().unwrap_or_default();
    for table in found.iter().filter(|table| table.differs()) {
        let mut words = vec![format!("{} only here", counted(table.missing, "row"))];
        if table.has_key {
            words.push(format!("{} changed", table.changed));
        }
        words.push(format!("{} only in the live table", table.only_live));
        if !table.has_key && table.refusal.is_none() {
            words.push("no key: a changed row counts as both".to_owned());
        }
        if !table.left_out.is_empty() {
            words.push(format!("not in the live table: {}", table.left_out.join(", ")));
        }
        if !table.triggers.is_empty() {
            words.push(format!("carrying fires {}", table.triggers.join(", ")));
        }
        words.extend(table.refusal.iter().map(|why| format!("cannot be carried: {why}")));
        lines.push(format!("  {:width$}  {}", table.table, words.join("; ")));
    }
    let rows: u64 = found.iter().map(|table| table.kept).sum();
    let differing = lines.len() - 1;
    lines.push(match differing {
        0 => format!(
            "  nothing that the live database does not hold ({} in {})",
            counted(rows, "row"),
            counted(found.len(), "table")
        ),
        _ => format!("  {differing} of {} differ", counted(found.len(), "table")),
    });
    lines.extend(salvage.history_tables().iter().map(|table| {
        format!("  {table} is left out: the history table of a migration tool describes its own database alone")
    }));
    lines.join("\n")
}
