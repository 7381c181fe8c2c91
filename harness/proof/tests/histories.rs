//! Random histories, written as journals into a state folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use proptest::prelude::*;
use stagegate_base::exit::Exit;
use stagegate_gate_decide::promotion::{End, Entry, Kind, Line, VERSION, chained, read};

use crate::world::gate;

const TEMPLATES: [&[u8]; 3] = [
    include_bytes!("../../../fixtures/journals/format-1/promoted.jsonl"),
    include_bytes!("../../../fixtures/journals/format-1/rolled-back.jsonl"),
    include_bytes!("../../../fixtures/journals/format-1/rollback-with-data.jsonl"),
];
const HOUR: u64 = 3_600_000;

/// What is wrong with a journal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Damage {
    Nothing,
    /// A line was being written as the machine went down: it is dropped.
    TornTail,
    /// A byte in the middle is another one.
    Flipped,
    /// It is of a version that is not known.
    Version,
    /// Lines are missing at its end.
    Cut,
    /// Not even the plan was written.
    Empty,
}

/// A run: what of it is there, how it ended, and when its lines were written.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    template: usize,
    lines: usize,
    end: Option<End>,
    back: Option<usize>,
    /// Milliseconds from each line to the next; the clock may be set back.
    pauses: Vec<i64>,
    /// Milliseconds from the run before.
    gap: u64,
    damage: Damage,
}

/// The runs of an environment, the oldest first; incidents by the run that they are linked to, and for how long they are open.
#[derive(Clone, Debug)]
pub(crate) struct History {
    runs: Vec<Run>,
    incidents: Vec<(Option<usize>, Option<u64>)>,
}

impl History {
    /// Returns promotions that succeed, but for every third one.
    pub(crate) fn plain(runs: usize) -> Self {
        let run = |nth: usize| Run {
            template: usize::from(nth % 3 == 2),
            lines: usize::MAX,
            end: Some(if nth % 3 == 2 { End::RolledBack } else { End::Promoted }),
            back: None,
            pauses: vec![400 + 100 * i64::try_from(nth).unwrap(); 4],
            gap: 20 * HOUR,
            damage: Damage::Nothing,
        };
        History { runs: (0..runs).map(run).collect(), incidents: vec![(Some(0), Some(HOUR))] }
    }
}

fn end() -> impl Strategy<Value = Option<End>> {
    prop_oneof![
        1 => Just(None),
        8 => Just(Some(End::Promoted)),
        8 => prop::sample::select(vec![
            End::Blocked, End::Aborted, End::RolledBack, End::NotVerified, End::Stuck, End::Abandoned,
        ]).prop_map(Some),
    ]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        12 => Just(Damage::Nothing),
        3 => prop::sample::select(vec![
            Damage::TornTail, Damage::Flipped, Damage::Version, Damage::Cut, Damage::Empty,
        ]),
    ]
}

fn run() -> impl Strategy<Value = Run> {
    let pauses = prop::collection::vec(prop_oneof![9 => 0_i64..90_000, 1 => -200_000_i64..0], 1..8);
    let place = (0_usize..3, 1_usize..60, end(), prop::option::weighted(0.25, 0_usize..12));
    (place, pauses, 0..90 * HOUR, damage()).prop_map(|((template, lines, end, back), pauses, gap, damage)| Run {
        template,
        lines,
        end,
        back,
        pauses,
        gap,
        damage,
    })
}

pub(crate) fn history() -> impl Strategy<Value = History> {
    let incident = (prop::option::of(0_usize..12), prop::option::of(0..200 * HOUR));
    (prop::collection::vec(run(), 0..24), prop::collection::vec(incident, 0..4))
        .prop_map(|(runs, incidents)| History { runs, incidents })
}

