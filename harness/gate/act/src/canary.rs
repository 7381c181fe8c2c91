//! Moves the requests of a service in steps, and compares what its two containers do with them at the same time.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use stagegate_gate_decide::{
    canary::{Judgement, Side, Sides, judgement},
    promotion::PlanCanary,
    proxy::{self as api, Slot},
};
use stagegate_host::{
    http::{Http, Request},
    proxy,
};

use super::{Run, StepError};

/// The share of the requests that the new container gets in each step, in percent; after the last one it gets all.
const STEPS: [u8; 3] = [5, 25, 50];
/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(250);
/// After so long without a request of a user the gate makes requests of its own.
const OWN_AFTER: Duration = Duration::from_secs(5);
/// How many requests of its own it makes to each container between two looks.
const OWN_REQUESTS: usize = 10;

/// A service whose requests are moved in steps.
struct Canary<'a> {
    plan: &'a PlanCanary,
    service: &'a str,
    port: u16,
    new: (Vec<&'a Slot>, &'a [IpAddr]),
    old: (Vec<&'a Slot>, &'a [IpAddr]),
    /// Counters of the proxy as the canary began.
    start: Sides,
    /// What the gate's own requests gave.
    own: Sides,
    began: Instant,
}

impl Run {
    /// Moves the requests of the canaries among `moved` up to half; returns what was found of each, and how long it took.
    pub(super) async fn canaries(
        &self,
        moved: &BTreeSet<String>,
        slots: &[Slot],
        (new, old): (&[IpAddr], &[IpAddr]),
    ) -> Result<(Vec<String>, Duration), StepError> {
        let Some(plan) = self.plan.rollout.as_ref().and_then(|rollout| rollout.canary.clone()) else {
            return Ok((Vec::new(), Duration::ZERO));
        };
        let (mut found, began) = (Vec::new(), Instant::now());
        for (service, port) in plan.services.iter().filter(|(service, _)| moved.contains(*service)) {
            let backend = format!("{service}-{port}");
            let held = |addresses: &[IpAddr]| api::slots_in_use(slots, &[&backend], addresses);
            let mut canary = Canary {
                plan: &plan,
                service,
                port: *port,
                new: (held(new), new),
                old: (held(old), old),
                start: Sides::default(),
                own: Sides::default(),
                began: Instant::now(),
            };
            canary.start = self.counted(&canary).await?;
            let sides = self.step_by_step(&mut canary).await?;
            found.push(format!("canary {service}: {sides}"));
        }
        Ok((found, began.elapsed()))
    }

    async fn step_by_step(&self, canary: &mut Canary<'_>) -> Result<Sides, StepError> {
        let mut now = Sides::default();
        for (at, percent) in STEPS.into_iter().enumerate() {
            self.command(api::weigh(&canary.new.0, &canary.old.0, percent)).await?;
            let before = now;
            loop {
                tokio::time::sleep(PAUSE).await;
                now = self.seen(canary).await?;
                let stopped = |why: &str| {
                    StepError::blocked(format!("canary of `{}` at {percent} % of the requests: {why}", canary.service))
                };
                match judgement(&before, &now, canary.plan.min_requests, at + 1 == STEPS.len()) {
                    Judgement::Continue => break,
                    Judgement::Stop(why) => return Err(stopped(&why)),
                    Judgement::Undecided(why) if canary.began.elapsed() > canary.plan.within.0 => {
                        return Err(stopped(&format!("undecided after {}: {why}", canary.plan.within)));
                    }
                    Judgement::Undecided(_) => {}
                }
            }
            self.runner.report(&format!("canary {} at {percent} %: {now}", canary.service));
        }
        Ok(now)
    }

    /// Returns what both containers did since the canary began, after requests of the gate's own if there are no others.
    async fn seen(&self, canary: &mut Canary<'_>) -> Result<Sides, StepError> {
        let now = self.counted(canary).await?;
        let users = Sides { old: since(canary.start.old, now.old), new: since(canary.start.new, now.new) };
        if users.old.requests + users.new.requests == 0 && canary.began.elapsed() >= OWN_AFTER {
            let path = self.gate.config.services.get(canary.service).and_then(|service| service.health.clone());
            if let Some(path) = path {
                let (old, new) = (canary.old.1, canary.new.1);
                request(&path, canary.port, old, &mut canary.own.old).await?;
                request(&path, canary.port, new, &mut canary.own.new).await?;
            }
        }
        Ok(Sides { old: both(users.old, canary.own.old), new: both(users.new, canary.own.new) })
    }

    async fn counted(&self, canary: &Canary<'_>) -> Result<Sides, StepError> {
        let counters = proxy::send(&self.proxy_folder()?, api::SHOW_COUNTERS).await?;
        Ok(Sides { old: api::side(&counters, &canary.old.0)?, new: api::side(&counters, &canary.new.0)? })
    }
}

/// Makes some requests to a container and adds what became of them.
async fn request(path: &str, port: u16, addresses: &[IpAddr], side: &mut Side) -> Result<(), StepError> {
    let http = Http::shared()?;
    let addresses: Vec<SocketAddr> = addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
    for _ in 0..OWN_REQUESTS {
        let has_failed = match http.send_first(&addresses, &Request::get(path)).await {
            Ok((_, response)) => response.status >= 500,
            Err(_) => true,
        };
        side.requests += 1;
        side.errors += u64::from(has_failed);
    }
    Ok(())
}

/// The time is a mean of the latest responses, whenever they were counted.
fn since(start: Side, now: Side) -> Side {
    Side {
        requests: now.requests.saturating_sub(start.requests),
        errors: now.errors.saturating_sub(start.errors),
        time_ms: now.time_ms,
    }
}

fn both(users: Side, own: Side) -> Side {
    Side { requests: users.requests + own.requests, errors: users.errors + own.errors, ..users }
}
