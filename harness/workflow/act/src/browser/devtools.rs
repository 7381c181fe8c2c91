//! Talks to a browser: commands and events of its DevTools protocol, as JSON that ends in a zero byte.

use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use serde_json::{Value, json};
use stagegate_base::command::Command;
use stagegate_workflow_decide::page::PageObserver;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{ChildStdin, ChildStdout},
    time::{Instant, timeout_at},
};

use crate::result::StepError;
use stagegate_host::{
    error::with_causes,
    process::{Runner, Started},
};

/// The longest message that is read; a picture of a page takes a few MiB.
const LONGEST: u64 = 32 << 20;

/// A browser that runs.
pub(super) struct Devtools {
    commands: ChildStdin,
    events: BufReader<ChildStdout>,
    /// A message of which only a part came yet.
    partial: Vec<u8>,
    next: u64,
    session: Option<String>,
    observer: PageObserver,
    since: Instant,
    browser: Started,
    profile: Profile,
}

impl Devtools {
    /// Starts a browser with a profile of its own.
    pub(super) async fn start(runner: &Runner, program: &Path) -> Result<Self, StepError> {
        let profile = Profile::new()
            .map_err(|error| StepError::Broken(format!("cannot create a profile for the browser: {error}")))?;
        let browser = runner.start(&command(program, &profile.0));
        let mut browser = browser.map_err(|error| StepError::Broken(with_causes(&error)))?;
        let streams = browser.streams();
        let (commands, events) =
            streams.ok_or_else(|| StepError::Broken("cannot open the pipes of the browser".to_owned()))?;
        Ok(Devtools {
            commands,
            events: BufReader::new(events),
            partial: Vec::new(),
            next: 1,
            session: None,
            observer: PageObserver::default(),
            since: Instant::now(),
            browser,
            profile,
        })
    }

    /// Ends the browser, and takes its profile away.
    pub(crate) async fn end(self) {
        self.browser.end().await;
        drop(self.profile);
    }

    /// Sends all further commands to one page.
    pub(super) fn session(&mut self, session: &str) {
        self.session = Some(session.to_owned());
    }

    /// Begins to watch; times count from now on.
    pub(super) fn watch(&mut self, observer: PageObserver) {
        (self.observer, self.since) = (observer, Instant::now());
    }

    /// Returns what was seen, up to now.
    pub(super) fn observer(&mut self) -> &mut PageObserver {
        self.observer.now(self.since.elapsed());
        &mut self.observer
    }

    /// Sends a command and returns its result; events that come before it are seen.
    pub(super) async fn call(&mut self, method: &str, params: Value, within: Duration) -> Result<Value, String> {
        let id = self.next;
        self.next += 1;
        let mut message = json!({"id": id, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = Value::from(session.as_str());
        }
        let ends = Instant::now() + within;
        let slow = || format!("the browser did not respond to {method} within {within:?}");
        let bytes = [message.to_string().into_bytes(), vec![0]].concat();
        let sent = timeout_at(ends, self.commands.write_all(&bytes)).await.map_err(|_| slow())?;
        sent.map_err(|error| format!("the browser has exited: {error}"))?;
        loop {
            let message = timeout_at(ends, self.message()).await.map_err(|_| slow())??;
            if message["id"].as_u64() != Some(id) {
                self.observe(&message);
                continue;
            }
            return match message["error"]["message"].as_str() {
                Some(reason) => Err(format!("the browser refused {method}: {reason}")),
                None => Ok(message["result"].clone()),
            };
        }
    }

    /// Sees events until `enough`, or until the time is over.
    pub(super) async fn see_until(
        &mut self,
        ends: Instant,
        enough: impl Fn(&PageObserver) -> bool,
    ) -> Result<(), String> {
        while !enough(&self.observer) {
            match timeout_at(ends, self.message()).await {
                Ok(message) => self.observe(&message?),
                Err(_) => break,
            }
        }
        Ok(())
    }

    fn observe(&mut self, message: &Value) {
        if let Some(method) = message["method"].as_str() {
            self.observer.observe(method, &message["params"], self.since.elapsed());
        }
    }

    /// Reads one message. What came of it before a deadline is kept for the next call.
    async fn message(&mut self) -> Result<Value, String> {
        let room = LONGEST.saturating_sub(self.partial.len() as u64);
        let gone = |error: std::io::Error| format!("the browser has exited: {error}");
        (&mut self.events).take(room).read_until(0, &mut self.partial).await.map_err(gone)?;
        if self.partial.pop() != Some(0) {
            return Err("the browser exited, or its message is too long to read".to_owned());
        }
        let message = serde_json::from_slice(&self.partial);
        self.partial.clear();
        message.map_err(|error| format!("the browser sent invalid JSON: {error}"))
    }
}

/// Makes the streams of the shell the browser's 3 and 4; what the browser itself writes on its output is lost.
// A fixed text, and no part of it is made up: the program and its arguments are the shell's own.
// Source: Chromium, headless and DevTools switches: with the pipe switch it reads 3 and writes 4.
const STREAMS: &str = r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null"#;

fn command(program: &Path, profile: &Path) -> Command {
    let mut command = Command::new("/bin/sh")
        .args(["-c", STREAMS])
        .path(program)
        .args(["--headless=new", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check"])
        .args(["--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions", "--disable-sync"])
        .args(["--disable-background-networking", "--disable-component-update", "--no-proxy-server", "--mute-audio"])
        .args(["--window-size=1280,800".to_owned(), format!("--user-data-dir={}", profile.display())])
        .env("HOME", profile.to_string_lossy());
    // Chromium refuses to run as root with its sandbox.
    if rustix::process::geteuid().is_root() {
        command = command.arg("--no-sandbox");
    }
    command.arg("about:blank")
}

/// A folder that is gone with its browser.
struct Profile(PathBuf);

impl Profile {
    fn new() -> std::io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stagegate-browser-{}-{number}", std::process::id()));
        // What an earlier process of the same number left; a folder of somebody else is refused below.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Profile(path))
    }
}

impl Drop for Profile {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
