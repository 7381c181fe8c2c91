//! Measures probes: two releases side by side, or one environment against a baseline of another day.
//!
//! Two releases are started in throw-away projects of their own on this host, with empty databases to which each
//! applies its own migrations, and are measured in turn. They are taken down at the end, however it comes; what a killed
//! run left is taken down by the next one of the same name. Whether one is slower is decided elsewhere.

mod cost;
pub mod criterion;
mod measurement_lock;
mod pairs;
mod stored;
mod turns;

use std::{io, path::PathBuf, time::Duration};

use stagegate_base::{
    command::compose,
    compose::{Model, RUN_LABEL},
    config::{Config, Probe, Target},
};
use stagegate_performance_decide::{
    Allowance, Arm, Block, Compared, Comparison, Cost, MeasurementProgress, Next, PAIRS, Rules, Unsuitable,
    changed_size, next, unsuitable,
};

use crate::load::{self, NoSubject, Subject};
pub use measurement_lock::{MeasurementLock, MeasurementLockError};
use stagegate_host::{
    deployment::{self, DeploymentError},
    engine::{Engine, EngineError},
    files,
    process::{RunError, Runner},
    ready::Stack,
    sockets,
    stand_in::{self, StandInError},
};
pub use stored::{StoredError, against, host, read, record, write};

