//! What shows when the folder is held against the tool's own table of what it applied.

crate::code::define! {
    EDITED_AFTER_APPLIED = "edited-after-applied", Required,
        "a migration was changed after it was applied",
        "the database has what it said then; a new server gets what it says now, and the tool may refuse to start",
        "put the file back as it was and write a new migration";
    APPLIED_NOT_IN_FOLDER = "applied-not-in-folder", Required,
        "the database has a migration that is not in the folder",
        "it was lost, renamed, or comes from another branch: nobody can tell from the files what the database holds",
        "bring the file back; where it was renamed, give it its old name";
    APPLIED_OUT_OF_ORDER = "applied-out-of-order", Warning,
        "a migration that is not applied is older than one that is",
        "the tool refuses it, passes over it, or runs it later than on a new server",
        "give it a new version behind the newest one";
    APPLIED_DIRTY = "applied-dirty", Required,
        "the tool has noted that a migration failed half way",
        "it refuses to go on until somebody has repaired schema and note",
        "bring the schema by hand to before or after that migration, then correct the note with the tool's own command";
}
