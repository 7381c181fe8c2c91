//! The signals that ask this process to end: Ctrl-C (SIGINT), SIGTERM and SIGHUP, in one place.
//!
//! Once [`listen`] was called a signal ends nothing by itself: whoever waits for [`Signals::first`] stops its work, keeps
//! what it has and returns. [`Again::Ends`] lets the second signal end the process at once.

use std::sync::OnceLock;

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

/// Listens to the signals of this process from now on. Further calls listen to the same ones.
///
/// Needs a tokio runtime that lives as long as the process works. `again` is that of the first call.
pub fn listen(again: Again) -> Signals {
    let arrivals = ARRIVALS.get_or_init(|| {
        let arrivals = watch::Sender::new(0);
        // Set here and not in the task: from the return of this function on no signal ends the process by itself.
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        tokio::spawn(count(arrivals.clone(), kinds.map(|kind| signal(kind).ok()), again));
        arrivals
    });
    Signals(arrivals.subscribe())
}

async fn count(arrivals: watch::Sender<usize>, streams: [Option<Signal>; 3], again: Again) {
    let [mut interrupt, mut terminate, mut hangup] = streams;
    loop {
        tokio::select! {
            Some(()) = async { interrupt.as_mut()?.recv().await } => {}
            Some(()) = async { terminate.as_mut()?.recv().await } => {}
            Some(()) = async { hangup.as_mut()?.recv().await } => {}
            else => return,
        }
        arrivals.send_modify(|count| *count += 1);
        if again == Again::Ends && *arrivals.borrow() > 1 {
            std::process::exit(EXIT_CODE);
        }
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
    }
}
