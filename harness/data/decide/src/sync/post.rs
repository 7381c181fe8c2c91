//! What is built once the rows are there: indexes and keys side by side, foreign keys, and all that may run code last.
//!
//! In: the section `post-data` of a dump as SQL. Out: the same statements, each with what it builds and on which table.
//! Invariant: each statement of the script is in exactly one phase, and those of one table keep their order.

use stagegate_migration_decide::statements;

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Builds {
    /// An index, primary, unique or exclusion key of a table.
    Index,
    /// A foreign key that can be added without reading rows, and validated later.
    ForeignKey { name: String },
    /// An event trigger: from then on user code runs at each statement.
    EventTrigger,
    /// Anything else.
    Other,
}

/// A statement of the section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostStatement {
    /// The statement, with the tablespace that it needs in front.
    pub sql: String,
    /// The table as the script writes it, where it builds on one.
    pub table: String,
    builds: Builds,
}

/// The section, in phases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Post {
    /// What every session sets first.
    pub settings: String,
    /// All statements, in the script's order.
    pub statements: Vec<PostStatement>,
}

impl Post {
    /// Reads the script that `pg_restore` writes of the section.
    #[must_use]
    pub fn read(script: &str) -> Self {
        // `\restrict KEY` is a command of psql; nothing else of the script is.
        let is_sql = |line: &&str| !line.starts_with("\\restrict ") && !line.starts_with("\\unrestrict ");
        let lines: Vec<&str> = script.lines().collect();
        let edge = |at: usize| at < 20 || at + 20 > lines.len();
        let kept = lines.iter().enumerate().filter(|(at, line)| !edge(*at) || is_sql(line)).map(|(_, line)| *line);
        let text = kept.collect::<Vec<_>>().join("\n");
        let mut post = Post::default();
        let mut tablespace = String::new();
        for statement in statements(&text, 1) {
            let sql = &text[statement.range.clone()];
            let words = Words::new(sql);
            match () {
                () if words.begins(&["set", "default_tablespace"]) => {
                    tablespace = if sql.trim_end().ends_with("''") { String::new() } else { format!("{sql};\n") };
                }
                () if words.begins(&["set"]) || sql.starts_with("SELECT pg_catalog.set_config(") => {
                    post.settings.push_str(sql);
                    post.settings.push_str(";\n");
                }
                () => post.statements.push(read(&words, sql, &tablespace)),
            }
        }
        post
    }

    /// Returns the places of what can be built side by side, as lists of one family of tables each; `family` names the
    /// family of a table as the script writes it.
    #[must_use]
    pub fn side_by_side(&self, family: impl Fn(&str) -> String) -> Vec<Vec<usize>> {
        let mut groups: Vec<(String, Vec<usize>)> = Vec::new();
        for (at, statement) in self.statements.iter().enumerate().filter(|(_, one)| one.builds == Builds::Index) {
            let name = family(&statement.table);
            match groups.iter_mut().find(|(other, _)| *other == name) {
                Some((_, places)) => places.push(at),
                None => groups.push((name, vec![at])),
            }
        }
        groups.into_iter().map(|(_, places)| places).collect()
    }

    /// Returns the places of what is run in order after the indexes, foreign keys without their validation included.
    #[must_use]
    pub fn in_order(&self) -> Vec<usize> {
        self.places(|builds| matches!(builds, Builds::Other | Builds::ForeignKey { .. }))
    }

    /// Returns the places of what is run at the very end.
    #[must_use]
    pub fn last(&self) -> Vec<usize> {
        self.places(|builds| *builds == Builds::EventTrigger)
    }

    fn places(&self, wanted: impl Fn(&Builds) -> bool) -> Vec<usize> {
        self.statements.iter().enumerate().filter(|(_, one)| wanted(&one.builds)).map(|(at, _)| at).collect()
    }

