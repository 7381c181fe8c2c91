//! What a script leaves in the session of a run: the next migration of the same run finds it.

use std::collections::BTreeSet;

use stagegate_base::config::Tool;
use stagegate_migration_decide::{Lasts, Script, SessionHabits, statements};
use tokio_postgres::Client;

use super::process::rows;
use stagegate_host::database::literal;

/// Returns the statements that set again what `script` and those before it set in the session, as far as the tool's next
/// migration finds it; `before` are the statements that were given to the script.
pub(super) async fn carried(client: &Client, tool: Tool, script: &Script, before: &str) -> String {
    // The limits are ours, whatever a script sets.
    let (own, role) = match SessionHabits::of(tool).lasts {
        Lasts::Script => return String::new(),
        Lasts::Run => ("'statement_timeout', 'client_min_messages'", "current_setting('role')"),
        Lasts::RunWithOwnPath => ("'statement_timeout', 'client_min_messages', 'search_path'", "'none'"),
    };
    let custom: BTreeSet<&str> = dotted(&script.text).chain(dotted(before)).take(CUSTOM_UP_TO).collect();
    let custom: Vec<String> = custom.into_iter().map(literal).collect();
    let question = format!(
        "select string_agg(format('select pg_catalog.set_config(%L, %L, false)', name, current_setting(name)), '; ' \
         order by name), format('set session authorization %I', session_user), format('set role %I', {role}), \
         session_user <> (select usename from pg_catalog.pg_stat_get_activity(pg_backend_pid()) a \
             join pg_catalog.pg_user u on u.usesysid = a.usesysid), {role} <> 'none' \
         from (select name from pg_catalog.pg_settings where source = 'session' and name not in ({own}) \
             union select name from unnest(array[{}]::text[]) name where current_setting(name, true) <> '') settings",
        custom.join(", ")
    );
    // What a session does not say, the next script does not find.
    let Ok(messages) = client.simple_query(&question).await else { return String::new() };
    let Some(row) = rows(&messages).next() else { return String::new() };
    let settings = row.get(0).map(str::to_owned);
    let temporary = temporary_tables(client).await;
    let prepared = prepared(client, script, before).await;
    let user = row.get(1).filter(|_| row.get(3) == Some("t")).map(str::to_owned);
    let role = row.get(2).filter(|_| row.get(4) == Some("t")).map(str::to_owned);
    [settings, temporary, prepared, user, role].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// How many names that may be settings are looked up.
const CUSTOM_UP_TO: usize = 1_000;

/// Returns the words of a text with one dot in them: a setting of the user's own may be one, and no view lists those.
// Source: PostgreSQL manual, 19.16 Customized Options: two identifiers with a dot; pg_settings leaves placeholders out.
fn dotted(text: &str) -> impl Iterator<Item = &str> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.');
    let words = text.split(move |c: char| !is_part(c));
    words.filter(|word| {
        word.split_once('.').is_some_and(|(class, name)| {
            let starts = |part: &str| part.starts_with(|c: char| c.is_alphabetic() || c == '_');
            starts(class) && starts(name) && !name.contains('.')
        })
    })
}

/// How many rows of a temporary table reach the next migration.
const ROWS_UP_TO: usize = 10_000;

/// Returns the statements that make the session's temporary tables again, with their rows: columns, defaults and NOT NULL,
/// and what else is defined on them as constraints and indexes.
async fn temporary_tables(client: &Client) -> Option<String> {
    // A default that takes the next value of a sequence is left out: that one is gone with the session.
    let question = format!(
        "select format('create temporary table %1$I (%2$s)', c.relname, (select string_agg(format('%I %s%s%s', a.attname, \
             format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' else '' end, \
             case when d.adbin is not null and pg_get_expr(d.adbin, d.adrelid) !~ 'nextval' and a.attgenerated = '' \
               then ' default ' || pg_get_expr(d.adbin, d.adrelid) else '' end), ', ' order by a.attnum) \
             from pg_catalog.pg_attribute a left join pg_catalog.pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum \
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped)), \
         format('select json_agg(r) from (select * from pg_temp.%I limit {ROWS_UP_TO}) r', c.relname), \
         format('insert into pg_temp.%1$I select * from json_populate_recordset(null::pg_temp.%1$I, ', c.relname), \
         (select string_agg(pg_get_indexdef(i.indexrelid), '; ') from pg_catalog.pg_index i where i.indrelid = c.oid) \
         from pg_catalog.pg_class c where c.relkind = 'r' and c.relpersistence = 't' \
         and c.relnamespace = pg_my_temp_schema() order by c.oid"
    );
    let messages = client.simple_query(&question).await.ok()?;
    let mut made = Vec::new();
    for table in rows(&messages) {
        made.push(table.get(0)?.to_owned());
        let found = client.simple_query(table.get(1)?).await.ok()?;
        let content = rows(&found).next().and_then(|row| row.get(0).map(str::to_owned));
        made.extend(content.map(|content| format!("{}{})", table.get(2).unwrap_or_default(), literal(&content))));
        // The schema of temporary objects has another name in every session.
        made.extend(table.get(3).map(without_schema));
    }
    (!made.is_empty()).then(|| made.join("; "))
}

/// Replaces `pg_temp_7.` by `pg_temp.`.
fn without_schema(text: &str) -> String {
    let mut parts = text.split("pg_temp_");
    let mut shown = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        shown.push_str("pg_temp");
        shown.push_str(part.trim_start_matches(|c: char| c.is_ascii_digit()));
    }
    shown
}

/// Returns the PREPAREs of the session, as the scripts have them: the server shows the whole message that one came in.
async fn prepared(client: &Client, script: &Script, before: &str) -> Option<String> {
    let question = "select name from pg_catalog.pg_prepared_statements where from_sql order by prepare_time";
    let messages = client.simple_query(question).await.ok()?;
    let names: BTreeSet<String> = rows(&messages).filter_map(|row| row.get(0).map(str::to_owned)).collect();
    let own = script.statements.iter().map(|statement| script.text_of(statement).to_owned());
    let earlier = statements(before, 1).into_iter().map(|statement| before[statement.range].to_owned());
    let is_there = |text: &String| prepares(text).is_some_and(|name| names.contains(&name));
    let found: Vec<String> = earlier.chain(own).filter(is_there).collect();
    (!found.is_empty()).then(|| found.join("; "))
}

/// Returns the name that a PREPARE gives.
fn prepares(statement: &str) -> Option<String> {
    let (word, rest) = statement.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    if !word.eq_ignore_ascii_case("prepare") {
        return None;
    }
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split_once('"').map(|(name, _)| name.to_owned()),
        None => rest.split(|c: char| c.is_whitespace() || c == '(').next().map(str::to_lowercase),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_prepared_statement_is_read_as_the_server_does() {
        assert_eq!(prepares("PREPARE Moved (int) as select $1").as_deref(), Some("moved"));
        assert_eq!(prepares("prepare \"Two Words\" as select 1").as_deref(), Some("Two Words"));
        assert_eq!(prepares("select 1"), None);
    }

    #[test]
    fn the_schema_of_temporary_objects_has_no_number() {
        assert_eq!(
            without_schema("create index i on pg_temp_31.t using btree (a)"),
            "create index i on pg_temp.t using btree (a)"
        );
    }
}
