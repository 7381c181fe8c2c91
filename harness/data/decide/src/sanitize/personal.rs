//! Which numbers, days and addresses of machines are those of a person: by the name, type and comment of their column.
//!
//! Texts are another matter: each of them needs a rule. Of numbers and days most are of no person, so only a name that states it
//! counts: its last words, since `phone` and `home_phone_no` hold a number and `phone_verified_at` and `phone_count` do not.

use super::{
    rule::Rule,
    words::{ends_with, has, is_of_people, words},
};
use crate::sync::Column;

/// What a column holds of a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Personal {
    /// Its name states what, and this rule replaces it.
    Rule(Rule),
    /// It needs a rule, and a person has to choose it; this one is proposed.
    Undecided(Option<Rule>, &'static str),
}

/// Words after that which counts.
const TAILS_OF_NUMBERS: [&str; 22] = [
    "number",
    "no",
    "num",
    "nr",
    "value",
    "raw",
    "digits",
    "encrypted",
    "old",
    "new",
    "primary",
    "secondary",
    "home",
    "work",
    "private",
    "personal",
    "office",
    "business",
    "amount",
    "eur",
    "usd",
    "gbp",
];
const TAILS_OF_DATES: [&str; 7] = ["date", "dt", "at", "on", "time", "ts", "utc"];
/// Numbers that name a person or an account.
const IDENTITIES: [&str; 46] = [
    "phone",
    "fax",
    "telephone",
    "cellphone",
    "mobilephone",
    "homephone",
    "workphone",
    "phonenumber",
    "mobilenumber",
    "msisdn",
    "imsi",
    "imei",
    "ssn",
    "socialsecurity",
    "socialinsurance",
    "nino",
    "passport",
    "passportno",
    "passportnumber",
    "cpf",
    "curp",
    "pesel",
    "bsn",
    "aadhaar",
    "aadhar",
    "cnic",
    "nric",
    "tckn",
    "personalcode",
    "driverlicense",
    "drivinglicence",
    "cardnumber",
    "cardno",
    "cardnum",
    "creditcard",
    "debitcard",
    "ccnumber",
    "ccnum",
    "accountnumber",
    "accountno",
    "bankaccount",
    "iban",
    "cvv",
    "cvc",
    "medicalrecordnumber",
    "insurancenumber",
];
/// The same, of columns that are too wide for a flag, a count or a reference.
const WIDE_IDENTITIES: [&str; 9] =
    ["mobile", "tel", "whatsapp", "nationalid", "taxid", "taxnumber", "vatnumber", "citizenid", "routingnumber"];
/// Numbers of few digits.
const SHORT: [&str; 7] = ["pin", "pincode", "otp", "zip", "zipcode", "postcode", "postalcode"];
const PAY: [&str; 8] =
    ["salary", "wage", "wages", "payrate", "annualincome", "monthlyincome", "householdincome", "networth"];
const HEALTH: [&str; 9] =
    ["bmi", "bodyweight", "bodyheight", "heartrate", "bloodpressure", "systolic", "diastolic", "bloodsugar", "glucose"];
const LATITUDES: [&str; 4] = ["latitude", "lat", "geolat", "gpslat"];
const LONGITUDES: [&str; 6] = ["longitude", "lng", "lon", "geolng", "geolon", "gpslng"];
/// Days of a life.
const LIFE: [&str; 18] = [
    "dob",
    "birth",
    "birthdate",
    "birthday",
    "birthdt",
    "dateofbirth",
    "dayofbirth",
    "born",
    "bday",
    "bdate",
    "death",
    "deathdate",
    "deathday",
    "dateofdeath",
    "died",
    "deceased",
    "deathdt",
    "birthdaydate",
];
/// Parts of such a day, which another number is no replacement for.
const PARTS_OF_LIFE: [&str; 9] = [
    "birthyear",
    "yearofbirth",
    "yob",
    "birthmonth",
    "monthofbirth",
    "birthday",
    "dayofbirth",
    "deathyear",
    "yearofdeath",
];
const MACHINES: [&str; 16] = [
    "ip",
    "ipaddress",
    "ipaddr",
    "ipv",
    "addr",
    "address",
    "remoteaddr",
    "remotehost",
    "host",
    "client",
    "inet",
    "mac",
    "macaddress",
    "macaddr",
    "hwaddr",
    "hwaddress",
];
const SECRETS: [&str; 12] = [
    "password",
    "passwd",
    "passwordhash",
    "secret",
    "token",
    "apikey",
    "salt",
    "otp",
    "sessionkey",
    "cookie",
    "sessiontoken",
    "resettoken",
];
/// What a comment states. One word alone proves nothing: `number of phone calls`.
const COMMENTS: [&str; 16] = [
    "phone number",
    "telephone number",
    "date of birth",
    "birth date",
    "birthdate",
    "birthday",
    "social security",
    "credit card",
    "card number",
    "passport number",
    "national id",
    "personal data",
    "personally identifiable",
    "pii",
    "salary",
    "gdpr",
];

