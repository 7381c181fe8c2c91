//! Do two environments work on one database, or one Redis?

use super::Stack;
use stagegate_base::finding::Finding;

/// What tells a running server, and a database in it, from every other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The service that was asked.
    pub service: String,
    /// What answered: `PostgreSQL` or `Redis`.
    pub kind: &'static str,
    /// PostgreSQL's `system_identifier`, Redis' `run_id`.
    pub server: String,
    /// When it was started: a copy of a cluster's files has the identifier of its original.
    pub started: String,
    /// The database's name; empty for Redis.
    pub database: String,
}

/// Returns the databases and Redis servers that both environments were given.
#[must_use]
pub fn stores(own: &[Identity], other: &[Identity], environment: &str) -> Vec<Finding> {
    let same = |a: &Identity, b: &Identity| {
        (a.kind, &a.server, &a.started, &a.database) == (b.kind, &b.server, &b.started, &b.database)
    };
    let both = own.iter().filter_map(|mine| Some((mine, other.iter().find(|theirs| same(mine, theirs))?)));
    both.map(|(mine, theirs)| {
        Finding::differs(
            mine.service.clone(),
            format!("a {} of its own", mine.kind),
            match mine.database.as_str() {
                "" => format!("the server of {} of `{environment}` (run {})", theirs.service, mine.server),
                name => {
                    format!("database {name} of the cluster of {} of `{environment}` ({})", theirs.service, mine.server)
                }
            },
        )
    })
    .collect()
}

/// Returns the services of `named` whose data lies in a volume or folder of the other environment's.
#[must_use]
pub fn data(own: &Stack, other: &Stack, named: &[String]) -> Vec<Finding> {
    let all = super::volumes(own, other).into_iter().chain(super::binds(own, other));
    let of_a_store = |finding: &Finding| {
        let by = finding.place.object.split(" at ").next().unwrap_or_default();
        named.iter().any(|service| by == service || by.starts_with(&format!("{}-{service}-", own.project)))
    };
    all.filter(of_a_store).collect()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn identity(server: &str, started: &str, database: &str) -> Identity {
        Identity {
            service: "db".to_owned(),
            kind: "PostgreSQL",
            server: server.to_owned(),
            started: started.to_owned(),
            database: database.to_owned(),
        }
    }

    #[rstest]
    #[case::the_same(identity("1", "a", "shop"), 1)]
    #[case::another_database(identity("1", "a", "other"), 0)]
    #[case::a_copy_of_its_files(identity("1", "b", "shop"), 0)]
    #[case::another_cluster(identity("2", "a", "shop"), 0)]
    fn a_database_is_one_cluster_and_one_name(#[case] other: Identity, #[case] want: usize) {
        assert_eq!(stores(&[identity("1", "a", "shop")], &[other], "production").len(), want);
    }
}
