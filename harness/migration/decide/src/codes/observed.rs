//! What shows when locks, rewrites and waits are watched while a migration runs.

crate::code::define! {
    TABLE_REWRITTEN = "table-rewritten", Warning,
        "a statement wrote an older table anew",
        "nobody can read or write the table until it is done, and it needs its size again on disk",
        "add a column beside it, fill it in batches, and switch in a later release";
    INDEX_BLOCKED_WRITES = "index-blocked-writes", Warning,
        "an index of an older table was built while writes had to wait",
        "nothing can be written to the table until it is built",
        "CREATE INDEX CONCURRENTLY, alone in a script without a transaction";
    NO_LOCK_TIMEOUT = "no-lock-timeout", Info,
        "a statement locked a table against everybody and would have waited for it without a limit",
        "behind one long read it waits, and every later request waits behind it: the application stands still",
        "write SET LOCAL lock_timeout = '2s' before it, and try again when it fails";
    SLOW_UNDER_LOCK = "slow-under-lock", Warning,
        "a statement held a table for longer than is allowed, at the target's size",
        "requests that need the table wait for as long",
        "split it, work in batches, or do the slow part before the lock";
    WAITED_FOR_LOCK = "waited-for-lock", Warning,
        "a statement waited long for a lock",
        "whoever comes behind it waits as well",
        "set lock_timeout and try again; end long reads before the migration";
    REQUESTS_STALLED = "requests-stalled", Warning,
        "a probe's request was held up for longer than is allowed",
        "users wait for as long",
        "shorten what holds the lock of the statement that is named";
    REQUESTS_FAILED = "requests-failed", Warning,
        "a probe's request failed while the migration ran",
        "the release that still runs fails in the same way",
        "keep what it uses until the next release";
}
