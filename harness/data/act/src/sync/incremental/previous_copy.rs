//! The kept copy and the files that describe it: hashes of the rows of the source, keyed, and keys as the copy has them.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use stagegate_base::mark::{FoundDatabase, Mark, Role};
use stagegate_data_decide::sync::incremental::{RangeState, State};
use stagegate_host::{database::DatabaseError, files};

use super::{super::Work, unusable::Unusable};

/// The last sync's copy with what describes it.
pub(super) struct PreviousCopy {
    pub(super) mark: Mark,
    pub(super) state: State,
    rows: File,
}

impl PreviousCopy {
    /// Finds the kept copy and the files that describe it.
    pub(super) async fn find(work: &Work<'_>, folder: &Path) -> Result<Self, Unusable> {
        let mut marks = marks(work).await.map_err(Unusable::Source)?;
        let Some(mark) = marks.pop().filter(|_| marks.is_empty()) else {
            let reason =
                if marks.is_empty() { "no copy of an earlier sync is kept" } else { "several copies are kept" };
            return Err(Unusable::Because(reason.to_owned()));
        };
        let (state, rows) = (path(folder, &mark.run, "json"), path(folder, &mark.run, "rows"));
        let lost = |error: &dyn std::fmt::Display| {
            Unusable::Because(format!("the hashes of the last sync cannot be read: {error}"))
        };
        let text = std::fs::read(&state).map_err(|error| lost(&error))?;
        let state = serde_json::from_slice(&text).map_err(|error| lost(&error))?;
        let rows = File::open(rows).map_err(|error| lost(&error))?;
        Ok(PreviousCopy { mark, state, rows })
    }

    /// Reads what is kept of the rows of a range.
    pub(super) fn rows(&self, range: &RangeState) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(range.bytes).map_err(io::Error::other)?];
        self.rows.read_exact_at(&mut bytes, range.at)?;
        Ok(bytes)
    }
}

/// Returns the marks of the copies that are kept of the target's database.
async fn marks(work: &Work<'_>) -> Result<Vec<Mark>, DatabaseError> {
    let found = work.target.server.databases().await?;
    let marked = found.iter().filter(|found| found.comment.is_some());
    Ok(marked.filter_map(|found| previous_mark(work, found)).collect())
}

/// Returns the same and those that a killed run made and did not mark yet.
pub(super) async fn all(work: &Work<'_>) -> Result<Vec<Mark>, DatabaseError> {
    let found = work.target.server.databases().await?;
    Ok(found.iter().filter_map(|found| previous_mark(work, found)).collect())
}

fn previous_mark(work: &Work<'_>, found: &FoundDatabase) -> Option<Mark> {
    let (of, state) = (&work.target.database, &work.options.state);
    let parsed = found.comment.as_deref().and_then(Mark::parse);
    let mark = parsed.or_else(|| Mark::of_uncommented(found, of, state))?;
    (mark.role == Role::Kept && mark.state == *state && mark.of == *of && mark.is_of(found)).then_some(mark)
}

/// The file of a run's rows, to which all workers write.
pub(super) struct RowsFile(Mutex<(File, u64)>, PathBuf);

impl RowsFile {
    /// Writes what is kept of a range; returns where it begins.
    pub(super) fn append(&self, bytes: &[u8]) -> Result<u64, DatabaseError> {
        let failed = |source| DatabaseError::File { what: format!("write {}", self.1.display()), source };
        let mut file = self.0.lock().map_err(|_| failed(io::Error::other("a worker panicked")))?;
        let at = file.1;
        file.0.write_all(bytes).map_err(failed)?;
        file.1 += bytes.len() as u64;
        Ok(at)
    }

    /// Makes what was written last.
    pub(super) fn sync(&self) -> Result<(), DatabaseError> {
        let failed = |source| DatabaseError::File { what: format!("write {}", self.1.display()), source };
        let file = self.0.lock().map_err(|_| failed(io::Error::other("a worker panicked")))?;
        file.0.sync_all().map_err(failed)
    }
}

/// Makes the file of a run's rows.
pub(super) fn rows_file(folder: &Path, run: &str) -> Result<RowsFile, DatabaseError> {
    let path = path(folder, run, "rows");
    let made = files::private_dir(folder).and_then(|()| files::private_file(&path));
    let file = made.map_err(|source| DatabaseError::File { what: format!("write {}", path.display()), source })?;
    Ok(RowsFile(Mutex::new((file, 0)), path))
}

/// Writes what describes a run's copy.
pub(super) fn write(folder: &Path, run: &str, state: &State) -> Result<(), DatabaseError> {
    let path = path(folder, run, "json");
    let written = serde_json::to_vec(state).map_err(io::Error::other).and_then(|text| files::write_whole(&path, &text));
    written.map_err(|source| DatabaseError::File { what: format!("write {}", path.display()), source })
}

/// Removes what describes copies of other runs; one that cannot be removed is only never read.
pub(super) fn remove_others(folder: &Path, run: &str) {
    let own = [path(folder, run, "json"), path(folder, run, "rows")];
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if !own.contains(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn path(folder: &Path, run: &str, ending: &str) -> PathBuf {
    folder.join(format!("{run}.{ending}"))
}
