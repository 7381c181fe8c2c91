//! The journals as metrics in the classic text format of Prometheus.
//!
//! Labels are names of the configuration and words of this file, so that their number is bounded: never a run's id, a
//! commit or a reason. Source of the format: Prometheus, "Exposition formats", text-based format 0.0.4, whose escapes
//! `node_exporter`'s textfile collector reads as well.

use std::fmt::Write;

use stagegate_gate_decide::promotion::{End, Kind, Step};

use crate::{
    RunFacts,
    figures::{Figures, Spread},
    watch::{State, Status},
};

/// Upper bounds of the histograms, in seconds.
const BUCKETS: [f64; 8] = [0.1, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];

/// What is measured of one environment.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Its name.
    pub environment: String,
    /// Its runs, the oldest first.
    pub runs: Vec<RunFacts>,
    /// Its delivery figures.
    pub figures: Figures,
    /// How many of its incidents are open.
    pub open_incidents: usize,
    /// Age of its newest verified backup, in seconds; `None` without one.
    pub backup_age_seconds: Option<i64>,
    /// Whether all is well with its backups; `None` where the schedule makes none.
    pub backups_ok: Option<bool>,
    /// What `gate watch` knows; `None` where nobody ever watched.
    pub watch: Option<State>,
}

/// Writes the metrics; the text ends with a line break, without which the last line would be refused.
#[must_use]
pub fn text(environments: &[Measured]) -> String {
    let mut out = Text::default();
    runs(&mut out, environments);
    incidents(&mut out, environments);
    durations(&mut out, environments);
    backups(&mut out, environments);
    watches(&mut out, environments);
    delivery(&mut out, environments);
    out.text
}

const ENDS: [(End, &str); 7] = [
    (End::Promoted, "promoted"),
    (End::Blocked, "blocked"),
    (End::Aborted, "interrupted"),
    (End::RolledBack, "rolled_back"),
    (End::NotVerified, "not_verified"),
    (End::Stuck, "stuck"),
    (End::Abandoned, "abandoned"),
];

fn runs(out: &mut Text, environments: &[Measured]) {
    out.head("stagegate_promotions_total", "counter", "Promotions that ended, by how they ended.");
    for one in environments {
        for (end, word) in ENDS {
            let is_it = |run: &&RunFacts| run.kind == Kind::Promote && run.end == Some(end);
            let count = one.runs.iter().filter(is_it).count();
            out.sample("stagegate_promotions_total", &[("environment", &one.environment), ("end", word)], count);
        }
    }
    out.head("stagegate_rollbacks_total", "counter", "Rollbacks by hand that succeeded.");
    for one in environments {
        let is_it = |run: &&RunFacts| run.kind != Kind::Promote && run.end == Some(End::Promoted);
        let count = one.runs.iter().filter(is_it).count();
        out.sample("stagegate_rollbacks_total", &[("environment", &one.environment)], count);
    }
    let name = "stagegate_last_success_timestamp_seconds";
    out.head(name, "gauge", "When the last promotion ended that left its release live.");
    for one in environments {
        let good = one.runs.iter().rev().find(|run| run.kind == Kind::Promote && run.end == Some(End::Promoted));
        if let Some(run) = good {
            out.sample(name, &[("environment", &one.environment)], run.last);
        }
    }
    out.head("stagegate_state", "gauge", "1 for what the environment's last run is.");
    for one in environments {
        let now = one.runs.last().map_or("none", |run| match run.end {
            None => "unfinished",
            Some(end) => ENDS.iter().find(|(known, _)| *known == end).map_or("none", |(_, word)| word),
        });
        for word in ENDS.iter().map(|(_, word)| *word).chain(["unfinished", "none"]) {
            let labels = [("environment", one.environment.as_str()), ("end", word)];
            out.sample("stagegate_state", &labels, u8::from(word == now));
        }
    }
}

fn incidents(out: &mut Text, environments: &[Measured]) {
    out.head("stagegate_incidents_open", "gauge", "Incidents that people opened by hand and did not close.");
    for one in environments {
        out.sample("stagegate_incidents_open", &[("environment", &one.environment)], one.open_incidents);
    }
}

