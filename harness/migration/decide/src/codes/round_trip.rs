//! What shows when migrations are run up, down and up again.

crate::code::define! {
    UP_FAILS = "up-fails", Required,
        "a migration ends with an error",
        "the release cannot be deployed; a server that already has it was migrated by other means",
        "correct the statement that is named, in a new migration where this one was applied anywhere";
    DOWN_FAILS = "down-fails", Required,
        "the way back ends with an error",
        "the rollback stops in the middle, in the hour in which it is needed",
        "correct the statement that is named: a down that never ran well may be edited";
    SECOND_UP_FAILS = "second-up-fails", Required,
        "after the way back the migration cannot be run again",
        "a release that was rolled back can never be promoted again without repairs by hand",
        "take back in the down what the up makes: every object, type, value and row";
    SCHEMA_NOT_RESTORED = "schema-not-restored", Required,
        "the way back ends well and leaves another schema",
        "nobody notices until the old release meets a column, a type or a function that is not as it was",
        "restore in the down each object that is named";
    ENUM_VALUE_LEFT = "enum-value-left", Required,
        "a value of an enum stays behind",
        "PostgreSQL cannot drop one: the next up fails unless it says IF NOT EXISTS, and rows with the value stay",
        "write ADD VALUE IF NOT EXISTS and declare the migration irreversible, or build the type anew in the down";
    NAME_NOT_RESTORED = "name-not-restored", Warning,
        "a constraint or index comes back under another name",
        "a later migration that names it fails on servers that were once rolled back",
        "name it in the down as it was: CONSTRAINT name ..";
    COSMETIC_RESIDUE = "cosmetic-residue", Info,
        "a function or view comes back with other blanks or comments",
        "nothing breaks; a comparison of dumps differs",
        "restore the text as it was";
    SECOND_UP_DIFFERS = "second-up-differs", Required,
        "up, down and up again gives another schema than up alone",
        "servers that were once rolled back differ from those that were not, and nobody sees it",
        "take back in the down all that the up makes, and make the up say what it means without IF NOT EXISTS";
    TRANSACTION_LEFT_OPEN = "transaction-left-open", Required,
        "a script ends inside of a transaction that it began",
        "what it did is lost when the session ends, without an error",
        "end it with COMMIT, or remove its BEGIN";
    ORDER_ONLY = "order-only", Info,
        "only the order of the columns is another",
        "INSERT without a list of columns, COPY without one and SELECT * see it",
        "nothing, where all statements name their columns: PostgreSQL adds columns at the end only";
    CHAIN_NOT_RESTORED = "chain-not-restored", Required,
        "all migrations down do not give the empty database back",
        "single steps may be right and their sum is not: something was made or dropped by a step that has no way back",
        "drop in the downs what is named";
    NOT_RUN = "not-run", Required,
        "a migration could not be tried",
        "nothing is known of it: this is no pass",
        "see the reason: an extension, a right or a program that the scratch server has not";
    TOOK_TOO_LONG = "took-too-long", Required,
        "a statement was ended by the time limit",
        "on a larger database it holds its locks for longer still",
        "split it, work in batches, or raise the limit where it is meant";
}
