//! Tests of which columns hold numbers and days of a person, and of what replaces them.

use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::sync::{Column, Format, Table};

fn key() -> Key {
    Key::new(*b"0123456789abcdef")
}

fn column(name: &str, type_name: &str) -> Column {
    let is_free_text =
        matches!(type_name.trim_end_matches("[]"), "inet" | "cidr" | "macaddr" | "macaddr8" | "bytea" | "text");
    Column {
        name: name.to_owned(),
        declared: type_name.to_owned(),
        type_name: type_name.to_owned(),
        is_portable: true,
        is_free_text,
        ..Column::default()
    }
}

/// Returns the columns of a list, each with its table.
fn listed(text: &str) -> Vec<(&str, Column)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .flat_map(|line| {
            let mut words = line.split_whitespace();
            let (table, type_name) = (words.next().unwrap(), words.next().unwrap());
            words.map(move |name| (table, column(name, type_name)))
        })
        .collect()
}

#[test]
fn ordinary_columns_of_public_products_need_no_rule() {
    let all = listed(include_str!("ordinary_columns.txt"));
    let demanded: Vec<String> = all
        .iter()
        .filter(|(table, column)| personal(table, column).is_some())
        .map(|(table, column)| format!("{table}.{} ({})", column.name, column.type_name))
        .collect();
    assert!(all.len() >= 400, "{}", all.len());
    assert_eq!(demanded, Vec::<String>::new(), "of {}", all.len());
}

#[test]
fn columns_of_a_person_have_a_rule_or_need_one() {
    let all = listed(include_str!("personal_columns.txt"));
    let missed: Vec<String> = all
        .iter()
        .filter(|(table, column)| personal(table, column).is_none())
        .map(|(table, column)| format!("{table}.{} ({})", column.name, column.type_name))
        .collect();
    assert!(all.len() >= 120, "{}", all.len());
    assert_eq!(missed, Vec::<String>::new(), "of {}", all.len());
}

fn assigned(columns: Vec<Column>, rules: &Rules) -> Assigned {
    let table = Table { schema: "public".to_owned(), name: "users".to_owned(), columns, ..Table::default() };
    assign(&mut [table], rules)
}

#[test]
fn without_the_profile_a_number_of_a_person_stops_the_sync_and_a_reference_of_that_name_does_not() {
    let rules = Rules::parse("profile = \"none\"", "main").unwrap();
    let columns = ["phone", "id", "total"].map(|name| column(name, "int8")).to_vec();
    let refused = assigned(columns.clone(), &rules).refusals;
    assert!(refused.len() == 1 && refused[0].contains("rule for public.users.phone (int8); run"), "{refused:?}");
    let kept = Rules::parse("profile = \"none\"\nunknown = \"keep\"", "main").unwrap();
    assert_eq!(
        assigned(columns.clone(), &kept),
        Assigned { masks: vec![vec![None, None, None]], ..Assigned::default() }
    );
    let with = assigned(columns, &Rules::of_no_file());
    assert_eq!((with.refusals.len(), with.named()), (0, vec![("public.users.phone".to_owned(), "number".to_owned())]));
    let phone = Column { references: Some(("public.users".to_owned(), "id".to_owned())), ..column("phone", "int8") };
    assert_eq!(assigned(vec![phone, column("id", "int8")], &rules).refusals, Vec::<String>::new());
}

#[test]
fn a_comment_and_values_demand_a_rule_that_a_person_writes() {
    let noted = |comment: &str| Column { comment: Some(comment.to_owned()), ..column("c7", "int8") };
    let looks = Column { looks_personal: true, ..column("ref", "numeric") };
    for (column, is_refused) in
        [(noted("Phone number of the guest"), true), (noted("PII"), true), (noted("phone calls"), false), (looks, true)]
    {
        let refused = assigned(vec![column.clone()], &Rules::of_no_file()).refusals;
        assert_eq!(!refused.is_empty(), is_refused, "{column:?}");
    }
    let cards: Vec<String> = (0..20).map(|_| "4111111111111111".to_owned()).collect();
    let counted: Vec<String> = (0..20).map(|n| (4_111_111_111_111_111_i64 + n).to_string()).collect();
    assert_eq!((are_cards(&cards), are_cards(&counted)), (true, false));
}

#[test]
fn a_year_of_birth_becomes_nothing_or_is_decided_by_a_person() {
    let nullable = assigned(vec![column("birth_year", "int4")], &Rules::of_no_file());
    assert_eq!(nullable.named(), [("public.users.birth_year".to_owned(), "null".to_owned())]);
    let required = Column { not_null: true, ..column("birth_year", "int4") };
    assert!(assigned(vec![required], &Rules::of_no_file()).refusals[0].contains("birth_year"));
}

