//! One value of a type: distinct for each row where the type has room for it.

use super::{
    Column, Schema, Type,
    limits::{Case, Limits},
};

/// Texts of well-known forms, tried where a check cannot be read.
const FORMS: &[&str] = &[
    "ann{n}@example.com",
    "https://example.com/{n}",
    "abc{n}",
    "ABC{n}",
    "1{n}",
    "a-b-{n}",
    "DE",
    "de",
    "EUR",
    "en-GB",
    "+4912345678{n}",
    "#00ff0{d}",
    "192.0.2.{n}",
    "2024-01-0{d}",
    "12:0{d}",
    "1.0.{n}",
    "/a/{n}",
    "a.example.com",
    "00000000-0000-4000-8000-00000000000{d}",
    "{\"a\": {n}}",
    "[]",
    "A1{n}",
    "0x{n}",
    "abcdef0123456789abcdef012345678{d}",
    "abcdef0123456789abcdef0123456789abcdef0123456789abcdef012345678{d}",
    "{n}",
    "*",
    "",
];
/// Days from which dates count on.
const DAYS_OF_MONTH: i64 = 28;

/// What a value is made from.
#[derive(Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) schema: &'a Schema,
    /// Number of the row, from 0; with what makes it another one where it was taken.
    pub(super) number: i64,
    /// Which of several forms; 0 is the usual one.
    pub(super) form: usize,
    /// What differs from seed to seed and from column to column.
    pub(super) salt: u64,
}

