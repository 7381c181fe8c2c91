//! What shows when locks, rewrites and waits are watched while a migration runs.

crate::code::define! {
    TABLE_REWRITTEN = "table-rewritten", Warning,
        "a statement rewrote an older table",
        "nobody can read or write the table until it is done, and it needs the table's size again on disk",
        "add a column next to it, fill it in batches, and switch in a later release";
    INDEX_BLOCKED_WRITES = "index-blocked-writes", Warning,
        "an index of an older table was built while writes had to wait",
        "nothing can be written to the table until it is built",
        "CREATE INDEX CONCURRENTLY, alone in a script without a transaction";
    NO_LOCK_TIMEOUT = "no-lock-timeout", Info,
        "a statement took an ACCESS EXCLUSIVE lock without a limit on its wait",
        "it waits behind one long read, and every later request waits behind it: the application hangs",
        "write SET LOCAL lock_timeout = '2s' before it, and retry when it fails";
    SLOW_UNDER_LOCK = "slow-under-lock", Warning,
        "a statement holds a lock for longer than allowed, at the target's size",
        "requests that need the table wait that long",
        "split it, work in batches, or do the slow part before the lock";
    WAITED_FOR_LOCK = "waited-for-lock", Warning,
        "a statement waited too long for a lock",
        "requests behind it wait as well",
        "set lock_timeout and retry; end long reads before the migration";
    REQUESTS_STALLED = "requests-stalled", Warning,
        "a probe was delayed for longer than allowed",
        "users wait that long",
        "shorten the named statement, which holds the lock";
    REQUESTS_FAILED = "requests-failed", Warning,
        "a probe failed while the migration ran",
        "the live release fails in the same way",
        "keep what the live release uses until the next one";
}