/// Returns what a column of numbers, days, UUIDs, bytes or addresses of machines holds of a person.
#[must_use]
pub fn personal(table: &str, column: &Column) -> Option<Personal> {
    let type_name = column.type_name.trim_end_matches("[]");
    by_name(table, type_name, column).or_else(|| {
        let comment = words(column.comment.as_deref().unwrap_or_default()).join(" ");
        let is_personal = COMMENTS.iter().any(|known| format!(" {comment} ").contains(&format!(" {known} ")));
        let proposed = usual(type_name).filter(|_| is_personal && !column.is_free_text)?;
        Some(Personal::Undecided(Some(proposed), "its comment"))
    })
}

/// Returns the rule that replaces any value of a type, as far as there is one.
pub(super) fn usual(type_name: &str) -> Option<Rule> {
    match type_name.trim_end_matches("[]") {
        "int4" | "int8" | "numeric" | "money" | "float4" | "float8" => Some(Rule::Number),
        "date" | "timestamp" | "timestamptz" => Some(Rule::DateShift),
        "inet" | "cidr" | "macaddr" | "macaddr8" => Some(Rule::Hash),
        _ => None,
    }
}

fn by_name(table: &str, type_name: &str, column: &Column) -> Option<Personal> {
    let mut words = words(&column.name);
    if column.type_name.ends_with("[]") {
        words.iter_mut().for_each(|word| word.truncate(word.trim_end_matches('s').len()));
    }
    let rule = |is: bool, rule: Rule| is.then_some(Personal::Rule(rule));
    match type_name {
        "date" | "timestamp" | "timestamptz" => {
            let at = without_tails(&words, &TAILS_OF_DATES);
            rule(ends_with(&words, &LIFE) || ends_with(at, &LIFE), Rule::DateShift)
        }
        "int2" | "int4" | "int8" | "numeric" | "money" | "float4" | "float8" => {
            number(table, type_name, column, &words)
        }
        "inet" | "macaddr" | "macaddr8" => rule(has(&words, &MACHINES), Rule::Hash),
        "uuid" => rule(ends_with(&words, &SECRETS), Rule::Uuid),
        "bytea" => rule(ends_with(&words, &SECRETS), Rule::Hash),
        _ => None,
    }
}

fn number(table: &str, type_name: &str, column: &Column, words: &[String]) -> Option<Personal> {
    let at = without_tails(words, &TAILS_OF_NUMBERS);
    let is = |known: &[&str]| ends_with(words, known) || ends_with(at, known);
    if matches!(type_name, "int2" | "int4" | "int8" | "numeric") && is(&PARTS_OF_LIFE) {
        return Some(match column.not_null {
            false => Personal::Rule(Rule::Null),
            true => Personal::Undecided(None, "its name; it is a part of a date"),
        });
    }
    let is_old = words.len() == 1 && is(&["age"]) && is_of_people(table);
    let is_personal = is(&HEALTH)
        || is_old
        || match type_name {
            "int2" => false,
            "int4" => is(&IDENTITIES) || is(&SHORT) || is(&PAY) || is(&["latitude", "longitude"]),
            "float4" => is(&PAY) || coordinate(column).is_some(),
            _ => {
                is(&IDENTITIES)
                    || is(&WIDE_IDENTITIES)
                    || is(&PAY)
                    || type_name != "money" && is(&SHORT)
                    || type_name != "money" && coordinate(column).is_some()
            }
        };
    is_personal.then_some(Personal::Rule(Rule::Number))
}

/// Returns how far from zero a coordinate may be, in degrees, where the column's name is that of one.
pub(super) fn coordinate(column: &Column) -> Option<u8> {
    let words = words(&column.name);
    match () {
        () if ends_with(&words, &LATITUDES) => Some(90),
        () if ends_with(&words, &LONGITUDES) => Some(180),
        () => None,
    }
}

fn without_tails<'a>(words: &'a [String], tails: &[&str]) -> &'a [String] {
    let kept = words.iter().rposition(|word| !tails.contains(&word.as_str())).map_or(0, |at| at + 1);
    &words[..kept]
}

/// Returns whether most values are numbers of payment cards.
// Source: ISO/IEC 7812-1: the last digit makes the sum of all, every second one doubled, a multiple of ten.
#[must_use]
pub fn are_cards(values: &[String]) -> bool {
    let is_card = |value: &String| {
        let digits: Vec<u32> = value.chars().filter_map(|c| c.to_digit(10)).collect();
        let doubled = |(at, digit): (usize, &u32)| if at % 2 == 1 { digit * 2 / 10 + digit * 2 % 10 } else { *digit };
        digits.len() == value.len()
            && (13..=19).contains(&digits.len())
            && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
    };
    values.len() >= 10 && values.iter().filter(|value| is_card(value)).count() * 10 >= values.len() * 8
}
