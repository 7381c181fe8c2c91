//! What checks ask of single columns, read from their expressions.

use std::collections::BTreeMap;

use super::{
    Column, Schema, Table,
    expression::{Expression, literals, read},
};

/// What a column's values have to be.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// One of these.
    pub(super) one_of: Vec<String>,
    /// None of these.
    pub(super) none_of: Vec<String>,
    /// At least, as the literal stands there.
    pub(super) least: Option<String>,
    /// At most.
    pub(super) most: Option<String>,
    /// Whether the ends themselves are not meant.
    pub(super) open: (bool, bool),
    /// Characters, or elements of an array: at least, at most.
    pub(super) length: (Option<usize>, Option<usize>),
    /// A pattern of LIKE.
    pub(super) like: Option<String>,
    /// Lower or upper case.
    pub(super) case: Option<Case>,
    /// Null, or not null.
    pub(super) null: Option<bool>,
    /// How many columns have to be less than this one.
    pub(super) lift: i64,
    /// What stands in checks that are not understood, and may be tried.
    pub(super) hints: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Case {
    Lower,
    Upper,
}

type All = BTreeMap<String, Limits>;

/// Reads the limits of all columns; `turn` chooses among alternatives.
pub(super) fn limits(schema: &Schema, table: &Table, turn: usize) -> All {
    let mut all = All::new();
    for column in &table.columns {
        let (_, _, domains) = schema.base(column);
        for domain in domains {
            if domain.not_null {
                all.entry(column.name.clone()).or_default().null = Some(false);
            }
            for check in &domain.checks {
                of_domain(column, &check.expression, turn, &mut all);
            }
        }
    }
    for check in &table.checks {
        match read(&check.expression) {
            Some(expression) => apply(&expression, turn, &mut all),
            None => hint(&check.columns, &check.expression, &mut all),
        }
    }
    if let [key] = table.partition_key.as_slice() {
        partitions(key, &table.bounds, &mut all);
    }
    all
}

fn of_domain(column: &Column, expression: &str, turn: usize, all: &mut All) {
    match read(expression) {
        Some(expression) => {
            let mut own = All::new();
            apply(&expression, turn, &mut own);
            if let Some(value) = own.remove("VALUE") {
                all.insert(column.name.clone(), value);
            }
        }
        None => hint(std::slice::from_ref(&column.name), expression, all),
    }
}

fn hint(columns: &[String], expression: &str, all: &mut All) {
    for column in columns {
        all.entry(column.clone()).or_default().hints.extend(literals(expression));
    }
}

/// Takes the values that partitions were made for; a range's beginning belongs to it.
fn partitions(key: &str, bounds: &[String], all: &mut All) {
    let mut values = Vec::new();
    for bound in bounds {
        let literals = literals(bound);
        if bound.contains(" IN (") {
            values.extend(literals);
        } else if let Some(first) = literals.first().filter(|_| bound.starts_with("FOR VALUES FROM")) {
            match bound.contains("(MINVALUE") {
                true => all.entry(key.to_owned()).or_default().hints.push(first.clone()),
                false => values.push(first.clone()),
            }
        }
    }
    if !values.is_empty() && !bounds.iter().any(|bound| bound == "DEFAULT") {
        all.entry(key.to_owned()).or_default().one_of = values;
    }
}

fn apply(expression: &Expression, turn: usize, all: &mut All) {
    match expression {
        Expression::And(parts) => parts.iter().for_each(|part| apply(part, turn, all)),
        // A branch that is only a null comes last: rows with values prove more.
        Expression::Or(parts) => {
            let is_null = |part: &&Expression| matches!(part, Expression::IsNull(_));
            let filled = parts.iter().filter(|part| !is_null(part));
            let sorted: Vec<&Expression> = filled.chain(parts.iter().filter(is_null)).collect();
            apply(sorted[turn % sorted.len()], turn / sorted.len(), all);
        }
        Expression::Column(name) => all.entry(name.clone()).or_default().one_of = vec!["true".to_owned()],
        Expression::IsNull(inner) => null(inner, true, all),
        Expression::Not(inner) => match inner.as_ref() {
            Expression::IsNull(inner) => null(inner, false, all),
            Expression::Column(name) => all.entry(name.clone()).or_default().one_of = vec!["false".to_owned()],
            _ => {}
        },
        Expression::AnyOf(left, list) => {
            if let Some(name) = column(left) {
                all.entry(name).or_default().one_of = list.iter().filter_map(text).collect();
            }
        }
        Expression::Compare(sign, left, right) => compare(sign, left, right, all),
        Expression::Call(..) | Expression::Literal(_) | Expression::List(_) => {}
    }
}

