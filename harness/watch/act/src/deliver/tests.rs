//! Receivers that do what real ones do at their worst, over real connections.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
    time::Instant,
};

use stagegate_base::config::Event;
use stagegate_host::paths::StateDir;
use stagegate_watch_decide::notify::Parcel;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::*;
use crate::{Outbox, Passed};

pub(super) const CANARY: &str = "canary-3f9ac1";

/// What a receiver does with a request.
#[derive(Clone, Copy)]
enum Manner {
    Hangs,
    Drips,
    Responds(&'static str),
    TenMegabytes,
}

/// Requests as they came, head and body.
pub(super) type Requests = Arc<Mutex<Vec<(String, String)>>>;

async fn receiver(manner: Manner) -> (String, Requests) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/{CANARY}", listener.local_addr().unwrap());
    let requests = Requests::default();
    let noted = Arc::clone(&requests);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let noted = Arc::clone(&noted);
            tokio::spawn(async move {
                let (mut text, mut buffer) = (String::new(), [0; 4096]);
                let complete = |text: &str| {
                    let (head, body) = text.split_once("\r\n\r\n")?;
                    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
                    (body.len() >= length.parse().ok()?).then(|| (head.to_owned(), body.to_owned()))
                };
                while complete(&text).is_none() {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => return,
                        Ok(read) => text.push_str(&String::from_utf8_lossy(&buffer[..read])),
                    }
                }
                noted.lock().unwrap().extend(complete(&text));
                let ok = "HTTP/1.1 200 OK\r\ncontent-length: 10485760\r\n\r\n";
                match manner {
                    Manner::Hangs => std::future::pending().await,
                    Manner::Drips => {
                        let _ = stream.write_all(ok.as_bytes()).await;
                        while stream.write_all(b"x").await.is_ok() {
                            tokio::time::sleep(Duration::from_secs(1)).await;
                        }
                    }
                    Manner::Responds(text) => drop(stream.write_all(text.as_bytes()).await),
                    Manner::TenMegabytes => {
                        let _ = stream.write_all(ok.as_bytes()).await;
                        let _ = stream.write_all(&vec![b'x'; 10 << 20]).await;
                    }
                }
            });
        }
    });
    (url, requests)
}

const OK: Manner = Manner::Responds("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n");

pub(super) fn to(name: &str, url: &str) -> Receiver {
    let channel = Channel::Webhook(UrlSource::Plain(url.to_owned()), None);
    Receiver { name: name.to_owned(), channel, on: vec![Event::End], environments: Vec::new(), pages: None }
}

pub(super) fn message(id: &str) -> Message {
    Message { events: vec![Event::End], ..Message::test("shop", id.to_owned(), "2026-01-01T00:00:00Z".to_owned()) }
}

pub(super) fn fresh(name: &str) -> PathBuf {
    let dir = std::env::temp_dir().join(format!("stagegate-outbox-{name}-{}", std::process::id()));
    let _ = fs::remove_dir_all(&dir);
    dir
}

