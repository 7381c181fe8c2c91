//! Messages: what a receiver reads of an event, in the form and the length that its service takes, and when one that did not
//! get through is sent again.
//!
//! No service gets a text that it would refuse for its length: what is too long loses the middle of its log first.

mod delivery;
mod outbox;
mod run;
mod shape;
#[cfg(test)]
mod tests;
mod text;

use serde::{Deserialize, Serialize};
use stagegate_base::{
    config::{Channel, Event, Receiver},
    trace_parent::TraceParent,
};

pub use delivery::{Delivery, PAYLOAD, Stage, percent_encoded};
pub use outbox::{GIVE_UP_AFTER, Parcel, parcel_name, retry_after_seconds};
pub use run::{begin, end, end_id};
pub use shape::{Body, body};
pub use text::{Style, fitted};

/// The version of the JSON that webhooks and programs get.
pub const VERSION: u32 = 1;
/// How many lines of a log a message has.
pub const LOG_LINES: usize = 10;

/// One message, before it is formed for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The same at each try, and where the same event is read again.
    pub id: String,
    /// What it is about, the most special last; receivers are chosen by all of them.
    pub events: Vec<Event>,
    /// The product.
    pub product: String,
    /// The environment.
    pub environment: String,
    /// When it happened (RFC 3339).
    pub at: String,
    /// The result, and what runs now.
    pub title: String,
    /// Why.
    pub reason: Option<String>,
    /// Lines of a log, the oldest first; at most [`LOG_LINES`] are sent.
    pub log: Vec<String>,
    /// What to do, a command or sentence each.
    pub next: Vec<String>,
    /// The run.
    pub run: Option<String>,
    /// The page that shows more; of the receiver's configuration at the moment of sending.
    #[serde(skip)]
    pub link: Option<String>,
    /// Whether a person has to act now: who is named as `mention` is mentioned.
    pub is_urgent: bool,
    /// The run as a trace, for receivers of traces only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<serde_json::Value>,
    /// The run as a deployment, for receivers that keep those.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// The span of the run, which programs are handed on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_parent: Option<TraceParent>,
}

impl Message {
    /// Returns what it is about, most specially.
    #[must_use]
    pub fn event(&self) -> Event {
        self.events.last().copied().unwrap_or(Event::End)
    }

    /// Returns a message that only shows that a receiver is reached.
    #[must_use]
    pub fn test(product: &str, id: String, at: String) -> Self {
        Message {
            id,
            events: Vec::new(),
            product: product.to_owned(),
            environment: "test".to_owned(),
            at,
            title: format!("{product}: this is a test message of stagegate"),
            reason: None,
            log: Vec::new(),
            next: vec!["nothing to do".to_owned()],
            run: None,
            link: None,
            is_urgent: false,
            trace: None,
            delivery: None,
            trace_parent: None,
        }
    }

    /// Returns it with the link to the page that shows more, where the receiver's configuration has pages.
    #[must_use]
    pub fn linked(&self, receiver: &Receiver) -> Self {
        Message { link: receiver.page(self.run.as_deref()), ..self.clone() }
    }

    /// Returns what a receiver gets of it; `None` where that takes traces or deployments, and it has none.
    #[must_use]
    pub fn to(&self, receiver: &Receiver) -> Option<Self> {
        let delivery = self.delivery.as_ref();
        match receiver.channel {
            Channel::Otlp { .. } => self.trace.is_some().then(|| Message { delivery: None, ..self.clone() }),
            Channel::Github(_) | Channel::Gitlab(_) => delivery.map(|_| Message { trace: None, ..self.clone() }),
            // A release that is not live is none.
            Channel::Sentry(_) => delivery
                .filter(|delivery| delivery.stage == Stage::Live)
                .map(|_| Message { trace: None, ..self.clone() }),
            _ => Some(Message { trace: None, delivery: None, ..self.clone() }),
        }
    }
}
