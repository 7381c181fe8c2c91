//! What shows when rows are counted and summed up before, after up, after down and after the second up.

crate::code::define! {
    ROWS_LOST = "rows-lost", Required,
        "rows are gone after the migration",
        "nobody can bring them back but from a backup, and the application never says a word",
        "keep them: move them where they belong; else accept it in the exceptions file with the reason";
    ROWS_ADDED = "rows-added", Info,
        "a table that was there has more rows after the migration",
        "a migration that is run twice may add them twice",
        "nothing, where it is meant";
    COLUMN_DROPPED_WITH_DATA = "column-dropped-with-data", Warning,
        "a column that had values is gone after the migration",
        "no way back brings the values back",
        "drop it one release after the last one that uses it, with a backup";
    VALUES_CHANGED = "values-changed", Warning,
        "values of rows that were there are others after the migration",
        "what was meant and what was done to the data are not the same thing, and the old values are gone",
        "look at the columns that are named; nothing, where it is meant";
    DATA_NOT_RESTORED = "data-not-restored", Required,
        "after the way back the data is not what it was",
        "the schema is restored and the data is lost: a rollback looks like a success",
        "keep the old values until a later release, or declare the migration irreversible with the reason";
    SECOND_UP_OTHER_DATA = "second-up-other-data", Warning,
        "up, down and up again gives other data than up alone",
        "servers that were once rolled back hold other values than those that were not",
        "make the up give the same values each time; nothing, where they come from the clock or from chance";
    SEQUENCE_BEHIND = "sequence-behind", Required,
        "a sequence would give a value that its column has already",
        "the next inserts fail as duplicates, until the sequence has passed the greatest value",
        "SELECT setval(sequence, (SELECT max(column) FROM table)) at the end of the migration";
    LEFT_INVALID = "left-invalid", Warning,
        "a constraint is left unvalidated, or an index invalid",
        "old rows may break the rule and nobody knows; an invalid index costs writes and serves no read",
        "VALIDATE CONSTRAINT, or drop the index and build it again";
    TABLE_UNFILLED = "table-unfilled", Warning,
        "no rows could be made for a table",
        "what the migration does to its rows was not tried: this is no pass",
        "add rows by a seed script of your own";
    UP_FAILS_WITH_ROWS = "up-fails-with-rows", Warning,
        "a migration runs on empty tables and not on tables with rows",
        "it passes every test on an empty database, and stops on the first one that is in use",
        "look at the rows that the server names: fill, merge or move them first; nothing, where made rows are to blame";
    DOWN_FAILS_WITH_ROWS = "down-fails-with-rows", Warning,
        "a way back runs on empty tables and not on tables with rows",
        "the rollback stops in the middle, in the hour in which it is needed",
        "take care of rows in the down: fill, merge or move them first; nothing, where made rows are to blame";
}
