//! Proof that real shells complete the names of a product, without Docker and before anybody notices.

use std::{
    fs,
    io::Write,
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use crate::world::gate;

const CONFIG: &str = "[project]\nname = \"shop\"\nstate_dir = \"state\"\n[environments.staging]\n[environments.production]\n\
                      [services.api]\nport = 80\ncontract = \"api.json\"\n[services.db]\nkind = \"postgres\"\n\
                      [databases.main]\nservice = \"db\"\nname = \"shop\"\n[volumes.uploads]\nvolume = \"uploads\"\n";
const CONTRACT: &str = r#"{"openapi":"3.0.0","info":{"title":"x","version":"1"},"paths":{"/a":{"get":{"operationId":"list_a",
    "responses":{"200":{"description":"x"}}}}}}"#;
/// A shell waits for it while somebody types; a debug build on a busy machine is slower than what is shipped.
const AT_MOST: Duration = Duration::from_millis(500);

struct Product(PathBuf);

impl Product {
    fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("proof-completions-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        let run = dir.join("state/shop-production/runs/20260102-030405-ab12");
        fs::create_dir_all(&run).unwrap();
        fs::write(run.join("journal.jsonl"), "").unwrap();
        fs::write(dir.join("stagegate.toml"), CONFIG).unwrap();
        fs::write(dir.join("api.json"), CONTRACT).unwrap();
        fs::write(dir.join("compose.yaml"), "services: {}\n").unwrap();
        Product(dir)
    }

    /// Runs a script of a shell that finds `gate`, and no Docker.
    fn shell(&self, program: &str, script: &str) -> String {
        let path = format!("{}:{}", gate().parent().unwrap().display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(program);
        let without_own_files = match program {
            "zsh" => "-f",
            "fish" => "--no-config",
            _ => "--norc",
        };
        command.args([without_own_files, "-c", script]);
        command.env("PATH", path).env("DOCKER_HOST", "unix:///nowhere").env_remove("STAGEGATE_ENV");
        let output = command.current_dir(&self.0).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    /// Returns what Bash completes at the end of a line.
    fn bash(&self, line: &str) -> Vec<String> {
        let script = format!(
            "source <(gate completions bash); COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; _gate 2>/dev/null\n\
             printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        self.shell("bash", &script).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }
}

impl Drop for Product {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn bash_completes_the_names_of_the_product() {
    let product = Product::new("bash");
    let cases: [(&str, &[&str]); 14] = [
        ("gate test --env ", &["ephemeral", "production", "staging"]),
        ("gate test --env st", &["staging"]),
        ("gate test --env=st", &["staging"]),
        ("gate promote --from staging --to pr", &["production"]),
        ("gate compare staging p", &["production"]),
        ("gate logs --env staging ", &["api", "db"]),
        ("gate backup --env staging --database ", &["main"]),
        ("gate backup --volume ", &["uploads"]),
        ("gate history 2026", &["20260102-030405-ab12"]),
        ("gate test --env staging contr", &["contracts"]),
        ("gate test --env staging contracts", &["contracts::"]),
        ("gate test --env staging contracts::api::g", &["get_a"]),
        ("gate schema-json w", &["waivers", "workflow"]),
        ("gate promo", &["promote"]),
    ];
    for (line, want) in cases {
        let mut found = product.bash(line);
        found.retain(|candidate| !candidate.starts_with('-'));
        found.sort();
        assert_eq!(found, want, "{line}");
    }
    assert!(product.bash("gate reset --con").contains(&"--confirm".to_owned()));
}

/// Most machines have only some shells, and nothing else of these proofs needs one.
fn is_installed(shell: &str) -> bool {
    let there = Command::new(shell).arg(if shell == "elvish" { "-version" } else { "--version" }).output().is_ok();
    if !there {
        let _ = writeln!(std::io::stderr(), "skipped: {shell} is not installed (scripts/setup.sh --browser)");
    }
    there
}

#[test]
fn fish_completes_them_too() {
    if !is_installed("fish") {
        return;
    }
    let product = Product::new("fish");
    let complete = |line: &str| {
        let script = format!("source (gate completions fish | psub); complete -C '{line}'");
        let text = product.shell("fish", &script);
        text.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("gate test --env "), ["ephemeral", "production", "staging"]);
    assert_eq!(complete("gate promote --from staging --to pr"), ["production"]);
    assert_eq!(complete("gate logs --env staging "), ["api", "db"]);
}

#[test]
fn elvish_completes_them_too() {
    if !is_installed("elvish") {
        return;
    }
    let product = Product::new("elvish");
    // Its completions exist only on a terminal, which script(1) gives it.
    let script = r#"printf '%s\n' 'eval (gate completions elvish | slurp)' \
        'echo "found:" [($edit:completion:arg-completer[gate] gate promote --to "")]' exit | script -qec 'elvish -norc' /dev/null"#;
    let text = product.shell("bash", script);
    assert!(text.contains("found: [ephemeral production staging]"), "{text}");
}

/// No PowerShell is in Debian: this is what its script calls, and no more.
#[test]
fn the_script_of_powershell_calls_what_completes() {
    let product = Product::new("powershell");
    let script = product.shell("bash", "gate completions powershell");
    assert!(script.contains("Register-ArgumentCompleter -Native -CommandName gate"), "{script}");
    for (open, close) in [('{', '}'), ('(', ')'), ('[', ']')] {
        assert_eq!(script.matches(open).count(), script.matches(close).count(), "{open} {close}: {script}");
    }
    let names = product.shell("bash", "COMPLETE=powershell gate -- gate test --env ''");
    assert_eq!(names.lines().collect::<Vec<_>>(), ["ephemeral", "production", "staging"]);
}

#[test]
fn zsh_completes_them_too() {
    if !is_installed("zsh") {
        return;
    }
    let product = Product::new("zsh");
    // A terminal of zsh's own, in which the key is pressed.
    let script = r#"zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PS1=; autoload -U compinit; compinit -u -D; source <(gate completions zsh); print rea""dy'
while zpty -r shell line; do [[ $line == *ready* ]] && break; done
zpty -w -n shell $'gate promote --to prod\t'
for try in {1..100}; do
    while zpty -rt shell part; do text+=$part; done
    [[ $text == *production* ]] && break
    sleep 0.1
done
print -r -- "$text"
zpty -d shell"#;
    let text = product.shell("zsh", script);
    assert!(text.contains("production"), "{text}");
}

#[test]
fn a_completion_is_there_at_once_and_prints_nothing_where_there_is_no_product() {
    let product = Product::new("time");
    let complete = |folder: &std::path::Path| {
        let mut command = Command::new(gate());
        command.args(["--", "gate", "test", "--env", ""]).current_dir(folder);
        command.env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", "3").env("DOCKER_HOST", "unix:///nowhere");
        let began = Instant::now();
        let output = command.output().unwrap();
        (began.elapsed(), output)
    };
    let fastest = (0..5).map(|_| complete(&product.0).0).min().unwrap();
    assert!(fastest < AT_MOST, "{fastest:?}");
    fs::remove_file(product.0.join("stagegate.toml")).unwrap();
    let (_, output) = complete(&product.0);
    assert!(output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
}
