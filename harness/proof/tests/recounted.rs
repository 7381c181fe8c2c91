//! The count over the text of journals that pages and metrics are compared with: JSON and whole milliseconds, and none of the code
//! that it checks.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::histories::{Folder, parts};

const DAY: i64 = 86_400_000;
const ENDS: [&str; 7] = ["promoted", "blocked", "interrupted", "rolled_back", "not_verified", "stuck", "abandoned"];
const TOUCHING: [&str; 6] = ["freeze", "clone", "copy_volumes", "migrate", "deploy", "move_traffic"];

/// A run, as its journal's text has it; times in milliseconds since 1970.
struct Run {
    id: String,
    plan: Value,
    began: i64,
    began_text: String,
    last: i64,
    last_text: String,
    end: Option<String>,
    touched: Option<i64>,
    live: Option<i64>,
    frozen: Option<i64>,
    /// How often a step or an undo ended.
    steps: usize,
    /// How long each try of a step took that ended, undos left out, by the step's name.
    tries: BTreeMap<String, Vec<i64>>,
    reason: Option<String>,
}

/// What is counted of an environment.
pub(crate) struct Counted {
    name: &'static str,
    runs: Vec<Run>,
    damaged: usize,
    /// Which run caused an incident, and when it was closed.
    incidents: Vec<(Option<String>, Option<i64>)>,
    /// The committer's seconds of each commit, and whether the author's are others.
    commits: BTreeMap<String, (i64, bool)>,
    now: i64,
}

fn moment(text: &str) -> i64 {
    let number = |from: usize, to: usize| text[from..to].parse::<i64>().unwrap();
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    days * DAY + ((number(11, 13) * 60 + number(14, 16)) * 60 + number(17, 19)) * 1_000 + number(20, 23)
}

fn run(text: &str) -> Option<Run> {
    // What is torn at the end was never written.
    let whole = &text[..text.rfind('\n').map_or(0, |at| at + 1)];
    let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let at = |line: &Value| moment(line["wall"].as_str().unwrap());
    let (first, last) = (lines.first()?, lines.last()?);
    let find = |entry: &str, steps: &[&str]| {
        let is_it = |line: &&Value| line["entry"] == entry && steps.iter().any(|step| line["step"] == **step);
        lines.iter().find(is_it).map(at)
    };
    let end = (last["entry"] == "ended").then(|| match last["end"].as_str().unwrap() {
        "aborted" => "interrupted".to_owned(),
        other => other.to_owned(),
    });
    let (opened, freeze) = (find("done", &["open_ports"]), find("begun", &["freeze"]));
    let ended_step = ["done", "failed", "undone", "undo_failed"];
    let of = |line: &Value| line["reason"].as_str().map(str::to_owned);
    let is_reason = |line: &&Value| line["entry"] == "failed" && line["step"] != "notify" && line["step"] != "prune";
    let reason = lines.iter().find(is_reason).and_then(of).or_else(|| {
        lines.iter().find(|line| line["entry"] == "decided" && line["decision"] == "rollback").and_then(of)
    });
    Some(Run {
        id: first["plan"]["run"].as_str()?.to_owned(),
        plan: first["plan"].clone(),
        began: at(first),
        began_text: first["wall"].as_str()?.to_owned(),
        last: at(last),
        last_text: last["wall"].as_str()?.to_owned(),
        touched: find("begun", &TOUCHING),
        live: opened.or_else(|| (end.as_deref() == Some("promoted")).then(|| at(last))),
        frozen: freeze.and_then(|from| Some((find("done", &["open_ports", "start_previous"])? - from).max(0))),
        tries: tries(&lines),
        steps: lines.iter().filter(|line| ended_step.iter().any(|entry| line["entry"] == **entry)).count(),
        reason: reason.filter(|_| end.as_deref() != Some("promoted")),
        end,
    })
}

fn tries(lines: &[Value]) -> BTreeMap<String, Vec<i64>> {
    let (mut open, mut all) = (BTreeMap::new(), BTreeMap::<String, Vec<i64>>::new());
    for line in lines {
        let Some(step) = line["step"].as_str().map(str::to_owned) else { continue };
        let at = moment(line["wall"].as_str().unwrap());
        match line["entry"].as_str().unwrap() {
            "begun" => drop(open.insert(step, at)),
            "done" | "failed" => {
                let began = open.remove(&step);
                all.entry(step).or_default().extend(began.map(|began| (at - began).max(0)));
            }
            _ => {}
        }
    }
    all
}

