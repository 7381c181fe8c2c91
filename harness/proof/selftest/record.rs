//! Measures all arms in rotating blocks and keeps every latency.

use std::{error::Error, fs::File, io::BufWriter, io::Write, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use stagegate_performance_decide::{Latencies, PAIRS};

use super::{client::Client, judge::Following, server::Server};

/// The arms: what they are called, and their work in percent of the control's. The control has a twin that is measured
/// again, as in a real comparison.
pub(crate) const ARMS: [(&str, u64); 6] =
    [("control", 100), ("again", 100), ("same", 100), ("+5 %", 105), ("+10 %", 110), ("+20 %", 120)];
/// The place of the control, whose server `again` asks too.
pub(crate) const CONTROL: usize = 0;
const AGAIN: usize = 1;
/// The place of the first candidate.
pub(crate) const CANDIDATES: usize = 2;
/// Requests that are asked of each new server before anything counts.
const WARM_UP: u32 = 200;
/// Requests on each new connection before those that count, as in a real comparison.
const SETTLING: u32 = 5;
/// What a response of the control should take: long enough that the least time that counts, 25 us, is some 3 % of it.
const ANSWER_NS: u64 = 800_000;
/// Steps by which it is found how many of them take that long here.
const TRIED_STEPS: u64 = 40_000;
/// Blocks of requests by which it is found: a processor that was idle takes its time until it is at its quickest.
const TRIED_BLOCKS: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Rounds, each with servers of its own
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Rotations that a round has at least
    #[arg(long, default_value_t = 24)]
    rotations: u32,
    /// Requests a block
    #[arg(long, default_value_t = 30)]
    requests: u32,
    /// Steps of work of the control's answers [default: as many as take 0.8 ms here]
    #[arg(long)]
    steps: Option<u64>,
    /// Most seconds that the three arms of a comparison may take
    #[arg(long, default_value_t = 60.0)]
    within: f64,
    /// File that gets the lines; what it held is lost
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// One rotation: each arm's block, in the order of [`ARMS`].
#[derive(Serialize, Deserialize)]
pub(crate) struct Rotation {
    pub(crate) round: u32,
    /// The pair of copies, from 0.
    pub(crate) pair: usize,
    /// Latencies in nanoseconds, in the order of sending; none of an arm whose comparison was decided before.
    pub(crate) ns: Vec<Vec<u64>>,
}

impl Record {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let mut out = BufWriter::new(File::create(&self.out)?);
        let steps = self.steps.map_or_else(steps, Ok)?;
        for round in 0..self.rounds {
            for rotation in self.round(round, steps)? {
                serde_json::to_writer(&mut out, &rotation)?;
                writeln!(out)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    /// Measures pairs of copies until every comparison of the round has come to its end.
    fn round(&self, round: u32, steps: u64) -> Result<Vec<Rotation>, Box<dyn Error>> {
        let mut open: Vec<Following> = (CANDIDATES..ARMS.len()).map(Following::new).collect();
        let mut rotations = Vec::new();
        for pair in 0..PAIRS {
            rotations.extend(self.pair(round, pair, steps, &mut open)?);
            open.retain(|following| following.ended.is_none());
            if open.is_empty() {
                break;
            }
        }
        Ok(rotations)
    }

    /// Starts all servers anew and measures until every open comparison of this pair is decided; the first pair at least
    /// `rotations` times, for the other rules.
    fn pair(
        &self,
        round: u32,
        pair: usize,
        steps: u64,
        open: &mut [Following],
    ) -> Result<Vec<Rotation>, Box<dyn Error>> {
        let least = if pair == 0 { self.rotations as usize } else { 0 };
        let servers = servers(steps, pair % 2 == 1)?;
        let mut undecided: Vec<&mut Following> = open.iter_mut().collect();
        let wanted: Vec<usize> = undecided.iter().map(|following| following.candidate).collect();
        for server in &servers {
            Client::connect(server.port)?.block(WARM_UP)?;
        }
        let mut rotations: Vec<Rotation> = Vec::new();
        while !undecided.is_empty() || rotations.len() < least {
            let is_asked = |arm: &usize| {
                *arm < CANDIDATES
                    || (rotations.len() < least && wanted.contains(arm))
                    || undecided.iter().any(|following| following.candidate == *arm)
            };
            let mut ns = vec![Vec::new(); ARMS.len()];
            for arm in order(ARMS.len(), round as usize + rotations.len()).into_iter().filter(is_asked) {
                // A connection of its own for each block, as in a real comparison.
                let mut client = Client::connect(servers[if arm == AGAIN { CONTROL } else { arm }].port)?;
                client.block(SETTLING)?;
                ns[arm] = client.block(self.requests)?;
            }
            undecided.retain_mut(|following| !following.is_decided(&ns, self.within));
            rotations.push(Rotation { round, pair, ns });
        }
        Ok(rotations)
    }
}

/// Starts a server for each arm, the last one first where `mirrored`.
fn servers(steps: u64, mirrored: bool) -> std::io::Result<Vec<Server>> {
    let start = |(_, percent): &(&str, u64)| Server::start(steps * percent / 100);
    if !mirrored {
        return ARMS.iter().map(start).collect();
    }
    let mut servers: Vec<Server> = ARMS.iter().rev().map(start).collect::<Result<_, _>>()?;
    servers.reverse();
    Ok(servers)
}

/// Finds how many steps a response of the control needs to take as long as it should on this machine.
fn steps() -> std::io::Result<u64> {
    let server = Server::start(TRIED_STEPS)?;
    let mut client = Client::connect(server.port)?;
    let mut quickest = u64::MAX;
    for _ in 0..TRIED_BLOCKS {
        quickest = quickest.min(Latencies::of(&client.block(WARM_UP)?).p50.max(1));
    }
    Ok(TRIED_STEPS * ANSWER_NS / quickest)
}

/// The order of a rotation: it turns, and every second time round it is mirrored.
fn order(arms: usize, rotation: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..arms).collect();
    order.rotate_left(rotation % arms);
    if (rotation / arms) % 2 == 1 {
        order.reverse();
    }
    order
}
