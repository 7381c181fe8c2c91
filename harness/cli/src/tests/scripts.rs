//! Holds the scripts for operators against the commands that they call: each is run with a program in the place of `gate`
//! that writes its arguments down.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap::Parser;

use super::{built, root};
use crate::Cli;

/// Writes its arguments down, prints a line on each stream, and exits as `FAIL` states: `test=3` fails `gate test` with 3.
const STAND_IN: &str = "#!/usr/bin/env bash
echo \"$*\" >>\"$CALLS\"
echo \"to stdout: $1\"
echo \"to stderr: $1\" >&2
[ \"${FAIL%=*}\" != \"$1\" ] || exit \"${FAIL#*=}\"
";

/// A folder with a product in it, and the program in the place of `gate`.
struct Product(PathBuf);

impl Product {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("stagegate-scripts-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("deep/er")).unwrap();
        fs::write(dir.join("stagegate.toml"), "").unwrap();
        fs::write(dir.join("gate"), STAND_IN).unwrap();
        fs::set_permissions(dir.join("gate"), fs::Permissions::from_mode(0o755)).unwrap();
        Product(dir)
    }

    /// Returns a call of a script, in a folder below the product's.
    fn call(&self, script: &str, args: &[&str]) -> Command {
        let mut command = Command::new("bash");
        command.arg(root().join("scripts").join(script)).args(args).current_dir(self.0.join("deep/er"));
        for name in ["DEBUG", "LOG_DIR", "LAPTOP_ENV", "STAGING_ENV", "PRODUCTION_ENV", "FAIL"] {
            command.env_remove(name);
        }
        command.env("GATE", self.0.join("gate")).env("CALLS", self.0.join("calls"));
        command
    }

    /// Returns how `gate` was called since the last time.
    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.0.join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.0.join("calls"));
        text.lines().map(str::to_owned).collect()
    }

    /// Returns the only log of an environment.
    fn log(&self, environment: &str) -> String {
        let files = logs(&self.0.join("logs").join(environment));
        assert_eq!(files.len(), 1, "{files:?}");
        assert!(!self.0.join("logs/.gitignore").exists(), "`logs` may be the product's own");
        fs::read_to_string(&files[0]).unwrap()
    }
}