fn mask(type_name: &str, format: Format, checks: &[&str]) -> Mask {
    let rule = if type_name.contains("date") || type_name.contains("time") { "date-shift" } else { "number" };
    let rule = if type_name.contains("inet") || type_name.contains("cidr") || type_name.contains("mac") {
        "hash"
    } else {
        rule
    };
    let rules = Rules::parse(&format!("[databases.main.\"public.users\"]\nv = \"{rule}\""), "main").unwrap();
    let other = Column { is_portable: format == Format::Binary, ..column("other", "int4") };
    let checks = checks.iter().map(|check| (*check).to_owned()).collect();
    let assigned = assigned(vec![Column { checks, ..column("v", type_name) }, other], &rules);
    assert_eq!(assigned.refusals, Vec::<String>::new());
    assigned.masks[0][0].clone().unwrap()
}

fn applied(mask: &Mask, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    mask.apply(&key(), value, &mut out);
    out
}

fn written(mask: &Mask, value: &str) -> String {
    String::from_utf8(applied(mask, value.as_bytes())).unwrap()
}

#[test]
fn numbers_keep_their_sign_and_digits_and_no_two_become_one() {
    let mask = mask("int4", Format::Binary, &[]);
    let new = |n: i32| i32::from_be_bytes(applied(&mask, &n.to_be_bytes()).try_into().unwrap());
    let all: BTreeSet<i32> = (-2_000..20_000).map(new).collect();
    assert_eq!((all.len(), all.contains(&0)), (22_000, true));
    for n in [7, -7, 1_000, -99_999, i32::MAX, i32::MIN, 2_000_000_000] {
        assert_eq!((new(n).to_string().len(), new(n) < 0), (n.to_string().len(), n < 0), "{n}: {}", new(n));
    }
}

#[test]
fn a_number_stays_within_the_checks_of_its_column() {
    let of_checks =
        mask("int8", Format::Binary, &["CHECK (((v >= 1200) AND (v < '1300'::bigint)))", "CHECK ((VALUE > 0))"]);
    let new = |n: i64| i64::from_be_bytes(applied(&of_checks, &n.to_be_bytes()).try_into().unwrap());
    let all: BTreeSet<i64> = (1_200..1_300).map(new).collect();
    assert_eq!(all, (1_200..1_300).collect());
    let latitude = mask("numeric", Format::Text, &["CHECK ((v >= ('-90'::integer)::numeric))", "CHECK ((v <= 90.0))"]);
    for n in 0..3_000 {
        let value = format!("-{}.{:06}", n % 90, n * 331);
        let new: f64 = written(&latitude, &value).parse().unwrap();
        assert!((-90.0..=0.0).contains(&new), "{value}: {new}");
    }
}

#[rstest]
#[case::luhn("CHECK (is_valid(v))")]
#[case::either("CHECK (((v > 5) OR (v < 2)))")]
#[case::other_column("CHECK ((v > least_pay))")]
#[case::one_of("CHECK ((v = ANY (ARRAY[1, 2])))")]
fn a_check_that_a_replacement_may_not_satisfy_is_refused_before_anything_is_copied(#[case] check: &str) {
    let rules = Rules::parse("[databases.main.\"public.users\"]\nv = \"number\"", "main").unwrap();
    let column = Column { checks: vec![check.to_owned()], ..column("v", "int8") };
    let refused = assigned(vec![column], &rules).refusals;
    assert!(refused[0].contains("numbers that satisfy its checks are not known"), "{refused:?}");
}

/// Writes a number in the binary form of `numeric`.
fn numeric(text: &str) -> Vec<u8> {
    let (sign, plain) = text.strip_prefix('-').map_or((0, text), |plain| (0x4000, plain));
    let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let padded = format!("{}{whole}", "0".repeat((4 - whole.len() % 4) % 4));
    let decimals = format!("{fraction}{}", "0".repeat((4 - fraction.len() % 4) % 4));
    let all = format!("{padded}{decimals}");
    let mut groups: Vec<i16> =
        all.as_bytes().chunks(4).map(|four| std::str::from_utf8(four).unwrap().parse().unwrap()).collect();
    let mut weight = i16::try_from(padded.len() / 4).unwrap() - 1;
    while groups.first() == Some(&0) {
        groups.remove(0);
        weight -= 1;
    }
    while groups.last() == Some(&0) {
        groups.pop();
    }
    let weight = if groups.is_empty() { 0 } else { weight };
    let head = [groups.len() as i16, weight, sign, fraction.len() as i16];
    head.iter().chain(&groups).flat_map(|word| word.to_be_bytes()).collect()
}

