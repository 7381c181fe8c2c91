//! Proofs that each kind of bad migration is reported by a code, with file, line and statement, on a real server that is
//! gone afterwards.

use std::{process::Command, time::Duration};

use stagegate_base::config::Tool;
use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::{
    Options, Proven, SessionOptions, prove,
    scratch::{Scratch, ScratchMethod, ServerSpec},
};
use stagegate_migration_decide::{
    Chain, File, Finding, chain,
    round_trip::{Verdict, findings},
};

use crate::world::image_of;

/// A bad way up, and what has to be reported of it.
struct Case {
    name: &'static str,
    up: Vec<u8>,
    code: &'static str,
    line: usize,
    statement: &'static str,
    said: &'static str,
    verdict: Verdict,
}

fn case(name: &'static str, up: impl Into<Vec<u8>>, code: &'static str, line: usize, statement: &'static str) -> Case {
    Case { name, up: up.into(), code, line, statement, said: "", verdict: Verdict::UpFails }
}

impl Case {
    fn saying(self, said: &'static str) -> Self {
        Case { said, ..self }
    }

    fn judged(self, verdict: Verdict) -> Self {
        Case { verdict, ..self }
    }
}

/// Semicolons that end nothing, in front of a statement that the server refuses.
const HIDDEN: &str = "-- a; b\n/* c; /* d; */ e; */\ndo $x$ begin perform ';'; end $x$;\n\
     create table \"odd;name\" (a text default ';');\n\
     create function f() returns text language sql begin atomic select ';'; select 'x'; end;\nalter tabel z;\n";

/// More than 10 MB in statements of 100 kB each, and a last one that fails.
fn large() -> String {
    let row = format!("insert into t (a) values ('{}');\n", "x".repeat(100_000));
    row.repeat(110) + "insert into nowhere values (1);\n"
}

fn cases() -> Vec<Case> {
    let odd = "alter table \"a\"\"b\nc'd\" add column \"nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\" intt;";
    let odd = format!("create table \"a\"\"b\nc'd\" (id int);\n{odd}");
    vec![
        case("syntax", "select now();\nalter tabel t add a int;", "up-fails", 2, "alter tabel").saying("42601"),
        case("hidden semicolons", HIDDEN, "up-fails", 6, "alter tabel z"),
        case("meta-command", "select now();\n\\set x 1\n", "meta-command", 2, "\\set x 1").judged(Verdict::NotRun),
        case("copy", "copy t (a) from stdin;\n1\n\\.\n", "copy-data", 1, "copy t (a) from stdin")
            .judged(Verdict::Exact),
        case("byte order mark", "\u{feff}create table x (id int);", "byte-order-mark", 1, "").judged(Verdict::UpFails),
        case("no UTF-8", b"select now();\nselect '\xff';".to_vec(), "not-utf8", 2, ""),
        case("zero byte", "select now();\nselect 'a\0b';", "nul-byte", 2, ""),
        case("large", large(), "up-fails", 111, "insert into nowhere").saying("\"nowhere\" does not exist"),
        case("never closed", "select now();\nselect 'a;\n", "unterminated", 2, ""),
        case("extension", "create extension no_such_extension;", "not-run", 1, "create extension")
            .saying("is not available")
            .judged(Verdict::NotRun),
        case(
            "superuser",
            "create role proof_plain;\nset role proof_plain;\ncreate role proof_other;",
            "not-run",
            3,
            "create role proof_other",
        )
        .saying("permission denied")
        .judged(Verdict::NotRun),
        case("odd names", odd, "up-fails", 3, "alter table \"a\"\"b c'd\"").saying("type \"intt\" does not exist"),
        case("sleeps", "-- a;\nselect pg_sleep(60);", "took-too-long", 2, "select pg_sleep(60)").saying("limit is 1s"),
        case("loops", "do $$ begin loop end loop; end $$;", "took-too-long", 1, "do $$ begin loop"),
        case(
            "unlimited",
            "set statement_timeout = 0;\nselect pg_sleep(60);",
            "took-too-long",
            2,
            "select pg_sleep(60)",
        ),
    ]
}

/// A sound step, the bad one, and one behind it.
fn of(up: &[u8]) -> Chain {
    let file = |path: &str, bytes: &[u8]| File { path: path.to_owned(), bytes: bytes.to_vec() };
    let files = [
        file("1_good.up.sql", b"create table t (id int, a text);"),
        file("1_good.down.sql", b"drop table t;"),
        file("2_bad.up.sql", up),
        file("2_bad.down.sql", b"select now();"),
    ];
    chain(&files, Some(Tool::Sqlx)).unwrap()
}

async fn tried(server: &Scratch, chain: &Chain) -> (Proven, Vec<Finding>) {
    let manner = SessionOptions { statement_within: Duration::from_secs(1), search_path: None };
    let options = Options {
        manner,
        history_tables: Vec::new(),
        before: String::new(),
        always_clone: false,
        ways_back: true,
        commands: None,
        rows: None,
    };
    let proven = prove(server, chain, &options, |_| {}).await.unwrap();
    let reported = findings(chain, &proven.trips, &proven.whole);
    (proven, reported)
}

fn missed(case: &Case, proven: &Proven, reported: &[Finding]) -> Option<String> {
    let is_meant = |finding: &&Finding| {
        let place = format!("2_bad.up.sql:{}", case.line);
        finding.code == case.code
            && finding.place.position() == place
            && finding.excerpt.starts_with(case.statement)
            && finding.found.contains(case.said)
    };
    let verdict = proven.trips[1].verdict();
    let is_right = reported.iter().any(|finding| is_meant(&finding)) && verdict == case.verdict;
    let clean = reported.iter().all(|finding| !finding.found.contains('\n') && !finding.excerpt.contains('\n'));
    (!is_right || !clean).then(|| format!("{}: {verdict:?}, {reported:#?}", case.name))
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_migration_is_reported_with_code_file_line_and_statement_and_the_server_is_gone() {
    let name = Scratch::new_name().unwrap();
    let spec = ServerSpec { images: vec![image_of(17)], way: Some(ScratchMethod::Docker), ..ServerSpec::default() };
    let claim = Claim::from_now(Owner::of(std::process::id()).unwrap());
    let server = Scratch::start(&name, &claim, &spec).await.unwrap();
    let mut all = Vec::new();
    for case in cases() {
        let (proven, reported) = tried(&server, &of(&case.up)).await;
        all.extend(missed(&case, &proven, &reported));
    }
    // The last one ends the server itself, in the middle of the second step.
    let kill = "select now();\ncopy (select 1) to program 'kill -QUIT 1';\nselect pg_sleep(60);";
    let (proven, reported) = tried(&server, &of(kill.as_bytes())).await;
    server.end().await;
    assert_eq!(proven.trips[1].verdict(), Verdict::NotRun, "{:#?}", proven.trips[1]);
    let at = reported.iter().find(|finding| finding.place.object == "2" && finding.code == "not-run").unwrap();
    assert!(at.place.position().starts_with("2_bad.up.sql:") && !at.excerpt.is_empty(), "{at:#?}");
    assert!(at.found.contains("the server ended"), "{at:#?}");
    assert!(all.is_empty(), "{}", all.join("\n"));
    let list = ["ps", "--all", "--quiet", "--filter", &format!("name={name}")];
    let left = Command::new("docker").args(list).output().unwrap();
    assert!(left.status.success() && left.stdout.is_empty(), "{left:?}");
}
