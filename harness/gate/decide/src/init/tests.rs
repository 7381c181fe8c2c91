use std::path::Path;

use rstest::rstest;
use stagegate_base::config::Config;

use super::*;

const SHOP: &str = r#"{"name":"shop","services":{
    "db":{"image":"registry.example/library/postgres:17@sha256:00","environment":{"POSTGRES_USER":"shop","POSTGRES_DB":"orders"}},
    "cache":{"image":"valkey/valkey:8"},
    "migrate":{"build":{"context":"."},"image":"shop/api","command":["./api","migrate"],
        "depends_on":{"db":{"condition":"service_healthy"}}},
    "api":{"build":{"context":"."},"image":"shop/api","ports":[{"target":9000,"protocol":"udp"},{"target":8080,"published":"80"}],
        "healthcheck":{"test":["CMD-SHELL","curl -fsS 'http://localhost:8080/ready?deep=1' || exit 1"]},
        "depends_on":{"migrate":{"condition":"service_completed_successfully"}}},
    "a.b":{"image":"nginx","expose":["81/tcp"],"ports":[]},
    "worker":{"image":"shop/api","command":["./api","work"]}}}"#;

fn facts(model: &str) -> Facts {
    Facts {
        name: "My.Shop".to_owned(),
        model: Model::parse(model).unwrap(),
        running: None,
        env_file: None,
        missing: Vec::new(),
        exposed: BTreeMap::new(),
        responses: BTreeMap::new(),
        migrations: Vec::new(),
        folders: Vec::new(),
        contracts: Vec::new(),
        subfolder: Subfolder::default(),
        answers: Answers::default(),
    }
}

fn read(proposal: &Proposal) -> Config {
    Config::parse(Path::new("/shop/stagegate.toml"), &proposal.text)
        .unwrap_or_else(|error| panic!("{error}\n{}", proposal.text))
}

#[test]
fn workdirs_of_a_product_in_a_larger_repository_are_its_folder_in_other_checkouts() {
    let subfolder = Subfolder::new(Path::new("products/shop"));
    let text = propose(&Facts { subfolder, ..facts(SHOP) }).text;
    assert!(text.contains("workdir = \"../../../my-shop-staging/products/shop\"\n"), "{text}");
}

#[test]
fn a_product_is_proposed_as_its_files_show_it() {
    let proposal = propose(&facts(SHOP));
    let config = read(&proposal);
    assert_eq!(config.name, "my-shop");
    let services: Vec<&str> = config.services.keys().map(String::as_str).collect();
    assert_eq!(services, ["a.b", "api", "cache", "db"]);
    let database = &config.databases["main"];
    assert_eq!((database.service.as_str(), database.name.as_str()), ("db", "orders"));
    assert_eq!(database.migrations.as_deref(), Some("migrate"));
    assert_eq!(proposal.left_out.len(), 1, "{:?}", proposal.left_out);
    assert!(proposal.left_out[0].starts_with("service `worker`: no port"), "{:?}", proposal.left_out);
    insta::assert_snapshot!(proposal.text);
}

#[test]
fn what_runs_is_preferred_to_what_a_healthcheck_hopes() {
    let mut facts = facts(SHOP);
    facts.running = Some("shop".to_owned());
    let responses = Responses { health: Some("/up".to_owned()), contract: Some("/openapi.json".to_owned()) };
    facts.responses.insert("api".to_owned(), responses);
    facts.responses.insert("a.b".to_owned(), Responses::default());
    let proposal = propose(&facts);
    assert!(proposal.text.contains("health = \"/up\"    # returned 2xx just now"), "{}", proposal.text);
    assert!(proposal.text.contains("#served_contract = \"/openapi.json\""), "{}", proposal.text);
    assert_eq!(read(&proposal).environment("local").unwrap().project, "shop");
}

