//! The range that a column's checks leave to its numbers.

/// A bound: `mantissa` over ten to the power of `scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bound {
    mantissa: i128,
    scale: u32,
    is_open: bool,
}

/// A range of numbers; without bounds where there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    low: Vec<Bound>,
    high: Vec<Bound>,
}

impl Limits {
    /// Returns the range of whole numbers from `low` to `high`.
    #[must_use]
    pub fn between(low: i64, high: i64) -> Self {
        let bound = |mantissa: i64| vec![Bound { mantissa: mantissa.into(), scale: 0, is_open: false }];
        Limits { low: bound(low), high: bound(high) }
    }

    /// Narrows the range to what a check of the column allows, as PostgreSQL writes it (`CHECK ((pay > (0)::numeric))`).
    ///
    /// `None` where it is not understood: what satisfies it is not known then.
    #[must_use]
    pub fn within(mut self, check: &str, column: &str) -> Option<Self> {
        let plain = without_casts(check.trim().strip_prefix("CHECK")?.trim_end_matches("NO INHERIT"));
        let quoted = crate::sync::quoted(column);
        for part in plain.split(" AND ") {
            let words: Vec<&str> = part.split_whitespace().collect();
            let is_column = |word: &str| word == column || word == quoted || word == "VALUE";
            match words.as_slice() {
                [name, operator, value] if is_column(name) => self.narrow(operator, number(value)?)?,
                [value, operator, name] if is_column(name) => self.narrow(turned(operator), number(value)?)?,
                // The number of digits stays.
                ["length" | "char_length" | "character_length", name, "=" | "<" | ">" | "<=" | ">=", value]
                    if is_column(name) =>
                {
                    number(value)?;
                }
                [name, "IS", "NOT", "NULL"] if is_column(name) => (),
                _ => return None,
            }
        }
        Some(self)
    }

    fn narrow(&mut self, operator: &str, (mantissa, scale): (i128, u32)) -> Option<()> {
        let bound = |is_open| Bound { mantissa, scale, is_open };
        match operator {
            ">" => self.low.push(bound(true)),
            ">=" => self.low.push(bound(false)),
            "<" => self.high.push(bound(true)),
            "<=" => self.high.push(bound(false)),
            _ => return None,
        }
        Some(())
    }

    /// Returns the least and the greatest number of the range, both in units of ten to the power of minus `scale`.
    pub(super) fn at(&self, scale: u32) -> (i128, i128) {
        let low = self.low.iter().filter_map(|bound| bound.at(scale, 1)).max().unwrap_or(i128::MIN);
        let high = self.high.iter().filter_map(|bound| bound.at(scale, -1)).min().unwrap_or(i128::MAX);
        (low, high)
    }
}

impl Bound {
    /// Returns the first unit inside; `inwards` is 1 for a lower bound and -1 for an upper one. `None` for one out of reach.
    fn at(self, scale: u32, inwards: i128) -> Option<i128> {
        let (unit, is_whole) = if scale >= self.scale {
            (self.mantissa.checked_mul(10_i128.checked_pow(scale - self.scale)?)?, true)
        } else {
            let divisor = 10_i128.checked_pow(self.scale - scale)?;
            let floor = self.mantissa.div_euclid(divisor);
            let is_whole = self.mantissa.rem_euclid(divisor) == 0;
            (if is_whole || inwards < 0 { floor } else { floor + 1 }, is_whole)
        };
        if self.is_open && is_whole { unit.checked_add(inwards) } else { Some(unit) }
    }
}

fn turned(operator: &str) -> &str {
    match operator {
        ">" => "<",
        ">=" => "<=",
        "<" => ">",
        "<=" => ">=",
        other => other,
    }
}

/// Returns mantissa and scale of a number as SQL writes it.
fn number(text: &str) -> Option<(i128, u32)> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() < 30;
    let mantissa = format!("{whole}{fraction}").parse().ok().filter(|_| is_digits)?;
    Some((mantissa, u32::try_from(fraction.len()).ok()?))
}

/// Returns an expression without casts, with a blank for each bracket and without quotes of numbers.
pub(super) fn without_casts(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        if let Some(cast) = rest.strip_prefix("::") {
            let end = cast.find(|c: char| !c.is_alphanumeric() && !"_.\"".contains(c)).unwrap_or(cast.len());
            rest = cast[end..].strip_prefix(" precision").unwrap_or(&cast[end..]);
            if let Some((modifier, after)) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')'))
                && modifier.bytes().all(|byte| byte.is_ascii_digit() || byte == b',')
            {
                rest = after;
            }
            continue;
        }
        rest = &rest[char.len_utf8()..];
        match char {
            '(' | ')' => out.push(' '),
            '\'' => (),
            other => out.push(other),
        }
    }
    // A sign stands alone where the number was in brackets.
    out.replace("- ", "-")
}
