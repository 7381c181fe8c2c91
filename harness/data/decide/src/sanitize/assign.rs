//! Gives each column its rule, and refuses what the rules leave open.

use std::collections::BTreeMap;

use super::{
    limits::{Limits, without_casts},
    mask::{APART, Mask, Wire},
    personal::{coordinate, personal},
    rule::{Rule, Rules, Unknown},
    suggest::by_name,
};
use crate::sync::{Column, Format, Table, quoted};

/// No replacement is longer, but for that of `text`, which is as long as its value.
const LONGEST: usize = 52;
/// How many columns without a rule are named.
const NAMED: usize = 12;

/// The rules of all columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assigned {
    /// For each table, for each column: what replaces its values here.
    pub masks: Vec<Vec<Option<Mask>>>,
    /// The columns whose values are replaced, as `schema.table.column`, each with its rule.
    pub sanitised: Vec<(String, Rule)>,
    /// Why nothing may be copied, each with the way out.
    pub refusals: Vec<String>,
}

impl Assigned {
    /// Returns the columns whose values are replaced, each with the name of its rule.
    #[must_use]
    pub fn named(&self) -> Vec<(String, String)> {
        self.sanitised.iter().map(|(column, rule)| (column.clone(), rule.name().to_owned())).collect()
    }
}

/// Gives each column of `tables` its rule: what SQL replaces is written into the table, the rest is returned.
#[must_use]
pub fn assign(tables: &mut [Table], rules: &Rules) -> Assigned {
    note_unique(tables);
    let mut assigned = Assigned { refusals: strangers(tables, rules), ..Assigned::default() };
    let decided = decided(tables, rules, &mut assigned.refusals);
    let mut unknown = Vec::new();
    for (table, decided) in tables.iter_mut().zip(decided) {
        let (label, format) = (table.label(), table.format());
        let mut masks = Vec::new();
        for (column, (rule, end)) in table.columns.iter_mut().zip(decided) {
            let name = format!("{label}.{}", column.name);
            let Some(rule) = rule else {
                if (column.is_free_text || end.is_personal) && rules.unknown == Unknown::Refuse {
                    unknown.push(format!("{name} ({})", column.type_name));
                }
                masks.push(None);
                continue;
            };
            if rule == Rule::Keep {
                masks.push(None);
                continue;
            }
            match replaced(column, &rule, format, &end) {
                Ok(mask) => {
                    column.is_sanitised = true;
                    assigned.sanitised.push((name, rule));
                    masks.push(mask);
                }
                Err(reason) => {
                    assigned.refusals.push(format!("{name}: {reason}"));
                    masks.push(None);
                }
            }
        }
        assigned.masks.push(masks);
    }
    if !unknown.is_empty() {
        let more = unknown.len().saturating_sub(NAMED);
        unknown.truncate(NAMED);
        if more > 0 {
            unknown.push(format!("and {more} more"));
        }
        assigned.refusals.push(format!(
            "no sanitisation rule for {}; run `gate sanitize suggest` and add rules (or `keep` with a reason)",
            unknown.join(", ")
        ));
    }
    assigned
}

/// Returns rules of tables and columns that do not exist: most are misspelt, and would leave values as they are.
fn strangers(tables: &[Table], rules: &Rules) -> Vec<String> {
    let mut found = Vec::new();
    for (name, columns) in &rules.tables {
        let Some(table) = tables.iter().find(|table| table.labels().any(|label| label == *name)) else {
            found.push(format!("the rules name table {name}, which does not exist or has no partition"));
            continue;
        };
        for column in columns.keys().filter(|name| !table.columns.iter().any(|column| column.name == **name)) {
            found.push(format!("the rules name column {name}.{column}, which does not exist or is computed"));
        }
    }
    found
}

/// What of the column at the end of its keys a replacement has to be made for, so that both get the same one.
struct End {
    is_unique: bool,
    max_chars: Option<usize>,
    /// Whether the numbers, days or addresses in it are those of a person.
    is_personal: bool,
    /// The range of its numbers; `None` where a check of it is not understood.
    limits: Option<Limits>,
}

