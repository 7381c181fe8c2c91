//! Where other programs find a database of a scratch server.

use stagegate_base::{command::postgres::Reach, redact::Secret};
use tokio_postgres::config::Host;

use super::{Database, Scratch, ServerHandle};

impl Scratch {
    /// Returns where programs of this host find a database; `None` where the server has no address that they can use.
    #[must_use]
    pub fn reach(&self, database: &Database) -> Option<Reach> {
        let host = match self.access.get_hosts().first()? {
            Host::Tcp(name) => name.clone(),
            Host::Unix(folder) => folder.to_str()?.to_owned(),
        };
        let port = self.access.get_ports().first().copied().unwrap_or(5432);
        Some(self.reach_at(host, port, database))
    }

    /// Returns the container, and where programs in its own network find a database; `None` where there is none.
    #[must_use]
    pub fn reach_inside(&self, database: &Database) -> Option<(&str, Reach)> {
        match &self.how {
            Some(ServerHandle::Docker { .. }) => {
                Some((self.name.as_str(), self.reach_at("127.0.0.1".to_owned(), 5432, database)))
            }
            _ => None,
        }
    }

    /// Returns the label that marks what belongs to this server, so that the next run's sweep knows it.
    #[must_use]
    pub fn label(&self) -> (&'static str, &str) {
        (super::leftover::LABEL, &self.claim)
    }

    fn reach_at(&self, host: String, port: u16, database: &Database) -> Reach {
        let password = self.access.get_password().map(|password| String::from_utf8_lossy(password).into_owned());
        Reach {
            host,
            port,
            role: self.access.get_user().unwrap_or("postgres").to_owned(),
            password: password.map(Secret::new),
            database: database.name.clone(),
        }
    }
}
