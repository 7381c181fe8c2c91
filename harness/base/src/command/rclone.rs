//! The program `rclone`, which copies files to and from the remotes that its own configuration names.
//!
//! Every command is for one object, or for the list of all; what secrets a remote needs is in rclone's configuration alone.

use std::path::Path;

use super::Command;

/// What `rclone` exits with where a folder or a file is not there.
// Source: rclone.org/docs, "Exit code".
pub const NOT_FOUND: [i32; 2] = [3, 4];

/// Starts a command; `config` is rclone's configuration, which it looks for itself where `None`.
fn rclone(config: Option<&Path>) -> Command {
    // A password that nobody types here must not be waited for.
    let command = Command::new("rclone").arg("--ask-password=false");
    match config {
        Some(path) => command.env("RCLONE_CONFIG", path.to_string_lossy()),
        None => command,
    }
}

/// Lists the files below `remote` as JSON: `Path`, `Size` in bytes, `ModTime` as RFC 3339.
#[must_use]
pub fn list(config: Option<&Path>, remote: &str) -> Command {
    rclone(config).args(["lsjson", "--recursive", "--files-only", "--no-mimetype"]).arg(remote)
}

/// Copies the file `path` to the object `remote`. One that is there is never replaced.
#[must_use]
pub fn put(config: Option<&Path>, path: &Path, remote: &str) -> Command {
    rclone(config).args(["copyto", "--immutable"]).path(path).arg(remote)
}

/// Makes the empty object `remote`, or leaves it as it is but for its time.
#[must_use]
pub fn touch(config: Option<&Path>, remote: &str) -> Command {
    rclone(config).arg("touch").arg(remote)
}

/// Writes the object `remote` to standard output.
#[must_use]
pub fn get(config: Option<&Path>, remote: &str) -> Command {
    rclone(config).arg("cat").arg(remote)
}

/// Removes the object `remote`.
#[must_use]
pub fn delete(config: Option<&Path>, remote: &str) -> Command {
    rclone(config).arg("deletefile").arg(remote)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_command_names_its_object_and_no_secret() {
        let file = Path::new("/b/main.dump");
        let lines = [
            list(None, "nas:b/shop").line(),
            put(None, file, "nas:b/shop/1/main.dump").line(),
            get(None, "nas:b/shop/1/main.dump").line(),
            delete(Some(Path::new("/etc/rclone.conf")), "nas:b/shop/1/main.dump").line(),
        ];
        assert_eq!(
            lines,
            [
                "rclone --ask-password=false lsjson --recursive --files-only --no-mimetype nas:b/shop",
                "rclone --ask-password=false copyto --immutable /b/main.dump nas:b/shop/1/main.dump",
                "rclone --ask-password=false cat nas:b/shop/1/main.dump",
                "rclone --ask-password=false deletefile nas:b/shop/1/main.dump",
            ]
        );
    }
}
