//! Judges recorded rounds by the gate's rules, and by simpler ones on the same rounds.

use std::{
    error::Error,
    fs::File,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use stagegate_performance_decide::{
    Allowance, Arm, Block, Comparison, Judgement, Latencies, Next, PAIRS, Rules, next, over_copies,
};

use super::{
    others,
    record::{ARMS, CANDIDATES, CONTROL, Rotation},
};

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// File that `record` wrote
    #[arg(long, value_name = "FILE")]
    log: PathBuf,
    /// Most seconds that the three arms of a comparison may take
    #[arg(long, default_value_t = 60.0)]
    within: f64,
}

/// One round of recorded rotations.
pub(crate) type Round = Vec<Rotation>;

impl Judge {
    /// Writes a table in Markdown: a line an arm, then the same rounds by other rules.
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let rounds = read(&self.log)?;
        let mut out = std::io::stdout().lock();
        writeln!(
            out,
            "| work | rounds | latency, median (5-95 %) | slower | no slower | undecided | too noisy | seconds, median | most |\n\
             |---|---|---|---|---|---|---|---|---|"
        )?;
        for (candidate, (name, _)) in ARMS.iter().enumerate().skip(CANDIDATES) {
            let ended: Vec<(Comparison, f64)> =
                rounds.iter().filter_map(|round| compared(round, candidate, self.within)).collect();
            writeln!(out, "{}", line(name, &ended))?;
        }
        writeln!(
            out,
            "\n| rule, on the same {} rounds | same | +5 % | +10 % | +20 % |\n|---|---|---|---|---|",
            rounds.len()
        )?;
        for (name, rule) in others::RULES {
            let flagged = |candidate| {
                rounds
                    .iter()
                    .filter(|round| rule(&arm(round, candidate, candidate), &arm(round, CONTROL, candidate)))
                    .count()
            };
            let shares: Vec<String> =
                (CANDIDATES..ARMS.len()).map(|candidate| percent(flagged(candidate), rounds.len())).collect();
            writeln!(out, "| {name} | {} |", shares.join(" | "))?;
        }
        Ok(())
    }
}

