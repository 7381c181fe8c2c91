use std::collections::BTreeSet;

use rstest::rstest;

use super::*;
use crate::sync::{Column, Format, Table};

fn key() -> Key {
    Key::new(*b"0123456789abcdef")
}

fn mask(rule: Rule, wire: Wire, is_unique: bool, max_chars: usize) -> Mask {
    Mask { rule, wire, is_unique, is_padded: false, is_array: false, max_chars, limits: Limits::default() }
}

fn applied(mask: &Mask, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    mask.apply(&key(), value, &mut out);
    out
}

fn text(rule: Rule, max_chars: usize, value: &str) -> String {
    String::from_utf8(applied(&mask(rule, Wire::Text, false, max_chars), value.as_bytes())).unwrap()
}

#[rstest]
#[case::email(Rule::Email, "user-", "@example.test")]
#[case::phone(Rule::Phone, "+1-", "")]
#[case::name(Rule::Name, "Test User ", "")]
#[case::address(Rule::Address, "Test Street ", "")]
fn replacements_look_like_what_they_replace(#[case] rule: Rule, #[case] begin: &str, #[case] end: &str) {
    let one = text(rule.clone(), 100, "Alice Liddell");
    assert!(one.starts_with(begin) && one.ends_with(end), "{one}");
    assert_eq!(one, text(rule.clone(), 100, "Alice Liddell"), "the same for the same");
    assert_ne!(one, text(rule.clone(), 100, "Bob"));
    assert_eq!(text(rule, 100, ""), "", "nothing stays nothing");
}

#[test]
fn phones_are_of_the_range_that_nobody_has() {
    for number in 0..50 {
        assert!(text(Rule::Phone, 40, &number.to_string()).contains("555-01"));
    }
}

#[rstest]
#[case(Rule::Email)]
#[case(Rule::Name)]
#[case(Rule::Text)]
#[case(Rule::Hash)]
#[case(Rule::Address)]
#[case(Rule::Phone)]
fn a_short_column_is_never_overrun_and_unique_ones_stay_unique(#[case] rule: Rule) {
    for max_chars in [1, 3, 8, 19, 40] {
        assert!(text(rule.clone(), max_chars, "a somewhat longer value than that").chars().count() <= max_chars);
    }
    let mask = mask(rule, Wire::Text, true, 23);
    let all: BTreeSet<Vec<u8>> = (0..20_000).map(|n| applied(&mask, format!("v{n}").as_bytes())).collect();
    assert_eq!(all.len(), 20_000);
}

#[rstest]
#[case::two(2)]
#[case::four(4)]
#[case::eight(8)]
fn numbers_become_other_numbers_one_to_one(#[case] width: usize) {
    let mask = mask(Rule::Hash, Wire::Number, true, 0);
    let bytes = |n: i64| n.to_be_bytes()[8 - width..].to_vec();
    let all: BTreeSet<Vec<u8>> = (-3_000..3_000).map(|n| applied(&mask, &bytes(n))).collect();
    assert_eq!(all.len(), 6_000);
    let sign = |bytes: &[u8]| bytes[0] & 0x80 != 0;
    assert!(sign(&applied(&mask, &bytes(-5))) && !sign(&applied(&mask, &bytes(5))));
}

#[test]
fn every_short_number_is_hit_exactly_once() {
    let all: BTreeSet<u128> = (0..1 << 15).map(|n| key().permute("number", n, 15)).collect();
    assert_eq!((all.len(), all.last().copied()), (1 << 15, Some((1 << 15) - 1)));
}

