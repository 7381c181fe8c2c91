//! What shows when rows are counted and summed up before, after up, after down and after the second up.

crate::code::define! {
    ROWS_LOST = "rows-lost", Required,
        "rows are gone after the migration",
        "only a backup can restore them, and the application reports no error",
        "keep them, or move them where they belong; else accept the loss in the waiver file, with the reason";
    ROWS_MOVED = "rows-moved", Info,
        "rows are in another table after the migration, and none is lost",
        "who reads the first table does not see them any more",
        "nothing, if it is intended, such as a detached partition";
    ROWS_ADDED = "rows-added", Info,
        "an existing table has more rows after the migration",
        "a migration that runs twice may add them twice",
        "nothing, if it is intended";
    COLUMN_DROPPED_WITH_DATA = "column-dropped-with-data", Warning,
        "a column with values is dropped by the migration",
        "no down migration restores the values",
        "drop it one release after the last one that uses it, with a backup";
    VALUES_CHANGED = "values-changed", Warning,
        "values of existing rows differ after the migration",
        "the change may not be the intended one, and the old values are lost",
        "look at the columns that are named; nothing, if it is intended";
    DATA_NOT_RESTORED = "data-not-restored", Required,
        "after the down migration the data differs",
        "the schema is restored and the data is lost: a rollback looks successful",
        "keep the old values until a later release, or declare the migration irreversible with the reason";
    SECOND_UP_OTHER_DATA = "second-up-other-data", Warning,
        "up, down and up again gives different data than up alone",
        "servers that were rolled back once have different values from those that were not",
        "make the up migration give the same values each time; nothing, if they come from the clock or are random";
    SEQUENCE_BEHIND = "sequence-behind", Required,
        "the next value of a sequence already exists in its column",
        "the next inserts fail as duplicates, until the sequence has passed the maximum",
        "SELECT setval(sequence, (SELECT max(column) FROM table)) at the end of the migration";
    LEFT_INVALID = "left-invalid", Warning,
        "a constraint is left unvalidated, or an index invalid",
        "old rows may break the rule unnoticed; an invalid index slows writes and is used by no read",
        "VALIDATE CONSTRAINT, or drop the index and create it again";
    TABLE_UNFILLED = "table-unfilled", Warning,
        "no rows could be generated for a table",
        "what the migration does to its rows was not tested, so this is not a pass",
        "add rows with your own seed file";
    UP_FAILS_WITH_ROWS = "up-fails-with-rows", Warning,
        "an up migration succeeds on empty tables and fails on tables with rows",
        "it passes every test on an empty database, and fails on the first one in use",
        "see the rows in the server's message: fill, merge or move them first; nothing, if only generated rows cause it";
    DOWN_FAILS_WITH_ROWS = "down-fails-with-rows", Warning,
        "a down migration succeeds on empty tables and fails on tables with rows",
        "a rollback stops half-way, when it is needed most",
        "handle rows in the down migration: fill, merge or move them first; nothing, if only generated rows cause it";
}
