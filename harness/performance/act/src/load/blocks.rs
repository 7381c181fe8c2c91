//! Measures several subjects in short blocks that take turns, so that the weather of the host falls on all alike.

use std::{
    io,
    time::{Duration, Instant},
};

use stagegate_performance_decide::{Arm, Block, order};
use tokio::sync::{mpsc, oneshot};

use super::{Extent, Load, Measured, Pace, Subject, generator};

/// What is measured in turn, and how.
#[derive(Clone, Debug)]
pub struct Turns {
    /// The arms, each once, and what is asked of each.
    pub arms: Vec<(Arm, Subject)>,
    /// The load of one block.
    pub block: Load,
    /// How long each arm is asked before anything counts.
    pub warm_up: Duration,
    /// Requests on the new connections of each block before those that count.
    pub settling: u64,
}

/// A running measurement: gives one rotation after the other for as long as it is asked.
///
/// Each block has connections of its own: which processor and which thread of the service a connection comes to can
/// make it half as slow again for as long as it is open. So this falls anew with each block.
///
/// It runs on a thread of its own, which ends when this value is dropped.
pub struct Blocks {
    ask: mpsc::Sender<oneshot::Sender<io::Result<Vec<Block>>>>,
}

impl Blocks {
    /// Connects and warms up every arm, one after the other.
    ///
    /// # Errors
    /// An error of the system where a thread or timer cannot be made; never one of a service, those are counted.
    pub async fn start(turns: Turns) -> io::Result<Self> {
        let (ask, sent_requests) = mpsc::channel(1);
        let (tell, reported) = oneshot::channel();
        std::thread::Builder::new().name("load".to_owned()).spawn(move || {
            match generator::runtime() {
                Ok(runtime) => runtime.block_on(serve(turns, tell, sent_requests)),
                Err(error) => drop(tell.send(Err(error))),
            };
        })?;
        reported.await.map_err(io::Error::other)??;
        Ok(Blocks { ask })
    }

    /// Measures one rotation: one block of each arm, in an order that turns from rotation to rotation.
    ///
    /// # Errors
    /// As [`Blocks::start`].
    pub async fn rotation(&mut self) -> io::Result<Vec<Block>> {
        let (tell, reported) = oneshot::channel();
        self.ask.send(tell).await.map_err(io::Error::other)?;
        reported.await.map_err(io::Error::other)?
    }
}

async fn serve(
    turns: Turns,
    ready: oneshot::Sender<io::Result<()>>,
    mut sent_requests: mpsc::Receiver<oneshot::Sender<io::Result<Vec<Block>>>>,
) {
    let mut arms = Vec::new();
    for (arm, subject) in &turns.arms {
        let mut clients = generator::clients(subject, turns.block.pace.connections()).await;
        if !turns.warm_up.is_zero() {
            let load = Load { extent: Extent::For(turns.warm_up), ..turns.block };
            if let Err(error) = generator::stretch(&mut clients, load).await {
                return drop(ready.send(Err(error)));
            }
        }
        arms.push((*arm, subject.clone()));
    }
    if ready.send(Ok(())).is_err() {
        return;
    }
    let began = Instant::now();
    let mut rotation = 0;
    while let Some(tell) = sent_requests.recv().await {
        let blocks = rotate(&arms, &turns, rotation, began).await;
        rotation += 1;
        // Nobody waits any more: the measurement was given up.
        let _ = tell.send(blocks);
    }
}

async fn rotate(arms: &[(Arm, Subject)], turns: &Turns, rotation: u32, began: Instant) -> io::Result<Vec<Block>> {
    let load = turns.block;
    let names: Vec<Arm> = arms.iter().map(|(arm, _)| *arm).collect();
    let mut blocks = Vec::with_capacity(arms.len());
    for arm in order(&names, rotation) {
        let Some((_, subject)) = arms.iter().find(|(name, _)| *name == arm) else { continue };
        let mut clients = generator::clients(subject, load.pace.connections()).await;
        generator::stretch(&mut clients, Load { extent: Extent::Requests(turns.settling), ..load }).await?;
        let intended = Instant::now();
        let measured = generator::stretch(&mut clients, load).await?;
        blocks.push(block(arm, rotation, &measured, load.pace, [began, intended]));
    }
    Ok(blocks)
}

/// Puts what was measured into a block; `times` are those of the measurement's and of the block's intended beginning.
#[must_use]
pub fn block(arm: Arm, rotation: u32, measured: &Measured, pace: Pace, times: [Instant; 2]) -> Block {
    let [began, intended] = times;
    let since = |at: Instant| micros(at.saturating_duration_since(began));
    let (smallest, largest) = measured.sizes.unwrap_or_default();
    Block {
        arm,
        rotation,
        intended_us: since(intended),
        started_us: since(measured.started),
        took_us: micros(measured.took),
        sent: measured.sent,
        latencies: measured.summary(),
        samples_ns: measured.samples(),
        errors: measured.errors(),
        timeouts: measured.timeouts(),
        bytes: measured.bytes,
        smallest,
        largest,
        intended_rate: match pace {
            Pace::Rate { per_second, .. } => Some(per_second),
            Pace::Concurrency(_) => None,
        },
        achieved_rate: measured.rate(),
        lag_us: measured.lag.max() / 1_000,
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
