//! Puts values at the edges of their types into generated rows; what a table refuses stays as it was.

use std::collections::BTreeMap;

use stagegate_migration_decide::seed::{Ordered, Values, edges, free_columns, literal};

use super::{Run, rows};
use stagegate_host::database::DatabaseError;

/// A column's name, and what is tried in it.
type Tries = (String, Vec<Option<String>>);

impl Run<'_> {
    /// Changes the rows of a table, at once where it takes that; returns where they are then.
    pub(super) async fn edges(
        &self,
        turn: &Ordered,
        places: Vec<String>,
        values: &[Values],
    ) -> Result<Vec<String>, DatabaseError> {
        let table = &self.schema.tables[&turn.table];
        let columns = free_columns(self.schema, &turn.table);
        let tries = |number: usize| -> Vec<Tries> {
            let plain = |name: &str| values.get(number).and_then(|row| row.get(name)?.as_deref());
            let one = |name: &str, tried: Vec<Option<String>>| (!tried.is_empty()).then(|| (name.to_owned(), tried));
            let of = columns
                .iter()
                .filter_map(|column| one(&column.name, edges(self.schema, table, column, number, plain(&column.name))));
            of.collect()
        };
        let all: Vec<Vec<Tries>> = (0..places.len()).map(tries).collect();
        let firsts = |tries: &Vec<Tries>| -> BTreeMap<String, Option<String>> {
            tries.iter().filter_map(|(name, tried)| Some((name.clone(), tried.first()?.clone()))).collect()
        };
        let updates = places.iter().zip(&all).filter(|(_, tries)| !tries.is_empty());
        let whole: Vec<String> = updates.map(|(place, tries)| update(&turn.table, place, &firsts(tries))).collect();
        if let Some(moved) = self.changed(&whole).await? {
            let mut moved = moved.into_iter();
            let is_moved = |tries: &Vec<Tries>| !tries.is_empty();
            return Ok(places
                .into_iter()
                .zip(&all)
                .map(|(place, tries)| if is_moved(tries) { moved.next().unwrap_or(place) } else { place })
                .collect());
        }
        let mut now = Vec::new();
        for (place, tries) in places.into_iter().zip(&all) {
            now.push(self.row_edges(turn, place, tries).await?);
        }
        Ok(now)
    }

    /// Changes a row value by value, each in the first way that the table takes.
    async fn row_edges(&self, turn: &Ordered, mut place: String, tries: &[Tries]) -> Result<String, DatabaseError> {
        for (name, tried) in tries {
            for value in tried {
                let sql = update(&turn.table, &place, &BTreeMap::from([(name.clone(), value.clone())]));
                if let Some(moved) = self.changed(&[sql]).await? {
                    place = moved.into_iter().next().unwrap_or(place);
                    break;
                }
            }
        }
        Ok(place)
    }

    /// Runs updates together and returns where their rows are then; `None` where one of them is refused or changes none.
    async fn changed(&self, updates: &[String]) -> Result<Option<Vec<String>>, DatabaseError> {
        if updates.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let sql = format!("savepoint stagegate_row; {}; release savepoint stagegate_row", updates.join("; "));
        match self.client.simple_query(&sql).await {
            Ok(messages) => {
                let place = |row: &tokio_postgres::SimpleQueryRow| Some(format!("{} {}", row.get(0)?, row.get(1)?));
                let moved: Vec<String> = rows(&messages).filter_map(place).collect();
                Ok((moved.len() == updates.len()).then_some(moved))
            }
            Err(error) => {
                self.undo_row(&error).await?;
                Ok(None)
            }
        }
    }
}

fn update(table: &str, place: &str, values: &BTreeMap<String, Option<String>>) -> String {
    let (ctid, oid) = place.split_once(' ').unwrap_or((place, "0"));
    let assign = |(name, value): (&String, &Option<String>)| {
        let value = value.as_deref().map_or("null".to_owned(), literal);
        format!("\"{}\" = {value}", name.replace('"', "\"\""))
    };
    let set: Vec<String> = values.iter().map(assign).collect();
    format!("update {table} set {} where ctid = '{ctid}' and tableoid = {oid} returning ctid, tableoid", set.join(", "))
}
