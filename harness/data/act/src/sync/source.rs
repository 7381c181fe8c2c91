//! The side that is read: one snapshot that all sessions share, in which nothing can be written.

use std::collections::BTreeMap;

use stagegate_base::units::Size;
use stagegate_data_decide::{
    sanitize::are_cards,
    sync::{Column, End, Table, TypeFacts, Types, quoted},
};
use stagegate_host::database::{DATA_FACTS_SETTINGS, DatabaseError, ReadLimits, Server, failed, literal};
use tokio_postgres::{Client, types::Oid};

/// How many bytes at most one byte of compressed values stands for.
// Source: PostgreSQL, pg_lzcompress.c: at most 273 bytes for three; LZ4: 255 for one.
const MOST_COMPRESSED: u64 = 255;
const TABLES: &str = include_str!("facts.sql");
const COLUMNS: &str = include_str!("columns.sql");
/// The text `v` as bytes: a database without an encoding holds some that are no text.
pub(crate) const BYTES: &str =
    "convert_to(v, case getdatabaseencoding() when 'SQL_ASCII' then 'SQL_ASCII' else 'UTF8' end)";
/// Values of a column that are looked at, and rows that they are taken from.
const SAMPLES: usize = 200;
const SAMPLED: usize = 20_000;
/// Schema and name of a sequence, its last number, and whether it gave that one.
pub(crate) type SequenceState = (String, String, i64, bool);

/// A snapshot of the source that is kept open.
pub(crate) struct Snapshot {
    server: Server,
    database: String,
    limits: ReadLimits,
    pub(crate) client: Client,
    pub(crate) name: String,
}

impl Snapshot {
    /// Opens a snapshot; its sessions end by themselves after the time of a statement.
    pub(crate) async fn open(server: &Server, database: &str, limits: ReadLimits) -> Result<Self, DatabaseError> {
        let client = server.connect_within(database, limits).await?;
        begin(&client, None).await?;
        let row = client.query_one("select pg_export_snapshot()", &[]).await;
        let name = row.map_err(|e| failed("export a snapshot of the source", &e))?.get(0);
        Ok(Snapshot { server: server.clone(), database: database.to_owned(), limits, client, name })
    }

    /// Makes one more session that sees the same rows.
    pub(crate) async fn session(&self) -> Result<Client, DatabaseError> {
        let client = self.server.connect_within(&self.database, self.limits).await?;
        begin(&client, Some(&self.name)).await?;
        Ok(client)
    }

    /// Reads the tables with their columns.
    pub(crate) async fn tables(&self) -> Result<Vec<Table>, DatabaseError> {
        let types = types(&self.client).await?;
        let read = |what: &'static str| move |error: tokio_postgres::Error| failed(what, &error);
        let rows = self.client.query(TABLES, &[]).await.map_err(read("list the tables of the source"))?;
        let oids: Vec<Oid> = rows.iter().map(|row| row.get(0)).collect();
        let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
        let mut tables: Vec<Table> = rows
            .iter()
            .map(|row| Table {
                oid: row.get(0),
                schema: row.get(1),
                name: row.get(2),
                columns: Vec::new(),
                blocks: unsigned(row.get(3)),
                bytes: unsigned(row.get(4)),
                rows: estimate(row.get(7), unsigned(row.get(4))),
                has_blocks: row.get(5),
                // An extension's table begins with `where` here.
                condition: row.get::<_, Option<String>>(6).map(|text| without_where(&text).to_owned()),
                key: row.get(8),
                ancestors: row.get(9),
            })
            .collect();
        let labels: BTreeMap<Oid, (usize, String)> =
            oids.iter().enumerate().map(|(at, oid)| (*oid, (at, tables[at].label()))).collect();
        for row in self.client.query(COLUMNS, &[&oids]).await.map_err(read("list the columns of the source"))? {
            let oid: Oid = row.get(2);
            let references: Option<Oid> = row.get(8);
            let referenced: Option<String> = row.get(9);
            let column = Column {
                name: row.get(1),
                declared: row.get(3),
                type_name: types.name(oid),
                max_chars: row.get::<_, Option<i32>>(5).and_then(|chars| usize::try_from(chars).ok()),
                is_portable: types.is_portable(oid),
                is_hashable: types.is_hashable(oid),
                is_free_text: types.is_free_text(oid),
                not_null: row.get(4),
                is_unique: row.get(6),
                references: references.and_then(|oid| labels.get(&oid)).map(|(_, label)| label.clone()).zip(referenced),
                comment: row.get(7),
                checks: row.get(10),
                partition_key_of: row.get(11),
                unique_expressions: row.get(12),
                looks_personal: false,
                expression: None,
                is_sanitised: false,
            };
            let (at, _) = labels[&row.get::<_, Oid>(0)];
            tables[at].columns.push(column);
        }
        Ok(tables)
    }

