//! Days and moments that are shifted, all by the same number of days.

use super::key::Key;

const DAY_MICROS: i64 = 86_400_000_000;

/// Returns by how many days all dates are shifted: up to a year into the past, never none.
fn days(key: &Key) -> i64 {
    -(1 + i64::try_from(key.hash("date-shift", b"") % 365).unwrap_or_default())
}

pub(super) fn shift_date(key: &Key, value: &[u8], out: &mut Vec<u8>) {
    let Ok(bytes) = value.try_into() else { return out.extend_from_slice(value) };
    let date = i32::from_be_bytes(bytes);
    // The ends of the range are the infinities.
    let is_infinite = date == i32::MAX || date == i32::MIN;
    let shifted = i32::try_from(i64::from(date) + days(key)).unwrap_or(date);
    out.extend_from_slice(&if is_infinite { date } else { shifted }.to_be_bytes());
}

pub(super) fn shift_timestamp(key: &Key, value: &[u8], out: &mut Vec<u8>) {
    let Ok(bytes) = value.try_into() else { return out.extend_from_slice(value) };
    let moment = i64::from_be_bytes(bytes);
    let is_infinite = moment == i64::MAX || moment == i64::MIN;
    let shifted = moment.saturating_add(days(key) * DAY_MICROS);
    out.extend_from_slice(&if is_infinite { moment } else { shifted }.to_be_bytes());
}

/// Shifts a day, with or without a time behind it, as PostgreSQL writes it in ISO form; what is none becomes the year 2000's first.
pub(super) fn shift_text(key: &Key, value: &str) -> String {
    if matches!(value, "infinity" | "-infinity") {
        return value.to_owned();
    }
    shifted_text(value, days(key)).unwrap_or_else(|| "2000-01-01".to_owned())
}

fn shifted_text(value: &str, days: i64) -> Option<String> {
    let (value, is_before_christ) = value.strip_suffix(" BC").map_or((value, false), |value| (value, true));
    let (date, time) = value.split_at(value.find(' ').unwrap_or(value.len()));
    let parts: Vec<i64> = date.split('-').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [year, month, day] = parts.as_slice() else { return None };
    let year = if is_before_christ { 1 - year } else { *year };
    let (year, month, day) = civil(number(year, *month, *day) + days);
    let (year, era) = if year < 1 { (1 - year, " BC") } else { (year, "") };
    Some(format!("{year:04}-{month:02}-{day:02}{time}{era}"))
}

/// Returns the number of a day of the Gregorian calendar; 0 is the first of March of the year 0.
// The year begins in March here, so that the day which comes every fourth year is its last one.
fn number(year: i64, month: i64, day: i64) -> i64 {
    let year = if month < 3 { year - 1 } else { year };
    let days_before_month = (153 * ((month + 9) % 12) + 2) / 5;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + days_before_month + day - 1
}

/// Returns year, month and day of a number of [`number`].
fn civil(number: i64) -> (i64, i64, i64) {
    let (era, of_era) = (number.div_euclid(146_097), number.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next, month, day)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::over_a_leap_day("2024-03-01", -1, "2024-02-29")]
    #[case::no_leap_year("1900-03-01", -1, "1900-02-28")]
    #[case::time_stays("2020-01-01 23:59:59.5+00", -365, "2019-01-01 23:59:59.5+00")]
    #[case::out_of_our_era("0001-01-01", -1, "0001-12-31 BC")]
    #[case::before_it("0044-03-15 BC", -15, "0044-02-28 BC")]
    #[case::far("10000-01-01", -1, "9999-12-31")]
    fn a_day_as_text_is_shifted(#[case] value: &str, #[case] days: i64, #[case] want: &str) {
        assert_eq!(shifted_text(value, days).as_deref(), Some(want));
    }

    #[test]
    fn each_day_has_its_number() {
        for day in -1_000_000..1_000_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(number(year, month, of_month), day);
        }
    }
}
