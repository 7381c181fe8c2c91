//! Which hash sees a value as it is written, by its type.

/// How a column's value gets into the hash of its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exact {
    /// The type's own hash tells any two values apart.
    Value,
    /// The type's own hash takes some values for equal that are written differently, such as 1.0 and 1.00: the hash
    /// of the second seed takes the text.
    ValueThenText,
    /// There is no hash of the type, or it may miss something: both seeds take the text.
    Text,
}

/// Returns how a column is hashed.
///
/// `base` is the type without domains, as `pg_type.typname`; `is_builtin` states that it stands in `pg_catalog`;
/// `has_modifier` that it has a length or a precision; `is_deterministic` is its collation's.
// Source: PostgreSQL's hash operator classes hash what `=` takes for equal: a numeric without its scale, -0 as 0, a
// day as 24 hours, an enum by its oid, which a type that was made again does not have any more.
#[must_use]
pub fn exact(base: &str, is_builtin: bool, has_modifier: bool, is_deterministic: bool) -> Exact {
    if !is_builtin {
        return if base == "citext" { Exact::ValueThenText } else { Exact::Text };
    }
    match base {
        "bool" | "int2" | "int4" | "int8" | "oid" | "uuid" | "date" | "time" | "timetz" | "timestamp"
        | "timestamptz" | "bytea" | "inet" | "cidr" | "macaddr" | "macaddr8" => Exact::Value,
        "text" | "varchar" if is_deterministic => Exact::Value,
        // With a modifier every value has the same scale, or the same length.
        "numeric" if has_modifier => Exact::Value,
        "bpchar" if has_modifier && is_deterministic => Exact::Value,
        "text" | "varchar" | "bpchar" | "numeric" | "float4" | "float8" | "interval" | "jsonb" => Exact::ValueThenText,
        _ => Exact::Text,
    }
}
