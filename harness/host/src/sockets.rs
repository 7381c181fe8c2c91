//! Folders of this host that hold sockets: whoever mounts one talks to what listens there, read-only or not.

use std::{collections::BTreeSet, fs, os::unix::fs::FileTypeExt, path::Path};

use stagegate_base::compose::Model;

/// How deep below a mounted folder sockets are looked for.
const DEPTH: usize = 3;
/// So many entries of one mount are looked at.
const ENTRIES: usize = 5_000;

/// Returns the sources of bind mounts that are a socket, or a folder with one in it.
///
/// What cannot be read, and what lies deeper, is taken for free of them.
#[must_use]
pub fn mounted(model: &Model) -> BTreeSet<String> {
    let services = model.services();
    let binds = services.iter().flat_map(|service| model.binds(service)).map(|bind| bind.source);
    binds.filter(|source| has_socket(Path::new(source), DEPTH, &mut ENTRIES.clone())).collect()
}

fn has_socket(path: &Path, depth: usize, left: &mut usize) -> bool {
    // Links are not followed: a container would not find what they lead to.
    let Ok(found) = fs::symlink_metadata(path) else { return false };
    if found.file_type().is_socket() {
        return true;
    }
    if !found.is_dir() || depth == 0 {
        return false;
    }
    fs::read_dir(path).into_iter().flatten().flatten().any(|entry| {
        *left = left.saturating_sub(1);
        *left > 0 && has_socket(&entry.path(), depth - 1, left)
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_is_found_below_a_mounted_folder() {
        let dir = std::env::temp_dir().join(format!("stagegate-sockets-{}", std::process::id()));
        fs::create_dir_all(dir.join("with/run")).unwrap();
        fs::create_dir_all(dir.join("without")).unwrap();
        let _listener = UnixListener::bind(dir.join("with/run/.s.PGSQL.5432")).unwrap();
        let bind = |name: &str| format!(r#"{{"type":"bind","source":"{}/{name}","target":"/x"}}"#, dir.display());
        let text = format!(r#"{{"services":{{"a":{{"volumes":[{},{}]}}}}}}"#, bind("with"), bind("without"));
        let found = mounted(&Model::parse(&text).unwrap());
        assert_eq!(found, BTreeSet::from([format!("{}/with", dir.display())]));
        fs::remove_dir_all(&dir).unwrap();
    }
}
