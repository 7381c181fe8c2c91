//! Tells the program which commit it is built from; `gate version` prints it.
//!
//! `STAGEGATE_COMMIT` and `STAGEGATE_COMMIT_DATE` decide, as packages set them; else git, if this folder is the root of a
//! checkout; else the file that `cargo package` adds. What none of them knows stays empty, and fails no build.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn main() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let (commit, date) =
        from_environment().or_else(|| from_git(&root)).or_else(|| from_package(&root)).unwrap_or_default();
    println!("cargo::rustc-env=STAGEGATE_BUILD_COMMIT={commit}");
    println!("cargo::rustc-env=STAGEGATE_BUILD_DATE={date}");
    println!("cargo::rustc-env=STAGEGATE_BUILD_TARGET={}", env::var("TARGET").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
}

/// Returns commit and date as whoever builds a package gives them.
fn from_environment() -> Option<(String, String)> {
    println!("cargo::rerun-if-env-changed=STAGEGATE_COMMIT");
    println!("cargo::rerun-if-env-changed=STAGEGATE_COMMIT_DATE");
    let commit = env::var("STAGEGATE_COMMIT").ok().filter(|commit| !commit.is_empty())?;
    Some((commit, env::var("STAGEGATE_COMMIT_DATE").unwrap_or_default()))
}

/// Returns commit and date of a checkout; a repository that merely contains this folder is somebody else's.
fn from_git(root: &Path) -> Option<(String, String)> {
    let top = git(root, &["rev-parse", "--show-toplevel"])?;
    if fs::canonicalize(top).ok()? != fs::canonicalize(root).ok()? {
        return None;
    }
    // A commit changes the branch that HEAD names, a checkout changes HEAD.
    let branch = git(root, &["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        let path = git(root, &["rev-parse", "--git-path", name])?;
        if root.join(&path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let shown =
        git(root, &["show", "--no-patch", "--format=%H %cd", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", "HEAD"])?;
    let (commit, date) = shown.split_once(' ')?;
    Some((commit.to_owned(), date.to_owned()))
}

/// Returns the first line that git prints, or nothing where it fails or is not installed.
fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").current_dir(root).env("TZ", "UTC").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().next().filter(|_| output.status.success()).map(str::to_owned)
}

/// Returns the commit that `cargo package` wrote into a package; it has no date.
fn from_package(root: &Path) -> Option<(String, String)> {
    let text = fs::read_to_string(root.join(".cargo_vcs_info.json")).ok()?;
    let commit = text.split("\"sha1\":").nth(1)?.split('"').nth(1)?;
    Some((commit.to_owned(), String::new()))
}
