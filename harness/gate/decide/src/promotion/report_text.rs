//! What a step left, as the operator reads it in one line.

use std::time::Duration;

use super::{
    Backup, Checks, Compatibility, CrossVersionReport, DataRollback, Deployment, Freeze, Health, Impact, Migrations,
    MovedTraffic, Ports, Rehearsal, RollbackChecks, StartReport, StepReport, SwitchedVolume, Tier, TrafficBack,
    UndoReport, Validation, VolumeRollback,
};
use stagegate_base::{text::counted, units::Size};

impl StepReport {
    /// Returns what the step left, in one line; empty where that it succeeded is all.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            StepReport::Validate(validation) => validation.text(),
            StepReport::Prepare(preparation) => named("services", &preparation.services),
            StepReport::BackUp(backup) => backup.text(),
            StepReport::Rehearse(rehearsal) => rehearsal.text(),
            StepReport::Freeze(freeze) => freeze.text(),
            StepReport::Clone(copies) => {
                let what = if copies.tier == Tier::Restore { "dumped" } else { "copied" };
                format!("{what} in {:.1} s", copies.seconds)
            }
            StepReport::CopyVolumes(copies) => copies.text(),
            StepReport::Migrate(migrations) => migrations.text(),
            StepReport::Deploy(deployment) => deployment.text(),
            StepReport::Verify(checks) => checks.text(),
            StepReport::MoveTraffic(moved) => moved.text(),
            StepReport::Confirm(confirmed) => confirmed.text(),
            StepReport::VerifyRollback(rollback) => rollback.text(),
            StepReport::Prune(pruned) if !pruned.rollback_points.is_empty() => {
                format!("{} removed", counted(pruned.rollback_points.len(), "old rollback point"))
            }
            StepReport::Prune(_)
            | StepReport::Preflight
            | StepReport::OpenPorts
            | StepReport::StartPrevious
            | StepReport::Notify => String::new(),
        }
    }
}

impl UndoReport {
    /// Returns what the undo left, in one line; empty where that it succeeded is all.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            UndoReport::Migrate(rollback) => rollback.text(),
            UndoReport::CopyVolumes(rollback) => rollback.text(),
            UndoReport::MoveTraffic(back) => back.text(),
            UndoReport::Deploy(configuration) => {
                let files: Vec<String> =
                    configuration.env_files.iter().map(|path| path.display().to_string()).collect();
                named("env files restored", &files)
            }
            _ => String::new(),
        }
    }
}

fn named<S: std::borrow::Borrow<str>>(what: &str, names: &[S]) -> String {
    if names.is_empty() { String::new() } else { format!("{what}: {}", names.join(", ")) }
}

impl Checks {
    /// Returns the counts, and below them what the release logs of new errors.
    fn text(&self) -> String {
        let errors: String = self.log_errors.iter().map(|error| format!("\n     WARN {error}")).collect();
        format!("{}{errors}", self.summary)
    }
}

impl Validation {
    fn text(&self) -> String {
        let Checks { summary, .. } = &self.checks;
        match self.readiness.and_then(|readiness| readiness.score) {
            Some(score) => format!("{summary}, readiness {score}"),
            None => summary.clone(),
        }
    }
}

impl Migrations {
    fn text(&self) -> String {
        let volumes = self.volumes.as_ref().map(VolumeRollback::text).filter(|text| !text.is_empty());
        let volumes = volumes.map(|text| format!("; volumes {text}")).unwrap_or_default();
        format!("migrations {:.1} s{volumes}", self.seconds)
    }
}

impl RollbackChecks {
    fn text(&self) -> String {
        let mut text = self.checks.summary.clone();
        if !self.kept_rows.is_empty() {
            text += &format!(", rows of the failed release are kept in {}", self.kept_rows.join(", "));
        }
        if !self.volumes.is_empty() {
            let volumes: Vec<String> = self.volumes.iter().map(SwitchedVolume::compared).collect();
            text += &format!(", volumes {}", volumes.join(", "));
        }
        text += &named("; not rolled back, of the whole server", &self.server_wide);
        text + &self.late.as_ref().map(|late| format!("; {late}")).unwrap_or_default()
    }
}

impl Backup {
    fn text(&self) -> String {
        let Backup { rows, bytes, tag } = self;
        match bytes {
            0 => format!("no database; rollback point {tag}"),
            _ => format!("{}, {}, restored and compared; rollback point {tag}", Size(*bytes), counted(*rows, "row")),
        }
    }
}

impl Rehearsal {
    fn text(&self) -> String {
        if let Some(found) = &self.earlier {
            return format!("the earlier release on a copy of the current data: {}", found.word());
        }
        let mut parts = vec![format!("migrations {:.1} s", self.migration_seconds)];
        let several = self.impacts.len() > 1;
        parts.extend(self.impacts.iter().map(|impact| impact.text(several)));
        let cross_versions = self.cross_versions.as_ref().map(CrossVersionReport::text).unwrap_or_default();
        let start = self.start.as_ref().map_or("", StartReport::text);
        let server = named("; a rollback will not undo, of the whole server", &self.server_wide);
        let expected = self.expected.as_ref().map(|expected| format!(", {}", expected.text())).unwrap_or_default();
        format!("{}{start}; rollback: {}{expected}{cross_versions}{server}", parts.join(", "), self.tier.text())
    }
}

