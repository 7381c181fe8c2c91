//! What the files tell by themselves.

crate::code::define! {
    DOWN_MISSING = "down-missing", Required,
        "a migration has no way back",
        "a rollback can bring back the code and not the schema",
        "write the down, or declare the migration irreversible with the reason";
    DOWN_EMPTY = "down-empty", Required,
        "the way back does nothing",
        "it looks like one: a rollback ends well, leaves the new schema, and the next up may fail",
        "write the down, or declare the migration irreversible with the reason";
    UP_EMPTY = "up-empty", Warning,
        "a migration does nothing",
        "it takes up a version, and a file that was lost or cut off looks the same",
        "remove it where it was applied nowhere; else say in a comment why it is empty";
    DOWN_WITHOUT_UP = "down-without-up", Required,
        "a way back belongs to no migration",
        "its up was lost or renamed: on a new server something will be missing",
        "bring the up back, or remove the down";
    NO_MIGRATIONS = "no-migrations", Required,
        "the folder holds no migration of this tool",
        "nothing would be applied, and nothing was proven",
        "check the folder and the tool";
    DUPLICATE_VERSION = "duplicate-version", Required,
        "two migrations have one version",
        "the tool refuses to start, or applies one of them only",
        "give the newer one a new version";
    VERSION_GAP = "version-gap", Info,
        "a number is missing in the sequence",
        "a file may have been lost on the way, or sits on another branch",
        "look for it; nothing, where it was never merged";
    BAD_NAME = "bad-name", Required,
        "a file has a name that the tool refuses",
        "the tool stops with an error before it does anything",
        "rename it as the tool wants it";
    IGNORED_FILE = "ignored-file", Warning,
        "a file of SQL is not read by the tool",
        "somebody wrote it and believes that it runs",
        "rename it as the tool wants it, or move it elsewhere";
    MIXED_TOOLS = "mixed-tools", Warning,
        "the folder holds files of two tools",
        "each tool passes over the other's files, or reads their marks as comments",
        "keep one folder for each tool";
    BAD_ANNOTATION = "bad-annotation", Required,
        "the marks of the tool are wrong",
        "the tool refuses the file, or takes the way back for the way there",
        "write the marks as the tool's manual has them";
    FOREIGN_STEP = "foreign-step", Warning,
        "a step is written in another language than SQL",
        "it can't be tried here: what it does to schema and rows is not known",
        "try it by the tool itself on a copy; steps in SQL are tried here";
    PLACEHOLDER = "placeholder", Warning,
        "the tool fills in a part of the script",
        "what runs is not what stands here, and the text alone can't be tried",
        "write the value, or try it by the tool itself on a copy";
    META_COMMAND = "meta-command", Required,
        "a command of psql stands in the script",
        "only psql knows it; this tool sends it to the server, which answers with a syntax error",
        "remove it; pg_dump writes such lines, among them restrict, unrestrict and connect";
    COPY_DATA = "copy-data", Required,
        "COPY .. FROM STDIN with its rows in the script",
        "this tool sends the rows as SQL, and the server answers with a syntax error",
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
        "a checkout with other line ends has another checksum, and the tool says that the migration was changed",
        "write `*.sql text eol=lf` into .gitattributes; leave files that were applied as they are";
    LARGE_FILE = "large-file", Info,
        "the file is larger than 10 MB",
        "it is read whole by every tool, runs as one transaction, and holds its locks all the time",
        "load rows outside of migrations, in batches";
    TRANSACTION_IN_TRANSACTION = "transaction-in-transaction", Warning,
        "a script that the tool wraps in a transaction has its own BEGIN or COMMIT",
        "its COMMIT ends the tool's transaction: what follows is not taken back on an error, nor is the entry of it",
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
        "they are tried together only: which of them does not lead back is not told, and a rollback of one is not tried",
        "name the tool's option that applies one, where it has one; `{version}` and `{name}` stand for the next one";
}