async fn sent(manner: Manner) -> Result<(), Undelivered> {
    let (url, _) = receiver(manner).await;
    deliver((Path::new("/"), &fresh("sent")), &to("hook", &url), &message("a")).await
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_an_error_holds_the_reply_and_no_secret() {
    let redirect =
        sent(Manner::Responds("HTTP/1.1 302 Found\r\nlocation: file:///etc/passwd\r\ncontent-length: 0\r\n\r\n"));
    let error = redirect.await.unwrap_err();
    assert!(error.text.contains("status 302") && error.text.contains("not followed"), "{error}");
    let busy = "HTTP/1.1 429 Too Many\r\nretry-after: 1234\r\ncontent-length: 20\r\n\r\nslow down /canary-3f9ac1";
    let error = sent(Manner::Responds(busy)).await.unwrap_err();
    assert_eq!(error.pause, Some(1_234));
    assert!(error.text.contains("429: slow down") && !error.text.contains(CANARY), "{error}");
    let torn = sent(Manner::Responds("HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nshort")).await;
    assert!(!torn.unwrap_err().text.contains(CANARY));
    let nobody = to("hook", "http://127.0.0.1:1/canary-3f9ac1");
    let error = deliver((Path::new("/"), &fresh("closed")), &nobody, &message("a")).await.unwrap_err();
    assert!(error.text.contains("127.0.0.1:1") && !error.text.contains(CANARY), "{error}");
}

#[tokio::test]
async fn ten_megabytes_in_response_are_not_read_and_a_reply_that_drips_ends_in_time() {
    let began = Instant::now();
    let (large, slow, hung) = tokio::join!(sent(Manner::TenMegabytes), sent(Manner::Drips), sent(Manner::Hangs));
    assert_eq!(large, Ok(()));
    for error in [slow.unwrap_err(), hung.unwrap_err()] {
        assert!(error.text.contains("within 10s"), "{error}");
    }
    assert!(began.elapsed() < WITHIN + Duration::from_secs(3), "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_webhook_is_signed_and_carries_the_id() {
    let (url, requests) = receiver(OK).await;
    let dir = fresh("signed");
    files::private_dir(&dir).unwrap();
    fs::write(dir.join("key"), "the key\n").unwrap();
    let key = Some(SecretSource::File(dir.join("key")));
    let receiver = Receiver { channel: Channel::Webhook(UrlSource::Plain(url), key), ..to("hook", "") };
    deliver((Path::new("/"), &dir), &receiver, &message("run-end")).await.unwrap();
    let (head, body) = requests.lock().unwrap()[0].clone();
    let signature = head.lines().find_map(|line| line.strip_prefix("x-stagegate-signature: ")).unwrap();
    let (at, digest) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    // Another implementation of HMAC than the one that signed.
    let script = "import hmac,sys;print(hmac.new(b'the key',sys.stdin.buffer.read(),'sha256').hexdigest())";
    let mut python = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), format!("{at}.{body}").as_bytes()).unwrap();
    let want = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(digest, want.trim());
    assert!(head.contains("x-stagegate-id: run-end"), "{head}");
    let value: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((value["v"].as_u64(), value["id"].as_str()), (Some(1), Some("run-end")));
    fs::remove_dir_all(&dir).unwrap();
}

fn collector(url: &str, header: Option<&str>, token: &Path) -> Receiver {
    let token = Some(SecretSource::File(token.to_owned()));
    let channel = Channel::Otlp { url: UrlSource::Plain(url.to_owned()), header: header.map(str::to_owned), token };
    Receiver { channel, ..to("traces", "") }
}