#[rstest]
#[case::plain(r#""command":["alembic","upgrade","head"]"#, true)]
#[case::flask(r#""command":["flask","db","upgrade"]"#, true)]
#[case::its_shell(r#""entrypoint":["sh","-c"],"command":["flyway migrate"]"#, true)]
#[case::and_serves(r#""command":["sh","-c","./migrate && ./serve"]"#, false)]
#[case::and_ends(r#""command":["sh","-c","wait-for db && ./migrate"],"restart":"no""#, true)]
#[case::restarted(r#""command":["migrate"],"restart":"always""#, false)]
#[case::published(r#""command":["migrate"],"ports":[{"target":80}]"#, false)]
#[case::needs_more(r#""command":["migrate"],"depends_on":{"db":{},"queue":{}}"#, false)]
#[case::other_work(r#""command":["seed"],"restart":"no""#, false)]
#[case::rails(r#""command":["bin/rails","db:prepare"],"restart":"on-failure""#, true)]
#[case::prisma(r#""command":["npx","prisma","db","push"]"#, true)]
#[case::tests_of_them(r#""command":["npm","run","test:migrations"]"#, false)]
#[case::writes_one(r#""command":["migrate","create","-ext","sql","users"]"#, false)]
fn a_service_that_migrates_is_known_by_its_shape(#[case] shape: &str, #[case] want: bool) {
    let needs =
        if shape.contains("depends_on") { "" } else { r#","depends_on":{"db":{"condition":"service_started"}}"# };
    let model = format!(
        r#"{{"name":"x","services":{{"queue":{{"image":"q"}},"db":{{"image":"postgis/postgis"}},"job":{{"image":"x",{shape}{needs}}}}}}}"#
    );
    let config = read(&propose(&facts(&model)));
    assert_eq!(config.databases["main"].migrations.as_deref(), want.then_some("job"));
}

#[rstest]
#[case::its_own_program("", true)]
#[case::options(r#","command":["--workers","2"]"#, true)]
#[case::a_worker(r#","command":["celery","worker"]"#, false)]
#[case::another_entrypoint(r#","entrypoint":["/worker.sh"]"#, false)]
#[case::a_port_of_the_files(r#","command":["gunicorn"],"expose":["8000"]"#, true)]
fn a_port_of_an_image_counts_where_its_own_program_starts(#[case] shape: &str, #[case] want: bool) {
    let model = format!(r#"{{"name":"x","services":{{"web":{{"image":"x"{shape}}}}}}}"#);
    let mut facts = facts(&model);
    facts.exposed.insert("web".to_owned(), vec![8000]);
    let proposal = propose(&facts);
    assert_eq!(read(&proposal).services.contains_key("web"), want, "{}", proposal.text);
    let left_out =
        proposal.left_out.iter().any(|reason| reason.starts_with("service `web`: its image exposes port 8000"));
    assert_eq!(left_out, !want, "{:?}", proposal.left_out);
}

#[test]
fn services_that_may_migrate_are_named_where_none_clearly_does() {
    let model = r#"{"name":"x","services":{"db":{"image":"postgres","environment":{"POSTGRES_DB":"x"}},"queue":{"image":"q"},
        "e2e-migration-test":{"image":"x","depends_on":{"db":{}}},
        "push":{"image":"x","command":["prisma","db","push"],"depends_on":{"db":{},"queue":{}}},
        "setup":{"image":"x","restart":"no","depends_on":{"db":{},"queue":{}}}}}"#;
    let left_out = propose(&facts(model)).left_out;
    let want = "migrations of `db`: `push`, `setup` may apply them; if so, name it in `migrations`";
    assert!(left_out.iter().any(|line| line == want), "{left_out:?}");
}

#[test]
fn names_with_other_characters_are_keys_of_their_own() {
    let model = r#"{"name":"x","services":{"orders.db":{"image":"postgres:16"},"orders-db":{"image":"postgres:16"},
        "web":{"image":"w","volumes":[{"type":"volume","source":"a.b","target":"/a"},
            {"type":"volume","source":"a-b","target":"/b"}]}},"volumes":{"a.b":{},"a-b":{}}}"#;
    let config = read(&propose(&facts(model)));
    let databases: Vec<(&str, &str)> =
        config.databases.iter().map(|(key, one)| (key.as_str(), one.service.as_str())).collect();
    assert_eq!(databases, [("orders-db", "orders-db"), ("orders-db-2", "orders.db")]);
    assert_eq!(config.volumes.keys().collect::<Vec<_>>(), ["a-b", "a-b-2"]);
}

