//! Copies volumes and folders, and puts a copy in the place of the live folder, in a container that runs this very
//! program as root: files of all owners are read, and the copy is on the volume's own file system.
//!
//! [`run`] is called by the gate and starts the container; [`serve`] is what the program does in there. Nothing is ever
//! written into the live folder: it is exchanged as a whole, and what it held stays under another name.

mod copy_folder;
mod copying;
pub mod place;
mod switching;
#[cfg(test)]
mod tests;
mod tree;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use stagegate_base::command::docker::{self, FOLDERS, Folders, OwnProgram};
use stagegate_data_decide::volume::{Job, Reply, Request, Tree};
use stagegate_host::process::{RunError, Runner};

/// The hidden command of the program by which it is started in the container.
pub const COMMAND: &str = "volume-worker";
const REMOVE_WITHIN: Duration = Duration::from_secs(60);

/// Why a volume could not be copied, switched or read.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    /// The container.
    #[error("cannot work on the volumes")]
    Run(#[from] RunError),
    /// A file of the gate.
    #[error("cannot read or write {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: io::Error,
    },
    /// The program was replaced or removed while it runs.
    #[error("the program {} is not there any more; start gate again", path.display())]
    Replaced {
        /// The program or a library.
        path: PathBuf,
    },
    /// What the worker printed is no answer.
    #[error("the container that works on volumes printed no result")]
    NoAnswer(#[source] serde_json::Error),
    /// What the worker could not do.
    #[error("{0}")]
    Refused(String),
}

/// Where the work is done.
#[derive(Clone, Copy, Debug)]
pub struct Worker<'a> {
    /// Runs Docker.
    pub runner: &'a Runner,
    /// Any image that this host has: nothing of it is used.
    pub image: &'a str,
    /// The container's name; one that an earlier process left is removed first.
    pub name: &'a str,
    /// A folder for the response.
    pub dir: &'a Path,
    /// How long it may take.
    pub within: Duration,
}

/// Does `jobs` in a container that mounts `folders`, and returns a response a job.
///
/// # Errors
/// [`VolumeError`] with the first job that failed; those before it are done.
pub async fn run(worker: Worker<'_>, folders: Folders<'_>, jobs: &[Job]) -> Result<Vec<Reply>, VolumeError> {
    let program = own_program()?;
    end(worker).await;
    let text = serde_json::to_string(jobs).map_err(VolumeError::NoAnswer)?;
    let command = docker::with_folders(worker.image, worker.name, &program, folders, &[COMMAND.to_owned(), text]);
    let path = worker.dir.join(format!("{}.json", worker.name));
    let failed = |source| VolumeError::File { path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    worker.runner.run_to_file(&command, worker.within, file).await?;
    let response = fs::read(&path).map_err(failed)?;
    let _ = fs::remove_file(&path);
    let done: Vec<Result<Reply, String>> = serde_json::from_slice(&response).map_err(VolumeError::NoAnswer)?;
    done.into_iter().map(|response| response.map_err(VolumeError::Refused)).collect()
}

/// Removes the container of an earlier process: it outlives the client that started it.
pub async fn end(worker: Worker<'_>) {
    let _ = worker.runner.run(&docker::remove(worker.name), REMOVE_WITHIN).await;
}

/// Returns this program with its loader and its libraries, as the kernel has them mapped.
fn own_program() -> Result<OwnProgram, VolumeError> {
    let exe = std::env::current_exe().map_err(|source| VolumeError::File { path: "/proc/self/exe".into(), source })?;
    let maps = PathBuf::from("/proc/self/maps");
    let text = fs::read_to_string(&maps).map_err(|source| VolumeError::File { path: maps, source })?;
    let program = mapped(&exe, &text);
    let files = [&program.file].into_iter().chain(&program.loader).chain(&program.libraries);
    let missing = files.into_iter().find(|path| !path.is_file()).cloned();
    missing.map_or(Ok(program), |path| Err(VolumeError::Replaced { path }))
}

/// Reads a program's libraries from the text of its `/proc/<pid>/maps`.
fn mapped(exe: &Path, maps: &str) -> OwnProgram {
    let mut program = OwnProgram { file: exe.to_path_buf(), ..OwnProgram::default() };
    // Address, permissions, offset, device, inode, then the path, which may have spaces.
    let code = maps.lines().filter(|line| line.split_whitespace().nth(1).is_some_and(|may| may.contains('x')));
    let files = code.filter_map(|line| line.find('/').map(|at| PathBuf::from(&line[at..])));
    for file in files.filter(|file| file != exe) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("ld-") || name.starts_with("ld64") {
            program.loader = Some(file);
        } else if name.contains(".so") && !program.libraries.contains(&file) {
            program.libraries.push(file);
        }
    }
    program
}

/// Does the jobs of a request in the container, and returns the response as text.
///
/// # Errors
/// [`serde_json::Error`] where the request is none.
pub fn serve(jobs: &str) -> Result<String, serde_json::Error> {
    let jobs: Vec<Job> = serde_json::from_str(jobs)?;
    let mut responses: Vec<Result<Reply, String>> = Vec::new();
    for job in jobs {
        let folder = Path::new(FOLDERS).join(job.folder.to_string());
        responses.push(one(&folder, job.request).map_err(|error| error.to_string()));
        if responses.last().is_some_and(Result::is_err) {
            break;
        }
    }
    serde_json::to_string(&responses)
}

fn one(folder: &Path, request: Request) -> io::Result<Reply> {
    Ok(match request {
        Request::Probe { live } => Reply::Probe(copy_folder::probe(folder, &live)?),
        Request::List { live } => Reply::Kept { kept: copy_folder::list(folder, &live)? },
        Request::Read { path, contents } => Reply::Tree(read(folder, &path, contents)?),
        Request::Copy { from, to } => Reply::Copied(copying::copy(folder, &from, &to)?),
        Request::Import { from, to } => {
            let source = Path::new(FOLDERS).join(from.to_string());
            Reply::Copied(copying::import(folder, &source, &to)?)
        }
        Request::Switch(wanted) => Reply::Switched(switching::switch(folder, &wanted)?),
        Request::Remove { kept } => {
            kept.iter().try_for_each(|kept| copy_folder::remove(folder, kept))?;
            Reply::Removed
        }
    })
}

fn read(folder: &Path, path: &str, contents: bool) -> io::Result<Tree> {
    tree::read(&folder.join(path), contents)
}

/// Adds to an error of the system which file it is about.
fn at(path: &Path) -> impl FnOnce(io::Error) -> io::Error {
    let path = path.strip_prefix(FOLDERS).unwrap_or(path).to_path_buf();
    move |error| io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Adds to an error of a call of the kernel which file it is about.
fn errno(path: &Path) -> impl FnOnce(rustix::io::Errno) -> io::Error {
    let add = at(path);
    move |error| add(error.into())
}
