//! Texts that differ and mean the same.

use super::Attribute;

/// Returns whether both are bodies that differ in white space and comments only.
pub(super) fn is_same_body(attribute: &Attribute) -> bool {
    match (&attribute.old, &attribute.new) {
        (Some(old), Some(new)) if attribute.name == "body" => bare(old) == bare(new),
        _ => false,
    }
}

/// Returns a body as words: comments and white space outside of quotes are what separates them.
// Source: PostgreSQL manual 4.1.5: `--` to the end of the line; `/* */`, which nests.
fn bare(body: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        let taken = if rest.starts_with("--") {
            words.push(String::new());
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            words.push(String::new());
            comment(rest)
        } else if c == '\'' || c == '"' {
            let end = rest[1..].find(c).map_or(rest.len(), |at| at + 2);
            last(&mut words).push_str(&rest[..end]);
            end
        } else if c.is_whitespace() {
            words.push(String::new());
            c.len_utf8()
        } else {
            last(&mut words).push(c);
            c.len_utf8()
        };
        rest = &rest[taken..];
    }
    words.retain(|word| !word.is_empty());
    words
}

fn last(words: &mut Vec<String>) -> &mut String {
    if words.is_empty() {
        words.push(String::new());
    }
    let at = words.len() - 1;
    &mut words[at]
}

/// Returns the length of the comment that a text begins with.
fn comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// Returns a view's definition as PostgreSQL 16 and later write it: a query of a single relation does not say before
/// each column whose it is.
///
/// Only the outermost query is changed; what stands in parentheses after SELECT is left as it is.
// Source: PostgreSQL 16 release notes; until 15 the rules OLD and NEW made each view one of several relations.
#[must_use]
pub fn single_relation_view(definition: &str) -> String {
    let Some(alias) = single_alias(definition) else { return definition.to_owned() };
    let prefix = format!("{alias}.");
    let mut out = String::with_capacity(definition.len());
    // For each open parenthesis whether a query began there.
    let mut open: Vec<bool> = Vec::new();
    let mut before = ' ';
    let mut rest = definition;
    while let Some(c) = rest.chars().next() {
        let in_query = open.iter().any(|is_query| *is_query);
        let begins_word = !(before.is_alphanumeric() || matches!(before, '_' | '.' | '"' | '$'));
        // A whole row, `t.*`, is written with its relation by every version.
        let is_row = rest.strip_prefix(&prefix).is_some_and(|rest| rest.starts_with('*'));
        if !in_query && begins_word && !is_row && rest.starts_with(&prefix) {
            rest = &rest[prefix.len()..];
            before = ' ';
            continue;
        }
        let taken = match c {
            '\'' | '"' => rest[1..].find(c).map_or(rest.len(), |at| at + 2),
            '(' => {
                let inner = rest[1..].trim_start();
                open.push(inner.starts_with("SELECT") || inner.starts_with("WITH") || inner.starts_with("VALUES"));
                1
            }
            ')' => {
                open.pop();
                1
            }
            c => c.len_utf8(),
        };
        out.push_str(&rest[..taken]);
        before = rest[..taken].chars().next_back().unwrap_or(' ');
        rest = &rest[taken..];
    }
    out
}

/// Returns an ICU locale as PostgreSQL 16 and later keep it, as a language tag: `de-DE-u-co-phonebk`.
// Source: ICU user guide, locales; CLDR, key-type equivalences of the collation keywords.
#[must_use]
pub fn icu_locale(locale: &str) -> String {
    const KEYS: [(&str, &str); 8] = [
        ("collation", "co"),
        ("colnumeric", "kn"),
        ("colstrength", "ks"),
        ("colcasefirst", "kf"),
        ("colalternate", "ka"),
        ("colcaselevel", "kc"),
        ("colbackwards", "kb"),
        ("colnormalization", "kk"),
    ];
    const VALUES: [(&str, &str); 11] = [
        ("phonebook", "phonebk"),
        ("traditional", "trad"),
        ("dictionary", "dict"),
        ("gb2312han", "gb2312"),
        ("primary", "level1"),
        ("secondary", "level2"),
        ("tertiary", "level3"),
        ("quaternary", "level4"),
        ("identical", "identic"),
        ("yes", ""),
        ("no", "false"),
    ];
    let (name, keywords) = locale.split_once('@').unwrap_or((locale, ""));
    let mut tag = if name.is_empty() { "und".to_owned() } else { name.replace('_', "-") };
    let of = |pair: &str| {
        let (key, value) = pair.split_once('=')?;
        let (key, value) = (key.trim().to_ascii_lowercase(), value.trim().to_ascii_lowercase());
        let short = |all: &[(&'static str, &'static str)], text: &str| {
            all.iter().find(|(long, _)| *long == text).map(|(_, short)| *short)
        };
        let value = short(&VALUES, &value).map_or(value.clone(), str::to_owned);
        Some((short(&KEYS, &key)?, value))
    };
    let mut pairs: Vec<(&str, String)> = keywords.split(';').filter_map(of).collect();
    pairs.sort();
    for (nth, (key, value)) in pairs.iter().enumerate() {
        tag.push_str(if nth == 0 { "-u-" } else { "-" });
        tag.push_str(key);
        if !value.is_empty() {
            tag.push('-');
            tag.push_str(value);
        }
    }
    tag
}

/// Returns by which name the only relation of a query is known; `None` where there are several, or none.
fn single_alias(definition: &str) -> Option<String> {
    let outer = outermost(definition);
    let mut lines = outer.lines().map(str::trim);
    let joins = |line: &str| line.contains("JOIN ") || line.starts_with("LATERAL ");
    let combines = |line: &str| ["UNION", "INTERSECT", "EXCEPT"].iter().any(|word| line.starts_with(word));
    let source = lines.by_ref().find_map(|line| line.strip_prefix("FROM "))?.trim_end_matches(';');
    if source.contains([',', '\'']) || lines.any(|line| joins(line) || combines(line)) {
        return None;
    }
    let last = source.rsplit(' ').next()?.trim_end_matches("()");
    let alias = last.rsplit('.').next()?;
    (!alias.is_empty()).then(|| alias.to_owned())
}

/// Returns a text with what stands in parentheses taken out.
fn outermost(text: &str) -> String {
    let mut out = String::new();
    let (mut depth, mut quote) = (0_usize, None);
    for c in text.chars() {
        let is_quote = matches!(c, '\'' | '"');
        match (c, quote) {
            (')', None) => depth = depth.saturating_sub(1),
            _ if is_quote && quote == Some(c) => quote = None,
            _ if is_quote && quote.is_none() => quote = Some(c),
            _ => {}
        }
        if depth == 0 {
            out.push(c);
        }
        if c == '(' && quote.is_none() {
            depth += 1;
        }
    }
    out
}
