//! The same lock for gates with other state folders on this machine: root's and a user's, or two checkouts of a product.
//!
//! Names in the kernel's abstract namespace of sockets: there is no file that somebody may not open, and the kernel drops
//! a name with its process. One of change is exclusive, since the kernel gives a name once; readers have one each, and
//! whoever comes reads the list of all names.

use std::{
    env, fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            fs::MetadataExt,
            net::{SocketAddr, UnixListener},
        },
    },
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use crate::files;

/// The kernel's list of the sockets of this network namespace, one a line, the name last with `@` for its zero byte.
const LIST: &str = "/proc/net/unix";

/// The Engine where DOCKER_HOST names none.
const USUAL_ENGINE: &str = "unix:///var/run/docker.sock";

/// What was taken; dropping it lets go.
#[derive(Debug)]
pub(super) struct Claim {
    _names: Vec<UnixListener>,
}

/// Who has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder {
    /// The process; `None` where it has just begun, and is not listed yet.
    pub(super) pid: Option<u32>,
    /// Its user.
    pub(super) uid: Option<u32>,
}

/// Why it was not taken.
#[derive(Debug)]
pub(super) enum Refusal {
    Held(Holder),
    Io(io::Error),
}

/// Takes a project of this machine's Engine for a change.
pub(super) fn change(project: &str) -> Result<Claim, Refusal> {
    let prefix = prefix(project);
    let exclusive = match bind(&format!("{prefix}change")) {
        Ok(name) => name,
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            return Err(Refusal::Held(holder(&prefix, "change/").unwrap_or(Holder { pid: None, uid: None })));
        }
        Err(error) => return Err(Refusal::Io(error)),
    };
    if let Some(reader) = holder(&prefix, "read/") {
        return Err(Refusal::Held(reader));
    }
    let mine = bind(&own(&prefix, "change/")).map_err(Refusal::Io)?;
    Ok(Claim { _names: vec![exclusive, mine] })
}

/// Takes a project of this machine's Engine to read it, together with any other reader.
pub(super) fn read(project: &str) -> Result<Claim, Refusal> {
    let prefix = prefix(project);
    // Named before it looks: of a reader and a changer that come at once at least one sees the other.
    let mine = bind(&own(&prefix, "read/")).map_err(Refusal::Io)?;
    let exclusive = format!("{prefix}change");
    if names().any(|name| name == exclusive) {
        return Err(Refusal::Held(holder(&prefix, "change/").unwrap_or(Holder { pid: None, uid: None })));
    }
    Ok(Claim { _names: vec![mine] })
}

/// Returns the beginning of all names of a project: projects of two Engines on one machine are two.
fn prefix(project: &str) -> String {
    let engine = env::var("DOCKER_HOST").ok().filter(|host| !host.is_empty());
    let engine = engine.as_deref().unwrap_or(USUAL_ENGINE).replace("unix:///run/docker.sock", USUAL_ENGINE);
    let hash = files::hash_text(&format!("{engine}\0{project}"));
    format!("stagegate/{}/", &hash[..32])
}

/// Returns a name for this process; it may read a project twice.
fn own(prefix: &str, kind: &str) -> String {
    static NTH: AtomicU32 = AtomicU32::new(0);
    format!("{prefix}{kind}{}/{}", process::id(), NTH.fetch_add(1, Ordering::Relaxed))
}

fn bind(name: &str) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)
}

fn holder(prefix: &str, kind: &str) -> Option<Holder> {
    let beginning = format!("{prefix}{kind}");
    let name = names().find(|name| name.starts_with(&beginning))?;
    let pid = name[beginning.len()..].split('/').next().and_then(|pid| pid.parse().ok());
    let uid = pid.and_then(|pid: u32| fs::metadata(format!("/proc/{pid}")).ok()).map(|meta| meta.uid());
    Some(Holder { pid, uid })
}

fn names() -> impl Iterator<Item = String> {
    let list = fs::read_to_string(LIST).unwrap_or_default();
    let name = |line: &str| line.rsplit_once('@').map(|(_, name)| name.to_owned());
    list.lines().filter_map(name).collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(name: &str) -> String {
        format!("machine-{name}-{}", process::id())
    }

    #[test]
    fn a_change_is_alone_and_its_process_is_named() {
        let project = project("alone");
        let first = change(&project).unwrap();
        for second in [change(&project), read(&project)] {
            let Err(Refusal::Held(holder)) = second else { panic!("two had it at once") };
            assert_eq!(holder.pid, Some(process::id()));
            assert!(holder.uid.is_some());
        }
        drop(change(&format!("{project}-other")).unwrap());
        drop(first);
        drop(change(&project).unwrap());
    }

    #[test]
    fn readers_share_and_keep_a_change_out() {
        let project = project("readers");
        let (first, second) = (read(&project).unwrap(), read(&project).unwrap());
        assert!(matches!(change(&project), Err(Refusal::Held(Holder { pid: Some(_), .. }))));
        drop(first);
        assert!(matches!(change(&project), Err(Refusal::Held(_))));
        drop(second);
        drop(change(&project).unwrap());
    }
}
