//! The exit codes of `gate`: which end of a run, and which cause of a failure, gives which code. The only place.

use serde::{Deserialize, Serialize};

/// How a run of `gate` ended, as the shell sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// Every required check passed, or the release was promoted.
    Passed,
    /// A bug in `gate`.
    Unexpected,
    /// The command line or the configuration is wrong; nothing was touched.
    Usage,
    /// A failed check blocks the release; the target was not touched.
    Held,
    /// A required check could not run, or what the command needs did not work.
    Inconclusive,
    /// The target was changed, rolled back and verified.
    RolledBack,
    /// Manual action required: stuck, or rolled back but not verified.
    PersonNeeded,
    /// Another run holds the lock.
    Locked,
    /// A signal ended the command: Ctrl-C, SIGTERM or SIGHUP.
    Interrupted,
}

impl Exit {
    /// Returns the number that the process exits with.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Exit::Passed => 0,
            Exit::Unexpected => 1,
            Exit::Usage => 2,
            Exit::Held => 3,
            Exit::Inconclusive => 4,
            Exit::RolledBack => 5,
            Exit::PersonNeeded => 6,
            Exit::Locked => 7,
            // What a shell reports for a program that SIGINT ended: 128 and the signal's number.
            Exit::Interrupted => 130,
        }
    }
}

impl Exit {
    /// Returns the end that a program with this code had; nothing where none has it.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        let all = [
            Exit::Passed,
            Exit::Unexpected,
            Exit::Usage,
            Exit::Held,
            Exit::Inconclusive,
            Exit::RolledBack,
            Exit::PersonNeeded,
            Exit::Locked,
            Exit::Interrupted,
        ];
        all.into_iter().find(|exit| exit.code() == code)
    }
}

/// What made a command fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The command line: an unknown name, a missing option, a refused confirmation.
    Usage,
    /// `stagegate.toml` or a file that it names.
    Configuration,
    /// Docker Engine is not reachable or refused a request.
    Docker,
    /// A database is not reachable or refused a statement.
    Database,
    /// A program (Compose, git, `pg_dump`) could not be run, failed or took too long.
    Program,
    /// A file or folder cannot be read or written.
    File,
    /// Something could not be measured or checked.
    NotRun,
    /// A check or a service failed.
    Blocked,
    /// A run that only a person can go on with.
    ManualAction,
    /// Another run is active.
    Locked,
    /// A signal.
    Interrupted,
    /// None of these: a bug.
    Unexpected,
}

impl Cause {
    /// Returns how a command ends that failed of it.
    #[must_use]
    pub fn exit(self) -> Exit {
        match self {
            Cause::Usage | Cause::Configuration => Exit::Usage,
            Cause::Docker | Cause::Database | Cause::Program | Cause::File | Cause::NotRun => Exit::Inconclusive,
            Cause::Blocked => Exit::Held,
            Cause::ManualAction => Exit::PersonNeeded,
            Cause::Locked => Exit::Locked,
            Cause::Interrupted => Exit::Interrupted,
            Cause::Unexpected => Exit::Unexpected,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const ALL: [Exit; 9] = [
        Exit::Passed,
        Exit::Unexpected,
        Exit::Usage,
        Exit::Held,
        Exit::Inconclusive,
        Exit::RolledBack,
        Exit::PersonNeeded,
        Exit::Locked,
        Exit::Interrupted,
    ];

    #[test]
    fn the_table_of_the_readme_has_every_code_and_no_other() {
        let readme = include_str!("../../../README.md");
        let table = readme.split("## Exit codes").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
        let first = |line: &str| line.trim_start_matches('|').split('|').next().unwrap_or_default().trim().parse().ok();
        let codes: Vec<u8> = table.lines().filter_map(first).collect();
        assert_eq!(codes, ALL.map(Exit::code));
    }

    #[rstest]
    #[case::command_line(Cause::Usage, 2)]
    #[case::configuration(Cause::Configuration, 2)]
    #[case::docker(Cause::Docker, 4)]
    #[case::database(Cause::Database, 4)]
    #[case::program(Cause::Program, 4)]
    #[case::file(Cause::File, 4)]
    #[case::not_run(Cause::NotRun, 4)]
    #[case::blocked(Cause::Blocked, 3)]
    #[case::manual(Cause::ManualAction, 6)]
    #[case::locked(Cause::Locked, 7)]
    #[case::interrupted(Cause::Interrupted, 130)]
    #[case::a_bug(Cause::Unexpected, 1)]
    fn each_cause_has_its_exit_code(#[case] cause: Cause, #[case] code: u8) {
        assert_eq!(cause.exit().code(), code);
    }
}