    /// Notes which columns of numbers without a rule look like those of payment cards, by some of their values.
    pub(crate) async fn note_personal(&self, tables: &mut [Table]) -> Result<(), DatabaseError> {
        let may = |column: &Column| {
            matches!(column.type_name.as_str(), "int8" | "numeric") && !column.is_unique && column.references.is_none()
        };
        for table in tables {
            for at in 0..table.columns.len() {
                if may(&table.columns[at]) {
                    let values = self.samples(table, &table.columns[at].name).await?;
                    table.columns[at].looks_personal = are_cards(&values);
                }
            }
        }
        Ok(())
    }

    /// Reads some values of a column.
    pub(crate) async fn samples(&self, table: &Table, column: &str) -> Result<Vec<String>, DatabaseError> {
        let (table, column) = (table.sql(), quoted(column));
        // A column of nulls alone is not read to its end.
        let sql = format!(
            "select {BYTES} from (select left({column}::text, 200) as v from (select {column} from only {table} limit {SAMPLED}) r \
             where {column} is not null and {column}::text <> '' limit {SAMPLES}) s"
        );
        let rows = self.client.query(&sql, &[]).await.map_err(|e| failed(&format!("read values of {table}"), &e))?;
        Ok(rows.iter().map(|row| String::from_utf8_lossy(row.get(0)).into_owned()).collect())
    }

    /// Returns why tables with rows of more than `max` bytes are not copied.
    ///
    /// Only tables with values out of line are read, and of these values only the sizes.
    pub(crate) async fn large_rows(&self, tables: &[Table], max: Size) -> Result<Vec<String>, DatabaseError> {
        let may = "select c.oid from pg_class c where c.reltoastrelid <> 0 and pg_relation_size(c.reltoastrelid) > $1";
        let at_least = i64::try_from(max.0 / MOST_COMPRESSED).unwrap_or(i64::MAX);
        let rows = self.client.query(may, &[&at_least]).await.map_err(|e| failed("list large values", &e))?;
        let with_large: Vec<Oid> = rows.iter().map(|row| row.get(0)).collect();
        let mut refusals = Vec::new();
        for table in tables.iter().filter(|table| with_large.contains(&table.oid)) {
            let what = format!("read the sizes of rows of {}", table.label());
            let row = self.client.query_opt(&table.largest_row(), &[]).await.map_err(|e| failed(&what, &e))?;
            let Some((place, bytes)) = row.map(|row| (row.get::<_, String>(0), row.get::<_, i64>(1))) else { continue };
            refusals.extend(table.row_refusal(&place, Size(u64::try_from(bytes).unwrap_or_default()), max));
        }
        Ok(refusals)
    }

    /// Reads what is compared with the target before anything is copied.
    pub(crate) async fn end(&self, environment: &str) -> Result<End, DatabaseError> {
        let mut end = base(&self.client, environment, &self.database).await?;
        end.extensions = pairs(&self.client, "select extname::text, extversion from pg_extension order by 1").await?;
        end.roles = names(&self.client, ROLES).await?;
        end.hidden = names(&self.client, HIDDEN).await?;
        end.tablespaces = names(&self.client, TABLESPACES).await?;
        let row = self.client.query_one("select count(*) from pg_largeobject_metadata", &[]).await;
        end.large_objects = row.map_err(|e| failed("count large objects", &e))?.get(0);
        Ok(end)
    }

    /// Reads the last numbers of all sequences.
    pub(crate) async fn sequences(&self) -> Result<Vec<SequenceState>, DatabaseError> {
        let rows = self.client.query(SEQUENCES, &[]).await.map_err(|e| failed("list sequences", &e))?;
        let mut all = Vec::new();
        for row in rows {
            let (schema, name, sql): (String, String, String) = (row.get(0), row.get(1), row.get(2));
            let row = self.client.query_one(&sql, &[]).await;
            let row = row.map_err(|e| failed(&format!("read sequence {schema}.{name}"), &e))?;
            all.push((schema, name, row.get(0), row.get(1)));
        }
        Ok(all)
    }

    /// Returns the name of a subscription, if there is any.
    pub(crate) async fn subscription(&self) -> Result<Option<String>, DatabaseError> {
        let sql = "select subname::text from pg_subscription s join pg_database d on d.oid = s.subdbid \
                   where d.datname = current_database() limit 1";
        Ok(names(&self.client, sql).await?.pop())
    }

    /// Returns the names of the materialized views that hold rows.
    pub(crate) async fn materialized_views(&self) -> Result<Vec<String>, DatabaseError> {
        names(
            &self.client,
            "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace \
             where c.relkind = 'm' and c.relispopulated and n.nspname !~ '^pg_' order by c.oid",
        )
        .await
    }
}

/// Reads what is compared of the target.
pub(crate) async fn target_end(server: &Server, environment: &str, database: &str) -> Result<End, DatabaseError> {
    let client = server.connect_to_read(database).await?;
    let mut end = base(&client, environment, database).await?;
    end.extensions = pairs(&client, "select name::text, version from pg_available_extension_versions").await?;
    end.roles = names(&client, "select rolname::text from pg_roles").await?;
    end.tablespaces = names(&client, "select spcname::text from pg_tablespace").await?;
    Ok(end)
}

