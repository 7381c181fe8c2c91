//! The rows of a COPY in any pieces are those of the whole; without masks they stay as they are.
#![no_main]

use libfuzzer_sys::fuzz_target;
use stagegate_data_decide::{
    sanitize::{Key, Mask, Rewriter, StreamError},
    sync::{Format, incremental::{HashedRows, kept_rows}},
};

const NO_MASKS: [Option<Mask>; 2] = [None, None];
const HEAD: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

fn rewritten(key: &Key, format: Format, pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), StreamError> {
    let (mut rewriter, mut out) = (Rewriter::new(key, &NO_MASKS, format), Vec::new());
    for piece in pieces {
        rewriter.feed(piece, &mut out)?;
    }
    Ok((out, rewriter.is_whole()))
}

fuzz_target!(|input: (u16, &[u8])| {
    let (at, bytes) = input;
    let key = Key::new([7; 16]);
    let begun = [HEAD, bytes].concat();
    for (format, stream) in [(Format::Text, bytes), (Format::Binary, &begun[..])] {
        let (first, second) = stream.split_at(usize::from(at).min(stream.len()));
        let whole = rewritten(&key, format, &[stream]);
        assert_eq!(rewritten(&key, format, &[first, second]), whole);
        if let Ok((out, is_whole)) = whole {
            assert!(stream.starts_with(&out) && (!is_whole || out == stream));
        }
    }
    if let Ok(rows) = HashedRows::read(&begun, 1, &key) {
        assert_eq!(kept_rows(&rows.kept()).map(|kept| kept.len()), Ok(rows.rows.len()));
    }
    let _ = kept_rows(bytes);
});
