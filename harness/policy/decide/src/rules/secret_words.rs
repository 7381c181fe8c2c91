//! Which names are those of secrets, and which values are no secret, or one that everybody knows.

use stagegate_base::redact::{is_harmless, is_secret_name, password_of_url};

/// Ends of names that speak about a secret and are none: `SECRET_NAME`, `API_KEY_HEADER`, `TOKEN_LIFETIME`.
#[rustfmt::skip]
const ABOUT: [&str; 47] = [
    "_NAME", "_HEADER", "_PREFIX", "_FIELD", "_PARAM", "_ENABLED", "_REQUIRED", "_POLICY", "_ISSUER", "_ROTATION",
    "_COUNT", "_HINT", "_LIFETIME", "_EXPIRE", "_EXPIRES_IN", "_EXPIRATION", "_MINUTES", "_SECONDS", "_HOURS", "_DAYS",
    "_TIMEOUT", "_AGE", "_LIMIT", "_SIZE", "_MIN", "_MAX", "_HASHER", "_HASHERS", "_VALIDATORS", "_BACKEND",
    "_BACKENDS", "_PROVIDER", "_STORAGE", "_COOKIE", "_METHOD", "_MODE", "_VERSION", "_FORMAT", "_STRATEGY",
    "_AUDIENCE", "_SCOPE", "_SCOPES", "_USER", "_USERNAME", "_EMAIL", "_HOST", "_PORT",
];

/// Words with another one in them that names a secret, and keys that are no secret.
#[rustfmt::skip]
const OTHERS: [&str; 15] = [
    "PASSWORDLESS", "TOKENIZER", "TOKENIZATION", "PASSIVE", "PASSTHROUGH", "BYPASS", "COMPASS", "RANDOM_ROOT_PASSWORD",
    "RANDOM_PASSWORD", "_SITE_KEY", "PUBLISHABLE_KEY", "PARTITION_KEY", "PRIMARY_KEY", "ROUTING_KEY", "CACHE_KEY",
];

/// Returns whether a variable of this name holds a secret itself.
pub(super) fn names_a_value(key: &str) -> bool {
    let key = OTHERS.iter().fold(key.to_ascii_uppercase(), |key, other| key.replace(other, ""));
    (is_secret_name(&key) || key.ends_with("_PWD")) && !ABOUT.iter().any(|end| key.ends_with(end))
}

/// Returns whether a variable of this name has a value that could be a secret.
pub(super) fn is_secret(key: &str, value: &str) -> bool {
    names_a_value(key) && !value.is_empty() && !is_harmless(value) && !is_setting(key, value)
}

/// Returns whether a value is a mode of browsers, a number or a span of time: nobody's secret under such a name.
pub(super) fn is_setting(key: &str, value: &str) -> bool {
    const UNITS: [&str; 12] = ["ms", "s", "sec", "seconds", "m", "min", "minutes", "h", "hours", "d", "days", "w"];
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    // A number may be a password, and is no token: those count tokens, or seconds.
    let is_of_tokens = !is_secret_name(&key.to_ascii_uppercase().replace("TOKEN", ""));
    match value[digits..].trim() {
        // Source: Fetch standard, credentials mode.
        "include" | "omit" | "same-origin" => true,
        "" => digits <= if is_of_tokens { 7 } else { 3 },
        unit => (1..6).contains(&digits) && UNITS.contains(&unit),
    }
}

/// Returns the password that an address or a list of parameters has: `scheme://user:password@host`, `?password=..`,
/// `Server=db;Password=..`, `host=db password=..`.
pub(super) fn password_in(text: &str) -> Option<&str> {
    let of_parameter = |part| {
        let (name, value): (&str, &str) = str::split_once(part, '=')?;
        let is_password = ["password", "pwd", "passwd"].iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        let value = value.trim_matches(['"', '\'']);
        Some(value).filter(|value| is_password && !value.is_empty() && !value.contains('$'))
    };
    let by_parameter = || text.split([';', '?', '&', ' ']).find_map(of_parameter);
    password_of_url(text).or_else(by_parameter)
}

/// Returns a text with the values that its variables have where nobody sets them; a `$` stands for one without.
// Source: compose-spec, interpolation: `:-` and `-` give a default; `:?` and `?` refuse.
pub(super) fn with_defaults(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, variable)) = rest.split_once("${") {
        shown += before;
        let Some((inner, after)) = variable.split_once('}') else { return shown + "$" };
        let end = inner.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(inner.len());
        let default = inner[end..].strip_prefix(":-").or_else(|| inner[end..].strip_prefix('-'));
        shown += default.unwrap_or("$");
        rest = after;
    }
    shown + rest
}

