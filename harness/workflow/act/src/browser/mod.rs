//! Opens a page in a headless Chromium, and returns what it saw.
//!
//! The browser is talked to over two pipes, not over a port: nobody else of this machine can reach it, and it ends with
//! them. Each page has a browser and a profile of its own, which are gone afterwards.

mod devtools;
mod program;

use std::{
    io::Write,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use stagegate_base::record::Evidence;
use stagegate_workflow_decide::{
    StepRequest,
    page::{Page, PageObserver},
};
use tokio::{sync::Semaphore, time::Instant};

use crate::result::{StepError, StepResult};
use devtools::Devtools;
pub(crate) use program::found as program;
use stagegate_host::process::Runner;

/// One browser at a time: several would slow each other down, and the load time is measured.
static ONE: Semaphore = Semaphore::const_new(1);
/// How long the browser may take to start, and to answer a command.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long requests may go on after the load event, where they do not become quiet.
const QUIET_WITHIN: Duration = Duration::from_secs(2);
/// How long no request may be open before the page counts as done.
const QUIET_FOR: Duration = Duration::from_millis(300);
/// Returns title and text; the text is cut, since a page may be endless.
const LOOK: &str = "({title: document.title, text: document.body ? document.body.innerText.slice(0, 200000) : ''})";

/// The name of the evidence that is the path of a page's picture.
pub(crate) const SCREENSHOT: &str = "screenshot";

/// What a page is opened with.
pub(crate) struct PageContext<'a> {
    /// Runs the browser.
    pub(crate) runner: &'a Runner,
    /// The browser, of [`program`].
    pub(crate) program: PathBuf,
    /// Where the page's service responds, the best address first.
    pub(crate) addresses: Vec<SocketAddr>,
    /// The folder for its picture.
    pub(crate) evidence: PathBuf,
}

pub(crate) async fn run(context: &PageContext<'_>, ask: &StepRequest) -> Result<StepResult, StepError> {
    let StepRequest::Browser { service, path, load_within } = ask else {
        return Err(StepError::Broken("not a page's step".to_owned()));
    };
    let address =
        context.addresses.first().ok_or_else(|| StepError::Failed(format!("service `{service}` has no address")))?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let url = format!("http://{address}{slash}{path}");
    let _one = ONE.acquire().await.map_err(|error| StepError::Broken(error.to_string()))?;
    let mut devtools = Devtools::start(context.runner, &context.program).await?;
    let page = seen(&mut devtools, &url, *load_within).await;
    let picture = picture(&mut devtools).await.and_then(|bytes| save_screenshot(&context.evidence, service, &bytes));
    devtools.end().await;
    let page = page.map_err(StepError::Broken)?;
    let evidence = match picture {
        Ok(path) => Evidence { name: SCREENSHOT.to_owned(), text: path.display().to_string() },
        Err(reason) => Evidence { name: "no screenshot".to_owned(), text: reason },
    };
    Ok(StepResult { findings: page.findings(*load_within), observed: page.observed(), evidence: vec![evidence] })
}

/// Opens a page and watches it until it is loaded and quiet, or its time is over.
async fn seen(devtools: &mut Devtools, url: &str, load_within: Duration) -> Result<Page, String> {
    let made = devtools.call("Target.createTarget", json!({"url": "about:blank"}), ANSWER_WITHIN).await?;
    let attach = json!({"targetId": made["targetId"], "flatten": true});
    let attached = devtools.call("Target.attachToTarget", attach, ANSWER_WITHIN).await?;
    devtools.session(attached["sessionId"].as_str().unwrap_or_default());
    for domain in ["Page.enable", "Network.enable", "Runtime.enable", "Log.enable"] {
        devtools.call(domain, json!({}), ANSWER_WITHIN).await?;
    }
    devtools.watch(PageObserver::default());
    let navigated = devtools.call("Page.navigate", json!({"url": url}), load_within).await;
    match navigated {
        Ok(response) => {
            if let Some(reason) = response["errorText"].as_str() {
                devtools.observer().unreached(url, reason);
            }
        }
        // A server that sends nothing keeps even this response back; what was seen states the rest.
        Err(_) if devtools.observer().elapsed() >= load_within => {}
        Err(reason) => return Err(reason),
    }
    let begun = Instant::now() - devtools.observer().elapsed();
    devtools.see_until(begun + load_within, |observer| observer.is_loaded() || observer.is_unreached()).await?;
    if devtools.observer().is_loaded() {
        quiet(devtools).await?;
    }
    let mut page = devtools.observer().page();
    let look = json!({"expression": LOOK, "returnByValue": true});
    if let Ok(looked) = devtools.call("Runtime.evaluate", look, ANSWER_WITHIN).await {
        let text = |key: &str| looked["result"]["value"][key].as_str().unwrap_or_default().to_owned();
        (page.title, page.text) = (text("title"), text("text"));
    }
    Ok(page)
}

/// Waits until no request was open for a moment; a page that polls for ever ends the wait by its time.
async fn quiet(devtools: &mut Devtools) -> Result<(), String> {
    let ends = Instant::now() + QUIET_WITHIN;
    loop {
        devtools.see_until(ends, |observer| !observer.is_busy()).await?;
        let until = (Instant::now() + QUIET_FOR).min(ends);
        devtools.see_until(until, PageObserver::is_busy).await?;
        if !devtools.observer().is_busy() || Instant::now() >= ends {
            return Ok(());
        }
    }
}

async fn picture(devtools: &mut Devtools) -> Result<Vec<u8>, String> {
    let taken: Value = devtools.call("Page.captureScreenshot", json!({"format": "png"}), ANSWER_WITHIN).await?;
    let data = taken["data"].as_str().ok_or("the browser returned no screenshot")?;
    BASE64_STANDARD.decode(data).map_err(|error| format!("cannot read the screenshot: {error}"))
}

/// Writes a picture for its owner alone.
fn save_screenshot(folder: &Path, service: &str, bytes: &[u8]) -> Result<PathBuf, String> {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let path = folder.join(format!("{}-{}-{service}-{number}.png", stagegate_host::clock::stamp(), std::process::id()));
    let write = || {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path)?.write_all(bytes)
    };
    write().map_err(|error: std::io::Error| format!("{}: {error}", path.display()))?;
    Ok(path)
}
