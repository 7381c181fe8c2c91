//! Rows that the live database does not have, as files.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    pin::pin,
};

use futures_util::TryStreamExt;
use stagegate_data_decide::salvage::Kind;
use stagegate_host::{
    database::{DatabaseError, failed},
    files,
};

use super::{Salvage, SalvageError};

impl Salvage<'_> {
    /// Writes each table's rows as CSV into a folder, one file a table and kind; returns the files' names.
    ///
    /// # Errors
    /// [`SalvageError`]; a file that is there is not overwritten.
    pub async fn csv(&self, dir: &Path) -> Result<Vec<String>, SalvageError> {
        files::private_dir(dir).map_err(unwritable(dir))?;
        let mut written = Vec::new();
        for (at, pair, found) in self.differing() {
            for (kind, rows) in [(Kind::OnlyKept, found.missing), (Kind::Changed, found.changed)] {
                if rows == 0 {
                    continue;
                }
                let name = format!("{}.{}.csv", pair.kept.label().replace(['/', '\0'], "_"), kind.word());
                let path = dir.join(&name);
                let mut out = BufWriter::new(new_file(&path)?);
                let what = format!("export {}", pair.kept.label());
                let stream = self.client.copy_out(&pair.csv((at, kind))).await.map_err(|e| failed(&what, &e))?;
                let mut stream = pin!(stream);
                while let Some(data) = stream.try_next().await.map_err(|e| failed(&what, &e))? {
                    out.write_all(&data).map_err(unwritable(&path))?;
                }
                finish(out, &path)?;
                written.push(name);
            }
        }
        Ok(written)
    }

    /// Writes an INSERT for each row that is missing in the live database, tables that others refer to first; returns how
    /// many. Rows of tables that the live database does not have are left out.
    ///
    /// # Errors
    /// [`SalvageError`]; a file that is there is not overwritten.
    pub async fn sql(&self, path: &Path) -> Result<u64, SalvageError> {
        let mut out = BufWriter::new(new_file(path)?);
        let mut written = 0;
        for (at, pair, _) in self.differing().filter(|(_, _, found)| found.missing > 0 && found.refusal.is_none()) {
            let what = format!("export {}", pair.kept.label());
            let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
            let rows = self.client.query_raw(&pair.inserts(at), none).await;
            let mut rows = pin!(rows.map_err(|e| failed(&what, &e))?);
            while let Some(row) = rows.try_next().await.map_err(|e| failed(&what, &e))? {
                let line: &str =
                    row.try_get(0).map_err(|e| DatabaseError::Unexpected(format!("cannot {what}: {e}")))?;
                writeln!(out, "{line}").map_err(unwritable(path))?;
                written += 1;
            }
        }
        finish(out, path)?;
        Ok(written)
    }
}

/// Makes a file that only its owner reads.
fn new_file(path: &Path) -> Result<File, SalvageError> {
    files::new_private(path).map_err(unwritable(path))
}

fn finish(out: BufWriter<File>, path: &Path) -> Result<(), SalvageError> {
    let file = out.into_inner().map_err(|error| unwritable(path)(error.into_error()))?;
    file.sync_all().map_err(unwritable(path))
}

fn unwritable(path: &Path) -> impl Fn(std::io::Error) -> SalvageError {
    let path = path.display().to_string();
    move |source| SalvageError::File { path: path.clone(), source }
}
