//! Tools whose folders are plain ones but for their marks: sql-migrate, node-pg-migrate, shmig and tern keep both directions in
//! one file, and Atlas names the transaction there. Others, which cannot be read, are known by their marks alone.
// Source: sql-migrate sqlparse/sqlparse.go; node-pg-migrate src/sqlMigration.ts; shmig's README and its awk program; tern
// migrate/migrate.go; Atlas sql/migrate/dir.go (directives). None of them was run here.

use std::ops::Range;

use super::{
    super::{Script, Tool, Transaction, codes, script::Sending},
    File, Reading,
    name::is_directed,
};

/// A tool with marks in a folder of plain names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    SqlMigrate,
    NodePgMigrate,
    Shmig,
    Tern,
    Atlas,
}

/// Those with both directions in one file.
const BOTH: [Form; 4] = [Form::SqlMigrate, Form::NodePgMigrate, Form::Shmig, Form::Tern];

/// A mark: where its line begins and ends, its number from 1, and what follows it on the line.
struct Mark<'a> {
    range: Range<usize>,
    line: usize,
    options: &'a str,
}

/// Both directions of a file.
pub(super) struct Sections {
    pub(super) up: Script,
    pub(super) down: Option<Script>,
}

impl Form {
    pub(super) fn name(self) -> &'static str {
        match self {
            Form::SqlMigrate => "sql-migrate",
            Form::NodePgMigrate => "node-pg-migrate",
            Form::Shmig => "shmig",
            Form::Tern => "tern",
            Form::Atlas => "atlas",
        }
    }

    /// Returns whether psql runs its scripts, commands of psql included.
    pub(super) fn is_by_psql(self) -> bool {
        self == Form::Shmig
    }

    /// Returns the form of a folder: the one of most files; Atlas writes other tools' forms as well, so its own is the last.
    pub(super) fn of_folder(files: &[&File]) -> Option<Self> {
        let count = |form: Form| scripts(files).filter(|file| form.is_marked(&file.text())).count();
        let (most, form) = BOTH.into_iter().map(|form| (count(form), form)).max_by_key(|(count, _)| *count)?;
        let is_directed = files.iter().any(|file| file.is_at_top() && is_directed(file.name()));
        let has_sum = files.iter().any(|file| file.path == "atlas.sum");
        match most {
            0 => (has_sum && !is_directed).then_some(Form::Atlas),
            _ => Some(form),
        }
    }

    /// Returns whether at least half of the scripts are written in it: one odd comment among many changes nothing.
    pub(super) fn is_of_most(self, files: &[&File]) -> bool {
        let marked = scripts(files).filter(|file| self.is_marked(&file.text())).count();
        self == Form::Atlas || marked * 2 >= scripts(files).count()
    }

    /// Returns whether a text has both directions in this form.
    fn is_marked(self, text: &str) -> bool {
        match self {
            Form::SqlMigrate => {
                text.lines().any(|line| words_of_sql_migrate(line, "up", str::eq_ignore_ascii_case).is_some())
            }
            Form::NodePgMigrate | Form::Shmig => self.up(text).is_some() && self.down(text).is_some(),
            Form::Tern => self.down(text).is_some(),
            Form::Atlas => false,
        }
    }

    fn up(self, text: &str) -> Option<Mark<'_>> {
        mark(text, |line| match self {
            Form::SqlMigrate => words_of_sql_migrate(line, "Up", str::eq),
            Form::NodePgMigrate => phrase_of_node(line, "up"),
            Form::Shmig => title_of_shmig(line, "UP"),
            Form::Tern | Form::Atlas => None,
        })
    }

    fn down(self, text: &str) -> Option<Mark<'_>> {
        mark(text, |line| match self {
            Form::SqlMigrate => words_of_sql_migrate(line, "Down", str::eq),
            Form::NodePgMigrate => phrase_of_node(line, "down"),
            Form::Shmig => title_of_shmig(line, "DOWN"),
            Form::Tern => (line.trim_end() == "---- create above / drop below ----").then_some(""),
            Form::Atlas => None,
        })
    }

    /// Cuts a file into its directions; a file without marks is an up migration alone.
    pub(super) fn sections(self, reading: &mut Reading<'_>, file: &File) -> Sections {
        let text = file.text();
        let (up, down) = (self.up(&text), self.down(&text));
        if self == Form::SqlMigrate && up.is_none() {
            reading.report(&codes::BAD_ANNOTATION, file, 1, "expected a line `-- +migrate Up`, found none");
        }
        let end_of = |own: usize, other: Option<&Mark<'_>>| match other {
            Some(other) if other.range.start > own => other.range.start,
            _ => text.len(),
        };
        let (start, line, options) = match &up {
            Some(up) => (up.range.start, up.line, up.options),
            None => (0, 1, ""),
        };
        let script = |range: Range<usize>, line: usize, options: &str| {
            let text = &text[range];
            let (transaction, sending) = self.running(text, options);
            Script::new(&file.path, line, text, transaction, sending)
        };
        let mut up_script = script(start..end_of(start, down.as_ref()), line, options);
        let mut down_script = down.as_ref().map(|down| {
            // tern's line is no comment of one direction but the border of both.
            let start = if self == Form::Tern { down.range.end } else { down.range.start };
            let line = if self == Form::Tern { down.line + 1 } else { down.line };
            script(start..end_of(start, up.as_ref()), line, down.options)
        });
        if let Some(at) = text.find("{{").filter(|_| self == Form::Tern) {
            let line = text[..at].matches('\n').count() + 1;
            reading.report(&codes::PLACEHOLDER, file, line, "a template `{{..}}`, which tern fills in from its data");
            for script in std::iter::once(&mut up_script).chain(&mut down_script) {
                if script.statements.iter().any(|statement| script.text_of(statement).contains("{{")) {
                    script.foreign = Some("a template of tern's, and no script stands in for it".to_owned());
                }
            }
        }
        Sections { up: up_script, down: down_script }
    }

    /// Returns what the tool does about a transaction, and how it cuts a section.
    fn running(self, text: &str, options: &str) -> (Transaction, Sending) {
        let has_line = |wanted: &str| text.lines().any(|line| line.trim() == wanted);
        let is_bare = match self {
            Form::SqlMigrate => options.split_whitespace().any(|option| option == "notransaction"),
            Form::NodePgMigrate => false,
            // shmig's template has BEGIN and COMMIT of its own in each section.
            Form::Shmig => true,
            Form::Tern => has_line("---- tern: disable-tx ----"),
            Form::Atlas => has_line("-- atlas:txmode none"),
        };
        match (self, is_bare) {
            (_, true) => (Transaction::Bare, Sending::Each),
            (Form::NodePgMigrate | Form::Tern, false) => (Transaction::Wrapped, Sending::Whole),
            _ => (Transaction::Wrapped, Sending::Each),
        }
    }
}