async fn base(client: &Client, environment: &str, database: &str) -> Result<End, DatabaseError> {
    let sql = "select (select system_identifier::text from pg_control_system()), pg_postmaster_start_time()::text, \
               current_setting('server_version_num')::int4";
    let row = client.query_one(sql, &[]).await.map_err(|e| failed("read the server's identity", &e))?;
    Ok(End {
        environment: environment.to_owned(),
        database: database.to_owned(),
        cluster: row.get(0),
        started: row.get(1),
        version: row.get(2),
        ..End::default()
    })
}

/// Roles that the database's objects name, in owners, rights, policies and default rights.
const ROLES: &str = "select r.rolname::text from pg_roles r where r.oid in ( \
        select refobjid from pg_shdepend where refclassid = 'pg_authid'::regclass \
            and dbid = (select oid from pg_database where datname = current_database())) order by 1";
/// Tables whose policies hold for this role too.
const HIDDEN: &str = "select format('%I.%I', n.nspname, c.relname) from pg_class c \
        join pg_namespace n on n.oid = c.relnamespace, pg_roles r \
        where c.relkind = 'r' and c.relrowsecurity and r.rolname = current_user and not r.rolsuper and not r.rolbypassrls \
            and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage')) order by 1";
const TABLESPACES: &str = "select distinct t.spcname::text from pg_class c join pg_tablespace t on t.oid = c.reltablespace \
        where t.spcname not in ('pg_default', 'pg_global') order by 1";
const SEQUENCES: &str = "select n.nspname::text, c.relname::text, \
               format('select last_value::int8, is_called from %I.%I', n.nspname, c.relname) \
        from pg_class c join pg_namespace n on n.oid = c.relnamespace \
        where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and not exists ( \
            select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \
        order by 1, 2";
const TYPES: &str = "select t.oid, t.typname::text, t.typtype::text, t.typbasetype, \
               case when t.typcategory = 'A' or t.typlen = -1 and exists (select from pg_type e where e.typarray = t.oid) \
                    then t.typelem else 0::oid end, \
               coalesce(r.rngsubtype, m.rngsubtype, 0::oid), t.typsend <> 0 and t.typreceive <> 0, \
               array(select a.atttypid from pg_attribute a \
                     where a.attrelid = t.typrelid and a.attnum > 0 and not a.attisdropped and t.typrelid <> 0) \
        from pg_type t left join pg_range r on r.rngtypid = t.oid left join pg_range m on m.rngmultitypid = t.oid";

async fn begin(client: &Client, snapshot: Option<&str>) -> Result<(), DatabaseError> {
    let share = snapshot.map(|name| format!("set transaction snapshot {};", literal(name))).unwrap_or_default();
    let sql = format!(
        "begin transaction isolation level repeatable read read only; {share} {DATA_FACTS_SETTINGS}; \
         set synchronize_seqscans = off; set jit = off"
    );
    client.batch_execute(&sql).await.map_err(|e| failed("begin a snapshot of the source", &e))
}

/// Lets bytes of a database without an encoding pass as they are.
pub(crate) async fn without_conversion(client: &Client) -> Result<(), DatabaseError> {
    let sql = "select pg_catalog.set_config('client_encoding', 'SQL_ASCII', false) \
               where current_setting('server_encoding') = 'SQL_ASCII'";
    client.query(sql, &[]).await.map(drop).map_err(|e| failed("set the encoding of a session", &e))
}

async fn types(client: &Client) -> Result<Types, DatabaseError> {
    let rows = client.query(TYPES, &[]).await.map_err(|e| failed("list types", &e))?;
    let one = |row: &tokio_postgres::Row| {
        let kind: String = row.get(2);
        let facts = TypeFacts {
            name: row.get(1),
            kind: kind.chars().next().unwrap_or('b'),
            base: row.get(3),
            element: row.get(4),
            subtype: row.get(5),
            has_binary: row.get(6),
            attributes: row.get(7),
        };
        (row.get(0), facts)
    };
    Ok(Types(rows.iter().map(one).collect()))
}

async fn names(client: &Client, sql: &str) -> Result<Vec<String>, DatabaseError> {
    let rows = client.query(sql, &[]).await.map_err(|e| failed("read the catalogs", &e))?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

async fn pairs(client: &Client, sql: &str) -> Result<Vec<(String, String)>, DatabaseError> {
    let rows = client.query(sql, &[]).await.map_err(|e| failed("read the catalogs", &e))?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

/// Returns the number of rows of a table; one that was never analyzed has rows of 100 bytes.
fn estimate(reported: f64, bytes: u64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and not below zero")]
    if reported < 0.0 { bytes / 100 } else { reported as u64 }
}

fn without_where(text: &str) -> &str {
    let trimmed = text.trim();
    match trimmed.get(..5) {
        Some(word) if word.eq_ignore_ascii_case("where") => trimmed[5..].trim(),
        _ => trimmed,
    }
}
