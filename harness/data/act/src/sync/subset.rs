//! Finds the rows of a subset in the snapshot: the source answers each step by the places of rows, and is only read.
//!
//! Places (`ctid`) stay what they are: no row that the snapshot sees is moved or removed while a session of it has read the
//! table.

use std::{collections::BTreeMap, pin::pin};

use bytes::BytesMut;
use futures_util::TryStreamExt;
use stagegate_data_decide::sync::{
    Table,
    subset::{Closure, Direction, ForeignKey, Relation, RowPlace, Selected, Slice, Step, SubsetFile},
};
use stagegate_host::database::{DatabaseError, failed};
use tokio_postgres::{
    Client,
    types::{FromSql, IsNull, Kind, Oid, ToSql, Type, to_sql_checked},
};

use super::source::Snapshot;

const RELATIONS: &str = include_str!("relations.sql");
const KEYS: &str = include_str!("keys.sql");
/// Rows whose references one statement follows.
const STEP_ROWS: usize = 100_000;

/// Finds what the subset holds of each table, or why it cannot be copied.
pub(super) async fn selected(
    snapshot: &Snapshot,
    tables: &[Table],
    file: &SubsetFile,
) -> Result<Result<Vec<Selected>, Vec<String>>, DatabaseError> {
    let client = &snapshot.client;
    let relations = relations(client, tables).await?;
    let keys = keys(client, &relations).await?;
    let slice = match Slice::new(file, tables, relations, &keys) {
        Ok(slice) => slice,
        Err(wrong) => return Ok(Err(wrong)),
    };
    let places: BTreeMap<Oid, usize> = tables.iter().enumerate().map(|(at, table)| (table.oid, at)).collect();
    let mut closure = Closure::new(&slice, tables.len());
    let (mut roots, mut of) = (0, 0);
    for (root, condition) in &slice.roots {
        let relation = &slice.relations[*root];
        let sql = format!("select tableoid, ctid from {} where ({condition})", relation.sql());
        let what = format!("find the rows of root {}", relation.label());
        for (oid, rows) in rows(client, &sql, None, &what).await? {
            roots += rows.len() as u64;
            if let Some(table) = places.get(&oid) {
                closure.begin(*table, &rows);
            }
        }
        of += relation.leaves.iter().map(|leaf| tables[*leaf].rows).sum::<u64>();
    }
    closure.set_limit(slice.limit(roots, of, tables.iter().map(|table| table.rows).sum()));
    while let Some(step) = closure.next_step() {
        for (oid, rows) in found(client, &slice, tables, &step).await? {
            let Some(table) = places.get(&oid) else { continue };
            if let Err(explosion) = closure.found(&step, *table, &rows) {
                return Ok(Err(vec![explosion.to_string()]));
            }
        }
    }
    Ok(Ok(closure.selected()))
}

type RowsByTable = BTreeMap<Oid, Vec<RowPlace>>;

/// Runs a step, in parts where it follows many rows.
async fn found(client: &Client, slice: &Slice, tables: &[Table], step: &Step) -> Result<RowsByTable, DatabaseError> {
    let (edge, leaf) = (&slice.edges[step.edge], &tables[step.table]);
    let sql = match step.direction {
        Direction::Up => edge.up(&slice.relations, leaf, step.rows.is_none()),
        Direction::Down => edge.down(&slice.relations, leaf, step.rows.is_none()),
    };
    let what = format!("follow {} from {}", edge.label, leaf.label());
    let Some(all) = &step.rows else { return rows(client, &sql, None, &what).await };
    let mut found = RowsByTable::new();
    for some in all.chunks(STEP_ROWS) {
        for (oid, mut more) in rows(client, &sql, Some(some), &what).await? {
            found.entry(oid).or_default().append(&mut more);
        }
    }
    Ok(found)
}

async fn rows(
    client: &Client,
    sql: &str,
    places: Option<&[RowPlace]>,
    what: &str,
) -> Result<RowsByTable, DatabaseError> {
    let refused = |e| failed(what, &e);
    let places = places.map(Places);
    let parameters: Vec<&(dyn ToSql + Sync)> = places.iter().map(|one| one as &(dyn ToSql + Sync)).collect();
    let stream = client.query_raw(sql, parameters).await.map_err(refused)?;
    let mut stream = pin!(stream);
    let mut found = RowsByTable::new();
    while let Some(row) = stream.try_next().await.map_err(refused)? {
        let place: SqlRowPlace = row.get(1);
        found.entry(row.get(0)).or_default().push(place.0);
    }
    Ok(found)
}

async fn relations(client: &Client, tables: &[Table]) -> Result<Vec<Relation>, DatabaseError> {
    let rows = client.query(RELATIONS, &[]).await.map_err(|e| failed("list the partitions of the source", &e))?;
    let place = |oid: Oid| tables.iter().position(|table| table.oid == oid);
    let relation = |row: &tokio_postgres::Row| Relation {
        oid: row.get(0),
        schema: row.get(1),
        name: row.get(2),
        is_partitioned: row.get(3),
        leaves: row.get::<_, Vec<Oid>>(4).into_iter().filter_map(place).collect(),
    };
    Ok(rows.iter().map(relation).collect())
}

async fn keys(client: &Client, relations: &[Relation]) -> Result<Vec<ForeignKey>, DatabaseError> {
    let rows = client.query(KEYS, &[]).await.map_err(|e| failed("list the foreign keys of the source", &e))?;
    let place = |oid: Oid| relations.iter().position(|relation| relation.oid == oid);
    let key = |row: &tokio_postgres::Row| {
        let (child, parent) = (place(row.get(0))?, place(row.get(1))?);
        Some(ForeignKey { child, parent, columns: row.get(2), join: row.get(3) })
    };
    Ok(rows.iter().filter_map(key).collect())
}

/// Places of rows as a parameter.
#[derive(Debug)]
pub(super) struct Places<'a>(pub(super) &'a [RowPlace]);

// Source: PostgreSQL, tidsend and array_recv: block and place, big-endian, within a one-dimensional array.
impl ToSql for Places<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        let count = i32::try_from(self.0.len())?;
        for number in [1, 0, i32::try_from(Type::TID.oid())?, count, 1] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        for row in self.0 {
            out.extend_from_slice(&6_i32.to_be_bytes());
            out.extend_from_slice(&row.block.to_be_bytes());
            out.extend_from_slice(&row.item.to_be_bytes());
        }
        Ok(IsNull::No)
    }

    fn accepts(of: &Type) -> bool {
        matches!(of.kind(), Kind::Array(element) if *element == Type::TID)
    }

    to_sql_checked!();
}

struct SqlRowPlace(RowPlace);

impl<'a> FromSql<'a> for SqlRowPlace {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let (block, item) = raw.split_first_chunk::<4>().ok_or("a place of less than 6 bytes")?;
        let item: [u8; 2] = item.try_into()?;
        Ok(SqlRowPlace(RowPlace { block: u32::from_be_bytes(*block), item: u16::from_be_bytes(item) }))
    }

    fn accepts(of: &Type) -> bool {
        *of == Type::TID
    }
}
