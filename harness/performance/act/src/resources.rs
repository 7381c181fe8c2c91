//! What containers use of the machine: the Engine's counters, once or again and again.

use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use stagegate_base::container::{Container, Counters, State};
use stagegate_performance_decide::{Usage, resources::usage};
use tokio::{sync::oneshot, task::JoinHandle};

use stagegate_host::engine::{Engine, EngineError};

/// Time from one look at the counters to the next one.
const EVERY: Duration = Duration::from_millis(500);

/// Reads the counters of those containers that run; `at_ms` of what it returns is the time since `began`.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer. A container that went away meanwhile is left out.
pub async fn snapshot(engine: &Engine, containers: &[Container], began: Instant) -> Result<Vec<Counters>, EngineError> {
    let at_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let running = containers.iter().filter(|container| container.state == State::Running);
    let counters = try_join_all(running.map(|container| async move {
        let counters = engine.counters(&container.id).await?;
        Ok(counters.map(|counters| Counters {
            id: container.id.clone(),
            service: container.service.clone(),
            at_ms,
            ..counters
        }))
    }));
    Ok(counters.await?.into_iter().flatten().collect())
}

/// Returns what each service uses now, seen over half a second.
///
/// # Errors
/// [`EngineError`] where the Engine does not answer.
pub async fn now(engine: &Engine, containers: &[Container]) -> Result<Vec<Usage>, EngineError> {
    let began = Instant::now();
    let mut all = snapshot(engine, containers, began).await?;
    tokio::time::sleep(EVERY.saturating_sub(began.elapsed())).await;
    all.extend(snapshot(engine, containers, began).await?);
    Ok(usage(&all))
}

/// A look at the counters every half second, until it is stopped or dropped.
pub struct Watch {
    stop: oneshot::Sender<()>,
    watching: JoinHandle<Result<Vec<Counters>, EngineError>>,
}

impl Watch {
    /// Takes a first look and begins to watch.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not answer.
    pub async fn start(engine: &Engine, containers: &[Container]) -> Result<Self, EngineError> {
        let began = Instant::now();
        let (engine, containers) = (engine.clone(), containers.to_vec());
        let mut all = snapshot(&engine, &containers, began).await?;
        let (stop, mut stopped) = oneshot::channel();
        let watching = tokio::spawn(async move {
            let mut is_stopped = false;
            while !is_stopped {
                is_stopped = tokio::time::timeout(EVERY, &mut stopped).await.is_ok();
                // The last look is behind the load, so that all of it is counted.
                all.extend(snapshot(&engine, &containers, began).await?);
            }
            Ok(all)
        });
        Ok(Watch { stop, watching })
    }

    /// Takes a last look and returns all of them.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine stopped answering.
    pub async fn stop(self) -> Result<Vec<Counters>, EngineError> {
        drop(self.stop);
        // The watching neither panics nor is aborted before here.
        self.watching.await.unwrap_or_else(|_| Ok(Vec::new()))
    }
}