/// Returns the form in which a text read as `tool` is annotated.
pub(super) fn other_form(tool: Tool, text: &str) -> Option<&'static str> {
    BOTH.into_iter().find(|form| tool != Tool::Plain && form.is_marked(text)).map(Form::name)
}

/// Returns a tool whose files cannot be read here: one that keeps migrations in an order or with parts that only it knows.
// Source: graphile-migrate's README (`--! Previous`, `current.sql`); Liquibase, "formatted SQL changelogs".
pub(super) fn unreadable(files: &[&File]) -> Option<&'static str> {
    let sql = || files.iter().filter(|file| file.is_sql());
    let begins = |file: &File, mark: &str| first_line(&file.text()).starts_with(mark);
    if sql().any(|file| begins(file, "--! Previous:")) || is_graphile_folder(files) {
        return Some("graphile-migrate");
    }
    let is_liquibase = |file: &File| {
        let head: String = first_line(&file.text()).to_lowercase().split_whitespace().collect();
        head.starts_with("--liquibaseformattedsql")
    };
    let rolls_back = |line: &str| {
        let line = line.trim_start().to_lowercase();
        let comment = line.strip_prefix("--").or_else(|| line.strip_prefix("/*")).map(str::trim_start);
        comment.is_some_and(|rest| rest.starts_with("rollback") || rest.starts_with("liquibase rollback"))
    };
    sql().any(|file| is_liquibase(file) && file.text().lines().any(rolls_back)).then_some("Liquibase")
}