    /// Returns the statements that validate foreign keys, as lists of one table each.
    #[must_use]
    pub fn validations(&self) -> Vec<Vec<String>> {
        let mut groups: Vec<(&str, Vec<String>)> = Vec::new();
        for statement in &self.statements {
            let Builds::ForeignKey { name } = &statement.builds else { continue };
            let sql = format!("alter table only {} validate constraint {name}", statement.table);
            match groups.iter_mut().find(|(table, _)| *table == statement.table) {
                Some((_, all)) => all.push(sql),
                None => groups.push((&statement.table, vec![sql])),
            }
        }
        groups.into_iter().map(|(_, all)| all).collect()
    }
}

fn read(words: &Words<'_>, sql: &str, tablespace: &str) -> PostStatement {
    let (builds, table) = kind(words);
    let ending = if matches!(builds, Builds::ForeignKey { .. }) { " NOT VALID" } else { "" };
    PostStatement { sql: format!("{tablespace}{sql}{ending}"), table, builds }
}

fn kind(words: &Words<'_>) -> (Builds, String) {
    if words.begins(&["create", "event", "trigger"])
        || words.begins(&["alter", "event", "trigger"])
        || words.begins(&["comment", "on", "event", "trigger"])
    {
        return (Builds::EventTrigger, String::new());
    }
    for beginning in [&["create", "index"][..], &["create", "unique", "index"]] {
        if words.begins(beginning) {
            // CREATE INDEX name ON [ONLY] table USING ..
            let at = beginning.len() + 1;
            let at = if words.is(at, "on") { at + 1 } else { return (Builds::Other, String::new()) };
            let at = if words.is(at, "only") { at + 1 } else { at };
            return (Builds::Index, words.at(at));
        }
    }
    // ALTER TABLE [ONLY] table ADD CONSTRAINT name PRIMARY KEY ..
    let only = words.begins(&["alter", "table", "only"]);
    let at = if only { 3 } else { 2 };
    if words.begins(&["alter", "table"]) && words.is(at + 1, "add") && words.is(at + 2, "constraint") {
        let (table, name) = (words.at(at), words.at(at + 3));
        if words.is(at + 4, "primary") || words.is(at + 4, "unique") || words.is(at + 4, "exclude") {
            return (Builds::Index, table);
        }
        // A partitioned table takes no foreign key that is not validated, and is written without ONLY.
        // PostgreSQL 18 has keys that are never checked.
        if words.is(at + 4, "foreign") && only && !words.ends_not_valid() && !words.ends_not_enforced() {
            return (Builds::ForeignKey { name }, table);
        }
    }
    (Builds::Other, String::new())
}

/// The first words of a statement; a name with its schema and quotes is one.
struct Words<'a> {
    words: Vec<&'a str>,
    text: &'a str,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        let (mut words, mut rest) = (Vec::new(), text);
        while words.len() < 10 {
            rest = rest.trim_start();
            let end = word_end(rest);
            if end == 0 {
                break;
            }
            words.push(&rest[..end]);
            rest = &rest[end..];
        }
        Words { words, text }
    }

    fn is(&self, at: usize, word: &str) -> bool {
        self.words.get(at).is_some_and(|found| found.eq_ignore_ascii_case(word))
    }

    fn begins(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| self.is(at, word))
    }

    fn at(&self, at: usize) -> String {
        self.words.get(at).copied().unwrap_or_default().to_owned()
    }

    fn ends_not_valid(&self) -> bool {
        self.ends(" NOT VALID")
    }

    fn ends_not_enforced(&self) -> bool {
        self.ends(" NOT ENFORCED")
    }

    fn ends(&self, words: &str) -> bool {
        self.text.trim_end().trim_end_matches(';').to_ascii_uppercase().ends_with(words)
    }
}

/// Returns where the first word ends, which is a run of name characters, dots and quoted parts.
fn word_end(text: &str) -> usize {
    let mut in_quotes = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' => in_quotes = !in_quotes,
            _ if in_quotes || c.is_alphanumeric() || "_.$".contains(c) => {}
            _ => return at,
        }
    }
    text.len()
}
