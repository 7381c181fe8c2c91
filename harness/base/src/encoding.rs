//! Bytes of a file that a person wrote, as text.

/// Why bytes are no text: everything that is read is UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodingError {
    /// They begin with the byte order mark of UTF-16.
    #[error("it is UTF-16, and UTF-8 is expected; save it as UTF-8 (iconv -f UTF-16 -t UTF-8)")]
    Utf16,
    /// They are in an older encoding, or no text at all.
    #[error(
        "line {line} has the byte 0x{byte:02x} at column {column}, which is no UTF-8; save it as UTF-8 (iconv -t UTF-8)"
    )]
    Byte {
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
        /// The first byte that does not fit.
        byte: u8,
    },
}

/// Returns bytes as text; a mark of UTF-8 at the beginning stays, readers skip it.
///
/// # Errors
/// [`EncodingError`] with the place of the first byte that is no UTF-8.
pub fn text(bytes: Vec<u8>) -> Result<String, EncodingError> {
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let bytes = error.as_bytes();
        if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
            return EncodingError::Utf16;
        }
        let before = String::from_utf8_lossy(&bytes[..good]);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().map_or(0, |last| last.chars().count()) + 1;
        EncodingError::Byte { line, column, byte: bytes.get(good).copied().unwrap_or_default() }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_byte_that_is_no_utf_8_has_its_place() {
        let latin1 = b"name = \"shop\"\nowner = \"J\xf6rg\"\n".to_vec();
        assert_eq!(text(latin1), Err(EncodingError::Byte { line: 2, column: 11, byte: 0xf6 }));
        assert_eq!(text("J\u{f6}rg".into()).unwrap(), "J\u{f6}rg");
    }

    #[test]
    fn utf_16_is_named_in_both_orders() {
        for bytes in [vec![0xff, 0xfe, b'a', 0], vec![0xfe, 0xff, 0, b'a']] {
            assert_eq!(text(bytes), Err(EncodingError::Utf16));
        }
    }
}
