//! Which rows of a table are gone and which are new, whatever block they are in now.

use std::collections::HashMap;

use crate::{
    sanitize::{Key, StreamError},
    sync::subset::RowPlace,
};

/// How far the rows of a range are searched for the next one that was there before. What is missed is settled at the end.
const AHEAD: usize = 64;
/// Signature, flags and length of the extension of a binary COPY.
const HEAD: usize = 19;
const NO_ROW: StreamError = StreamError::new("a row of hashes is not whole");

/// A row of the source: the bytes of its key as the copy has them, its keyed hash, its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashedRow<'a> {
    /// The key's fields, each behind its length in 4 bytes.
    pub key: &'a [u8],
    /// The keyed hash of the whole row.
    pub hash: u64,
    /// Where the row is in the source.
    pub place: RowPlace,
}

/// The rows of a range.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HashedRows<'a> {
    /// The rows, in the order of their places.
    pub rows: Vec<HashedRow<'a>>,
    /// The sum of the hashes as the source gives them.
    pub sum: i128,
}

impl<'a> HashedRows<'a> {
    /// Reads what [`crate::sync::Table::hashed_rows`] gives, as one whole COPY with keys of `fields` columns.
    ///
    /// # Errors
    /// [`StreamError`] if it is anything else.
    pub fn read(bytes: &'a [u8], fields: usize, key: &Key) -> Result<Self, StreamError> {
        let mut rest = bytes.get(HEAD..).ok_or(NO_ROW)?;
        let mut found = HashedRows::default();
        loop {
            let count = i16::from_be_bytes(*take(&mut rest)?);
            if count == -1 {
                return if rest.is_empty() { Ok(found) } else { Err(NO_ROW) };
            }
            let (_, block, item) = (take::<4>(&mut rest)?, take(&mut rest)?, take(&mut rest)?);
            let place = RowPlace { block: u32::from_be_bytes(*block), item: u16::from_be_bytes(*item) };
            let from = rest;
            for _ in 0..fields {
                let size = i32::from_be_bytes(*take(&mut rest)?);
                let size = usize::try_from(size).map_err(|_| NO_ROW)?;
                rest = rest.get(size..).ok_or(NO_ROW)?;
            }
            let of_row = &from[..from.len() - rest.len()];
            let (_, raw) = (take::<4>(&mut rest)?, take::<8>(&mut rest)?);
            found.sum += i128::from(i64::from_be_bytes(*raw));
            found.rows.push(HashedRow { key: of_row, hash: keyed(key, raw), place });
        }
    }

    /// Returns the keys and hashes as they are kept.
    #[must_use]
    pub fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.rows.len() * 24);
        for row in &self.rows {
            // A key is part of an index, whose entries are far below 64 KiB.
            out.extend_from_slice(&u16::try_from(row.key.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend_from_slice(row.key);
            out.extend_from_slice(&row.hash.to_be_bytes());
        }
        out
    }
}

/// Returns 64 bits of a row's hash that say nothing about the row without the key.
fn keyed(key: &Key, raw: &[u8]) -> u64 {
    let hash = key.hash("row", raw).to_be_bytes();
    hash.first_chunk().map_or(0, |eight| u64::from_be_bytes(*eight))
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], StreamError> {
    let (head, tail) = rest.split_first_chunk::<N>().ok_or(NO_ROW)?;
    *rest = tail;
    Ok(head)
}

/// Reads kept keys and hashes.
///
/// # Errors
/// [`StreamError`] if they are damaged.
pub fn kept_rows(mut bytes: &[u8]) -> Result<Vec<(&[u8], u64)>, StreamError> {
    let mut found = Vec::with_capacity(bytes.len() / 20);
    while !bytes.is_empty() {
        let size = usize::from(u16::from_be_bytes(*take(&mut bytes)?));
        let key = bytes.get(..size).ok_or(NO_ROW)?;
        bytes = &bytes[size..];
        found.push((key, u64::from_be_bytes(*take(&mut bytes)?)));
    }
    Ok(found)
}

/// Rows of a table that are not where they were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    gone: HashMap<Vec<u8>, u64>,
    came: Vec<(Vec<u8>, u64, RowPlace)>,
}

/// What is to be done with a table of the copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// Keys of the rows that are to be deleted, those that changed included.
    pub gone: Vec<Vec<u8>>,
    /// Places of the rows that are to be copied.
    pub came: Vec<RowPlace>,
    /// How many of the rows that are copied were there before, with other contents.
    pub changed: usize,
}

impl Changes {
    /// Adds a range: the rows that were kept of it, and those that it has now.
    pub fn compare(&mut self, kept: &[(&[u8], u64)], rows: &[HashedRow<'_>]) {
        let mut at = 0;
        for row in rows {
            let ahead = kept[at..].iter().take(AHEAD).position(|(key, _)| *key == row.key);
            if let Some(ahead) = ahead {
                self.leave(&kept[at..at + ahead]);
                let was = kept[at + ahead];
                at += ahead + 1;
                if was.1 == row.hash {
                    continue;
                }
                self.leave(&[was]);
            }
            self.came.push((row.key.to_vec(), row.hash, row.place));
        }
        self.leave(&kept[at..]);
    }

    fn leave(&mut self, rows: &[(&[u8], u64)]) {
        self.gone.extend(rows.iter().map(|(key, hash)| (key.to_vec(), *hash)));
    }

    /// Returns how many rows are not where they were, those that only moved included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.gone.len() + self.came.len()
    }

    /// Returns whether all rows are where they were.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what is to be done, once all ranges are known: rows that only moved stay.
    #[must_use]
    pub fn settled(mut self) -> Settled {
        let mut settled = Settled::default();
        for (key, hash, place) in self.came {
            match self.gone.get(&key) {
                Some(was) if *was == hash => {
                    self.gone.remove(&key);
                    continue;
                }
                Some(_) => settled.changed += 1,
                None => {}
            }
            settled.came.push(place);
        }
        settled.gone = self.gone.into_keys().collect();
        settled.gone.sort_unstable();
        settled
    }
}
