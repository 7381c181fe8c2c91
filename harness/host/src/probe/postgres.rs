//! Does a PostgreSQL server let us in and answer `select 1`?

use std::net::SocketAddr;

use stagegate_base::{compose::Model, config::Database, redact::Secret};
use tokio_postgres::Client;

use super::{DEADLINE, ProbeError, first};
use crate::{
    secret,
    tls::{Authority, Tls},
};

/// Who asks which database.
#[derive(Clone, Debug)]
pub struct Login {
    /// Role.
    pub user: String,
    /// Its password; none where the model holds none.
    pub password: Option<Secret>,
    /// Database.
    pub database: String,
    /// Who vouches for the server; nobody has to where `None`.
    pub authority: Option<Authority>,
}

impl Login {
    /// Returns the login to a configured database, from the variables of the compose service that runs the server.
    #[must_use]
    pub fn of(model: &Model, database: &Database) -> Self {
        Login {
            user: database.role.clone().unwrap_or_else(|| superuser(model, &database.service)),
            password: secret::variable(model, &database.service, &database.password_variable),
            database: database.name.clone(),
            authority: database.ca.clone().map(|file| Authority { file, name: database.service.clone() }),
        }
    }

    /// Returns the login to the database that the image makes at its first start.
    // Source: docker-library/postgres: POSTGRES_DB defaults to POSTGRES_USER, which defaults to `postgres`.
    #[must_use]
    pub fn of_service(model: &Model, service: &str) -> Self {
        let user = superuser(model, service);
        let database = plain(model, service, "POSTGRES_DB").unwrap_or_else(|| user.clone());
        Login { password: secret::variable(model, service, "POSTGRES_PASSWORD"), user, database, authority: None }
    }
}

fn superuser(model: &Model, service: &str) -> String {
    plain(model, service, "POSTGRES_USER").unwrap_or_else(|| "postgres".to_owned())
}

fn plain(model: &Model, service: &str, key: &str) -> Option<String> {
    secret::variable(model, service, key).map(|value| value.expose().to_owned()).filter(|text| !text.is_empty())
}

/// Logs in, asks `select 1` and returns the server's version, such as `17.5`.
///
/// # Errors
/// [`ProbeError::Server`] with SQLSTATE and message where the server refuses; never the password.
pub async fn version(addresses: &[SocketAddr], login: &Login) -> Result<String, ProbeError> {
    first(addresses, DEADLINE, async |address| query(address, login).await).await
}

async fn query(address: SocketAddr, login: &Login) -> Result<String, ProbeError> {
    let mut config = tokio_postgres::Config::new();
    config.user(&login.user).dbname(&login.database).application_name("stagegate").connect_timeout(DEADLINE);
    if let Some(password) = &login.password {
        config.password(password.expose());
    }
    let tls = Tls::of(login.authority.as_ref())?;
    config.ssl_mode(tls.mode());
    let (client, connection) = loop {
        let stream = super::tcp::open(address).await?;
        match config.connect_raw(stream, tls.clone()).await {
            Ok(session) => break session,
            Err(error) => match tls.fallback(&error) {
                Some(mode) => drop(config.ssl_mode(mode)),
                None => return Err(probe_error(address, error)),
            },
        }
    };
    let connection = tokio::spawn(connection);
    let version = select(&client).await.map_err(|e| probe_error(address, e));
    connection.abort();
    version
}

async fn select(client: &Client) -> Result<String, tokio_postgres::Error> {
    let row = client.query_one("select 1, current_setting('server_version')", &[]).await?;
    let version: String = row.try_get(1)?;
    // Packagers append theirs: `17.5 (Debian 17.5-1)`.
    Ok(version.split_whitespace().next().unwrap_or_default().to_owned())
}

/// Takes the server's code and message out of a client error, which prints as `db error` otherwise.
fn probe_error(address: SocketAddr, error: tokio_postgres::Error) -> ProbeError {
    match error.as_db_error() {
        Some(printed) => ProbeError::Server {
            address,
            code: printed.code().code().to_owned(),
            message: printed.message().to_owned(),
        },
        None => ProbeError::Protocol { address, source: error },
    }
}
