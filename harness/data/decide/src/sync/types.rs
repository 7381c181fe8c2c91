//! What a type allows: whether its binary form means the same in another database, whether rows of it can be hashed.

use std::collections::BTreeMap;

/// Object ids below are the server's own, and alike in every database.
const FIRST_OWN: u32 = 16_384;
/// Types whose hash is the same on every server, arrays of them included. An enum's is that of an object id.
const HASHABLE: [&str; 27] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "text",
    "varchar",
    "bpchar",
    "name",
    "char",
    "bytea",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "inet",
    "cidr",
    "macaddr",
    "macaddr8",
    "oid",
    "jsonb",
    "pg_lsn",
];
/// Types whose values are numbers, times or numbers of objects. What a column of any other type holds, also one of an extension, is known by
/// a rule alone: people write text into it, or it holds a place or an address.
const HARMLESS: [&str; 22] = [
    "bool",
    "int2",
    "int4",
    "int8",
    "float4",
    "float8",
    "numeric",
    "money",
    "date",
    "time",
    "timetz",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "oid",
    "pg_lsn",
    "xid",
    "xid8",
    "cid",
    "tid",
    "oidvector",
];

/// A row of `pg_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeFacts {
    /// Its name.
    pub name: String,
    /// `typtype`: b, c, d, e, m, p, r.
    pub kind: char,
    /// Of a domain: the type that it restricts; else 0.
    pub base: u32,
    /// Of an array: the type of its elements; else 0.
    pub element: u32,
    /// Of a range or multirange: the type of its bounds; else 0.
    pub subtype: u32,
    /// Whether it has a binary form.
    pub has_binary: bool,
    /// Of a composite type: the types of its attributes.
    pub attributes: Vec<u32>,
}

/// The types of a database by their object ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types(pub BTreeMap<u32, TypeFacts>);

impl Types {
    fn of(&self, oid: u32) -> Option<&TypeFacts> {
        self.0.get(&oid)
    }

    /// Returns the type that a domain restricts, through all domains; else the type itself.
    #[must_use]
    pub fn without_domain(&self, oid: u32) -> u32 {
        match self.of(oid) {
            Some(facts) if facts.kind == 'd' => self.without_domain(facts.base),
            _ => oid,
        }
    }

    /// Returns whether the binary form means the same in another database: it may hold no object ids of this one.
    // Source: PostgreSQL, arrayfuncs.c and rowtypes.c: array_send and record_send write the object ids of their parts.
    #[must_use]
    pub fn is_portable(&self, oid: u32) -> bool {
        let Some(facts) = self.of(oid) else { return false };
        match facts.kind {
            'd' => self.is_portable(facts.base),
            'e' => true,
            'r' | 'm' => self.is_portable(facts.subtype),
            'b' if facts.element != 0 => facts.element < FIRST_OWN && self.is_portable(facts.element),
            'b' => facts.has_binary && (!facts.name.starts_with("reg") || oid >= FIRST_OWN),
            _ => false,
        }
    }

    /// Returns whether the hash of a value is the same in another database.
    #[must_use]
    pub fn is_hashable(&self, oid: u32) -> bool {
        let Some(facts) = self.of(oid) else { return false };
        match facts.kind {
            'd' => self.is_hashable(facts.base),
            'b' if facts.element != 0 => facts.element < FIRST_OWN && self.is_hashable(facts.element),
            'b' => oid < FIRST_OWN && HASHABLE.contains(&facts.name.as_str()),
            _ => false,
        }
    }

    /// Returns whether people may write anything into a value, also in a part of it.
    #[must_use]
    pub fn is_free_text(&self, oid: u32) -> bool {
        let Some(facts) = self.of(oid) else { return true };
        match facts.kind {
            'd' => self.is_free_text(facts.base),
            'c' => facts.attributes.iter().any(|part| self.is_free_text(*part)),
            'r' | 'm' => self.is_free_text(facts.subtype),
            'b' if facts.element != 0 => self.is_free_text(facts.element),
            // Names of objects, such as `regclass`, are those of the schema.
            'b' if oid < FIRST_OWN && facts.name.starts_with("reg") => false,
            'b' => oid >= FIRST_OWN || !HARMLESS.contains(&facts.name.as_str()),
            'e' => false,
            _ => true,
        }
    }

    /// Returns the name of the type that a value is of in the end, domains left out; of an array with `[]`.
    #[must_use]
    pub fn name(&self, oid: u32) -> String {
        match self.of(self.without_domain(oid)) {
            Some(facts) if facts.element != 0 => format!("{}[]", self.name(facts.element)),
            Some(facts) if facts.kind == 'e' => "enum".to_owned(),
            Some(facts) if facts.kind == 'c' => "composite".to_owned(),
            Some(facts) => facts.name.clone(),
            None => String::new(),
        }
    }
}
