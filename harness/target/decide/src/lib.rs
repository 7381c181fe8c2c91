//! Hosts that are reached by SSH: what is sent there, and what its results mean.
//!
//! In: configuration, and what programs printed. Out: commands, scripts, findings. No I/O.

mod binary;
mod check;
mod facts;
pub mod git;
mod problem;
mod route;
mod script;
mod session;
mod ssh;

pub use binary::{Fit, libc_needed, machine_of, receive_binary};
pub use check::{Here, HostFinding, State, check_script, findings};
pub use facts::{Facts, facts};
pub use problem::{Problem, SshProblem, problem};
pub use route::{RouteError, arguments, route};
pub use script::{Framed, NoAnswer, answer, framed, side_script, whole_lines};
pub use session::{EnvFileError, Envelope, Event, Names, PROTOCOL, Request, Tag, env_file_path};
pub use ssh::{Ssh, login, ssh};

/// The folder on a host that holds all of stagegate's but the state of environments, below the user's home.
pub const FOLDER: &str = ".local/share/stagegate";