/// Returns the rule of each column: its own, that of the column which it references, that of the profile.
fn decided(tables: &[Table], rules: &Rules, refusals: &mut Vec<String>) -> Vec<Vec<(Option<Rule>, End)>> {
    let mut places = BTreeMap::new();
    for table in tables {
        for column in &table.columns {
            places.insert((table.label(), column.name.clone()), column);
        }
    }
    let mut labels: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for table in tables {
        labels.insert(table.label(), table.labels().collect());
    }
    // The rule of a partitioned table is that of its partitions that have none of their own.
    let own = |table: &str, column: &str| {
        let labels = labels.get(table).into_iter().flatten();
        labels.filter_map(|label| rules.tables.get(label)).find_map(|columns| columns.get(column)).cloned()
    };
    let mut all = Vec::new();
    for table in tables {
        let label = table.label();
        let mut of_table = Vec::new();
        for column in &table.columns {
            let end = referenced(&places, (label.clone(), column.name.clone()));
            let target = places.get(&end).copied().unwrap_or(column);
            let profile = if rules.has_profile { by_name(&end.0, target) } else { None };
            let (mine, theirs) = (own(&label, &column.name), own(&end.0, &end.1).or(profile));
            let is_reference = end.0 != label || end.1 != column.name;
            // A kept column may reference a kept one that no rule names.
            let meets = mine == theirs || theirs.is_none() && mine == Some(Rule::Keep) || mine == Some(Rule::Null);
            if is_reference && mine.is_some() && !meets {
                refusals.push(format!(
                    "{label}.{} references {}.{}, which has another rule; remove one of both",
                    column.name, end.0, end.1
                ));
            }
            let is_personal = target.looks_personal || personal(&end.0, target).is_some();
            let (is_unique, max_chars) = (target.is_unique, target.max_chars);
            let end = End { is_unique, max_chars, is_personal, limits: limits(target) };
            of_table.push((mine.or(theirs), end));
        }
        all.push(of_table);
    }
    all
}

/// Follows foreign keys to the column that they end at.
fn referenced(places: &BTreeMap<(String, String), &Column>, from: (String, String)) -> (String, String) {
    let mut at = from;
    // A circle of keys has no end; any column of it will do.
    for _ in 0..16 {
        match places.get(&at).and_then(|column| column.references.clone()) {
            Some(next) if next != at && places.contains_key(&next) => at = next,
            _ => break,
        }
    }
    at
}

/// Notes the columns that expressions of unique indexes make unique, as far as replacements are known to stay apart in them.
fn note_unique(tables: &mut [Table]) {
    for column in tables.iter_mut().flat_map(|table| &mut table.columns) {
        column.unique_expressions.retain(|expression| words_of(expression).any(|word| is_name(&word, &column.name)));
        column.is_unique |= !column.unique_expressions.is_empty();
    }
}

fn words_of(expression: &str) -> impl Iterator<Item = String> {
    let plain = without_casts(expression).replace(',', " ");
    plain.split_whitespace().map(str::to_owned).collect::<Vec<_>>().into_iter()
}

fn is_name(word: &str, column: &str) -> bool {
    word == column || word == quoted(column)
}

/// Returns whether an expression is different for different replacements of the column: in other cases, cut, or as a checksum; of a
/// document one of its parts.
fn keeps_apart(expression: &str, column: &str) -> bool {
    const SAFE: [&str; 9] = ["lower", "upper", "btrim", "rtrim", "ltrim", "TRIM", "BOTH", "COALESCE", "md5"];
    let words: Vec<String> = words_of(expression).filter(|word| !SAFE.contains(&word.as_str())).collect();
    match words.as_slice() {
        [name] => is_name(name, column),
        [name, operator, _] => is_name(name, column) && matches!(operator.as_str(), "->" | "->>" | "#>" | "#>>"),
        _ => false,
    }
}

/// Returns why values of a column must stay as they are.
fn bound(column: &Column, rule: &Rule) -> Option<String> {
    if let Some(of) = &column.partition_key_of {
        let reason = "replaced values would belong to other partitions; use `keep` with a reason";
        return Some(format!("rule `{}`, and the column is part of the partition key of {of}: {reason}", rule.name()));
    }
    let expression = column.unique_expressions.iter().find(|expression| !keeps_apart(expression, &column.name))?;
    let reason = "replacements may be equal there; use `sql`, or `keep` with a reason";
    (!matches!(rule, Rule::Sql(_)))
        .then(|| format!("rule `{}`, and a unique index has the expression {expression}: {reason}", rule.name()))
}

/// Returns what replaces the column's values here; what SQL replaces is written into the column.
fn replaced(column: &mut Column, rule: &Rule, format: Format, end: &End) -> Result<Option<Mask>, String> {
    if let Some(reason) = bound(column, rule) {
        return Err(reason);
    }
    let cast = |value: &str| format!("({value})::{}", column.declared);
    match rule {
        Rule::Null if column.not_null => {
            return Err("rule `null`, and the column is NOT NULL; use `fixed` or another rule".to_owned());
        }
        Rule::Null => column.expression = Some(cast("null")),
        Rule::Fixed(_) if column.is_unique => {
            return Err("rule `fixed`, and the column is unique; use `hash` or another rule".to_owned());
        }
        Rule::Fixed(value) => column.expression = Some(cast(&literal(value))),
        Rule::Sql(expression) => column.expression = Some(cast(expression)),
        rule => return mask(column, rule, format, end).map(Some),
    }
    Ok(None)
}

