//! Parts of JSON documents: which strings a path names, and a document with those replaced. All else stays byte by byte,
//! numbers of any length and doubled keys too.

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Key(String),
    Any,
    Deep,
}

/// A path such as `$.address.street`, `$.items[*].note`, `$..email` or `$..*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Step>);

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no path; write `$.key`, `$.list[*].key`, `$..key` or `$..*`")]
pub struct PathError(String);

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`PathError`] with what is expected.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let wrong = || PathError(text.to_owned());
        let mut rest = text.strip_prefix('$').ok_or_else(wrong)?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(after) = rest.strip_prefix("[*]") {
                steps.push(Step::Any);
                rest = after;
                continue;
            }
            let after = match rest.strip_prefix("..") {
                Some(after) => {
                    steps.push(Step::Deep);
                    after
                }
                None => rest.strip_prefix('.').ok_or_else(wrong)?,
            };
            let end = after.find(['.', '[']).unwrap_or(after.len());
            match &after[..end] {
                "" => return Err(wrong()),
                "*" => steps.push(Step::Any),
                key => steps.push(Step::Key(key.to_owned())),
            }
            rest = &after[end..];
        }
        // `$` is the whole document.
        Ok(Path(steps))
    }

    /// Returns whether the path names the place, or something that it is in.
    fn covers(&self, place: &[String]) -> bool {
        covers(&self.0, place)
    }
}

fn covers(steps: &[Step], place: &[String]) -> bool {
    match (steps, place) {
        ([], _) => true,
        // Every value, also of a document that is one.
        ([Step::Deep, Step::Any], []) => true,
        ([Step::Deep, rest @ ..], _) => (0..=place.len()).any(|skipped| covers(rest, &place[skipped..])),
        (_, []) => false,
        ([Step::Any, rest @ ..], [_, inner @ ..]) => covers(rest, inner),
        ([Step::Key(key), rest @ ..], [found, inner @ ..]) => key == found && covers(rest, inner),
    }
}

/// Replaces the values of a document that paths name: `replace` gets the path's number and the value, as its text, and
/// whether it is a string; it returns JSON, or `None` to let the value stay. `None` where the document is not JSON.
pub(super) fn rewritten(
    document: &str,
    paths: &[&Path],
    mut replace: impl FnMut(usize, &str, bool) -> Option<String>,
) -> Option<String> {
    let mut walk = Walk { text: document, at: 0, out: String::with_capacity(document.len()), place: Vec::new() };
    let find = |place: &[String]| paths.iter().position(|path| path.covers(place));
    walk.value(&find, &mut replace)?;
    walk.space();
    (walk.at == document.len()).then_some(walk.out)
}

/// Returns the strings that paths name.
#[must_use]
pub fn leaves(document: &str, paths: &[&Path]) -> Vec<String> {
    let mut found = Vec::new();
    let _ = rewritten(document, paths, |_, text, is_string| {
        if is_string {
            found.push(text.to_owned());
        }
        None
    });
    found
}

struct Walk<'a> {
    text: &'a str,
    at: usize,
    out: String,
    place: Vec<String>,
}

type Replace<'r> = &'r mut dyn FnMut(usize, &str, bool) -> Option<String>;
type Find<'f> = &'f dyn Fn(&[String]) -> Option<usize>;

impl<'a> Walk<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        let from = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
        self.out.push_str(&self.text[from..self.at]);
    }

    fn byte(&mut self, want: u8) -> Option<()> {
        (self.peek() == Some(want)).then(|| {
            self.at += 1;
            self.out.push(char::from(want));
        })
    }

    /// Returns a string's or scalar's text as it stands, and goes behind it.
    fn scalar(&mut self) -> Option<&'a str> {
        let from = self.at;
        let bytes = self.text.as_bytes();
        if self.peek()? == b'"' {
            self.at += 1;
            loop {
                match *bytes.get(self.at)? {
                    b'\\' => self.at += 2,
                    b'"' => break,
                    _ => self.at += 1,
                }
            }
            self.at += 1;
        } else {
            while self.peek().is_some_and(|byte| !b",]} \t\r\n".contains(&byte)) {
                self.at += 1;
            }
        }
        (self.at > from).then(|| self.text.get(from..self.at)).flatten()
    }

    fn value(&mut self, find: Find<'_>, replace: Replace<'_>) -> Option<()> {
        self.space();
        match self.peek()? {
            b'{' => self.members(find, replace, b'{', b'}'),
            b'[' => self.members(find, replace, b'[', b']'),
            _ => {
                let raw = self.scalar()?;
                let decoded =
                    if raw.starts_with('"') { serde_json::from_str::<String>(raw).ok()? } else { raw.to_owned() };
                let new = find(&self.place).and_then(|path| replace(path, &decoded, raw.starts_with('"')));
                self.out.push_str(new.as_deref().unwrap_or(raw));
                Some(())
            }
        }
    }

    fn members(&mut self, find: Find<'_>, replace: Replace<'_>, open: u8, close: u8) -> Option<()> {
        self.byte(open)?;
        self.space();
        if self.byte(close).is_some() {
            return Some(());
        }
        loop {
            self.space();
            let mut key = "*".to_owned();
            if open == b'{' {
                let raw = self.scalar()?;
                key = serde_json::from_str(raw).ok()?;
                self.out.push_str(raw);
                self.space();
                self.byte(b':')?;
            }
            self.place.push(key);
            self.value(find, replace)?;
            self.place.pop();
            self.space();
            if self.byte(b',').is_none() {
                return self.byte(close);
            }
        }
    }
}
