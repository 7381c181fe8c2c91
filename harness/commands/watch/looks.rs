//! What a round of `gate watch` looks at: reading only, and nothing that costs.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use stagegate_base::{
    config::{Config, Environment, Kind, Service},
    container::{Container, Health, State},
    units::Size,
};
use stagegate_gate_act::unfinished;
use stagegate_host::{
    clock,
    engine::Engine,
    error::with_causes,
    files,
    http::{Http, Request},
    lock,
    paths::StateDir,
    release::{self, Snapshot},
};
use stagegate_policy_act::tls;
use stagegate_policy_decide::security::{self, Certificate};
use stagegate_watch_decide::watch::CheckResult;

use crate::commands::readings;

/// How long a service has to respond.
const RESPONSE_WITHIN: Duration = Duration::from_secs(5);
/// How often backups and certificates are read.
const SLOW_EVERY: Duration = Duration::from_secs(300);

/// What looks at an environment.
pub(super) struct Looker<'a> {
    pub(super) config: &'a Config,
    pub(super) environment: &'a Environment,
    pub(super) state: StateDir,
    min_free: Size,
    /// The folder of the Engine's data, once it was asked.
    engine_dir: Option<PathBuf>,
    slow: Vec<CheckResult>,
    slow_at: Option<Instant>,
}

/// What a round found.
pub(super) struct Round {
    pub(super) looks: Vec<CheckResult>,
    /// Whether the containers were seen: without the Engine they are not, and keep what was known of them.
    pub(super) is_whole: bool,
    pub(super) containers: Vec<Container>,
}

impl<'a> Looker<'a> {
    pub(super) fn new(config: &'a Config, environment: &'a Environment, min_free: Size) -> Self {
        let state = StateDir::of(config, &environment.project);
        Looker { config, environment, state, min_free, engine_dir: None, slow: Vec::new(), slow_at: None }
    }

    /// Returns what the gate deployed last, if it did.
    pub(super) fn deployed(&self) -> Option<Snapshot> {
        release::deployed(&self.state).ok()?
    }

    /// Returns whether a service is one that ends.
    pub(super) fn is_one_shot(&self, service: &str) -> bool {
        self.config.one_shot.get(service) == Some(&true)
            || self.config.databases.values().any(|database| database.migrations.as_deref() == Some(service))
    }

    /// Looks at everything once.
    pub(super) async fn round(&mut self) -> Round {
        let mut looks = vec![self.run()];
        let containers = match self.containers().await {
            Ok(containers) => containers,
            Err(problem) => {
                looks.push(CheckResult::new("engine", Some(problem)));
                return Round { looks, is_whole: false, containers: Vec::new() };
            }
        };
        looks.push(CheckResult::new("engine", None));
        looks.extend(self.services(&containers).await);
        looks.push(self.disk());
        if self.slow_at.is_none_or(|at| at.elapsed() >= SLOW_EVERY) {
            self.slow = self.certificates(&containers).await;
            self.slow.extend(self.backups());
            self.slow_at = Some(Instant::now());
        }
        looks.extend(self.slow.iter().cloned());
        Round { looks, is_whole: true, containers }
    }

    async fn containers(&mut self) -> Result<Vec<Container>, String> {
        let read = async {
            let engine = Engine::connect().await?;
            if self.engine_dir.is_none() {
                self.engine_dir = Some(PathBuf::from(engine.about().await?.0));
            }
            engine.project(&self.environment.project).await
        };
        let read = tokio::time::timeout(Duration::from_secs(10), read).await;
        read.map_err(|_| "Docker Engine does not respond".to_owned())?.map_err(|error| with_causes(&error))
    }

    /// Looks at each service: its containers, then its health path.
    async fn services(&self, containers: &[Container]) -> Vec<CheckResult> {
        let mut services: BTreeMap<&str, Vec<&Container>> =
            self.config.services.keys().map(|name| (name.as_str(), Vec::new())).collect();
        for container in containers.iter().filter(|one| !one.one_off && !self.is_one_shot(&one.service)) {
            services.entry(&container.service).or_default().push(container);
        }
        let each = services.into_iter().map(|(name, containers)| async move {
            let service = self.config.services.get(name);
            let problem = match containers.iter().find_map(|one| stopped(one, service.is_some())) {
                Some(problem) => Some(problem),
                None if containers.is_empty() => Some("it has no container".to_owned()),
                None => match service {
                    Some(service) => unhealthy(&containers, service).await,
                    None => None,
                },
            };
            CheckResult::new(check_of(name), problem)
        });
        join_all(each).await
    }

