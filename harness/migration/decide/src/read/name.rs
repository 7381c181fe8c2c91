//! Parts of file names: numbers and their order, and the direction of a script.

/// Splits the digits off at the beginning.
pub(super) fn digits(name: &str) -> (&str, &str) {
    name.split_at(name.bytes().take_while(u8::is_ascii_digit).count())
}

/// Returns a key that sorts digits by their number, however many there are.
pub(super) fn number(digits: &str) -> (usize, &str) {
    let digits = digits.trim_start_matches('0');
    (digits.len(), digits)
}

/// Returns whether a number fits a signed integer of 64 bits, as most tools hold it.
pub(super) fn fits(digits: &str) -> bool {
    digits.parse::<i64>().is_ok()
}

/// Removes an ending, in any case.
pub(super) fn without<'a>(name: &'a str, ending: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(ending.len())?;
    let found = name.get(at..)?;
    found.eq_ignore_ascii_case(ending).then(|| &name[..at])
}

/// How the script that reverts another one ends, where that one has no ending.
pub(super) const ROLLBACKS: [&str; 3] = [".rollback", ".undo", ".revert"];

/// Takes the direction off that postgrator writes after the number: `.do.name`, `.undo.name`.
pub(super) fn postgrator(rest: &str) -> (&str, bool) {
    let after = |word: &str| rest.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with('.'));
    match (after(".do"), after(".undo")) {
        (Some(rest), _) => (rest, false),
        (_, Some(rest)) => (rest, true),
        _ => (rest, false),
    }
}

/// Returns whether a name is that of a script which reverts another one in a way that only plain folders have.
pub(super) fn is_rollback(file: &str) -> bool {
    let ends = without(file, ".sql").is_some_and(|stem| ROLLBACKS.iter().any(|end| without(stem, end).is_some()));
    ends || postgrator(digits(file).1).1
}

/// Returns whether a name states which direction a script is.
pub(super) fn is_directed(file: &str) -> bool {
    [".up.sql", ".down.sql"].iter().any(|end| without(file, end).is_some()) || is_rollback(file)
}
