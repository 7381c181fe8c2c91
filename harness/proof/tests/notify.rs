//! Messages of real runs: what a receiver hears of a promotion, of one that is rolled back, and of a plan that waits.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::small::Small;

/// How long a message may take: its sender is a process of its own.
const WITHIN: Duration = Duration::from_secs(30);
const SECRET: &str = "canary-of-the-webhook";

/// Adds two receivers to the configuration: a program that appends what it gets to a file, and a server that is not there.
fn add_receivers(small: &Small) -> PathBuf {
    let root = small.product().parent().unwrap().to_path_buf();
    let (heard, url) = (root.join("heard"), root.join("url"));
    fs::write(&url, format!("http://127.0.0.1:1/{SECRET}\n")).unwrap();
    let file = small.product().join("stagegate.toml");
    let text = format!(
        "{}[[notify]]\nname = \"log\"\nkind = \"command\"\ncommand = [\"sh\", \"-c\", \"cat >> {heard}; echo >> {heard}\"]\n\
         on = [\"begin\", \"end\", \"approval\"]\nenvironments = [\"production\"]\n\
         [[notify]]\nname = \"gone\"\nkind = \"webhook\"\nurl_file = \"{}\"\n",
        fs::read_to_string(&file).unwrap(),
        url.display(),
        heard = heard.display(),
    );
    fs::write(&file, text).unwrap();
    heard
}

/// Adds a folder into which the metrics are written.
fn add_textfile(small: &Small) -> PathBuf {
    let folder = small.product().parent().unwrap().join("textfile");
    fs::create_dir(&folder).unwrap();
    let file = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}[metrics]\ntextfile = \"{}\"\n", folder.display())).unwrap();
    folder
}