    fn run(&self) -> CheckResult {
        let name = &self.environment.name;
        let problem = match unfinished(&self.state) {
            Ok(None) => None,
            Ok(Some(run)) if run.stuck => {
                Some(format!("run {} is stuck, manual action required: gate resume --env {name}", run.run))
            }
            // One that is at work is no problem.
            Ok(Some(_)) if lock::at_work(&self.state).is_some() => None,
            Ok(Some(run)) => Some(format!("run {} was interrupted: gate resume --env {name}", run.run)),
            Err(error) => Some(with_causes(&error)),
        };
        CheckResult { is_certain: problem.is_some(), is_repeated: true, ..CheckResult::new("run", problem) }
    }

    fn disk(&self) -> CheckResult {
        let dirs = [Some(self.state.root().to_path_buf()), self.engine_dir.clone()].into_iter().flatten();
        let full =
            dirs.filter_map(|dir| Some((files::free_space(&dir)?, dir))).find(|(free, _)| *free < self.min_free.0);
        let text = |(free, dir): (u64, PathBuf)| {
            format!("{} has {} free, expected {} or more", dir.display(), Size(free), self.min_free)
        };
        CheckResult::new("disk", full.map(text))
    }

    fn backups(&self) -> Option<CheckResult> {
        let backups = readings::backups(self.config, self.environment)?;
        Some(CheckResult::new("backups", (!backups.problems.is_empty()).then(|| backups.problems.join("; "))))
    }

    async fn certificates(&self, containers: &[Container]) -> Vec<CheckResult> {
        let mut looks = Vec::new();
        let deployed = self.deployed();
        for (service, tls) in &self.config.security.tls {
            let variable = tls.name_variable.as_ref().zip(deployed.as_ref());
            let of_model = variable.and_then(|(key, snapshot)| snapshot.model.variable(service, key));
            let Some(host) = of_model.map(|value| value.expose().to_owned()).or_else(|| tls.name.clone()) else {
                continue;
            };
            let reached =
                containers.iter().filter(|one| one.service == *service).flat_map(|one| one.reach(tls.port)).next();
            let Some(address) = reached else { continue };
            let ca = tls.ca.as_ref().map(|path| self.config.root().join(path));
            let problem = match tls::fetch(address, &host, ca.as_deref()).await {
                Ok(shown) => match Certificate::parse(&shown.certificate) {
                    Ok(certificate) => {
                        let days = self.config.security.certificate_days;
                        security::expiry(service, &certificate, days, clock::unix_seconds())
                            .map(|_| format!("the certificate of {service} expires on {}", certificate.last_day))
                    }
                    Err(error) => Some(error.to_string()),
                },
                Err(error) => Some(with_causes(&error)),
            };
            looks.push(CheckResult::new(format!("certificate {service}"), problem));
        }
        looks
    }
}

/// Returns the name of a service's check.
pub(super) fn check_of(service: &str) -> String {
    format!("service {service}")
}

/// Returns what is wrong with a container by its state. One that ended with 0 may be meant to, unless the configuration
/// describes its service.
fn stopped(container: &Container, is_described: bool) -> Option<String> {
    let code = container.exit_code;
    match container.state {
        State::Running if container.health == Health::Unhealthy => {
            Some(format!("{} is unhealthy: {}", container.name, container.health_output.trim()))
        }
        State::Running | State::Created | State::Removing => None,
        State::Exited if code == 0 && !is_described => None,
        State::Exited if container.oom_killed => {
            Some(format!("{} was ended for memory (exit code {code})", container.name))
        }
        State::Exited => Some(format!("{} exited with code {code}", container.name)),
        State::Restarting => Some(format!("{} restarts again and again (exit code {code})", container.name)),
        State::Paused => Some(format!("{} is paused", container.name)),
        State::Dead => Some(format!("{} is dead", container.name)),
    }
}

async fn unhealthy(containers: &[&Container], service: &Service) -> Option<String> {
    let path = service.health.as_ref().filter(|_| service.kind == Kind::Http)?;
    let http = match Http::shared() {
        Ok(http) => http.deadline(RESPONSE_WITHIN).body_cap(1 << 10),
        Err(error) => return Some(with_causes(&error)),
    };
    let request = Request { headers: service.headers(), ..Request::get(path) };
    for container in containers {
        match http.send_first(&container.reach(service.port), &request).await {
            Ok((_, response)) if (200..300).contains(&response.status) => {}
            Ok((_, response)) => return Some(format!("GET {path} expected 2xx, got {}", response.status)),
            Err(error) => return Some(format!("GET {path}: {}", with_causes(&error))),
        }
    }
    None
}
