use rstest::rstest;

use super::{
    expression::{Expression, literals, read},
    limits::limits,
    *,
};

const TEXT: u32 = 25;
const NUMBER: u32 = 23;

fn column(name: &str, of_type: u32) -> Column {
    Column { name: name.to_owned(), of_type, modifier: -1, not_null: true, ..Column::default() }
}

fn schema(tables: Vec<(&str, Table)>) -> Schema {
    let plain = |name: &str| Type { name: name.to_owned(), kind: "b".to_owned(), ..Type::default() };
    Schema {
        tables: tables.into_iter().map(|(name, table)| (name.to_owned(), table)).collect(),
        types: [(TEXT, plain("text")), (NUMBER, plain("int4"))].into(),
    }
}

fn refers(name: &str, to: &str, is_deferrable: bool) -> Foreign {
    let columns = vec![name.to_owned()];
    Foreign {
        name: format!("{name}_key"),
        columns,
        to: to.to_owned(),
        to_columns: vec!["id".to_owned()],
        is_deferrable,
    }
}

fn turn(table: &str) -> Ordered {
    Ordered { table: table.to_owned(), broken: Vec::new(), stuck: Vec::new() }
}

fn values(schema: &Schema, number: usize) -> Values {
    row(schema, &turn("t"), (1, number), &Attempt::default(), &Known::new()).unwrap()
}

#[rstest]
#[case::range("((a >= 5) AND (a < 8))", "a", &["5", "6", "7", "5"])]
#[case::list("((b)::text = ANY ((ARRAY['x'::character varying, 'y'::character varying])::text[]))", "b", &["x", "y", "x", "y"])]
#[case::negative("(a <= '-3'::integer)", "a", &["-53", "-52", "-51", "-50"])]
#[case::turned_round("(100 < a)", "a", &["184", "185", "186", "187"])]
#[case::like("(b ~~ 'v%@_'::text)", "b", &["va1@a", "va2@a", "va3@a", "va4@a"])]
#[case::length("(char_length(b) = 3)", "b", &["b 1", "b 2", "b 3", "b 4"])]
#[case::case("(b = upper(b))", "b", &["B 1", "B 2", "B 3", "B 4"])]
#[case::one_of_two("((a = 1) OR (a = 2))", "a", &["1", "1", "1", "1"])]
fn a_check_that_can_be_read_is_kept(#[case] expression: &str, #[case] name: &str, #[case] expected: &[&str]) {
    let check = Check { name: "c".to_owned(), expression: expression.to_owned(), columns: vec![name.to_owned()] };
    let columns = vec![column("a", NUMBER), column("b", TEXT)];
    let schema = schema(vec![("t", Table { columns, checks: vec![check], ..Table::default() })]);
    let found: Vec<String> = (0..4).map(|number| values(&schema, number)[name].clone().unwrap()).collect();
    assert_eq!(found, expected);
}

#[rstest]
#[case::a_case("CASE WHEN (a > 1) THEN true ELSE false END")]
#[case::cut_off("((a > 1")]
#[case::open_text("(a > 'x)")]
fn what_is_not_understood_is_no_expression(#[case] text: &str) {
    assert_eq!(read(text), None);
}

#[test]
fn an_expression_is_read_without_its_casts() {
    let compare = Expression::Compare(
        "~".to_owned(),
        Box::new(Expression::Column("Odd \"name".to_owned())),
        Box::new(Expression::Literal("^it's [a-z]+$".to_owned())),
    );
    let text = r#"(("Odd ""name")::text ~ '^it''s [a-z]+$'::text)"#;
    assert_eq!(read(text), Some(compare));
    assert_eq!(literals("(x = 'a'::text) AND f(3)"), ["a", "3"]);
}

#[test]
fn a_column_that_has_to_be_greater_than_another_one_is() {
    let check = Check { name: "c".to_owned(), expression: "(z > a)".to_owned(), columns: Vec::new() };
    let table =
        Table { columns: vec![column("a", NUMBER), column("z", NUMBER)], checks: vec![check], ..Table::default() };
    let schema = schema(vec![("t", table)]);
    let row = values(&schema, 0);
    let number = |name: &str| row[name].as_ref().unwrap().parse::<i64>().unwrap();
    assert!(number("z") > number("a"));
    assert_eq!(limits(&schema, &schema.tables["t"], 0)["z"].lift, 1);
}

#[test]
fn the_same_seed_gives_the_same_row_and_another_one_another() {
    let schema = schema(vec![("t", Table { columns: vec![column("a", NUMBER)], ..Table::default() })]);
    let of = |seed| row(&schema, &turn("t"), (seed, 3), &Attempt::default(), &Known::new()).unwrap();
    assert_eq!(of(1), of(1));
    assert_ne!(of(1), of(2));
}

