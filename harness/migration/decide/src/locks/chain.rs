//! What is reported of a chain's locks: what was observed, and of the texts what nobody could observe.

use super::{Harm, Observed, Request, Samples, Sizes, Thresholds, findings, harm_finding};
use crate::AtStatement;
use crate::{Chain, Finding, Migration, Statement, codes, lint};

/// What the statements of one version did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// The version.
    pub version: String,
    /// Its statements.
    pub observed: Vec<Observed>,
    /// The rows that tables had where they did it.
    pub sizes: Sizes,
    /// Requests of probes that read and wrote the tables meanwhile.
    pub requests: Vec<Request>,
}

/// Aspects of static findings that hurt by a table's size alone.
const BY_SIZE: [&str; 5] = ["rewrite", "scan", "index", "rows", "lock_timeout"];

/// Returns the findings of all migrations, observed ones first. A static one is left out where the same was observed,
/// where it was looked for and not seen, and where its table is small on the target.
#[must_use]
pub fn of_chain(chain: &Chain, watched: &[Watched], target: &Sizes, thresholds: &Thresholds) -> Vec<Finding> {
    let mut found = Vec::new();
    for Watched { version, observed, sizes, requests } in watched {
        let Some(migration) = chain.migration(version) else { continue };
        let hurts = findings(observed, &Samples::default(), requests, (sizes, target), thresholds);
        found.extend(hurts.iter().map(|hurt| placed(hurt, migration)));
    }
    let is_watched = |version: &str| watched.iter().any(|watched| watched.version == version);
    let from_text: Vec<Finding> = lint(chain)
        .into_iter()
        .filter(|finding| {
            let (table, aspect) = subject(finding);
            let is_seen =
                found.iter().any(|seen| seen.place.object == finding.place.object && is_same(seen, table, aspect));
            // Where the server ran it, these are known: it was refused, or it was not; it waited without a limit, or not.
            let is_known = (finding.code == codes::ENUM_VALUE_USED_AT_ONCE.id
                || finding.code == codes::LOCK_TIMEOUT_MISSING.id)
                && is_watched(&finding.place.object);
            // A statement that ran and rewrote no table changes a column's type or adds one by the catalog alone.
            let is_known = is_known || aspect == "rewrite" && is_observed(chain, watched, finding);
            let is_small = BY_SIZE.contains(&aspect) && rows(target, table).is_some_and(|rows| rows < thresholds.rows);
            !is_seen && !is_known && !is_small
        })
        .collect();
    found.extend(from_text);
    found
}

/// Returns whether the statement of a finding from the text ran where rewrites were recorded, and rewrote nothing.
fn is_observed(chain: &Chain, watched: &[Watched], finding: &Finding) -> bool {
    let version = &finding.place.object;
    let Some(script) = chain.migration(version).map(|migration| &migration.up) else { return false };
    let statement = script.statements.iter().find(|statement| statement.line == finding.place.line);
    let Some(text) = statement.map(|statement| script.text_of(statement)) else { return false };
    let mut observed = watched.iter().filter(|watched| watched.version == *version).flat_map(|one| &one.observed);
    observed.any(|one| one.tag == "ALTER TABLE" && one.rewrites.is_empty() && one.query.contains(text))
}

fn subject(finding: &Finding) -> (&str, &str) {
    finding.aspect.rsplit_once('/').unwrap_or(("", &finding.aspect))
}

fn is_same(seen: &Finding, table: &str, aspect: &str) -> bool {
    let (other, of_other) = subject(seen);
    of_other == aspect && bare(other) == bare(table)
}

/// The text mostly names a table without its schema.
fn bare(table: &str) -> &str {
    table.rsplit('.').next().unwrap_or(table)
}

fn rows(target: &Sizes, table: &str) -> Option<u64> {
    target.iter().filter(|(name, _)| bare(name) == bare(table)).map(|(_, rows)| *rows).max()
}

