//! What shows when the folder is held against the tool's own table of what it applied.

crate::code::define! {
    EDITED_AFTER_APPLIED = "edited-after-applied", Required,
        "a migration was changed after it was applied",
        "the database has the earlier text, a new server gets the current one, and the tool may refuse to start",
        "restore the file and write a new migration";
    APPLIED_NOT_IN_FOLDER = "applied-not-in-folder", Required,
        "the database has a migration that is not in the folder",
        "it was lost, renamed, or comes from another branch: the files do not show what the database contains",
        "restore the file; if it was renamed, give it its old name";
    APPLIED_OUT_OF_ORDER = "applied-out-of-order", Warning,
        "a migration that is not applied is older than one that is applied",
        "the tool rejects it, ignores it, or runs it later than on a new server",
        "give it a version after the newest one";
    APPLIED_DIRTY = "applied-dirty", Required,
        "the history table has a migration that failed half-way",
        "the tool refuses to continue until schema and history table are repaired",
        "repair the schema to before or after that migration, then correct the history table with the tool's own command";
}
