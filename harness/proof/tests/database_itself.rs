//! What belongs to a database and to none of its objects: owner, rights, settings, comment, limit of sessions, tablespace, locale.
//! `CREATE DATABASE` copies hardly any of it, and a rollback with data restores all of it.

use std::{collections::BTreeMap, fs};

use rstest::rstest;
use stagegate_host::database::Server;

use crate::{small::Small, world::image_of};

const AS_IT_IS: &[&str] = &[
    "create role lead",
    "create role reader",
    "create role batch",
    "copy (select 1) to program 'mkdir -p /var/lib/postgresql/data/space'",
    "create tablespace space location '/var/lib/postgresql/data/space'",
    "alter database app set tablespace space",
    "comment on database app is 'orders; ask ann''s team'",
    "alter database app owner to lead",
    "alter database app connection limit 70",
    "revoke all on database app from public",
    "grant temporary, create on database app to batch",
    "grant connect on database app to reader with grant option",
    "set role reader",
    "grant connect on database app to batch",
    "reset role",
    "alter database app set search_path = \"$user\", public, \"My Schema\"",
    "alter database app set shop.motto = 'it''s, well'",
    "alter role reader in database app set statement_timeout = '1ms'",
    // Settings that would end the very session which copies them.
    "alter role batch in database app set default_transaction_read_only = on",
    "alter role batch in database app set search_path = ''",
];
/// The other environments have none of the roles.
const CHANGED: &str = "do $$ begin if not exists (select from pg_roles where rolname = 'batch') then create role batch; \
    create role reader; end if; end $$;\nalter table item add column if not exists price int not null default 1;\n\
    comment on database app is 'changed';\nalter database app connection limit 5;\nalter database app reset all;\n\
    alter database app set work_mem = '8MB';\nalter role reader in database app reset all;\n\
    grant all on database app to public;\nrevoke all on database app from batch, reader cascade;\n";

/// Reads all that the server has of a database, but for what differs with each database.
async fn itself(server: &Server) -> BTreeMap<String, String> {
    let client = server.connect("postgres").await.unwrap();
    let sql = "select 'attribute ' || key, value #>> '{}' from pg_database d, jsonb_each(to_jsonb(d) \
                   - '{oid,datfrozenxid,datminmxid,datacl}'::text[]) where datname = 'app'
        union all select 'comment', shobj_description(oid, 'pg_database') from pg_database where datname = 'app'
        union all select format('%s to %s by %s', a.privilege_type, a.grantee::regrole, a.grantor::regrole), a.is_grantable::text
            from pg_database d, aclexplode(d.datacl) a where d.datname = 'app'
        union all select format('setting %s %s of %s', nth, split_part(c, '=', 1), setrole::regrole), c
            from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, unnest(setconfig) with ordinality u (c, nth)
            where d.datname = 'app'";
    let rows = client.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get::<_, Option<String>>(1).unwrap_or_default())).collect()
}

#[rstest]
#[case::of_15_by_a_swap(15, "swap")]
#[case::of_17_by_a_dump(17, "restore")]
#[case::of_18_by_a_swap(18, "swap")]
#[tokio::test]
async fn a_rollback_with_data_restores_what_belongs_to_the_database_itself(#[case] major: u32, #[case] tier: &str) {
    let small = Small::new(&format!("itself-{major}"), "app");
    let compose = small.product().join("docker-compose.yml");
    let icu = "POSTGRES_INITDB_ARGS: \"--locale-provider=icu --icu-locale=en-US\", POSTGRES_DB";
    let text = fs::read_to_string(&compose).unwrap().replace(&image_of(17), &image_of(major));
    fs::write(&compose, text.replacen("POSTGRES_DB", icu, 1)).unwrap();
    let config = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[gate]\n", &format!("[gate]\ntier = \"{tier}\"\n"))).unwrap();
    small.release("v2", "select 1;\n", "");
    small.up("production", "v2");
    let server = small.server().await;
    let client = server.connect("postgres").await.unwrap();
    for sql in AS_IT_IS {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    let before = itself(&server).await;
    assert!(
        before.values().any(|value| value == "en-US") && before.contains_key("CONNECT to batch by reader"),
        "{before:#?}"
    );

    small.release("v3", CHANGED, "");
    let promoted = small.promote("v3");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let server = small.server().await;
    assert_ne!(itself(&server).await, before);
    let back = small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]);
    assert_eq!(back.code, Some(0), "{}", back.text);
    let after = itself(&small.server().await).await;
    // A dump has what lies in the database: limit, rights and settings are those that the live one has, as the manual states.
    let in_a_dump =
        |key: &&String| *key == "comment" || (key.starts_with("attribute ") && *key != "attribute datconnlimit");
    for (key, value) in before.iter().filter(|(key, _)| tier == "swap" || in_a_dump(key)) {
        assert_eq!(after.get(key), Some(value), "{key}");
    }
    assert!(tier != "swap" || after == before, "{after:#?}");
}