/// A product with its state; all of it goes at the end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        static NTH: AtomicUsize = AtomicUsize::new(0);
        let nth = NTH.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("stagegate-{name}-{}-{nth}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("compose.yml"), "services:\n  web:\n    image: scratch\n").unwrap();
        let environment = |name: &str| format!("[environments.{name}]\nproject = \"shop-{name}\"\n");
        let text = ["[project]\nname = \"shop\"\n".to_owned(), environment("production"), environment("staging")];
        fs::write(dir.join("stagegate.toml"), text.concat()).unwrap();
        let folder = Folder(dir);
        folder.git(&["init", "--quiet"], 0);
        folder
    }

    pub(crate) fn root(&self) -> &Path {
        &self.0
    }

    pub(crate) fn state(&self, environment: &str) -> PathBuf {
        self.0.join("state").join(format!("shop-{environment}"))
    }

    /// Runs a command, and returns its standard output. No Engine is there, so that nothing is finished.
    pub(crate) fn gate(&self, args: &[&str]) -> String {
        let mut command = Command::new(gate());
        command.current_dir(&self.0).args(args).env("STAGEGATE_STATE_DIR", self.0.join("state"));
        let output = command.env("DOCKER_HOST", "unix:///nonexistent/docker.sock").output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// Makes a commit of a moment in seconds since 1970, and returns its id; every fourth one was rebased.
    fn commit(&self, nth: usize, at: i64) -> String {
        let author = if nth.is_multiple_of(4) { at - 5_000 } else { at };
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "x", "--date", &format!("@{author} +0000")], at);
        self.git(&["rev-parse", "HEAD"], at).trim().to_owned()
    }

    fn git(&self, args: &[&str], at: i64) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(&self.0).args(["-c", "user.name=a", "-c", "user.email=a@example.org"]).args(args);
        let output = command.env("GIT_COMMITTER_DATE", format!("@{at} +0000")).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Writes the journals and the incidents of an environment; the newest run is of an hour ago.
    pub(crate) fn write(&self, environment: &str, history: &History) {
        let mut began = newest() - history.runs.iter().map(|run| run.gap + 20 * 60_000).sum::<u64>();
        let mut ids: Vec<String> = Vec::new();
        for (nth, run) in history.runs.iter().enumerate() {
            began += run.gap + 20 * 60_000;
            // Ids are another one in each environment, as those of the gate are.
            let id = format!("{}-{:04x}", stamp(began), nth + 256 * environment.len());
            let at = i64::try_from(began / 1_000).unwrap();
            let commit = match nth % 5 {
                4 => format!("{nth:040x}"),
                _ => self.commit(nth, at - 3_600 - 60 * i64::try_from(nth).unwrap()),
            };
            let dir = self.state(environment).join("runs").join(&id);
            fs::create_dir_all(&dir).unwrap();
            let kind = run.back.and_then(|back| ids.get(back)).map(|of| Kind::Rollback { run: of.clone(), data: true });
            self.write_run(&dir, run, (environment, kind.unwrap_or(Kind::Promote), &commit), began);
            ids.push(id);
        }
        let mut text = String::new();
        for (nth, (of, open)) in history.incidents.iter().enumerate() {
            let run = of.and_then(|of| ids.get(of)).map_or("null".to_owned(), |id| format!("\"{id}\""));
            let (nth, at) = (nth + 1, newest() - 300 * HOUR);
            text += &format!(
                "{{\"v\":1,\"incident\":{nth},\"wall\":\"{}\",\"entry\":\"opened\",\"text\":\"incident {nth}\",\"run\":{run}}}\n",
                wall(at)
            );
            if let Some(open) = open {
                let at = wall(at + open);
                text += &format!(
                    "{{\"v\":1,\"incident\":{nth},\"wall\":\"{at}\",\"entry\":\"closed\",\"text\":\"over\"}}\n"
                );
            }
        }
        fs::create_dir_all(self.state(environment)).unwrap();
        fs::write(self.state(environment).join("incidents.jsonl"), text).unwrap();
    }

    fn write_run(&self, dir: &Path, run: &Run, (environment, kind, commit): (&str, Kind, &str), began: u64) {
        let id = dir.file_name().unwrap().to_string_lossy().into_owned();
        let mut entries: Vec<Line> = read(TEMPLATES[run.template]).unwrap().lines;
        entries.retain(|line| !matches!(line.entry, Entry::Ended { .. }));
        entries.truncate(run.lines);
        if let Some(end) = run.end {
            let last = entries.last().unwrap().clone();
            entries.push(Line { entry: Entry::Ended { end, exit: exit(end) }, seq: last.seq + 1, ..last });
        }
        let (mut text, mut prev, mut at, mut count) = (String::new(), String::new(), i64::try_from(began).unwrap(), 0);
        let mut lines = Vec::new();
        for (nth, line) in entries.into_iter().enumerate() {
            let entry = match line.entry {
                Entry::Started { mut plan } => {
                    (plan.run, plan.kind, plan.by) = (id.clone(), kind.clone(), Some(format!("by-{id}")));
                    plan.environments.target = environment.to_owned();
                    (plan.release.name, plan.release.commit) = (format!("r{id}"), commit.to_owned());
                    Entry::Started { plan }
                }
                other => other,
            };
            let line =
                Line { run: id.clone(), entry, prev, v: VERSION, wall: wall(u64::try_from(at).unwrap()), ..line };
            let (line, hash) = chained(&line).unwrap();
            (prev, at, count) = (hash, at + run.pauses[nth % run.pauses.len()], count + 1);
            lines.push(line);
        }
        lines.iter().for_each(|line| text.push_str(line));
        let head = |lines: usize| fs::write(dir.join("journal.head"), format!("{lines} {prev}\n")).unwrap();
        match run.damage {
            Damage::Nothing => head(count),
            Damage::TornTail => text.push_str(&lines[0][..lines[0].len() / 2]),
            Damage::Flipped => text.insert(lines[0].len() / 2, '\u{1}'),
            Damage::Version => text = text.replacen(&format!("{{\"v\":{VERSION},"), "{\"v\":99,", 1),
            Damage::Cut => head(count + 1),
            Damage::Empty => text.clear(),
        }
        // The recount learns from here which text is to be refused; what it has is counted from the text.
        let is_damaged = matches!(run.damage, Damage::Flipped | Damage::Version | Damage::Cut);
        fs::write(dir.join("is-damaged"), is_damaged.to_string()).unwrap();
        fs::write(dir.join("journal.jsonl"), text).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn exit(end: End) -> Exit {
    match end {
        End::Promoted => Exit::Passed,
        End::Blocked | End::Aborted => Exit::Held,
        End::RolledBack => Exit::RolledBack,
        End::NotVerified | End::Stuck | End::Abandoned => Exit::PersonNeeded,
    }
}

/// Returns the moment of the newest run, in milliseconds since 1970: hours ago, so that no run is of the future.
fn newest() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    u64::try_from(now.as_millis()).unwrap() / HOUR * HOUR - 2 * HOUR
}

/// Returns a moment in milliseconds since 1970 as `[year, month, day, hour, minute, second, millisecond]`.
pub(crate) fn parts(milliseconds: u64) -> [u64; 7] {
    let (days, rest) = (milliseconds / 86_400_000, milliseconds % 86_400_000);
    // Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    [year, month, day, rest / HOUR, rest / 60_000 % 60, rest / 1_000 % 60, rest % 1_000]
}

fn wall(milliseconds: u64) -> String {
    let [year, month, day, hour, minute, second, rest] = parts(milliseconds);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{rest:03}Z")
}

fn stamp(milliseconds: u64) -> String {
    let [year, month, day, hour, minute, second, _] = parts(milliseconds);
    format!("{year}{month:02}{day:02}-{hour:02}{minute:02}{second:02}")
}
