//! The entries for a person: one line each, and its fix below it.

use stagegate_base::{
    report::{Colour, painted},
    text::counted,
};

use super::{Level, Section, count};

/// Returns the entries of all sections, and how many of them fail, as lines.
#[must_use]
pub fn text(sections: &[Section], colour: Colour) -> String {
    let mut lines = Vec::new();
    for section in sections {
        lines.push(section.title.clone());
        for entry in &section.entries {
            // A reason of several lines stays below its first one.
            let found = entry.found.trim_end().replace('\n', "\n        ");
            lines.push(format!("  {}  {:<14} {found}", label(entry.level, colour), entry.subject));
            lines.extend(entry.fix.iter().map(|fix| format!("        fix: {fix}")));
        }
    }
    let (failures, warnings) = (count(sections, Level::Fail), count(sections, Level::Warn));
    let end = match (failures, warnings) {
        (0, 0) => "all as it should be".to_owned(),
        (0, _) => format!("{}; nothing stops a command", counted(warnings, "warning")),
        _ => format!("{}, {}", counted(failures, "failure"), counted(warnings, "warning")),
    };
    lines.push(end);
    lines.join("\n")
}

fn label(level: Level, colour: Colour) -> String {
    match level {
        Level::Ok => painted("OK  ", 32, colour),
        Level::Warn => painted("WARN", 33, colour),
        Level::Fail => painted("FAIL", 31, colour),
    }
}