/// Returns the range of a column's numbers: that of its type, its checks and, of a coordinate, of degrees.
fn limits(column: &Column) -> Option<Limits> {
    let of_type = match column.type_name.trim_end_matches("[]") {
        "int2" => Limits::between(i16::MIN.into(), i16::MAX.into()),
        "int4" => Limits::between(i32::MIN.into(), i32::MAX.into()),
        "int8" | "money" => Limits::between(i64::MIN, i64::MAX),
        _ => coordinate(column).map_or_else(Limits::default, |most| Limits::between(-i64::from(most), most.into())),
    };
    // What is checked of `money` is its amount, and what is replaced are its cents.
    if column.type_name == "money" && !column.checks.is_empty() {
        return None;
    }
    column.checks.iter().try_fold(of_type, |limits, check| limits.within(check, &column.name))
}

/// Returns the range in which a number of the column, and of the one that it references, is replaced.
fn range(column: &Column, rule: &Rule, end: &End) -> Result<Limits, String> {
    if *rule != Rule::Number {
        return Ok(Limits::default());
    }
    if column.is_unique && column.type_name.starts_with("float") {
        return Err("rule `number`: floating-point numbers of a unique column may become one; use `sql`".to_owned());
    }
    let (Some(own), Some(of_end)) = (limits(column), &end.limits) else {
        return Err(
            "rule `number`: numbers that satisfy its checks are not known; use `sql`, `null` or `fixed`".to_owned()
        );
    };
    if column.references.is_some() && own != *of_end {
        return Err("rule `number`: the column that it references has other limits; use `sql` for both".to_owned());
    }
    Ok(own)
}

fn mask(column: &Column, rule: &Rule, format: Format, end: &End) -> Result<Mask, String> {
    let element = column.type_name.trim_end_matches("[]");
    let is_array = element != column.type_name;
    let wire = wire(element, rule, format).filter(|wire| !is_array || wire.is_in_arrays()).ok_or_else(|| {
        format!("rule `{}` does not fit type {}; use `fixed`, `null` or `sql`", rule.name(), column.type_name)
    })?;
    let is_written = matches!(wire, Wire::Text | Wire::FoldedText | Wire::Json | Wire::NumberText | Wire::DateText);
    if format == Format::Text && (is_array || !is_written) {
        return Err(format!(
            "rule `{}`: the table is copied as text because of another column; use `sql`",
            rule.name()
        ));
    }
    let limits = range(column, rule, end)?;
    let own_chars = column.max_chars.unwrap_or(usize::MAX);
    let max_chars = end.max_chars.unwrap_or(usize::MAX);
    let is_unique = column.is_unique || end.is_unique;
    let needed = match rule {
        Rule::Email => APART + "@t.test".len(),
        Rule::Phone => 23,
        Rule::Uuid => 36,
        _ => APART,
    };
    let is_text = matches!(wire, Wire::Text | Wire::FoldedText) && !is_array;
    if is_text && own_chars < max_chars.min(LONGEST) {
        let room = format!("it has room for {own_chars} characters, and the column that it references for more");
        return Err(format!("rule `{}`: {room}; use `sql` for both", rule.name()));
    }
    if is_text && max_chars < needed && (is_unique || *rule == Rule::Uuid) {
        let room = format!("the column has room for {max_chars} characters, {needed} keep values apart");
        return Err(format!("rule `{}`: {room}; use `sql`", rule.name()));
    }
    let is_padded = element == "bpchar";
    Ok(Mask { rule: rule.clone(), wire, is_unique: end.is_unique, is_padded, is_array, max_chars, limits })
}

fn wire(type_name: &str, rule: &Rule, format: Format) -> Option<Wire> {
    let is_words =
        matches!(rule, Rule::Email | Rule::Phone | Rule::Name | Rule::Address | Rule::Text | Rule::Hash | Rule::Uuid);
    Some(match (type_name, rule, format) {
        ("text" | "varchar" | "bpchar" | "name", ..) if is_words => Wire::Text,
        ("citext", ..) if is_words => Wire::FoldedText,
        ("uuid", Rule::Uuid | Rule::Hash, _) => Wire::Uuid,
        ("int2" | "int4" | "int8" | "numeric" | "float4" | "float8", Rule::Number, Format::Text) => Wire::NumberText,
        ("int2" | "int4" | "int8" | "money", Rule::Number, _) | ("int2" | "int4" | "int8", Rule::Hash, _) => {
            Wire::Number
        }
        ("numeric", Rule::Number, _) => Wire::Numeric,
        ("float4" | "float8", Rule::Number, _) => Wire::Float,
        ("date" | "timestamp" | "timestamptz", Rule::DateShift, Format::Text) => Wire::DateText,
        ("date", Rule::DateShift, _) => Wire::Date,
        ("timestamp" | "timestamptz", Rule::DateShift, _) => Wire::Timestamp,
        ("inet" | "cidr", Rule::Hash, _) => Wire::Address,
        ("macaddr" | "macaddr8", Rule::Hash, _) => Wire::Hardware,
        ("bytea", Rule::Hash | Rule::Text, _) => Wire::Bytes,
        ("json", Rule::JsonPath(_), _) => Wire::Json,
        ("jsonb", Rule::JsonPath(_), _) => Wire::Jsonb,
        _ => return None,
    })
}

fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
