use std::time::Duration;

use super::*;
use rstest::rstest;

const GOOD: &str = r#"
[project]
name = "shop"

[environments.staging]
env_file = ".env.staging"
workdir = "../shop-staging"

[environments.production]
env_file = ["common.env", ".env.production"]
protected = true

[services.api]
port = 8080
health = "/healthz"

[services.db]
kind = "postgres"

[databases.main]
service = "db"
name = "shop"

[severity]
"contracts" = "warning"
"contracts::api::get_orders" = "info"

[gate]
verify_within = "2m"
"#;
const MANUAL: &str = include_str!("../../../../docs/stagegate.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/srv/shop/stagegate.toml"), text)
}

#[test]
fn what_is_not_said_has_a_default() {
    let config = parse(GOOD).unwrap();
    let staging = config.environment("staging").unwrap();
    assert_eq!(staging.project, "shop-staging");
    assert_eq!(staging.workdir, Path::new("/srv/shop-staging"));
    assert_eq!(staging.compose, Vec::<PathBuf>::new(), "they are found as Compose finds them");
    assert_eq!(config.environment("production").unwrap().env_files.len(), 2);
    assert_eq!(config.services["db"].port, 5432);
    assert_eq!(config.gate.verify_within, Span(Duration::from_secs(120)));
    assert_eq!(config.gate.rollback_within, Span(Duration::from_secs(300)));
    assert!(config.environment(EPHEMERAL).is_ok());
}

#[rstest]
#[case("contracts::api::get_orders", Severity::Info)]
#[case("contracts::api::get_items", Severity::Warning)]
#[case("contractsx::api", Severity::Required)]
fn the_longest_beginning_of_a_name_gives_its_severity(#[case] trial: &str, #[case] want: Severity) {
    assert_eq!(parse(GOOD).unwrap().severity_of(trial, Severity::Required), want);
}