/// The steps that can take long, as labels.
const STEPS: [(Step, &str); 18] = [
    (Step::Preflight, "preflight"),
    (Step::Validate, "validate"),
    (Step::Prepare, "prepare"),
    (Step::BackUp, "back_up"),
    (Step::Rehearse, "rehearse"),
    (Step::Freeze, "freeze"),
    (Step::Clone, "clone"),
    (Step::CopyVolumes, "copy_volumes"),
    (Step::Migrate, "migrate"),
    (Step::Deploy, "deploy"),
    (Step::Verify, "verify"),
    (Step::MoveTraffic, "move_traffic"),
    (Step::Confirm, "confirm"),
    (Step::OpenPorts, "open_ports"),
    (Step::StartPrevious, "start_previous"),
    (Step::VerifyRollback, "verify_rollback"),
    (Step::Notify, "notify"),
    (Step::Prune, "prune"),
];

fn durations(out: &mut Text, environments: &[Measured]) {
    let name = "stagegate_step_duration_seconds";
    out.head(name, "histogram", "How long the steps of runs took, in seconds.");
    for one in environments {
        for (step, word) in STEPS {
            let done = one.runs.iter().flat_map(|run| &run.steps).filter(|done| done.step == step && !done.is_undo);
            let seconds: Vec<f64> = done.filter_map(|done| done.seconds).collect();
            if !seconds.is_empty() {
                out.histogram(name, &[("environment", &one.environment), ("step", word)], &seconds);
            }
        }
    }
    for (name, help, of) in [
        (
            "stagegate_run_duration_seconds",
            "How long runs took, in seconds.",
            (|run: &RunFacts| run.end.map(|_| run.seconds())) as fn(&RunFacts) -> Option<f64>,
        ),
        ("stagegate_freeze_seconds", "For how long runs stopped writes, in seconds.", |run: &RunFacts| run.frozen),
    ] {
        out.head(name, "histogram", help);
        for one in environments {
            let seconds: Vec<f64> = one.runs.iter().filter_map(of).collect();
            out.histogram(name, &[("environment", &one.environment)], &seconds);
        }
    }
}

fn backups(out: &mut Text, environments: &[Measured]) {
    out.head("stagegate_backup_age_seconds", "gauge", "Age of the newest verified backup, in seconds.");
    for one in environments {
        if let Some(age) = one.backup_age_seconds {
            out.sample("stagegate_backup_age_seconds", &[("environment", &one.environment)], age);
        }
    }
    out.head("stagegate_backups_ok", "gauge", "1 where backups, copies and drills are as the schedule wants them.");
    for one in environments {
        if let Some(ok) = one.backups_ok {
            out.sample("stagegate_backups_ok", &[("environment", &one.environment)], u8::from(ok));
        }
    }
}

fn watches(out: &mut Text, environments: &[Measured]) {
    let known = || environments.iter().filter_map(|one| Some((&one.environment, one.watch.as_ref()?)));
    out.head("stagegate_watch_up", "gauge", "1 where a check of gate watch is up or not down yet.");
    for (environment, state) in known() {
        for (check, known) in &state.checks.0 {
            let is_up = matches!(known.status, Status::Up | Status::Pending);
            out.sample("stagegate_watch_up", &[("environment", environment), ("check", check)], u8::from(is_up));
        }
    }
    let name = "stagegate_watch_round_timestamp_seconds";
    out.head(name, "gauge", "When gate watch looked last.");
    for (environment, state) in known() {
        out.sample(name, &[("environment", environment)], state.round_at);
    }
}

/// A figure as a gauge: its name, its help, and its value where there are enough runs.
type Gauge = (&'static str, &'static str, fn(&Figures) -> Option<f64>);

/// The delivery figures; one that was counted from too few runs is left out.
fn delivery(out: &mut Text, environments: &[Measured]) {
    fn median(spread: &Spread) -> Option<f64> {
        spread.median_seconds
    }
    let gauges: [Gauge; 5] = [
        ("stagegate_deployments_per_week", "Promotions a week after which the release was live.", |figures| {
            figures.deployments_per_week
        }),
        (
            "stagegate_lead_time_median_seconds",
            "Median time from a release's commit until users reached it.",
            |figures| median(&figures.lead_time),
        ),
        ("stagegate_change_fail_ratio", "Failed promotions of those that changed the target.", |figures| {
            figures.change_fail.ratio
        }),
        ("stagegate_recovery_median_seconds", "Median time until the earlier release was back.", |figures| {
            median(&figures.recovery)
        }),
        ("stagegate_rework_ratio", "Promotions right after a failed one, of those after another one.", |figures| {
            figures.rework.ratio
        }),
    ];
    for (name, help, of) in gauges {
        out.head(name, "gauge", help);
        for one in environments {
            if let Some(value) = of(&one.figures) {
                out.sample(name, &[("environment", &one.environment)], value);
            }
        }
    }
}

