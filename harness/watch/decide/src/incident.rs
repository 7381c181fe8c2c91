//! Incidents that people open and close by hand: lines of a file next to the journals, each written once.
//!
//! An incident with a run makes of that promotion a failed one.

use serde::{Deserialize, Serialize};

/// The version of the lines.
pub const VERSION: u32 = 1;
/// Characters that a text may have.
pub const LONGEST: usize = 500;

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentLine {
    /// The version of its form.
    pub v: u32,
    /// Its incident's number, from 1 on.
    pub incident: u64,
    /// When it was written (RFC 3339).
    pub wall: String,
    /// What happened.
    #[serde(flatten)]
    pub entry: IncidentEntry,
}

/// What happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
pub enum IncidentEntry {
    /// Somebody opened it.
    Opened {
        /// What is wrong, for whoever reads the status page.
        text: String,
        /// The promotion that caused it, where one did.
        run: Option<String>,
    },
    /// Somebody closed it.
    Closed {
        /// What became of it.
        text: String,
    },
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Incident {
    /// Its number.
    pub incident: u64,
    /// What is wrong.
    pub text: String,
    /// The promotion that caused it, where one did.
    pub run: Option<String>,
    /// When it was opened, in seconds since 1970.
    pub opened: f64,
    /// When it was closed, in seconds since 1970; `None` where it is open.
    pub closed: Option<f64>,
    /// What became of it; `None` where it is open.
    pub closing: Option<String>,
}

/// Reads the file's text: the incidents in the order of their lines, and how many lines could not be read. `unix` reads an RFC 3339
/// text in seconds since 1970.
///
/// What is closed again stays as it was closed first.
#[must_use]
pub fn incidents(text: &str, unix: impl Fn(&str) -> Option<f64>) -> (Vec<Incident>, usize) {
    let (mut found, mut unread): (Vec<Incident>, usize) = (Vec::new(), 0);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let line = serde_json::from_str::<IncidentLine>(line).ok().filter(|line| line.v == VERSION);
        let Some((line, at)) = line.and_then(|line| unix(&line.wall).map(|at| (line, at))) else {
            unread += 1;
            continue;
        };
        let known = found.iter().position(|one| one.incident == line.incident);
        match (line.entry, known) {
            (IncidentEntry::Opened { text, run }, None) => {
                let incident = line.incident;
                found.push(Incident { incident, text, run, opened: at, closed: None, closing: None });
            }
            (IncidentEntry::Closed { text }, Some(nth)) if found[nth].closed.is_none() => {
                (found[nth].closed, found[nth].closing) = (Some(at), Some(text));
            }
            _ => unread += 1,
        }
    }
    (found, unread)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(text: &str) -> Option<f64> {
        text.parse().ok()
    }

    fn line(incident: u64, wall: &str, entry: IncidentEntry) -> String {
        serde_json::to_string(&IncidentLine { v: VERSION, incident, wall: wall.into(), entry }).unwrap() + "\n"
    }

    #[test]
    fn an_incident_is_open_until_it_is_closed_and_a_torn_line_hides_no_other() {
        let opened = |text: &str| IncidentEntry::Opened { text: text.into(), run: Some("r1".into()) };
        let closed = IncidentEntry::Closed { text: "restarted".into() };
        let text =
            [line(1, "10", opened("slow")), line(2, "20", opened("down")), line(1, "30", closed.clone())].concat();
        let (found, unread) = incidents(&text, unix);
        assert_eq!((found.len(), unread), (2, 0));
        assert_eq!(
            (found[0].closed, found[0].closing.as_deref(), found[1].closed),
            (Some(30.0), Some("restarted"), None)
        );
        let torn = format!("{}{{\"v\":1,\"inci\n{}", &text, line(2, "40", closed));
        let (found, unread) = incidents(&torn, unix);
        assert_eq!((found[1].closed, unread), (Some(40.0), 1));
    }
}