fn is_graphile_folder(files: &[&File]) -> bool {
    let has = |path: &str| files.iter().any(|file| file.path == path);
    has("current.sql") && files.iter().any(|file| file.folder() == "committed")
}

fn first_line(text: &str) -> &str {
    text.trim_start_matches('\u{feff}').lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

/// The scripts whose names state no direction.
fn scripts<'a>(files: &'a [&'a File]) -> impl Iterator<Item = &'a File> {
    files.iter().copied().filter(|file| file.is_at_top() && file.is_sql() && !is_directed(file.name()))
}

/// Finds the first line that `options_of` takes for its mark.
fn mark<'a>(text: &'a str, options_of: impl Fn(&'a str) -> Option<&'a str>) -> Option<Mark<'a>> {
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        if let Some(options) = options_of(line) {
            return Some(Mark { range: at..at + line.len(), line: index + 1, options });
        }
        at += line.len();
    }
    None
}

/// Returns what follows `-- +migrate Up` on a line; the tool takes the words as they are written here, and no blank in front.
fn words_of_sql_migrate<'a>(line: &'a str, word: &str, is_same: fn(&str, &str) -> bool) -> Option<&'a str> {
    let rest = line.trim_start_matches('\u{feff}').strip_prefix("-- +migrate ")?.trim();
    let (first, options) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    is_same(first, word).then_some(options)
}

/// Returns what follows `-- Up Migration`, in any case and with any number of dashes and blanks.
fn phrase_of_node<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix("--")?.trim_start_matches(|c: char| c == '-' || c.is_whitespace());
    let direction = rest.get(..word.len()).filter(|found| found.eq_ignore_ascii_case(word))?;
    let rest = &rest[direction.len()..];
    let noun = rest.trim_start();
    let is_apart = noun.len() < rest.len();
    let end = noun.get(.."migration".len()).is_some_and(|found| found.eq_ignore_ascii_case("migration"));
    (is_apart && end).then(|| &noun["migration".len()..])
}

