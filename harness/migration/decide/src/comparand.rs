//! Which values do a script's statements ask for? Rows without them would never be met by its conditions.

use super::{
    Script,
    token::{Kind, Lexer, Token},
};

/// A value that a statement compares a column with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparand {
    /// The column's name, without quotes.
    pub column: String,
    /// The value, as SQL.
    pub value: String,
    /// The names that the statement holds, of tables and others; without quotes.
    pub names: Vec<String>,
}

/// More values than any one script is made rows for.
const MOST: usize = 64;

/// Returns the constants that UPDATE, DELETE, INSERT .. SELECT and WITH compare columns with: `status = 'old'`,
/// `kind in ('a', 'b')`.
#[must_use]
pub fn comparands(script: &Script) -> Vec<Comparand> {
    let mut found: Vec<Comparand> = Vec::new();
    for statement in &script.statements {
        let text = script.text_of(statement);
        let tokens: Vec<Token> = Lexer::new(text).take(2_000).collect();
        let word = |at: usize| tokens.get(at).map_or("", |token| &text[token.range.clone()]);
        if !["update", "delete", "insert", "with"].contains(&word(0).to_lowercase().as_str()) {
            continue;
        }
        let is_name = |token: &Token| matches!(token.kind, Kind::Word | Kind::Quoted);
        let name = |at: usize| tokens.get(at).filter(|token| is_name(token)).map(|_| unquoted(word(at)));
        let names: Vec<String> = (0..tokens.len()).filter_map(name).collect();
        for at in 1..tokens.len() {
            let Some(column) = name(at - 1) else { continue };
            let from = match word(at) {
                "=" => at + 1,
                other if other.eq_ignore_ascii_case("in") && word(at + 1) == "(" => at + 2,
                _ => continue,
            };
            let is_list = from == at + 2;
            let values = (from..tokens.len()).take_while(|at| is_list && word(*at) != ")" || *at == from);
            for value in values.filter(|at| matches!(tokens[*at].kind, Kind::String | Kind::Number)) {
                found.push(Comparand { column: column.clone(), value: word(value).to_owned(), names: names.clone() });
            }
        }
    }
    found.retain(|requested| !requested.value.starts_with('$') || requested.value.len() > 2);
    found.truncate(MOST);
    found
}

fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::{File, chain};

    #[rstest]
    #[case::equal("DELETE FROM orders WHERE status = 'cancelled';", "status='cancelled'")]
    #[case::list("update o set x = 1 where o.kind in ('a', 'b') and n=3;", "x=1 kind='a' kind='b' n=3")]
    #[case::quoted("delete from o where \"Kind\" = 'it''s'; select 1 where a = 2;", "Kind='it''s'")]
    #[case::other_column("delete from o where a = b;", "")]
    fn constants_are_reported_with_their_columns(#[case] up: &str, #[case] want: &str) {
        let file = |name: &str, text: &str| File { path: name.to_owned(), bytes: text.as_bytes().to_vec() };
        let files = [file("1_a.up.sql", up), file("1_a.down.sql", "select 1;")];
        let chain = chain(&files, None).unwrap();
        let reported: Vec<String> =
            comparands(&chain.migrations[0].up).iter().map(|one| format!("{}={}", one.column, one.value)).collect();
        assert_eq!(reported.join(" "), want);
    }
}
