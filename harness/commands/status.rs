//! `gate status`: what runs in an environment, once or again and again.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, Write},
    sync::Arc,
    time::Duration,
};

use serde_json::{Value, json};
use stagegate_base::{
    compose::{drift, short},
    config::{Config, Environment},
    container::{Container, Health},
    exit::Exit,
    report::{Colour, shown},
    text,
    units::Size,
};
use stagegate_gate_act::unfinished;
use stagegate_host::{engine::Engine, lock, paths::StateDir, release};
use stagegate_performance_act::resources;
use stagegate_performance_decide::Usage;

use crate::{
    cli,
    failure::{Failure, give_json, print_result},
    screen,
};

/// Time from one picture to the next one.
const EVERY: Duration = Duration::from_secs(2);

pub(super) async fn status(config: &Arc<Config>, args: cli::Status) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let engine = Engine::connect().await?;
    let mut beat = tokio::time::interval(EVERY);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        beat.tick().await;
        let (text, value) = picture(config, environment, &engine).await?;
        match (args.json, args.watch) {
            (true, true) => give_json(&value.to_string()),
            (true, false) => give_json(&serde_json::to_string_pretty(&value)?),
            (false, true) => redraw(&text),
            (false, false) => print_result(&text),
        }
        if !args.watch {
            return Ok(Exit::Passed);
        }
    }
}

/// Draws over the picture before on a terminal; elsewhere one follows the other.
fn redraw(text: &str) {
    if std::io::stdout().is_terminal() {
        screen::off();
        let _ = write!(
            std::io::stdout(),
            "\u{1b}[H\u{1b}[2J{}\n\n(every {EVERY:?}; stop with Ctrl-C)\n",
            shown(text, Colour::Plain)
        );
        let _ = std::io::stdout().flush();
    } else {
        print_result(&format!("{text}\n"));
    }
}

/// Reads the environment once: for a person, and for programs.
async fn picture(config: &Config, environment: &Environment, engine: &Engine) -> Result<(String, Value), Failure> {
    let state = StateDir::of(config, &environment.project);
    let containers = engine.project(&environment.project).await?;
    let usage = by_service(resources::now(engine, &containers).await?);
    let deployed = release::deployed(&state)?;
    let drift = deployed.as_ref().map(|d| drift(&d.model, &containers)).unwrap_or_default();
    let open = unfinished(&state)?;
    let value = json!({
        "environment": environment.name,
        "project": environment.project,
        "release": deployed.as_ref().map(|d| &d.release),
        "containers": containers,
        "usage": usage.values().map(used).collect::<Vec<_>>(),
        "drift": drift,
        "unfinished_run": open.as_ref().map(|run| &run.run),
    });
    let name = deployed.as_ref().map_or("unknown (not deployed by gate)", |d| d.release.name.as_str());
    let mut lines = vec![format!("{}  project {}  release {name}", environment.name, environment.project)];
    if containers.is_empty() {
        lines.push("  no containers".to_owned());
    } else {
        lines.push(format!(
            "  {:<12} {:<10} {:<10} {:>8} {:>7} {:>20}  {:<12}  ports",
            "service", "state", "health", "restarts", "CPU", "memory", "image"
        ));
    }
    lines.extend(containers.iter().map(|container| line(container, usage.get(&container.service))));
    lines.extend(containers.iter().filter(|c| c.health == Health::Unhealthy).map(|container| {
        let output = text::clean(&container.health_output).replace('\n', " ");
        format!("  {}: healthcheck output: {output}", container.service)
    }));
    lines.extend(drift.iter().map(|change| format!("  drift since deployment: {change}")));
    if let Some(run) = open {
        lines.push(match lock::at_work(&state) {
            Some(owner) if !run.stuck => {
                format!("  run {} is in progress ({}, process {})", run.run, owner.what, owner.pid)
            }
            None if !run.stuck => format!("  run {} was interrupted: gate resume --env {}", run.run, environment.name),
            _ => format!("  run {}: manual action required: gate resume --env {}", run.run, environment.name),
        });
    }
    Ok((lines.join("\n"), value))
}

fn by_service(usage: Vec<Usage>) -> BTreeMap<String, Usage> {
    usage.into_iter().map(|usage| (usage.service.clone(), usage)).collect()
}

fn used(usage: &Usage) -> Value {
    json!({
        "service": usage.service,
        "cpu_percent": usage.cpu * 100.0,
        "memory_bytes": usage.memory,
        "memory_limit_bytes": usage.memory_limit,
    })
}

fn line(container: &Container, usage: Option<&Usage>) -> String {
    let state = format!("{:?}", container.state).to_lowercase();
    let health = match container.health {
        Health::None => String::new(),
        health => format!("{health:?}").to_lowercase(),
    };
    let cpu = usage.map(|usage| format!("{:.1} %", usage.cpu * 100.0)).unwrap_or_default();
    let memory = usage.map(memory).unwrap_or_default();
    let ports: Vec<String> =
        container.published.iter().flat_map(|(port, at)| at.iter().map(move |a| format!("{a}->{port}"))).collect();
    let line = format!(
        "  {:<12} {state:<10} {health:<10} {:>8} {cpu:>7} {memory:>20}  {:<12}  {}",
        container.service,
        container.restarts,
        short(&container.image),
        ports.join(" ")
    );
    line.trim_end().to_owned()
}

fn memory(usage: &Usage) -> String {
    match usage.memory_limit {
        Some(limit) => format!("{} of {}", Size(usage.memory), Size(limit)),
        None => Size(usage.memory).to_string(),
    }
}