#[rstest]
#[case::mail(r#"[{"target":25},{"target":80}]"#, 80)]
#[case::a_shell(r#"[{"target":22},{"target":3000}]"#, 3000)]
#[case::only_mail(r#"[{"target":25}]"#, 25)]
fn the_port_for_browsers_is_checked(#[case] ports: &str, #[case] want: u16) {
    let model = format!(r#"{{"name":"x","services":{{"web":{{"image":"x","ports":{ports}}}}}}}"#);
    assert!(propose(&facts(&model)).text.contains(&format!("port = {want}    # published")));
}

#[test]
fn data_of_other_servers_and_memory_are_no_files_to_back_up() {
    let model = r#"{"name":"x","services":{
        "db":{"image":"mariadb:11","volumes":[{"type":"volume","source":"sql","target":"/var/lib/mysql"}]},
        "web":{"image":"w","volumes":[{"type":"volume","source":"cache","target":"/c"},
            {"type":"volume","source":"files","target":"/f"}]}},
        "volumes":{"sql":{},"files":{},"cache":{"driver_opts":{"type":"tmpfs","device":"tmpfs"}}}}"#;
    let proposal = propose(&facts(model));
    assert_eq!(read(&proposal).volumes.keys().collect::<Vec<_>>(), ["files"]);
    let left_out = &proposal.left_out;
    assert!(left_out.iter().any(|line| line.starts_with("data of `db` in the volume sql:")), "{left_out:?}");
}

#[test]
fn a_service_with_the_databases_image_that_only_backs_it_up_is_no_database() {
    let model = r#"{"name":"x","services":{
        "db":{"image":"postgres:17","environment":{"POSTGRES_DB":"shop"}},
        "backup":{"image":"postgres:17","environment":{"POSTGRES_DB":"shop"},
            "command":["bash","-c","while true; do pg_dump -h db shop > /backups/shop.sql; sleep 86400; done"]}}}"#;
    let mut facts = facts(model);
    for service in ["db", "backup"] {
        facts.exposed.insert(service.to_owned(), vec![5432]);
    }
    let config = read(&propose(&facts));
    let names = |keys: Vec<&String>| keys.into_iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    assert_eq!(
        (names(config.databases.keys().collect()), names(config.services.keys().collect())),
        ("main".into(), "db".into())
    );
}

#[test]
fn files_of_services_are_backed_up_and_a_servers_are_not_listed_twice() {
    let model = r#"{"name":"x","services":{
        "db":{"image":"postgres","volumes":[{"type":"volume","source":"pg","target":"/d"}]},
        "web":{"image":"x","ports":[{"target":80}],"volumes":[{"type":"volume","source":"Media.1","target":"/m"}]},
        "worker":{"image":"x","volumes":[{"type":"volume","source":"Media.1","target":"/m"}]},
        "proxy":{"image":"x","volumes":[{"type":"volume","source":"logs","target":"/m","read_only":true}]}},
        "volumes":{"pg":{"name":"x_pg"},"Media.1":{"name":"x_m"},"logs":{"name":"x_l"}}}"#;
    let mut facts = facts(model);
    facts.folders = vec![("web".to_owned(), "uploads".to_owned()), ("db".to_owned(), "pgdata".to_owned())];
    let proposal = propose(&facts);
    let config = read(&proposal);
    let volumes: Vec<(&str, bool)> = config.volumes.iter().map(|(id, one)| (id.as_str(), one.rollback)).collect();
    assert_eq!(volumes, [("media-1", false)], "{}", proposal.text);
    assert!(proposal.text.contains("[volumes.media-1]    # of web, worker\nvolume = \"Media.1\""), "{}", proposal.text);
    let folders: Vec<&String> = proposal.left_out.iter().filter(|reason| reason.contains("[volumes]")).collect();
    assert!(folders.len() == 1 && folders[0].starts_with("files of `web` in uploads:"), "{:?}", proposal.left_out);
}