fn commits(folder: &Folder) -> BTreeMap<String, (i64, bool)> {
    let mut git = std::process::Command::new("git");
    let log = git.arg("-C").arg(folder.root()).args(["log", "--format=%H %at %ct"]).output().unwrap().stdout;
    let mut found = BTreeMap::new();
    for line in String::from_utf8(log).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        found.insert(words[0].to_owned(), (words[2].parse().unwrap(), words[1] != words[2]));
    }
    found
}

/// Counts what is on the disk.
pub(crate) fn counted(folder: &Folder) -> Vec<Counted> {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let each = ["production", "staging"].map(|name| {
        let read = |dir: std::io::Result<fs::DirEntry>| dir.unwrap().path();
        let runs = fs::read_dir(folder.state(name).join("runs")).into_iter().flatten().map(read);
        let mut dirs: Vec<_> = runs.collect();
        dirs.sort();
        let is_damaged = |dir: &std::path::Path| fs::read_to_string(dir.join("is-damaged")).unwrap() == "true";
        let (damaged, whole): (Vec<_>, Vec<_>) = dirs.into_iter().partition(|dir| is_damaged(dir));
        let text = fs::read_to_string(folder.state(name).join("incidents.jsonl")).unwrap();
        let mut incidents = BTreeMap::new();
        for line in text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
            let one = incidents.entry(line["incident"].as_u64()).or_insert((None, None));
            match line["entry"].as_str() {
                Some("opened") => one.0 = line["run"].as_str().map(str::to_owned),
                _ => one.1 = Some(moment(line["wall"].as_str().unwrap())),
            }
        }
        Counted {
            name,
            runs: whole.iter().filter_map(|dir| run(&fs::read_to_string(dir.join("journal.jsonl")).unwrap())).collect(),
            damaged: damaged.len(),
            incidents: incidents.into_values().collect(),
            commits: commits(folder),
            now: i64::try_from(now.as_millis()).unwrap(),
        }
    });
    Vec::from(each)
}

impl Run {
    fn is_promotion(&self) -> bool {
        self.plan["kind"]["kind"] == "promote"
    }

    fn is(&self, end: &str) -> bool {
        self.end.as_deref() == Some(end)
    }

    fn text(&self, of: &str) -> &str {
        self.plan[of]["name"].as_str().unwrap()
    }
}

/// The five figures: numbers, and how many each was counted from.
struct Five {
    live: usize,
    lead: Vec<i64>,
    rewritten: usize,
    touched: usize,
    failed: usize,
    recovered: Vec<i64>,
    pairs: usize,
    rework: usize,
    blocked: usize,
}

impl Counted {
    /// Returns whether a promotion failed, and when it was over.
    fn failure(&self, run: &Run) -> (bool, Option<i64>) {
        if ["rolled_back", "not_verified", "stuck", "abandoned"].iter().any(|end| run.is(end)) {
            return (run.touched.is_some(), run.is("rolled_back").then_some(run.last));
        }
        if !run.is("promoted") {
            return (false, None);
        }
        for other in self.runs.iter().filter(|other| other.id > run.id && other.is("promoted")) {
            let of = other.plan["kind"]["run"].as_str().unwrap_or("~");
            if of <= run.id.as_str() && other.began - run.last <= 7 * DAY {
                return (true, Some(other.last));
            }
        }
        let linked: Vec<Option<i64>> =
            self.incidents.iter().filter(|(of, _)| of.as_ref() == Some(&run.id)).map(|(_, closed)| *closed).collect();
        let over = if linked.contains(&None) { None } else { linked.iter().flatten().max().copied() };
        (!linked.is_empty(), over)
    }

