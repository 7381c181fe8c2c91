use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::units::Span;

const MODEL: &str = r#"{"name":"shop","services":{
    "web":{"image":"w:1","networks":{"front":{"aliases":["shop"]},"edge":null},"depends_on":{"api":{"condition":"service_healthy"}},
           "ports":[{"mode":"ingress","host_ip":"127.0.0.1","target":80,"published":"8080","protocol":"tcp"},
                    {"mode":"ingress","target":443,"published":"8443","protocol":"tcp"}],
           "healthcheck":{"test":["CMD","true"]}},
    "api":{"image":"a:1","networks":{"front":null,"back":null},"depends_on":{"migrate":{"condition":"x"},"db":{}}},
    "mirror":{"image":"m:1","depends_on":{"web":{"condition":"service_started"}}},
    "migrate":{"image":"a:1","depends_on":{"db":{}}},
    "db":{"image":"d:1"}},
  "networks":{"front":{"name":"shop_front"},"back":{"name":"shop_back"},
              "edge":{"name":"edge","external":true}}}"#;

fn rollout() -> Rollout {
    Rollout {
        blue_green: BTreeMap::from([("web".to_owned(), Some(80))]),
        image: "haproxy:3.2".to_owned(),
        drain: Span(Duration::from_secs(30)),
        ..Rollout::default()
    }
}

fn model() -> Model {
    Model::parse(MODEL).unwrap()
}

fn proxied() -> Model {
    model().proxied("production", &rollout(), Path::new("/state/proxy")).unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_proxy_has_the_published_ports_and_the_networks_of_the_service() {
    let model = proxied();
    assert!(!model.publishes("web") && model.publishes(PROXY_SERVICE) && model.has_proxy());
    let ports = &model.json()["services"][PROXY_SERVICE]["ports"];
    assert_eq!(
        ports[0],
        json!({"mode":"ingress","host_ip":"127.0.0.1","target":10001,"published":"8080","protocol":"tcp"})
    );
    assert_eq!(ports[1], json!({"mode":"ingress","target":10002,"published":"8443","protocol":"tcp"}));
    assert_eq!(model.networks(PROXY_SERVICE), ["shop_front"], "not those of other stacks");
    assert_eq!(model.behind_proxy(), BTreeMap::from([("web".to_owned(), vec!["web-80".into(), "web-443".into()])]));
    assert_eq!(model.proxy_folder(), Some(Path::new("/state/proxy")));
    assert_eq!(model.proxy_image(), Some("haproxy:3.2"));
}

#[test]
fn settings_speak_http_only_where_the_service_is_known_to() {
    let model = proxied();
    let settings = model.json()["configs"][PROXY_SERVICE]["content"].as_str().unwrap();
    let (general, own) = settings.split_once("frontend web-80\n").unwrap();
    assert!(general.contains("stats socket /run/stagegate/api.sock mode 666 level admin\n"), "{general}");
    let servers = |port: u16| {
        format!(
            "    server-template s 1-2 web:{port} check inter 250ms rise 2 fall 3 resolvers docker resolve-prefer ipv4 \
             init-addr libc,none\n"
        )
    };
    let wanted = format!(
        "    mode http\n    bind :10001\n    default_backend web-80\nbackend web-80\n    mode http\n    option forwardfor\n{}\
         frontend web-443\n    mode tcp\n    bind :10002\n    default_backend web-443\nbackend web-443\n    mode tcp\n{}",
        servers(80),
        servers(443)
    );
    assert_eq!(own, wanted);
    assert!(!settings.contains('$'), "Compose would take it for a variable");
}

#[test]
fn without_such_a_service_the_model_stays_as_it_is_and_has_no_proxy() {
    let same = model().proxied("production", &Rollout::default(), Path::new("/state/proxy")).unwrap();
    assert_eq!(same, model());
    assert!(!same.has_proxy() && same.behind_proxy().is_empty() && same.proxy_folder().is_none());
}

#[rstest]
#[case::name(r#""container_name":"shop","#, "container_name: shop")]
#[case::host_network(r#""network_mode":"host","#, "network_mode: host")]
#[case::replicas(r#""scale":3,"#, "3 replicas")]
#[case::fixed(r#""mac_address":"02:42:ac:11:00:02","#, "fixed address")]
#[case::volume(r#""volumes":[{"type":"volume","source":"data","target":"/d"}],"#, "can write `data`")]
#[case::folder(r#""volumes":[{"type":"bind","source":"/srv","target":"/d"}],"#, "can write `/srv`")]
#[case::unnamed(r#""volumes":[{"type":"volume","target":"/d"}],"#, "the volume at `/d`")]
fn what_two_containers_would_break_is_refused_by_name(#[case] more: &str, #[case] wanted: &str) {
    let text = MODEL.replacen(r#""image":"w:1","#, &format!(r#""image":"w:1",{more}"#), 1);
    let refused = Model::parse(&text).unwrap().proxied("production", &rollout(), Path::new("/p")).unwrap_err();
    assert_eq!(refused.reasons.len(), 1, "{refused}");
    let text = refused.to_string();
    assert!(text.starts_with("`rollout` of [environments.production]: service `web` "), "{text}");
    assert!(text.contains(wanted), "{text}");
}

#[rstest]
#[case::range(r#""published":"8443""#, r#""published":"8443-8450""#, "the range of ports 8443-8450")]
#[case::any_port(r#""published":"8443","#, "", "changes with each container")]
#[case::udp(r#""published":"8443","protocol":"tcp""#, r#""published":"8443","protocol":"udp""#, "TCP only")]
#[case::no_check(r#"{"test":["CMD","true"]}"#, r#"{"disable":true}"#, "no `healthcheck`")]
#[case::only_external(r#""front":{"aliases":["shop"]},"#, "", "only in networks of other stacks")]
#[case::guest(
    r#""image":"m:1","#,
    r#""image":"m:1","network_mode":"service:web","#,
    "`mirror` is in the container of `web`"
)]
fn ports_checks_and_guests_are_looked_at(#[case] from: &str, #[case] to: &str, #[case] wanted: &str) {
    let refused = Model::parse(&MODEL.replacen(from, to, 1))
        .unwrap()
        .proxied("production", &rollout(), Path::new("/p"))
        .unwrap_err();
    assert!(refused.reasons.len() == 1 && refused.reasons[0].contains(wanted), "{refused}");
}