impl StartReport {
    fn text(&self) -> &'static str {
        match self {
            StartReport::Unchanged => "; the candidate's start changes no data",
            StartReport::Changed => "; the candidate's start changes data",
            StartReport::Unknown { .. } => "; the candidate did not become healthy on the copy",
        }
    }
}

impl Impact {
    fn text(&self, with_name: bool) -> String {
        if with_name { format!("{}: {}", self.database, self.summary) } else { self.summary.clone() }
    }
}

impl Tier {
    /// Returns the tier as the operator reads it.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Tier::Code => "code only",
            Tier::Swap => "instant database swap",
            Tier::Restore => "restore of a dump",
        }
    }
}

impl CrossVersionReport {
    fn text(&self) -> String {
        format!(
            "; live release on the new schema: {}; candidate on the old schema: {}",
            self.live_on_new.word(),
            self.candidate_on_old.word()
        )
    }
}

impl Compatibility {
    fn word(&self) -> String {
        let only_ports = if self.only_ports { " by its ports alone (no `health` of [services] is set)" } else { "" };
        format!("{}{only_ports}", self.health.word())
    }
}

impl Health {
    fn word(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Unhealthy => "not healthy",
            Health::Unknown => "unknown",
        }
    }
}

impl Freeze {
    fn text(&self) -> String {
        [named("stopped", &self.stopped), watchdog(self.watchdog.as_ref())].concat()
    }
}

impl Deployment {
    fn text(&self) -> String {
        let traffic = match (self.ports, &self.reachable[..]) {
            (Ports::Closed, []) => "traffic off until verified".to_owned(),
            (Ports::Closed, open) => format!("traffic off until verified, except to {}", open.join(", ")),
            (Ports::Open, _) => "traffic on".to_owned(),
        };
        [traffic, watchdog(self.watchdog.as_ref())].concat()
    }
}

fn watchdog(armed: Option<&String>) -> String {
    armed.map_or_else(String::new, |armed| format!("; watchdog: {armed}"))
}

fn cut_text(cut: u64) -> String {
    if cut == 0 { String::new() } else { format!(", {} had not ended in time", counted(cut, "connection")) }
}

impl MovedTraffic {
    fn text(&self) -> String {
        let MovedTraffic { services, drained_ms, cut, canary, checks, .. } = self;
        match services.is_empty() {
            true => checks.text(),
            false => format!(
                "{} moved, drained in {:.1} s{}; {}{}",
                services.join(", "),
                Duration::from_millis(*drained_ms).as_secs_f64(),
                cut_text(*cut),
                canary.iter().map(|found| format!("{found}; ")).collect::<String>(),
                checks.text()
            ),
        }
    }
}

impl TrafficBack {
    fn text(&self) -> String {
        match self.services.is_empty() {
            true => String::new(),
            false => {
                format!("{} moved back in {} ms{}", self.services.join(", "), self.moved_ms, cut_text(self.cut))
            }
        }
    }
}