/// Returns the logs in an environment's folder, which keeps itself out of git.
fn logs(folder: &Path) -> Vec<PathBuf> {
    assert_eq!(fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.file_name().is_some_and(|name| name != ".gitignore")).collect()
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

/// Returns the names of the scripts for operators.
pub(super) fn scripts() -> Vec<String> {
    let files = fs::read_dir(root().join("scripts")).unwrap().map(|entry| entry.unwrap().path());
    let is_operators = |path: &PathBuf| {
        fs::read_to_string(path)
            .is_ok_and(|text| text.contains("\n. \"$(dirname \"${BASH_SOURCE[0]}\")/operate.sh\"\n"))
    };
    let mut names: Vec<String> =
        files.filter(is_operators).map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What each script calls: its arguments, and the calls of `gate`.
const CALLS: [(&str, &str, &[&str]); 31] = [
    (
        "backup-database.sh",
        "production main",
        &["backup --env production --database main", "backup prune --env production --yes"],
    ),
    ("backup-storage.sh", "production uploads", &["backup --env production --volume uploads"]),
    ("compare-environments.sh", "", &["compare staging production"]),
    ("compare-environments.sh", "laptop staging --no-suites", &["compare laptop staging --no-suites"]),
    ("deploy-staging.sh", "", &["up --env staging --release HEAD", "test --env staging health"]),
    ("deploy-staging.sh", "--env server --release v2", &["up --env staging --release v2", "test --env staging health"]),
    ("deploy-staging.sh", "--env laptop", &["up --env laptop", "test --env laptop health"]),
    (
        "deploy-staging.sh",
        "--env production --release v1 --confirm production",
        &["up --env production --release v1 --confirm production", "test --env production health"],
    ),
    ("health-check.sh", "", &["status --env staging", "test --env staging health"]),
    (
        "health-check.sh",
        "staging production",
        &[
            "status --env staging",
            "test --env staging health",
            "status --env production",
            "test --env production health",
        ],
    ),
    ("promote-to-production.sh", "--plan", &["promote --from staging --to production --plan"]),
    ("promote-to-production.sh", "--from laptop --yes", &["promote --from laptop --to production --yes"]),
    ("promote-to-staging.sh", "", &["promote --from laptop --to staging"]),
    ("restore-database.sh", "staging latest --database main", &["restore --env staging latest --database main"]),
    ("restore-storage.sh", "staging latest uploads", &["restore --env staging latest --volume uploads"]),
    ("rollback.sh", "", &["rollback --env production"]),
    ("rollback.sh", "--list", &["rollback --env production --list"]),
    (
        "rollback.sh",
        "--tag rollback-20260102-030405 --with-data",
        &["rollback --env production --to rollback-20260102-030405 --with-data"],
    ),
    ("rollback.sh", "--env staging --emergency", &["rollback --env staging --yes"]),
    ("status-dev.sh", "", &["env", "status --env laptop"]),
    ("status-dev.sh", "staging --json", &["env", "status --env staging --json"]),
    ("sync-production-data.sh", "", &["sync --from production --to staging"]),
    ("sync-production-data.sh", "laptop --from staging --dry-run", &["sync --from staging --to laptop --dry-run"]),
    ("sync-production-data.sh", "--yes", &["sync --from production --to staging --yes"]),
    (
        "test-promotion.sh",
        "production",
        &["compare staging production", "promote --from staging --to production --plan"],
    ),
    ("test-promotion.sh", "staging", &["compare laptop staging", "promote --from laptop --to staging --plan"]),
    (
        "test-promotion.sh",
        "staging --from production",
        &["compare production staging", "promote --from production --to staging --plan"],
    ),
    ("test-workflows.sh", "", &["test --env staging workflows --verbose"]),
    ("test-workflows.sh", "--staging", &["test --env staging workflows --verbose"]),
    ("test-workflows.sh", "--production --json", &["test --env production workflows --verbose --json"]),
    ("test-workflows.sh", "--env laptop", &["test --env laptop workflows --verbose"]),
];

#[test]
fn each_script_calls_commands_that_exist() {
    let product = Product::new("calls");
    for (script, args, expected) in CALLS {
        let words: Vec<&str> = args.split_whitespace().collect();
        let output = product.call(script, &words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{script} {args}: {}", text(&output));
        let calls = product.calls();
        assert_eq!(calls, expected, "{script} {args}");
        for call in calls {
            let parsed = Cli::try_parse_from(["gate"].into_iter().chain(call.split(' ')));
            assert!(parsed.is_ok(), "{script} {args}: {}", parsed.unwrap_err());
        }
    }
    for script in scripts() {
        assert!(CALLS.iter().any(|(name, ..)| *name == script), "{script} is not tested");
    }
}

#[test]
fn each_help_names_the_options_of_its_script_and_none_besides() {
    let product = Product::new("help");
    let scripts = scripts();
    assert!(scripts.len() >= 14, "{scripts:?}");
    for script in scripts {
        let output = product.call(&script, &["--help"]).output().unwrap();
        let help = text(&output);
        assert_eq!(output.status.code(), Some(0), "{script}: {help}");
        assert!(help.contains(&format!("usage: scripts/{script}")), "{script}: {help}");
        let source = fs::read_to_string(root().join("scripts").join(&script)).unwrap();
        for option in cases(&source) {
            assert!(help.contains(&option), "{script} --help does not name {option}");
        }
        for option in options(&help) {
            let own = cases(&source).contains(&option) || option == "--help";
            assert!(own || is_of_gate(&source, &option), "{script} --help names {option}, which it does not take");
        }
    }
}

/// Returns the options that a script itself reads: patterns of `case`, and comparisons.
pub(super) fn cases(source: &str) -> Vec<String> {
    let code = source.lines().filter(|line| !line.trim_start().starts_with('#'));
    let patterns = code.flat_map(|line| {
        let case = line.trim().split(')').next().filter(|case| case.starts_with("--")).unwrap_or_default();
        let compared = line.split(" = ").nth(1).filter(|text| text.starts_with("--")).unwrap_or_default();
        options(case).into_iter().chain(options(compared.split(' ').next().unwrap_or_default())).collect::<Vec<_>>()
    });
    patterns.collect()
}

/// Returns the words of a text that are long options.
pub(super) fn options(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.len() > 3).map(str::to_owned).collect()
}

/// Returns whether a command that a script calls has an option.
pub(super) fn is_of_gate(source: &str, option: &str) -> bool {
    let called: Vec<&str> =
        source.split("\"$GATE\" ").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    // `step` of a script passes its first word on.
    let steps = source.lines().filter_map(|line| line.strip_prefix("step ")?.split(' ').next());
    let root = built();
    called.into_iter().chain(steps).filter_map(|name| root.find_subcommand(name)).any(|command| {
        command.get_arguments().any(|argument| argument.get_long() == Some(option.trim_start_matches('-')))
    })
}

#[test]
fn a_script_exits_as_gate_does_and_goes_no_further() {
    let product = Product::new("exit");
    for (script, args, fail, calls) in [
        ("deploy-staging.sh", "", "up=3", 1),
        ("deploy-staging.sh", "", "test=4", 2),
        ("promote-to-production.sh", "--yes", "promote=5", 1),
        ("rollback.sh", "--emergency", "rollback=6", 1),
        ("backup-database.sh", "production", "backup=7", 1),
        // These look at all of it, and report the first failure.
        ("health-check.sh", "staging production", "test=3", 4),
        ("test-promotion.sh", "production", "compare=3", 2),
        ("status-dev.sh", "", "status=130", 2),
    ] {
        let words: Vec<&str> = args.split_whitespace().collect();
        let output = product.call(script, &words).env("FAIL", fail).output().unwrap();
        let code: i32 = fail.split('=').nth(1).unwrap().parse().unwrap();
        assert_eq!(output.status.code(), Some(code), "{script}: {}", text(&output));
        assert_eq!(product.calls().len(), calls, "{script}");
    }
}

#[test]
fn what_a_script_did_is_in_a_log_of_the_day_that_others_cannot_read() {
    let product = Product::new("log");
    let output = product.call("promote-to-production.sh", &["--yes"]).env("FAIL", "promote=5").output().unwrap();
    assert!(text(&output).contains("to stdout: promote\n") && text(&output).contains("to stderr: promote\n"));
    let log = product.log("production");
    let lines: Vec<&str> = log.lines().collect();
    assert_eq!(lines[0], "# stagegate log: promote of production");
    assert!(lines[1].ends_with("/gate promote --from staging --to production --yes"), "{log}");
    assert!(log.contains("to stdout: promote\n") && log.contains("to stderr: promote\n"), "{log}");
    assert!(lines[4].ends_with(" exit code 5"), "{log}");
    product.call("promote-to-production.sh", &["--yes"]).output().unwrap();
    assert_eq!(product.log("production").matches("# stagegate log").count(), 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    let folder = product.0.join("logs/production");
    let file = logs(&folder).remove(0);
    assert_eq!((mode(&folder), mode(&file)), (0, 0));
    let git = |args: &[&str]| Command::new("git").current_dir(&product.0).args(args).output().unwrap();
    git(&["init", "--quiet"]);
    let status = text(&git(&["status", "--short", "--untracked-files=all"]));
    assert!(status.contains("stagegate.toml") && !status.contains("logs/"), "{status}");
}

#[test]
fn a_script_refuses_what_it_cannot_do_and_calls_nothing() {
    let product = Product::new("refuse");
    for (script, args, expected) in [
        ("deploy-staging.sh", "--env", "--env needs a value"),
        ("rollback.sh", "--tag", "--tag needs a value"),
        ("rollback.sh", "--emergency --with-data", "--emergency takes no other options"),
        ("test-promotion.sh", "", "usage: scripts/test-promotion.sh ENV"),
        ("restore-database.sh", "staging", "usage: scripts/restore-database.sh ENV BACKUP"),
        ("health-check.sh", "../staging", "is no name of an environment"),
        ("compare-environments.sh", "staging", "usage: scripts/compare-environments.sh"),
    ] {
        let words: Vec<&str> = args.split_whitespace().collect();
        let output = product.call(script, &words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{script} {args}");
        assert!(text(&output).contains(expected), "{script} {args}: {}", text(&output));
        assert_eq!(product.calls(), [] as [String; 0], "{script} {args}");
    }
    let output = product.call("health-check.sh", &[]).current_dir("/").output().unwrap();
    assert_eq!((output.status.code(), product.calls().len()), (Some(2), 0));
    assert!(text(&output).contains("no stagegate.toml in / or a folder above"), "{}", text(&output));
    let output = product.call("health-check.sh", &[]).env("GATE", "/nowhere/gate").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output).contains("/nowhere/gate is not installed"), "{}", text(&output));
}

#[test]
fn a_log_that_cannot_be_written_does_not_stop_a_rollback() {
    let product = Product::new("full");
    fs::write(product.0.join("logs"), "a file where the folder should be").unwrap();
    let output = product.call("rollback.sh", &["--emergency"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("note: there is no log of this"), "{}", text(&output));
    assert_eq!(product.calls(), ["rollback --env production --yes"]);
}

#[test]
fn environments_can_have_other_names_and_logs_another_folder() {
    let product = Product::new("names");
    let mut call = product.call("promote-to-production.sh", &[]);
    let logs = product.0.join("elsewhere");
    let output = call.env("PRODUCTION_ENV", "live").env("STAGING_ENV", "pre").env("LOG_DIR", &logs).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(product.calls(), ["promote --from pre --to live"]);
    assert_eq!(self::logs(&logs.join("live")).len(), 1);
    assert!(!product.0.join("logs").exists());
    let debug = product.call("status-dev.sh", &[]).env("DEBUG", "true").output().unwrap();
    assert!(text(&debug).contains("gate env\n") && text(&debug).contains("+ "), "{}", text(&debug));
}
