//! Workflows on the real sample stack: sound, with one fault in each, protected, and stopped in the middle.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use stagegate_base::redact::Secret;
use stagegate_host::{
    database::Server,
    engine::Engine,
    http::{Http, Request},
};

use crate::world::{Ended, PASSWORD, World};

/// How long anything may take here.
const WITHIN: Duration = Duration::from_secs(60);
/// What the owner logs in with, and what that gives.
const OWNER: &str = "the-owners-own-word";
const TOKEN: &str = "a-session-of-the-owner";

/// Accepts an order and loses it.
const LOSES_ORDERS: &str = "create function lose() returns trigger language plpgsql as $$ begin
    delete from orders where id = new.id; return null; end $$;
    create trigger lose after insert on orders for each row execute function lose()";
const KEEPS_ORDERS: &str = "drop trigger lose on orders; drop function lose";

/// What the front does otherwise while faults are in: 200 with a wrong body, one byte a second, a login.
const FRONT: &str = r#"
    location = /api/items { default_type application/json; return 200 '{"items":[]}'; }
    location = /slow { limit_rate 1; rewrite ^ /shop.js break; }
    location = /login {
        access_log /tmp/logins;
        default_type application/json;
        if ($http_x_password != "the-owners-own-word") { return 401; }
        return 200 '{"token":"a-session-of-the-owner"}';
    }
    location = /mine {
        if ($http_authorization != "Bearer a-session-of-the-owner") { return 401; }
        default_type text/plain;
        return 200 "mine";
    }
    location = /faults { return 200 "in"; }
"#;

const FILES: [(&str, &str); 7] = [
    ("broken", "[[step]]\nname = \"a\"\nhtp = 1\n"),
    (
        "slow",
        r#"
[[step]]
name = "read what comes slowly"
http = { service = "web", path = "/slow", within = "1s" }
"#,
    ),
    (
        "login",
        r#"
[secrets]
password = "OWNER_PASSWORD"
[[login.owner.step]]
name = "log in"
safe = true
http = { service = "web", path = "/login", headers = { x-password = "{{ secrets.password }}" } }
capture = { token = "$.token" }
"#,
    ),
    (
        "mine",
        r#"
[[step]]
name = "read what is the owner's"
safe = true
http = { service = "web", path = "/mine", headers = { authorization = "Bearer {{ login.owner.token }}" } }
assert = [{ of = "body", equals = "mine" }]
"#,
    ),
    (
        "tells",
        r#"
[secrets]
password = "OWNER_PASSWORD"
[[step]]
name = "tell what a program sees"
exec = { program = "./tell", env = { KEY = "{{ secrets.password }}", TOKEN = "{{ login.owner.token }}" } }
capture = { seen = "regex:address (.+)" }
assert = [{ of = "body", equals = "nothing" }]
"#,
    ),
    (
        "page",
        r#"
severity = "warning"
[[step]]
name = "open the front"
safe = true
browser = { service = "web", path = "/", load_within = "20s" }
assert = [{ of = "$.title", equals = "Shop" }, { of = "body", contains = "Version" }]
"#,
    ),
    (
        "bad_page",
        r#"
severity = "warning"
[[step]]
name = "open a page that is not well"
browser = { service = "web", path = "/bad.html", load_within = "20s" }
"#,
    ),
];

