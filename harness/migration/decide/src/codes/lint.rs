//! What the text of a migration tells about locks, rewrites and the release that still runs.

crate::code::define! {
    LOCK_TIMEOUT_MISSING = "lock-timeout-missing", Info,
        "a table is locked against readers and no lock_timeout is set before",
        "while it waits for a long query, every later query waits behind it: the application stands still",
        "write SET LOCAL lock_timeout = '2s' before it, and try again when it fails";
    INDEX_NOT_CONCURRENT = "index-not-concurrent", Warning,
        "an index is built on an older table without CONCURRENTLY",
        "nothing can be written to the table until it is built",
        "CREATE INDEX CONCURRENTLY, alone in a script without a transaction";
    NOT_NULL_WITHOUT_DEFAULT = "not-null-without-default", Warning,
        "a NOT NULL column without a default is added to an older table",
        "it fails where the table has a row, and rows that the old release writes are refused",
        "give it a default, or add it nullable, fill it in batches, and set NOT NULL in a later release";
    VOLATILE_DEFAULT = "volatile-default", Warning,
        "a column whose values have to be worked out row by row is added to an older table",
        "the whole table is written anew while nobody can read it",
        "add the column without a default, set the default for new rows, fill the old ones in batches";
    TYPE_CHANGE = "type-change", Warning,
        "the type of a column is changed",
        "mostly the whole table and its indexes are written anew while nobody can read it, and the old release may not understand it",
        "add a column, fill it, and let the next release use it; nothing, for a longer varchar or text";
    CONSTRAINT_NOT_VALIDATED_APART = "constraint-not-validated-apart", Warning,
        "a foreign key or check is added to an older table and validated at once",
        "every row is read while nobody can write",
        "ADD CONSTRAINT .. NOT VALID, and VALIDATE CONSTRAINT in a transaction of its own";
    UNIQUE_WITHOUT_INDEX = "unique-without-index", Warning,
        "a unique or primary key is added to an older table without an index that is there already",
        "the index is built while nobody can read the table",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT .. USING INDEX";
    SET_NOT_NULL = "set-not-null", Warning,
        "a column of an older table becomes NOT NULL",
        "every row is read while nobody can read the table, and the old release may still write nulls",
        "add CHECK (column IS NOT NULL) NOT VALID, validate it, then SET NOT NULL, which believes the check";
    RENAMED = "renamed", Warning,
        "a table or column is renamed",
        "the release that still runs, and every one that a rollback brings back, asks for the old name",
        "add the new one beside it, move over in steps, drop the old one in a later release";
    DROPPED = "dropped", Warning,
        "a table or column is dropped",
        "the release that still runs may use it, and no way back brings its rows back",
        "drop it one release after the last one that uses it, with a backup";
    ENUM_VALUE_USED_AT_ONCE = "enum-value-used-at-once", Required,
        "a new value of an enum is used in the transaction that adds it",
        "the server refuses it: unsafe use of new value",
        "add the value in a migration of its own";
    ROWS_WITHOUT_WHERE = "rows-without-where", Warning,
        "UPDATE or DELETE of all rows of an older table",
        "every row is locked and written at once; the table doubles in size",
        "work in batches outside of the migration, or say WHERE which rows are meant";
}
