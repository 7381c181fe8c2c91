//! A conversation with the gate on a host: one request, events as they come.

use std::{fs::File, time::Duration};

use stagegate_target_decide::{Envelope, Event, PROTOCOL, Request, side_script};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{ChildStdin, ChildStdout},
};

use crate::{Connection, HostError, connection::Opened};

/// How long the host may be silent: it reports every few seconds that it is there.
const SILENT: Duration = Duration::from_secs(45);
/// How long it may work on what was sent.
pub(crate) const WORKING: Duration = Duration::from_secs(600);
const ABSENT: &str = "absent";

/// A request that is being answered.
pub(crate) struct Talk<'a> {
    connection: &'a Connection,
    opened: Opened,
    lines: Lines<BufReader<ChildStdout>>,
    /// The host's gate ends where it is closed.
    _stdin: Option<ChildStdin>,
    /// Whether anything of the gate there was read.
    heard: bool,
}

impl Connection {
    /// Sends a request for a product, with `data` behind it, up to the end.
    pub(crate) async fn talk(
        &self,
        product: &str,
        request: Request,
        data: Option<File>,
    ) -> Result<Talk<'_>, HostError> {
        let envelope = Envelope { protocol: PROTOCOL, product: product.to_owned(), request };
        let line = serde_json::to_string(&envelope)
            .map_err(|error| HostError::file("write the request")(std::io::Error::other(error)))?;
        let mut opened = self.open(&side_script())?;
        let Some((mut stdin, stdout)) = opened.started.streams() else { return Err(self.silent(SILENT)) };
        let head = format!("{}{line}\n", opened.framed.script);
        let has_data = data.is_some();
        // Where it is not read, the host's own words or ssh's exit code are the error.
        let send = async {
            if stdin.write_all(head.as_bytes()).await.is_ok()
                && let Some(data) = data
            {
                let _ = tokio::io::copy(&mut tokio::fs::File::from_std(data), &mut stdin).await;
            }
            let _ = stdin.flush().await;
        };
        if tokio::time::timeout(WORKING, send).await.is_err() {
            return Err(self.silent(WORKING));
        }
        let lines = BufReader::new(stdout).lines();
        Ok(Talk { connection: self, opened, lines, _stdin: (!has_data).then_some(stdin), heard: false })
    }
}

impl Talk<'_> {
    /// Returns the next event; `None` where the host has ended the conversation.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>, HostError> {
        self.next_within(SILENT).await
    }

    /// As [`Self::next`], for work that takes longer than a word in between.
    pub(crate) async fn next_within(&mut self, within: Duration) -> Result<Option<Event>, HostError> {
        let begin = self.opened.framed.begin();
        loop {
            let next = tokio::time::timeout(within, self.lines.next_line()).await;
            let line = next.map_err(|_| self.connection.silent(within))?;
            let Some(line) = line.map_err(HostError::file("read the output of ssh"))? else { return Ok(None) };
            if !self.heard {
                self.heard = line == begin;
                continue;
            }
            if line.trim().is_empty() {
                continue;
            }
            return match serde_json::from_str(&line) {
                Ok(Event::Refused { reason }) => Err(self.connection.refused(&reason)),
                Ok(Event::NoCheckout) => Err(self.connection.no_checkout()),
                Ok(event) => Ok(Some(event)),
                Err(_) if line == ABSENT => Err(self.connection.absent()),
                Err(_) => Err(self.connection.other_gate(line)),
            };
        }
    }

    /// Returns the one event that a request is answered with.
    pub(crate) async fn only(mut self) -> Result<Event, HostError> {
        match self.next_within(WORKING).await? {
            Some(event) => Ok(event),
            None => Err(self.ended().await),
        }
    }

    /// Returns why the host ended the conversation.
    pub(crate) async fn ended(self) -> HostError {
        let code = self.opened.started.wait().await.unwrap_or(255);
        if self.heard && code != 255 {
            let found = crate::scratch::tail(&self.opened.errors);
            let found = found.lines().find(|line| !line.trim().is_empty()).unwrap_or("nothing").to_owned();
            return self.connection.other_gate(found);
        }
        self.connection.failed(code, &self.opened.errors, "")
    }
}
