use super::*;

fn shop() -> Model {
    Model::parse(
        r#"{"name":"shop-production","services":{
            "api":{"image":"shop/api:1","depends_on":{"migrate":{"condition":"service_completed_successfully"},"db":{"condition":"service_healthy"}},
                   "environment":{"PGPASSWORD":"pa$$word-1","LEVEL":"info"},"healthcheck":{"test":["CMD","true"]}},
            "migrate":{"image":"postgres:17","depends_on":{"db":{"condition":"service_healthy"},"cache":{"condition":"service_healthy"}},
                   "volumes":[{"type":"bind","source":"/srv/shop/migrations","target":"/migrations","read_only":true}]},
            "db":{"image":"postgres:17","ports":[{"target":5432,"published":"5432"}],"container_name":"thedb",
                   "volumes":[{"type":"volume","source":"db-data","target":"/var/lib/postgresql/data"},
                              {"type":"bind","source":"/srv/shop/init","target":"/docker-entrypoint-initdb.d","read_only":true}]},
            "cache":{"image":"redis:7","healthcheck":{"disable":true}}},
          "networks":{"default":{"name":"shop-production_default"}},
          "volumes":{"db-data":{"name":"shop-production_db-data"}}}"#,
    )
    .unwrap()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|n| (*n).to_owned()).collect()
}

#[test]
fn a_service_that_another_waits_for_to_complete_is_awaited() {
    let model = shop();
    assert!(model.is_awaited("migrate"));
    assert!(!model.is_awaited("db"));
}

#[test]
fn a_healthcheck_that_is_switched_off_does_not_count() {
    let model = shop();
    assert!(model.has_healthcheck("api"));
    assert!(!model.has_healthcheck("cache"));
    assert!(!model.has_healthcheck("db"));
}

#[test]
fn secrets_are_found_by_their_names_and_unescaped() {
    let secrets = shop().secrets();
    assert_eq!(secrets.iter().map(Secret::expose).collect::<Vec<_>>(), ["pa$word-1"]);
}

#[test]
fn a_pinned_model_names_image_ids_and_never_builds_or_pulls() {
    let images = BTreeMap::from([("api".to_owned(), "sha256:aa".to_owned())]);
    let pinned = shop().pinned("abc", &images, &BTreeMap::new());
    assert_eq!(pinned.image("api"), "sha256:aa");
    assert_eq!(pinned.service("api")["pull_policy"], "never");
    assert_eq!(pinned.service("db")["labels"][RELEASE_LABEL], "abc");
}

#[test]
fn a_closed_door_publishes_nothing_and_leaves_the_others_alone() {
    let closed = shop().closed(&set(&["db"]));
    assert!(!closed.publishes("db"));
    assert_eq!(closed.image("db"), "postgres:17");
}

#[test]
fn an_isolated_copy_shares_no_name_with_the_original() {
    let text = shop().isolated("copy").to_json();
    assert!(!text.contains("shop-production"), "{text}");
    assert!(!text.contains("thedb"), "{text}");
    assert!(!text.contains("5432\""), "{text}");
}

#[test]
fn a_copy_has_no_fixed_address_since_it_has_other_subnets() {
    let text = r#"{"services":{"db":{"mac_address":"02:42:ac:11:00:02","networks":{"back":{"aliases":["store"],
        "ipv4_address":"10.9.0.2","ipv6_address":"fd00::2","link_local_ips":["169.254.1.1"]}}}},
        "networks":{"back":{"enable_ipv6":true,"ipam":{"config":[{"subnet":"10.9.0.0/24"},{"subnet":"fd00::/64"}]}}}}"#;
    let copy = Model::parse(text).unwrap().isolated("copy");
    assert_eq!(copy.json()["services"], json!({"db": {"networks": {"back": {"aliases": ["store"]}}}}));
    assert_eq!(copy.json()["networks"], json!({"back": {}}));
}

#[test]
fn a_copy_has_no_volume_on_a_folder_or_server_of_the_original() {
    let text =
        r#"{"services":{"db":{}},"volumes":{"d":{"driver":"local","driver_opts":{"o":"bind","device":"/srv/pg"}}}}"#;
    assert_eq!(Model::parse(text).unwrap().isolated("copy").json()["volumes"], json!({"d": {}}));
}

#[test]
fn a_reduced_copy_has_an_empty_database_and_no_dangling_dependency() {
    let model = shop().reduced(&set(&["db", "migrate"]), &set(&["db"]));
    assert_eq!(model.services(), ["db", "migrate"]);
    assert!(model.binds("db").is_empty());
    assert_eq!(model.service("db")["volumes"], json!([]));
    assert_eq!(model.binds("migrate").len(), 1);
    assert!(model.service("migrate")["depends_on"].get("cache").is_none());
}

#[test]
fn a_text_that_is_not_a_model_is_refused() {
    assert!(Model::parse("name: shop").unwrap_err().to_string().contains("Compose v2"));
    assert!(Model::parse("{}").unwrap_err().to_string().contains("no services"));
}

#[test]
fn a_service_that_did_not_change_keeps_its_label_and_so_its_container() {
    let pin = |release, image: &str| {
        let images = BTreeMap::from([("api".to_owned(), image.to_owned()), ("db".to_owned(), "sha256:db".to_owned())]);
        shop().pinned(release, &images, &BTreeMap::new())
    };
    let old = pin("one", "sha256:a1");
    let new = pin("two", "sha256:a2").carried(&old);
    assert_eq!(new.service("db"), old.service("db"));
    assert_eq!(new.service("api")["labels"][RELEASE_LABEL], "two");
}

#[test]
fn paths_move_with_the_tree_and_look_alikes_stay() {
    let moved = shop().rebased("/srv/shop", "/srv/other");
    assert_eq!(moved.binds("migrate")[0].source, "/srv/other/migrations");
    let same = shop().rebased("/srv/sho", "/srv/other");
    assert_eq!(same.binds("migrate")[0].source, "/srv/shop/migrations");
}

#[test]
fn nobody_waits_for_a_service_that_is_left_out() {
    let model = shop().without(&set(&["migrate"]));
    assert_eq!(model.services(), ["api", "cache", "db"]);
    assert_eq!(
        model.json()["services"]["api"]["depends_on"],
        serde_json::json!({"db": {"condition": "service_healthy"}})
    );
}

#[test]
fn what_compose_builds_without_a_name_has_the_projects_and_the_services() {
    let model =
        Model::parse(r#"{"name":"shop-staging","services":{"web":{"build":{"context":"."}},"db":{"image":"pg:17"}}}"#);
    let model = model.unwrap();
    assert_eq!((model.image_name("web"), model.image_name("db")), ("shop-staging-web".into(), "pg:17".into()));
}

#[test]
fn a_resting_service_is_not_started_and_nobody_waits_for_it() {
    let model = shop().with_resting(&set(&["migrate"]));
    assert!(model.has("migrate") && model.has_profile("migrate") && !model.has_profile("api"));
    assert!(!model.is_awaited("migrate"));
}