impl Maker<'_> {
    /// Returns a column's value as text, or the name of the type that no value is known of.
    pub(super) fn value(self, column: &Column, limits: &Limits) -> Result<String, String> {
        let (found, modifier, _) = self.schema.base(column);
        let found = found.ok_or("a type that is not in the catalog")?;
        if let Some(one) = pick(&limits.one_of, self.number) {
            return Ok(one.to_owned());
        }
        if self.form > 0
            && let Some(hint) = limits.hints.get(self.form - 1)
        {
            return Ok(hint.clone());
        }
        let maker = Maker { form: self.form.saturating_sub(limits.hints.len()), ..self };
        let value = maker.of_type(found, modifier, &column.name, limits)?;
        let is_taken = limits.none_of.contains(&value);
        if is_taken {
            Maker { number: self.number + 1_000, ..self }.of_type(found, modifier, &column.name, limits)
        } else {
            Ok(value)
        }
    }

    fn of_oid(self, oid: u32, name: &str) -> Result<String, String> {
        let column = Column { name: name.to_owned(), of_type: oid, modifier: -1, ..Column::default() };
        let (found, modifier, _) = self.schema.base(&column);
        self.of_type(found.ok_or("a type that is not in the catalog")?, modifier, name, &Limits::default())
    }

    fn of_type(self, found: &Type, modifier: i32, name: &str, limits: &Limits) -> Result<String, String> {
        match found.kind.as_str() {
            "e" => pick(&found.labels, self.number)
                .map(str::to_owned)
                .ok_or_else(|| format!("enum {} has no label", found.name)),
            "c" => {
                let parts: Result<Vec<String>, String> =
                    found.parts.iter().map(|part| self.of_oid(*part, name)).collect();
                Ok(format!("({})", parts?.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(",")))
            }
            "r" => self.range(found.of, name),
            "m" => Ok(format!("{{{}}}", self.of_oid(found.of, name)?)),
            _ if found.is_array => {
                let length = limits.length.0.unwrap_or(2).min(limits.length.1.unwrap_or(100)).max(1);
                let element = |at: usize| {
                    Maker { number: self.number + i64::try_from(at).unwrap_or(0), ..self }.of_oid(found.of, name)
                };
                let elements: Result<Vec<String>, String> = (0..length).map(element).collect();
                Ok(format!("{{{}}}", elements?.iter().map(|element| quoted(element)).collect::<Vec<_>>().join(",")))
            }
            _ => self.plain(&found.name, modifier, name, limits),
        }
    }

    /// Ranges do not meet each other: exclusion constraints are mostly about that.
    fn range(self, of: u32, name: &str) -> Result<String, String> {
        let end = |at: i64| Maker { number: self.number * 2 + at, salt: self.salt & !0xff, ..self }.of_oid(of, name);
        Ok(format!("[{},{})", quoted(&end(0)?), quoted(&end(1)?)))
    }

    fn plain(self, base: &str, modifier: i32, name: &str, limits: &Limits) -> Result<String, String> {
        let n = self.number + 1;
        let day = |at: i64| {
            format!("20{:02}-{:02}-{:02}", 20 + at / 336 % 70, 1 + at / DAYS_OF_MONTH % 12, 1 + at % DAYS_OF_MONTH)
        };
        let days = (n - 1) + limits.lift * 40;
        let date = || self.date(limits, &day(days), days);
        Ok(match base {
            "int2" | "int4" | "int8" | "oid" | "numeric" | "float4" | "float8" | "money" => {
                self.number(base, modifier, limits)
            }
            "bool" => (if n % 2 == 0 { "false" } else { "true" }).to_owned(),
            "text" | "varchar" | "bpchar" | "citext" | "name" => self.text(base, modifier, name, limits),
            "char" => char::from(b'a' + u8::try_from(self.number.rem_euclid(26)).unwrap_or(0)).to_string(),
            "uuid" => format!("{:08x}-0000-4000-8000-{:012x}", self.salt & 0xffff_ffff, n),
            "date" => date(),
            "timestamp" => format!("{} 12:{:02}:00", date(), n % 60),
            "timestamptz" => format!("{} 12:{:02}:00+00", date(), n % 60),
            "time" => format!("{:02}:{:02}:00", limits.lift % 12 + n / 60 % 12, n % 60),
            "timetz" => format!("{:02}:{:02}:00+00", limits.lift % 12 + n / 60 % 12, n % 60),
            "interval" => format!("{} hours", n + limits.lift * 100),
            "json" | "jsonb" => match self.form % 3 {
                0 => format!("{{\"{name}\": {n}}}").replace('\\', ""),
                1 => format!("[{n}]"),
                _ => format!("\"{n}\""),
            },
            "jsonpath" => format!("$.a{n}"),
            "bytea" => {
                let length = limits.length.0.unwrap_or(4).max(1);
                format!(
                    "\\x{}",
                    (0..length)
                        .map(|at| format!("{:02x}", (n + i64::try_from(at).unwrap_or(0)) & 0xff))
                        .collect::<String>()
                )
            }
            "inet" => format!("192.0.{}.{}", n / 250 % 250, n % 250),
            "cidr" => format!("10.{}.{}.0/24", n / 250 % 250, n % 250),
            "macaddr" => format!("08:00:2b:00:{:02x}:{:02x}", n / 256 % 256, n % 256),
            "macaddr8" => format!("08:00:2b:ff:fe:00:{:02x}:{:02x}", n / 256 % 256, n % 256),
            "bit" => bits(n, usize::try_from(modifier).unwrap_or(1).max(1)),
            "varbit" => bits(n, usize::try_from(modifier).unwrap_or(8).clamp(1, 8)),
            "point" => format!("({n},{n})"),
            "line" => format!("{{1,-1,{n}}}"),
            "lseg" => format!("[({n},0),({n},1)]"),
            "box" => format!("({n},1),({},0)", n - 1),
            "path" => format!("[({n},0),({n},1),(0,0)]"),
            "polygon" => format!("(({n},0),({n},1),(0,0))"),
            "circle" => format!("<({},0),1>", n * 10),
            "xml" => format!("<row>{n}</row>"),
            "tsvector" => format!("row{n}"),
            "tsquery" => format!("row{n}"),
            "pg_lsn" => format!("0/{n:X}"),
            "hstore" => format!("\"row\"=>\"{n}\""),
            "ltree" => format!("top.row{n}"),
            "vector" | "halfvec" => {
                let size = usize::try_from(modifier).unwrap_or(3).max(1);
                format!("[{}]", vec![n.to_string(); size].join(","))
            }
            "geometry" | "geography" => format!("POINT({} {})", n % 90, n % 90),
            "isn" | "regclass" => "pg_class".to_owned(),
            "regtype" => "int4".to_owned(),
            "regproc" => "now".to_owned(),
            other => return Err(format!("no generated value of type {other} is known")),
        })
    }

    fn date(self, limits: &Limits, usual: &str, days: i64) -> String {
        let Some(least) = limits.least.as_deref() else { return usual.to_owned() };
        // Of `least` only the date is taken; the next year is above it.
        let year: i64 = least.get(..4).and_then(|year| year.parse().ok()).unwrap_or(2024);
        format!("{:04}{}", year + 1 + days / 336, &usual[4..])
    }

    fn number(self, base: &str, modifier: i32, limits: &Limits) -> String {
        let (digits, scale) = precision(base, modifier);
        let parse = |end: &Option<String>| end.as_ref().and_then(|end| end.parse::<f64>().ok());
        let (least, most) = (parse(&limits.least), parse(&limits.most));
        let whole = digits.saturating_sub(scale).min(9);
        let room = 10_f64.powi(i32::try_from(whole).unwrap_or(9)) - 1.0;
        // A range of less than one needs a smaller step.
        let (low, high) = (
            least.unwrap_or(most.map_or(1.0, |most| (most - 50.0).min(1.0))),
            most.unwrap_or(room.max(0.0)).min(if base == "int2" { 32_767.0 } else { f64::MAX }),
        );
        let step = match () {
            () if base.starts_with("int") || base == "oid" => 1.0,
            () if whole == 0 || high - low < 20.0 => {
                ((high - low) / 64.0).max(10_f64.powi(-i32::try_from(scale).unwrap_or(2)))
            }
            () => 1.25,
        };
        let first = match self.form % 4 {
            0 => low + if limits.open.0 { step } else { 0.0 } + spread(self.salt, high - low),
            1 => 0.0,
            2 => -1.0,
            _ => low + 1_000.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "row numbers are small")]
        let mut value = first + step * (self.number + limits.lift * 100) as f64;
        let end = if limits.open.1 { high - step } else { high };
        if value > end {
            let span = ((end - low) / step).floor().max(0.0) + 1.0;
            value = low + if limits.open.0 { step } else { 0.0 } + step * (((value - low) / step).floor() % span);
            value = value.min(end);
        }
        if base.starts_with("int") || base == "oid" {
            format!("{value:.0}")
        } else {
            format!("{value:.*}", scale.min(6))
        }
    }

    fn text(self, base: &str, modifier: i32, name: &str, limits: &Limits) -> String {
        let declared = usize::try_from(modifier - 4).ok().filter(|_| matches!(base, "varchar" | "bpchar"));
        let most = [declared, limits.length.1, (base == "name").then_some(63)].into_iter().flatten().min();
        let n = self.number + 1;
        let (digit, number) = ((n % 10).to_string(), n.to_string());
        let filled = |form: &str| form.replace("{n}", &number).replace("{d}", &digit);
        let mut value = match (self.form, &limits.like) {
            (0, Some(like)) => like.replace('%', &format!("a{n}")).replace('_', "a"),
            (0, None) if name.contains("mail") => filled(FORMS[0]),
            (0, None) if name.contains("url") => filled(FORMS[1]),
            (0, None) => format!("{name} {n}"),
            (form, _) => filled(FORMS[(form - 1) % FORMS.len()]),
        };
        let least = limits.length.0.unwrap_or(0);
        while value.chars().count() < least {
            value.push_str(&number);
        }
        if let Some(most) = most.filter(|most| value.chars().count() > *most) {
            // The end tells rows apart.
            let skip = value.chars().count() - most;
            value = value.chars().skip(skip).collect();
        }
        match limits.case {
            Some(Case::Lower) => value.to_lowercase(),
            Some(Case::Upper) => value.to_uppercase(),
            None => value,
        }
    }
}

// Source: numeric.h: the modifier is (precision << 16 | scale) + 4.
fn precision(base: &str, modifier: i32) -> (usize, usize) {
    match (base, usize::try_from(modifier - 4)) {
        ("numeric", Ok(packed)) if modifier >= 4 => (packed >> 16, packed & 0x7ff),
        ("int2", _) => (5, 0),
        _ => (12, 2),
    }
}

/// Moves the first value a little from seed to seed, where there is room for it and for many rows.
fn spread(salt: u64, room: f64) -> f64 {
    if room < 1_000.0 { 0.0 } else { f64::from(u8::try_from(salt % 97).unwrap_or(0)) }
}

fn bits(n: i64, length: usize) -> String {
    (0..length).rev().map(|at| if at < 63 && (n >> at) & 1 == 1 { '1' } else { '0' }).collect()
}

fn pick(from: &[String], number: i64) -> Option<&str> {
    let size = i64::try_from(from.len()).ok().filter(|size| *size > 0)?;
    from.get(usize::try_from(number.rem_euclid(size)).ok()?).map(String::as_str)
}

/// Quotes an element of an array or a part of a row.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
