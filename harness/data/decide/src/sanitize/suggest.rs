//! Which rule a column probably needs: by its name, and by values of it. A suggestion is to be read by a person.

use std::{collections::BTreeSet, fmt::Write};

use super::{
    personal::{Personal, are_cards, personal, usual},
    rule::Rule,
    words::{has, is_of_people, words},
};
use crate::sync::Column;

/// Tables of migration tools and frameworks, whose texts are names of files, of tables and of rights.
// Source: the tools' own documentation; `docs/migrations.md` for those that this program reads.
const OF_TOOLS: [&str; 21] = [
    "_sqlx_migrations",
    "schema_migrations",
    "goose_db_version",
    "__diesel_schema_migrations",
    "refinery_schema_history",
    "flyway_schema_history",
    "_prisma_migrations",
    "__drizzle_migrations",
    "alembic_version",
    "knex_migrations",
    "knex_migrations_lock",
    "sequelizemeta",
    "databasechangelog",
    "databasechangeloglock",
    "ar_internal_metadata",
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "applied_schema_deltas",
    "schema_version",
    "schema_compat_version",
];
/// How many values are needed, and how many different ones at most, to call a column's values codes.
const CODES: (usize, usize) = (20, 8);
/// What a part of a column's name states; the first one counts.
static NAMES: [(&[&str], Rule); 6] = [
    // Before `address`, which these end with.
    (&["ipaddress", "ipaddr", "macaddress", "macaddr"], Rule::Hash),
    (&["email", "mail", "emailaddress"], Rule::Email),
    (&["phone", "mobile", "fax", "telephone", "phonenumber", "cellphone"], Rule::Phone),
    (
        &[
            "password",
            "passwd",
            "passwordhash",
            "secret",
            "token",
            "apikey",
            "salt",
            "otp",
            "iban",
            "ssn",
            "bic",
            "sessionkey",
            "sessiondata",
            "cookie",
        ],
        Rule::Hash,
    ),
    (
        &[
            "firstname",
            "lastname",
            "fullname",
            "surname",
            "nickname",
            "username",
            "realname",
            "displayname",
            "givenname",
            "familyname",
            "login",
        ],
        Rule::Name,
    ),
    (&["address", "street", "addr", "postcode", "zipcode"], Rule::Address),
];

/// What is proposed for a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// `schema.table`.
    pub table: String,
    /// The column.
    pub column: String,
    /// The rule; `None` where a person has to decide.
    pub rule: Option<Rule>,
    /// What it was concluded from. It holds no value.
    pub why: String,
}

/// Returns the rule of a column whose name speaks for itself; of types that take it only.
#[must_use]
pub fn by_name(table: &str, column: &Column) -> Option<Rule> {
    let table = table.rsplit('.').next().unwrap_or(table).to_lowercase();
    if OF_TOOLS.contains(&table.as_str()) {
        return Some(Rule::Keep);
    }
    if !matches!(column.type_name.as_str(), "text" | "varchar" | "bpchar" | "citext" | "text[]" | "varchar[]") {
        return match personal(&table, column) {
            Some(Personal::Rule(rule)) => Some(rule),
            _ => None,
        };
    }
    let name = words(&column.name);
    let found = NAMES.iter().find(|(known, _)| has(&name, known)).map(|(_, rule)| rule.clone());
    found.or_else(|| (name == ["name"] && is_of_people(&table)).then_some(Rule::Name))
}

/// Returns the rule that a column's comment and values speak for, and what speaks for it.
#[must_use]
pub fn by_samples(column: &Column, samples: &[String]) -> Option<(Rule, String)> {
    let comment = column.comment.as_deref().unwrap_or_default().to_lowercase();
    for (word, rule) in
        [("e-mail", Rule::Email), ("email", Rule::Email), ("phone", Rule::Phone), ("address", Rule::Address)]
    {
        if comment.contains(word) {
            return Some((rule, format!("its comment has the word {word}")));
        }
    }
    let share = |test: fn(&str) -> bool| samples.iter().filter(|value| test(value)).count() * 10 >= samples.len() * 6;
    if samples.is_empty() {
        return None;
    }
    let of = samples.len();
    if are_cards(samples) {
        let rule = if column.is_free_text { Rule::Hash } else { Rule::Number };
        return Some((rule, format!("most of {of} values look like numbers of payment cards")));
    }
    if share(looks_like_email) {
        return Some((Rule::Email, format!("most of {of} values look like e-mail addresses")));
    }
    if share(looks_like_phone) {
        return Some((Rule::Phone, format!("most of {of} values look like phone numbers")));
    }
    if share(|value| value.len() == 36 && value.matches('-').count() == 4) {
        return Some((Rule::Uuid, format!("most of {of} values look like UUIDs")));
    }
    if share(looks_like_hash) {
        return Some((Rule::Hash, format!("most of {of} values look like checksums or keys")));
    }
    let different = samples.iter().collect::<BTreeSet<_>>().len();
    let are_codes = of >= CODES.0 && different <= CODES.1 && samples.iter().all(|value| looks_like_a_code(value));
    are_codes.then(|| (Rule::Keep, format!("{different} different words in {of} rows")))
}

/// Returns the rule that a column of a type needs for whatever it holds, and what speaks for it.
#[must_use]
pub fn by_type(column: &Column) -> Option<(Rule, String)> {
    let rule = usual(&column.type_name).filter(|_| column.is_free_text)?;
    Some((rule, format!("its type {}", column.type_name)))
}

fn looks_like_hash(value: &str) -> bool {
    value.len() >= 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Returns whether it is one short word, as a state or a kind is written; a name of a person begins with a capital letter.
fn looks_like_a_code(value: &str) -> bool {
    value.len() <= 24
        && value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte))
}

fn looks_like_email(value: &str) -> bool {
    value.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.') && !value.contains(' '))
}

fn looks_like_phone(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (7..=15).contains(&digits)
        && value.chars().all(|c| c.is_ascii_digit() || " +-()./x".contains(c))
        && value.len() > digits
}

/// Returns the file of suggestions for the database `id`; what nobody decided is a comment, and stays refused.
#[must_use]
pub fn file_text(id: &str, suggestions: &[Suggestion]) -> String {
    let mut out = String::from(
        "# Sanitisation rules of `gate sync`: read each line; docs/sync.md lists the rules. What has no rule is refused.\n\
         profile = \"default\"\nunknown = \"refuse\"\n",
    );
    let mut table = "";
    for one in suggestions {
        if one.table != table {
            table = &one.table;
            let _ = write!(out, "\n[databases.{}.{}]\n", toml_key(id), toml_key(table));
        }
        let key = toml_key(&one.column);
        let _ = match &one.rule {
            Some(Rule::Keep) => {
                writeln!(out, "{key} = {{ rule = \"keep\", reason = {} }}", serde_json::Value::from(one.why.as_str()))
            }
            Some(rule) => writeln!(out, "{key} = \"{}\" # {}", rule.name(), one.why),
            None => writeln!(out, "# {key} = {{ rule = \"keep\", reason = \"..\" }} # to be decided: {}", one.why),
        };
    }
    out
}

fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if is_bare { name.to_owned() } else { serde_json::to_string(name).unwrap_or_default() }
}
