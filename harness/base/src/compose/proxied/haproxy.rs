//! The settings of HAProxy.
//!
//! Source: HAProxy 2.6 configuration manual, sections 3 (global), 4 (proxies), 5.3 (server IP address resolution).

use super::{Backend, FIRST_PORT, FOLDER};

/// How many containers of a service the proxy knows: the live one and the next.
const SLOTS: usize = 2;

/// What stands before the backends.
///
/// - The descriptors are limited since some hosts allow a billion, for which HAProxy would take memory.
/// - Time limits are the services' own affair; those here only end what is dead.
/// - Docker's own name server names the containers that run, so that after a restart of the proxy, of a container or of the
///   host the proxy finds them without the gate.
const GLOBAL: &str = "global
    fd-hard-limit 50000
    hard-stop-after 30s
    tune.bufsize 65536
    log stdout format raw local0 notice
defaults
    log global
    timeout connect 5s
    timeout client 1h
    timeout server 1h
    timeout tunnel 24h
    timeout client-fin 30s
    retries 3
    option redispatch
resolvers docker
    nameserver engine 127.0.0.11:53
    resolve_retries 3
    timeout resolve 250ms
    timeout retry 250ms
    hold valid 250ms
    hold obsolete 250ms
    hold nx 250ms
    hold other 250ms
    hold refused 250ms
    hold timeout 250ms
";

/// Returns the settings: for each backend a frontend that listens, and servers that Docker's name server fills.
pub(super) fn settings(backends: &[Backend]) -> String {
    let socket = format!("    stats socket {FOLDER}/api.sock mode 666 level admin\n");
    let global = GLOBAL.replacen("global\n", &format!("global\n{socket}"), 1);
    let each = backends.iter().enumerate().map(|(at, backend)| one(FIRST_PORT + at, backend));
    std::iter::once(global).chain(each).collect()
}

fn one(listen: usize, backend: &Backend) -> String {
    let (name, service, port) = (backend.name(), &backend.service, backend.port);
    let mode = if backend.is_http { "http\n    option forwardfor" } else { "tcp" };
    format!(
        "frontend {name}\n    mode {frontend}\n    bind :{listen}\n    default_backend {name}\n\
         backend {name}\n    mode {mode}\n    server-template s 1-{SLOTS} {service}:{port} check inter 250ms rise 2 fall 3 \
         resolvers docker resolve-prefer ipv4 init-addr libc,none\n",
        frontend = if backend.is_http { "http" } else { "tcp" },
    )
}
