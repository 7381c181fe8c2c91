//! Reads how tables hang together, so that it is known which ones a migration may change.

use stagegate_migration_decide::Tables;
use tokio_postgres::Client;

use stagegate_host::database::{DatabaseError, failed};

/// Tables, views and routines of the user's, without members of extensions.
const THINGS: &str = "select format('%I.%I', n.nspname, c.relname), c.relname::text, c.relkind in ('r', 'p'), \
         exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) \
           or exists (select from pg_catalog.pg_rewrite r where r.ev_class = c.oid and c.relkind in ('r', 'p')) \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     where c.oid >= 16384 and c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname !~ '^pg_' \
     union all \
     select '', p.proname::text, false, false from pg_catalog.pg_proc p where p.oid >= 16384 and not exists (\
         select from pg_catalog.pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e')";

const EDGES: &str = "select format('%I.%I', n.nspname, c.relname), format('%I.%I', m.nspname, d.relname), e.is_key \
     from (select conrelid, confrelid, true from pg_catalog.pg_constraint where contype = 'f' \
           union all select inhrelid, inhparent, false from pg_catalog.pg_inherits) e (a, b, is_key) \
     join pg_catalog.pg_class c on c.oid = e.a join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
     join pg_catalog.pg_class d on d.oid = e.b join pg_catalog.pg_namespace m on m.oid = d.relnamespace \
     where c.oid >= 16384 and c.relkind in ('r', 'p')";

/// Reads them.
///
/// # Errors
/// [`DatabaseError`] where the catalog cannot be read.
pub(super) async fn tables(client: &Client) -> Result<Tables, DatabaseError> {
    let (things, edges) = futures_util::try_join!(client.query(THINGS, &[]), client.query(EDGES, &[]))
        .map_err(|e| failed("read the references between tables", &e))?;
    let mut tables = Tables::default();
    for row in things {
        let (name, bare): (String, String) = (row.get(0), row.get(1));
        if row.get(2) {
            tables.all.insert(name, (bare, row.get(3)));
        } else {
            tables.others.insert(bare);
        }
    }
    for row in edges {
        let pair = (row.get(0), row.get(1));
        if row.get(2) { tables.keys.push(pair) } else { tables.heirs.push(pair) }
    }
    Ok(tables)
}
