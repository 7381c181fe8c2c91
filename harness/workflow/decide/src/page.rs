//! A page as a browser saw it: what a visitor would call broken.

mod observer;

use std::time::Duration;

use serde_json::json;

use super::Observed;
pub use observer::PageObserver;
use stagegate_base::finding::Finding;

/// How many problems of one kind are reported.
const REPORTED: usize = 10;

/// What a browser saw of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Status of the page itself; `None` where it did not come.
    pub status: Option<i64>,
    /// Title.
    pub title: String,
    /// The text that a visitor reads.
    pub text: String,
    /// From the navigation to the load event; `None` where that did not come in time.
    pub loaded: Option<Duration>,
    /// Errors of the console, and exceptions that nobody caught.
    pub console: Vec<String>,
    /// Requests without a response, or with a status from 400 on: URL and reason.
    pub failed: Vec<(String, String)>,
}

impl Page {
    /// Returns what is wrong with it: its own status, its time, failed requests, console errors.
    #[must_use]
    pub fn findings(&self, load_within: Duration) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |at: &str, expected: &str, found: String| {
            findings.push(Finding::differs(at.to_owned(), expected.to_owned(), found));
        };
        match self.status {
            Some(200..300) => {}
            Some(status) => find("status", "2xx", format!("integer {status}")),
            None => find("status", "2xx", "no response".to_owned()),
        }
        let budget = format!("at most {} ms", load_within.as_millis());
        match self.loaded {
            Some(took) if took <= load_within => {}
            Some(took) => find("load time", &budget, format!("{} ms", took.as_millis())),
            None => find("load time", &budget, "no load event".to_owned()),
        }
        for (url, reason) in self.failed.iter().take(REPORTED) {
            find(url, "a status below 400", reason.clone());
        }
        for text in self.console.iter().take(REPORTED) {
            find("console", "no error", super::result::truncated(text, 300));
        }
        findings
    }

    /// Returns it as a response: text is what a visitor reads; `$.title`, `$.load_ms`.
    #[must_use]
    pub fn observed(&self) -> Observed {
        let took = self.loaded.unwrap_or_default();
        let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let value = json!({"title": self.title, "load_ms": millis});
        Observed { status: self.status, headers: Vec::new(), text: self.text.clone(), json: Ok(value), took }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_page_has_no_findings() {
        let page = Page { status: Some(200), loaded: Some(Duration::from_secs(1)), ..Page::default() };
        assert_eq!(page.findings(Duration::from_secs(5)), []);
    }

    #[test]
    fn a_slow_page_with_errors_has_one_finding_each() {
        let page = Page {
            status: Some(200),
            loaded: Some(Duration::from_secs(6)),
            console: vec!["TypeError: x is undefined".to_owned()],
            failed: vec![("http://web/app.js".to_owned(), "status 404".to_owned())],
            ..Page::default()
        };
        let found: Vec<String> = page
            .findings(Duration::from_secs(5))
            .into_iter()
            .map(|f| format!("{}: {}", f.place.object, f.found))
            .collect();
        assert_eq!(
            found,
            ["load time: 6000 ms", "http://web/app.js: status 404", "console: TypeError: x is undefined"]
        );
    }

    #[test]
    fn a_page_that_does_not_come_fails() {
        assert_eq!(Page::default().findings(Duration::from_secs(5)).len(), 2);
    }
}