#[rstest]
#[case::unknown_key(
    "protected = true",
    "protcted = true",
    ":11:1: unknown key `protcted`",
    "did you mean `protected`?"
)]
#[case::unknown_table("[services.api]", "[servces.api]", ":13:2: unknown key `servces`", "did you mean `services`?")]
#[case::no_unit("\"2m\"", "2", ":29:17: ", "a text with a number and a unit")]
#[case::wrong_unit("\"2m\"", "\"2 minutes\"", ":29:17: ", "\"30s\" or \"5m\"")]
#[case::duplicate("[environments.production]", "[environments.staging]", ":9:15: ", "duplicate")]
#[case::missing("name = \"shop\"\n\n[env", "\n\n[env", ":2:1: missing key `name`", "")]
#[case::severity("\"info\"", "\"inof\"", "must be `required`, `warning` or `info`", "did you mean `info`?")]
#[case::service("service = \"db\"", "service = \"bd\"", "`bd` is not a PostgreSQL service", "did you mean `db`?")]
#[case::path("\"/healthz\"", "\"healthz\"", "`healthz` does not begin with `/`", "\"/healthz\"")]
#[case::port("port = 8080\n", "", "service `api` has no port", "port inside the container")]
#[case::range("8080", "80800", ":14:8: `port` must be a number from 1 to 65535", "")]
#[case::quoted_port("8080", "\"8080\"", ":14:8: `port` must be a number from 1 to 65535", "without quotes: 8080")]
#[case::no_port("8080", "0", ":14:8: `port` must be a number from 1 to 65535", "")]
#[case::switch(
    "protected = true",
    "protected = yes",
    ":11:13: `protected` has a value that is no TOML",
    "write `true`"
)]
#[case::quoted_switch(
    "protected = true",
    "protected = \"true\"",
    "`protected` must be true or false",
    "without quotes: true"
)]
#[case::near_severity(
    "\"warning\"",
    "\"warn\"",
    "`contracts` must be `required`, `warning` or `info`",
    "did you mean `warning`?"
)]
#[case::seconds("\"2m\"", "10", ":29:17: `verify_within` must be a text with a number and a unit", "\"10s\"")]
#[case::text("health = \"/healthz\"", "health = 1", "`health` must be text in quotes", "")]
#[case::project("name = \"shop\"\n\n[env", "name = \"My Shop\"\n\n[env", ":3:8: project name `My Shop`", "a-z")]
#[case::own_project("protected = true", "project = \"../../x\"", "project name `../../x`", "a-z")]
#[case::database("[databases.main]", "[databases.\"../../x\"]", "database id `../../x`", "letters, digits")]
#[case::service_name("[services.api]", "[services.\"../api\"]", ":13:1: service name `../api`", "letters, digits")]
#[case::dots("[services.api]", "[services.\"..\"]", "service name `..`", "letters, digits")]
#[case::minutes("\"2m\"", "\"2 minutes\"", ":29:17: `verify_within`: `2 minutes` is not", "did you mean \"2m\"?")]
#[case::a_list_of_tables(
    "[services.api]",
    "[[services.api]]",
    ":13:1: [[services.api]] is a list",
    "write [services.api]"
)]
#[case::a_nameless_list(
    "[databases.main]",
    "[[databases]]",
    ":20:1: [[databases]] is a list",
    "write [databases.NAME]"
)]
#[case::one_of_a_list(
    "[severity]",
    "[notify]\nkind = \"slack\"\n[severity]",
    "[notify] is one table",
    "write [[notify]]"
)]
#[case::severity_table(
    "[severity]",
    "[severity.health]\nweb = \"warning\"\n[severity]",
    "[severity.health] is a table, and a severity is expected",
    "\"health::NAME\" = \"required\""
)]
#[case::severity_switch("\"info\"", "false", "`contracts::api::get_orders` must be a word in quotes", "")]
#[case::url(
    "\"/healthz\"",
    "\"http://localhost:8080/healthz\"",
    ":15:10: service `api`: path `http://localhost:8080/healthz` does not",
    "write \"/healthz\": the path alone"
)]
#[case::url_of_a_host("protected = true", "host = \"https://a.example\"", "reached by SSH, not by https", "ssh://")]
#[case::no_database(
    "name = \"shop\"\n\n[sev",
    "name = \"\"\n\n[sev",
    ":22:8: `name` of [databases.main] is empty",
    "psql -l"
)]
#[case::no_server("service = \"db\"", "service = \"\"", ":21:11: `service` of [databases.main] is empty", "PostgreSQL")]
#[case::beginning("protected = true", "protect = true", "unknown key `protect`", "did you mean `protected`?")]
#[case::another_level(
    "protected = true",
    "services = [\"api\"]",
    "unknown key `services`",
    "`services` is a table of the file itself: write [services.NAME]"
)]
#[case::no_level(
    "\n[project]",
    "verify_within = \"2m\"\n[project]",
    "unknown key `verify_within`",
    "is a key of [gate]"
)]
#[case::dotted(
    "[environments.staging]",
    "[environments.eu.staging]",
    "[environments.eu.staging] has one part too many",
    "[environments.eu-staging]"
)]
#[case::space(
    "[environments.staging]",
    "[environments.my staging]",
    "the name of a table has a space",
    "[environments.my-staging]"
)]
#[case::twice(
    "protected = true",
    "protected = true\nprotected = false",
    ":12:1: duplicate key `protected`, first in line 11",
    "one of the two"
)]
#[case::first_place(
    "[environments.production]",
    "[environments.staging]",
    "[environments.staging], first in line 5",
    "one header"
)]
#[case::python("protected = true", "protected = True", "`protected` has a value that is no TOML", "write `true`")]
#[case::null("protected = true", "protected = null", "`protected` has a value that is no TOML", "remove the line")]
#[case::no_value("protected = true", "protected =", "`protected` has no value", "behind `=`")]
#[case::colon("protected = true", "protected: true", "`protected` is followed by `:`", "write protected = true")]
#[case::unclosed("\".env.staging\"", "\".env.staging", "`env_file` has no closing quote", "\".env.staging\"")]
#[case::typographic("\".env.staging\"", "\u{201c}.env.staging\u{201d}", "typographic quotes", "\".env.staging\"")]
#[case::zero("8080", "08080", "`port` is a number with a zero in front", "write 8080")]
#[case::numbers("\".env.staging\"", "[1]", "`env_file` must be a path or a list of paths", "")]
#[case::a_list("[gate]", "[gate]\nfreeze = \"api\"", "`freeze` must be a list in brackets", "[\"api\"]")]
#[case::size(
    "[gate]",
    "[logs]\nmax_size = 500\n[gate]",
    "`max_size` must be a text with a number and a unit of size",
    "500MiB"
)]
#[case::inner_table(
    "port = 8080\n",
    "[services.api.port]\nnumber = 1\n",
    "`port` must be a number from 1 to 65535",
    ""
)]
#[case::shared(
    "protected = true",
    "project = \"shop-staging\"",
    "the same compose project `shop-staging`",
    "its own `project`"
)]
fn a_mistake_is_reported_with_its_place_and_the_way_out(
    #[case] good: &str,
    #[case] bad: &str,
    #[case] place: &str,
    #[case] way_out: &str,
) {
    assert!(GOOD.contains(good), "the case must change the text");
    let error = parse(&GOOD.replacen(good, bad, 1)).unwrap_err().to_string();
    assert!(error.contains(place), "{error}");
    assert!(error.contains(way_out), "{error}");
    assert!(error.starts_with("/srv/shop/stagegate.toml:"), "{error}");
}

#[test]
fn an_empty_file_is_reported_with_how_it_begins() {
    let error = parse("\n").unwrap_err().to_string();
    assert!(error.contains("the file is empty") && error.contains("[project]"), "{error}");
}

