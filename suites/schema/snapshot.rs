//! Is a database's schema the one that was committed as its snapshot?

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stagegate_base::{
    config::{Config, Database},
    record::{Evidence, Outcome},
    text,
};
use stagegate_host::database::Server;
use stagegate_migration_decide::schema::{
    Facts, Severity, Sides, diff, not_compared, parse, snapshot_path, summary, terminal,
};

use super::findings::{FINDINGS, findings};
use crate::{
    session::Session,
    trial::{Effect, Trial},
};

/// Asks where there is a snapshot; where there is none nothing was agreed on.
pub(super) fn trial(config: &Config, database: &Database) -> Option<Trial> {
    let path = snapshot_path(config.snapshots(), &database.id);
    let database = database.clone();
    path.is_file().then(|| {
        Trial::new("schema", &database.id.clone(), "snapshot", Effect::Reads, move |session| {
            check(session, database.clone(), path.clone())
        })
    })
}

async fn check(session: Arc<Session>, database: Database, path: PathBuf) -> Outcome {
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Outcome::Broken(format!("cannot read {}: {error}", path.display())),
    };
    let expected = match parse(&text) {
        Ok(expected) => expected,
        Err(error) => return Outcome::Broken(format!("{}: {error}", path.display())),
    };
    let read = async {
        let server = Server::of(&session.project, &session.engine, &database, "stagegate/schema").await?;
        stagegate_migration_act::catalog::schema_of(&server, &database.name).await
    };
    match read.await {
        Ok(found) => outcome(&session.project.environment.name, &path, &expected, &found),
        Err(error) => Outcome::Broken(error.to_string()),
    }
}

/// Compares; comments and the like alone do not fail.
///
/// Objects that are not modelled fail where the snapshot has none of their catalog: to accept it is to know of them.
/// Their number is not compared, since large objects are data. An unknown option of a column or a table does not fail:
/// it may be the server's own, and come with its next minor release.
fn outcome(environment: &str, path: &Path, expected: &Facts, found: &Facts) -> Outcome {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let differences = diff(expected, found);
    if differences.iter().all(|difference| difference.severity != Severity::Semantic) {
        return match found.unmodelled_objects().find(|(what, _)| !expected.unmodelled().contains_key(*what)) {
            Some((what, count)) => Outcome::Fail {
                message: format!("{}, and {name} does not list them", not_compared(what, count)),
                findings: Vec::new(),
                evidence: Vec::new(),
                hint: Some(format!(
                    "if they are intended, run `gate schema accept --env {environment}` and commit the file"
                )),
            },
            None => Outcome::Pass(format!("{}, {}", text::counted(found.len(), "fact"), summary(&differences))),
        };
    }
    let sides = Sides { old: name.clone(), new: environment.to_owned() };
    Outcome::Fail {
        message: format!("the schema differs from {name}: {}", summary(&differences)),
        findings: differences.iter().take(FINDINGS).flat_map(findings).collect(),
        evidence: vec![Evidence { name: "differences".to_owned(), text: terminal(&sides, &differences) }],
        hint: Some(format!(
            "if the change is intended, run `gate schema accept --env {environment}` and commit the file"
        )),
    }
}

#[cfg(test)]
mod tests {
    use stagegate_base::finding::Finding;

    use super::*;

    const SNAPSHOT: &str = "# schema snapshot of stagegate, format 1\n[table public.orders]\n  \
        [column public.orders.id]\n    type: bigint\n  [comment table public.orders]\n    text: what was sold\n";

    fn outcome_of(found: &str) -> Outcome {
        outcome("staging", Path::new("/x/main.txt"), &parse(SNAPSHOT).unwrap(), &parse(found).unwrap())
    }

    #[test]
    fn another_type_fails_with_both_sides() {
        let Outcome::Fail { message, findings, .. } = outcome_of(&SNAPSHOT.replace("bigint", "integer")) else {
            panic!("it passed")
        };
        assert_eq!(message, "the schema differs from main.txt: 1 difference: 1 semantic");
        let want = Finding::differs("column public.orders.id, type", "bigint", "integer");
        assert_eq!(findings, [want]);
    }

    #[test]
    fn the_same_schema_and_another_comment_pass() {
        assert!(matches!(outcome_of(SNAPSHOT), Outcome::Pass(_)));
        assert!(matches!(outcome_of(&SNAPSHOT.replace("sold", "bought")), Outcome::Pass(_)));
    }

    #[test]
    fn an_object_that_is_not_modelled_fails() {
        let head = "# schema snapshot of stagegate, format 1\n";
        let found = SNAPSHOT.replace(head, &format!("{head}# not modelled: pg_new 2\n"));
        assert!(matches!(outcome_of(&found), Outcome::Fail { .. }));
    }

    #[test]
    fn an_option_that_the_server_brought_passes() {
        let found = SNAPSHOT.replace("type: bigint\n", "type: bigint\n    options: pg_attver=26576736, pg_future=1\n");
        assert!(matches!(outcome_of(&found), Outcome::Pass(_)));
    }
}
