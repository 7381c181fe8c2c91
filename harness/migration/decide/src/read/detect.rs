//! Reports the tool of a folder by the names and marks of its files.

use super::{
    super::{Tool, Trait, split},
    File, dbmate, drizzle, flyway, goose,
    marks::Form,
    name::{digits, is_rollback},
    prisma, refinery,
};

/// Returns the first tool whose marks are seen; marks inside of files weigh more than names.
pub(super) fn configured_tool(files: &[&File]) -> Option<Tool> {
    if files.iter().any(|file| file.name() == "sqitch.plan") {
        return Some(Tool::Sqitch);
    }
    if let Some(tool) = of_typescript(files) {
        return Some(tool);
    }
    let top: Vec<&File> = files.iter().copied().filter(|file| file.is_at_top() && file.is_sql()).collect();
    let marked = |is_marked: fn(&str) -> bool| top.iter().filter(|file| is_marked(&file.text())).count();
    let numbered = top.iter().filter(|file| !digits(file.name()).0.is_empty()).count();
    let (goose, dbmate) = (marked(goose::is_marked), marked(dbmate::is_marked));
    if goose + dbmate > 0 && (goose + dbmate) * 2 >= numbered {
        return Some(if goose >= dbmate { Tool::Goose } else { Tool::Dbmate });
    }
    if Form::of_folder(files).is_some_and(|form| form.is_of_most(files)) {
        return Some(Tool::Plain);
    }
    if files.iter().any(|file| file.path.split('/').count() == 2 && file.name() == "up.sql") && numbered < 2 {
        return Some(Tool::Diesel);
    }
    let lettered = files.iter().any(|file| flyway::named(file.name()).is_some());
    match () {
        () if lettered && numbered == 0 => Some(flyway_or_refinery(files)),
        () if numbered > 0 => Some(of_pairs(&top)),
        () if !top.is_empty() => Some(Tool::Plain),
        () => None,
    }
}

/// Prisma and Drizzle name their scripts alike; a journal or snapshots tell Drizzle.
fn of_typescript(files: &[&File]) -> Option<Tool> {
    let is_there = |name: &str| files.iter().any(|file| file.name() == name);
    match () {
        () if files.iter().any(|file| drizzle::is_journal(file)) => Some(Tool::Drizzle),
        () if !is_there("migration.sql") => None,
        () if is_there(drizzle::SNAPSHOT) && !is_there(prisma::LOCK) => Some(Tool::Drizzle),
        () => Some(Tool::Prisma),
    }
}

/// refinery takes one number as the version, knows no `R`, and reads modules of Rust.
fn flyway_or_refinery(files: &[&File]) -> Tool {
    let rust = files.iter().any(|file| file.name().ends_with(".rs"));
    let named = |file: &&&File| file.is_sql() && flyway::named(file.name()).is_some();
    let all_known = files.iter().filter(named).all(|file| refinery::named(file.name()).is_some());
    let has_undo = files.iter().any(|file| {
        flyway::named(file.name()).is_some_and(|found| {
            let up = format!("V{}__", found.version);
            found.prefix == 'U' && files.iter().any(|other| other.name().starts_with(&up))
        })
    });
    if rust && all_known && !has_undo { Tool::Refinery } else { Tool::Flyway }
}

/// `1_a.up.sql` may be of sqlx, of golang-migrate, or of a script: own transactions tell golang-migrate, whose sequence
/// has six digits; fourteen digits are sqlx's. One odd name among many changes nothing.
fn of_pairs(top: &[&File]) -> Tool {
    let directed = top.iter().any(|file| file.name().ends_with(".up.sql") || file.name().ends_with(".down.sql"));
    let numbered: Vec<&&File> = top.iter().filter(|file| !digits(file.name()).0.is_empty()).collect();
    let marked = numbered.iter().any(|file| file.bytes.starts_with(b"-- no-transaction"));
    let most = |length: usize| {
        let count = numbered.iter().filter(|file| digits(file.name()).0.len() == length).count();
        count * 10 >= numbered.len() * 9
    };
    let begins = |file: &&&File| {
        let found = split::statements(&file.text(), 1);
        found.iter().any(|statement| statement.traits.contains(&Trait::TransactionControl))
    };
    let underscored = numbered.iter().all(|file| digits(file.name()).1.starts_with('_'));
    match () {
        () if !underscored || !directed && top.iter().any(|file| is_rollback(file.name())) => Tool::Plain,
        () if marked => Tool::Sqlx,
        () if directed && (most(6) || numbered.iter().any(begins)) => Tool::GolangMigrate,
        () if most(14) => Tool::Sqlx,
        () => Tool::Plain,
    }
}

/// Returns what a folder holds, for an error: `3 files: a.txt, b.txt, c.txt`.
pub(super) fn shown(files: &[&File]) -> String {
    let some: Vec<&str> = files.iter().take(3).map(|file| file.path.as_str()).collect();
    match files.len() {
        0 => "it is empty".to_owned(),
        1 => format!("1 file: {}", some.join(", ")),
        n => format!("{n} files: {}{}", some.join(", "), if n > 3 { " .." } else { "" }),
    }
}
