//! Files without a name: nobody else can open them, and they are gone with this process.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::atomic::{AtomicU32, Ordering},
};

/// Makes an empty file that can be read and written.
pub(crate) fn file() -> io::Result<File> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!(".stagegate-{}-{number}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    std::fs::remove_file(&path)?;
    Ok(file)
}

/// Makes a file that holds `text`, to be read from its beginning.
pub(crate) fn holding(text: &str) -> io::Result<File> {
    let file = file()?;
    file.write_all_at(text.as_bytes(), 0)?;
    Ok(file)
}

/// Returns the last 16 KiB of a file as text, whoever writes it.
pub(crate) fn tail(file: &File) -> String {
    const KEPT: u64 = 16 << 10;
    let length = file.metadata().map_or(0, |found| found.len());
    let from = length.saturating_sub(KEPT);
    let mut bytes = vec![0; usize::try_from(length - from).unwrap_or_default()];
    let read = file.read_at(&mut bytes, from).unwrap_or_default();
    String::from_utf8_lossy(&bytes[..read]).into_owned()
}