/// States where: the statement that the session was sent; of several that were sent at once, the command by its number.
fn placed(hurt: &Harm, migration: &Migration) -> Finding {
    let script = &migration.up;
    let text = |statement: &Statement| script.text_of(statement).trim().to_owned();
    let sent: Vec<&Statement> = script
        .statements
        .iter()
        .filter(|statement| !text(statement).is_empty() && hurt.query.contains(&text(statement)))
        .collect();
    let changes = ["create", "alter", "drop", "reindex", "cluster", "refresh", "comment", "grant", "revoke"];
    let is_command = |statement: &&&Statement| {
        let first = text(statement).split_whitespace().next().unwrap_or_default().to_lowercase();
        changes.contains(&first.as_str())
    };
    let nth = sent.iter().filter(is_command).nth(hurt.nth).or(sent.first());
    let finding = harm_finding(hurt).of(&migration.version);
    match nth {
        Some(statement) => finding.at_statement(script, statement),
        None => finding.at(&script.file, 0),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{File, chain, locks::Mode};

    const UP: &str = "create index t_n on t (n);\nalter table t alter column n type bigint;\ndrop table other;";

    fn codes_of(target: &Sizes, watched: &[Watched]) -> Vec<String> {
        let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let chain = chain(&[file("1_a.up.sql", UP), file("1_a.down.sql", "select now();")], None).unwrap();
        let found = of_chain(&chain, watched, target, &Thresholds::default());
        found.iter().map(|finding| format!("{} {}", finding.place.position(), finding.code)).collect()
    }

    fn observed() -> Vec<Watched> {
        let index = Observed {
            query: "create index t_n on t (n)".to_owned(),
            tag: "CREATE INDEX".to_owned(),
            locks: vec![("public.t".to_owned(), Mode::Share)],
            took: Duration::from_millis(1),
            lock_timeout: Duration::from_secs(1),
            ..Observed::default()
        };
        vec![Watched { version: "1".to_owned(), observed: vec![index], ..Watched::default() }]
    }

    #[test]
    fn what_was_observed_is_not_reported_from_the_text_again() {
        let want = ["1_a.up.sql:1 index-blocked-writes", "1_a.up.sql:2 type-change", "1_a.up.sql:3 dropped"];
        assert_eq!(codes_of(&Sizes::new(), &observed()), want);
    }

    #[test]
    fn a_type_change_that_rewrote_nothing_is_not_reported_from_the_text() {
        let changed = Observed {
            query: "alter table t alter column n type bigint".to_owned(),
            tag: "ALTER TABLE".to_owned(),
            locks: vec![("public.t".to_owned(), Mode::AccessExclusive)],
            lock_timeout: Duration::from_secs(1),
            ..Observed::default()
        };
        let mut watched = observed();
        watched[0].observed.push(changed.clone());
        let want = ["1_a.up.sql:1 index-blocked-writes", "1_a.up.sql:3 dropped"];
        assert_eq!(codes_of(&Sizes::new(), &watched), want);
        watched[0].observed[1].rewrites = vec![("public.t".to_owned(), "a column's type changed".to_owned())];
        let reported = codes_of(&Sizes::new(), &watched);
        assert!(reported.contains(&"1_a.up.sql:2 table-rewritten".to_owned()), "{reported:?}");
    }

    #[test]
    fn without_an_observation_the_text_is_reported() {
        let reported = codes_of(&Sizes::new(), &[]);
        assert!(reported.contains(&"1_a.up.sql:1 index-not-concurrent".to_owned()), "{reported:?}");
        assert!(reported.iter().any(|line| line.ends_with("lock-timeout-missing")), "{reported:?}");
    }

    #[test]
    fn a_table_that_is_small_on_the_target_is_not_reported_but_for_what_its_users_miss() {
        let small = Sizes::from([("public.t".to_owned(), 10)]);
        assert_eq!(codes_of(&small, &observed()), ["1_a.up.sql:3 dropped"]);
    }
}