const UP_WITHIN: Duration = Duration::from_secs(300);
const DOWN_WITHIN: Duration = Duration::from_secs(60);

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// One of the releases did not come up.
    #[error("the copy of {what} did not start for the comparison")]
    Up {
        /// Which one.
        what: String,
        /// What was wrong.
        #[source]
        source: DeploymentError,
    },
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A folder of the host could not be copied.
    #[error("cannot copy what the releases mount")]
    Folder(#[from] StandInError),
    /// A program.
    #[error("cannot remove the temporary projects of the comparison")]
    Run(#[from] RunError),
    /// There is nothing to ask.
    #[error(transparent)]
    Subject(#[from] NoSubject),
    /// A file or a thread.
    #[error("cannot create the files or threads of the comparison")]
    System(#[from] io::Error),
}

/// One of two releases.
#[derive(Clone, Debug)]
pub struct Side {
    /// What it is called, such as `v2`.
    pub name: String,
    /// Its model, every image by its id.
    pub model: Model,
}

/// What was measured of one probe.
#[derive(Clone, Debug)]
pub struct Measurement {
    /// What it came to.
    pub compared: Compared,
    /// All blocks.
    pub blocks: Vec<Block>,
}

/// Is told after each block how far a probe has come: its name, medians of the candidate's blocks in nanoseconds, time.
pub type Live<'a> = &'a (dyn Fn(&str, &[u64], MeasurementProgress) + Send + Sync);

/// A comparison of two releases on this host.
pub struct Bench<'a> {
    /// The Engine.
    pub engine: &'a Engine,
    /// Runs Compose.
    pub runner: &'a Runner,
    /// The configuration, with its probes.
    pub config: &'a Config,
    /// Folder for the models and blocks of this comparison.
    pub dir: PathBuf,
    /// How the two projects' names begin.
    pub project: String,
    /// Who they belong to.
    pub label: String,
    /// How long each may take to become ready.
    pub ready_within: Duration,
    /// Is told after each block.
    pub live: Live<'a>,
}

impl Bench<'_> {
    /// Starts both releases, measures every probe that is no workflow, and takes both down. Where one looks slower or
    /// costs more, both are started anew and it is measured again: a slowdown of the release is one of all its copies.
    ///
    /// `on_probe` is reported each result as it is there.
    ///
    /// # Errors
    /// [`BenchError`]; both projects are taken down then too.
    pub async fn compare(
        &self,
        candidate: &Side,
        control: &Side,
        mut on_probe: impl FnMut(&Measurement) + Send,
    ) -> Result<Vec<Measurement>, BenchError> {
        self.end().await?;
        let compared = self.compared(candidate, control, &mut on_probe).await;
        self.end().await?;
        compared
    }

    /// Takes both projects down with their volumes; that they are gone already is fine.
    ///
    /// # Errors
    /// [`BenchError::Run`].
    pub async fn end(&self) -> Result<(), BenchError> {
        for side in ["candidate", "control"] {
            self.runner.run_ok(&compose::remove_copy(&self.project_of(side)), DOWN_WITHIN).await?;
        }
        Ok(())
    }

    fn project_of(&self, side: &str) -> String {
        format!("{}-{side}", self.project)
    }

    async fn compared(
        &self,
        candidate: &Side,
        control: &Side,
        on_probe: &mut (impl FnMut(&Measurement) + Send),
    ) -> Result<Vec<Measurement>, BenchError> {
        files::private_dir(&self.dir)?;
        let probes: Vec<&Probe> = measurable(self.config).collect();
        let mut open: Vec<pairs::Pairs<'_>> = probes.iter().map(|probe| pairs::Pairs::of(probe)).collect();
        let mut all = Vec::with_capacity(probes.len());
        for pair in 0..PAIRS {
            if pair > 0 {
                self.end().await?;
            }
            let models = self.start_both([candidate, control], pair % 2 == 1).await?;
            let (mut left, mut found) = (Vec::new(), 0);
            for mut of_probe in open {
                if of_probe.wants_blocks() {
                    let arms = self.subjects(&models, of_probe.probe).await?;
                    let rules = Rules::of_pair(of_probe.probe.minimum_effect.0, probes.len(), found);
                    let measurement = measured(&of_probe, arms, rules, &control.name, self.live).await?;
                    found += usize::from(measurement.compared.is_slower());
                    of_probe.add(measurement);
                }
                // What fails or has nothing to be compared with costs nothing that could be compared.
                if of_probe.is_fit() {
                    of_probe.cost(self.costs(&models, of_probe.probe).await?);
                }
                match of_probe.ended() {
                    Some(measurement) => {
                        let blocks = serde_json::to_vec(&measurement.blocks).map_err(io::Error::other)?;
                        files::write_whole(&self.dir.join(format!("{}.json", measurement.compared.probe)), &blocks)?;
                        on_probe(&measurement);
                        all.push(measurement);
                    }
                    None => left.push(of_probe),
                }
            }
            open = left;
            if open.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Starts both releases, the control first where `swapped`: neither is always the one that came second.
    async fn start_both(&self, [candidate, control]: [&Side; 2], swapped: bool) -> Result<[Model; 2], BenchError> {
        if swapped {
            let control = self.start("control", control).await?;
            return Ok([self.start("candidate", candidate).await?, control]);
        }
        Ok([self.start("candidate", candidate).await?, self.start("control", control).await?])
    }

    async fn subjects(&self, models: &[Model; 2], probe: &Probe) -> Result<Vec<Subject>, BenchError> {
        Ok(vec![self.subject("candidate", &models[0], probe).await?, self.subject("control", &models[1], probe).await?])
    }

    async fn costs(&self, models: &[Model; 2], probe: &Probe) -> Result<[Cost; 2], BenchError> {
        let running = async |side: &str, model| {
            let containers = self.engine.project(&self.project_of(side)).await?;
            let subject = load::subject(self.config, probe, &containers, model)?;
            Ok::<_, BenchError>(cost::Running { containers, model, subject })
        };
        let sides = [running("candidate", &models[0]).await?, running("control", &models[1]).await?];
        cost::costs(self.engine, self.config, probe, sides).await
    }

    async fn start(&self, side: &str, release: &Side) -> Result<Model, BenchError> {
        let project = self.project_of(side);
        let (stores, requested) = (stand_in::stores(self.config), self.config.services.keys().cloned());
        let requested = requested.chain(stores.iter().cloned()).collect();
        let open = release.model.without_binds(&sockets::mounted(&release.model));
        let open = stand_in::apart(self.runner, &open, &stores).await;
        let model = open.enclosed(&project, &requested).labelled(RUN_LABEL, &self.label);
        let file = self.dir.join(format!("{side}.json"));
        files::write_whole(&file, model.to_json().as_bytes())?;
        stand_in::fill(self.engine, &model).await?;
        let failed = |source| BenchError::Up { what: format!("`{}`", release.name), source };
        let within = self.ready_within;
        let stack = Stack { config: self.config, project: &project, model: &model, within };
        let up = || deployment::up(self.runner, self.engine, &stack, &file, UP_WITHIN);
        if up().await.is_err() {
            // On a busy host a database may take longer than its healthcheck grants; that is not about the release.
            up().await.map_err(failed)?;
        }
        let ready = deployment::wait_until_ready(self.runner, self.engine, &stack).await;
        ready.map_err(failed)?;
        Ok(model)
    }

    async fn subject(&self, side: &str, model: &Model, probe: &Probe) -> Result<Subject, BenchError> {
        let containers = self.engine.project(&self.project_of(side)).await?;
        Ok(load::subject(self.config, probe, &containers, model)?)
    }
}

/// Returns the probes that can be measured in blocks; a workflow is run as a whole.
pub fn measurable(config: &Config) -> impl Iterator<Item = &Probe> {
    config.performance.iter().filter(|probe| !matches!(probe.target, Target::Workflow { .. }))
}

/// Measures candidate and control in turn until it is decided or the time of this pair of copies is over.
async fn measured(
    pairs: &pairs::Pairs<'_>,
    sides: Vec<Subject>,
    rules: Rules,
    control: &str,
    live: Live<'_>,
) -> Result<Measurement, BenchError> {
    let arms = [Arm::Candidate, Arm::Control].into_iter().zip(sides.iter().cloned());
    let arms = arms.chain(sides.get(1).cloned().map(|again| (Arm::ControlAgain, again))).collect();
    let mut turns = turns::Measured::start(pairs.probe, arms).await?;
    let next = &|blocks: &[Block], is_over: bool| next(blocks, &rules, is_over);
    let judge = Judge { allowance: pairs.allowance(), rules: &rules, unfit: &unsuitable, next };
    let decided = decided(&mut turns, pairs.probe, live, judge).await?;
    let notes = changed_size(&turns.blocks);
    Ok(turns.ended(pairs.probe, control, decided, notes))
}

/// How blocks are judged: until when, whether they can be compared at all, and what they come to.
struct Judge<'a> {
    allowance: Allowance,
    rules: &'a Rules,
    unfit: &'a (dyn Fn(&[Block]) -> Option<Unsuitable> + Send + Sync),
    next: &'a (dyn Fn(&[Block], bool) -> Next + Send + Sync),
}

/// Measures on until it is decided, or until it shows that the responses cannot be compared at all.
async fn decided(
    turns: &mut turns::Measured,
    probe: &Probe,
    live: Live<'_>,
    judge: Judge<'_>,
) -> Result<Result<Comparison, Unsuitable>, BenchError> {
    let mut wanted = 1;
    loop {
        let is_over = judge.allowance.is_over(turns.elapsed(), judge.rules.can_judge(turns.rotations));
        if turns.rotations >= wanted || is_over {
            if let Some(unsuitable) = (judge.unfit)(&turns.blocks) {
                return Ok(Err(unsuitable));
            }
            match (judge.next)(&turns.blocks, is_over) {
                Next::Decided(comparison) => return Ok(Ok(comparison)),
                Next::Measure(rotations) => wanted = rotations,
            }
        }
        turns.rotate().await?;
        turns.report(probe, judge.allowance.progress(turns.elapsed()), live);
    }
}
