//! `gate incident`: what people report of an environment by hand.

use serde_json::json;
use stagegate_base::{
    config::{Config, Environment},
    exit::Exit,
    text::one_line,
};
use stagegate_data_decide::backup::schedule::length;
use stagegate_gate_decide::promotion::Kind;
use stagegate_watch_decide::incident::{Incident, IncidentEntry, LONGEST};

use super::{
    incident_file::{append, known},
    readings,
};
use crate::{
    cli,
    failure::{Failure, give_json, print_message, print_result},
};

pub(super) fn run(config: &Config, args: cli::Incident) -> Result<Exit, Failure> {
    match args {
        cli::Incident::Open(args) => open(config, args),
        cli::Incident::Close(args) => close(config, args),
        cli::Incident::List(args) => list(config, &args),
    }
}

fn open(config: &Config, args: cli::OpenIncident) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let text = text(&args.text)?;
    if let Some(run) = &args.run {
        let runs = readings::facts(config, environment).runs;
        let is_it = |read: &&readings::Read| read.facts.run == *run && read.facts.kind == Kind::Promote;
        if !runs.iter().any(|read| is_it(&read)) {
            let name = &environment.name;
            let text = format!("`{run}` is no promotion to {name}; `gate history --env {name}` lists them");
            return Err(Failure::usage(text));
        }
    }
    let mut number = 1;
    append(config, environment, |found| {
        number = found.iter().map(|one| one.incident).max().unwrap_or_default() + 1;
        Ok((number, IncidentEntry::Opened { text, run: args.run }))
    })?;
    print_result(&format!("incident {number} of {} is open", environment.name));
    Ok(Exit::Passed)
}

fn close(config: &Config, args: cli::CloseIncident) -> Result<Exit, Failure> {
    let environment = super::named(config, args.env.as_ref())?;
    let text = text(&args.text)?;
    let mut number = 0;
    append(config, environment, |found| {
        let is_open: Vec<u64> = found.iter().filter(|one| one.closed.is_none()).map(|one| one.incident).collect();
        number = match (args.id, is_open.as_slice()) {
            (Some(id), _) if is_open.contains(&id) => id,
            (None, [one]) => *one,
            _ => {
                let known: Vec<String> = is_open.iter().map(u64::to_string).collect();
                let open = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let wanted = args.id.map_or_else(|| "--id NUMBER".to_owned(), |id| format!("--id {id}"));
                let name = &environment.name;
                let text = format!("{wanted}: open incidents of {name}: {open}; see `gate incident list --env {name}`");
                return Err(Failure::usage(text));
            }
        };
        Ok((number, IncidentEntry::Closed { text }))
    })?;
    print_result(&format!("incident {number} of {} is closed", environment.name));
    Ok(Exit::Passed)
}

fn list(config: &Config, args: &cli::ListIncidents) -> Result<Exit, Failure> {
    let mut count = 0;
    for environment in super::runs::chosen(config, args.env.as_ref())? {
        let (found, unread) = known(config, environment);
        count += found.len();
        for one in &found {
            if args.json {
                let mut value = serde_json::to_value(one)?;
                value["environment"] = json!(environment.name);
                give_json(&value.to_string());
            } else {
                print_result(&incident_text(environment, one));
            }
        }
        if let Some(line) = unread {
            print_message(&line);
        }
    }
    if count == 0 {
        print_message("no incidents");
    }
    Ok(Exit::Passed)
}

fn incident_text(environment: &Environment, one: &Incident) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "whole seconds are wanted")]
    let seconds = (one.closed.unwrap_or_else(readings::now) - one.opened) as i64;
    let state = if one.closed.is_some() { "closed after" } else { "OPEN for" };
    let mut text = format!(
        "{:>4}  {}  {state} {}  {}",
        one.incident,
        environment.name,
        length(seconds.max(0)),
        one_line(&one.text)
    );
    if let Some(run) = &one.run {
        text.push_str(&format!("  (run {})", one_line(run)));
    }
    if let Some(closing) = &one.closing {
        text.push_str(&format!("\n      {}", one_line(closing)));
    }
    text
}

/// Returns a text as it is stored: one line, without what moves a terminal's cursor.
fn text(text: &str) -> Result<String, Failure> {
    let text = one_line(text.trim());
    let length = text.chars().count();
    if (1..=LONGEST).contains(&length) {
        return Ok(text);
    }
    Err(Failure::usage(format!("the text must have 1 to {LONGEST} characters, found {length}")))
}
