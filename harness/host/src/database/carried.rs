//! What `create database` leaves out, whatever its template: owner, limit of connections, rights, settings; and, of an empty one,
//! locale and tablespace.

use stagegate_base::locale::Locale;
use tokio_postgres::Client;

use super::{DatabaseError, failed, identifier, literal};

/// The first major version whose databases name the provider of their locale.
const PROVIDER_SINCE: i32 = 150_000;
/// Settings whose value is a list of names, each quoted by itself.
// Source: PostgreSQL, dumputils.c, variable_is_guc_list_quote.
const LISTS: [&str; 7] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
    "restrict_nonsystem_relation_kind",
];

/// Returns the clauses of `create database` for an empty one with a locale, in the tablespace of `like` where it has one.
///
/// The server's own is not named: who names a tablespace needs a right on it.
///
/// # Errors
/// [`DatabaseError`] where the server does not say.
pub(super) async fn fresh_clauses(
    client: &Client,
    locale: &Locale,
    like: Option<&str>,
) -> Result<String, DatabaseError> {
    let sql = "select current_setting('server_version_num')::int4, (select t.spcname::text from pg_database d \
               join pg_tablespace t on t.oid = d.dattablespace where d.datname::text = $1 and t.spcname <> 'pg_default')";
    let row = client.query_one(sql, &[&like]).await.map_err(|e| failed("read where the database lies", &e))?;
    let (version, tablespace): (i32, Option<String>) = (row.get(0), row.get(1));
    let tablespace = tablespace.map(|name| format!(" tablespace {}", identifier(&name))).unwrap_or_default();
    Ok(format!("template template0 {}{tablespace}", locale_clauses(locale, version >= PROVIDER_SINCE)))
}

fn locale_clauses(locale: &Locale, has_providers: bool) -> String {
    let [encoding, collate, ctype] = [&locale.encoding, &locale.collate, &locale.ctype].map(|text| literal(text));
    let provider = match (locale.provider.as_str(), &locale.provider_locale) {
        ("i", Some(name)) => format!(" locale_provider icu icu_locale {}", literal(name)),
        ("b", Some(name)) => format!(" locale_provider builtin builtin_locale {}", literal(name)),
        // The template may have another one.
        ("c", _) if has_providers => " locale_provider libc".to_owned(),
        _ => String::new(),
    };
    let rules = locale.rules.as_ref().map(|rules| format!(" icu_rules {}", literal(rules))).unwrap_or_default();
    format!("encoding {encoding} lc_collate {collate} lc_ctype {ctype}{provider}{rules}")
}

/// Gives `copy` what `create database` leaves out: owner, limit of connections, rights, settings.
///
/// # Errors
/// [`DatabaseError`] where the server refuses.
pub(super) async fn carry_over(client: &Client, from: &str, copy: &str) -> Result<(), DatabaseError> {
    let what = format!("copy the privileges and settings of database `{from}` to `{copy}`");
    let refused = |e: tokio_postgres::Error| failed(&what, &e);
    let name = identifier(copy);
    let sql =
        "select pg_get_userbyid(datdba)::text, datconnlimit, datacl is not null from pg_database where datname = $1";
    let row = client.query_one(sql, &[&from]).await.map_err(refused)?;
    let (owner, limit, has_acl): (String, i32, bool) = (row.get(0), row.get(1), row.get(2));
    let mut statements = vec![
        format!("alter database {name} owner to {}", identifier(&owner)),
        format!("alter database {name} connection limit {limit}"),
    ];
    if has_acl {
        statements.push(format!("revoke all on database {name} from public, {}", identifier(&owner)));
        statements.extend(grants(client, from, &name).await.map_err(refused)?);
    }
    statements.extend(settings(client, from, &name).await.map_err(refused)?);
    client.batch_execute(&statements.join(";")).await.map_err(refused)
}

