//! What the files tell by themselves.

crate::code::define! {
    DOWN_MISSING = "down-missing", Required,
        "a migration has no down migration",
        "a rollback restores the code and not the schema",
        "write the down migration, or declare the migration irreversible with the reason";
    DOWN_EMPTY = "down-empty", Required,
        "the down migration does nothing",
        "a rollback looks successful, leaves the new schema, and the next up migration may fail",
        "write the down migration, or declare the migration irreversible with the reason";
    UP_EMPTY = "up-empty", Warning,
        "a migration does nothing",
        "it uses up a version, and a lost or truncated file looks the same",
        "remove it if it was never applied; else explain in a comment why it is empty";
    DOWN_WITHOUT_UP = "down-without-up", Required,
        "a down migration has no up migration",
        "the up migration was lost or renamed: on a new server something will be missing",
        "restore the up migration, or remove the down migration";
    NO_MIGRATIONS = "no-migrations", Required,
        "the folder has no migration of this tool",
        "nothing would be applied, and nothing was tested",
        "check the folder and the tool";
    DUPLICATE_VERSION = "duplicate-version", Required,
        "two migrations have the same version",
        "the tool refuses to start, or applies only one of them",
        "give the newer one another version";
    VERSION_GAP = "version-gap", Info,
        "a number is missing in the sequence",
        "a file may be lost, or on another branch",
        "find it; nothing, if it was never merged";
    BAD_NAME = "bad-name", Required,
        "a file name is rejected by the tool",
        "the tool fails before it applies anything",
        "rename it in the tool's format";
    IGNORED_FILE = "ignored-file", Warning,
        "an SQL file is ignored by the tool",
        "its author expects it to run",
        "rename it in the tool's format, or move it out of the folder";
    MIXED_TOOLS = "mixed-tools", Warning,
        "the folder has files of two tools",
        "each tool ignores the other's files, or reads their annotations as comments",
        "keep one folder for each tool";
    BAD_ANNOTATION = "bad-annotation", Required,
        "the tool's annotations are wrong",
        "the tool rejects the file, or runs the down migration as part of the up migration",
        "write the annotations as in the tool's manual";
    FOREIGN_STEP = "foreign-step", Warning,
        "a migration is not written in SQL",
        "it cannot be tested: what it does to schema and rows is unknown",
        "write SQL that does the same, and name its folder in `stand_ins` of [migrations] (--stand-ins); or set `up`, `down` and `status` to the tool's commands";
    PLACEHOLDER = "placeholder", Warning,
        "the tool fills in a part of the script",
        "what runs is not what stands here, and the text alone can't be tried",
        "write the value, or try it by the tool itself on a copy";
    META_COMMAND = "meta-command", Required,
        "a command of psql stands in the script",
        "only psql knows it; this tool sends it to the server, which rejects it with a syntax error",
        "remove it; pg_dump writes such lines, among them restrict, unrestrict and connect";
    COPY_DATA = "copy-data", Required,
        "COPY .. FROM STDIN with its rows in the script",
        "this tool sends the rows as SQL, and the server rejects them with a syntax error",
        "write INSERT, or dump with pg_dump --inserts";
    UNTERMINATED = "unterminated", Required,
        "a quote, comment or body never ends",
        "all that follows is swallowed by it",
        "close it; the line on which it begins is named";
    NOT_UTF8 = "not-utf8", Required,
        "the file is no UTF-8",
        "the server refuses it, or stores other letters than were meant; some tools stop",
        "save it as UTF-8";
    NUL_BYTE = "nul-byte", Required,
        "the file holds a zero byte",
        "PostgreSQL has no such character: the text ends there or is refused",
        "remove it; a file in UTF-16 is full of them: save it as UTF-8";
    BYTE_ORDER_MARK = "byte-order-mark", Warning,
        "the file begins with a byte order mark",
        "most tools send it to the server, where it is a syntax error; it changes the checksum too",
        "save it without the mark";
    CARRIAGE_RETURNS = "carriage-returns", Info,
        "lines end with CR LF",
        "a checkout with other line ends has another checksum, and the tool reports the migration as changed",
        "write `*.sql text eol=lf` into .gitattributes; leave files that were applied as they are";
    LARGE_FILE = "large-file", Info,
        "the file is larger than 10 MB",
        "it is read whole by every tool, runs as one transaction, and holds its locks all the time",
        "load rows outside of migrations, in batches";
    TRANSACTION_IN_TRANSACTION = "transaction-in-transaction", Warning,
        "a script that the tool wraps in a transaction has its own BEGIN or COMMIT",
        "its COMMIT ends the tool's transaction: what follows is not rolled back on an error, nor is the entry of it",
        "remove them, or mark the script as one without a transaction";
    CONCURRENTLY_IN_TRANSACTION = "concurrently-in-transaction", Required,
        "CONCURRENTLY inside of a transaction",
        "the server refuses it",
        "mark the script as one without a transaction, and let it hold this statement alone";
    OUTSIDE_TRANSACTION = "outside-transaction", Required,
        "a statement that the server refuses inside of a transaction",
        "the migration always ends with an error",
        "mark the script as one without a transaction, and let it hold this statement alone";
    SEVERAL_AT_ONCE = "several-at-once", Warning,
        "one run of the command for up applies several migrations",
        "they are tried together only: which of them is not reversible is not reported, and a rollback of one is not tried",
        "name the tool's option that applies one, where it has one; `{version}` and `{name}` stand for the next one";
}
