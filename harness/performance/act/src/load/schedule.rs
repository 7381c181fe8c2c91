//! Intended start times, and an alarm that keeps them to some microseconds.
//!
//! Tokio's own timer counts whole milliseconds: at 1,000 requests a second its error would be the measurement.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Semaphore;

use super::Extent;

/// Hands out intended start times, in order, when they have come.
pub(super) struct Schedule {
    start: Instant,
    per_second: f64,
    extent: Extent,
    due: Mutex<VecDeque<Instant>>,
    tickets: Semaphore,
}

impl Schedule {
    /// Makes a schedule that begins at `start`, with `per_second` requests a second.
    pub(super) fn new(start: Instant, per_second: f64, extent: Extent) -> Self {
        Schedule { start, per_second, extent, due: Mutex::default(), tickets: Semaphore::new(0) }
    }

    /// Waits for the next intended start time; `None` when all were handed out and the schedule was closed.
    ///
    /// There is a ticket for each start time, and one for each client behind the last one.
    pub(super) async fn next(&self) -> Option<Instant> {
        self.tickets.acquire().await.ok()?.forget();
        self.queue().pop_front()
    }

    /// Releases each start time when it has come, until the extent is over; returns how long that took.
    ///
    /// It takes longer than intended only where the generator itself was late.
    pub(super) async fn run(&self) -> std::io::Result<Duration> {
        let mut alarm = Alarm::new()?;
        let mut released: u64 = 0;
        let mut last = self.start;
        while self.has(released) {
            let at = self.at(released);
            alarm.wait_until(at).await?;
            // All that came while the alarm was late are released at once; each keeps its own intended time.
            let now = Instant::now();
            last = now;
            let first = released;
            {
                let mut due = self.queue();
                while self.has(released) && self.at(released) <= now {
                    due.push_back(self.at(released));
                    released += 1;
                }
            }
            self.tickets.add_permits(usize::try_from(released - first).unwrap_or_default());
        }
        // The last request has its share of the time too.
        Ok(last.saturating_duration_since(self.start) + Duration::from_secs_f64(1.0 / self.per_second))
    }

    /// Lets each of `clients` find that there is no more, behind what is still due.
    pub(super) fn close(&self, clients: usize) {
        self.tickets.add_permits(clients);
    }

    fn has(&self, number: u64) -> bool {
        match self.extent {
            Extent::Requests(all) => number < all,
            Extent::For(time) => self.at(number) < self.start + time,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 requests")]
    fn at(&self, number: u64) -> Instant {
        self.start + Duration::from_secs_f64(number as f64 / self.per_second)
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Instant>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(target_os = "linux")]
use linux::Alarm;
#[cfg(not(target_os = "linux"))]
use other::Alarm;

#[cfg(target_os = "linux")]
mod linux {
    use std::{io, os::fd::OwnedFd, time::Instant};

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel, precise to microseconds.
    pub(super) struct Alarm(AsyncFd<OwnedFd>);

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe, which is forbidden here; what it requires is true: the descriptor is \
                          owned by the registration and stays open as long as it"
            )]
            Ok(Alarm(AsyncFd::new(timer)?))
        }

        pub(super) async fn wait_until(&mut self, at: Instant) -> io::Result<()> {
            let left = at.saturating_duration_since(Instant::now());
            if left.is_zero() {
                // Others shall have their turn even where the schedule is always behind.
                tokio::task::yield_now().await;
                return Ok(());
            }
            let it_value = Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            };
            let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
            loop {
                let mut ready = self.0.readable().await?;
                let read = ready.try_io(|fd| Ok(rustix::io::read(fd.get_ref(), &mut [0_u8; 8])?));
                if let Ok(read) = read {
                    return read.map(drop);
                }
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use std::{io, time::Instant};

    /// Tokio's timer: a millisecond is its grain here.
    pub(super) struct Alarm;

    impl Alarm {
        pub(super) fn new() -> io::Result<Self> {
            Ok(Alarm)
        }

        pub(super) async fn wait_until(&mut self, at: Instant) -> io::Result<()> {
            tokio::time::sleep_until(at.into()).await;
            Ok(())
        }
    }
}
