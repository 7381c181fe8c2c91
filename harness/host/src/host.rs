//! What kind of machine this is.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stagegate_base::config::HostKind;

/// Variable that states what kind of machine this is, where the guess is wrong: `laptop` or `server`.
pub const HOST_VARIABLE: &str = "STAGEGATE_HOST";

/// Variable that states, where it is set to anything, that this machine is the host of all environments.
pub const HERE_VARIABLE: &str = "STAGEGATE_HERE";

/// Variable by which a run that another machine follows has the file that it makes while it waits for a confirmation.
pub const WAITING_VARIABLE: &str = "STAGEGATE_HOST_WAITING";

/// The folder, below the home, of products that were sent to this machine by another one.
const SENT: &str = ".local/share/stagegate/products";

/// Returns whether this machine is the host of all environments of the configuration at `path`, wherever that has them: a
/// variable has it so, or it was sent here by another machine.
#[must_use]
pub fn is_the_host(path: &Path) -> bool {
    let is_sent = std::env::home_dir().is_some_and(|home| path.starts_with(home.join(SENT)));
    is_sent || std::env::var_os(HERE_VARIABLE).is_some_and(|value| !value.is_empty())
}

/// Returns the file that a run makes while it waits for a confirmation; `None` where no other machine follows it.
#[must_use]
pub fn waiting_file() -> Option<PathBuf> {
    std::env::var_os(WAITING_VARIABLE).map(PathBuf::from)
}

/// Returns the kind of this machine, and how it was reported.
#[must_use]
pub fn kind() -> (HostKind, String) {
    if let Ok(printed) = std::env::var(HOST_VARIABLE) {
        match printed.as_str() {
            "laptop" => return (HostKind::Laptop, format!("set by {HOST_VARIABLE}")),
            "server" => return (HostKind::Server, format!("set by {HOST_VARIABLE}")),
            _ => {}
        }
    }
    if has_battery() {
        return (HostKind::Laptop, "it has a battery".to_owned());
    }
    if std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some() {
        return (HostKind::Laptop, "it has a desktop".to_owned());
    }
    if cfg!(target_os = "macos") {
        return (HostKind::Laptop, "it runs macOS".to_owned());
    }
    (HostKind::Server, "it has neither battery nor desktop".to_owned())
}

fn has_battery() -> bool {
    let supplies = fs::read_dir(Path::new("/sys/class/power_supply"));
    supplies.into_iter().flatten().flatten().any(|supply| {
        fs::read_to_string(supply.path().join("type")).is_ok_and(|kind| kind.trim() == "Battery")
            && fs::read_to_string(supply.path().join("scope")).map_or(true, |scope| scope.trim() == "System")
    })
}
