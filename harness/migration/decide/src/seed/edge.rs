//! Values at the edges of their types: what a migration that changes values may change, and ordinary rows do not show.
//!
//! In: a column and the number of a row. Out: values to try in its place, the best one first: blanks around, mixed case,
//! letters beyond ASCII, the longest and the shortest, negative, large and broken numbers, fractions of seconds, doubles
//! where the table takes them, nulls. What the table refuses stays as it was. The same for the same row, always.

use super::{Column, Name, Schema, Table, Type};

/// A text long enough to be cut by most limits, with all that trims and cases change.
const LONG: usize = 300;
/// After so many rows the edges come again.
pub const EDGES: usize = 8;

/// Returns the columns of a table whose values may be put at the edge: not those that keys to and from other tables hold,
/// that a sequence feeds, that are computed, or that choose a partition.
#[must_use]
pub fn free_columns<'a>(schema: &'a Schema, name: &Name) -> Vec<&'a Column> {
    let Some(table) = schema.tables.get(name) else { return Vec::new() };
    let refers = |column: &str| table.foreign.iter().any(|key| key.columns.iter().any(|one| one == column));
    let is_met = |column: &str| {
        let keys = schema.tables.values().flat_map(|other| &other.foreign);
        keys.filter(|key| key.to == *name).any(|key| key.to_columns.iter().any(|one| one == column))
    };
    let is_free = |column: &&Column| {
        let own = column.name.as_str();
        let is_fixed = column.is_generated || column.is_counted || table.partition_key.iter().any(|key| key == own);
        !is_fixed && !refers(own) && !is_met(own)
    };
    table.columns.iter().filter(is_free).collect()
}

/// Returns what is to be tried for a value of row `number`, whose value is `plain` so far; nothing where it stays.
#[must_use]
pub fn edges(
    schema: &Schema,
    table: &Table,
    column: &Column,
    number: usize,
    plain: Option<&str>,
) -> Vec<Option<String>> {
    let (Some(found), modifier, _) = schema.base(column) else { return Vec::new() };
    let is_unique = table.uniques.iter().any(|unique| unique.columns.contains(&column.name));
    let at = number % EDGES;
    let mut all: Vec<Option<String>> = match at {
        0 => Vec::new(),
        // A double of row 1.
        4 if !is_unique => of_type(schema, found, modifier, 1, 1, plain).into_iter().map(Some).collect(),
        _ => of_type(schema, found, modifier, at, number, plain).into_iter().map(Some).collect(),
    };
    if at == 7 && !column.not_null {
        all.insert(0, None);
    }
    all
}