#[rstest]
#[case("0")]
#[case("0.000")]
#[case("1")]
#[case("-4915112345678")]
#[case("4111111111111111")]
#[case("52000.50")]
#[case("-0.00012")]
#[case("10000.0001")]
#[case("99999999999999999999999999999999999999")]
#[case("123456789012345678901234567890123456789012345678901234567890.123")]
#[case("0.0000000000000000000000000000000000000000000000000001")]
fn a_number_with_decimals_is_the_same_in_both_forms(#[case] value: &str) {
    let new = written(&mask("numeric", Format::Text, &[]), value);
    let digits = |text: &str| text.trim_start_matches(['-', '0', '.']).len();
    assert_eq!((new.len(), digits(&new), new.find('.')), (value.len(), digits(value), value.find('.')));
    assert_eq!(applied(&mask("numeric", Format::Binary, &[]), &numeric(value)), numeric(&new), "{value} {new}");
    assert!(new != value || digits(value) <= 1, "{value}");
}

#[test]
fn what_is_no_number_stays_or_becomes_zero() {
    let infinity = [0, 0, 0, 0, 0xd0, 0, 0, 0x20];
    assert_eq!(applied(&mask("numeric", Format::Binary, &[]), &infinity), infinity);
    assert_eq!(applied(&mask("numeric", Format::Binary, &[]), b"x"), [0; 8]);
    let text = mask("numeric", Format::Text, &[]);
    assert_eq!((written(&text, "NaN"), written(&text, "secret")), ("NaN".to_owned(), "0".to_owned()));
    let float = mask("float8", Format::Binary, &[]);
    let new = |value: f64| f64::from_be_bytes(applied(&float, &value.to_be_bytes()).try_into().unwrap());
    assert!(new(f64::NAN).is_nan() && new(f64::INFINITY).is_infinite() && new(0.0) == 0.0);
    assert!(new(52.520_008) != 52.520_008 && (10.0..100.0).contains(&new(52.520_008)) && new(1e300) > 1e299);
}

#[test]
fn days_are_shifted_alike_as_text_and_in_bytes_and_in_arrays() {
    let days = mask("date", Format::Binary, &[]);
    let shifted = i32::from_be_bytes(applied(&days, &8_000_i32.to_be_bytes()).try_into().unwrap());
    let text = written(&mask("timestamptz", Format::Text, &[]), "2021-11-26 08:30:00+00");
    let begin = written(&mask("date", Format::Text, &[]), "2021-11-26");
    assert!(text.starts_with(&begin) && text.ends_with(" 08:30:00+00") && begin.len() == 10, "{text}");
    let of_array =
        [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 58, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 4], &8_000_i32.to_be_bytes()[..]]
            .concat();
    let new = applied(&mask("date[]", Format::Binary, &[]), &of_array);
    assert_eq!((&new[..24], &new[24..]), (&of_array[..24], &shifted.to_be_bytes()[..]));
    assert_eq!(written(&mask("date", Format::Text, &[]), "infinity"), "infinity");
}

#[test]
fn addresses_of_machines_are_of_nobody_and_keep_their_networks() {
    let mask = mask("inet", Format::Binary, &[]);
    let new = applied(&mask, &[2, 24, 0, 4, 93, 184, 216, 34]);
    assert_eq!((&new[..4], new[4] >= 240), (&[2, 24, 0, 4][..], true));
    let v6 = [&[3, 128, 0, 16][..], &[0x20, 1, 0x48, 0x60, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0x88]].concat();
    assert_eq!(applied(&mask, &v6)[..8], [3, 128, 0, 16, 0x20, 1, 0x0d, 0xb8]);
    let unique = Mask { is_unique: true, ..mask.clone() };
    let all: BTreeSet<Vec<u8>> =
        (0..20_000_u32).map(|n| applied(&unique, &[&[2, 32, 0, 4][..], &n.to_be_bytes()].concat())).collect();
    assert_eq!(all.len(), 20_000);
    let networks: BTreeSet<Vec<u8>> = (0..=255).map(|n| applied(&mask, &[2, 16, 1, 4, 10, n, 0, 0])).collect();
    assert!(networks.len() == 256 && networks.iter().all(|new| new[6..] == [0, 0]));
    let hardware = Mask { wire: Wire::Hardware, ..mask.clone() };
    assert_eq!(applied(&hardware, &[0, 1, 2, 3, 4, 5])[0], 2);
    let unique = Mask { is_unique: true, ..hardware };
    let all: BTreeSet<Vec<u8>> =
        (0..20_000_u32).map(|n| applied(&unique, &[&[0, 1][..], &n.to_be_bytes()].concat())).collect();
    assert!(all.len() == 20_000 && all.iter().all(|new| new.len() == 6));
}

#[test]
fn a_number_is_found_as_a_whole_only() {
    let whole = |text: &str| is_whole_number(text.as_bytes(), 4..14);
    assert!(
        whole("tel 4915112345 x") && whole("tel:4915112345") && !whole("tel 49151123456") && !whole("tel14915112345")
    );
    assert!(is_number("10.0.0.1") && is_number("-12345.5") && !is_number("12a"));
}
