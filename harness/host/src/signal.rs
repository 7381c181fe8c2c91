//! The signals that ask this process to end: Ctrl-C (SIGINT), SIGTERM and SIGHUP, in one place.
//!
//! Once [`listen`] was called a signal ends nothing by itself: whoever waits for [`Signals::first`] stops its work, keeps
//! what it has and returns. [`Again::Ends`] lets the second signal end the process at once. While a [`Shield`] is held none
//! ends it: what is under way would be left half done.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// Exit code of a command that a signal ended, as the shells count: 128 and the number of SIGINT.
pub const EXIT_CODE: i32 = 130;

/// What a second signal does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Again {
    /// Ends the process, whatever is under way: what it started is removed by its reaper or the next run.
    Ends,
    /// Nothing: a rollback is not cut short.
    Waits,
}

/// The signals of this process, as one waiter sees them.
#[derive(Clone, Debug)]
pub struct Signals(watch::Receiver<usize>);

static ARRIVALS: OnceLock<watch::Sender<usize>> = OnceLock::new();
/// What [`listen`] was called with first; until then a signal ends the process where no shield is held.
static AGAIN: OnceLock<Again> = OnceLock::new();
static SHIELDS: AtomicUsize = AtomicUsize::new(0);

/// Keeps signals from ending this process, as long as it is held.
#[derive(Debug)]
pub struct Shield {
    signals: Signals,
    /// How many had come when it was taken.
    before: usize,
}

/// Keeps signals from ending this process until the returned value is dropped.
///
/// Needs a tokio runtime that lives as long as the process works.
#[must_use]
pub fn shield() -> Shield {
    SHIELDS.fetch_add(1, Ordering::SeqCst);
    let signals = Signals(arrivals().subscribe());
    let before = *signals.0.borrow();
    Shield { signals, before }
}

impl Shield {
    /// Waits until the `n`-th signal since the shield was taken.
    pub async fn nth(&self, n: usize) {
        self.signals.nth(self.before + n).await;
    }

    /// Returns whether a signal has come since the shield was taken.
    #[must_use]
    pub fn has_met_one(&self) -> bool {
        *self.signals.0.borrow() > self.before
    }
}

impl Drop for Shield {
    fn drop(&mut self) {
        SHIELDS.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Listens to the signals of this process from now on. Further calls listen to the same ones.
///
/// Needs a tokio runtime that lives as long as the process works. `again` is that of the first call.
pub fn listen(again: Again) -> Signals {
    AGAIN.get_or_init(|| again);
    Signals(arrivals().subscribe())
}

fn arrivals() -> &'static watch::Sender<usize> {
    ARRIVALS.get_or_init(|| {
        let arrivals = watch::Sender::new(0);
        // Set here and not in the task: from the return of this function on no signal ends the process by itself.
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        tokio::spawn(count(arrivals.clone(), kinds.map(|kind| signal(kind).ok())));
        arrivals
    })
}

async fn count(arrivals: watch::Sender<usize>, streams: [Option<Signal>; 3]) {
    let [mut interrupt, mut terminate, mut hangup] = streams;
    loop {
        tokio::select! {
            Some(()) = async { interrupt.as_mut()?.recv().await } => {}
            Some(()) = async { terminate.as_mut()?.recv().await } => {}
            Some(()) = async { hangup.as_mut()?.recv().await } => {}
            else => return,
        }
        arrivals.send_modify(|count| *count += 1);
        let count = *arrivals.borrow();
        if ends(AGAIN.get().copied(), SHIELDS.load(Ordering::SeqCst), count) {
            std::process::exit(EXIT_CODE);
        }
    }
}

/// Decides whether the `count`-th signal ends the process at once.
fn ends(again: Option<Again>, shields: usize, count: usize) -> bool {
    shields == 0
        && match again {
            // Nobody listens: the signal does what it does without us.
            None => true,
            Some(Again::Ends) => count > 1,
            Some(Again::Waits) => false,
        }
}

impl Signals {
    /// Waits until the first signal has come; at once where it has.
    pub async fn first(&self) {
        self.nth(1).await;
    }

    /// Waits until `n` signals have come.
    pub async fn nth(&self, n: usize) {
        let mut arrivals = self.0.clone();
        if arrivals.wait_for(|count| *count >= n).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Returns whether a signal has come.
    #[must_use]
    pub fn have_come(&self) -> bool {
        *self.0.borrow() > 0
    }
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Command, Stdio},
        time::Duration,
    };

    use super::*;

    fn send(name: &str) {
        let id = std::process::id().to_string();
        let mut kill = Command::new("kill");
        assert!(kill.args(["-s", name, &id]).stdin(Stdio::null()).status().unwrap().success());
    }

    async fn within<T>(waited: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), waited).await.unwrap()
    }

    #[test]
    fn under_a_shield_no_signal_ends_the_process_and_without_a_listener_the_first_does() {
        assert!(ends(None, 0, 1) && !ends(None, 1, 9));
        assert!(!ends(Some(Again::Ends), 0, 1) && ends(Some(Again::Ends), 0, 2) && !ends(Some(Again::Ends), 1, 2));
        assert!(!ends(Some(Again::Waits), 0, 9));
    }

    #[tokio::test]
    async fn every_waiter_sees_each_of_the_three_signals() {
        let signals = listen(Again::Waits);
        assert!(!signals.have_come());
        for (nth, name) in ["INT", "TERM", "HUP"].into_iter().enumerate() {
            send(name);
            within(signals.nth(nth + 1)).await;
        }
        within(listen(Again::Ends).first()).await;
        assert!(signals.have_come());
        let shield = shield();
        assert!(!shield.has_met_one());
        send("INT");
        within(shield.nth(1)).await;
        assert!(shield.has_met_one());
    }
}