fn of_type(schema: &Schema, found: &Type, modifier: i32, at: usize, number: usize, plain: Option<&str>) -> Vec<String> {
    if found.is_array {
        let of = schema.types.get(&found.of).map_or("", |of| of.name.as_str());
        return array(of, at);
    }
    let one = |text: &str| vec![text.to_owned()];
    match found.name.as_str() {
        "text" | "varchar" | "bpchar" | "citext" => text(modifier, at, number, plain),
        "int2" => whole(300, at, number),
        "int4" => whole(70_001, at, number),
        "int8" => whole(3_000_000_001, at, number),
        "numeric" => broken(modifier, at, number),
        "float4" | "float8" => broken(-1, at, number),
        "timestamptz" => moment(at).into_iter().map(|moment| format!("{moment}+00")).collect(),
        "timestamp" => moment(at).into_iter().map(str::to_owned).collect(),
        "date" => match at {
            1 | 4 => one("1969-12-31"),
            2 => one("2038-01-20"),
            3 => one("2024-02-29"),
            _ => Vec::new(),
        },
        "time" if at < 4 => vec![format!("23:59:5{at}.99999{at}")],
        "interval" if at < 4 => vec![format!("-{at} days 02:03:04.567")],
        "json" => match at {
            1 => one("{\"b\": 1, \"a\": 2, \"a\": 3,  \"c\" : 1.10}"),
            2 => one("{\"a\": null, \"nested\": {\"X\": [\"\u{e9}\", \" \"]}}"),
            _ => Vec::new(),
        },
        "jsonb" => match at {
            1 => one("{\"b\": 1.10, \"A\": \" Mixed \"}"),
            2 => one("{\"a\": null, \"nested\": {\"X\": [\"\u{e9}\", \" \"]}}"),
            _ => Vec::new(),
        },
        "bytea" => match at {
            1 => one("\\x00ff10"),
            2 => vec![format!("\\x{}", "ab".repeat(LONG))],
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// Texts; where a form is refused, such as of a mail address, the plain one in another case.
fn text(modifier: i32, at: usize, number: usize, plain: Option<&str>) -> Vec<String> {
    let most = usize::try_from(modifier - 4).ok();
    let long = || "Aa9 \u{e9}-".chars().cycle().take(most.unwrap_or(LONG).clamp(1, 2_000) - 1).chain(['Z']).collect();
    let value = match at {
        1 => format!("  MiXed Case {number}  "),
        2 => long(),
        3 => format!("\u{dc}n\u{ef}c\u{f6}d\u{e9} \u{540d} {number}"),
        4 => format!("Trailing {number} \t"),
        5 => String::new(),
        6 => format!("-1,234.50 (0)30/{number}  x"),
        _ => format!("\tTab {number}\n"),
    };
    let fits = |value: String| value.chars().take(most.unwrap_or(usize::MAX)).collect::<String>();
    let cased = plain.map(|plain| {
        let mut letters = plain.chars();
        letters.next().map(|first| first.to_uppercase().chain(letters).collect::<String>()).unwrap_or_default()
    });
    [Some(value), cased.filter(|cased| Some(cased.as_str()) != plain)].into_iter().flatten().map(fits).collect()
}

fn whole(large: i64, at: usize, number: usize) -> Vec<String> {
    let number = i64::try_from(number).unwrap_or(0);
    let value = match at {
        1 | 4 => -4 - number,
        2 => large,
        3 => 0,
        6 => large + 1,
        _ => return Vec::new(),
    };
    vec![value.to_string(), value.unsigned_abs().to_string()]
}

// Source: numeric.h: the modifier is (precision << 16 | scale) + 4.
fn broken(modifier: i32, at: usize, number: usize) -> Vec<String> {
    let packed = usize::try_from(modifier - 4).ok();
    let (digits, scale) = packed.map_or((16, 6), |packed| (packed >> 16, packed & 0x7ff));
    let room = digits.saturating_sub(scale);
    let fraction = "987654321".chars().cycle().take(scale).collect::<String>();
    let dot = if scale > 0 { "." } else { "" };
    let value = match at {
        1 | 4 if room > 0 => format!("-{}{dot}{fraction}", 1 + number % 9),
        2 if room > 0 => format!("{}{dot}{fraction}", "7".repeat(room.min(6))),
        3 => "0".to_owned(),
        6 => format!("0{dot}{fraction}"),
        _ => return Vec::new(),
    };
    vec![value.clone(), value.trim_start_matches('-').to_owned()]
}

fn moment(at: usize) -> Option<&'static str> {
    match at {
        1 | 4 => Some("1969-12-31 23:59:59.123456"),
        2 => Some("2038-01-19 03:14:08.654321"),
        3 => Some("2024-02-29 12:34:56.789012"),
        5 => Some("2024-03-31 01:59:59.999999"),
        6 => Some("2024-12-31 23:30:00.5"),
        _ => None,
    }
}

fn array(of: &str, at: usize) -> Vec<String> {
    let value = match (of, at) {
        ("text" | "varchar", 1) => "{\"B \",\"a\",\"a\",NULL}",
        ("int2" | "int4" | "int8" | "numeric", 1) => "{3,1,1,-2}",
        (_, 3) => "{}",
        _ => return Vec::new(),
    };
    vec![value.to_owned()]
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn schema(of: &str) -> Schema {
        let found = Type { name: of.to_owned(), kind: "b".to_owned(), ..Type::default() };
        Schema { types: [(1, found)].into(), ..Schema::default() }
    }

    fn values(of: &str, modifier: i32, is_unique: bool) -> Vec<Option<String>> {
        let column = Column { name: "v".to_owned(), of_type: 1, modifier, ..Column::default() };
        let unique = super::super::Unique { name: "u".to_owned(), columns: vec!["v".to_owned()] };
        let table = Table { uniques: if is_unique { vec![unique] } else { Vec::new() }, ..Table::default() };
        let first = |row| edges(&schema(of), &table, &column, row, Some("v 1")).into_iter().next();
        (0..EDGES).filter_map(first).collect()
    }

    #[rstest]
    #[case::text("text", -1)]
    #[case::varchar("varchar", 259)]
    #[case::int("int8", -1)]
    #[case::numeric("numeric", ((10 << 16) | 4) + 4)]
    #[case::time("timestamptz", -1)]
    fn values_have_doubles_only_where_the_table_takes_them(#[case] of: &str, #[case] modifier: i32) {
        let distinct = |all: &[Option<String>]| all.iter().collect::<std::collections::BTreeSet<_>>().len();
        let (many, unique) = (values(of, modifier, false), values(of, modifier, true));
        assert!(distinct(&many) < many.len(), "{many:?}");
        assert!(of == "timestamptz" || distinct(&unique) == unique.len(), "{unique:?}");
        assert_eq!(many, values(of, modifier, false), "the same each time");
    }

    #[test]
    fn a_text_is_as_long_as_its_column_takes() {
        let longest =
            |modifier| values("varchar", modifier, false).into_iter().flatten().map(|v| v.chars().count()).max();
        assert_eq!(longest(259), Some(255));
        assert_eq!(longest(4 + 3), Some(3));
    }
}