impl DataRollback {
    fn text(&self) -> String {
        let kept: Vec<&str> = self.databases.iter().map(|database| database.kept_as.as_str()).collect();
        let kept = if kept.is_empty() { String::new() } else { format!("; failed state kept as {}", kept.join(", ")) };
        let emptied: Vec<&str> = self.databases.iter().flat_map(|d| &d.emptied).map(String::as_str).collect();
        let emptied = named("; emptied by a crash of the server", &emptied);
        let differs: Vec<&str> = self.databases.iter().flat_map(|d| &d.differs).map(String::as_str).collect();
        let differs = named("; not as before", &differs);
        format!("database switched in {:.2} s{kept}{emptied}{differs}", self.switch_seconds)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::promotion::{Compatibility, ConfigurationRollback, Pruned, ReadinessReport, SwitchedDatabase};

    fn impact(database: &str, summary: &str) -> Impact {
        Impact { database: database.into(), summary: summary.into(), longest_stall_ms: Some(0) }
    }

    fn rehearsal(tier: Tier, impacts: Vec<Impact>, cross_versions: Option<CrossVersionReport>) -> StepReport {
        StepReport::Rehearse(Rehearsal {
            tier,
            migration_seconds: 2.63,
            impacts,
            cross_versions,
            start: None,
            earlier: None,
            server_wide: Vec::new(),
            expected: None,
        })
    }

    fn crossed(live: Health, candidate: Health) -> Option<CrossVersionReport> {
        let found = |health| Compatibility { health, only_ports: false, reasons: Vec::new() };
        Some(CrossVersionReport { live_on_new: found(live), candidate_on_old: found(candidate) })
    }

    fn validation() -> Validation {
        let checks = Checks {
            summary: "21/21 required checks passed, 1 warning".into(),
            warnings: vec!["a".into()],
            log_errors: Vec::new(),
        };
        Validation { checks, readiness: Some(ReadinessReport { score: Some(95), band: None }), ..Validation::default() }
    }

    #[rstest]
    #[case::backup(StepReport::BackUp(Backup { bytes: 2669, rows: 1, tag: "rollback-1".into() }),
        "2.6 KiB, 1 row, restored and compared; rollback point rollback-1")]
    #[case::no_database(StepReport::BackUp(Backup { bytes: 0, rows: 0, tag: "rollback-1".into() }),
        "no database; rollback point rollback-1")]
    #[case::rehearsal(rehearsal(Tier::Code, vec![impact("main", "0 of 42 requests failed, longest stall 0 ms")], None),
        "migrations 2.6 s, 0 of 42 requests failed, longest stall 0 ms; rollback: code only")]
    #[case::cross_version(
        rehearsal(Tier::Swap, vec![impact("a", "x"), impact("b", "y")], crossed(Health::Healthy, Health::Unknown)),
        "migrations 2.6 s, a: x, b: y; rollback: instant database swap; live release on the new schema: healthy; \
         candidate on the old schema: unknown")]
    #[case::checks(StepReport::Validate(validation()), "21/21 required checks passed, 1 warning, readiness 95")]
    #[case::closed(StepReport::Deploy(Deployment { ports: Ports::Closed, reachable: Vec::new(), watchdog: None }),
        "traffic off until verified")]
    #[case::reachable(StepReport::Deploy(Deployment { ports: Ports::Closed, reachable: vec!["api (network p)".into()], watchdog: None }),
        "traffic off until verified, except to api (network p)")]
    #[case::watched(StepReport::Freeze(Freeze { stopped: vec!["web".into()], watchdog: Some("process 7, 20m".into()) }),
        "stopped: web; watchdog: process 7, 20m")]
    #[case::start(StepReport::Rehearse(Rehearsal {
            tier: Tier::Swap, migration_seconds: 0.0, impacts: vec![], cross_versions: None, start: Some(StartReport::Changed),
            earlier: None,
            server_wide: vec!["role x is new (DROP ROLE x)".into()],
            expected: Some(crate::promotion::ExpectedRollback { checks_seconds: 12.0, switch_seconds: 0.04, ..Default::default() }),
        }), "migrations 0.0 s; the candidate's start changes data; rollback: instant database swap, expected to take 12.0 s (switch 0.04 s, checks 12.00 s) and \
         the restart of the services; a rollback will not undo, of the whole \
         server: role x is new (DROP ROLE x)")]
    #[case::migrated(StepReport::Migrate(Migrations { seconds: 2.64, volumes: None }), "migrations 2.6 s")]
    #[case::pruned(StepReport::Prune(Pruned { rollback_points: vec!["x".into()], left: Vec::new() }),
        "1 old rollback point removed")]
    #[case::logged(StepReport::Verify(Checks { summary: "5/5".into(), log_errors: vec!["api logs x".into()], ..Checks::default() }),
        "5/5\n     WARN api logs x")]
    #[case::nothing(StepReport::OpenPorts, "")]
    fn a_step_reads_as_a_sentence(#[case] report: StepReport, #[case] want: &str) {
        assert_eq!(report.text(), want);
    }

    #[rstest]
    #[case::switched(UndoReport::Migrate(DataRollback {
            switch_seconds: 0.42,
            databases: vec![SwitchedDatabase {
                database: "shop".into(),
                kept_as: "shop__failed_1".into(),
                emptied: vec!["public.cache (12 rows)".into()],
                differs: vec!["large objects: contents differ".into()],
            }],
        }), "database switched in 0.42 s; failed state kept as shop__failed_1; emptied by a crash of the server: public.cache (12 rows); not as before: \
         large objects: contents differ")]
    #[case::files(UndoReport::Deploy(ConfigurationRollback { env_files: vec!["/srv/.env".into()] }),
        "env files restored: /srv/.env")]
    #[case::nothing(UndoReport::Freeze, "")]
    fn an_undo_reads_as_a_sentence(#[case] report: UndoReport, #[case] want: &str) {
        assert_eq!(report.text(), want);
    }

    #[test]
    fn what_was_moved_is_one_line() {
        let checks =
            Checks { summary: "5/5 required checks passed".into(), warnings: Vec::new(), log_errors: Vec::new() };
        let moved = MovedTraffic {
            services: vec!["web".into()],
            ready_ms: 900,
            drained_ms: 2_040,
            cut: 0,
            canary: Vec::new(),
            checks: checks.clone(),
        };
        assert_eq!(moved.text(), "web moved, drained in 2.0 s; 5/5 required checks passed");
        assert_eq!(
            MovedTraffic { cut: 2, ..moved }.text(),
            "web moved, drained in 2.0 s, 2 connections had not ended in time; 5/5 required checks passed"
        );
        let back = TrafficBack { services: vec!["web".into()], moved_ms: 12, cut: 0 };
        assert_eq!((back.text().as_str(), TrafficBack::default().text()), ("web moved back in 12 ms", String::new()));
        assert_eq!(MovedTraffic { checks, ..MovedTraffic::default() }.text(), "5/5 required checks passed");
    }
}
