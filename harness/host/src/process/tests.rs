use std::time::Duration;

use stagegate_base::{command::Command, redact::Secret};

use super::{running::all_running, *};

const SOON: Duration = Duration::from_secs(10);

fn sh(script: &str) -> Command {
    Command::new("sh").arg("-c").arg(script)
}

#[tokio::test]
async fn a_failed_program_is_reported_with_its_code_and_last_words_and_no_secret() {
    let runner = Runner::default().with_mask(Mask::new([Secret::new("hunter2-hunter2")]));
    let error = runner.run_ok(&sh("echo 'bad hunter2-hunter2' >&2; exit 3"), SOON).await.unwrap_err().to_string();
    assert!(error.contains("code 3"), "{error}");
    assert!(error.contains("bad ***"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_program_that_is_too_slow_is_ended_with_its_children() {
    let error = Runner::default().run(&sh("sleep 60 & wait"), Duration::from_millis(200)).await.unwrap_err();
    assert!(matches!(error, RunError::TimedOut { .. }), "{error}");
}

/// Whether a process is there and no zombie.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// Left by a program that has ended: in a session of its own, as a child of nobody. One has the program's output and no
/// variable, the other has the variable and no output.
#[tokio::test]
async fn what_a_program_left_is_ended_with_its_time_however_it_hid() {
    let dir = std::env::temp_dir().join(format!("stagegate-left-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let file = |name: &str| dir.join(name).display().to_string();
    let daemon = |name: &str, rest: &str| format!("(setsid sh -c 'echo $$ > {}; {rest}' &)", file(name));
    let script = [
        daemon("output", "exec env -i sleep 61"),
        daemon("variable", "exec sleep 62 > /dev/null 2>&1"),
        format!("while ! [ -s {} -a -s {} ]; do sleep 0.01; done; exit 3", file("output"), file("variable")),
    ];
    let within = Duration::from_secs(3);
    let error = Runner::default().run(&sh(&script.join("; ")), within).await.unwrap_err();
    assert!(matches!(error, RunError::TimedOut { ended: Some(3), .. }), "{error}");
    assert!(error.to_string().contains("it had ended with exit code 3"), "{error}");
    assert!(!error.to_string().contains("  "), "{error}");
    for name in ["output", "variable"] {
        let pid = std::fs::read_to_string(dir.join(name)).unwrap();
        let wait = async {
            while is_alive(&pid) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{name} is alive"));
    }
    std::fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn an_endless_output_fills_neither_memory_nor_the_log() {
    let log = std::env::temp_dir().join(format!("stagegate-flood-{}", std::process::id()));
    let runner = Runner::default().with_log(&log).unwrap();
    let within = Duration::from_secs(3);
    for script in ["yes | tr -d '\\n'", "yes 0123456789012345678901234567890123456789 >&2"] {
        let aloud = runner.run_aloud(&sh(script), within).await;
        assert!(matches!(aloud, Err(RunError::TimedOut { ended: None, .. })), "{aloud:?}");
        let quiet = runner.run(&sh(script), within).await;
        assert!(matches!(quiet, Err(RunError::TimedOut { .. })), "{quiet:?}");
    }
    let ended =
        runner.run(&sh("head -c 40000000 /dev/zero | tr '\\0' e >&2; echo >&2; echo the end >&2"), SOON).await.unwrap();
    assert!(ended.stderr.ends_with("the end\n") && ended.stderr.len() < 17 << 20, "{}", ended.stderr.len());
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.len() < 40 << 20, "{} bytes", text.len());
    assert!(text.contains("bytes left out]") && text.ends_with("the end\n"), "{}", &text[text.len() - 200..]);
    // What this process has at most had in memory, in kilobytes.
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    assert!(peak < 300_000, "{peak} kB");
    std::fs::remove_file(&log).unwrap();
}

#[tokio::test]
async fn what_outlived_its_run_is_found_by_its_mark_and_ended() {
    let mark = format!("test/{}", std::process::id());
    let runner = Runner::default().with_mark(&mark);
    let command = sh("setsid sleep 60 > /dev/null 2>&1 & echo $!");
    let pid = runner.run_ok(&command, SOON).await.unwrap();
    let process = Path::new("/proc").join(pid.trim());
    assert!(process.exists());
    // Its variables cannot be read while it becomes another program.
    let is_asleep = || std::fs::read(process.join("cmdline")).is_ok_and(|line| line.starts_with(b"sleep"));
    let wait = async {
        while !is_asleep() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap();
    assert!(end_marked(|found| found == mark) >= 1);
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let error = Runner::default().run(&Command::new("no-such-program"), SOON).await.unwrap_err().to_string();
    assert!(error.contains("no-such-program"), "{error}");
}

#[tokio::test]
async fn a_program_without_the_caller_gets_no_variable_of_the_shell_but_those_of_docker() {
    let printed = Runner::default().run_ok(&sh("env").without_caller().env("OWN", "1"), SOON).await.unwrap();
    // Cargo sets these for every test.
    assert!(!printed.contains("CARGO_MANIFEST_DIR"), "{printed}");
    assert!(printed.contains("PATH=") && printed.contains("OWN=1"), "{printed}");
}

#[tokio::test]
async fn a_program_finds_its_own_folder_in_pwd() {
    let dir = std::env::temp_dir();
    let command = Command::new("env").in_dir(&dir);
    let printed = Runner::default().run_ok(&command, SOON).await.unwrap();
    assert!(printed.lines().any(|line| line == format!("PWD={}", dir.display())), "{printed}");
}

/// Waits for what runs under a name, with a deadline: tests of this process run programs next to each other.
async fn running_as(what: &str, is: impl Fn(&Running) -> bool) -> Running {
    let wait = async {
        loop {
            if let Some(found) = all_running().into_iter().find(|one| one.what == what && is(one)) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(SOON, wait).await.unwrap()
}

#[tokio::test]
async fn what_a_program_has_written_and_read_is_known_while_it_runs() {
    let dir = std::env::temp_dir().join(format!("stagegate-extent-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let (from, to) = (dir.join("from"), dir.join("to"));
    std::fs::write(&from, vec![b'x'; 4000]).unwrap();
    let runner = Runner::default();
    let reads = Command::new("sh").args(["-c", "dd bs=1000 count=1 of=/dev/null 2>/dev/null; exec sleep 60", "dd"]);
    let writes = Command::new("dash").args(["-c", "printf 0123456789; exec sleep 60"]);
    let read = runner.run_from_file(&reads, SOON, File::open(&from).unwrap());
    let written = runner.run_to_file(&writes, SOON, File::create(&to).unwrap());
    tokio::select! {
        _ = read => panic!("it ended"),
        _ = written => panic!("it ended"),
        () = async {
            running_as("sh", |one| (one.bytes, one.all_bytes) == (Some(1000), Some(4000))).await;
            running_as("dash", |one| (one.bytes, one.all_bytes) == (Some(10), None)).await;
        } => {}
    }
    assert!(!all_running().iter().any(|one| one.what == "dash"), "it is listed for longer than it is waited for");
    std::fs::remove_dir_all(&dir).unwrap();
}
