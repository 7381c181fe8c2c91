//! Workflows on the real sample stack: sound, and with one fault at a time; and stopped in the middle.

use std::{
    fs,
    process::{Child, Command},
    time::{Duration, Instant},
};

use stagegate_act::{database::Server, engine::Engine};
use stagegate_decide::redact::Secret;

use crate::world::{Ended, PASSWORD, World};

/// How long anything may take here.
const WITHIN: Duration = Duration::from_secs(60);

/// Accepts an order and loses it.
const LOSES_ORDERS: &str = "create function lose() returns trigger language plpgsql as $$ begin
    delete from orders where id = new.id; return null; end $$;
    create trigger lose after insert on orders for each row execute function lose()";
const KEEPS_ORDERS: &str = "drop trigger lose on orders; drop function lose";

/// Makes an order, tells the others, and waits to be stopped.
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

/// One byte a second.
const SLOW: &str = r#"
[[step]]
name = "read what comes slowly"
http = { service = "web", path = "/slow", within = "1s" }
"#;

const PAGE: &str = r#"
severity = "warning"
[[step]]
name = "open the front"
safe = true
browser = { service = "web", path = "/", load_within = "20s" }
assert = [{ of = "body", contains = "Version 1.0.0" }, { of = "$.title", equals = "Shop" }]
"#;

struct Shop(World);

impl Shop {
    fn up() -> Self {
        let world = World::empty("workflows", "soak = \"1s\"");
        world.gate_ok(&["up", "--env", "staging", "--release", "v1"]);
        Shop(world)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.0.workdir("staging").join("workflows").join(name), text).unwrap();
    }

    fn remove(&self, name: &str) {
        fs::remove_file(self.0.workdir("staging").join("workflows").join(name)).unwrap();
    }

    fn ask(&self, which: &str) -> Ended {
        self.0.gate(&["test", "--env", "staging", which])
    }

    /// Asserts that a workflow fails, and that its record has all of `words`.
    fn fails(&self, which: &str, words: &[&str]) {
        let ended = self.ask(which);
        assert_eq!(ended.code, Some(3), "{}", ended.text);
        for word in words {
            assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
        }
    }

    /// Lets the front answer as `from` becomes `to` in its configuration.
    fn front(&self, from: &str, to: &str) {
        let file = self.0.workdir("staging").join("web/conf.d/default.conf");
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{text}");
        fs::write(&file, text.replacen(from, to, 1)).unwrap();
        let web = format!("{}-web-1", self.0.project("staging"));
        let reload = Command::new("docker").args(["exec", &web, "nginx", "-s", "reload"]).output().unwrap();
        assert!(reload.status.success(), "{}", String::from_utf8_lossy(&reload.stderr));
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

    /// Waits until there are `wanted` orders of the stopped workflow.
    async fn until_orders(&self, wanted: i64, child: &mut Child) {
        let client = self.server().await.connect("shop").await.unwrap();
        let deadline = Instant::now() + WITHIN;
        loop {
            let count = client.query_one("select count(*) from orders where quantity = 977", &[]).await.unwrap();
            if count.get::<_, i64>(0) == wanted {
                return;
            }
            assert!(Instant::now() < deadline, "there are not {wanted} orders; the gate: {:?}", child.try_wait());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn workflows_pass_on_a_sound_stack_and_name_each_fault_and_clean_up_when_stopped() {
    let shop = Shop::up();
    let sound = shop.ask("workflows");
    assert_eq!(sound.code, Some(0), "{}", sound.text);
    assert!(sound.text.contains("2 passed"), "{}", sound.text);

    shop.sql(LOSES_ORDERS).await;
    shop.fails(
        "workflows::order",
        &["see it as a row", "workflows/order.toml:15", "not so after 3.", "0 items: array []"],
    );
    shop.sql(KEEPS_ORDERS).await;

    let items = "    location /api/ {";
    let wrong = format!(
        "    location = /api/items {{ default_type application/json; return 200 '{{\"items\":[]}}'; }}\n{items}"
    );
    shop.front(items, &wrong);
    shop.fails("workflows::items", &["show them at the front", "$.items[0].price_cents", "got missing"]);
    shop.front(&wrong, items);

    shop.front(items, &format!("    location = /slow {{ limit_rate 1; try_files /shop.js =404; }}\n{items}"));
    shop.write("slow.toml", SLOW);
    shop.fails("workflows::slow", &["read what comes slowly", "no whole answer within 1s"]);
    shop.remove("slow.toml");

    shop.write("broken.toml", "[[step]]\nname = \"a\"\nhtp = 1\n");
    shop.fails("workflows::broken", &["workflows/broken.toml:3:1", "unknown field `htp`"]);
    shop.remove("broken.toml");

    shop.write("page.toml", PAGE);
    let page = shop.ask("workflows::page");
    assert!(page.code == Some(0), "{}", page.text);
    assert!(page.text.contains("PASS") || page.text.contains("no browser is installed"), "{}", page.text);

    shop.write("stopped.toml", STOPPED);
    let mut child = shop.0.command(&["test", "--env", "staging", "workflows::stopped"]).spawn().unwrap();
    shop.until_orders(1, &mut child).await;
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_ne!(child.wait().unwrap().code(), Some(0));
    shop.until_orders(0, &mut child).await;
}