#[test]
fn a_uuid_in_text_and_in_bytes_still_meet() {
    let plain = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
    let bytes: Vec<u8> =
        (0..16).map(|at| u8::from_str_radix(&plain.replace('-', "")[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let replaced = applied(&mask(Rule::Uuid, Wire::Uuid, true, 0), &bytes);
    let hex: String = replaced.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(text(Rule::Uuid, 36, plain).replace('-', ""), hex);
}

#[test]
fn dates_keep_their_distance_and_infinity_stays() {
    let date = mask(Rule::DateShift, Wire::Date, false, 0);
    let read = |n: i32| i32::from_be_bytes(applied(&date, &n.to_be_bytes()).try_into().unwrap());
    assert_eq!(read(1_000) - read(900), 100);
    assert_ne!(read(1_000), 1_000);
    assert_eq!((read(i32::MAX), read(i32::MIN)), (i32::MAX, i32::MIN));
}

#[test]
fn json_is_changed_at_its_paths_and_nowhere_else() {
    let rules = Rule::JsonPath(vec![
        (Path::parse("$.user.email").unwrap(), Rule::Email),
        (Path::parse("$.list[*].note").unwrap(), Rule::Text),
        (Path::parse("$..phone").unwrap(), Rule::Phone),
    ]);
    let document = r#"{"user" : {"email": "a@corp.com", "id": 123456789012345678901234567890.10}, "user":1,
        "list": [{"note": "secret \"x\" Ж", "keep": "b@corp.com"}, []], "deep": {"x": [{"phone": "030 123"}]}}"#;
    let out = String::from_utf8(applied(&mask(rules, Wire::Json, false, 0), document.as_bytes())).unwrap();
    assert!(!out.contains("a@corp.com") && !out.contains("secret") && !out.contains("030 123"), "{out}");
    assert!(
        out.contains("b@corp.com") && out.contains("123456789012345678901234567890.10") && out.contains(r#""user":1,"#)
    );
    serde_json::from_str::<serde_json::Value>(&out).unwrap();
    let broken = applied(
        &mask(Rule::JsonPath(vec![(Path::parse("$..*").unwrap(), Rule::Text)]), Wire::Jsonb, false, 0),
        b"\x01{oops",
    );
    assert_eq!(broken, b"\x01null");
}

fn binary(rows: &[&[Option<&[u8]>]]) -> Vec<u8> {
    let mut out = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    for row in rows {
        out.extend_from_slice(&(row.len() as i16).to_be_bytes());
        for field in *row {
            out.extend_from_slice(&field.map_or(-1, |bytes| bytes.len() as i32).to_be_bytes());
            out.extend_from_slice(field.unwrap_or_default());
        }
    }
    out.extend_from_slice(&(-1_i16).to_be_bytes());
    out
}

fn rewritten(format: Format, masks: &[Option<Mask>], stream: &[u8], piece: usize) -> Vec<u8> {
    let (key, mut out) = (key(), Vec::new());
    let mut rewriter = Rewriter::new(&key, masks, format);
    stream.chunks(piece).for_each(|piece| rewriter.feed(piece, &mut out).unwrap());
    assert!(rewriter.is_whole());
    out
}

#[test]
fn a_stream_is_the_same_wherever_its_pieces_end() {
    let email = mask(Rule::Email, Wire::Text, true, 100);
    let masks = [None, Some(email.clone())];
    let rows: [&[Option<&[u8]>]; 3] =
        [&[Some(b"1"), Some(b"a@corp.com")], &[None, None], &[Some(b""), Some(b"b@corp.com")]];
    let [first, second] = [b"a@corp.com", b"b@corp.com"].map(|value| applied(&email, value));
    let want: [&[Option<&[u8]>]; 3] = [&[Some(b"1"), Some(&first)], &[None, None], &[Some(b""), Some(&second)]];
    for piece in 1..40 {
        assert_eq!(rewritten(Format::Binary, &masks, &binary(&rows), piece), binary(&want));
    }
    assert_eq!(rewritten(Format::Binary, &[None, None], &binary(&rows), 7), binary(&rows));
    let lines = b"1\ta@corp.com\n\\N\t\\N\nx\\ty\tb\\\\c\n";
    let out = String::from_utf8(rewritten(Format::Text, &masks, lines, 5)).unwrap();
    assert!(out.starts_with(&format!("1\t{}\n\\N\t\\N\nx\\ty\tuser-", String::from_utf8(first).unwrap())), "{out}");
}

#[test]
fn a_stream_that_is_none_is_refused_and_a_cut_one_is_not_whole() {
    let (key, masks) = (key(), [None]);
    let mut rewriter = Rewriter::new(&key, &masks, Format::Binary);
    assert!(rewriter.feed(b"SELECT 1 is no stream of rows", &mut Vec::new()).is_err());
    let stream = binary(&[&[Some(b"value")]]);
    for end in 0..stream.len() {
        let mut rewriter = Rewriter::new(&key, &masks, Format::Binary);
        rewriter.feed(&stream[..end], &mut Vec::new()).unwrap();
        assert!(!rewriter.is_whole(), "{end}");
    }
}

#[test]
fn arrays_are_replaced_element_by_element() {
    let mut array = vec![0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 25, 0, 0, 0, 3, 0, 0, 0, 1];
    for element in [Some("a@corp.com"), None, Some("")] {
        array.extend_from_slice(&element.map_or(-1, |text| text.len() as i32).to_be_bytes());
        array.extend_from_slice(element.unwrap_or_default().as_bytes());
    }
    let out = applied(&Mask { is_array: true, ..mask(Rule::Email, Wire::Text, false, 100) }, &array);
    let text = String::from_utf8_lossy(&out);
    assert!(text.contains("@example.test") && !text.contains("corp.com"), "{text}");
    assert_eq!(out[..20], array[..20]);
    assert_eq!(out[out.len() - 8..], [255, 255, 255, 255, 0, 0, 0, 0]);
}

fn column(name: &str, type_name: &str) -> Column {
    Column {
        name: name.to_owned(),
        declared: type_name.to_owned(),
        type_name: type_name.to_owned(),
        is_portable: true,
        is_free_text: !matches!(type_name, "int4" | "int8" | "date"),
        ..Column::default()
    }
}

fn table(name: &str, columns: Vec<Column>) -> Table {
    Table { schema: "public".to_owned(), name: name.to_owned(), columns, ..Table::default() }
}

fn rules(text: &str) -> Rules {
    Rules::parse(text, "main").unwrap()
}

#[test]
fn every_column_of_free_text_without_a_rule_is_refused_by_name() {
    let types = [
        "text", "varchar", "bpchar", "citext", "json", "jsonb", "xml", "bytea", "hstore", "tsvector", "inet", "text[]",
    ];
    let columns = types.iter().enumerate().map(|(n, name)| column(&format!("c{n}"), name)).collect();
    let assigned = assign(&mut [table("t", columns)], &Rules::of_no_file());
    for (n, name) in types.iter().enumerate() {
        assert!(assigned.refusals[0].contains(&format!("public.t.c{n} ({name})")), "{:?}", assigned.refusals);
    }
    let assigned = assign(&mut [table("t", vec![column("n", "int4"), column("email", "text")])], &Rules::of_no_file());
    assert_eq!((assigned.refusals, assigned.sanitised.len()), (Vec::new(), 1), "the profile knows an e-mail column");
}

#[test]
fn a_foreign_key_has_the_rule_of_what_it_references() {
    let parent = Column { is_unique: true, ..column("login", "text") };
    let child = Column { references: Some(("public.users".to_owned(), "login".to_owned())), ..column("by", "text") };
    let mut tables = [table("users", vec![parent]), table("posts", vec![child])];
    let assigned = assign(&mut tables, &rules("[databases.main.\"public.users\"]\nlogin = \"hash\""));
    assert_eq!(assigned.refusals, Vec::<String>::new());
    let of = |table: usize| assigned.masks[table][0].clone().unwrap();
    assert_eq!((of(0).rule, of(1).rule), (Rule::Hash, Rule::Hash));
    let other = "[databases.main.\"public.users\"]\nlogin = \"hash\"\n[databases.main.\"public.posts\"]\nby = \"name\"";
    assert!(assign(&mut tables, &rules(other)).refusals[0].contains("another rule"));
}

#[rstest]
#[case::misspelt_column("emial = \"email\"", "public.t.emial")]
#[case::null("id = \"null\"", "NOT NULL")]
#[case::type_mismatch("id = \"email\"", "does not fit type int4")]
#[case::too_short("code = \"email\"", "room for 5 characters")]
#[case::fixed_and_unique("code = { rule = \"fixed\", value = \"x\" }", "is unique")]
fn a_rule_that_cannot_hold_is_refused(#[case] line: &str, #[case] want: &str) {
    let id = Column { not_null: true, ..column("id", "int4") };
    let code = Column { is_unique: true, max_chars: Some(5), ..column("code", "varchar") };
    let rules = rules(&format!("unknown = \"keep\"\nprofile = \"none\"\n[databases.main.\"public.t\"]\n{line}"));
    let assigned = assign(&mut [table("t", vec![id, code])], &rules);
    assert!(assigned.refusals.iter().any(|reason| reason.contains(want)), "{:?}", assigned.refusals);
}

#[rstest]
#[case::keep_without_reason("a = \"keep\"", "reason")]
#[case::unknown_rule("a = \"scramble\"", "no rule `scramble`")]
#[case::no_paths("a = { rule = \"json-path\" }", "paths")]
#[case::bad_path("a = { rule = \"json-path\", paths = { \"email\" = \"email\" } }", "is no path")]
fn a_wrong_rule_states_what_is_expected(#[case] line: &str, #[case] want: &str) {
    let error = Rules::parse(&format!("[databases.main.\"public.t\"]\n{line}"), "main").unwrap_err();
    assert!(error.to_string().contains(want), "{error}");
}

#[test]
fn what_sql_replaces_is_selected_in_the_column_s_place() {
    let text = "[databases.main.\"public.t\"]\na = { rule = \"fixed\", value = \"it's\" }\nb = \"null\"\n\
                c = { rule = \"sql\", expression = \"md5(c)\" }";
    let mut tables = [table("t", ["a", "b", "c"].map(|name| column(name, "text")).to_vec())];
    let assigned = assign(&mut tables, &rules(text));
    assert_eq!((assigned.refusals, assigned.masks), (Vec::new(), vec![vec![None, None, None]]));
    let sql = tables[0].copy_out(None);
    assert!(sql.contains("select (E'it''s')::text, (null)::text, (md5(c))::text from only"), "{sql}");
}

#[test]
fn a_value_is_found_in_every_form_that_it_may_have_got_into() {
    let value = "alice.liddell@corp.example";
    let forms = encodings(value);
    let has = |text: &str| forms.iter().any(|form| text.as_bytes().windows(form.len()).any(|part| part == &form[..]));
    assert!(has("x alice.liddell@corp.example y") && has("ALICE.LIDDELL@CORP.EXAMPLE"));
    assert!(has("alice.liddell%40corp.example") && has("616c6963652e6c696464656c6c40636f72702e6578616d706c65"));
    use base64::{Engine, engine::general_purpose::STANDARD};
    for before in ["", "1", "22", "333"] {
        assert!(has(&STANDARD.encode(format!("{before}{value} and more"))), "{before}");
    }
    assert!(!has("bob@corp.example"));
}

#[test]
fn suggestions_come_from_names_and_values_and_the_file_of_them_is_read() {
    let by = |table: &str, name: &str| by_name(table, &column(name, "text"));
    assert_eq!(by("public.orders", "contact_email"), Some(Rule::Email));
    assert_eq!((by("public.users", "name"), by("public.products", "name")), (Some(Rule::Name), None));
    assert_eq!((by("public.users", "First_Name"), by("x.y", "mailing_status")), (Some(Rule::Name), None));
    let samples = ["a@b.de", "c@d.com"].map(str::to_owned);
    assert_eq!(by_samples(&column("x", "text"), &samples).map(|(rule, _)| rule), Some(Rule::Email));
    let states: Vec<String> = (0..30).map(|at| ["draft", "live"][at % 2].to_owned()).collect();
    let kept = |samples: &[String]| by_samples(&column("x", "text"), samples).map(|(rule, _)| rule);
    assert_eq!((kept(&states), kept(&states[..10])), (Some(Rule::Keep), None));
    assert_eq!(kept(&vec!["Alice".to_owned(); 30]), None, "a name is no code");
    assert_eq!(kept(&["d41d8cd98f00b204e9800998ecf8427e".to_owned()]), Some(Rule::Hash));
    assert_eq!(
        (by("public.django_migrations", "app"), by("x.alembic_version", "version_num")),
        (Some(Rule::Keep), Some(Rule::Keep))
    );
    assert_eq!(by("public.django_session", "session_data"), Some(Rule::Hash));
    let one = |column: &str, rule| Suggestion {
        table: "public.odd \"t\"".to_owned(),
        column: column.to_owned(),
        rule,
        why: "its name".to_owned(),
    };
    let text =
        file_text("main", &[one("e mail", Some(Rule::Email)), one("note", None), one("state", Some(Rule::Keep))]);
    let rules = rules(&text);
    assert_eq!(rules.tables["public.odd \"t\""].len(), 2, "{text}");
}

#[test]
fn the_rule_of_a_partitioned_table_is_that_of_its_partitions() {
    let part = |name: &str| Table {
        ancestors: vec!["public.days_of_2026".to_owned(), "public.days".to_owned()],
        ..table(name, vec![column("note", "text")])
    };
    let text = "[databases.main.\"public.days\"]\nnote = \"text\"\n[databases.main.\"public.days_1\"]\nnote = \"hash\"";
    let assigned = assign(&mut [part("days_1"), part("days_2")], &rules(text));
    let given = |name: &str, rule: &str| (format!("public.{name}.note"), rule.to_owned());
    assert_eq!(
        (assigned.refusals.len(), assigned.named()),
        (0, vec![given("days_1", "hash"), given("days_2", "text")])
    );
    let misspelt = assign(&mut [part("days_1")], &rules("[databases.main.\"public.days\"]\nnotes = \"text\""));
    assert!(misspelt.refusals[0].contains("public.days.notes"), "{:?}", misspelt.refusals);
}

#[rstest]
#[case::key(Some("public.days"), "", "hash", Some("partition key of public.days"))]
#[case::key_kept(Some("public.days"), "", "keep", None)]
#[case::lower(None, "lower((v)::text)", "hash", None)]
#[case::fixed_there(None, "lower((v)::text)", "fixed", Some("is unique"))]
#[case::checksum(None, "md5(v)", "hash", None)]
#[case::no_empty_one(None, "COALESCE(v, ''::text)", "hash", None)]
#[case::part(None, "\"left\"(v, 5)", "hash", Some("a unique index has the expression"))]
#[case::own_expression(None, "\"left\"(v, 5)", "sql", None)]
#[case::of_another_column(None, "\"left\"(w, 5)", "hash", None)]
fn a_rule_that_keys_of_partitions_or_expressions_refuse_is_refused_at_once(
    #[case] key: Option<&str>,
    #[case] expression: &str,
    #[case] rule: &str,
    #[case] want: Option<&str>,
) {
    let unique_expressions = Some(expression.to_owned()).into_iter().filter(|text| !text.is_empty()).collect();
    let partition_key_of = key.map(str::to_owned);
    let mut tables = [table("t", vec![Column { partition_key_of, unique_expressions, ..column("v", "text") }])];
    let line = format!("v = {{ rule = \"{rule}\", reason = \"x\", value = \"x\", expression = \"'x' || v\" }}");
    let refusals = assign(&mut tables, &rules(&format!("[databases.main.\"public.t\"]\n{line}"))).refusals;
    assert_eq!(refusals.len(), usize::from(want.is_some()), "{refusals:?}");
    assert!(want.is_none_or(|want| refusals[0].contains(want)), "{refusals:?}");
}
