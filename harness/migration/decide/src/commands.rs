//! Migrations of a tool that is known by its commands only: what its list tells, and the steps that its `up` takes.
//!
//! In: what `status` printed. Out: names with whether they are applied, and a [`Chain`] whose steps are commands.
// Source: dbmate, main.go `status`; diesel_cli, migrations `list`; sqlx-cli, migrate.rs `info`; goose, status.go;
// Knex, cli-config-utils list; TypeORM, MigrationExecutor `showMigrations`.

use super::{
    Chain, Finding, Kind, Migration, Script, Tool, codes,
    step::{Direction, Step},
    without_downs,
};

/// A migration as the tool lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What it is called there.
    pub name: String,
    /// Whether the database has it.
    pub is_applied: bool,
}

/// A list that no migration can be read from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`status` lists no migration; expected a line for each, such as `[ ] 001_orders` and `[X] 001_orders`, or `pending \
     001_orders` and `applied 001_orders`; found {found}"
)]
pub struct ListError {
    /// What it printed instead.
    found: String,
}

/// Reads a list of migrations, in the order in which the tool applies them. Other lines are passed over.
///
/// # Errors
/// [`ListError`] where no line tells of a migration.
pub fn listed(printed: &str) -> Result<Vec<Listed>, ListError> {
    let found: Vec<Listed> = match of_knex(printed) {
        found if found.is_empty() => printed.lines().filter_map(|line| one(line.trim())).collect(),
        found => found,
    };
    if found.is_empty() {
        let first = printed.lines().map(str::trim).find(|line| !line.is_empty());
        let found =
            first.map_or_else(|| "nothing".to_owned(), |line| format!("`{}`", stagegate_base::text::clean(line)));
        return Err(ListError { found });
    }
    Ok(found)
}

fn one(line: &str) -> Option<Listed> {
    let text_of = |name: &str, is_applied| {
        let name = name.trim();
        (!name.is_empty()).then(|| Listed { name: name.to_owned(), is_applied })
    };
    // dbmate, diesel.
    for (mark, is_applied) in [("[X]", true), ("[x]", true), ("[ ]", false)] {
        if let Some(name) = line.strip_prefix(mark) {
            return text_of(without_id(name.trim()), is_applied);
        }
    }
    for (word, is_applied) in [("applied ", true), ("pending ", false)] {
        if let Some(name) = line.strip_prefix(word).filter(|name| !name.trim().contains(' ')) {
            return text_of(name, is_applied);
        }
    }
    of_goose(line).or_else(|| of_sqlx(line))
}

/// Takes away the number of the row that TypeORM puts in front of the name of a class: `12 AddOrders1700000000000`.
fn without_id(name: &str) -> &str {
    let is_id = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once(' ').filter(|(id, class)| is_id(id) && !class.contains('.')).map_or(name, |(_, class)| class)
}

/// Reads `Found 1 Completed Migration file/files.` and `Found 1 Pending ..`, each with the files below it.
fn of_knex(printed: &str) -> Vec<Listed> {
    let (mut is_applied, mut found) = (None, Vec::new());
    for line in printed.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if line.contains(" Completed Migration file") {
            is_applied = Some(true);
        } else if line.contains(" Pending Migration file") {
            is_applied = Some(false);
        } else if let Some(is_applied) = is_applied.filter(|_| !line.contains(' ')) {
            found.push(Listed { name: line.to_owned(), is_applied });
        }
    }
    found
}

/// `Pending -- 002_b.sql`, `Sun Jan  6 11:25:03 2013 -- 001_a.sql`.
fn of_goose(line: &str) -> Option<Listed> {
    let (when, name) = line.split_once(" -- ")?;
    let last = when.split_whitespace().last()?;
    let is_year = last.len() == 4 && last.bytes().all(|byte| byte.is_ascii_digit());
    let is_step = name.ends_with(".sql") || name.ends_with(".go");
    (is_step && (is_year || last == "Pending"))
        .then(|| Listed { name: name.trim().to_owned(), is_applied: last != "Pending" })
}

/// `20240101/installed add orders`, `20240102/pending drop orders`.
fn of_sqlx(line: &str) -> Option<Listed> {
    let (version, rest) = line.split_once('/')?;
    if version.is_empty() || !version.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (state, name) = rest.split_once(' ').unwrap_or((rest, ""));
    let is_applied = match state {
        "installed" => true,
        "pending" => false,
        _ => return None,
    };
    let name = name.trim_start_matches("(different checksum)").trim().replace(' ', "_");
    let name = if name.is_empty() { version.to_owned() } else { format!("{version}_{name}") };
    Some(Listed { name, is_applied })
}

/// Returns a migration's version: what stands before the first `_` or `.`.
#[must_use]
pub fn version_of(name: &str) -> &str {
    name.split(['_', '.', ' ']).next().unwrap_or(name)
}

/// Makes the chain of steps: the names that each `up` applies. Without a command for the down migration there is none.
#[must_use]
pub fn of_steps(steps: &[Vec<String>], has_down: bool) -> Chain {
    let migration = |names: &Vec<String>| {
        let label = match names.as_slice() {
            [] => String::new(),
            [only] => only.clone(),
            [first, .., last] => format!("{first} .. {last}"),
        };
        let script = |direction| Script::of_step(&label, Step { names: names.clone(), direction });
        Migration {
            version: label.clone(),
            name: label.clone(),
            kind: Kind::Versioned,
            up: script(Direction::Up),
            down: has_down.then(|| script(Direction::Down)),
            checksum: None,
            recorded: None,
        }
    };
    let together = |names: &&Vec<String>| names.len() > 1;
    let text_of = |names: &Vec<String>| {
        let message = format!("one `up` command applied {} migrations: {}", names.len(), names.join(", "));
        Finding::new(&codes::SEVERAL_AT_ONCE, message).of(&migration(names).version)
    };
    let mut findings: Vec<Finding> = steps.iter().filter(together).map(text_of).collect();
    if !has_down && !steps.is_empty() {
        findings.push(without_downs(steps.len(), ": `down` is not set"));
    }
    Chain { tool: Tool::Command, migrations: steps.iter().map(migration).collect(), findings }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::dbmate("[X] 20151129_users.sql\n[ ] 20151130_posts.sql\n\nApplied: 1\nPending: 1\n")]
    #[case::diesel("Migrations:\n  [X] 20151129_users.sql\n  [ ] 20151130_posts.sql\n")]
    #[case::goose(
        "2026/01/07 19:34:45     Applied At                  Migration\n2026/01/07 19:34:45     ====\n\
         2026/01/07 19:34:45     Sun Jan  6 11:25:03 2026 -- 20151129_users.sql\n    Pending                  -- 20151130_posts.sql\n"
    )]
    #[case::sqlx("20151129/installed users.sql\n20151130/pending posts.sql\n")]
    #[case::sqlx_edited("20151129/installed (different checksum) users.sql\n20151130/pending posts.sql\n")]
    #[case::knex(
        "Using environment: production\nFound 1 Completed Migration file/files.\n20151129_users.sql \nFound 1 Pending Migration \
         file/files.\n20151130_posts.sql \n"
    )]
    #[case::own("applied 20151129_users.sql\npending 20151130_posts.sql\n")]
    fn a_list_is_read_as_its_tool_prints_it(#[case] printed: &str) {
        let of = |name: &str, is_applied| Listed { name: name.to_owned(), is_applied };
        assert_eq!(listed(printed).unwrap(), [of("20151129_users.sql", true), of("20151130_posts.sql", false)]);
    }

    #[test]
    fn the_row_of_typeorm_is_no_part_of_the_name() {
        let found = listed(" [X] 12 AddUsers1700000000000\n [ ] AddPosts1700000000001\n").unwrap();
        let names: Vec<&str> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["AddUsers1700000000000", "AddPosts1700000000001"]);
        assert_eq!(listed("[X] 12 old names.sql\n").unwrap()[0].name, "12 old names.sql");
    }

    #[test]
    fn a_list_that_reports_nothing_is_refused_with_what_it_states() {
        let error = listed("\nusage: migrate up\n").unwrap_err().to_string();
        assert!(error.contains("found `usage: migrate up`"), "{error}");
        assert!(listed("").unwrap_err().to_string().ends_with("found nothing"));
    }

    #[test]
    fn steps_become_a_chain_that_is_tried_on_copies() {
        let names = |all: &[&str]| all.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let chain = of_steps(&[names(&["1_a"]), names(&["2_b", "3_c", "4_d"])], true);
        assert_eq!(chain.migrations[1].label(), "2_b .. 4_d");
        assert!(matches!(chain.migrations[0].up.route(), crate::Route::Clone(_)));
        assert!(chain.migrations[0].usable_down().is_some());
        assert_eq!(chain.findings.iter().map(|f| &*f.code).collect::<Vec<_>>(), ["several-at-once"]);
        assert!(of_steps(&[names(&["1_a"])], false).migrations[0].down.is_none());
        assert_eq!(version_of("20240101_add.sql"), "20240101");
    }
}
