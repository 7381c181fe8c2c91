//! Which user objects there are, whatever catalog they are in: what no fact tells of is found so, in catalogs of
//! later versions too.

use std::fmt::Write;

use tokio_postgres::Row;

/// Lists the catalogs of a database whose rows are objects and that the role may read: until PostgreSQL 18 all but
/// pg_user_mapping, which a view tells of.
pub(super) const CATALOGS: &str = "select c.relname::text, c.oid from pg_class c \
     join pg_attribute a on a.attrelid = c.oid and a.attname = 'oid' \
     where c.relnamespace = 'pg_catalog'::regnamespace and c.relkind = 'r' and not c.relisshared \
     and has_column_privilege(a.attrelid, a.attnum, 'select') order by 1";

/// Objects that come with others, and those of other sessions' temporary tables.
const IMPLIED: &[(&str, &str)] = &[
    ("pg_class", "relpersistence = 't' or relnamespace in (select oid from own)"),
    (
        "pg_type",
        "typnamespace in (select oid from own) or typtype = 'm' \
         or (typtype = 'b' and typelem <> 0 and typsubscript = 'array_subscript_handler'::regproc) \
         or (typtype = 'c' and exists (select from pg_class c where c.oid = typrelid and c.relkind <> 'c'))",
    ),
    ("pg_namespace", "nspname ~ '^pg_(toast_)?temp_'"),
    ("pg_constraint", "connamespace in (select oid from own)"),
    ("pg_attrdef", "adrelid in (select oid from passing)"),
    ("pg_trigger", "tgisinternal or tgrelid in (select oid from passing)"),
    ("pg_rewrite", "ev_class in (select oid from passing)"),
    ("pg_policy", "polrelid in (select oid from passing)"),
    ("pg_proc", "pronamespace in (select oid from own)"),
    // The type tells its values.
    ("pg_enum", "true"),
];

/// Returns the query that gives class and object of every user object.
// Source: transam.h: user objects have an oid of 16384 (FirstNormalObjectId) or more.
pub(super) fn query(catalogs: &[Row]) -> String {
    let mut sql =
        "with own as (select oid from pg_namespace where nspname = 'pg_toast' or nspname ~ '^pg_(toast_)?temp_'), \
         passing as (select oid from pg_class where relpersistence = 't') \
         select 0::oid, 0::oid where false"
            .to_owned();
    for row in catalogs {
        let name: &str = row.get(0);
        let implied = IMPLIED.iter().find(|(catalog, _)| *catalog == name).map_or("false", |(_, condition)| condition);
        let _ = write!(
            sql,
            " union all select 'pg_catalog.{name}'::regclass::oid, oid from pg_catalog.{name} where oid >= 16384 and not ({implied})"
        );
    }
    sql
}
