//! POSIX-sh scripts that run whatever the login shell is, and their output whatever that shell prints.

use crate::FOLDER;

/// A script, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Framed {
    /// What the login shell runs.
    pub line: String,
    /// What comes first on standard input; data for the script may follow.
    pub script: String,
    nonce: String,
}

/// No part of the output is the script's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer {
    /// The first lines of what came instead.
    pub instead: String,
}

const BEGIN: &str = "@@stagegate-begin-";
const END: &str = "@@stagegate-end-";

/// Frames a script. `nonce` makes its markers unlike anything that a banner prints: letters and digits.
///
/// The login shell may be fish or csh, and may read standard input itself in its start files; it is handed one line
/// that all shells read the same way. `dd` with blocks of one byte takes exactly the script, so that the rest is left
/// for the script.
#[must_use]
pub fn framed(script: &str, nonce: &str) -> Framed {
    let script = format!("printf '\\n%s\\n' '{BEGIN}{nonce}'\n{script}\nprintf '\\n%s\\n' '{END}{nonce}'\n");
    let line = format!("exec sh -c 'eval \"$(dd bs=1 count={} 2>/dev/null)\"'", script.len());
    Framed { line, script, nonce: nonce.to_owned() }
}

impl Framed {
    /// Returns the line that marks where the script's output begins.
    #[must_use]
    pub fn begin(&self) -> String {
        format!("{BEGIN}{}", self.nonce)
    }
}

/// Returns what the script printed: the lines between its markers.
///
/// # Errors
/// [`NoAnswer`] where a marker is missing: the script did not run, or not to its end.
pub fn answer<'a>(framed: &Framed, output: &'a str) -> Result<&'a str, NoAnswer> {
    let (begin, end) = (format!("{BEGIN}{}\n", framed.nonce), format!("\n{END}{}", framed.nonce));
    let found = output.split_once(&begin).and_then(|(_, rest)| {
        // A script that prints nothing leaves one line end between the markers.
        if rest.starts_with(&end[1..]) { Some("") } else { rest.split_once(&end).map(|(text, _)| text) }
    });
    let first = || output.lines().filter(|line| !line.trim().is_empty()).take(3).collect::<Vec<_>>().join(" | ");
    found.ok_or_else(|| NoAnswer { instead: first() })
}

/// Returns the script that hands its standard input to the gate on the host; it prints `absent` where there is none.
#[must_use]
pub fn side_script() -> String {
    SIDE.replace("FOLDER", FOLDER)
}

const SIDE: &str = r#"d="$HOME/FOLDER/bin"
h=$(cat "$d/current" 2>/dev/null)
if [ -n "$h" ] && [ -x "$d/$h/gate" ]; then exec "$d/$h/gate" host-side; else echo absent; fi"#;

/// Returns how many bytes of a part are reported: those of its whole lines, and all where `is_last`.
#[must_use]
pub fn whole_lines(part: &[u8], is_last: bool) -> usize {
    match part.iter().rposition(|byte| *byte == b'\n') {
        _ if is_last && std::str::from_utf8(part).is_ok() => part.len(),
        Some(at) => at + 1,
        None if is_last => part.len(),
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_output_of_a_script_is_found_below_a_banner() {
        let framed = framed("echo x", "n1");
        let output = "Welcome!\n@@stagegate-begin-other\n\n@@stagegate-begin-n1\na=1\nb=2\n\n@@stagegate-end-n1\nbye\n";
        assert_eq!(answer(&framed, output), Ok("a=1\nb=2\n"));
        let empty = "\n@@stagegate-begin-n1\n\n@@stagegate-end-n1\n";
        assert_eq!(answer(&framed, empty), Ok(""));
    }

    #[test]
    fn a_script_that_did_not_run_or_not_to_its_end_is_no_answer() {
        let framed = framed("echo x", "n1");
        let forced = answer(&framed, "This service allows sftp connections only.\n").unwrap_err();
        assert_eq!(forced.instead, "This service allows sftp connections only.");
        assert!(answer(&framed, "\n@@stagegate-begin-n1\na=1\n").is_err());
        assert_eq!(answer(&framed, "").unwrap_err().instead, "");
    }

    #[test]
    fn a_line_that_is_still_written_is_not_reported_unless_it_is_the_last() {
        assert_eq!(whole_lines(b"a\nb\nc", false), 4);
        assert_eq!(whole_lines(b"a\nb\nc", true), 5);
        assert_eq!(whole_lines(b"abc", false), 0);
        assert_eq!(whole_lines(b"", true), 0);
        // A character that is cut comes whole with the next part.
        assert_eq!(whole_lines(b"a\n\xc3", true), 2);
    }

    #[test]
    fn the_line_for_the_login_shell_has_nothing_that_one_of_them_reads_otherwise() {
        let line = framed("echo 'it''s' !x", "n1").line;
        // csh expands `!` even in quotes; fish reads \' in them.
        assert!(!line.contains(['!', '\\', '`', '\n']), "{line}");
    }
}