#[rstest]
#[case::on_the_host(r#""command":["seed"],"restart":"no""#, ".", "tool = \"alembic\"\n")]
#[case::below(r#""command":["seed"],"restart":"no""#, "backend", "tool = \"alembic\"\nsource = \"backend\"\n")]
#[case::in_the_image(
    r#""command":["alembic","upgrade","head"],"depends_on":{"db":{}}"#,
    "backend",
    "tool = \"alembic\"\nservice = \"job\"    # alembic runs in its image\n"
)]
fn a_tool_that_runs_its_migrations_itself_runs_where_its_packages_are(
    #[case] job: &str,
    #[case] folder: &str,
    #[case] want: &str,
) {
    let model = format!(r#"{{"name":"x","services":{{"db":{{"image":"postgres"}},"job":{{"image":"x",{job}}}}}}}"#);
    let mut facts = facts(&model);
    facts.migrations = vec![(folder.to_owned(), Tool::Alembic)];
    let proposal = propose(&facts);
    assert!(proposal.text.ends_with(&format!("[migrations.main]\n{want}")), "{}", proposal.text);
    assert!(read(&proposal).migrations["main"].commands.is_some());
}

#[test]
fn what_is_not_clear_is_left_out_with_its_reason() {
    let two = r#"{"name":"x","services":{"db":{"image":"postgres"},
        "migrate-a":{"image":"x","depends_on":{"db":{}}},"migrate-b":{"image":"x","depends_on":{"db":{}}}}}"#;
    let mut facts = facts(two);
    facts.migrations = vec![("a/migrations".to_owned(), Tool::Goose), ("b/migrations".to_owned(), Tool::Plain)];
    let proposal = propose(&facts);
    assert_eq!(
        proposal.left_out,
        [
            "name of the database of `db`: no file names it, and `postgres` is a guess; correct `name` in [databases.main]",
            "migrations of `db`: `migrate-a`, `migrate-b` may each be the one; name it in `migrations`",
            "tests of migrations: `a/migrations` (goose), `b/migrations` (plain) may each be the folder; name it in \
             `source` of [migrations.main]",
        ]
    );
    facts.missing = vec!["PORT".to_owned(), "TOKEN".to_owned()];
    assert_eq!(
        propose(&facts).left_out[0],
        "values of PORT, TOKEN: the compose files require them; add PORT=.. to .env"
    );
    facts.migrations.pop();
    assert!(read(&propose(&facts)).migrations.contains_key("main"));
}

