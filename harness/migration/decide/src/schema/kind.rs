//! The kinds of things that a schema is made of.

use std::{fmt, str::FromStr};

macro_rules! kinds {
    ($($variant:ident = $word:literal),+ $(,)?) => {
        /// What a fact is about.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant's word says what it is")]
        pub enum Kind { $($variant),+ }

        impl Kind {
            /// All kinds, in the order in which they are reported.
            pub const ALL: &[Kind] = &[$(Kind::$variant),+];

            /// Returns the words for it, such as `materialized view`.
            #[must_use]
            pub fn word(self) -> &'static str {
                match self { $(Kind::$variant => $word),+ }
            }
        }

        impl FromStr for Kind {
            type Err = UnknownKind;

            fn from_str(word: &str) -> Result<Self, UnknownKind> {
                match word { $($word => Ok(Kind::$variant),)+ _ => Err(UnknownKind(word.to_owned())) }
            }
        }
    };
}

kinds! {
    Database = "database",
    Setting = "setting",
    Extension = "extension",
    Language = "language",
    AccessMethod = "access method",
    Schema = "schema",
    DefaultPrivilege = "default privilege",
    Enum = "enum",
    Domain = "domain",
    CompositeType = "composite type",
    Range = "range",
    BaseType = "base type",
    Collation = "collation",
    Conversion = "conversion",
    Sequence = "sequence",
    Table = "table",
    ForeignTable = "foreign table",
    View = "view",
    MaterializedView = "materialized view",
    Column = "column",
    Default = "default",
    ColumnOrder = "column order",
    Constraint = "constraint",
    Index = "index",
    Statistics = "statistics",
    Trigger = "trigger",
    Rule = "rule",
    Policy = "policy",
    Function = "function",
    Procedure = "procedure",
    Aggregate = "aggregate",
    Operator = "operator",
    OperatorFamily = "operator family",
    OperatorClass = "operator class",
    Cast = "cast",
    Transform = "transform",
    TextSearchParser = "text search parser",
    TextSearchTemplate = "text search template",
    TextSearchDictionary = "text search dictionary",
    TextSearchConfiguration = "text search configuration",
    EventTrigger = "event trigger",
    ForeignDataWrapper = "foreign data wrapper",
    ForeignServer = "foreign server",
    UserMapping = "user mapping",
    Publication = "publication",
    PublicationTable = "publication table",
    Subscription = "subscription",
    Owner = "owner",
    Privilege = "privilege",
    Comment = "comment",
    SecurityLabel = "security label",
}

/// A word that names no kind.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a kind of schema object that this version knows; a newer version may know it")]
pub struct UnknownKind(String);

impl Kind {
    /// Returns whether its name is made of what it hangs on, such as `comment table public.orders`.
    #[must_use]
    pub fn is_attached(self) -> bool {
        matches!(self, Kind::Owner | Kind::Privilege | Kind::Comment | Kind::SecurityLabel)
    }

    /// Returns whether no statement of an application names it but in rare ones.
    #[must_use]
    pub fn is_unnamed_in_use(self) -> bool {
        matches!(self, Kind::Constraint | Kind::Index | Kind::Trigger | Kind::Rule | Kind::Policy | Kind::Statistics)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
