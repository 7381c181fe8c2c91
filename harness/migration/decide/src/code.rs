//! A kind of finding, and how a list of them is written.

use stagegate_base::record::Severity;

/// A kind of finding, with what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// Its name in reports and exceptions: lowercase words and dashes.
    pub id: &'static str,
    /// How much it weighs where nobody says otherwise.
    pub severity: Severity,
    /// What is the case where it is told.
    pub title: &'static str,
    /// Why it hurts.
    pub why: &'static str,
    /// How to mend it.
    pub mend: &'static str,
}

/// Writes codes as constants with documentation, and as the list `CODES`.
macro_rules! define {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $why:literal, $mend:literal;)+) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: $crate::code::Code = $crate::code::Code {
                id: $id,
                severity: stagegate_base::record::Severity::$severity,
                title: $title,
                why: $why,
                mend: $mend,
            };
        )+

        pub(super) const CODES: &[$crate::code::Code] = &[$($name),+];
    };
}
pub(crate) use define;