#[tokio::test]
async fn a_collector_gets_the_trace_of_a_run_with_its_header_and_other_receivers_do_not() {
    let ((url, traces), (hook, messages)) = (receiver(OK).await, receiver(OK).await);
    let dir = fresh("traces");
    files::private_dir(&dir).unwrap();
    fs::write(dir.join("token"), format!("{CANARY}-token\n")).unwrap();
    let plain = Receiver { name: "bearer".to_owned(), ..collector(&url, None, &dir.join("token")) };
    let receivers = [collector(&url, Some("x-api-key"), &dir.join("token")), plain, to("hook", &hook)];
    let journal = include_bytes!("../../../../../fixtures/journals/format-1/rolled-back.jsonl");
    let lines = stagegate_gate_decide::promotion::read(journal).unwrap().lines;
    let end = stagegate_watch_decide::notify::end("shop", &lines, (&dir, &[]), &[], clock::unix_of).unwrap();
    let outbox = Outbox::of(&StateDir::at(&dir));
    assert_eq!(outbox.put(&receivers, &message("backup")).unwrap(), 1, "what is no run has no trace");
    assert_eq!(outbox.put(&receivers, &end).unwrap(), 3);
    let passed = pass_over(&outbox, &receivers, false).await;
    assert_eq!((passed.sent, passed.failures), (4, Vec::new()));
    let requests = traces.lock().unwrap().clone();
    let heads: Vec<&str> = requests.iter().map(|(head, _)| head.as_str()).collect();
    assert!(heads.iter().any(|head| head.contains(&format!("x-api-key: {CANARY}-token"))), "{heads:?}");
    assert!(heads.iter().any(|head| head.contains(&format!("authorization: Bearer {CANARY}-token"))), "{heads:?}");
    let documents: Vec<Value> = requests.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!(documents[0], documents[1]);
    assert!(!documents[0].to_string().contains(CANARY));
    let spans = documents[0]["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap();
    assert!(spans.len() > 10, "{}", spans.len());
    for span in spans {
        let times =
            ["startTimeUnixNano", "endTimeUnixNano"].map(|key| span[key].as_str().unwrap().parse::<u64>().unwrap());
        assert!(times[0] <= times[1] && times[0] > 1_700_000_000_000_000_000, "{span}");
        assert_eq!((span["traceId"].as_str().unwrap().len(), span["spanId"].as_str().unwrap().len()), (32, 16));
    }
    assert!(messages.lock().unwrap().iter().all(|(_, body)| !body.contains("resourceSpans")));
    fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other_one_and_its_message_stays() {
    let ((bad, _), (good, requests)) = (receiver(Manner::Hangs).await, receiver(OK).await);
    let dir = fresh("isolated");
    let outbox = Outbox::of(&StateDir::at(&dir));
    let receivers = [to("bad", &bad), to("good", &good)];
    for id in ["1", "2", "3"] {
        assert_eq!(outbox.put(&receivers, &message(id)).unwrap(), 2);
    }
    let began = Instant::now();
    let pass = {
        let (outbox, receivers) = (outbox.clone(), receivers.clone());
        tokio::spawn(async move { pass_over(&outbox, &receivers, false).await })
    };
    while requests.lock().unwrap().len() < 3 {
        assert!(began.elapsed() < Duration::from_secs(5), "the good receiver waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let passed = pass.await.unwrap();
    assert_eq!((passed.sent, passed.failures.len()), (3, 1));
    let (waiting, _) = outbox.waiting();
    let tries: Vec<u32> = waiting.iter().map(|one| one.parcel.attempts).collect();
    assert_eq!(tries, [1, 0, 0]);
    // Those behind it wait as long as it does.
    assert!(waiting.iter().all(|one| one.parcel.due > clock::unix_seconds() + 30));
    let again = pass_over(&outbox, &receivers, false).await;
    assert_eq!((again.sent, again.failures.len()), (0, 0));
    fs::remove_dir_all(&dir).unwrap();
}

/// A pass, once the lock is free: a program that another test is starting has this process's files until it runs.
async fn pass_over(outbox: &Outbox, receivers: &[Receiver], all: bool) -> Passed {
    for _ in 0..200 {
        if let Some(passed) = outbox.pass(Path::new("/"), receivers, all).await.unwrap() {
            return passed;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the lock is never free");
}

#[tokio::test]
async fn a_message_for_a_receiver_that_is_no_longer_configured_is_given_up_in_its_time() {
    let dir = fresh("unknown");
    let outbox = Outbox::of(&StateDir::at(&dir));
    assert_eq!(outbox.put(&[to("gone", "http://127.0.0.1:1")], &message("1")).unwrap(), 1);
    let first = pass_over(&outbox, &[], false).await;
    assert!(first.failures[0].contains("no receiver of this name"), "{first:?}");
    let waiting = outbox.waiting().0.remove(0);
    let old = Parcel { since: waiting.parcel.since - 10 * 24 * 3_600, ..waiting.parcel };
    fs::write(&waiting.path, serde_json::to_vec(&old).unwrap()).unwrap();
    assert_eq!(pass_over(&outbox, &[], false).await.failures.len(), 0);
    assert_eq!((outbox.waiting().0.len(), outbox.undelivered().len()), (0, 1));
    fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_program_that_hangs_is_ended_before_its_time_is_over() {
    let dir = fresh("hangs");
    let pid = dir.join("pid");
    fs::create_dir_all(&dir).unwrap();
    let script = format!("echo $$ > {}; sleep 60", pid.display());
    let channel = Channel::Command(["sh", "-c", &script].map(str::to_owned).to_vec());
    let receiver = Receiver { channel, ..to("program", "") };
    let error = deliver((Path::new("/"), &dir), &receiver, &message("1")).await.unwrap_err();
    assert!(error.text.contains("timed out after 9s"), "{error}");
    let process = fs::read_to_string(&pid).unwrap();
    // A killed process is there until it is reaped.
    let status = fs::read_to_string(format!("/proc/{}/status", process.trim())).unwrap_or_default();
    assert!(status.is_empty() || status.contains("State:\tZ"), "{status}");
    assert!(
        fs::read_dir(&dir).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with(".text"))
    );
    fs::remove_dir_all(&dir).unwrap();
}

#[tokio::test]
async fn a_program_reads_json_and_its_failure_is_reported() {
    let dir = fresh("program");
    files::private_dir(&dir).unwrap();
    let of = |words: &[&str]| Receiver {
        channel: Channel::Command(words.iter().map(|word| (*word).to_owned()).collect()),
        ..to("program", "")
    };
    deliver((&dir, &dir), &of(&["tee", "heard.json"]), &message("a")).await.unwrap();
    let value: Value = serde_json::from_slice(&fs::read(dir.join("heard.json")).unwrap()).unwrap();
    assert_eq!(value["id"], "a");
    let error = deliver((&dir, &dir), &of(&["no-such-program"]), &message("a")).await.unwrap_err();
    assert!(error.text.contains("no-such-program"), "{error}");
    let left: Vec<_> = fs::read_dir(&dir).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert_eq!(left, ["heard.json"]);
    fs::remove_dir_all(&dir).unwrap();
}

/// The sender that the next test kills: not a test by itself.
#[tokio::test]
async fn sender_that_is_killed() {
    let Some(dir) = std::env::var_os("STAGEGATE_TEST_OUTBOX") else { return };
    let url = std::env::var("STAGEGATE_TEST_URL").unwrap();
    let outbox = Outbox::of(&StateDir::at(Path::new(&dir)));
    while !outbox.waiting().0.is_empty() {
        pass_over(&outbox, &[to("hook", &url)], true).await;
    }
}

#[tokio::test]
async fn killed_at_any_point_the_sender_loses_no_message() {
    const MESSAGES: usize = 150;
    let (url, requests) = receiver(OK).await;
    let dir = fresh("killed");
    let outbox = Outbox::of(&StateDir::at(&dir));
    for id in 0..MESSAGES {
        outbox.put(&[to("hook", &url)], &message(&format!("m{id}"))).unwrap();
    }
    let start = || -> Child {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "deliver::tests::sender_that_is_killed"])
            .env("STAGEGATE_TEST_OUTBOX", &dir)
            .env("STAGEGATE_TEST_URL", &url)
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let (mut kills, mut seed) = (0_usize, u64::from(std::process::id()));
    while !outbox.waiting().0.is_empty() && kills < 50 {
        let before = requests.lock().unwrap().len();
        let mut child = start();
        // Where it is killed is up to the machine: after some message, and some part of the next one.
        while requests.lock().unwrap().len() == before && child.try_wait().unwrap().is_none() {
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        tokio::time::sleep(Duration::from_micros(seed >> 52)).await;
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            kills += 1;
        }
        child.wait().unwrap();
    }
    pass_over(&outbox, &[to("hook", &url)], true).await;
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for (_, body) in requests.lock().unwrap().iter() {
        let value: Value = serde_json::from_str(body).unwrap();
        *count.entry(value["id"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let doubled = count.values().filter(|count| **count > 1).count();
    assert!(kills >= 20, "only {kills} kills");
    assert_eq!(count.len(), MESSAGES, "lost messages after {kills} kills");
    assert!(doubled <= kills, "{doubled} doubled by {kills} kills");
    assert!(outbox.waiting().0.is_empty() && outbox.waiting().1.is_empty());
    fs::remove_dir_all(&dir).unwrap();
}
