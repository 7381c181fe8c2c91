//! Keys and values that have a new name: the earlier one is still read, and a notice reports the new one.

use toml::Table;

/// What was renamed: a key, or one value of a key.
struct Renamed {
    /// The table, with `*` for any name.
    table: &'static [&'static str],
    /// The key as it is written in the file.
    key: &'static str,
    /// The value that was renamed; the key itself where `None`.
    value: Option<&'static str>,
    /// What to write instead.
    new: &'static str,
}

const ALL: [Renamed; 4] = [
    Renamed { table: &["gate"], key: "door", value: None, new: "ports" },
    Renamed { table: &["gate"], key: "cross_versions", value: Some("tell"), new: "cross_versions = \"report\"" },
    Renamed {
        table: &["services", "*"],
        key: "breaking_changes",
        value: Some("hold"),
        new: "breaking_changes = \"block\"",
    },
    Renamed { table: &["migrations", "*"], key: "books", value: None, new: "history_tables" },
];

/// Returns one notice for each earlier name in a configuration that was read without an error.
pub(super) fn notices(text: &str) -> Vec<String> {
    let Ok(whole) = toml::from_str::<Table>(text) else { return Vec::new() };
    ALL.iter()
        .flat_map(|renamed| tables(&whole, renamed.table, "").into_iter().filter_map(|at| notice(renamed, &at)))
        .collect()
}

/// Lists the tables that a pattern names, each with its name in the file.
fn tables<'a>(within: &'a Table, pattern: &[&str], name: &str) -> Vec<(String, &'a Table)> {
    let Some((first, rest)) = pattern.split_first() else { return vec![(name.to_owned(), within)] };
    let inner = within.iter().filter(|(key, _)| *first == "*" || key == first);
    inner
        .filter_map(|(key, value)| Some((key, value.as_table()?)))
        .flat_map(|(key, table)| {
            let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            tables(table, rest, &name)
        })
        .collect()
}

fn notice(renamed: &Renamed, (name, table): &(String, &Table)) -> Option<String> {
    let Renamed { key, new, .. } = renamed;
    let found = table.get(*key)?;
    match renamed.value {
        None => Some(format!("[{name}] `{key}` is now `{new}`; the earlier name is still read")),
        Some(value) if found.as_str() == Some(value) => {
            Some(format!("[{name}] {key} = \"{value}\" is now {new}; the earlier value is still read"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::{BreakingChanges, Config, CrossVersions, PortsMode};

    const NOW: &str = "[project]\nname = \"shop\"\n[services.api]\nport = 80\nbreaking_changes = \"block\"\n\
        [databases.main]\nservice = \"db\"\nname = \"shop\"\n\
        [migrations.main]\nup = [\"u\"]\nstatus = [\"s\"]\nhistory_tables = [\"ledger\"]\n\
        [gate]\nports = \"open\"\ncross_versions = \"report\"\n";

    fn config(text: &str) -> Config {
        Config::parse(Path::new("/srv/stagegate.toml"), text).unwrap()
    }

    #[test]
    fn an_earlier_name_reads_as_the_new_one_and_a_notice_names_both() {
        let before = NOW
            .replace("\"block\"", "\"hold\"")
            .replace("history_tables", "books")
            .replace("ports =", "door =")
            .replace("\"report\"", "\"tell\"");
        let (now, before) = (config(NOW), config(&before));
        assert!(now.notices.is_empty(), "{:?}", now.notices);
        assert_eq!(Config { notices: Vec::new(), ..before.clone() }, now);
        assert_eq!((now.gate.door, now.gate.cross_versions), (PortsMode::Open, CrossVersions::Tell));
        assert_eq!(now.services["api"].breaking_changes, BreakingChanges::Hold);
        assert_eq!(now.migrations["main"].commands.as_ref().unwrap().history_tables, ["ledger"]);
        assert_eq!(
            before.notices,
            [
                "[gate] `door` is now `ports`; the earlier name is still read",
                "[gate] cross_versions = \"tell\" is now cross_versions = \"report\"; the earlier value is still read",
                "[services.api] breaking_changes = \"hold\" is now breaking_changes = \"block\"; the earlier value is still read",
                "[migrations.main] `books` is now `history_tables`; the earlier name is still read",
            ]
        );
    }
}
