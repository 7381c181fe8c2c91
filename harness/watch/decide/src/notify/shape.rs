//! What each service gets for a message.

use serde_json::{Value, json};
use stagegate_base::{config::Channel, text::one_line};

use super::{LOG_LINES, Message, Style, VERSION, fitted};

/// What is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Body {
    /// JSON, over HTTP or to a program.
    Json(Value),
    /// A letter, or a message of `apprise`.
    Text {
        /// One line.
        subject: String,
        /// The text.
        text: String,
    },
}

// Sources: api.slack.com/reference/block-kit/blocks (section), discord.com/developers/docs/resources/webhook (content),
// docs.ntfy.sh/publish (message), core.telegram.org/bots/api (sendMessage), Microsoft Teams (28 KB for a card in all).
const SLACK: Style = Style { limit: 3_000, length: utf16, escape: angles };
const DISCORD: Style = Style { limit: 2_000, length: utf16, escape: markdown };
const TELEGRAM: Style = Style { limit: 4_096, length: utf16, escape: plain };
const NTFY: Style = Style { limit: 4_096, length: str::len, escape: plain };
// In JSON a character of a text takes at most twice its bytes, since control characters are out.
const TEAMS: Style = Style { limit: 12_000, length: str::len, escape: plain };
const GOTIFY: Style = Style { limit: 16_000, length: str::len, escape: plain };
const MAIL: Style = Style { limit: 64_000, length: str::len, escape: plain };
// What the shortest of the usual services behind it takes; Apprise itself may send nothing of a longer text.
// Source: caronc/apprise#198.
const APPRISE: Style = Style { limit: 1_000, length: str::len, escape: plain };
/// The longest of the texts that webhooks and programs get, in bytes.
const WEBHOOK_TEXT: usize = 16_000;
const SUBJECT: Style = Style { limit: 150, length: utf16, escape: plain };

fn utf16(text: &str) -> usize {
    text.encode_utf16().count()
}

fn plain(c: char, out: &mut String) {
    out.push(c);
}

/// Without it `<!channel>` of a log would call everybody.
fn angles(c: char, out: &mut String) {
    match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        c => out.push(c),
    }
}

fn markdown(c: char, out: &mut String) {
    if matches!(c, '\\' | '*' | '_' | '~' | '`' | '|' | '>' | '[' | ']' | '#' | '<') {
        out.push('\\');
    }
    out.push(c);
}

/// Returns a message that has nothing but a title.
fn only_title(title: &str, message: &Message) -> Message {
    let title = title.to_owned();
    Message { title, reason: None, log: Vec::new(), next: Vec::new(), link: None, ..message.clone() }
}

/// Returns a title as one line within a limit.
fn subject(message: &Message) -> String {
    fitted(&only_title(&message.title, message), &SUBJECT)
}

/// Returns what a receiver gets for a message, never longer than its service takes.
#[must_use]
pub fn body(channel: &Channel, message: &Message) -> Body {
    let mention = |mention: &Option<String>| mention.clone().filter(|_| message.is_urgent);
    Body::Json(match channel {
        Channel::Slack { mention: who, .. } => slack(message, mention(who)),
        Channel::Discord { mention: who, .. } => discord(message, mention(who)),
        Channel::Teams(_) => teams(message),
        Channel::Ntfy(..) => ntfy(message),
        Channel::Gotify(..) => gotify(message),
        Channel::Telegram(_, _, chat) => json!({
            "chat_id": chat,
            "text": fitted(message, &TELEGRAM),
            "link_preview_options": { "is_disabled": true },
        }),
        Channel::Webhook(..) | Channel::Command(_) => webhook(message),
        // What these get is made request by request.
        Channel::Github(_) | Channel::Gitlab(_) | Channel::Sentry(_) => webhook(message),
        Channel::Otlp { .. } => message.trace.clone().unwrap_or_else(crate::trace::empty),
        Channel::Smtp(_) => return Body::Text { subject: subject(message), text: fitted(message, &MAIL) },
        Channel::Apprise(_) => return Body::Text { subject: subject(message), text: fitted(message, &APPRISE) },
    })
}