/// Returns the statements that grant the rights on `from` on the database called `name` (quoted): each by who granted it, where this
/// session may act as that role; the owner's first, since others pass on what they have from it.
async fn grants(client: &Client, from: &str, name: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "select format('grant %s on database %s to %s%s', a.privilege_type, $2::text, \
                      case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, \
                      case when a.is_grantable then ' with grant option' else '' end), \
                      case when a.grantor <> d.datdba and pg_has_role(a.grantor, 'MEMBER') then quote_ident(pg_get_userbyid(a.grantor)) end \
               from pg_database d, aclexplode(d.datacl) with ordinality a where d.datname = $1 \
               order by a.grantor <> d.datdba, a.ordinality";
    let one = |row: &tokio_postgres::Row| -> String {
        let (grant, grantor): (String, Option<String>) = (row.get(0), row.get(1));
        match grantor {
            Some(grantor) => format!("set role {grantor}; {grant}; reset role"),
            None => grant,
        }
    };
    Ok(client.query(sql, &[&from, &name]).await?.iter().map(one).collect())
}

/// Returns the statements that set what is set for all sessions, or those of a role, in `from`.
///
/// Nothing of it is set in this session: `default_transaction_read_only` or a short `statement_timeout` would end it.
async fn settings(client: &Client, from: &str, name: &str) -> Result<Vec<String>, tokio_postgres::Error> {
    let sql = "select case s.setrole when 0 then null else quote_ident(pg_get_userbyid(s.setrole)) end, \
                      split_part(c, '=', 1), substr(c, strpos(c, '=') + 1) \
               from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, \
                    unnest(s.setconfig) with ordinality u (c, nth) \
               where d.datname = $1 order by s.setrole, u.nth";
    let one = |row: &tokio_postgres::Row| -> String {
        let (role, key, value): (Option<String>, String, String) = (row.get(0), row.get(1), row.get(2));
        let target = match role {
            Some(role) => format!("alter role {role} in database {name}"),
            None => format!("alter database {name}"),
        };
        // A name of an extension's setting has a dot: each part is a name by itself.
        let key_sql = key.split('.').map(identifier).collect::<Vec<_>>().join(".");
        format!("{target} set {key_sql} to {}", value_of(&key, &value))
    };
    Ok(client.query(sql, &[&from]).await?.iter().map(one).collect())
}

fn value_of(key: &str, value: &str) -> String {
    if !LISTS.contains(&key.to_lowercase().as_str()) {
        return literal(value);
    }
    let names: Vec<String> = names(value).iter().map(|name| literal(name)).collect();
    if names.is_empty() { "''".to_owned() } else { names.join(", ") }
}

/// Splits a list of names as the server keeps it: `"$user", public`.
fn names(list: &str) -> Vec<String> {
    let (mut found, mut name, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = list.trim().chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => name.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => found.push(std::mem::take(&mut name)),
            c if c.is_whitespace() && !is_quoted => {}
            c => name.push(c),
        }
    }
    if !list.trim().is_empty() {
        found.push(name);
    }
    found
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::path("search_path", "\"$user\", \"My \"\"Schema, 1\", public", "E'$user', E'My \"Schema, 1', E'public'")]
    #[case::empty_name("search_path", "\"\"", "E''")]
    #[case::nothing("search_path", "", "''")]
    #[case::no_list("application_name", "a, b", "E'a, b'")]
    #[case::quote("app.motto", "it's", "E'it''s'")]
    fn a_value_is_written_so_that_the_server_keeps_the_same(
        #[case] key: &str,
        #[case] value: &str,
        #[case] want: &str,
    ) {
        assert_eq!(value_of(key, value), want);
    }

    #[test]
    fn a_locale_names_its_provider_and_the_rules_of_icu() {
        let mut locale = Locale {
            encoding: "UTF8".into(),
            collate: "C".into(),
            ctype: "C".into(),
            provider: "c".into(),
            provider_locale: None,
            rules: None,
        };
        assert!(locale_clauses(&locale, true).ends_with(" locale_provider libc"));
        assert!(!locale_clauses(&locale, false).contains("locale_provider"));
        (locale.provider, locale.provider_locale, locale.rules) =
            ("i".into(), Some("und".into()), Some("&a < b".into()));
        assert!(locale_clauses(&locale, true).ends_with(" locale_provider icu icu_locale E'und' icu_rules E'&a < b'"));
    }
}
