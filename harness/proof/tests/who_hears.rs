//! Who hears of the end of a run by `notify_command`: of each end, also where the process that began the run did not live to
//! see it, and of what is no run nobody.

use std::{
    fs,
    net::TcpListener,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{small::Small, world::ended};

const PROMOTE: [&str; 5] = ["promote", "--from", "staging", "--to", "production"];
const WITHIN: Duration = Duration::from_secs(120);

/// A product whose `notify_command` appends what it gets to a file.
struct Heard {
    small: Small,
    file: PathBuf,
}

impl Heard {
    fn new(name: &str, more: &str) -> Self {
        let small = Small::new(name, "app");
        let file = small.product().parent().unwrap().join("heard");
        let program = format!("notify_command = [\"sh\", \"-c\", \"cat >> {0}; echo >> {0}\"]\n", file.display());
        let path = small.product().join("stagegate.toml");
        let text = fs::read_to_string(&path).unwrap();
        let text = text.replacen("watchdog = false\n", &format!("{program}{more}"), 1);
        assert!(text.contains(&program));
        fs::write(&path, text).unwrap();
        small.release("v1a", "select 1;\n", "");
        small.up("production", "v1a");
        Heard { small, file }
    }

    /// Returns the messages so far.
    fn all(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        text.lines().filter(|line| !line.is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Returns the `end` of each message so far.
    fn ends(&self) -> Vec<String> {
        self.all().iter().map(|message| message["end"].as_str().unwrap().to_owned()).collect()
    }

    fn promote(&self, variables: &[(&str, &str)]) -> crate::world::Ended {
        let mut command = self.small.command(&[&PROMOTE[..], &["--yes"]].concat());
        ended(&command.envs(variables.iter().copied()).output().unwrap())
    }

    fn resume(&self, kill_after: u64) -> crate::world::Ended {
        let mut resume = self.small.command(&["resume", "--env", "production"]);
        ended(&resume.env("STAGEGATE_KILL_AFTER_LINE", kill_after.to_string()).output().unwrap())
    }

    fn journal(&self) -> Vec<Value> {
        let runs = fs::read_dir(self.small.state("production").join("runs")).unwrap();
        let newest = runs.map(|entry| entry.unwrap().path()).max().unwrap();
        let text = fs::read_to_string(newest.join("journal.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn port_of(small: &Small, environment: &str) -> u16 {
    let text = fs::read_to_string(small.worktree(&format!("{environment}.env"))).unwrap();
    text.lines().find_map(|line| line.strip_prefix("WEB_PORT=")).unwrap().parse().unwrap()
}

#[test]
fn a_stuck_run_is_announced_at_each_of_its_ends_and_a_killed_one_is_not_forgotten() {
    let heard = Heard::new("heard-stuck", "rollback_within = \"20s\"\nwatchdog = false\n");
    heard.small.release("v2", "alter table item add column if not exists note text;\n", "");
    heard.small.up("staging", "v2");
    // Production's port is free while it is deployed, and somebody else takes it before it is to be opened.
    let port = port_of(&heard.small, "production");
    let taken = std::thread::spawn(move || {
        let deadline = Instant::now() + WITHIN;
        loop {
            match TcpListener::bind(("127.0.0.1", port)) {
                Ok(listener) => return listener,
                Err(_) => assert!(Instant::now() < deadline, "the port is never free"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let stuck = heard.promote(&[]);
    let listener = taken.join().unwrap();
    assert_eq!(stuck.code, Some(6), "{}", stuck.text);
    assert_eq!(heard.ends(), ["stuck"], "{}", stuck.text);
    let message = &heard.all()[0];
    assert_eq!((&message["urgent"], &message["promoted"], &message["exit"]), (&true.into(), &false.into(), &6.into()));
    let reason = message["reason"].as_str().unwrap();
    assert!(reason.starts_with("turn traffic on failed") && reason.contains(&port.to_string()), "{message}");
    assert!(message["next"].to_string().contains("gate resume --env production"), "{message}");

    let again = heard.small.gate(&["resume", "--env", "production"]);
    assert_eq!(again.code, Some(6), "{}", again.text);
    assert_eq!(heard.ends(), ["stuck", "stuck"], "{}", again.text);

    // Killed at the line that the message is about to be sent, and at the one that it was: resumed, three tries with two lines.
    let begun_notify = heard.journal().len() as u64 + 1 + 3 * 2;
    let killed = heard.resume(begun_notify);
    assert_eq!(killed.code, None, "{}", killed.text);
    let last = heard.journal().pop().unwrap();
    assert_eq!((&last["entry"], &last["step"]), (&"begun".into(), &"notify".into()), "{last}");
    assert_eq!(heard.ends().len(), 2, "it died before it sent anything");
    let killed = heard.resume(begun_notify + 1 + 3 * 2 + 1 + 1);
    assert_eq!(killed.code, None, "{}", killed.text);
    let last = heard.journal().pop().unwrap();
    assert_eq!((&last["entry"], &last["step"]), (&"done".into(), &"notify".into()), "{last}");
    assert_eq!(heard.ends(), ["stuck"; 3]);

    drop(listener);
    let recovered = heard.small.gate(&["recover", "run"]);
    assert_eq!(recovered.code, Some(0), "{}", recovered.text);
    assert_eq!(heard.ends(), ["stuck", "stuck", "stuck", "promoted"], "{}", recovered.text);
    assert_eq!(heard.all()[3]["promoted"], true);
}

#[test]
fn whoever_ends_a_run_announces_it_and_what_is_no_run_nobody_hears_of() {
    let heard = Heard::new("heard-all", "rollback_within = \"60s\"\n");
    heard.small.release("v2", "alter table item add column if not exists note text;\n", "");
    heard.small.up("staging", "v2");

    // No run: a plan, and a second promotion while the first one has the lock. The first one is then interrupted.
    let plan = heard.small.gate(&[&PROMOTE[..], &["--plan"]].concat());
    assert_eq!(plan.code, Some(0), "{}", plan.text);
    let code = heard.file.with_file_name("code");
    let second = format!(
        "{} {} --yes; echo $? > {}; kill -INT $PPID",
        crate::world::gate().display(),
        PROMOTE.join(" "),
        code.display()
    );
    let interrupted = heard.promote(&[("STAGEGATE_RUN_AFTER", "done validate"), ("STAGEGATE_RUN_COMMAND", &second)]);
    assert_eq!(interrupted.code, Some(3), "{}", interrupted.text);
    assert_eq!(fs::read_to_string(&code).unwrap().trim(), "7");
    assert_eq!(heard.ends(), ["aborted"], "{}", interrupted.text);

    // The preflight refuses: a working copy that is not committed.
    let compose = heard.small.product().join("docker-compose.yml");
    let text = fs::read_to_string(&compose).unwrap();
    fs::write(&compose, format!("{text}# edited\n")).unwrap();
    let refused = heard.promote(&[]);
    fs::write(&compose, text).unwrap();
    assert_eq!(refused.code, Some(3), "{}", refused.text);
    assert_eq!(heard.ends(), ["aborted", "blocked"], "{}", refused.text);

    // The gate is killed in the freeze: its watchdog ends the run.
    let killed = heard.promote(&[("STAGEGATE_RUN_AFTER", "done freeze"), ("STAGEGATE_RUN_COMMAND", "kill -9 $PPID")]);
    assert_eq!(killed.code, None, "{}", killed.text);
    let deadline = Instant::now() + WITHIN;
    while heard.journal().last().is_none_or(|line| line["entry"] != "ended") {
        assert!(Instant::now() < deadline, "the watchdog does not end it: {:?}", heard.journal().last());
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(heard.ends(), ["aborted", "blocked", "rolled_back"]);

    // Killed before the cut-over, where no watchdog is: the next command ends it.
    let killed = heard.promote(&[("STAGEGATE_RUN_AFTER", "done rehearse"), ("STAGEGATE_RUN_COMMAND", "kill -9 $PPID")]);
    assert_eq!(killed.code, None, "{}", killed.text);
    let status = heard.small.gate(&["status", "--env", "production"]);
    assert_eq!(heard.ends(), ["aborted", "blocked", "rolled_back", "aborted"], "{}", status.text);
}
