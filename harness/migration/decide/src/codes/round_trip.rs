//! What shows when migrations are run up, down and up again.

crate::code::define! {
    UP_FAILS = "up-fails", Required,
        "an up migration fails",
        "the release cannot be deployed; a server that already has it was migrated in another way",
        "fix the statement; in a new migration if this one was applied anywhere";
    DOWN_FAILS = "down-fails", Required,
        "the down migration fails",
        "a rollback stops half-way, when it is needed most",
        "fix the statement; a down migration that never succeeded may be edited";
    SECOND_UP_FAILS = "second-up-fails", Required,
        "after the down migration the up migration cannot be run again",
        "a release that was rolled back cannot be promoted again without manual repair",
        "revert everything that the up migration creates: objects, types, values and rows";
    SCHEMA_NOT_RESTORED = "schema-not-restored", Required,
        "the down migration succeeds and does not restore the schema",
        "nobody notices until the earlier release uses a column, type or function that differs",
        "restore each named object in the down migration";
    ENUM_VALUE_LEFT = "enum-value-left", Required,
        "an enum value is left",
        "PostgreSQL cannot drop enum values: the next up migration fails without IF NOT EXISTS, and rows with the value stay",
        "write ADD VALUE IF NOT EXISTS and declare the migration irreversible, or recreate the type in the down migration";
    NAME_NOT_RESTORED = "name-not-restored", Warning,
        "a constraint or index is restored under another name",
        "a later migration that uses the name fails on servers that were rolled back once",
        "restore the name in the down migration: CONSTRAINT name ..";
    COSMETIC_RESIDUE = "cosmetic-residue", Info,
        "a function or view is restored with other whitespace or comments",
        "nothing breaks; dumps differ",
        "restore the original text";
    SECOND_UP_DIFFERS = "second-up-differs", Required,
        "up, down and up again gives another schema than up alone",
        "servers that were rolled back once differ from those that were not, and nobody notices",
        "revert everything that the up migration creates, and write the up migration without IF NOT EXISTS";
    NOT_REPEATABLE = "not-repeatable", Required,
        "a repeatable migration cannot run again on what it left, or leaves another schema then",
        "the next change of its text fails where it ran before, a rollback to the earlier text included, and succeeds on an empty database",
        "write CREATE OR REPLACE, or DROP .. IF EXISTS in front of it";
    TRANSACTION_LEFT_OPEN = "transaction-left-open", Required,
        "a script ends inside a transaction that it began",
        "what it did is lost when the session ends, without an error",
        "end it with COMMIT, or remove its BEGIN";
    ORDER_ONLY = "order-only", Info,
        "only the column order differs",
        "INSERT and COPY without a column list, and SELECT *, depend on the order",
        "nothing, if all statements name their columns: PostgreSQL only adds columns at the end";
    CHAIN_NOT_RESTORED = "chain-not-restored", Required,
        "all down migrations together do not restore the empty database",
        "each step may be right and the chain is not: a step without a down migration created or dropped something",
        "drop the named objects in the down migrations";
    NOT_RUN = "not-run", Required,
        "a migration could not be tested",
        "nothing is known about it, so this is not a pass",
        "see the reason: an extension, a privilege or a program is missing on the scratch server, or SQL for a step in Go or Rust (`stand_ins`)";
    TOOK_TOO_LONG = "took-too-long", Required,
        "a statement exceeded the time limit",
        "on a larger database it holds its locks for longer still",
        "split it, work in batches, or raise the limit if the duration is intended";
}
