//! Workflows: does what users do work from the front to the database?
//!
//! One trial a file of the release's folder `workflows`, listed without touching the network. A file that cannot be
//! read is a trial that fails.

mod file;
mod hurl;
mod steps;

use std::{path::PathBuf, sync::Arc};

use stagegate_act::workflow::Place;
use stagegate_decide::workflow::{self, Book, FOLDER, Known};
use tokio::sync::OnceCell;

use crate::{
    session::Session,
    trial::{Scope, Suite, Trial},
};
use file::File;

/// The suite.
pub(crate) const SUITE: Suite = Suite { name: "workflows", trials };

fn trials(scope: Scope<'_>) -> Vec<Trial> {
    let mut files = file::all(&scope.environment.workdir.join(FOLDER));
    let twins = file::twins(&mut files);
    let (read, unreadable) = texts(&files, "toml");
    let book = Arc::new(workflow::read(&read, &Known::of(scope.config)));
    let shared = Shared::new(&book);
    let steps = book.workflows.iter().map(|flow| steps::trial(scope, flow, &book, &shared));
    let broken = book.broken.iter().map(|broken| file::broken(&broken.name, "completes", broken.error.to_string()));
    let (hurl, unreadable_hurl) = texts(&files, "hurl");
    let hurl = hurl.into_iter().map(|(path, text)| hurl::trial(scope, &path, &text, &shared));
    let mut trials: Vec<Trial> =
        steps.chain(broken).chain(unreadable).chain(hurl).chain(unreadable_hurl).chain(twins).collect();
    trials.sort_by(|a, b| a.name.cmp(&b.name));
    trials
}

/// Returns the files with an ending, each with its text, and a broken trial for each that cannot be read.
fn texts(files: &[File], ending: &str) -> (Vec<(PathBuf, String)>, Vec<Trial>) {
    let (mut read, mut unreadable) = (Vec::new(), Vec::new());
    for file in files.iter().filter(|file| file.path.extension().is_some_and(|found| found == ending)) {
        let shown = file::shown(&file.path);
        match &file.text {
            Ok(text) => read.push((shown, text.clone())),
            Err(reason) => {
                let (name, question) = (file::stem(&shown), file::question(&shown).unwrap_or_default());
                unreadable.push(file::broken(&name, question, format!("{}: {reason}", shown.display())));
            }
        }
    }
    (read, unreadable)
}

/// What the trials of a run share: the place, with its logins.
#[derive(Clone)]
struct Shared {
    book: Arc<Book>,
    place: Arc<OnceCell<Arc<Place>>>,
}

impl Shared {
    fn new(book: &Arc<Book>) -> Self {
        Shared { book: Arc::clone(book), place: Arc::default() }
    }

    async fn place(&self, session: &Session) -> Arc<Place> {
        let made = || async {
            let Session { project, engine, runner, .. } = session;
            Place::new(project.clone(), engine.clone(), runner.clone(), self.book.logins.clone())
        };
        Arc::clone(self.place.get_or_init(made).await)
    }
}

#[cfg(test)]
mod tests;
