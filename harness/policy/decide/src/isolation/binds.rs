//! Do two environments write into one folder of the host?

use super::{
    Stack,
    stack::{Owned, shared},
};
use crate::rules::Mount;
use stagegate_base::finding::Finding;

/// What belongs to the host and to every container alike; policy tells which of it should not be mounted.
const OF_THE_HOST: [&str; 8] = [
    "/etc/localtime",
    "/etc/timezone",
    "/dev",
    "/proc",
    "/sys",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/lib/modules",
];

/// Returns the folders and files of the host that both environments mount, or one inside the other's, where one of
/// them may write to it. What both only read, such as a release's settings in one checkout, passes nothing on.
#[must_use]
pub fn binds(own: &Stack, other: &Stack) -> Vec<Finding> {
    let bound = |stack: &Stack| -> Vec<Owned<Mount>> {
        let is_meant =
            |mount: &Mount| mount.kind == "bind" && !OF_THE_HOST.iter().any(|path| within(&mount.source, path));
        stack.mounts().into_iter().filter(|held| is_meant(&held.what)).collect()
    };
    let meet = |a: &Mount, b: &Mount| {
        let one_place = within(&a.source, &b.source) || within(&b.source, &a.source);
        one_place && !(a.read_only && b.read_only)
    };
    shared(&bound(own), &bound(other), meet)
        .into_iter()
        .map(|(mine, theirs)| {
            Finding::differs(
                format!("{} at {}", mine.by, mine.what.target),
                "a folder of its own",
                shared_folder(&mine.what, &theirs, &other.environment),
            )
        })
        .collect()
}

fn shared_folder(mine: &Mount, theirs: &Owned<Mount>, environment: &str) -> String {
    let Owned { by, what } = theirs;
    let place = if mine.source == what.source { String::new() } else { format!(" as {}", what.source) };
    let who = if mine.read_only { "writes to" } else { "mounts" };
    format!("{}, which {by} of `{environment}` also {who}{place}", mine.source)
}

/// Returns whether `path` is `folder` or lies in it.
fn within(path: &str, folder: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::{super::stack::stack, *};

    fn with(environment: &str, source: &str, read_only: bool) -> Stack {
        let mount = json!({ "type": "bind", "source": source, "target": "/data", "read_only": read_only });
        stack(environment, json!({ "name": environment, "services": { "db": { "volumes": [mount] } } }))
    }

    #[rstest]
    #[case::both_write(("/srv/data", false), ("/srv/data", false), 1)]
    #[case::one_reads(("/srv/data", true), ("/srv/data", false), 1)]
    #[case::both_read(("/srv/conf", true), ("/srv/conf", true), 0)]
    #[case::inside(("/srv/data/db", false), ("/srv/data", false), 1)]
    #[case::beside(("/srv/data-staging", false), ("/srv/data", false), 0)]
    #[case::of_the_host(("/etc/localtime", false), ("/etc/localtime", false), 0)]
    fn a_folder_is_shared_where_one_may_write(
        #[case] own: (&str, bool),
        #[case] other: (&str, bool),
        #[case] want: usize,
    ) {
        let (own, other) = (with("staging", own.0, own.1), with("production", other.0, other.1));
        assert_eq!(binds(&own, &other).len(), want);
    }
}
