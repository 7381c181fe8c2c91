//! Docker's own argument lists, beside Compose.

use super::Command;

/// Pulls an image.
#[must_use]
pub fn pull(image: &str) -> Command {
    Command::new("docker").args(["pull", image])
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