#[test]
fn all_mistakes_of_a_file_are_shown_each_with_its_line() {
    let bad = GOOD.replace("8080", "\"8080\"").replace("protected", "protcted").replace("\"info\"", "\"inof\"");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("config_mistakes", parse(&bad).unwrap_err().rendered()));
}

#[test]
fn mistakes_of_several_services_are_one_error() {
    let bad = GOOD.replace("port = 8080\n", "").replace("[services.db]", "[services.web]\n[services.db]");
    let error = parse(&bad).unwrap_err();
    let messages: Vec<&str> = error.each().map(|error| error.message.as_str()).collect();
    assert_eq!(messages, ["service `api` has no port", "service `web` has no port"]);
}

#[test]
fn a_service_that_responds_to_its_own_name_gets_it_in_every_request() {
    let config = parse(&GOOD.replace("port = 8080", "port = 8080\nhost = \"shop.example\"")).unwrap();
    assert_eq!(config.services["api"].headers(), [("host".to_owned(), "shop.example".to_owned())]);
    assert_eq!(parse(GOOD).unwrap().services["api"].headers(), []);
}

#[test]
fn an_unknown_environment_is_reported_with_the_known_ones() {
    let error = parse(GOOD).unwrap().environment("stagin").unwrap_err().to_string();
    assert!(error.contains("did you mean `staging`?"), "{error}");
    assert!(error.contains("ephemeral, production, staging"), "{error}");
}

/// Returns the fields of each `struct Raw..` of the parser's own source: the keys that a user may write.
fn keys() -> Vec<&'static str> {
    let sources = [
        include_str!("raw.rs"),
        include_str!("performance.rs"),
        include_str!("growth.rs"),
        include_str!("security.rs"),
        include_str!("migrations.rs"),
        include_str!("locks.rs"),
        include_str!("notify.rs"),
    ];
    let structs = sources.into_iter().flat_map(|source| source.split("struct Raw").skip(1));
    let bodies = structs.filter_map(|text| text.split_once(" {\n")?.1.split_once("\n}"));
    let fields = bodies.flat_map(|(body, _)| body.lines()).filter_map(|line| line.trim().split_once(": "));
    fields.map(|(name, _)| name).filter(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).collect()
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    let keys = keys();
    assert!(keys.len() > 30, "the source was not understood: {keys:?}");
    let written = |key: &str| {
        MANUAL.lines().any(|line| {
            let name = line.trim_start_matches('[');
            let above = ["security.", "performance.", "migrations.main."];
            let name = above.iter().find_map(|of| name.strip_prefix(of)).unwrap_or(name);
            let table = name.strip_prefix(key).filter(|_| line.starts_with('['));
            line.strip_prefix(key).is_some_and(|rest| rest.starts_with(" = "))
                || table.is_some_and(|rest| rest.starts_with([']', '.']))
        })
    };
    let missing: Vec<_> = keys.into_iter().filter(|key| !written(key)).collect();
    assert!(missing.is_empty(), "docs/stagegate.toml lacks {missing:?}");
    parse(MANUAL).unwrap();
}

#[test]
fn the_manual_writes_the_defaults_of_the_gate() {
    let (manual, default) = (parse(MANUAL).unwrap().gate, parse("[project]\nname = \"shop\"").unwrap().gate);
    let reported = Gate {
        commit_within: None,
        freeze: None,
        may_start_empty: Vec::new(),
        longest_stall: None,
        notify_command: Vec::new(),
        notify_webhook: None,
        ..manual
    };
    assert_eq!(reported, default);
}

#[rstest]
#[case(&["any", "laptop", "server"])]
#[case(&["auto", "swap", "restore"])]
#[case(&["checksums", "counts"])]
#[case(&["closed", "open"])]
#[case(&["block", "warn", "ignore"])]
#[case(&["http", "tcp", "postgres", "redis"])]
#[case(&["required", "warning", "info"])]
fn the_manual_names_every_word_that_a_key_takes(#[case] words: &[&str]) {
    for word in words {
        assert!(MANUAL.contains(&format!("\"{word}\"")), "docs/stagegate.toml lacks \"{word}\"");
    }
}

#[rstest]
#[case::yaml("project:\n  name: shop\n", "the file is YAML")]
#[case::json("{\"project\": {\"name\": \"shop\"}}\n", "the file is JSON")]
#[case::line_ends("[project]\rname = \"shop\"\r", "the lines end in a carriage return alone")]
fn another_format_is_named(#[case] text: &str, #[case] want: &str) {
    let error = parse(text).unwrap_err();
    assert!(error.message.contains(want), "{error}");
    assert!(error.hint.is_some(), "{error}");
}

#[test]
fn a_byte_order_mark_and_the_line_ends_of_windows_change_nothing() {
    let config = parse(GOOD).unwrap();
    assert_eq!(parse(&format!("\u{feff}{GOOD}")).unwrap(), config);
    assert_eq!(parse(&GOOD.replace('\n', "\r\n")).unwrap(), config);
}