    fn five(&self) -> Five {
        let from = self.now / DAY * DAY - 89 * DAY;
        let is_in = |run: &Run| run.began >= from && run.began <= self.now;
        let promotions: Vec<&Run> = self.runs.iter().filter(|run| run.is_promotion()).collect();
        let mut five = Five {
            live: 0,
            lead: Vec::new(),
            rewritten: 0,
            touched: 0,
            failed: 0,
            recovered: Vec::new(),
            pairs: 0,
            rework: 0,
            blocked: 0,
        };
        let mut before: Option<&Run> = None;
        for run in promotions {
            let touched = run.touched.is_some();
            if is_in(run) {
                five.live += usize::from(run.is("promoted"));
                five.blocked += usize::from(run.is("blocked"));
                let commit = self.commits.get(run.plan["release"]["commit"].as_str().unwrap());
                if let (true, Some((committed, rewritten))) = (run.is("promoted"), commit) {
                    five.lead.push((run.live.unwrap() - committed * 1_000).max(0));
                    five.rewritten += usize::from(*rewritten);
                }
                if let Some(at) = run.touched {
                    let (failed, over) = self.failure(run);
                    five.touched += 1;
                    five.failed += usize::from(failed);
                    five.recovered.extend(over.map(|over| (over - at).max(0)));
                    five.pairs += usize::from(before.is_some());
                    five.rework += usize::from(before.is_some_and(|before| self.failure(before).0));
                }
            }
            before = if touched { Some(run) } else { before };
        }
        five.lead.sort_unstable();
        five.recovered.sort_unstable();
        five
    }

    /// Returns the samples of metrics that are expected.
    pub(crate) fn metrics(&self) -> BTreeMap<String, f64> {
        let mut all = BTreeMap::new();
        let environment = format!("environment=\"{}\"", self.name);
        let mut put = |name: &str, more: &str, value: f64| {
            let comma = if more.is_empty() { "" } else { "," };
            all.insert(format!("stagegate_{name}{{{environment}{comma}{more}}}"), value);
        };
        let promotions = || self.runs.iter().filter(|run| run.is_promotion());
        for end in ENDS {
            let count = promotions().filter(|run| run.is(end)).count();
            put("promotions_total", &format!("end=\"{end}\""), number(count));
        }
        let by_hand = self.runs.iter().filter(|run| !run.is_promotion() && run.is("promoted")).count();
        put("rollbacks_total", "", number(by_hand));
        if let Some(run) = promotions().rfind(|run| run.is("promoted")) {
            put("last_success_timestamp_seconds", "", seconds(run.last));
        }
        let state = self.runs.last().map_or("none", |run| run.end.as_deref().unwrap_or("unfinished"));
        for word in ENDS.into_iter().chain(["unfinished", "none"]) {
            put("state", &format!("end=\"{word}\""), f64::from(u8::from(word == state)));
        }
        put("incidents_open", "", number(self.incidents.iter().filter(|(_, closed)| closed.is_none()).count()));
        let took = self.runs.iter().filter(|run| run.end.is_some()).map(|run| (run.last - run.began).max(0));
        let frozen = self.runs.iter().filter_map(|run| run.frozen);
        let mut of_steps = BTreeMap::<&String, Vec<i64>>::new();
        for (step, tries) in self.runs.iter().flat_map(|run| &run.tries) {
            of_steps.entry(step).or_default().extend(tries);
        }
        let of_steps = of_steps.into_iter().filter(|(_, times)| !times.is_empty());
        let of_steps = of_steps.map(|(step, times)| ("step_duration", format!("step=\"{step}\""), times));
        let of_runs =
            [("run_duration", String::new(), took.collect::<Vec<_>>()), ("freeze", String::new(), frozen.collect())];
        for (name, label, times) in of_runs.into_iter().chain(of_steps) {
            put(&format!("{name}_seconds_count"), &label, number(times.len()));
            put(&format!("{name}_seconds_sum"), &label, seconds(times.iter().sum()));
            for bound in ["0.1", "1", "5", "15", "60", "300", "900", "3600", "+Inf"] {
                let most = bound.parse().unwrap_or(f64::INFINITY);
                let count = times.iter().filter(|time| seconds(**time) <= most).count();
                let comma = if label.is_empty() { "" } else { "," };
                put(&format!("{name}_seconds_bucket"), &format!("{label}{comma}le=\"{bound}\""), number(count));
            }
        }
        let five = self.five();
        if five.live >= 5 {
            put("deployments_per_week", "", number(five.live) / (90.0 / 7.0));
        }
        for (name, times) in [("lead_time", &five.lead), ("recovery", &five.recovered)] {
            if times.len() >= 5 {
                put(&format!("{name}_median_seconds"), "", seconds(rank(times, 50)));
            }
        }
        for (name, count, of) in [("change_fail", five.failed, five.touched), ("rework", five.rework, five.pairs)] {
            if of >= 5 {
                put(&format!("{name}_ratio"), "", number(count) / number(of));
            }
        }
        all
    }

