//! The words of a column's name, and tables of people, as people write names: `home_phone2`, `homePhone`, `HOME-PHONE`.

/// Tables whose column `name` is that of a person.
const PEOPLE: [&str; 14] = [
    "user", "customer", "person", "people", "contact", "employee", "member", "patient", "student", "account", "client",
    "author", "profile", "guest",
];

/// Returns the words in lower case, without numbers at their ends.
pub(super) fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let (mut all, mut word) = (Vec::new(), String::new());
    for (at, char) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let begins = char.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || before.is_uppercase() && after.is_some_and(|c| c.is_lowercase())
            });
        if begins || !char.is_alphanumeric() {
            all.push(std::mem::take(&mut word));
        }
        if char.is_alphanumeric() {
            word.extend(char.to_lowercase());
        }
    }
    all.push(word);
    all.iter()
        .map(|word| word.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned())
        .filter(|w| !w.is_empty())
        .collect()
}

/// Returns whether the name has one of `known`, each of which is one word, or two or three that are written as one.
pub(super) fn has(words: &[String], known: &[&str]) -> bool {
    (1..=3).any(|length| words.windows(length).any(|some| known.contains(&some.concat().as_str())))
}

/// Returns whether the name ends with one of `known`.
pub(super) fn ends_with(words: &[String], known: &[&str]) -> bool {
    (1..=3.min(words.len())).any(|length| known.contains(&words[words.len() - length..].concat().as_str()))
}

/// Returns whether a table is one of people.
pub(super) fn is_of_people(table: &str) -> bool {
    PEOPLE.iter().any(|person| table.contains(person))
}
