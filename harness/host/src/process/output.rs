//! What is kept of a program's output, however much it writes: neither memory nor the run's log grows without end.

use stagegate_base::redact::Mask;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt};

/// How much of a stream is kept in memory, from its end.
const KEPT: usize = 8 << 20;
/// How much of a program's errors goes to the log, from its end.
const LOGGED: usize = 1 << 20;
/// How long a line may be; what follows in it is left out.
const LONGEST_LINE: usize = 64 << 10;
/// Where a text is cut a secret may be cut, too, and is not masked then: so much goes with it.
const WITH_THE_CUT: usize = 4 << 10;

/// The end of a stream.
#[derive(Debug, Default)]
pub(super) struct Kept {
    text: String,
    /// How many bytes came before.
    left_out: u64,
}

impl Kept {
    /// Reads a stream to its end.
    pub(super) async fn read<R: AsyncRead + Unpin>(stream: Option<R>) -> std::io::Result<Self> {
        let Some(mut stream) = stream else { return Ok(Kept::default()) };
        let (mut kept, mut left_out) = (Vec::new(), 0);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = stream.read(&mut buffer).await?;
            if read == 0 {
                return Ok(Kept { text: String::from_utf8_lossy(&kept).into_owned(), left_out });
            }
            kept.extend_from_slice(&buffer[..read]);
            if kept.len() > 2 * KEPT {
                left_out += (kept.len() - KEPT) as u64;
                kept.drain(..kept.len() - KEPT);
            }
        }
    }

    /// Returns the text as it is.
    pub(super) fn into_text(self) -> String {
        self.text
    }

    /// Returns the text without secrets.
    pub(super) fn masked(&self, mask: &Mask) -> String {
        let text = mask.apply(&self.text);
        if self.left_out == 0 { text } else { format!("[{} bytes left out] {}", self.left_out, behind_cut(&text)) }
    }
}

/// Returns what of a masked text goes to the log.
pub(super) fn logged(text: &str) -> String {
    if text.len() <= LOGGED {
        return text.to_owned();
    }
    let from = boundary_from(text, text.len() - LOGGED);
    format!("[{from} bytes left out] {}", &text[from..])
}

/// Returns the first place from `at` on where a character begins, else the end.
fn boundary_from(text: &str, at: usize) -> usize {
    (at..text.len()).find(|place| text.is_char_boundary(*place)).unwrap_or(text.len())
}

fn behind_cut(text: &str) -> &str {
    &text[boundary_from(text, WITH_THE_CUT)..]
}

/// Reads the next line into `line`, without its end; what of it is too long is read and left out. Returns whether there was one.
pub(super) async fn next_line<R: AsyncBufRead + Unpin>(reader: &mut R, line: &mut Vec<u8>) -> std::io::Result<bool> {
    line.clear();
    let mut any = false;
    loop {
        let found = reader.fill_buf().await?;
        if found.is_empty() {
            return Ok(any);
        }
        any = true;
        let end = found.iter().position(|byte| *byte == b'\n');
        let part = &found[..end.unwrap_or(found.len())];
        line.extend_from_slice(&part[..part.len().min(LONGEST_LINE - line.len())]);
        let used = end.map_or(found.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            return Ok(true);
        }
    }
}

/// Returns a line of [`next_line`] without secrets.
pub(super) fn masked_line(line: &[u8], mask: &Mask) -> String {
    let text = mask.apply(String::from_utf8_lossy(line).trim_end());
    if line.len() < LONGEST_LINE {
        return text;
    }
    let end = boundary_from(&text, text.len().saturating_sub(WITH_THE_CUT));
    format!("{} [the rest of the line left out]", &text[..end])
}

#[cfg(test)]
mod tests {
    use stagegate_base::redact::Secret;
    use tokio::io::BufReader;

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_long_output_is_kept_with_how_much_came_before() {
        let text = [vec![b'a'; 3 * KEPT], b"the end".to_vec()].concat();
        let kept = Kept::read(Some(&text[..])).await.unwrap();
        assert!(kept.text.len() <= 2 * KEPT && kept.text.ends_with("the end"));
        assert_eq!(kept.left_out + kept.text.len() as u64, text.len() as u64);
        let masked = kept.masked(&Mask::default());
        assert!(masked.starts_with(&format!("[{} bytes left out] a", kept.left_out)), "{}", &masked[..80]);
        let log = logged(&masked);
        assert!(log.len() < LOGGED + 80 && log.contains("bytes left out") && log.ends_with("the end"));
    }

    #[tokio::test]
    async fn a_line_without_an_end_takes_no_more_memory_than_a_long_one() {
        let text = [vec![b'x'; 10 * LONGEST_LINE], b"\nnext\n\nlast".to_vec()].concat();
        let (mut reader, mut line) = (BufReader::new(&text[..]), Vec::new());
        assert!(next_line(&mut reader, &mut line).await.unwrap());
        assert_eq!(line.len(), LONGEST_LINE);
        let mut rest = Vec::new();
        while next_line(&mut reader, &mut line).await.unwrap() {
            rest.push(masked_line(&line, &Mask::default()));
        }
        assert_eq!(rest, ["next", "", "last"]);
    }

    #[test]
    fn a_secret_at_the_cut_of_a_line_is_not_shown_in_part() {
        let mask = Mask::new([Secret::new("hunter2-hunter2")]);
        let mut line = vec![b'x'; LONGEST_LINE - 8];
        line.extend_from_slice(b"hunter2-");
        let shown = masked_line(&line, &mask);
        assert!(
            !shown.contains("hunter") && shown.ends_with("[the rest of the line left out]"),
            "{}",
            &shown[60_000..]
        );
        let kept = Kept { text: format!("r2-hunter2{}", "y".repeat(2 * WITH_THE_CUT)), left_out: 5 };
        assert!(!kept.masked(&mask).contains("hunter"));
    }
}
