//! How long `gate test --list` takes for 2,000 trials.

use std::{fmt::Write, fs, process::Command, time::Instant};

use super::{Ended, median, print_line};

const OPERATIONS: usize = 2_000;
const ROUNDS: usize = 21;

pub(super) fn run(gate: &str) -> Ended {
    let folder = std::env::temp_dir().join(format!("stagegate-bench-list-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let config = "[project]\nname = \"bench\"\nstate_dir = \"state\"\n[environments.staging]\n\
        [services.api]\nport = 80\nhealth = \"/\"\ncontract = \"openapi.json\"\n";
    fs::write(folder.join("stagegate.toml"), config)?;
    let mut text = String::from(r#"{"openapi": "3.1.0", "paths": {"#);
    for n in 0..OPERATIONS {
        let comma = if n == 0 { "" } else { ",\n" };
        let _ = write!(
            text,
            r#"{comma}"/things/{n}": {{"get": {{"responses": {{"200": {{"description": "a thing"}} }} }} }}"#
        );
    }
    text.push_str("}}\n");
    fs::write(folder.join("openapi.json"), text)?;
    let (mut times, mut trials) = (Vec::new(), 0);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let output = Command::new(gate).args(["test", "--env", "staging", "--list"]).current_dir(&folder).output()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        trials = String::from_utf8_lossy(&output.stdout).lines().count();
    }
    fs::remove_dir_all(&folder)?;
    let least = times.iter().copied().fold(f64::MAX, f64::min);
    print_line(&format!("{trials} trials listed in {:.1} ms (median of {ROUNDS}; least {least:.1})", median(times)));
    Ok(())
}
