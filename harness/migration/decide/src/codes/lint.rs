//! What the text of a migration tells about locks, rewrites and the release that still runs.

crate::code::define! {
    LOCK_TIMEOUT_MISSING = "lock-timeout-missing", Info,
        "a table is locked against reads and no lock_timeout is set before",
        "while it waits for a long query, every later query waits behind it: the application hangs",
        "write SET LOCAL lock_timeout = '2s' before it, and retry when it fails";
    INDEX_NOT_CONCURRENT = "index-not-concurrent", Warning,
        "an index is built on an older table without CONCURRENTLY",
        "nothing can be written to the table until it is built",
        "CREATE INDEX CONCURRENTLY, alone in a script without a transaction";
    NOT_NULL_WITHOUT_DEFAULT = "not-null-without-default", Warning,
        "a NOT NULL column without a default is added to an older table",
        "it fails where the table has a row, and rows that the old release writes are refused",
        "give it a default, or add it nullable, fill it in batches, and set NOT NULL in a later release";
    VOLATILE_DEFAULT = "volatile-default", Warning,
        "a column whose values are computed row by row is added to an older table",
        "the whole table is rewritten while nobody can read it",
        "add the column without a default, set the default for new rows, fill the old ones in batches";
    TYPE_CHANGE = "type-change", Warning,
        "the type of a column is changed",
        "usually the whole table and its indexes are rewritten while nobody can read them, and the earlier release may not understand the type",
        "add a column, fill it, and use it in the next release; nothing, for a longer varchar or text";
    CONSTRAINT_NOT_VALIDATED_APART = "constraint-not-validated-apart", Warning,
        "a foreign key or check is added to an older table and validated at once",
        "every row is read while nobody can write",
        "ADD CONSTRAINT .. NOT VALID, and VALIDATE CONSTRAINT in a separate transaction";
    UNIQUE_WITHOUT_INDEX = "unique-without-index", Warning,
        "a unique or primary key is added to an older table without an existing index",
        "the index is built while nobody can read the table",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT .. USING INDEX";
    SET_NOT_NULL = "set-not-null", Warning,
        "a column of an older table becomes NOT NULL",
        "every row is checked while nobody can read the table, and the earlier release may still write nulls",
        "add CHECK (column IS NOT NULL) NOT VALID, validate it, then SET NOT NULL, which relies on the check";
    RENAMED = "renamed", Warning,
        "a table or column is renamed",
        "the live release, and every release that a rollback restores, uses the old name",
        "add the new one next to it, migrate in steps, drop the old one in a later release";
    DROPPED = "dropped", Warning,
        "a table or column is dropped",
        "the live release may use it, and no down migration restores its rows",
        "drop it one release after the last one that uses it, with a backup";
    ENUM_VALUE_USED_AT_ONCE = "enum-value-used-at-once", Required,
        "a new value of an enum is used in the transaction that adds it",
        "the server refuses it: unsafe use of new value",
        "add the value in a separate migration";
    ROWS_WITHOUT_WHERE = "rows-without-where", Warning,
        "UPDATE or DELETE of all rows of an older table",
        "every row is locked and written at once; the table doubles in size",
        "work in batches outside the migration, or restrict the rows with WHERE";
}
