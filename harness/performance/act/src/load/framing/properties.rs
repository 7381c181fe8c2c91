//! What holds of every response, whoever sent it.

use proptest::prelude::*;

use super::*;

/// A body in chunks, each with its extension, and a trailer.
fn chunked() -> impl Strategy<Value = (Vec<u8>, u64)> {
    let chunk = (prop::collection::vec(any::<u8>(), 1..40), "(;[a-z]{1,4}=[a-z]{0,4})?");
    (prop::collection::vec(chunk, 0..6), "(X-[A-Z]{1,4}: [a-z]{0,6}\r\n)?").prop_map(|(chunks, trailer)| {
        let mut bytes = Vec::new();
        for (content, extension) in &chunks {
            bytes.extend(format!("{:X}{extension}\r\n", content.len()).into_bytes());
            bytes.extend(content);
            bytes.extend(b"\r\n");
        }
        bytes.extend(format!("0\r\n{trailer}\r\n").into_bytes());
        (bytes, chunks.iter().map(|(content, _)| content.len() as u64).sum())
    })
}

/// Feeds bytes in pieces of these lengths, again and again.
fn fed(bytes: &[u8], lengths: &[usize]) -> Result<(bool, u64), Fault> {
    let (mut chunks, mut rest, mut whole) = (Chunks::default(), bytes, false);
    for length in lengths.iter().cycle() {
        let (piece, behind) = rest.split_at((*length).min(rest.len()));
        whole = chunks.feed(piece)?;
        rest = behind;
        if rest.is_empty() {
            break;
        }
    }
    Ok((whole, chunks.content))
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), is_head in any::<bool>()) {
        if let Ok(Some(head)) = head(&bytes, is_head) {
            prop_assert!(head.length <= bytes.len());
        }
        let _ = Chunks::default().feed(&bytes);
    }

    #[test]
    fn a_chunked_body_is_whole_at_its_end(
        (bytes, content) in chunked(),
        lengths in prop::collection::vec(1..9_usize, 1..5),
        cut in any::<prop::sample::Index>(),
    ) {
        prop_assert_eq!(fed(&bytes, &lengths), Ok((true, content)));
        let (whole, part) = fed(&bytes[..cut.index(bytes.len())], &lengths).unwrap();
        prop_assert!(!whole && part <= content);
    }

    #[test]
    fn how_bytes_are_cut_makes_no_difference(
        bytes in "([0-9a-fA-F+; -]{0,3}\r?\n?[a-z]{0,3}){0,6}",
        lengths in prop::collection::vec(1..9_usize, 1..5),
    ) {
        prop_assert_eq!(fed(bytes.as_bytes(), &lengths), fed(bytes.as_bytes(), &[bytes.len().max(1)]));
    }

    // Source: RFC 9112, 7.1: chunk-size is 1*HEXDIG.
    #[test]
    fn a_size_is_digits_only(size in "[+-]?[0-9a-fA-F]{1,8}") {
        let digits = size.bytes().all(|byte| byte.is_ascii_hexdigit());
        prop_assert_eq!(Chunks::default().feed(format!("{size}\r\n").as_bytes()).is_ok(), digits, "{}", size);
    }

    #[test]
    fn a_head_that_is_cut_waits_for_more(
        status in 100..600_u16,
        headers in prop::collection::vec(("X-[A-Za-z-]{1,8}", "[ -~]{0,12}"), 0..6),
        size in 0..9_999_u64,
        cut in any::<prop::sample::Index>(),
    ) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let text = format!("HTTP/1.1 {status} OK\r\n{headers}Content-Length: {size}\r\n\r\n");
        let found = head(text.as_bytes(), false).unwrap().unwrap();
        prop_assert_eq!((found.status, found.length), (status, text.len()));
        prop_assert_eq!(head(&text.as_bytes()[..cut.index(text.len())], false), Ok(None));
    }
}
