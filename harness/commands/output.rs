//! Writes what a command found, in each format that somebody requested.

use std::{fs, path::Path};

use stagegate_base::{
    record::Severity,
    report::{Colour, Report},
};

use crate::{
    cli,
    failure::{Failure, command_the_job, give_document, give_json, print_result},
};

/// Writes a report: text on standard output, unless a format takes it; files; annotations in a job of GitHub.
pub(super) fn write(report: &Report, output: &cli::Output) -> Result<(), Failure> {
    if output.json {
        give_json(&report.json()?);
    } else if !output.takes_stdout() {
        print_result(&report.text(colour()));
    }
    let files = [
        (&output.markdown, report.markdown()),
        (&output.sarif, report.sarif(env!("CARGO_PKG_VERSION"))),
        (&output.html, report.html()),
        (&output.junit, report.junit()),
    ];
    for (path, text) in files {
        to(path.as_deref(), &text)?;
    }
    annotate(&report.github());
    Ok(())
}

/// Refuses files that cannot be written before anything runs: a report that is lost after ten minutes helps nobody.
///
/// Their folders are made. A file that is there keeps its contents; one that is not is not left behind empty.
pub(super) fn writable(output: &cli::Output) -> Result<(), Failure> {
    let files = [&output.junit, &output.markdown, &output.sarif, &output.html];
    for path in files.into_iter().flatten().filter(|path| path.as_os_str() != "-") {
        // A pipe that is opened and closed here would have ended for its reader.
        if path.metadata().is_ok_and(|found| !found.is_file() && !found.is_dir()) {
            continue;
        }
        let was_there = path.symlink_metadata().is_ok();
        folder_of(path)?;
        fs::OpenOptions::new().create(true).append(true).open(path).map_err(Failure::writing(path))?;
        if !was_there {
            fs::remove_file(path).map_err(Failure::writing(path))?;
        }
    }
    Ok(())
}

/// Writes a text to a file; `-` is standard output.
pub(super) fn to(path: Option<&Path>, text: &str) -> Result<(), Failure> {
    match path {
        None => Ok(()),
        Some(path) if path.as_os_str() == "-" => {
            give_document(text);
            Ok(())
        }
        Some(path) => file(path, text),
    }
}

/// Writes a file, and the folders that it lies in.
pub(super) fn file(path: &Path, text: &str) -> Result<(), Failure> {
    folder_of(path)?;
    fs::write(path, text).map_err(Failure::writing(path))
}

/// Makes the folder that a file lies in.
fn folder_of(path: &Path) -> Result<(), Failure> {
    match path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
        Some(dir) => fs::create_dir_all(dir).map_err(Failure::writing(dir)),
        None => Ok(()),
    }
}

/// Prints annotations where a job of GitHub runs this.
pub(super) fn annotate(text: &str) {
    if !text.is_empty() && std::env::var_os("GITHUB_ACTIONS").is_some_and(|value| value == "true") {
        command_the_job(text.trim_end());
    }
}

/// Returns whether standard output is for eyes that see colour.
pub(super) fn colour() -> Colour {
    crate::screen::colour(&std::io::stdout())
}

/// Returns the severity that an option names.
pub(super) fn severity(of: cli::FailOn) -> Severity {
    match of {
        cli::FailOn::Required => Severity::Required,
        cli::FailOn::Warning => Severity::Warning,
        cli::FailOn::Info => Severity::Info,
    }
}
