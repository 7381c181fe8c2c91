//! Numbers in place of numbers: with the same sign, as many digits and decimal places, one to one, within the range of the column.

use super::{key::Key, limits::Limits};

/// Digits that a number of 128 bits surely holds.
const WHOLE: usize = 38;

/// How numbers of a column are replaced.
pub(super) struct Numbers<'a> {
    pub(super) key: &'a Key,
    pub(super) limits: &'a Limits,
}

impl Numbers<'_> {
    /// Writes another number for one of 2, 4 or 8 bytes.
    pub(super) fn integer(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut wide = [if value.first().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 }; 8];
        let at = 8_usize.saturating_sub(value.len());
        wide[at..].copy_from_slice(value.get(..8 - at).unwrap_or_default());
        let number = i64::from_be_bytes(wide);
        let text = self.text(&number.to_string());
        let new: i64 = text.parse().unwrap_or_default();
        out.extend_from_slice(&new.to_be_bytes()[at..]);
    }

    /// Writes another number for one in the binary form of `numeric`.
    // Source: PostgreSQL, numeric.c, numeric_send: count of groups, weight, sign, decimal places, then groups of four digits.
    pub(super) fn numeric(&self, value: &[u8], out: &mut Vec<u8>) {
        let start = out.len();
        if self.numeric_parts(value, out).is_none() {
            out.truncate(start);
            // Not a number as it is known: nothing of it goes on but zero.
            out.extend_from_slice(&[0; 8]);
        }
    }

    fn numeric_parts(&self, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
        let word = |at: usize| Some(i16::from_be_bytes(value.get(at * 2..at * 2 + 2)?.try_into().ok()?));
        let (count, weight, sign, places) = (word(0)?, word(1)?, value.get(4..6)?, usize::try_from(word(3)?).ok()?);
        if !matches!(sign, [0 | 0x40, 0]) {
            out.extend_from_slice(value);
            return Some(());
        }
        let groups: Option<Vec<i16>> = (0..usize::try_from(count).ok()?).map(|at| word(4 + at)).collect();
        let groups = groups?;
        let group = |at: i32| usize::try_from(at).ok().and_then(|at| groups.get(at)).copied().unwrap_or_default();
        let before = i32::from(weight) + 1;
        let digits = |from: i32, to: i32| (from..to).map(|at| format!("{:04}", group(at))).collect::<String>();
        let after = before + i32::try_from(places.div_ceil(4)).ok()?;
        let (whole, fraction) = (digits(0, before), digits(before, after));
        let text = format!("{whole}{}", fraction.get(..places)?);
        let new = self.digits(&text, places, sign[0] != 0);
        let padded = format!("{new}{}", "0".repeat(fraction.len() - places));
        let mut new: Vec<i16> =
            padded.as_bytes().chunks(4).map(|four| four.iter().fold(0, |n, d| n * 10 + i16::from(d - b'0'))).collect();
        let mut weight = before.max(0) - 1;
        let zeros = new.iter().take_while(|group| **group == 0).count();
        new.drain(..zeros);
        weight -= i32::try_from(zeros).ok()?;
        new.truncate(new.iter().rposition(|group| *group != 0).map_or(0, |at| at + 1));
        let weight = if new.is_empty() { 0 } else { i16::try_from(weight).ok()? };
        out.extend_from_slice(&i16::try_from(new.len()).ok()?.to_be_bytes());
        out.extend_from_slice(&weight.to_be_bytes());
        out.extend_from_slice(value.get(4..8)?);
        new.iter().for_each(|group| out.extend_from_slice(&group.to_be_bytes()));
        Some(())
    }

    /// Writes another number for one in the binary form of `float4` or `float8`.
    pub(super) fn float(&self, value: &[u8], out: &mut Vec<u8>) {
        if let Ok(bytes) = value.try_into() {
            let number = f64::from_be_bytes(bytes);
            let new =
                if number.is_finite() { self.text(&number.to_string()).parse().unwrap_or_default() } else { number };
            out.extend_from_slice(&f64::to_be_bytes(new));
        } else if let Ok(bytes) = value.try_into() {
            let number = f32::from_be_bytes(bytes);
            let new =
                if number.is_finite() { self.text(&number.to_string()).parse().unwrap_or_default() } else { number };
            out.extend_from_slice(&f32::to_be_bytes(new));
        }
    }

    /// Returns another number for one that is written out; what is no number becomes zero, and infinity stays.
    pub(super) fn text(&self, value: &str) -> String {
        if matches!(value, "NaN" | "Infinity" | "-Infinity") {
            return value.to_owned();
        }
        let (sign, plain) = value.strip_prefix('-').map_or(("", value), |plain| ("-", plain));
        let (whole, fraction) = plain.split_once('.').unwrap_or((plain, ""));
        let all = format!("{whole}{fraction}");
        if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
            return "0".to_owned();
        }
        let new = self.digits(&all, fraction.len(), !sign.is_empty());
        let (whole, fraction) = new.split_at(whole.len());
        if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }

    /// Returns other digits, as many; zeros at the begin stay. `places` of them are behind the point.
    fn digits(&self, all: &str, places: usize, is_negative: bool) -> String {
        let digits = all.trim_start_matches('0');
        let zeros = &all[..all.len() - digits.len()];
        if digits.is_empty() {
            return all.to_owned();
        }
        if digits.len() <= WHOLE {
            return format!("{zeros}{}", self.whole(digits, places, is_negative));
        }
        let mut new = String::from(zeros);
        let (first, rest) = digits.split_at(WHOLE);
        new.push_str(&self.whole(first, usize::MAX, is_negative));
        for at in (0..rest.len()).step_by(WHOLE) {
            let chunk = &rest[at..rest.len().min(at + WHOLE)];
            let count = 10_u128.pow(u32::try_from(chunk.len()).unwrap_or_default());
            let number = self.key.permute_below("digits", chunk.parse().unwrap_or_default(), count);
            new.push_str(&format!("{number:0width$}", width = chunk.len()));
        }
        new
    }

    fn whole(&self, digits: &str, places: usize, is_negative: bool) -> String {
        let length = u32::try_from(digits.len()).unwrap_or_default();
        let (least, most) = (10_i128.pow(length - 1), 10_i128.pow(length) - 1);
        let size: i128 = digits.parse().unwrap_or(least);
        // Numbers below zero are replaced by their sizes, so the range is turned.
        let (low, high) = match u32::try_from(places) {
            Ok(places) if is_negative => {
                let (low, high) = self.limits.at(places);
                (high.saturating_neg(), low.saturating_neg())
            }
            Ok(places) => self.limits.at(places),
            Err(_) => (i128::MIN, i128::MAX),
        };
        let within = (least.max(low), most.min(high));
        // A number out of the range is there where the check is not of all rows.
        let (from, to) = if (within.0..=within.1).contains(&size) { within } else { (least, most) };
        let count = (to - from).unsigned_abs() + 1;
        let new = self.key.permute_below("digits", (size - from).unsigned_abs(), count);
        (from.unsigned_abs() + new).to_string()
    }
}