/// Returns the first `wanted` messages, in the order of their times.
fn heard(path: &PathBuf, wanted: usize) -> Vec<Value> {
    let deadline = Instant::now() + WITHIN;
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        let mut all: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        if all.len() >= wanted {
            all.sort_by_key(|message| message["at"].as_str().unwrap_or_default().to_owned());
            return all;
        }
        assert!(Instant::now() < deadline, "{wanted} messages are expected, and these came:\n{text}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_receiver_hears_of_each_run_and_one_that_is_gone_delays_none() {
    let small = Small::new("notify", "app");
    let file = add_receivers(&small);
    let metrics = add_textfile(&small);
    small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
    let late = "  late:\n    image: POSTGRES\n    restart: \"no\"\n    command: [\"bash\", \"-c\", \"[ $${LATE:-0} = 0 ] && exec sleep infinity; exit 1\"]\n    \
                environment: { LATE: \"${LATE:-0}\" }\n    tmpfs: [/var/lib/postgresql/data]\n";
    small.release(
        "v3",
        "alter table item drop column price;\n",
        &late.replace("POSTGRES", &crate::world::image_of(17)),
    );
    small.up("production", "v1");

    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let messages = heard(&file, 2);
    assert_eq!(
        (messages[0]["event"].as_str(), messages[1]["event"].as_str()),
        (Some("begin"), Some("end")),
        "{messages:?}"
    );
    assert!(messages[1]["title"].as_str().unwrap().contains("v2 is live in production"), "{}", messages[1]);
    // Written as the run ended, by nobody's command.
    let text = fs::read_to_string(metrics.join("stagegate.prom")).unwrap();
    assert!(text.contains("stagegate_promotions_total{environment=\"production\",end=\"promoted\"} 1\n"), "{text}");
    assert!(!text.contains(SECRET));
    fs::remove_dir_all(&metrics).unwrap();

    let undone = small.promote("v3");
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    assert!(undone.text.contains("the metrics were not written"), "{}", undone.text);
    let messages = heard(&file, 4);
    let last = &messages[3];
    assert_eq!(last["event"], "rolled_back", "{last}");
    assert!(last["title"].as_str().unwrap().contains("v2 is live in production again"), "{last}");
    assert!(last["reason"].as_str().unwrap().contains("late"), "{last}");

    // The other receiver has two messages: they wait, and no text of this program holds its URL.
    let pending = small.gate(&["notify", "pending"]);
    assert_eq!(pending.code, Some(0), "{}", pending.text);
    assert!(pending.text.matches("gone").count() >= 2, "{}", pending.text);
    for text in [&pending.text, &promoted.text, &undone.text] {
        assert!(!text.contains(SECRET), "{text}");
    }
    // The sender stays for them; it ends with its files.
    let ids: Vec<&Value> = messages.iter().map(|message| &message["id"]).collect();
    assert!((1..ids.len()).all(|at| !ids[..at].contains(&ids[at])), "{ids:?}");
}

#[tokio::test]
async fn migrations_and_programs_take_part_in_the_trace_of_the_caller() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let small = Small::new("traced", "app");
    let seen = small.product().parent().unwrap().join("seen");
    let file = small.product().join("stagegate.toml");
    let program = format!("[\"sh\", \"-c\", \"cat > /dev/null; echo $TRACEPARENT >> {}\"]", seen.display());
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replacen("[gate]\n", &format!("[gate]\nnotify_command = {program}\n"), 1);
    fs::write(&file, format!("{text}[[notify]]\nkind = \"command\"\ncommand = {program}\non = [\"end\"]\n")).unwrap();
    let up = small.product().join("m/up.sh");
    let noting =
        "psql -qX -c \"create table if not exists trace (t text); insert into trace values ('${TRACEPARENT:-}')\"\n";
    fs::write(&up, format!("{}{noting}", fs::read_to_string(&up).unwrap())).unwrap();
    small.release("v2", "alter table item add column if not exists price int not null default 1;\n", "");
    small.up("production", "v1");
    small.up("staging", "v2");
    let promote = ["promote", "--from", "staging", "--to", "production", "--yes"];
    let promoted = crate::world::ended(&small.command(&promote).env("TRACEPARENT", PARENT).output().unwrap());
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    let history = small.gate(&["history", "--env", "production", "--json"]).text;
    let run: Value = serde_json::from_str(history.lines().find(|line| line.starts_with('{')).unwrap()).unwrap();
    let trace = small.gate(&["history", run["run"].as_str().unwrap(), "--trace"]).text;
    let trace: Value = serde_json::from_str(&trace[trace.find('{').unwrap()..]).unwrap();
    let spans = trace["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert!(spans.iter().all(|span| span["traceId"] == "4bf92f3577b34da6a3ce929d0e0e4736"), "{spans:?}");
    assert_eq!(spans[0]["parentSpanId"], "00f067aa0ba902b7");
    let handed_on = |name: &str| {
        let span = spans.iter().find(|span| span["name"] == name).expect(name);
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", span["spanId"].as_str().unwrap())
    };
    // A span for each check, of the source and of the target.
    for step in ["check the source", "verify"] {
        let id = &spans.iter().find(|span| span["name"] == step).expect(step)["spanId"];
        let checks = spans.iter().filter(|span| span["parentSpanId"] == *id && span["name"] == "health::web::http");
        assert_eq!(checks.count(), 1, "{step}");
    }
    let client = small.server().await.connect("app").await.unwrap();
    let rows = client.query("select t from trace where t <> ''", &[]).await.unwrap();
    let of_migrations: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    // The copy of the rehearsal had the other one; `up` runs the service again, without the gate.
    assert_eq!(of_migrations, [handed_on("migrate")]);
    let deadline = Instant::now() + WITHIN;
    let programs = loop {
        let text = fs::read_to_string(&seen).unwrap_or_default();
        if text.lines().count() >= 2 || Instant::now() > deadline {
            break text;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    for name in ["notify", spans[0]["name"].as_str().unwrap()] {
        assert!(programs.lines().any(|line| line == handed_on(name)), "{name}: {programs}");
    }
}
