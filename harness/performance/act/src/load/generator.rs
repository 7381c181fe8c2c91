//! Sends requests: in an open loop at their intended times, in a closed loop so many at a time.
//!
//! Each generator is a thread with a runtime of its own, so that nothing else of the process delays it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::oneshot, task::JoinHandle, time::Sleep};

use super::{Extent, Fault, Load, Measured, Own, Pace, Subject, client::Client, schedule::Schedule};

/// How long a client pauses after a failure in a closed loop, so that a dead service is not flooded.
const PAUSE: Duration = Duration::from_millis(20);

/// Longer than anything that load accompanies.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Puts load on one subject from `threads` threads and returns what came out.
///
/// Connections are opened before the first request. A rate, a number of requests and connections are shared out
/// among the threads.
///
/// # Errors
/// An error of the system where a thread or a timer cannot be made; never one of the service, those are counted.
pub async fn run(subject: &Subject, load: Load, threads: usize) -> io::Result<Measured> {
    let threads = threads.clamp(1, load.pace.connections());
    let shares = (0..threads).map(|index| {
        let (subject, load) = (subject.clone(), share(load, index, threads));
        on_own_thread(async move {
            let mut clients = clients(&subject, load.pace.connections()).await;
            stretch(&mut clients, load).await
        })
    });
    let mut all: Option<Measured> = None;
    for measured in futures_util::future::try_join_all(shares).await? {
        let measured = measured?;
        match &mut all {
            Some(all) => all.merge(measured),
            None => all = Some(measured),
        }
    }
    Ok(all.unwrap_or_else(|| Measured::new(Instant::now())))
}

/// Load that goes on while something else is done, such as migrations: requests at fixed times, until it is stopped.
pub struct BackgroundLoad {
    stop: oneshot::Sender<()>,
    running: JoinHandle<io::Result<Measured>>,
}

impl BackgroundLoad {
    /// Connects, and begins to send `per_second` requests a second over at most `connections` connections.
    ///
    /// # Errors
    /// An error of the system where a thread cannot be made.
    pub async fn start(subject: &Subject, per_second: f64, connections: usize, timeout: Duration) -> io::Result<Self> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = oneshot::channel();
        let load = Load { pace: Pace::Rate { per_second, connections }, extent: Extent::For(A_DAY), timeout };
        let subject = subject.clone();
        let running = tokio::spawn(async move {
            let work = async move {
                let mut clients = clients(&subject, connections).await;
                // Who started it may have given up waiting.
                let _ = ready.send(());
                stretch_until(&mut clients, load, async move { drop(stopped.await) }).await
            };
            on_own_thread(work).await?
        });
        is_ready.await.map_err(io::Error::other)?;
        Ok(BackgroundLoad { stop, running })
    }

    /// Sends no more, waits for the responses that are due, and returns what came out.
    ///
    /// # Errors
    /// An error of the system where a timer could not be made.
    pub async fn stop(self) -> io::Result<Measured> {
        drop(self.stop);
        self.running.await.map_err(io::Error::other)?
    }
}

/// Runs something on a new thread with a runtime of its own.
async fn on_own_thread<T, F>(work: F) -> io::Result<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let (tell, reported) = oneshot::channel();
    std::thread::Builder::new().name("load".to_owned()).spawn(move || {
        let _ = tell.send(runtime().map(|runtime| runtime.block_on(work)));
    })?;
    reported.await.map_err(io::Error::other)?
}

/// Makes the runtime of one generator.
pub(super) fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

/// Returns what thread `index` of `threads` is to do.
fn share(load: Load, index: usize, threads: usize) -> Load {
    let part = |all: usize| all / threads + usize::from(index < all % threads);
    #[expect(clippy::cast_precision_loss, reason = "a handful of threads")]
    let pace = match load.pace {
        Pace::Rate { per_second, connections } => {
            Pace::Rate { per_second: per_second / threads as f64, connections: part(connections) }
        }
        Pace::Concurrency(clients) => Pace::Concurrency(part(clients)),
    };
    let extent = match load.extent {
        Extent::Requests(all) => {
            let (threads, index) = (threads as u64, index as u64);
            Extent::Requests(all / threads + u64::from(index < all % threads))
        }
        time @ Extent::For(_) => time,
    };
    Load { pace, extent, ..load }
}

/// Makes clients and connects them; a client that cannot connect yet will say so when it is used.
pub(super) async fn clients(subject: &Subject, count: usize) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count.max(1)).map(|_| Client::new(subject)).collect();
    for client in &mut clients {
        // Where one is refused the others would be too, and each may take its time.
        if client.open().await.is_err() {
            break;
        }
    }
    clients
}

