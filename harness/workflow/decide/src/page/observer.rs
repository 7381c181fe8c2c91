//! What a browser's events say of a page, one after the other.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value;

use super::Page;

/// How many problems of one kind are kept.
const KEPT: usize = 50;

/// A page that is being watched.
#[derive(Clone, Debug, Default)]
pub struct PageObserver {
    page: Page,
    open: BTreeSet<String>,
    urls: BTreeMap<String, String>,
    unreached: bool,
    elapsed: Duration,
}

impl PageObserver {
    /// Takes in an event; `elapsed` counts from the navigation.
    // Source: Chrome DevTools Protocol, domains Network, Page, Runtime and Log.
    pub fn observe(&mut self, method: &str, params: &Value, elapsed: Duration) {
        self.elapsed = elapsed;
        let id = params["requestId"].as_str().unwrap_or_default().to_owned();
        match method {
            "Network.requestWillBeSent" => {
                self.urls.insert(id.clone(), text(&params["request"]["url"]));
                self.open.insert(id);
            }
            "Network.responseReceived" => self.response(params),
            "Network.loadingFinished" => drop(self.open.remove(&id)),
            "Network.loadingFailed" => {
                self.open.remove(&id);
                // The page itself gave this request up, as when a visitor goes on.
                if params["canceled"] != true {
                    let url = self.urls.get(&id).cloned().unwrap_or_default();
                    self.fail(url, text(&params["errorText"]));
                }
            }
            // The empty page that a browser begins with has a load event too.
            "Page.loadEventFired" if self.page.status.is_some() => {
                self.page.loaded = self.page.loaded.or(Some(elapsed));
            }
            "Runtime.consoleAPICalled" if params["type"] == "error" || params["type"] == "assert" => {
                let args = params["args"].as_array().into_iter().flatten();
                let words: Vec<String> = args.map(argument).collect();
                self.console_error(words.join(" "));
            }
            "Runtime.exceptionThrown" => {
                let details = &params["exceptionDetails"];
                let described = details["exception"]["description"].as_str().or(details["text"].as_str());
                self.console_error(described.unwrap_or("an uncaught error").to_owned());
            }
            // Failed requests are reported by the network's own events.
            "Log.entryAdded" if params["entry"]["level"] == "error" && params["entry"]["source"] != "network" => {
                self.console_error(text(&params["entry"]["text"]));
            }
            _ => {}
        }
    }

    fn response(&mut self, params: &Value) {
        let Some(status) = params["response"]["status"].as_i64() else { return };
        if params["type"] == "Document" && self.page.status.is_none() {
            self.page.status = Some(status);
        } else if status >= 400 {
            self.fail(text(&params["response"]["url"]), format!("status {status}"));
        }
    }

    fn fail(&mut self, url: String, reason: String) {
        if !is_browsers_own(&url) && self.page.failed.len() < KEPT {
            self.page.failed.push((url, reason));
        }
    }

    fn console_error(&mut self, text: String) {
        if self.page.console.len() < KEPT {
            self.page.console.push(text);
        }
    }

    /// Notes that the page could not be reached at all.
    pub fn unreached(&mut self, url: &str, reason: &str) {
        self.unreached = true;
        if !self.page.failed.iter().any(|(failed, _)| failed == url) {
            self.fail(url.to_owned(), reason.to_owned());
        }
    }

    /// Notes the time.
    pub fn now(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
    }

    /// Returns the time of the last event or note, from the navigation on.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// Returns whether the load event came.
    #[must_use]
    pub fn is_loaded(&self) -> bool {
        self.page.loaded.is_some()
    }

    /// Returns whether there is no page to wait for.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        self.unreached
    }

    /// Returns whether a request is open.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.open.is_empty()
    }

    /// Returns the page as it was seen.
    #[must_use]
    pub fn page(&self) -> Page {
        self.page.clone()
    }
}

/// Tells whether a browser asks for this by itself: the icon of a page that names none.
fn is_browsers_own(url: &str) -> bool {
    let path = url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
    path.is_some_and(|(_, path)| path == "favicon.ico")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn argument(value: &Value) -> String {
    let described = value["description"].as_str().map(str::to_owned);
    described.unwrap_or_else(|| super::super::template::plain(&value["value"]))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn seen(events: &[(&str, Value)]) -> PageObserver {
        let mut observer = PageObserver::default();
        for (at, (method, params)) in events.iter().enumerate() {
            observer.observe(method, params, Duration::from_millis(at as u64));
        }
        observer
    }

    #[test]
    fn a_page_is_loaded_at_its_event_and_busy_while_a_request_is_open() {
        let request = json!({"requestId": "1", "request": {"url": "http://web/"}});
        let response = json!({"requestId": "1", "type": "Document", "response": {"status": 200, "url": "http://web/"}});
        let mut observer = seen(&[("Network.requestWillBeSent", request), ("Network.responseReceived", response)]);
        assert!(observer.is_busy() && !observer.is_loaded());
        observer.observe("Page.loadEventFired", &json!({}), Duration::from_millis(70));
        observer.observe("Network.loadingFinished", &json!({"requestId": "1"}), Duration::from_millis(80));
        assert!(!observer.is_busy());
        assert_eq!(observer.page().findings(Duration::from_millis(70)), []);
    }

    #[rstest]
    #[case::status("Network.responseReceived", json!({"type": "Script", "response": {"status": 404, "url": "u"}}), 1, 0)]
    #[case::icon("Network.responseReceived", json!({"response": {"status": 404, "url": "http://a:1/favicon.ico"}}), 0, 0)]
    #[case::named_icon("Network.responseReceived", json!({"response": {"status": 404, "url": "http://a/x/favicon.ico"}}), 1, 0)]
    #[case::failed("Network.loadingFailed", json!({"requestId": "9", "errorText": "net::ERR_FAILED"}), 1, 0)]
    #[case::given_up("Network.loadingFailed", json!({"requestId": "9", "canceled": true}), 0, 0)]
    #[case::error("Runtime.consoleAPICalled", json!({"type": "error", "args": [{"value": "no"}, {"value": 7}]}), 0, 1)]
    #[case::info("Runtime.consoleAPICalled", json!({"type": "log", "args": [{"value": "no"}]}), 0, 0)]
    #[case::thrown("Runtime.exceptionThrown", json!({"exceptionDetails": {"text": "Uncaught"}}), 0, 1)]
    #[case::policy("Log.entryAdded", json!({"entry": {"level": "error", "source": "security", "text": "x"}}), 0, 1)]
    #[case::told_twice("Log.entryAdded", json!({"entry": {"level": "error", "source": "network"}}), 0, 0)]
    fn what_a_visitor_would_call_broken_is_kept(
        #[case] method: &str,
        #[case] params: Value,
        #[case] failed: usize,
        #[case] console: usize,
    ) {
        let page = seen(&[(method, params)]).page();
        assert_eq!((page.failed.len(), page.console.len()), (failed, console), "{page:?}");
    }

    #[test]
    fn a_storm_of_errors_is_not_kept_whole() {
        let error = json!({"type": "error", "args": [{"value": "no"}]});
        let events: Vec<(&str, Value)> = (0..1000).map(|_| ("Runtime.consoleAPICalled", error.clone())).collect();
        assert_eq!(seen(&events).page().console.len(), KEPT);
    }
}
