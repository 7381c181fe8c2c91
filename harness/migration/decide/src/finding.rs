//! Findings about statements of a migration's script.

use super::{Script, Statement};
use stagegate_base::finding::Finding;

/// Names the statement that a finding is about: file, line and the beginning of its text.
pub(crate) trait AtStatement {
    /// Returns the finding with the statement.
    fn at_statement(self, script: &Script, statement: &Statement) -> Self;
}

impl AtStatement for Finding {
    fn at_statement(self, script: &Script, statement: &Statement) -> Self {
        let excerpt = shortened(script.text_of(statement));
        Finding { excerpt, ..self.at(&script.file, statement.line) }
    }
}

/// Returns the first 160 characters of a statement on one line.
pub(crate) fn shortened(statement: &str) -> String {
    let mut words = String::new();
    for word in statement.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
        if let Some((end, _)) = words.char_indices().nth(160) {
            words.truncate(end);
            words.push_str("..");
            break;
        }
    }
    stagegate_base::text::clean(&words)
}