#[rustfmt::skip]
const EXAMPLES: [&str; 36] = [
    "postgres", "postgresql", "password", "passwd", "pass", "secret", "admin", "administrator", "root", "toor", "test",
    "example", "default", "guest", "user", "changeme", "change_me", "change-me", "changeit", "changethis", "replaceme",
    "letmein", "qwerty", "welcome", "mysql", "redis", "mongo", "rabbitmq", "minioadmin", "mysecretpassword",
    "supersecret", "s3cr3t", "password1", "password123", "admin123", "dummy",
];

pub(crate) fn is_from_an_example(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let counted = value.len() >= 3 && "12345678901234567890".starts_with(&value);
    counted || EXAMPLES.contains(&value.as_str())
}

/// Returns whether a value is one that everybody knows, or a request to replace it: `change-this-key`, `REPLACE_WITH_..`.
pub(super) fn is_well_known(value: &str) -> bool {
    const BEGINS: [&str; 14] = [
        "change-",
        "changepass",
        "changeuser",
        "replace-",
        "replacewith",
        "your-",
        "yourpass",
        "yoursecret",
        "generate-",
        "super-secret",
        "my-secret",
        "insert-",
        "enter-",
        "set-your-",
    ];
    const HAS: [&str; 7] =
        ["change-me", "changeme", "change-this", "changethis", "replace-me", "replace-with", "insecure"];
    let value_of_words = value.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
    let words = value_of_words.trim_matches(['<', '>', '-', '[', ']']);
    is_from_an_example(value)
        || BEGINS.iter().any(|begin| words.starts_with(begin))
        || HAS.iter().any(|part| words.contains(part))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::generated("MYSQL_RANDOM_ROOT_PASSWORD", "1", false)]
    #[case::a_switch("ALLOW_EMPTY_PASSWORD", "1", false)]
    #[case::a_mode("CREDENTIALS", "include", false)]
    #[case::a_count("OPENAI_MAX_TOKENS", "4096", false)]
    #[case::a_limit("TOKEN_LIMIT", "5 per hour", false)]
    #[case::a_span("ACCESS_TOKEN_EXPIRE_MINUTES", "11520", false)]
    #[case::a_lifetime("REFRESH_TOKEN_LIFETIME", "30d", false)]
    #[case::a_span_alone("SECRET_ROTATE_AFTER", "30d", false)]
    #[case::a_program("PASSWORD_HASHERS", "argon2", false)]
    #[case::shown_to_all("RECAPTCHA_SITE_KEY", "6Lcabc", false)]
    #[case::another_word("TOKENIZER", "bpe", false)]
    #[case::another_word_with_it("FTP_PASSIVE_ADDRESS", "ftp.example", false)]
    #[case::a_place("SECRETS_BACKEND", "vault", false)]
    #[case::a_cookie("CSRF_TOKEN_COOKIE", "csrftoken", false)]
    #[case::a_number("POSTGRES_PASSWORD", "84729105", true)]
    #[case::a_long_number("API_TOKEN", "8472910573", true)]
    #[case::abbreviated("DB_PWD", "hunter22", true)]
    #[case::the_folder("PWD", "srv", false)]
    #[case::in_another_word("BYPASS_TOKEN", "hunter22", true)]
    fn a_value_is_a_secret_by_its_name_unless_it_is_a_setting(
        #[case] key: &str,
        #[case] value: &str,
        #[case] want: bool,
    ) {
        assert_eq!(is_secret(key, value), want);
    }

    #[rstest]
    #[case("redis://:hunter22@redis:6379/0", Some("hunter22"))]
    #[case("jdbc:postgresql://db/app?user=app&password=hunter22", Some("hunter22"))]
    #[case("Server=db;User Id=sa;Password=hunter22;", Some("hunter22"))]
    #[case("host=db password='hunter22'", Some("hunter22"))]
    #[case("Server=db;Password=$;", None)]
    #[case("https://example.org/?reset_password=1", None)]
    fn a_password_in_parameters_is_found(#[case] text: &str, #[case] want: Option<&str>) {
        assert_eq!(password_in(text), want);
    }

    #[rstest]
    #[case("${A:-b}", "b")]
    #[case("x${A-b}y", "xby")]
    #[case("${A:?say it}", "$")]
    #[case("${A}", "$")]
    #[case("${A:-}", "")]
    #[case("$A", "$A")]
    fn defaults_stand_for_their_variables(#[case] text: &str, #[case] want: &str) {
        assert_eq!(with_defaults(text), want);
    }

    #[rstest]
    #[case("Postgres", true)]
    #[case("123456", true)]
    #[case("12", false)]
    #[case("example-staging-not-a-secret", false)]
    #[case("change-this-insecure-key", true)]
    #[case("changePassword", true)]
    #[case("your-super-secret-jwt-token", true)]
    #[case("REPLACE_WITH_A_LONG_KEY", true)]
    #[case("generate_a_new_key", true)]
    #[case("<your password>", true)]
    #[case("exchange-rate-kT9fQ2", false)]
    fn a_well_known_value_is_known(#[case] value: &str, #[case] want: bool) {
        assert_eq!(is_well_known(value), want);
    }
}
