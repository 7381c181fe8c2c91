//! Parts of file names: numbers, and their order.

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
