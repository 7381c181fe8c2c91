//! How a database sorts and encodes: part of what makes a restored database equal to the one that was dumped.

use serde::{Deserialize, Serialize};

/// How a database sorts and encodes, as `pg_database` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Locale {
    /// The encoding's name, such as `UTF8`.
    pub encoding: String,
    /// `LC_COLLATE`.
    pub collate: String,
    /// `LC_CTYPE`.
    pub ctype: String,
    /// `c` (libc), `i` (ICU) or `b` (builtin).
    pub provider: String,
    /// The provider's own locale; libc has none.
    pub provider_locale: Option<String>,
    /// Rules of ICU that the database adds to its locale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}
