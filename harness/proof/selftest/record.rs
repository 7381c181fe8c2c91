//! Measures all arms in rotating blocks and keeps every latency.

use std::{error::Error, fs::File, io::BufWriter, io::Write, path::PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};

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

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// Rounds, each with servers of its own
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// Rotations that a round has at least
    #[arg(long, default_value_t = 48)]
    rotations: u32,
    /// Requests a block
    #[arg(long, default_value_t = 30)]
    requests: u32,
    /// Steps of work of the control's answers
    #[arg(long, default_value_t = 40_000)]
    steps: u64,
    /// Most seconds that the three arms of one comparison may take
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
    /// Latencies in nanoseconds, in the order of sending; none of an arm whose comparison was decided before.
    pub(crate) ns: Vec<Vec<u64>>,
}

impl Record {
    pub(crate) fn run(&self) -> Result<(), Box<dyn Error>> {
        let mut out = BufWriter::new(File::create(&self.out)?);
        for round in 0..self.rounds {
            for ns in self.round(round)? {
                serde_json::to_writer(&mut out, &Rotation { round, ns })?;
                writeln!(out)?;
            }
            out.flush()?;
        }
        Ok(())
    }

    /// Measures until every comparison of the round is decided, and at least `rotations`.
    fn round(&self, round: u32) -> Result<Vec<Vec<Vec<u64>>>, Box<dyn Error>> {
        let servers: Vec<Server> =
            ARMS.iter().map(|(_, percent)| Server::start(self.steps * percent / 100)).collect::<Result<_, _>>()?;
        let port = |arm: usize| servers[if arm == AGAIN { CONTROL } else { arm }].port;
        let mut clients: Vec<Client> =
            (0..ARMS.len()).map(|arm| Client::connect(port(arm))).collect::<Result<_, _>>()?;
        for client in &mut clients {
            client.block(WARM_UP)?;
        }
        let mut open: Vec<Following> = (CANDIDATES..ARMS.len()).map(Following::new).collect();
        let mut rotations: Vec<Vec<Vec<u64>>> = Vec::new();
        while !open.is_empty() || rotations.len() < self.rotations as usize {
            let is_asked = |arm: usize| {
                arm < CANDIDATES
                    || rotations.len() < self.rotations as usize
                    || open.iter().any(|following| following.candidate == arm)
            };
            let mut ns = vec![Vec::new(); ARMS.len()];
            for arm in order(ARMS.len(), round as usize + rotations.len()).into_iter().filter(|arm| is_asked(*arm)) {
                ns[arm] = clients[arm].block(self.requests)?;
            }
            open.retain_mut(|following| !following.is_decided(&ns, self.within));
            rotations.push(ns);
        }
        Ok(rotations)
    }
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