fn line(name: &str, ended: &[(Comparison, f64)]) -> String {
    let is = |comparison: &Comparison, judgements: &[Judgement]| judgements.contains(&comparison.judgement);
    let share =
        |judgements: &[Judgement]| percent(ended.iter().filter(|(c, _)| is(c, judgements)).count(), ended.len());
    let seconds = sorted(ended.iter().map(|(_, seconds)| *seconds));
    let ratios = sorted(ended.iter().filter_map(|(c, _)| c.p50).map(|ratio| 100.0 * (ratio.estimate - 1.0)));
    format!(
        "| {name} | {} | {:+.1} % ({:+.1} to {:+.1}) | {} | {} | {} | {} | {:.1} | {:.1} |",
        ended.len(),
        at(&ratios, 0.5),
        at(&ratios, 0.05),
        at(&ratios, 0.95),
        share(&[Judgement::Slower, Judgement::SlowerTail]),
        share(&[Judgement::NoSlower]),
        share(&[Judgement::Undecided, Judgement::NoSamples]),
        share(&[Judgement::TooNoisy, Judgement::CopiesDiffer]),
        at(&seconds, 0.5),
        at(&seconds, 1.0),
    )
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn at(sorted: &[f64], share: f64) -> f64 {
    let place = (share * sorted.len().saturating_sub(1) as f64).round() as usize;
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

fn percent(count: usize, of: usize) -> String {
    format!("{count}/{of} ({:.1} %)", 100.0 * count as f64 / of.max(1) as f64)
}

/// The blocks of an arm in the rotations of the first copies in which the candidate was measured.
fn arm(round: &Round, place: usize, candidate: usize) -> Vec<Vec<u64>> {
    let both = round.iter().filter(|rotation| rotation.pair == 0 && !rotation.ns[candidate].is_empty());
    both.map(|rotation| rotation.ns[place].clone()).collect()
}

fn read(path: &std::path::Path) -> Result<Vec<Round>, Box<dyn Error>> {
    let mut rounds: Vec<Round> = Vec::new();
    for line in BufReader::new(File::open(path)?).lines() {
        // A line that is being written is no line yet.
        let Ok(rotation) = serde_json::from_str::<Rotation>(&line?) else { break };
        match rounds.last_mut().filter(|round| round.first().is_some_and(|first| first.round == rotation.round)) {
            Some(round) => round.push(rotation),
            None => rounds.push(vec![rotation]),
        }
    }
    Ok(rounds)
}

/// One probe as the gate compares it: a pair of copies after the other, each measured until it is decided or its part of
/// the time is over, until the gate's own rules need no further pair.
pub(crate) struct Following {
    pub(crate) candidate: usize,
    rules: Rules,
    pairs: Vec<Comparison>,
    blocks: Vec<Block>,
    rotations: usize,
    wanted: usize,
    /// Seconds that the three arms of this pair took.
    of_pair: f64,
    /// Seconds that the three arms of the pairs before took.
    before: f64,
    /// What it came to.
    pub(crate) ended: Option<Comparison>,
}

impl Following {
    pub(crate) fn new(candidate: usize) -> Self {
        Following {
            candidate,
            // The candidates of a round are the probes of one run: together they may raise one false alarm in twenty.
            rules: Rules::of_pair(0.02, ARMS.len() - CANDIDATES, 0),
            pairs: Vec::new(),
            blocks: Vec::new(),
            rotations: 0,
            wanted: 0,
            of_pair: 0.0,
            before: 0.0,
            ended: None,
        }
    }

    /// Takes the next rotation, each arm's latencies in nanoseconds, and returns whether its pair is decided now.
    pub(crate) fn is_decided(&mut self, ns: &[Vec<u64>], within: f64) -> bool {
        let from = self.blocks.len();
        for (arm, place) in [(Arm::Candidate, self.candidate), (Arm::Control, 0), (Arm::ControlAgain, 1)] {
            self.blocks.push(block(arm, self.rotations, &ns[place]));
        }
        self.of_pair += self.blocks[from..].iter().map(|block| block.took_us as f64 / 1e6).sum::<f64>();
        self.rotations += 1;
        let seconds = Duration::from_secs_f64;
        let allowance = Allowance::of_next(seconds(within), seconds(self.before), self.pairs.len());
        let is_over = allowance.is_over(seconds(self.of_pair), self.rules.can_judge(self.rotations));
        if self.rotations < self.wanted && !is_over {
            return false;
        }
        match next(&self.blocks, &self.rules, is_over) {
            Next::Measure(rotations) => {
                self.wanted = rotations;
                return false;
            }
            Next::Decided(comparison) => self.pairs.push(comparison),
        }
        self.ended = over_copies(&self.pairs);
        self.before += self.of_pair;
        (self.blocks, self.rotations, self.wanted, self.of_pair) = (Vec::new(), 0, 0, 0.0);
        true
    }
}

/// Goes through a recorded round as its comparison did; `None` where it was recorded without an end.
fn compared(round: &Round, candidate: usize, within: f64) -> Option<(Comparison, f64)> {
    let mut following = Following::new(candidate);
    for pair in 0..PAIRS {
        let of_pair = round.iter().filter(|rotation| rotation.pair == pair && !rotation.ns[candidate].is_empty());
        let _ = of_pair.map(|rotation| &rotation.ns).any(|ns| following.is_decided(ns, within));
        if let Some(comparison) = following.ended {
            return Some((comparison, following.before));
        }
    }
    None
}

fn block(arm: Arm, rotation: usize, ns: &[u64]) -> Block {
    let took_us = ns.iter().sum::<u64>() / 1_000;
    Block {
        arm,
        rotation: u32::try_from(rotation).unwrap_or(u32::MAX),
        intended_us: 0,
        started_us: 0,
        took_us,
        sent: ns.len() as u64,
        latencies: Latencies::of(ns),
        samples_ns: Vec::new(),
        errors: std::collections::BTreeMap::new(),
        timeouts: 0,
        bytes: 16 * ns.len() as u64,
        smallest: 16,
        largest: 16,
        intended_rate: None,
        achieved_rate: ns.len() as f64 * 1e6 / took_us.max(1) as f64,
        lag_us: 0,
    }
}
