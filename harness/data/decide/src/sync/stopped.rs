//! What to do about a server's error that ended a sync.

/// Returns what to do about `reason` (`ERROR 53100: ..`, or what a broken connection reports), which ended `what`; `None`
/// where the server's words are all that is known.
// Source: PostgreSQL manual, appendix A: codes of errors.
#[must_use]
pub fn hint(what: &str, reason: &str) -> Option<&'static str> {
    let code = reason.split(':').next().and_then(|head| head.rsplit(' ').next()).unwrap_or_default();
    let is_code = code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    let is_source = ["read ", "follow ", "find ", "count "].iter().any(|begin| what.starts_with(begin));
    match if is_code { code } else { "08006" } {
        "53100" => Some("the disk of the target's server is full; `--dry-run` prints how much is copied"),
        "42P01" | "42703" | "3F000" if is_source => {
            Some("a table or column was dropped or renamed while the sync ran; run it again")
        }
        "55P03" => Some("somebody holds a lock on it for longer than `lock_timeout` of [sync]; run it again later"),
        "57014" => Some("it took longer than `within` of [sync]"),
        "40001" => Some("the source is a standby that had to go on; raise its max_standby_streaming_delay"),
        code if code.starts_with("57P") || code.starts_with("08") => {
            Some("the server ended the session or was stopped; see its log, and run the sync again when it runs")
        }
        _ => None,
    }
}
