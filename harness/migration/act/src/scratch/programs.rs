//! A scratch server of this host's own programs: a cluster in a temporary folder, on a unix socket only.

use std::{
    fs::{self, DirBuilder},
    os::unix::fs::{DirBuilderExt, chown},
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::command::Command;
use tokio_postgres::Config as PgConfig;

use super::{SETTINGS, START_WITHIN, ServerHandle, ServerSpec, Started, leftover};
use stagegate_host::{error::with_causes, owner::Claim, process::Runner};

const STOP_WITHIN: Duration = Duration::from_secs(20);
/// Where packages put the programs of each major, next to PATH.
const PLACES: [&str; 3] = ["/usr/lib/postgresql", "/usr/local/pgsql", "/opt/postgresql"];

/// A cluster that runs.
pub(super) struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    ended: bool,
}

impl Cluster {
    pub(super) fn programs(&self) -> std::path::Display<'_> {
        self.bin.display()
    }

    /// Returns the end of the server's log, where the server is gone.
    pub(super) fn ended(&self) -> Option<String> {
        if leftover::postmaster(&self.dir).is_some() {
            return None;
        }
        let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        Some(format!("the server exited: {}", lines[lines.len().saturating_sub(3)..].join(" | ")))
    }

    pub(super) async fn end(mut self) {
        self.ended = true;
        let stop = Command::new("pg_ctl").args(["-m", "immediate", "-w", "stop", "-D"]).path(&self.dir.join("data"));
        let _ = Runner::default().run(&as_server(&self.bin, stop), STOP_WITHIN).await;
        leftover::remove_folder(&self.dir);
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if !self.ended {
            leftover::remove_folder(&self.dir);
        }
    }
}

pub(super) async fn start(name: &str, claim: &Claim, spec: &ServerSpec) -> Result<Started, String> {
    let bin = found(spec.major)?;
    let dir = leftover::folder(name);
    DirBuilder::new().mode(0o700).create(&dir).map_err(|error| format!("cannot create {}: {error}", dir.display()))?;
    let cluster = Cluster { dir, bin, ended: false };
    prepare(&cluster, claim).map_err(|error| format!("cannot use {}: {error}", cluster.dir.display()))?;
    let data = cluster.dir.join("data");
    let init = Command::new("initdb")
        .args(["--no-sync", "--auth=trust", "--encoding=UTF8", "--username", spec.role(), "-D"])
        .path(&data);
    let settings: Vec<String> = SETTINGS.iter().map(|setting| format!("-c {setting}")).collect();
    // Not quoted: the folder's name is ours, and a temporary folder with a space in its name is refused by the socket.
    let options = format!("{} -c listen_addresses= -k {}", settings.join(" "), cluster.dir.display());
    let start = Command::new("pg_ctl").args(["-w", "-o", &options, "-l"]).path(&cluster.dir.join("log"));
    let start = start.arg("-D").path(&data).arg("start");
    for command in [init, start] {
        let run = Runner::default();
        let result = run.run_ok(&as_server(&cluster.bin, command).in_dir(Path::new("/")), START_WITHIN).await;
        result.map_err(|error| with_causes(&error))?;
    }
    let mut access = PgConfig::new();
    access.user(spec.role()).host_path(&cluster.dir).port(5432);
    Ok(Started { access, how: ServerHandle::Programs(cluster) })
}

fn prepare(cluster: &Cluster, claim: &Claim) -> std::io::Result<()> {
    fs::write(cluster.dir.join(leftover::CLAIM), claim.label())?;
    if let Some((uid, gid)) = server_user() {
        chown(&cluster.dir, Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Returns the user to run as instead of root, whom `initdb` refuses: `postgres`, else `nobody`.
fn server_user() -> Option<(u32, u32)> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    ids("postgres").or_else(|| ids("nobody"))
}

/// Returns the command with its program in `bin`, as the server's user where this process is root's.
fn as_server(bin: &Path, command: Command) -> Command {
    let program = bin.join(&command.program).to_string_lossy().into_owned();
    match server_user() {
        None => Command { program, ..command },
        Some((uid, gid)) => {
            let ids = [format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()];
            Command::new("setpriv").args(ids).arg(program).args(command.args)
        }
    }
}

/// Finds the folder of the programs: of the wanted major, else of the newest one.
fn found(major: Option<u32>) -> Result<PathBuf, String> {
    let mut all: Vec<(u32, PathBuf)> =
        candidates().into_iter().filter_map(|bin| Some((major_of(&bin)?, bin))).collect();
    all.sort();
    let fits = |(found, _): &&(u32, PathBuf)| major.is_none_or(|wanted| wanted == *found);
    match all.iter().rfind(fits) {
        Some((_, bin)) => Ok(bin.clone()),
        None => Err(format!("this host has no PostgreSQL{} programs (`initdb`)", super::wanted(major))),
    }
}

/// Returns the newest PostgreSQL whose programs this host has, in words with their folder; `None` where it has none.
#[must_use]
pub fn installed() -> Option<String> {
    let bin = found(None).ok()?;
    Some(format!("PostgreSQL {} in {}", major_of(&bin)?, bin.display()))
}

fn candidates() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let of_majors = PLACES.iter().filter_map(|place| fs::read_dir(place).ok()).flatten().flatten();
    let packaged = of_majors.map(|entry| entry.path().join("bin"));
    let all = std::env::split_paths(&path).chain(packaged).filter_map(|bin| {
        // A link on PATH leads to the folder that holds the other programs too.
        fs::canonicalize(bin.join("initdb")).ok()?.parent().map(Path::to_path_buf)
    });
    all.filter(|bin| bin.join("pg_ctl").is_file() && bin.join("postgres").is_file()).collect()
}

/// Asks `initdb --version`, which states `initdb (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_of(bin: &Path) -> Option<u32> {
    let output = std::process::Command::new(bin.join("initdb")).arg("--version").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let version = text.split_once("(PostgreSQL) ")?.1;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
