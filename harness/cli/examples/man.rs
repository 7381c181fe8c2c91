//! Writes the manual pages of `gate` and of each of its commands into a folder. scripts/dist.sh packs them.
//!
//! An example, and no command of `gate`: the program that is installed carries no generator of pages.

use std::{env, fs, io, path::PathBuf};

use clap::CommandFactory;
use stagegate_cli::Cli;

fn main() -> io::Result<()> {
    let dir = env::args_os().nth(1).map(PathBuf::from);
    let dir = dir.ok_or_else(|| io::Error::other("no folder given; usage: man DIR"))?;
    fs::create_dir_all(&dir)?;
    clap_mangen::generate_to(Cli::command(), dir)
}