#[test]
fn a_service_that_is_not_there_or_publishes_nothing_is_refused() {
    let wanting = |name: &str| {
        let rollout = Rollout { blue_green: BTreeMap::from([(name.to_owned(), None)]), ..rollout() };
        model().proxied("production", &rollout, Path::new("/p")).unwrap_err().to_string()
    };
    assert!(
        wanting("wbe").contains("`wbe` is no service of the compose files (they have api, db, migrate, mirror, web)")
    );
    assert!(wanting("api").contains("service `api` publishes no port"));
}

#[test]
fn a_copy_has_no_proxy() {
    assert!(!proxied().isolated("copy").has(PROXY_SERVICE));
}

#[test]
fn the_proxy_is_the_same_until_its_ports_or_its_settings_change() {
    let pinned = |model: &Model| {
        let images = BTreeMap::from([(PROXY_SERVICE.to_owned(), "sha256:aa".to_owned())]);
        model.pinned("c1", &images, &BTreeMap::new())
    };
    assert!(pinned(&proxied()).has_same_proxy(&proxied()));
    let other = Model::parse(&MODEL.replacen("8443", "9443", 1)).unwrap();
    assert!(!other.proxied("production", &rollout(), Path::new("/state/proxy")).unwrap().has_same_proxy(&proxied()));
    assert!(!model().has_same_proxy(&model()), "neither has one");
}

#[test]
fn only_the_services_that_changed_carry_the_run_and_later_runs_carry_them_over() {
    let live = proxied().pinned("c1", &BTreeMap::new(), &BTreeMap::new());
    let text = MODEL.replacen("w:1", "w:2", 1);
    let next = Model::parse(&text).unwrap().proxied("production", &rollout(), Path::new("/state/proxy")).unwrap();
    let next = next.pinned("c2", &BTreeMap::new(), &BTreeMap::new()).carried(&live);
    let changed = next.changed_since(&live, [&"web".to_owned(), &"api".to_owned()]);
    assert_eq!(changed, set(&["web"]));
    let next = next.rolled_out_by("r2", &changed);
    assert_eq!((next.rolled_out_in("r2"), next.rolled_out_in("r1")), (set(&["web"]), set(&[])));
    let same = Model::parse(&text).unwrap().proxied("production", &rollout(), Path::new("/state/proxy")).unwrap();
    let same = same.pinned("c3", &BTreeMap::new(), &BTreeMap::new()).carried(&next);
    assert_eq!(same.changed_since(&next, [&"web".to_owned()]), set(&[]), "the run's label is no change");
}

#[test]
fn what_is_kept_stays_as_it_is_with_what_it_depends_on() {
    let live = proxied();
    let text = MODEL.replacen(r#""api":{"image""#, r#""api2":{"image""#, 1);
    let next = Model::parse(&text).unwrap();
    let mixed = next.keeping(&set(&["web"]), &live);
    assert_eq!(mixed.service("web"), live.service("web"));
    assert!(mixed.has("api2") && mixed.has("api"), "the live web depends on it");
}

#[test]
fn services_that_depend_on_those_that_move_are_not_apart_from_them() {
    assert_eq!(model().apart_from(&set(&["web"])), ["api", "db", "migrate"]);
    assert_eq!(model().apart_from(&set(&["api"])), ["db", "migrate"]);
}
