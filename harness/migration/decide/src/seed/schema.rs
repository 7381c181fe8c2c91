//! What the catalog tells of tables and types.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `schema.table`, as the server quotes it.
pub type Name = String;

/// All tables and types of a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Schema {
    /// The tables that rows are put into, a partitioned one for all of its partitions.
    pub tables: BTreeMap<Name, Table>,
    /// The types, by oid.
    pub types: BTreeMap<u32, Type>,
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Table {
    /// Its columns, in their order.
    pub columns: Vec<Column>,
    /// Keys, unique constraints and indexes, exclusions.
    pub uniques: Vec<Unique>,
    /// Its check constraints.
    pub checks: Vec<Check>,
    /// Its foreign keys.
    pub foreign: Vec<Foreign>,
    /// The columns that it is partitioned by.
    pub partition_key: Vec<String>,
    /// The bounds of its partitions, as the server writes them.
    pub bounds: Vec<String>,
    /// Whether it has rows.
    pub has_rows: bool,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name, unquoted.
    pub name: String,
    /// The oid of its type.
    pub of_type: u32,
    /// The type's modifier; -1 where there is none.
    pub modifier: i32,
    /// Whether it takes no null.
    pub not_null: bool,
    /// Whether it is computed from others.
    pub is_generated: bool,
    /// Whether a sequence gives its values, or an identity does.
    pub is_counted: bool,
}

/// A constraint or an index that keeps rows apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Unique {
    /// Its name, as a refusal reports it.
    pub name: String,
    /// Its columns; those within expressions too.
    pub columns: Vec<String>,
}

/// A check constraint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Check {
    /// Its name, as a refusal reports it.
    pub name: String,
    /// The expression, as the server writes it.
    pub expression: String,
    /// The columns that it reads; none for a domain's.
    #[serde(default)]
    pub columns: Vec<String>,
}

/// A foreign key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Foreign {
    /// Its name.
    pub name: String,
    /// The columns.
    pub columns: Vec<String>,
    /// The table that is referred to.
    pub to: Name,
    /// The columns that are referred to, in the order of `columns`.
    pub to_columns: Vec<String>,
    /// Whether it can be checked at the end of the transaction.
    pub is_deferrable: bool,
}

/// A type.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Type {
    /// Its name, as `pg_type.typname`.
    pub name: String,
    /// `pg_type.typtype`: b base, c composite, d domain, e enum, r range, m multirange.
    pub kind: String,
    /// Element of an array, base of a domain, subtype of a range, range of a multirange; 0 where there is none.
    pub of: u32,
    /// Whether it is an array.
    pub is_array: bool,
    /// Modifier of a domain's base.
    pub modifier: i32,
    /// Whether a domain takes no null.
    pub not_null: bool,
    /// Labels of an enum, in order.
    pub labels: Vec<String>,
    /// Types of a composite's columns.
    pub parts: Vec<u32>,
    /// Checks of a domain.
    pub checks: Vec<Check>,
}

impl Schema {
    /// Returns a column's type without domains, its modifier, and the domains on the way.
    #[must_use]
    pub fn base(&self, column: &Column) -> (Option<&Type>, i32, Vec<&Type>) {
        let (mut oid, mut modifier, mut domains) = (column.of_type, column.modifier, Vec::new());
        while let Some(found) = self.types.get(&oid) {
            if found.kind != "d" || domains.len() > 32 {
                return (Some(found), modifier, domains);
            }
            domains.push(found);
            modifier = if modifier == -1 { found.modifier } else { modifier };
            oid = found.of;
        }
        (None, modifier, domains)
    }
}

impl Table {
    /// Returns a column by its name.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// Returns whether all columns of a foreign key take a null.
    #[must_use]
    pub fn is_optional(&self, foreign: &Foreign) -> bool {
        foreign.columns.iter().any(|name| self.column(name).is_some_and(|column| !column.not_null))
    }
}