/// What the front promises to whoever has a token.
const CONTRACT: &str = r#"{"openapi": "3.1.0", "info": {"title": "front", "version": "1"},
    "paths": {"/mine": {"get": {"security": [{"bearer": []}], "responses": {"200": {"description": "what is mine",
        "content": {"text/plain": {}}}}}}},
    "components": {"securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}}"#;
/// The front's contract, its secured operation called with what the workflows' login captures.
const WITH_LOGIN: &str = "contract = \"contracts/web.json\"\ntoken_login = \"owner.token\"\n";

/// A file of the release that `tells` runs; what it says on its error output is evidence.
const TELL: &str = "#!/bin/sh\necho \"$KEY and $TOKEN\"\necho \"address $STAGEGATE_WEB_ADDRESS\"\necho \"$KEY\" >&2\n";
/// A script that fails, one that is not there, and one that the page's own policy forbids.
const BAD_PAGE: &str = "<!doctype html><title>Bad</title><script src=\"bad.js\"></script>\
    <script src=\"gone.js\"></script><script>1</script>";

/// Makes an order, and waits to be stopped.
const STOPPED: &str = r#"
[[step]]
name = "place an order"
http = { service = "web", path = "/api/orders", json = { customer_id = 1, item_id = 7, quantity = 977 }, status = 201 }
capture = { order = "$.id" }

[[step]]
name = "wait to be stopped"
exec = { program = "sleep", args = ["30"], within = "40s" }

[[step]]
name = "take it away again"
cleanup = true
sql = { query = "delete from orders where id = $1", params = ["{{ order }}"] }
"#;

/// A workflow that is quick enough, the same one with a limit that it cannot keep, one that is given up after it made an
/// order, and one that is not there.
const TIMED: &str = r#"
[[performance]]
name = "order"
workflow = "workflows/order.toml"
samples = 20
p95 = "5s"
error_rate = "0.1%"

[[performance]]
name = "order-at-once"
workflow = "workflows/order.toml"
samples = 2
max = "1ms"

[[performance]]
name = "long"
workflow = "workflows/long.toml"
warm_up = "0s"
samples = 2
timeout = "300ms"
max = "5s"

[[performance]]
name = "gone"
workflow = "workflows/gone.toml"
max = "5s"

"#;

struct Shop(World);

impl Shop {
    fn up() -> Self {
        let mut world = World::empty("workflows", "soak = \"1s\"");
        world.set("OWNER_PASSWORD", OWNER);
        world.gate_ok(&["up", "--env", "staging", "--release", "v1"]);
        Shop(world)
    }

    fn file(&self, path: &str) -> PathBuf {
        self.0.workdir("staging").join(path)
    }

    fn ask(&self, which: &str) -> Ended {
        self.0.gate(&["test", "--env", "staging", which, "--verbose"])
    }

    /// Changes the configuration.
    fn configure(&self, from: &str, to: &str) {
        let file = self.0.shop().join("stagegate.toml");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
    }

    /// Puts text in front of the first `location` of the front's configuration, or takes it out, and waits for it.
    async fn front(&self, fault: &str, is_in: bool) {
        let file = self.file("web/conf.d/default.conf");
        let text = fs::read_to_string(&file).unwrap();
        let begin = "    location = /ping";
        let changed = match is_in {
            true => text.replacen(begin, &format!("{fault}{begin}"), 1),
            false => text.replacen(fault, "", 1),
        };
        assert_ne!(changed, text);
        fs::write(&file, changed).unwrap();
        let web = format!("{}-web-1", self.0.project("staging"));
        let reload = Command::new("docker").args(["exec", &web, "nginx", "-s", "reload"]).output().unwrap();
        assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
        let deadline = Instant::now() + WITHIN;
        while (self.faults().await == 200) != is_in {
            assert!(Instant::now() < deadline, "the front did not take its configuration in");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks the front whether the faults are in.
    async fn faults(&self) -> u16 {
        let engine = Engine::connect().await.unwrap();
        let containers = engine.project(&self.0.project("staging")).await.unwrap();
        let web = containers.iter().find(|c| c.service == "web").expect("staging has a front");
        Http::shared().unwrap().send_first(&web.reach(80), &Request::get("/faults")).await.unwrap().1.status
    }

    async fn server(&self) -> Server {
        let engine = Engine::connect().await.unwrap();
        let containers = engine.project(&self.0.project("staging")).await.unwrap();
        let db = containers.iter().find(|c| c.service == "db").expect("staging has a database");
        Server::new(db, "shop", Secret::new(PASSWORD), "proof")
    }

    async fn sql(&self, text: &str) {
        self.server().await.connect("shop").await.unwrap().batch_execute(text).await.unwrap();
    }

    async fn orders(&self, which: &str) -> i64 {
        let sql = format!("select count(*) from orders where {which}");
        self.server().await.connect("shop").await.unwrap().query_one(&sql, &[]).await.unwrap().get(0)
    }

    /// Waits until the workflow that is to be stopped made its order.
    async fn until_ordered(&self, child: &mut Child) {
        let deadline = Instant::now() + WITHIN;
        while self.orders("quantity = 977").await != 1 {
            assert!(Instant::now() < deadline, "no order came; the gate: {:?}", child.try_wait());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn kept(&self) -> PathBuf {
        self.0.runs("staging").with_file_name("tests")
    }
}

/// Returns what is reported of one workflow: its line, and the indented ones below.
fn told<'a>(ended: &'a Ended, workflow: &str) -> &'a str {
    let name = format!(" workflows::{workflow}::completes (");
    let at = ended.text.find(&name).unwrap_or_else(|| panic!("nothing is told of {workflow}:\n{}", ended.text));
    let begin = ended.text[..at].rfind('\n').map_or(0, |end| end + 1);
    let rest = &ended.text[begin..];
    let head = rest.find('\n').map_or(rest.len(), |end| end + 1);
    let below: usize = rest[head..].split_inclusive('\n').take_while(|line| line.starts_with(' ')).map(str::len).sum();
    &rest[..head + below]
}

fn assert_told(ended: &Ended, workflow: &str, words: &[&str]) {
    let reported = told(ended, workflow);
    for word in words {
        assert!(reported.contains(word), "`{word}` is missing in:\n{reported}");
    }
}

/// Returns the names of the kept pictures, and asserts that no kept text has a secret.
fn pictures(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let (pictures, texts): (Vec<PathBuf>, Vec<PathBuf>) =
        files.partition(|path| path.extension().is_some_and(|e| e == "png"));
    assert!(!texts.is_empty(), "no records are kept in {}", folder.display());
    for path in texts {
        assert_masked(&fs::read_to_string(path).unwrap());
    }
    pictures
}

fn assert_masked(text: &str) {
    for secret in [OWNER, TOKEN, PASSWORD] {
        assert!(!text.contains(secret), "a secret is told:\n{text}");
    }
}

#[tokio::test]
async fn workflows_pass_on_a_sound_stack_name_each_fault_and_clean_up_when_stopped() {
    let shop = Shop::up();
    let orders = shop.orders("true").await;
    let sound = shop.ask("workflows");
    assert_eq!(sound.code, Some(0), "{}", sound.text);
    assert_told(&sound, "order", &["PASS"]);
    assert_told(&sound, "items", &["PASS"]);
    assert_eq!(shop.orders("true").await, orders, "a workflow leaves orders behind");

    timed(&shop).await;
    assert_eq!(shop.orders("true").await, orders, "a workflow that is timed leaves orders behind");
    with_faults(&shop).await;
    stopped(&shop).await;
    protected(&shop).await;
}

async fn timed(shop: &Shop) {
    let section = "[services.web]\n";
    shop.configure(section, &format!("{TIMED}{section}"));
    fs::write(shop.file("workflows/long.toml"), STOPPED.replace("[\"30\"]", "[\"0.6\"]")).unwrap();
    let ended = shop.ask("performance");
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    let printed = [
        "PASS performance::order::budget",
        " of 20 requests at ",
        "FAIL performance::order_at_once::budget",
        "above its limit of 1ms",
        "FAIL performance::long::budget",
        "0 of 2 requests succeeded: no response in time (2)",
        "`workflows/gone.toml` is not a workflow file",
        "(known: workflows/items.toml, workflows/long.toml, workflows/order.toml)",
    ];
    for words in printed {
        assert!(ended.text.contains(words), "`{words}` is missing in:\n{}", ended.text);
    }
    shop.configure(TIMED, "");
    fs::remove_file(shop.file("workflows/long.toml")).unwrap();
}

async fn with_faults(shop: &Shop) {
    for (name, text) in FILES {
        fs::write(shop.file(&format!("workflows/{name}.toml")), text).unwrap();
    }
    fs::write(shop.file("tell"), TELL).unwrap();
    fs::set_permissions(shop.file("tell"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(shop.file("web/html/bad.html"), BAD_PAGE).unwrap();
    fs::write(shop.file("web/html/bad.js"), "throw new Error(\"out of stock\");").unwrap();
    shop.sql(LOSES_ORDERS).await;
    shop.front(FRONT, true).await;

    fs::write(shop.file("contracts/web.json"), CONTRACT).unwrap();
    let section = "[services.web]\n";
    shop.configure(section, &format!("{section}{WITH_LOGIN}"));
    let ended = shop.0.gate(&["test", "--env", "staging", "workflows", "contracts::web", "--verbose"]);
    assert_eq!(ended.code, Some(3), "{}", ended.text);
    assert!(ended.text.contains("PASS contracts::web::get_mine"), "{}", ended.text);
    assert_told(&ended, "order", &["FAIL", "`see it as a row`", "order.toml:15", "not met after 3.", "$[0]"]);
    assert_told(&ended, "items", &["FAIL", "`show them at the front`", "$.items[0].price_cents", "got missing"]);
    assert_told(&ended, "slow", &["FAIL", "`read what comes slowly`", "sent no complete response within 1s"]);
    assert_told(&ended, "broken", &["FAIL", "workflows/broken.toml:3:1", "unknown key `htp`"]);
    assert_told(&ended, "mine", &["PASS"]);
    assert_told(&ended, "tells", &["FAIL", "*** and ***", "address 127.0.0.1:", "standard error"]);
    assert_masked(&ended.text);
    let web = format!("{}-web-1", shop.0.project("staging"));
    let logins = Command::new("docker").args(["exec", &web, "cat", "/tmp/logins"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&logins.stdout).lines().count(), 1, "a login is done once a run");
    let pictures = pictures(&shop.kept());
    // A browser is an optional part of a machine; its absence has to be reported.
    if told(&ended, "page").starts_with("SKIP") {
        assert_told(&ended, "page", &["no browser is installed"]);
    } else {
        assert_told(&ended, "page", &["PASS", "screenshot /"]);
        let faults = ["FAIL", "out of stock", "gone.js", "status 404", "Content Security Policy", "screenshot"];
        assert_told(&ended, "bad_page", &faults);
        assert_eq!(pictures.len(), 2);
        assert!(pictures.iter().all(|path| fs::read(path).unwrap().starts_with(b"\x89PNG")));
    }

    for (name, _) in FILES {
        fs::remove_file(shop.file(&format!("workflows/{name}.toml"))).unwrap();
    }
    let without = shop.ask("contracts::web");
    assert_eq!(without.code, Some(4), "{}", without.text);
    assert!(without.text.contains("no token: login `owner` is in no workflow file"), "{}", without.text);
    shop.configure(WITH_LOGIN, "");
    shop.sql(KEEPS_ORDERS).await;
    shop.front(FRONT, false).await;
}

async fn stopped(shop: &Shop) {
    fs::write(shop.file("workflows/stopped.toml"), STOPPED).unwrap();
    let mut child = shop.0.command(&["test", "--env", "staging", "workflows::stopped"]).spawn().unwrap();
    shop.until_ordered(&mut child).await;
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_ne!(child.wait().unwrap().code(), Some(0));
    assert_eq!(shop.orders("quantity = 977").await, 0, "the stopped workflow did not clean up");
    fs::remove_file(shop.file("workflows/stopped.toml")).unwrap();
}

async fn protected(shop: &Shop) {
    let section = "[environments.staging]\n";
    shop.configure(section, &format!("{section}protected = true\n"));
    let orders = shop.orders("true").await;
    let ended = shop.ask("workflows");
    assert_eq!(ended.code, Some(0), "{}", ended.text);
    assert_told(&ended, "items", &["PASS"]);
    assert_told(&ended, "order", &["SKIP", "notice", "`place an order at the front` (not marked safe)"]);
    assert_eq!(shop.orders("true").await, orders);
}
