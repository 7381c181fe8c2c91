//! The rules as people write them in `stagegate-sanitize.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::paths::Path;

/// What becomes of a column's values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// They stay, for a reason that somebody wrote down.
    Keep,
    /// Nothing.
    Null,
    /// One value for all, as SQL reads it from text.
    Fixed(String),
    /// Test addresses.
    Email,
    /// Numbers of the 555-01xx kind.
    Phone,
    /// Test users.
    Name,
    /// Test streets.
    Address,
    /// Words that say nothing, about as many.
    Text,
    /// A hash; of a number another number.
    Hash,
    /// Another UUID.
    Uuid,
    /// Another number with as many digits.
    Number,
    /// Another day, all by the same number of days.
    DateShift,
    /// Rules for parts of a JSON document.
    JsonPath(Vec<(Path, Rule)>),
    /// An SQL expression over the row.
    Sql(String),
}

impl Rule {
    /// Returns the rule's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Rule::Keep => "keep",
            Rule::Null => "null",
            Rule::Fixed(_) => "fixed",
            Rule::Email => "email",
            Rule::Phone => "phone",
            Rule::Name => "name",
            Rule::Address => "address",
            Rule::Text => "text",
            Rule::Hash => "hash",
            Rule::Uuid => "uuid",
            Rule::Number => "number",
            Rule::DateShift => "date-shift",
            Rule::JsonPath(_) => "json-path",
            Rule::Sql(_) => "sql",
        }
    }
}

/// The rules that need nothing but their name; parts of JSON documents take no others.
pub(super) const SIMPLE: [Rule; 10] = [
    Rule::Null,
    Rule::Email,
    Rule::Phone,
    Rule::Name,
    Rule::Address,
    Rule::Text,
    Rule::Hash,
    Rule::Uuid,
    Rule::Number,
    Rule::DateShift,
];

/// The rules that need a key of their table.
pub(super) const NEEDS: [(&str, &str); 4] =
    [("keep", "reason"), ("fixed", "value"), ("json-path", "paths"), ("sql", "expression")];

/// What becomes of a column of free text that has no rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// Nothing is copied.
    #[default]
    Refuse,
    /// Its values stay.
    Keep,
}

/// The rules of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// What becomes of columns without a rule.
    pub unknown: Unknown,
    /// Whether columns whose names speak for themselves need no rule.
    pub has_profile: bool,
    /// Whether large objects may be copied as they are.
    pub keeps_large_objects: bool,
    /// Columns of the copy (`schema.table.column`) that are not searched for values of the source.
    pub not_searched: Vec<String>,
    /// By `schema.table`, then column.
    pub tables: BTreeMap<String, BTreeMap<String, Rule>>,
}

/// Why a file of rules cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    /// It is not TOML, or has keys that do not exist.
    #[error("not a file of sanitisation rules")]
    Toml(#[from] toml::de::Error),
    /// A rule is not complete, or not one.
    #[error("{table}.{column}: {reason}")]
    Rule {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What is wrong and what is expected.
        reason: String,
    },
}

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRules {
    #[serde(default)]
    unknown: Unknown,
    #[serde(default)]
    profile: Profile,
    #[serde(default)]
    large_objects: Unknown,
    #[serde(default)]
    not_searched: Vec<String>,
    #[serde(default)]
    databases: BTreeMap<String, BTreeMap<String, BTreeMap<String, RawRule>>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Profile {
    #[default]
    Default,
    None,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "the name of a rule, or a table with `rule`")]
enum RawRule {
    Name(String),
    Table(RawTable),
}

/// A rule that needs more than its name.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawTable {
    rule: String,
    value: Option<String>,
    expression: Option<String>,
    reason: Option<String>,
    paths: Option<BTreeMap<String, String>>,
}

impl Rules {
    /// Reads the rules of the database `id` from the file's text.
    ///
    /// # Errors
    /// [`RulesError`] with the column and what is expected.
    pub fn parse(text: &str, id: &str) -> Result<Self, RulesError> {
        let raw: RawRules = toml::from_str(text)?;
        let mut tables = BTreeMap::new();
        for (table, columns) in raw.databases.into_iter().filter(|(name, _)| name == id).flat_map(|(_, tables)| tables)
        {
            let mut rules = BTreeMap::new();
            for (column, raw) in columns {
                let rule = read(&raw).map_err(|reason| RulesError::Rule {
                    table: table.clone(),
                    column: column.clone(),
                    reason,
                })?;
                rules.insert(column, rule);
            }
            tables.insert(table, rules);
        }
        Ok(Rules {
            unknown: raw.unknown,
            has_profile: matches!(raw.profile, Profile::Default),
            keeps_large_objects: raw.large_objects == Unknown::Keep,
            not_searched: raw.not_searched,
            tables,
        })
    }

    /// Returns the rules of a file that does not exist: the profile alone.
    #[must_use]
    pub fn of_no_file() -> Self {
        Rules { has_profile: true, ..Rules::default() }
    }
}

fn read(raw: &RawRule) -> Result<Rule, String> {
    let table = match raw {
        RawRule::Name(name) => &RawTable { rule: name.clone(), ..RawTable::default() },
        RawRule::Table(table) => table,
    };
    let needs = |value: &Option<String>, key: &str| {
        value
            .clone()
            .ok_or_else(|| format!("rule `{}` needs `{key}`: {{ rule = \"{0}\", {key} = \"..\" }}", table.rule))
    };
    match table.rule.as_str() {
        "keep" => match &table.reason {
            Some(reason) if !reason.trim().is_empty() => Ok(Rule::Keep),
            _ => Err("rule `keep` needs `reason`: { rule = \"keep\", reason = \"product texts\" }".to_owned()),
        },
        "fixed" => needs(&table.value, "value").map(Rule::Fixed),
        "sql" => needs(&table.expression, "expression").map(Rule::Sql),
        "json-path" => {
            let paths = table.paths.iter().flatten();
            let one = |(path, rule): (&String, &String)| {
                Ok((Path::parse(path).map_err(|error| error.to_string())?, simple(rule)?))
            };
            let paths: Result<Vec<(Path, Rule)>, String> = paths.map(one).collect();
            match paths {
                Ok(paths) if paths.is_empty() => {
                    Err("rule `json-path` needs `paths`: { rule = \"json-path\", paths = { \"$.email\" = \"email\" } }"
                        .to_owned())
                }
                paths => paths.map(Rule::JsonPath),
            }
        }
        name => simple(name),
    }
}

fn simple(name: &str) -> Result<Rule, String> {
    let found = SIMPLE.iter().find(|rule| rule.name() == name);
    found.cloned().ok_or_else(|| format!("no rule `{name}`; rules are {}", names().join(", ")))
}

/// Returns the names of all rules.
pub(super) fn names() -> Vec<&'static str> {
    SIMPLE.iter().map(Rule::name).chain(NEEDS.iter().map(|(rule, _)| *rule)).collect()
}
