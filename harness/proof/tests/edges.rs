//! Proofs that generated rows show what migrations do to values: at the edges of their types, where ordinary ones do not.

use std::{collections::BTreeSet, time::Duration};

use stagegate_base::config::Tool;
use stagegate_migration_act::{Options, Rows, SessionOptions, prove};
use stagegate_migration_decide::{File, chain};

use crate::integrity::start;

/// A column's type, and a migration that changes some of its values and not its meaning in the catalog.
const CHANGES: [(&str, &str); 34] = [
    ("text", "update t set v = left(v, 20)"),
    ("varchar(255)", "alter table t alter v type varchar(100) using left(v, 100)"),
    ("varchar(100)", "update t set v = lower(v)"),
    ("varchar(100)", "update t set v = upper(v)"),
    ("text", "update t set v = btrim(v)"),
    ("text", "update t set v = rtrim(v)"),
    ("text", "update t set v = regexp_replace(v, '[^[:ascii:]]', '', 'g')"),
    ("text", "update t set v = regexp_replace(v, '[0-9]', '', 'g')"),
    ("text", "update t set v = replace(v, ',', '')"),
    ("text", "update t set v = initcap(v)"),
    ("text", "update t set v = null where v = ''"),
    ("text", "update t set v = coalesce(v, 'none')"),
    ("text", "delete from t where v is null"),
    ("text", "delete from t a using t b where a.id > b.id and a.v = b.v"),
    ("text", "delete from t where length(v) > 200"),
    ("varchar(40) not null", "update t set v = regexp_replace(v, '\\s+', ' ', 'g')"),
    ("bigint", "alter table t alter v type int using least(v, 2147483647)"),
    ("bigint", "alter table t alter v type int"),
    ("int", "update t set v = abs(v)"),
    ("int", "delete from t where v < 0"),
    ("int", "update t set v = null where v = 0"),
    ("int", "alter table t alter v type smallint using least(v, 32767)"),
    ("numeric(12,4)", "alter table t alter v type numeric(12,2)"),
    ("numeric(12,4)", "update t set v = round(v)"),
    ("numeric", "update t set v = greatest(v, 0)"),
    ("double precision", "alter table t alter v type real"),
    ("timestamptz", "alter table t alter v type timestamptz(0)"),
    ("timestamp", "update t set v = date_trunc('day', v)"),
    ("timestamptz", "delete from t where v < '1970-01-01'"),
    ("json", "alter table t alter v type json using v::jsonb::json"),
    ("bytea", "update t set v = substr(v, 1, 16)"),
    ("text[]", "update t set v = (select array_agg(distinct e) from unnest(v) e)"),
    ("interval", "update t set v = greatest(v, '0')"),
    ("time", "alter table t alter v type time(0)"),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_migration_that_changes_values_is_seen_on_generated_rows() {
    let server = start(17).await;
    let mut silent = BTreeSet::new();
    for (of, change) in CHANGES {
        let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
        let made = format!("create table t (id int generated always as identity primary key, v {of});");
        let files =
            [file("1_made.up.sql", &made), file("1_made.down.sql", "drop table t;"), file("2_changed.up.sql", change)];
        let chain = chain(&files, Some(Tool::Plain)).unwrap();
        let options = Options {
            manner: SessionOptions { statement_within: Duration::from_secs(5), search_path: None },
            history_tables: Vec::new(),
            before: String::new(),
            always_clone: false,
            ways_back: true,
            commands: None,
            rows: Some(Rows::default()),
        };
        let proven = prove(&server, &chain, &options, |_| {}).await.unwrap();
        assert_eq!(proven.rows.seeds, [], "{of}: its rows are made");
        const SEEN: [&str; 4] = ["values-changed", "rows-lost", "up-fails-with-rows", "rows-added"];
        if !proven.rows.integrity.iter().any(|finding| SEEN.contains(&&*finding.code)) {
            silent.insert((of, change));
        }
    }
    server.end().await;
    assert_eq!(silent, BTreeSet::new());
}