#[test]
fn tables_that_are_referred_to_come_first_and_circles_are_broken_where_they_can_be() {
    let optional = |name: &str| Column { not_null: false, ..column(name, NUMBER) };
    let table = |columns: Vec<Column>, foreign: Vec<Foreign>| Table { columns, foreign, ..Table::default() };
    let id = || column("id", NUMBER);
    let schema = schema(vec![
        ("a", table(vec![id(), column("b", NUMBER)], vec![refers("b", "b", false)])),
        ("b", table(vec![id()], vec![])),
        ("c", table(vec![id(), optional("d")], vec![refers("d", "d", false)])),
        ("d", table(vec![id(), column("c", NUMBER)], vec![refers("c", "c", false)])),
        ("e", table(vec![id(), column("f", NUMBER)], vec![refers("f", "f", true)])),
        ("f", table(vec![id(), column("e", NUMBER)], vec![refers("e", "e", true)])),
        ("g", table(vec![id(), column("h", NUMBER)], vec![refers("h", "h", false)])),
        ("h", table(vec![id(), column("g", NUMBER)], vec![refers("g", "g", false)])),
        (
            "i",
            table(
                vec![id(), optional("i"), column("j", NUMBER)],
                vec![refers("i", "i", false), refers("j", "i", false)],
            ),
        ),
    ]);
    let reported: Vec<String> =
        order(&schema).iter().map(|turn| format!("{} {:?} {:?}", turn.table, turn.broken, turn.stuck)).collect();
    assert_eq!(
        reported,
        [
            "b [] []",
            "a [] []",
            "i [(0, NullFirst), (1, Foreseen)] []",
            "c [(0, NullFirst)] []",
            "d [] []",
            "e [(0, Foreseen)] []",
            "f [] []",
            "g [] [\"h_key\"]",
            "h [] []",
        ]
    );
}

#[test]
fn a_foreign_key_takes_a_row_that_fits_all_of_its_keys() {
    let foreign = vec![
        refers("tenant", "tenants", false),
        Foreign {
            name: "both".to_owned(),
            columns: vec!["tenant".to_owned(), "user".to_owned()],
            to: "users".to_owned(),
            to_columns: vec!["tenant".to_owned(), "id".to_owned()],
            is_deferrable: false,
        },
    ];
    let table = Table { columns: vec![column("tenant", NUMBER), column("user", NUMBER)], foreign, ..Table::default() };
    let schema = schema(vec![("t", table)]);
    let of = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect::<Values>()
    };
    let known: Known = [
        ("tenants".to_owned(), vec![of(&[("id", "1")]), of(&[("id", "2")])]),
        ("users".to_owned(), vec![of(&[("tenant", "2"), ("id", "7")])]),
    ]
    .into();
    let made = |known: &Known| row(&schema, &turn("t"), (1, 0), &Attempt::default(), known);
    assert_eq!(made(&known).unwrap(), of(&[("tenant", "2"), ("user", "7")]));
    assert_eq!(made(&Known::new()).unwrap_err().to_string(), "users has no row for foreign key both to reference");
}

#[test]
fn an_insert_quotes_what_it_is_given() {
    let values: Values = [("a\"b".to_owned(), Some("it's \\".to_owned())), ("c".to_owned(), None)].into();
    assert_eq!(
        insert(&"public.t".to_owned(), &values),
        "insert into public.t (\"a\"\"b\", \"c\") overriding system value values (E'it''s \\\\', null) \
         returning ctid::text || ' ' || tableoid, *"
    );
}

#[rstest]
#[case::unique("23505", "t_a", true)]
#[case::check("23514", "c", true)]
#[case::no_right("42501", "", false)]
fn a_refusal_leads_to_another_attempt_where_one_can_help(
    #[case] code: &str,
    #[case] constraint: &str,
    #[case] can: bool,
) {
    let check = Check { name: "c".to_owned(), expression: "f(a)".to_owned(), columns: vec!["a".to_owned()] };
    let unique = Unique { name: "t_a".to_owned(), columns: vec!["a".to_owned()] };
    let table =
        Table { columns: vec![column("a", TEXT)], checks: vec![check], uniques: vec![unique], ..Table::default() };
    let schema = schema(vec![("t", table)]);
    let refusal = Refusal { code: code.to_owned(), constraint: Some(constraint.to_owned()), ..Refusal::default() };
    let mut attempt = Attempt::default();
    let mut seen = vec![values(&schema, 0)];
    for _ in 0..5 {
        let Some(next) = attempt.after(&refusal, &schema, &schema.tables["t"]) else { break };
        attempt = next;
        let made = row(&schema, &turn("t"), (1, 0), &attempt, &Known::new()).unwrap();
        assert!(!seen.contains(&made), "{made:?} was tried already");
        seen.push(made);
    }
    assert_eq!(seen.len() > 1, can);
}