fn ntfy(message: &Message) -> Value {
    let mut body = json!({
        "title": subject(message),
        "message": fitted(message, &NTFY),
        "priority": if message.is_urgent { 5 } else { 3 },
    });
    if let Some(link) = &message.link {
        body["click"] = link.as_str().into();
    }
    body
}

fn gotify(message: &Message) -> Value {
    let mut body = json!({
        "title": subject(message),
        "message": fitted(message, &GOTIFY),
        "priority": if message.is_urgent { 8 } else { 4 },
    });
    if let Some(link) = &message.link {
        body["extras"] = json!({ "client::notification": { "click": { "url": link } } });
    }
    body
}

/// A section of plain text: nothing in it is a link or a mention. `text` is what a notification of the system shows.
fn slack(message: &Message, mention: Option<String>) -> Value {
    let section = |kind: &str, text: String| json!({ "type": "section", "text": { "type": kind, "text": text } });
    let text = Message { link: None, ..message.clone() };
    let mut blocks = vec![section("plain_text", fitted(&text, &SLACK))];
    // In plain text an address is no link.
    blocks.extend(message.link.as_ref().map(|link| section("mrkdwn", format!("<{link}|open the page>"))));
    blocks.extend(mention.map(|mention| section("mrkdwn", mention)));
    let mut short = String::new();
    subject(message).chars().for_each(|c| angles(c, &mut short));
    json!({ "text": short, "blocks": blocks })
}

fn discord(message: &Message, mention: Option<String>) -> Value {
    let mention = mention.map(|mention| format!("{mention} "));
    let room = DISCORD.limit.saturating_sub(mention.as_deref().map_or(0, utf16));
    let text = fitted(message, &Style { limit: room, ..DISCORD });
    // Without the list every `@everyone` of a log would count.
    let parse: &[&str] = if mention.is_some() { &["everyone", "roles", "users"] } else { &[] };
    // Where somebody is mentioned, the text's own `@` must mention nobody.
    let text = if mention.is_some() { text.replace('@', "(at)") } else { text };
    let content = format!("{}{text}", mention.unwrap_or_default());
    json!({ "content": cut(&content, DISCORD.limit), "allowed_mentions": { "parse": parse } })
}

/// Cuts the end of a text that a replacement made longer.
fn cut(text: &str, limit: usize) -> String {
    let mut used = 0;
    text.chars()
        .take_while(|c| {
            used += c.len_utf16();
            used <= limit
        })
        .collect()
}

/// Text of a `RichTextBlock` is no Markdown, unlike that of a `TextBlock`.
fn teams(message: &Message) -> Value {
    let text = fitted(&Message { link: None, ..message.clone() }, &TEAMS);
    let line = |line: &str, weight: &str| {
        json!({
            "type": "RichTextBlock",
            "inlines": [{ "type": "TextRun", "text": line, "weight": weight }],
        })
    };
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut blocks = vec![line(first, "bolder")];
    if !rest.is_empty() {
        blocks.push(line(rest, "default"));
    }
    let action = |link| json!({ "type": "Action.OpenUrl", "title": "open the page", "url": link });
    let actions: Vec<Value> = message.link.iter().map(action).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard", "version": "1.4", "body": blocks, "actions": actions,
            },
        }],
    })
}

/// The stable form: fields are added and never changed within a version.
fn webhook(message: &Message) -> Value {
    let short = |text: &str, bytes: usize| {
        fitted(&only_title(text, message), &Style { limit: bytes, length: str::len, escape: plain })
    };
    let lines = |of: &[String], bytes: usize| of.iter().map(|line| short(line, bytes)).collect::<Vec<_>>();
    let skipped = message.log.len().saturating_sub(LOG_LINES);
    json!({
        "v": VERSION,
        "id": message.id,
        "event": message.event(),
        "events": message.events,
        "product": one_line(&message.product),
        "environment": message.environment,
        "at": message.at,
        "title": short(&message.title, 1_000),
        "reason": message.reason.as_deref().map(|reason| short(reason, WEBHOOK_TEXT)),
        "log": lines(&message.log[skipped..], 2_000),
        "next": lines(&message.next, 2_000),
        "run": message.run,
        "link": message.link,
        "urgent": message.is_urgent,
    })
}
