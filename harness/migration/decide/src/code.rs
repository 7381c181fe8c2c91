//! A kind of finding, and how a list of them is written.

pub use stagegate_base::finding::Rule as Code;

/// Writes codes as constants with documentation, and as the list `CODES`.
macro_rules! define {
    ($($name:ident = $id:literal, $severity:ident, $title:literal, $why:literal, $fix:literal;)+) => {
        $(
            #[doc = concat!("`", $id, "`: ", $title, ".")]
            pub const $name: $crate::code::Code = $crate::code::Code {
                id: $id,
                severity: stagegate_base::record::Severity::$severity,
                title: $title,
                why: $why,
                fix: $fix,
            };
        )+

        pub(super) const CODES: &[$crate::code::Code] = &[$($name),+];
    };
}
pub(crate) use define;
