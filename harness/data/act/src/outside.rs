//! Reads what no table holds: sequences, large objects, materialized views; and what belongs to a whole server.

use stagegate_base::mark::Mark;
use stagegate_data_decide::{
    TableFacts,
    outside::{Contents, ServerWide},
};
use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, ReadLimits, Server, failed};
use tokio_postgres::Client;

const NEXT: &str = "select format('%I.%I', schemaname, sequencename), case when last_value is null then start_value \
     else last_value + increment_by end from pg_catalog.pg_sequences order by 1";
const VIEWS: &str = "select format('%I.%I', n.nspname, c.relname) from pg_catalog.pg_class c \
     join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = 'm' and c.relispopulated order by 1";
const LARGE_OBJECTS: &str = "select count(distinct loid), coalesce(sum(pg_catalog.hashtextextended(format('%s %s %s', loid, \
     pageno, pg_catalog.encode(data, 'hex')), 20260101)::numeric), 0)::text from pg_catalog.pg_largeobject";

/// Roles with attributes and memberships, their settings in every database, tablespaces.
// Values of settings may be secrets, so that hashes of them are compared.
const ROLES: &str = "select format('role %s', quote_ident(rolname)), 'attributes', concat_ws(' ',
        case when rolsuper then 'superuser' end, case when rolcreaterole then 'createrole' end,
        case when rolcreatedb then 'createdb' end, case when rolcanlogin then 'login' end,
        case when not rolinherit then 'noinherit' end, case when rolreplication then 'replication' end,
        case when rolbypassrls then 'bypassrls' end, 'connection limit ' || nullif(rolconnlimit, -1),
        'valid until ' || rolvaliduntil)
    from pg_catalog.pg_roles where rolname !~ '^pg_'
    union all select format('role %s', quote_ident(m.rolname)), format('member of %s', quote_ident(g.rolname)),
        string_agg(case when a.admin_option then 'with admin option' else 'yes' end, ', ' order by a.admin_option)
    from pg_catalog.pg_auth_members a join pg_catalog.pg_roles m on m.oid = a.member
        join pg_catalog.pg_roles g on g.oid = a.roleid where m.rolname !~ '^pg_' group by 1, 2
    union all select coalesce(format('role %s', quote_ident(r.rolname)), 'settings of every role'),
        format('#setting %s', split_part(c, '=', 1)), encode(sha256(convert_to(c, 'UTF8')), 'hex')
    from pg_catalog.pg_db_role_setting s left join pg_catalog.pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c
    where s.setdatabase = 0
    union all select format('tablespace %s', quote_ident(spcname)), 'owner', pg_get_userbyid(spcowner)::text
    from pg_catalog.pg_tablespace where spcname !~ '^pg_'";
/// What only a superuser reads.
const RESERVED: &str = "select format('role %s', quote_ident(rolname)), '#password',
        encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex')
    from pg_catalog.pg_authid where rolpassword is not null and rolname !~ '^pg_'
    union all select format('setting %s', name), '#value', encode(sha256(convert_to(coalesce(setting, ''), 'UTF8')), 'hex')
    from pg_catalog.pg_file_settings where sourcefile like '%postgresql.auto.conf'";

/// Reads what a database holds outside of its tables.
///
/// # Errors
/// [`DatabaseError`] with what cannot be read.
pub async fn contents(server: &Server, database: &str) -> Result<Contents, DatabaseError> {
    // The contents of large objects and materialized views are read, as those of tables are.
    server.read(database, ReadLimits::TABLES, contents_of).await
}

async fn contents_of(client: &Client) -> Result<Contents, DatabaseError> {
    client.batch_execute(DATA_FACTS_SETTINGS).await.map_err(|e| failed("fix the settings of a session", &e))?;
    let mut found = Contents::default();
    for row in client.query(NEXT, &[]).await.map_err(|e| failed("read the positions of sequences", &e))? {
        found.sequences.insert(row.get(0), row.get(1));
    }
    for row in client.query(VIEWS, &[]).await.map_err(|e| failed("list materialized views", &e))? {
        let view: String = row.get(0);
        // `view` was quoted by the server (`%I.%I`).
        let sql = format!(
            "select count(*), coalesce(sum(pg_catalog.hashtextextended(whole_row::text, 20260101)::numeric), 0)::text \
             from {view} as whole_row"
        );
        let counted = counted(client, &sql).await.map_err(|e| failed(&format!("count {view}"), &e))?;
        found.views.insert(view, counted);
    }
    let may = "select has_table_privilege('pg_catalog.pg_largeobject', 'select')";
    let row = client.query_one(may, &[]).await.map_err(|e| failed("read large objects", &e))?;
    if row.get(0) {
        found.large_objects = Some(counted(client, LARGE_OBJECTS).await.map_err(|e| failed("read large objects", &e))?);
    }
    Ok(found)
}

async fn counted(client: &Client, sql: &str) -> Result<TableFacts, tokio_postgres::Error> {
    let row = client.query_one(sql, &[]).await?;
    Ok(TableFacts { rows: row.get(0), checksum: row.get(1) })
}

/// Reads what belongs to the whole server: roles, their settings and passwords (as hashes), settings of `ALTER SYSTEM`,
/// tablespaces, databases. Databases that the gate made are left out.
///
/// # Errors
/// [`DatabaseError`] where the server does not say.
pub async fn server_wide(server: &Server) -> Result<ServerWide, DatabaseError> {
    let client = server.open_session().await?;
    let mut found = ServerWide::new();
    let is_superuser = "select rolsuper from pg_catalog.pg_roles where rolname = current_user";
    let refused = |e: tokio_postgres::Error| failed("read roles and settings of the server", &e);
    let is_superuser: bool = client.query_one(is_superuser, &[]).await.map_err(refused)?.get(0);
    for sql in [Some(ROLES), Some(RESERVED).filter(|_| is_superuser)].into_iter().flatten() {
        for row in client.query(sql, &[]).await.map_err(refused)? {
            let (thing, attribute, value): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            found.entry(thing).or_default().insert(attribute, value);
        }
    }
    for database in server.databases().await? {
        if database.comment.as_deref().and_then(Mark::parse).is_none() {
            found.entry(format!("database {}", database.name)).or_default();
        }
    }
    Ok(found)
}
