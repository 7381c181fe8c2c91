//! The one run on a scratch server that all questions about a database's migrations share.
//!
//! What was proven in this process for the same files, the same image and the same settings is not proven again: a
//! promotion asks before and after.

use std::{
    collections::BTreeMap,
    future::pending,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use stagegate_base::{config::Migrations, waiver::Waivers};
use stagegate_host::{database::Server, error::with_causes, probe::postgres::Login, waivers};
use stagegate_migration_act::{
    Commands, Options, Rows, SessionOptions, chain_of_folder,
    recorder::rows,
    roles,
    scratch::{ServerSpec, images},
};
use stagegate_migration_decide::{Chain, locks::Sizes};
use tokio::sync::OnceCell;

use super::pipeline::{OnServer, prove_on};
use crate::session::Session;

/// What all servers showed.
pub(crate) struct Proof {
    /// The migrations.
    pub(crate) chain: Chain,
    /// What was accepted.
    pub(super) waivers: Waivers,
    /// One server for each major that was asked for.
    pub(crate) servers: Vec<OnServer>,
}

type Shared = Arc<OnceCell<Result<Arc<Proof>, String>>>;

static PROVEN: Mutex<BTreeMap<String, Shared>> = Mutex::new(BTreeMap::new());

/// Proves the migrations of a database, once for all who ask.
pub(crate) async fn of(session: &Session, migrations: &Migrations) -> Result<Arc<Proof>, String> {
    let source = session.project.environment.workdir.join(&migrations.source);
    let chain = match migrations.commands {
        Some(_) => None,
        None => {
            let stand_ins =
                migrations.stand_ins.as_ref().map(|folder| session.project.environment.workdir.join(folder));
            let found = chain_of_folder(&source, migrations.tool, stand_ins.as_deref());
            Some(found.map_err(|error| with_causes(&error))?)
        }
    };
    let waivers = waivers(session.project.config.root())?;
    let specs = specs(session, migrations).await?;
    let seed = seed(session, migrations)?;
    // What commands read is not known here: they are asked anew in each run.
    let of_run = migrations.commands.as_ref().map(|_| session.number());
    let key =
        format!("{}\n{of_run:?}\n{chain:?}\n{waivers:?}\n{migrations:?}\n{specs:?}\n{seed:?}", migrations.database);
    let shared = shared(key);
    let rows = Rows { seed, ..Rows::default() };
    let commands = commands(session, migrations, &source).await?;
    let options = options(migrations, rows, commands);
    shared.get_or_init(|| proven(chain, waivers, options, specs)).await.clone()
}

/// Reads the waivers; that there is no such file is fine.
pub(super) fn waivers(root: &Path) -> Result<Waivers, String> {
    waivers::read(root, &crate::codes()).map_err(|error| with_causes(&error))
}

/// Reads the user's own rows.
fn seed(session: &Session, migrations: &Migrations) -> Result<Option<String>, String> {
    let Some(seed) = &migrations.seed else { return Ok(None) };
    let path = session.project.environment.workdir.join(seed);
    let key = &migrations.database;
    let text = std::fs::read_to_string(&path);
    text.map(Some).map_err(|error| format!("cannot read `seed` of [migrations.{key}], {}: {error}", path.display()))
}

/// Reads how many rows each table of the environment has, by the server's own estimate; none are known where it does
/// not answer.
pub(super) async fn sizes(session: &Session, migrations: &Migrations) -> Sizes {
    let Some(database) = session.project.config.databases.get(&migrations.database) else { return Sizes::new() };
    let Ok(server) = Server::of(&session.project, &session.engine, database, "stagegate/migrations").await else {
        return Sizes::new();
    };
    match server.connect_to_read(&database.name).await {
        Ok(client) => rows(&client).await.unwrap_or_default(),
        Err(_) => Sizes::new(),
    }
}

fn shared(key: String) -> Shared {
    let mut all = PROVEN.lock().unwrap_or_else(PoisonError::into_inner);
    // One that failed to begin may begin the next time: the Engine was down, or an image was missing.
    if all.get(&key).is_some_and(|cell| cell.get().is_some_and(Result::is_err)) {
        all.remove(&key);
    }
    Arc::clone(all.entry(key).or_default())
}

/// States which servers are wanted: of the environment's own image, or one of each major.
async fn specs(session: &Session, migrations: &Migrations) -> Result<Vec<ServerSpec>, String> {
    let config = &session.project.config;
    let database = config
        .databases
        .get(&migrations.database)
        .ok_or_else(|| format!("[databases.{}] does not exist", migrations.database))?;
    let model = &session.project.model;
    let spec = |images, major| ServerSpec {
        images,
        major,
        role: Login::of(model, database).user,
        variable: migrations.server_variable.clone(),
        ..ServerSpec::default()
    };
    if migrations.pg.is_empty() {
        // What a compose file names is there under that name, which reads better in a message than an id.
        let image = match model.image(&database.service) {
            "" => deployed_image(session, &database.service).await?,
            named => named.to_owned(),
        };
        return Ok(vec![spec(vec![image], None)]);
    }
    Ok(migrations.pg.iter().map(|major| spec(images(config.root(), Some(*major)), Some(*major))).collect())
}

async fn deployed_image(session: &Session, service: &str) -> Result<String, String> {
    let mut images = session.images().await.map_err(|error| with_causes(&error))?;
    // A service that the model does not have is reported where it is run.
    Ok(images.remove(service).unwrap_or_else(|| session.project.model.image_name(service)))
}

async fn commands(session: &Session, migrations: &Migrations, source: &Path) -> Result<Option<Commands>, String> {
    let project = &session.project;
    let Some(config) = migrations.commands.clone() else { return Ok(None) };
    let model = match &config.service {
        Some(service) => {
            let image = deployed_image(session, service).await?;
            Some(project.model.with_image(service, &image))
        }
        None => None,
    };
    Ok(Some(Commands {
        model,
        config,
        dir: source.to_path_buf(),
        within: migrations.statement_timeout.0,
        secrets: project.model.secrets(),
    }))
}

fn options(migrations: &Migrations, rows: Rows, commands: Option<Commands>) -> Options {
    let manner = SessionOptions {
        statement_within: migrations.statement_timeout.0,
        search_path: migrations.search_path.clone(),
    };
    let before = roles(&migrations.roles);
    Options {
        manner,
        history_tables: migrations.history_tables.clone(),
        before,
        always_clone: false,
        ways_back: true,
        commands,
        rows: Some(rows),
    }
}

async fn proven(
    mut chain: Option<Chain>,
    waivers: Waivers,
    options: Options,
    specs: Vec<ServerSpec>,
) -> Result<Arc<Proof>, String> {
    let mut servers = Vec::new();
    for spec in specs {
        let on = prove_on(&spec, &mut chain, &options, pending(), |_| {}).await;
        servers.push(on.map_err(|error| with_causes(&error))?);
    }
    let chain = chain.ok_or("no scratch server is configured")?;
    Ok(Arc::new(Proof { chain, waivers, servers }))
}
