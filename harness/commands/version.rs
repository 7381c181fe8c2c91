//! `gate version`: what this program is built from.

use serde_json::json;
use stagegate_base::exit::Exit;

use crate::{
    cli,
    failure::{Failure, give_json, print_result},
};

/// What the build script found out; an empty text is not known.
const COMMIT: &str = env!("STAGEGATE_BUILD_COMMIT");
pub(super) const DATE: &str = env!("STAGEGATE_BUILD_DATE");
const TARGET: &str = env!("STAGEGATE_BUILD_TARGET");

pub(super) fn run(args: &cli::Version) -> Result<Exit, Failure> {
    let version = env!("CARGO_PKG_VERSION");
    if args.json {
        let value = json!({
            "version": version,
            "commit": known(COMMIT),
            "commit_date": known(DATE),
            "target": known(TARGET),
            // By it another gate sees whether the two understand each other.
            "host_protocol": stagegate_target_decide::PROTOCOL,
        });
        give_json(&serde_json::to_string_pretty(&value)?);
    } else {
        print_result(&text(version, COMMIT, DATE, TARGET));
    }
    Ok(Exit::Passed)
}

fn known(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

fn text(version: &str, commit: &str, date: &str, target: &str) -> String {
    let or_unknown = |text| known(text).unwrap_or("unknown").to_owned();
    let committed = known(date).map(|date| format!(" ({date})")).unwrap_or_default();
    format!("gate {version}\ncommit  {}{committed}\ntarget  {}", or_unknown(commit), or_unknown(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_called_unknown() {
        assert_eq!(text("1.2.3", "", "", "t"), "gate 1.2.3\ncommit  unknown\ntarget  t");
        assert_eq!(text("1.2.3", "abc", "", ""), "gate 1.2.3\ncommit  abc\ntarget  unknown");
        let both = text("1.2.3", "abc", "2026-01-02T03:04:05Z", "t");
        assert_eq!(both, "gate 1.2.3\ncommit  abc (2026-01-02T03:04:05Z)\ntarget  t");
    }
}
