//! One probe's blocks, as they are measured in turn.

use std::time::{Duration, Instant};

use stagegate_base::config::{Load as Wanted, Probe};
use stagegate_performance_decide::{Arm, Block, Compared, Comparison, MeasurementProgress, Unsuitable};

use super::{BenchError, Live, Measurement};
use crate::load::{self, Blocks, Extent, Load, Pace, Subject, Turns};

/// Requests of a block where the service is quick. More make a block's median surer, fewer make more pairs.
const REQUESTS: u64 = 30;
/// Fewer have no median.
const FEWEST: u64 = 3;
/// Requests of a block on its new connections before those that count.
const SETTLING: u64 = 5;
/// So many rotations should fit into the time of a comparison: two looks at each of three pairs of copies.
const ROTATIONS: u32 = 108;
/// Requests by which the size of a block is chosen.
const TRIED: u64 = 20;

/// A measurement under way.
pub(super) struct Measured {
    turns: Blocks,
    begun: Instant,
    pub(super) blocks: Vec<Block>,
    pub(super) rotations: usize,
    /// Medians of the candidate's blocks, in nanoseconds.
    medians: Vec<u64>,
}

impl Measured {
    /// Warms every arm up and chooses how long a block is.
    ///
    /// Always a closed loop, also for a probe with a rate: the question is how long the work takes, and a response a
    /// moment earlier leaves time for more pairs.
    pub(super) async fn start(probe: &Probe, arms: Vec<(Arm, Subject)>) -> Result<Self, BenchError> {
        let clients = match probe.load {
            Wanted::Concurrency(clients) => usize::try_from(clients).unwrap_or(1),
            Wanted::Rate(_) => 1,
        };
        let load = |requests| Load {
            pace: Pace::Concurrency(clients),
            extent: Extent::Requests(requests),
            timeout: probe.timeout.0,
        };
        let mut slowest = Duration::ZERO;
        for (_, subject) in &arms {
            let tried = load::run(subject, load(TRIED), 1).await?;
            slowest = slowest.max(tried.took / u32::try_from(TRIED).unwrap_or(1));
        }
        let share = probe.compare_within.0 / ROTATIONS / u32::try_from(arms.len().max(1)).unwrap_or(1);
        let fit = share.as_nanos() / slowest.as_nanos().max(1);
        let requests = u64::try_from(fit).unwrap_or(u64::MAX).clamp(FEWEST, REQUESTS * clients as u64);
        // What a new connection costs is nothing next to answers of which few fit into a block.
        let settling = if requests < REQUESTS { 1 } else { SETTLING };
        let turns = Turns { arms, block: load(requests), warm_up: probe.warm_up.0, settling };
        let turns = Blocks::start(turns).await?;
        Ok(Measured { turns, begun: Instant::now(), blocks: Vec::new(), rotations: 0, medians: Vec::new() })
    }

    /// Measures one rotation more.
    pub(super) async fn rotate(&mut self) -> Result<(), BenchError> {
        let blocks = self.turns.rotation().await?;
        let answered = blocks.iter().filter(|block| block.arm == Arm::Candidate && block.latencies.count > 0);
        self.medians.extend(answered.map(|block| block.latencies.p50));
        self.blocks.extend(blocks);
        self.rotations += 1;
        Ok(())
    }

    /// Reports how far it has come.
    pub(super) fn report(&self, probe: &Probe, gone: MeasurementProgress, live: Live<'_>) {
        live(&probe.name, &self.medians, gone);
    }

    /// Returns how long it has been measured.
    pub(super) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends it with what it came to, and what else is to be known of the responses.
    pub(super) fn ended(
        self,
        probe: &Probe,
        control: &str,
        decided: Result<Comparison, Unsuitable>,
        note: Option<String>,
    ) -> Measurement {
        let seconds = self.begun.elapsed().as_secs_f64();
        let (comparison, unfit) = match decided {
            Ok(comparison) => (Some(comparison), None),
            Err(unfit) => (None, Some(unfit)),
        };
        let compared = Compared {
            probe: probe.name.clone(),
            control: control.to_owned(),
            minimum_effect: probe.minimum_effect.0,
            seconds,
            unfit,
            costs: None,
            grown: Vec::new(),
            notes: note.into_iter().collect(),
            comparison,
        };
        Measurement { compared, blocks: self.blocks }
    }
}