    /// Compares the figures of `figures.json`.
    pub(crate) fn figures_differ(&self, found: &Value) -> Vec<String> {
        let (five, found) = (self.five(), &found[self.name]);
        let wanted = [
            ("/deployments", five.live),
            ("/lead_time/n", five.lead.len()),
            ("/rewritten_commits", five.rewritten),
            ("/change_fail/n", five.touched),
            ("/change_fail/count", five.failed),
            ("/recovery/n", five.recovered.len()),
            ("/rework/n", five.pairs),
            ("/rework/count", five.rework),
            ("/blocked", five.blocked),
        ];
        let other =
            wanted.iter().filter(|(place, n)| found.pointer(place).and_then(Value::as_u64) != u64::try_from(*n).ok());
        other.map(|(place, n)| format!("{} {place}: expected {n}, found {found}", self.name)).collect()
    }

    /// Returns what `gate history --json` has of each run.
    pub(crate) fn history(&self) -> Vec<Value> {
        let each = self.runs.iter().map(|run| {
            let end = run.end.as_ref().map(|end| if end == "interrupted" { "aborted" } else { end });
            json!({
                "run": run.id, "to": self.name, "release": run.plan["release"], "previous": run.plan["previous"],
                "began": run.began_text, "ended": end.map(|_| &run.last_text), "end": end,
            })
        });
        each.collect()
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 are exact")]
fn seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1_000.0
}

/// Returns the nearest rank of sorted times.
fn rank(times: &[i64], percent: usize) -> i64 {
    times[(times.len() * percent).div_ceil(100) - 1]
}

fn length(milliseconds: i64) -> String {
    let s = seconds(milliseconds);
    match milliseconds {
        ..10_000 => format!("{s:.1} s"),
        10_000..120_000 => format!("{s:.0} s"),
        120_000..7_200_000 => format!("{:.1} min", s / 60.0),
        7_200_000..172_800_000 => format!("{:.1} h", s / 3_600.0),
        _ => format!("{:.1} d", s / 86_400.0),
    }
}

fn minute(milliseconds: i64) -> String {
    let [year, month, day, hour, minute, ..] = parts(u64::try_from(milliseconds).unwrap());
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

/// Returns the cells of the table rows of a text, without their marks.
fn rows(text: &str) -> Vec<Vec<String>> {
    let inner = |cell: &str| {
        let (mut out, mut is_mark) = (String::new(), false);
        for c in cell.split_once('>').map_or("", |(_, rest)| rest).chars() {
            is_mark = c == '<' || is_mark && c != '>';
            if !is_mark && c != '>' {
                out.push(c);
            }
        }
        out.replace("&rarr;", "->")
    };
    let of_row = |row: &str| row.split("<td").skip(1).map(|cell| inner(cell.split("</td>").next().unwrap())).collect();
    text.split("<tr").skip(1).map(of_row).filter(|row: &Vec<String>| !row.is_empty()).collect()
}

impl Counted {
    /// Returns the rows of the table of figures: value and what it was counted from.
    fn figures(&self) -> Vec<[String; 2]> {
        let five = self.five();
        let few = |n: usize| format!("too few (n = {n}, 5 are needed)");
        let times = |times: &[i64]| match times.len() {
            n if n < 5 => few(n),
            _ => format!("{} (nine of ten within {})", length(rank(times, 50)), length(rank(times, 90))),
        };
        let share = |count: usize, n: usize| {
            if n < 5 { few(n) } else { format!("{:.0} %", number(count) / number(n) * 100.0) }
        };
        let plural = |n: usize, noun: &str| if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") };
        let frequency = match five.live {
            n if n < 5 => few(n),
            n => format!("{:.1} a week", number(n) / (90.0 / 7.0)),
        };
        let rewritten = match five.rewritten {
            0 => String::new(),
            n => format!(", {n} of them of rebased or picked commits"),
        };
        vec![
            [frequency, format!("{} in 90 days", plural(five.live, "promotion"))],
            [times(&five.lead), format!("{} with a known commit{rewritten}", plural(five.lead.len(), "promotion"))],
            [
                share(five.failed, five.touched),
                format!("{} of {} promotions that changed the target", five.failed, five.touched),
            ],
            [times(&five.recovered), plural(five.recovered.len(), "failed promotion")],
            [
                share(five.rework, five.pairs),
                format!("{} of {} promotions that came after another one", five.rework, five.pairs),
            ],
        ]
    }

    /// Returns the rows of the history, the newest first.
    fn rows(&self) -> Vec<Vec<String>> {
        let mut all = Vec::new();
        for run in self.runs.iter().rev() {
            let word = match run.end.as_deref() {
                None => "unfinished".to_owned(),
                Some("promoted") if !run.is_promotion() => "rolled back by hand".to_owned(),
                Some(end) => end.replace('_', " "),
            };
            let of = run.plan["kind"]["run"].as_str().map(|of| format!("rollback of {of} with data"));
            all.push(vec![
                minute(run.began),
                format!("{}{}", run.id, of.unwrap_or_default()),
                format!("{} -> {}", run.text("previous"), run.text("release")),
                word,
                run.end.as_ref().map(|_| length((run.last - run.began).max(0))).unwrap_or_default(),
                run.frozen.map(length).unwrap_or_default(),
            ]);
            all.extend(run.reason.as_ref().map(|reason| vec![reason.split_whitespace().collect()]));
        }
        all
    }
}

/// Compares the pages with what was counted; `runs` are the pages of runs by id.
pub(crate) fn pages_differ(
    counted: &[Counted],
    (index, public): (&str, &str),
    runs: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut differences = Vec::new();
    let mut differ = |what: String, wanted: String, found: String| {
        if wanted != found {
            differences.push(format!("{what}: expected {wanted}, found {found}"));
        }
    };
    let section = |page: &str, name: &str, mark: &str| {
        let from = page.find(&format!("{mark}{name}</h2>")).unwrap();
        let end = page[from + 4..].find("<h2").map_or(page.len(), |at| from + 4 + at);
        page[from..end].to_owned()
    };
    for one in counted {
        let page = section(index, one.name, &format!("<h2 id=\"{}\">", one.name));
        let unread = page.matches("<p class=\"fail\">").count();
        differ(format!("{}: damaged journals", one.name), one.damaged.to_string(), unread.to_string());
        let (open, all) = (one.incidents.iter().filter(|(_, closed)| closed.is_none()).count(), one.incidents.len());
        let heading = format!("<h3>incidents: {open} open, {} closed</h3>", all - open);
        differ(format!("{}: incidents", one.name), (all > 0).to_string(), page.contains(&heading).to_string());
        if let Some((before, history)) = page.split_once("<h3>history</h3>") {
            let found: Vec<[String; 2]> = rows(before).iter().map(|row| [row[1].clone(), row[2].clone()]).collect();
            differ(format!("{}: figures", one.name), format!("{:?}", one.figures()), format!("{found:?}"));
            let mut found = rows(history);
            for row in found.iter_mut().filter(|row| row.len() == 1) {
                // Only words: how a text is escaped is another test's.
                row[0] = row[0].replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                row[0] = row[0].split_whitespace().collect();
            }
            differ(format!("{}: history", one.name), format!("{:?}", one.rows()), format!("{found:?}"));
        } else {
            differ(format!("{}: runs", one.name), "0".to_owned(), one.runs.len().to_string());
        }
        let page = section(public, one.name, "<h2>");
        let changed = one.runs.iter().rfind(|run| run.touched.is_some()).map(|run| minute(run.last));
        let found = page.split_once("<dt>last change</dt><dd>").and_then(|(_, rest)| rest.split_once("</dd>"));
        differ(
            format!("{}: last change", one.name),
            format!("{changed:?}"),
            format!("{:?}", found.map(|(text, _)| text.to_owned())),
        );
        for run in &one.runs {
            let page = runs.get(&run.id).map_or("", String::as_str);
            let took = format!("<dt>took</dt><dd>{}</dd>", length((run.last - run.began).max(0)));
            let began = format!("<dt>began</dt><dd>{}</dd>", minute(run.began));
            let by = format!("<dt>by</dt><dd>by-{}</dd>", run.id);
            for text in [took, began, by] {
                differ(format!("the page of {}: {text}", run.id), "true".to_owned(), page.contains(&text).to_string());
            }
            let steps = rows(page).len();
            differ(format!("steps of {}", run.id), "true".to_owned(), (steps >= run.steps).to_string());
        }
    }
    let pages = counted.iter().map(|one| one.runs.len()).sum::<usize>();
    differ("pages of runs".to_owned(), pages.to_string(), runs.len().to_string());
    differences
}