/// Returns what follows `-- ==== UP ====`.
fn title_of_shmig<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let (_, rest) = line.trim_start().strip_prefix("--")?.split_once("====")?;
    rest.trim_start().strip_prefix(word)?.trim_start().strip_prefix("====")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{
        super::{
            super::{Chain, Route, Tool, Transaction},
            ReadError, chain,
        },
        *,
    };

    fn read(tool: Option<Tool>, files: &[(&str, &str)]) -> Result<Chain, ReadError> {
        let file = |(path, text): &(&str, &str)| File { path: (*path).to_owned(), bytes: text.as_bytes().to_vec() };
        chain(&files.iter().map(file).collect::<Vec<_>>(), tool)
    }

    fn statements(script: &Script) -> String {
        let text = |statement| format!("{}@{}", script.text_of(statement), statement.line);
        script.statements.iter().map(text).collect::<Vec<_>>().join("; ")
    }

    #[rstest]
    #[case::sql_migrate("-- +migrate Up\nCREATE TABLE t ();\n-- +migrate Down\nDROP TABLE t;\n", Transaction::Wrapped)]
    #[case::sql_migrate_bare(
        "-- +migrate Up notransaction\nCREATE TABLE t ();\n-- +migrate Down\nDROP TABLE t;\n",
        Transaction::Bare
    )]
    #[case::node_pg_migrate(
        "-- Up Migration\nCREATE TABLE t ();\n --- down  migration\nDROP TABLE t;\n",
        Transaction::Wrapped
    )]
    #[case::shmig("-- ==== UP ====\nCREATE TABLE t ();\n-- ====  DOWN  ====\nDROP TABLE t;\n", Transaction::Bare)]
    #[case::tern("\nCREATE TABLE t ();\n---- create above / drop below ----\nDROP TABLE t;\n", Transaction::Wrapped)]
    #[case::tern_bare(
        "---- tern: disable-tx ----\nCREATE TABLE t ();\n---- create above / drop below ----\nDROP TABLE t;\n",
        Transaction::Bare
    )]
    fn both_directions_of_one_file_are_kept_apart(#[case] text: &str, #[case] want: Transaction) {
        for name in ["001_a.sql", "20240131120000-a.sql", "20240131120000_a.sql", "000001_a.sql"] {
            let found = read(None, &[(name, text)]).unwrap();
            let [one] = found.migrations.as_slice() else { panic!("{name}: {:?}", found.migrations) };
            assert_eq!((found.tool, statements(&one.up).as_str()), (Tool::Plain, "CREATE TABLE t ()@2"), "{name}");
            assert_eq!(statements(one.down.as_ref().unwrap()), "DROP TABLE t@4", "{name}");
            assert_eq!((one.up.transaction, found.findings.as_slice()), (want, &[][..]), "{name}");
        }
    }

    #[rstest]
    #[case::comment_of_a_direction(&[("1_a.up.sql", "-- Up Migration\nSELECT f();"), ("1_a.down.sql", "-- Down Migration\nSELECT g();")])]
    #[case::one_of_many_of_sqlx(&[
        ("20240131120000_a.sql", "-- Up Migration\nSELECT f();\n-- Down Migration\nSELECT g();"),
        ("20240131120001_b.sql", "SELECT f();"),
        ("20240131120002_c.sql", "SELECT f();"),
    ])]
    fn a_comment_alone_is_no_border(#[case] files: &[(&str, &str)]) {
        let found = read(None, files).unwrap();
        assert!(found.migrations[0].up.text.ends_with(files[0].1), "the file is read whole");
    }

    #[test]
    fn a_module_of_node_pg_migrate_keeps_its_place() {
        let text = "-- Up Migration\nSELECT f();\n-- Down Migration\nSELECT g();\n";
        let files = [("1_a.sql", text), ("2_b.js", ""), ("3_c.sql", text), ("helper.js", ""), ("4_d.d.ts", "")];
        let found = read(None, &files).unwrap();
        let versions: Vec<&str> = found.migrations.iter().map(|migration| migration.version.as_str()).collect();
        assert_eq!(versions, ["1", "2", "3"]);
        assert!(matches!(found.migrations[1].up.route(), Route::Unreadable(_)));
        assert_eq!(
            (&*found.findings[0].code, found.findings[0].found.as_str()),
            ("foreign-step", "a step in JavaScript")
        );
    }

    #[test]
    fn a_template_of_tern_is_not_run() {
        let text = "CREATE TABLE {{.prefix}}_t ();\n---- create above / drop below ----\nDROP TABLE t;\n";
        let found = read(None, &[("001_a.sql", text)]).unwrap();
        let one = &found.migrations[0];
        assert!(matches!(one.up.route(), Route::Unreadable(_)) && one.down.as_ref().unwrap().foreign.is_none());
        assert_eq!((&*found.findings[0].code, found.findings[0].place.line), ("placeholder", 1));
    }

    #[rstest]
    #[case::yoyo(&["0001.a.sql", "0001.a.rollback.sql"])]
    #[case::numbered(&["001_x.sql", "001_x.rollback.sql"])]
    #[case::long_numbers(&["20240131120000_x.sql", "20240131120000_x.rollback.sql"])]
    #[case::postgrator(&["001.do.x.sql", "001.undo.x.sql"])]
    #[case::postgrator_without_name(&["001.do.sql", "001.undo.sql"])]
    #[case::revert(&["1_x.sql", "1_x.revert.sql"])]
    fn a_rollback_script_is_the_down_migration_of_its_pair(#[case] names: &[&str]) {
        let files: Vec<(&str, &str)> = names.iter().zip(["SELECT f();", "SELECT g();"]).map(|(n, t)| (*n, t)).collect();
        let found = read(None, &files).unwrap();
        let [one] = found.migrations.as_slice() else { panic!("{:?}", found.migrations) };
        assert_eq!((one.up.file.as_str(), one.down.as_ref().unwrap().file.as_str()), (names[0], names[1]));
        assert_eq!((found.tool, found.findings.as_slice()), (Tool::Plain, &[][..]));
    }

    #[test]
    fn the_directives_of_atlas_state_the_transaction() {
        let concurrently = "CREATE INDEX CONCURRENTLY i ON t (a);";
        let bare = format!("-- atlas:txmode none\n\n{concurrently}");
        let files =
            [("atlas.sum", "h1:"), ("20240131120000_a.sql", bare.as_str()), ("20240131120001_b.sql", concurrently)];
        let found = read(None, &files).unwrap();
        let reported: Vec<(&str, &str)> = found
            .findings
            .iter()
            .filter(|finding| finding.code != "down-missing")
            .map(|finding| (&*finding.code, finding.found.as_str()))
            .collect();
        assert_eq!(reported, [("concurrently-in-transaction", "atlas runs the script in a transaction")]);
        assert_eq!((found.tool, found.migrations[0].up.transaction), (Tool::Plain, Transaction::Bare));
        let goose = read(None, &[("atlas.sum", ""), ("1_a.sql", "-- +goose Up\nSELECT f();")]).unwrap();
        let directed = read(None, &[("atlas.sum", ""), ("000001_a.up.sql", "SELECT f();")]).unwrap();
        assert_eq!((goose.tool, directed.tool), (Tool::Goose, Tool::GolangMigrate), "Atlas writes their forms, too");
    }

    #[test]
    fn a_file_of_sql_migrate_without_its_mark_is_reported() {
        let marked = "-- +migrate Up\nSELECT f();\n-- +migrate Down\nSELECT g();";
        let files = [("1_a.sql", marked), ("2_b.sql", "-- +migrate up\nSELECT f();"), ("3_c.sql", "SELECT f();")];
        let found = read(None, &files).unwrap();
        let of_marks: Vec<_> = found.findings.iter().filter(|finding| finding.code == "bad-annotation").collect();
        assert_eq!(
            of_marks.iter().filter_map(|finding| finding.place.file.as_deref()).collect::<Vec<_>>(),
            ["2_b.sql", "3_c.sql"]
        );
    }

    #[rstest]
    #[case::sql_migrate("-- +migrate Up\nSELECT f();\n-- +migrate Down\nSELECT g();")]
    #[case::tern("SELECT f();\n---- create above / drop below ----\nSELECT g();")]
    fn marks_of_another_tool_are_reported(#[case] text: &str) {
        let found = read(Some(Tool::Sqlx), &[("1_a.sql", text)]).unwrap();
        assert!(found.findings.iter().any(|finding| finding.code == "mixed-tools"), "{:?}", found.findings);
    }

    #[rstest]
    #[case::graphile(&[("current.sql", ""), ("committed/000001.sql", "--! Previous: -\n--! Hash: sha1:0\nSELECT 1;")], "graphile-migrate")]
    #[case::graphile_committed(&[("000001.sql", "--! Previous: -\n--! Hash: sha1:0\nSELECT 1;")], "graphile-migrate")]
    #[case::liquibase(&[("1.sql", "--liquibase formatted sql\n--changeset a:1\nSELECT f();\n--rollback SELECT g();")], "Liquibase")]
    #[case::liquibase_block(&[("1.sql", "-- liquibase formatted sql\n-- changeset a:1\nSELECT f();\n/* liquibase rollback\nSELECT g(); */")],
        "Liquibase")]
    fn a_tool_that_cannot_be_read_is_refused_by_its_name(#[case] files: &[(&str, &str)], #[case] want: &str) {
        let error = read(None, files).unwrap_err().to_string();
        assert!(error.contains(want) && error.contains("[migrations"), "{error}");
        assert!(read(Some(Tool::Plain), files).is_ok(), "`tool` overrides");
    }
}