#[rstest]
#[case::of_a_vendor("postgis/postgis:16", "kind = \"postgres\"")]
#[case::with_modules("redislabs/redismod", "kind = \"redis\"")]
#[case::only_called_so("rediscommander/redis-commander", "port = 6379")]
#[case::another_tool("prodrigestivill/postgres-backup-local", "port = 6379")]
fn a_server_is_known_by_its_image(#[case] image: &str, #[case] want: &str) {
    let port = if want.contains("redis") || want.contains("port") { r#","ports":[{"target":6379}]"# } else { "" };
    let port = if image.contains("commander") { r#","expose":["6379"]"# } else { port };
    let model = format!(r#"{{"name":"x","services":{{"it":{{"image":"{image}"{port}}}}}}}"#);
    let text = propose(&facts(&model)).text;
    assert!(text.contains(want), "{text}");
}

#[rstest]
#[case("My.Shop", "my-shop")]
#[case("___", "product")]
#[case("", "product")]
#[case("läden 2", "l-den-2")]
fn any_folder_has_a_name_that_can_be_used(#[case] folder: &str, #[case] want: &str) {
    assert_eq!(project_name(folder), want);
}

fn asked(facts: &Facts, topic: &Topic) -> Question {
    questions(facts).into_iter().find(|question| question.topic == *topic).unwrap_or_else(|| panic!("no {topic:?}"))
}

#[test]
fn only_what_the_files_do_not_show_is_requested() {
    let topics: Vec<Topic> = questions(&facts(SHOP)).into_iter().map(|question| question.topic).collect();
    // Of `api` the healthcheck has the path, of `db` one service is the migrator.
    assert_eq!(topics, [Topic::Environments, Topic::Health("a.b".to_owned())]);
}

#[test]
fn what_was_responded_is_in_the_file() {
    let two = r#"{"name":"x","services":{"db":{"image":"postgres"},"web":{"image":"nginx","ports":[{"target":80}]},
        "migrate-a":{"image":"x","depends_on":{"db":{}}},"migrate-b":{"image":"x","depends_on":{"db":{}}}}}"#;
    let mut facts = facts(two);
    facts.migrations = vec![("a/migrations".to_owned(), Tool::Goose), ("b/migrations".to_owned(), Tool::Plain)];
    for (topic, text) in [
        (Topic::Environments, " staging, production "),
        (Topic::Health("web".to_owned()), "/up"),
        (Topic::Migrator("db".to_owned()), "2"),
        (Topic::Folder, "b/migrations"),
    ] {
        let question = asked(&facts, &topic);
        answer(&mut facts, &question, text).unwrap();
    }
    let proposal = propose(&facts);
    let config = read(&proposal);
    assert!(config.environment("production").unwrap().protected && !config.environment("staging").unwrap().protected);
    assert_eq!(config.services["web"].health.as_deref(), Some("/up"));
    assert_eq!(config.databases["main"].migrations.as_deref(), Some("migrate-b"));
    assert_eq!(config.migrations["main"].source, Path::new("b/migrations"));
    let left_out = &proposal.left_out;
    assert!(left_out.iter().any(|line| line.contains(".env.staging")), "{left_out:?}");
    assert!(!left_out.iter().any(|line| line.contains("may each be")), "{left_out:?}");
}

#[rstest]
#[case::no_path(Topic::Health("a.b".to_owned()), "healthz", "a path")]
#[case::reserved(Topic::Environments, "staging local", "neither local")]
#[case::upper(Topic::Environments, "Staging", "a-z")]
fn a_response_that_cannot_be_used_is_refused_and_changes_nothing(
    #[case] topic: Topic,
    #[case] text: &str,
    #[case] want: &str,
) {
    let mut facts = facts(SHOP);
    let question = asked(&facts, &topic);
    let error = answer(&mut facts, &question, text).unwrap_err().to_string();
    assert!(error.contains(want), "{error}");
    assert_eq!(answer(&mut facts, &question, "  "), Ok(()));
    assert_eq!(facts.answers, Answers::default());
}

#[rstest]
#[case::url("postgres://shop:secret@db:5432/orders", "orders")]
#[case::driver("postgresql+asyncpg://shop@db/orders?ssl=false", "orders")]
#[case::jdbc("jdbc:postgresql://db:5432/orders?user=a", "orders")]
#[case::in_a_command("serve --database postgres://db/orders --port 80", "orders")]
#[case::of_ecto("ecto://u:p@db/orders", "orders")]
#[case::with_postgis("postgis://u:p@db/orders", "orders")]
#[case::parameters("Host=db;Port=5432;Database=orders;Username=a", "orders")]
#[case::of_libpq("host=db port=5432 dbname=orders", "orders")]
#[case::parameters_of_another_host("Host=warehouse;Database=orders", "shop")]
#[case::another_host("postgres://shop@warehouse/orders", "shop")]
#[case::another_kind("mysql://shop@db/orders", "shop")]
#[case::no_name("postgres://shop@db", "shop")]
fn the_database_is_the_one_that_services_name(#[case] word: &str, #[case] want: &str) {
    let model = serde_json::json!({ "name": "shop", "services": {
        "db": { "image": "postgres:17", "environment": { "POSTGRES_USER": "shop" } },
        "api": { "image": "api", "ports": [{ "target": 80 }], "environment": { "DATABASE_URL": word } } } });
    let proposal = propose(&facts(&model.to_string()));
    assert_eq!(read(&proposal).databases["main"].name, want);
}

#[rstest]
#[case::of_libpq(r#""PGHOST":"db","PGDATABASE":"orders""#, "orders")]
#[case::usual(r#""DB_HOST":"db:5432","DB_NAME":"orders""#, "orders")]
#[case::with_a_prefix(r#""REDMINE_DATABASE_HOST":"db","REDMINE_DATABASE_NAME":"orders""#, "orders")]
#[case::another_host(r#""DB_HOST":"warehouse","DB_NAME":"orders""#, "postgres")]
#[case::another_prefix(r#""DB_HOST":"db","CACHE_NAME":"orders""#, "postgres")]
fn a_database_next_to_its_host_is_named(#[case] variables: &str, #[case] want: &str) {
    let model = format!(
        r#"{{"name":"shop","services":{{"db":{{"image":"postgres:17"}},"api":{{"image":"a","environment":{{{variables}}}}}}}}}"#
    );
    let proposal = propose(&facts(&model));
    assert_eq!(read(&proposal).databases["main"].name, want);
    let is_a_guess = proposal.left_out.iter().any(|line| line.contains("`postgres` is a guess"));
    assert_eq!(is_a_guess, want == "postgres", "{:?}", proposal.left_out);
}

#[test]
fn the_database_that_another_vendors_image_makes_is_named() {
    let model = r#"{"name":"x","services":{"db":{"image":"bitnami/postgresql:16",
        "environment":{"POSTGRESQL_USERNAME":"bn","POSTGRESQL_DATABASE":"bitnami_redmine"}}}}"#;
    assert_eq!(read(&propose(&facts(model))).databases["main"].name, "bitnami_redmine");
}

#[test]
fn further_databases_that_services_name_are_reported() {
    let model = r#"{"name":"shop","services":{"db":{"image":"postgres:17","environment":{"POSTGRES_DB":"shop"}},
        "api":{"image":"a","ports":[{"target":80}],"environment":{"URL":"postgres://db/shop","BI":"postgres://db/metabase"}}}}"#;
    let proposal = propose(&facts(model));
    assert_eq!(read(&proposal).databases["main"].name, "shop");
    assert!(proposal.left_out.iter().any(|text| text.contains("use, too: metabase;")), "{:?}", proposal.left_out);
}