fn null(inner: &Expression, is_null: bool, all: &mut All) {
    if let Some(name) = column(inner) {
        all.entry(name).or_default().null = Some(is_null);
    }
}

fn compare(sign: &str, left: &Expression, right: &Expression, all: &mut All) {
    if let (Some(name), Some(value)) = (column(left), text(right)) {
        return of_value(sign, name, value, all);
    }
    if let (Some(value), Some(name)) = (text(left), column(right)) {
        return of_value(flipped(sign), name, value, all);
    }
    if let (Some(less), Some(more)) = (column(left), column(right)) {
        return match sign {
            "<" | "<=" | "<>" => lift(&less, more, all),
            ">" | ">=" => lift(&more, less, all),
            _ => {}
        };
    }
    match (left, right) {
        (Expression::Call(function, arguments), other) => of_call(sign, function, arguments, other, all),
        (other, Expression::Call(function, arguments)) => of_call(flipped(sign), function, arguments, other, all),
        _ => {}
    }
}

fn lift(less: &str, more: String, all: &mut All) {
    let above = all.get(less).map_or(0, |limits| limits.lift) + 1;
    let limits = all.entry(more).or_default();
    limits.lift = limits.lift.max(above);
}

fn of_value(sign: &str, name: String, value: String, all: &mut All) {
    let limits = all.entry(name).or_default();
    match sign {
        "=" => limits.one_of = vec![value],
        "<>" | "!=" => limits.none_of.push(value),
        ">" | ">=" => (limits.least, limits.open.0) = (Some(value), sign == ">"),
        "<" | "<=" => (limits.most, limits.open.1) = (Some(value), sign == "<"),
        "~~" | "~~*" => limits.like = Some(value),
        _ => limits.hints.push(value),
    }
}

fn of_call(sign: &str, function: &str, arguments: &[Expression], other: &Expression, all: &mut All) {
    let Some(name) = arguments.first().and_then(column) else { return };
    let same = column(other).as_ref() == Some(&name);
    // Within, `lower(btrim(name))`: the innermost column is meant.
    let limits = all.entry(name).or_default();
    match function {
        "lower" if same => limits.case = Some(Case::Lower),
        "upper" if same => limits.case = Some(Case::Upper),
        "length" | "char_length" | "character_length" | "octet_length" | "cardinality" | "array_length" => {
            let Some(size) = text(other).and_then(|size| size.parse::<usize>().ok()) else { return };
            match sign {
                "=" => limits.length = (Some(size), Some(size)),
                ">" => limits.length.0 = Some(size + 1),
                ">=" | "<>" => limits.length.0 = Some(if sign == "<>" { size + 1 } else { size }),
                "<" => limits.length.1 = Some(size.saturating_sub(1)),
                "<=" => limits.length.1 = Some(size),
                _ => {}
            }
        }
        _ => limits.hints.extend(text(other)),
    }
}

fn flipped(sign: &str) -> &str {
    match sign {
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        other => other,
    }
}

/// Returns the column, also where a function that changes little stands around it.
fn column(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Column(name) => Some(name.clone()),
        Expression::Call(function, arguments) if matches!(function.as_str(), "btrim" | "coalesce" | "COALESCE") => {
            column(arguments.first()?)
        }
        _ => None,
    }
}

fn text(expression: &Expression) -> Option<String> {
    match expression {
        Expression::Literal(text) => Some(text.clone()),
        _ => None,
    }
}