#[derive(Default)]
struct Text {
    text: String,
}

impl Text {
    fn head(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let _ = writeln!(self.text, "{name}{{{}}} {value}", labels.join(","));
    }

    fn histogram(&mut self, name: &str, labels: &[(&str, &str)], seconds: &[f64]) {
        let bounds = BUCKETS.iter().map(|bound| (*bound, bound.to_string()));
        for (bound, text) in bounds.chain([(f64::INFINITY, "+Inf".to_owned())]) {
            let count = seconds.iter().filter(|one| **one <= bound).count();
            let with_bound: Vec<(&str, &str)> = labels.iter().copied().chain([("le", text.as_str())]).collect();
            self.sample(&format!("{name}_bucket"), &with_bound, count);
        }
        self.sample(&format!("{name}_sum"), labels, seconds.iter().fold(0.0, |all, one| all + one));
        self.sample(&format!("{name}_count"), labels, seconds.len());
    }
}

/// Returns a label's value with what would end it escaped.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::CheckResult;

    fn watch() -> State {
        let mut state = State { round_at: 1_700_000_000, ..State::default() };
        let look =
            |check: &str, problem: Option<String>| CheckResult { is_certain: true, ..CheckResult::new(check, problem) };
        let looks = [look("disk", None), look("service \"x\n", Some("it exited".to_owned()))];
        let _ = state.checks.round(&looks, 1_700_000_000);
        state
    }

    #[test]
    fn each_check_of_the_watch_is_up_or_not() {
        let none = Measured {
            environment: "e".to_owned(),
            runs: Vec::new(),
            figures: Figures::default(),
            open_incidents: 0,
            backup_age_seconds: None,
            backups_ok: None,
            watch: None,
        };
        assert!(!text(std::slice::from_ref(&none)).contains("stagegate_watch_up{"));
        let text = text(&[Measured { watch: Some(watch()), ..none }]);
        for line in [
            "stagegate_watch_up{environment=\"e\",check=\"disk\"} 1",
            "stagegate_watch_up{environment=\"e\",check=\"service \\\"x\\n\"} 0",
            "stagegate_watch_round_timestamp_seconds{environment=\"e\"} 1700000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}: {text}");
        }
    }

    #[test]
    fn a_hostile_name_stays_in_its_label() {
        let hostile = Measured {
            environment: "a\"} 1\nevil{x=\"\\".to_owned(),
            runs: Vec::new(),
            figures: Figures::default(),
            open_incidents: 0,
            backup_age_seconds: Some(7),
            backups_ok: None,
            watch: Some(watch()),
        };
        let text = text(&[hostile]);
        assert!(text.ends_with('\n'));
        assert!(!text.lines().any(|line| line.starts_with("evil")), "{text}");
        assert!(
            text.contains("stagegate_backup_age_seconds{environment=\"a\\\"} 1\\nevil{x=\\\"\\\\\"} 7\n"),
            "{text}"
        );
    }

    #[test]
    fn a_histogram_counts_each_bucket_with_those_below_it() {
        let mut out = Text::default();
        out.histogram("x", &[("environment", "e")], &[0.05, 4.0, 5.0, 5_000.0]);
        let value = |of: &str| {
            let line = out.text.lines().find(|line| line.starts_with(of)).map(str::to_owned);
            line.unwrap_or_default().rsplit(' ').next().unwrap_or_default().to_owned()
        };
        assert_eq!(value("x_bucket{environment=\"e\",le=\"0.1\"}"), "1");
        assert_eq!(value("x_bucket{environment=\"e\",le=\"5\"}"), "3");
        assert_eq!(value("x_bucket{environment=\"e\",le=\"3600\"}"), "3");
        assert_eq!(value("x_bucket{environment=\"e\",le=\"+Inf\"}"), "4");
        assert_eq!((value("x_sum"), value("x_count")), ("5009.05".to_owned(), "4".to_owned()));
    }
}
