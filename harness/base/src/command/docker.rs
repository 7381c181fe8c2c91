//! Docker's own argument lists, next to Compose.

use std::path::{Path, PathBuf};

use super::Command;

/// Pulls an image, for the kind of machine of this host or for another one. Credentials are those of the caller's Docker.
#[must_use]
pub fn pull(image: &str, platform: Option<&str>) -> Command {
    let command = Command::new("docker").arg("pull");
    match platform {
        Some(platform) => command.args(["--platform", platform, image]),
        None => command.arg(image),
    }
}

/// Gives an image a name, so that a prune of unnamed images leaves it.
#[must_use]
pub fn tag(image: &str, name: &str) -> Command {
    Command::new("docker").args(["tag", image, name])
}

/// Takes a name from an image; the image goes with its last name, unless a container needs it.
#[must_use]
pub fn untag(name: &str) -> Command {
    Command::new("docker").args(["image", "rm", "--no-prune", name])
}

/// The label of the volumes that a proof unpacks an archive into; its value is the store's folder.
pub const PROOF_LABEL: &str = "dev.stagegate.proof";

/// Runs `tar` of `image` as root, without a network, on a volume or an absolute path.
fn tar(image: &str, mount: &str, read_only: bool, stdin: bool) -> Command {
    let kind = if mount.starts_with('/') { "bind" } else { "volume" };
    // One field of CSV: a path may have a comma or a quote.
    let source = format!("\"source={}\"", mount.replace('"', "\"\""));
    let end = match (kind, read_only) {
        (_, true) => ",readonly",
        ("volume", false) => ",volume-nocopy",
        _ => "",
    };
    let command = Command::new("docker").args(["run", "--rm", "--pull", "never", "--network", "none"]);
    let command = if stdin { command.arg("--interactive") } else { command };
    let command = command.args(["--user", "0:0", "--workdir", "/", "--mount"]);
    let command = command.arg(format!("type={kind},{source},destination=/stagegate-data{end}"));
    command.args(["--entrypoint", "tar", image, "-C", "/stagegate-data", "--numeric-owner"])
}

/// A program of this host with all that it needs to run in a container of any image.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnProgram {
    /// The program.
    pub file: PathBuf,
    /// The dynamic loader; `None` for a static program.
    pub loader: Option<PathBuf>,
    /// Its libraries.
    pub libraries: Vec<PathBuf>,
}

/// Where a container of [`with_folders`] has the folders: `/stagegate/mount/0` and so on.
pub const FOLDERS: &str = "/stagegate/mount";

/// The folders of the host that a container has, numbered from 0: those that it can write, then those that it only reads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Folders<'a> {
    /// Folders that it can write.
    pub written: &'a [PathBuf],
    /// Folders that it only reads.
    pub read: &'a [PathBuf],
}

/// Runs a program of this host as root in a container without a network, with folders of the host.
#[must_use]
pub fn with_folders(
    image: &str,
    name: &str,
    program: &OwnProgram,
    folders: Folders<'_>,
    arguments: &[String],
) -> Command {
    let mount = |source: &Path, target: &str, end: &str| {
        let source = format!("\"source={}\"", source.to_string_lossy().replace('"', "\"\""));
        ["--mount".to_owned(), format!("type=bind,{source},destination={target}{end}")]
    };
    let library = |path: &PathBuf| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        mount(path, &format!("/stagegate/lib/{file}"), ",readonly")
    };
    let mut command = Command::new("docker").args(["run", "--rm", "--pull", "never", "--network", "none"]);
    // Where SELinux confines containers, this one would be kept from the host's program and from the folders.
    command = command.args(["--security-opt", "label=disable", "--user", "0:0", "--workdir", "/", "--name", name]);
    command = command.args(mount(&program.file, "/stagegate/gate", ",readonly"));
    command = command.args(program.libraries.iter().flat_map(library));
    let written = folders.written.iter().map(|folder| (folder, ""));
    let read = folders.read.iter().map(|folder| (folder, ",readonly"));
    for (number, (folder, end)) in written.chain(read).enumerate() {
        command = command.args(mount(folder, &format!("{FOLDERS}/{number}"), end));
    }
    let Some(loader) = &program.loader else {
        return command.args(["--entrypoint", "/stagegate/gate", image]).args(arguments.iter().cloned());
    };
    command = command.args(mount(loader, "/stagegate/loader", ",readonly"));
    command = command.args(["--entrypoint", "/stagegate/loader", image, "--library-path", "/stagegate/lib"]);
    command.arg("/stagegate/gate").args(arguments.iter().cloned())
}

/// Writes a volume or folder to standard output as an archive of `tar`.
#[must_use]
pub fn pack(image: &str, mount: &str) -> Command {
    tar(image, mount, true, false).args(["-c", "-f", "-", "."])
}

/// Unpacks an archive from standard input into a volume.
#[must_use]
pub fn unpack(image: &str, volume: &str) -> Command {
    tar(image, volume, false, true).args(["-x", "-p", "-f", "-"])
}

/// Creates a volume; with `label` one of a proof.
#[must_use]
pub fn create_volume(name: &str, label: Option<&str>) -> Command {
    let command = Command::new("docker").args(["volume", "create"]);
    let command = match label {
        Some(value) => command.arg("--label").arg(format!("{PROOF_LABEL}={value}")),
        None => command,
    };
    command.arg(name)
}

/// Removes a volume that no container uses.
#[must_use]
pub fn remove_volume(name: &str) -> Command {
    Command::new("docker").args(["volume", "rm", "--force", name])
}

/// Lists the volumes that proofs of a store left.
#[must_use]
pub fn proof_volumes(store: &str) -> Command {
    let filter = format!("label={PROOF_LABEL}={store}");
    Command::new("docker").args(["volume", "ls", "--quiet", "--filter"]).arg(filter)
}

/// Stops containers; each has `seconds` to end by itself.
#[must_use]
pub fn stop(containers: &[String], seconds: u64) -> Command {
    let seconds = seconds.to_string();
    Command::new("docker").args(["stop", "--time", &seconds]).args(containers.iter().cloned())
}

/// Starts containers that were stopped.
#[must_use]
pub fn start(containers: &[String]) -> Command {
    Command::new("docker").arg("start").args(containers.iter().cloned())
}

/// Removes a container, whether it runs or not.
#[must_use]
pub fn remove(container: &str) -> Command {
    Command::new("docker").args(["rm", "--force", "--volumes", container])
}

/// Runs a script of bash in the network of a container, in a container of `image` that goes with it.
#[must_use]
pub fn inside<I: IntoIterator<Item = String>>(container: &str, image: &str, script: &str, arguments: I) -> Command {
    let network = format!("container:{container}");
    let command = Command::new("docker").args(["run", "--rm", "--pull", "never", "--network", &network]);
    let command = command.args(["--user", "65534:65534", "--cap-drop", "ALL", "--read-only", "--entrypoint", "bash"]);
    command.args([image, "-c", script, "stagegate"]).args(arguments)
}