/// Puts one stretch of load on by the clients at hand, on this thread.
pub(super) async fn stretch(clients: &mut Vec<Client>, load: Load) -> io::Result<Measured> {
    stretch_until(clients, load, std::future::pending()).await
}

/// Puts load on until its extent is over or, in an open loop, `stop` is there; what is due by then is still asked.
async fn stretch_until(clients: &mut Vec<Client>, load: Load, stop: impl Future<Output = ()>) -> io::Result<Measured> {
    let own = Own::of_this_thread();
    let mut measured = match load.pace {
        Pace::Concurrency(_) => closed(clients, load).await,
        Pace::Rate { per_second, .. } => open(clients, per_second, load, stop).await?,
    };
    measured.own = Own::of_this_thread().since(own);
    Ok(measured)
}

async fn closed(clients: &mut Vec<Client>, load: Load) -> Measured {
    let started = Instant::now();
    let left = Arc::new(AtomicU64::new(match load.extent {
        Extent::Requests(all) => all,
        Extent::For(_) => u64::MAX,
    }));
    let until = match load.extent {
        Extent::Requests(_) => None,
        Extent::For(time) => Some(started + time),
    };
    let running: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            let left = Arc::clone(&left);
            tokio::spawn(async move {
                let mut timer = Timer::new(load.timeout);
                let mut measured = Measured::new(started);
                let mut now = Instant::now();
                while until.is_none_or(|until| now < until) && take(&left) {
                    let from = now;
                    let response = timer.within(from, &mut client).await;
                    now = Instant::now();
                    measured.add(from, now, response);
                    if response.is_err() {
                        tokio::time::sleep(PAUSE).await;
                        now = Instant::now();
                    }
                }
                (client, measured)
            })
        })
        .collect();
    gather(clients, running, started).await
}

/// Takes one request out of those that are left.
fn take(left: &AtomicU64) -> bool {
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
}

async fn open(
    clients: &mut Vec<Client>,
    per_second: f64,
    load: Load,
    stop: impl Future<Output = ()>,
) -> io::Result<Measured> {
    let started = Instant::now();
    let schedule = Arc::new(Schedule::new(started, per_second, load.extent));
    let running: Vec<_> = clients
        .drain(..)
        .map(|mut client| {
            let schedule = Arc::clone(&schedule);
            tokio::spawn(async move {
                let mut timer = Timer::new(load.timeout);
                let mut measured = Measured::new(started);
                let mut free = started;
                while let Some(intended) = schedule.next().await {
                    let now = Instant::now();
                    measured.queued += u64::from(free > intended);
                    measured.late(now.saturating_duration_since(intended.max(free)));
                    let response = timer.within(intended, &mut client).await;
                    free = Instant::now();
                    measured.add(intended, free, response);
                }
                (client, measured)
            })
        })
        .collect();
    let sending = tokio::select! {
        sending = schedule.run() => sending?,
        () = stop => started.elapsed(),
    };
    schedule.close(running.len());
    let mut measured = gather(clients, running, started).await;
    measured.sending = sending;
    Ok(measured)
}

/// Waits for all clients and puts together what they measured.
async fn gather(
    clients: &mut Vec<Client>,
    running: Vec<tokio::task::JoinHandle<(Client, Measured)>>,
    started: Instant,
) -> Measured {
    let mut all = Measured::new(started);
    for one in running {
        // A client neither panics nor is aborted; if it were, what it measured would be missing from `sent`.
        if let Ok((client, measured)) = one.await {
            clients.push(client);
            all.merge(measured);
        }
    }
    all.took = started.elapsed();
    all
}

/// A time limit that is used again and again: to move a timer forward costs next to nothing.
struct Timer {
    sleep: Pin<Box<Sleep>>,
    limit: Duration,
}

impl Timer {
    fn new(limit: Duration) -> Self {
        Timer { sleep: Box::pin(tokio::time::sleep(limit)), limit }
    }

    /// Asks once, with the limit counted from `from`; what is overdue already is not asked any more.
    async fn within(&mut self, from: Instant, client: &mut Client) -> Result<u64, Fault> {
        let until = from + self.limit;
        if until <= Instant::now() {
            return Err(Fault::Timeout);
        }
        self.sleep.as_mut().reset(until.into());
        let response = tokio::select! {
            biased;
            response = client.once() => response,
            () = &mut self.sleep => Err(Fault::Timeout),
        };
        if response == Err(Fault::Timeout) {
            client.reset();
        }
        response
    }
}
