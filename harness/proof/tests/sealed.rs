//! A rehearsal runs the release's own code on a copy: it reaches no address of this host, and what is live stays as it
//! is, whatever host the migrations are told to use.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use crate::{two_services::Small, world::ended};

/// Migrates, and then tries every address that it was given or can find, from its own container and from the server's.
const TRIES: &str = r#"set -eu
for f in /m/*.sql; do psql -qX -v ON_ERROR_STOP=1 -f "$f"; done
[ -n "$TRY" ] || exit 0
own=$(while read -r _ to gateway _; do
  for hex in $to $gateway; do
    case $hex in Destination|Gateway|00000000) ;; *)
      echo "$((16#${hex:6:2})).$((16#${hex:4:2})).$((16#${hex:2:2})).$((16#${hex:0:2}))" ;;
    esac
  done
done < /proc/net/route)
first=$(for one in $own; do echo "${one%.*}.1"; done)
for host in $TRY $own $first; do for port in $TRY_PORTS; do
  (! timeout 4 bash -c "exec 3<>/dev/tcp/$host/$port" 2>/dev/null || echo "$host:$port" >> /tmp/reached) &
done; done
for host in $TRY; do for port in $TRY_PORTS; do
  (! psql -qX -c "copy (select 1) to program 'timeout 4 bash -c \"exec 3<>/dev/tcp/$host/$port\"'" 2>/dev/null \
    || echo "server:$host:$port" >> /tmp/reached) &
done; done
wait
echo "tried from $(hostname): $TRY and $(echo $own $first); reached: $(cat /tmp/reached 2>/dev/null || echo nothing)" >&2
exit 1
"#;

/// Counts the connections to a listener on every address of this host.
fn listen() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let (port, met) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&met);
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, met)
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {args:?}: {}", ended(&output).text);
    String::from_utf8(output.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the addresses by which a container may try to reach this host or what is live.
fn addresses(small: &Small) -> String {
    let of = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{.Gateway}} {{end}}";
    let live = docker(&["inspect", &format!("{}-db-1", small.project("production")), "--format", of]);
    // The address with which this host would go out; nothing is sent.
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    let own = socket.connect("192.0.2.77:9").and_then(|()| socket.local_addr()).map(|address| address.ip().to_string());
    format!("172.17.0.1 {live} {} host.docker.internal gateway.docker.internal", own.unwrap_or_default())
}

#[test]
fn a_rehearsal_reaches_no_host_and_changes_nothing_that_is_live() {
    let small = Small::new("sealed");
    small.up("production", "r1");
    small.release("r2", &[("m/up.sh", TRIES)]);
    small.up("staging", "r2");
    let (port, met) = listen();
    let published: u16 = small.variable("production", "DB_PORT").parse().unwrap();

    // Without a wall both are open: the test would be worth nothing else.
    let gateway = "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}";
    let bridge = &docker(&["inspect", &format!("{}-db-1", small.project("production")), "--format", gateway]);
    for port in [port, published] {
        let open = format!("exec 3<>/dev/tcp/{bridge}/{port}");
        docker(&["run", "--rm", "stagegate/postgres:17", "timeout", "5", "bash", "-c", &open]);
    }
    let before = met.load(Ordering::SeqCst);
    assert!(before > 0, "the listener counts");

    small.set_variable("production", "TRY", &addresses(&small));
    small.set_variable("production", "TRY_PORTS", &format!("{port} {published} 5432"));
    let held = small.promote();
    assert_eq!(held.code, Some(3), "{}", held.text);
    assert!(held.text.contains("reached: nothing"), "{}", held.text);
    assert_eq!(met.load(Ordering::SeqCst), before, "{}", held.text);
    small.set_variable("production", "TRY", "");

    // A release that deletes rows, reported to reach its database by this host and the published port.
    small.release("r3", &[("m/3.sql", "delete from item where id > 100;\n")]);
    small.up("staging", "r3");
    small.set_variable("production", "MIGRATE_HOST", bridge);
    small.set_variable("production", "MIGRATE_PORT", &published.to_string());
    let live = SocketAddr::new(bridge.parse().unwrap(), published);
    assert!(TcpStream::connect(live).is_ok(), "the database is published");
    let held = small.promote();
    assert_eq!(small.query("production", "select count(*) from item"), "5000", "{}", held.text);
    assert_eq!(held.code, Some(3), "{}", held.text);
    assert!(held.text.contains("a rehearsal reaches nothing but its own copy"), "{}", held.text);
    assert_eq!(small.query("staging", "select count(*) from item"), "100", "the release does delete");
}

#[test]
fn a_live_database_that_changes_while_its_release_is_rehearsed_holds_it() {
    let small = Small::new("live");
    small.up("production", "r1");
    small.release("r2", &[("m/2.sql", "alter table item add column if not exists price int not null default 1;\n")]);
    small.up("staging", "r2");
    let cases = [
        ("alter table item add column sneaked int", "table public.item"),
        (
            "create table schema_migrations (version text); insert into schema_migrations values (2)",
            "schema_migrations",
        ),
        ("delete from item where id > 100", "public.item: 5000 -> 100 rows"),
    ];
    for (sql, reported) in cases {
        let container = format!("{}-db-1", small.project("production"));
        let mut promotion = small.promotion();
        promotion.env("STAGEGATE_RUN_AFTER", "begun rehearse");
        promotion.env("STAGEGATE_RUN_COMMAND", format!("docker exec {container} psql -U shop -d shop -Xqc '{sql}'"));
        let held = ended(&promotion.output().unwrap());
        assert_eq!(held.code, Some(3), "{sql}: {}", held.text);
        assert!(held.text.contains("changed while") && held.text.contains(reported), "{sql}: {}", held.text);
    }
    // Nobody changes it now, and what users write is no reason to stop.
    let container = format!("{}-db-1", small.project("production"));
    let writes = "update item set name = name || 1; insert into item (name) select 1 from generate_series(1, 500); \
                  delete from item where id in (1, 2)";
    let mut promotion = small.promotion();
    promotion.env("STAGEGATE_RUN_AFTER", "begun rehearse");
    promotion.env("STAGEGATE_RUN_COMMAND", format!("docker exec {container} psql -U shop -d shop -Xqc '{writes}'"));
    let promoted = ended(&promotion.output().unwrap());
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
}
