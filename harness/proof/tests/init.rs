//! Proof that a product which has no configuration gets one that is true at once.

use std::{fs, path::Path, process::Command};

use crate::{
    ports::free_port,
    world::{Ended, IDENTITY, checkout, ended, gate, image_of, run},
};

const COMPOSE: &str = r#"services:
  db:
    image: POSTGRES
    environment: { POSTGRES_USER: app, POSTGRES_PASSWORD: "${DB_PASSWORD:?}", POSTGRES_DB: records }
    volumes: ["db-data:/var/lib/postgresql/data"]
  migrate:
    image: POSTGRES
    command: ["sh", "-c", "until pg_isready -q; do sleep 0.2; done; exec psql -qc 'create table if not exists t (id int)' # migrate"]
    tmpfs: [/var/lib/postgresql/data]
    environment: { PGHOST: db, PGUSER: app, PGPASSWORD: "${DB_PASSWORD:?}", PGDATABASE: records }
    restart: "no"
    depends_on: [db]
  web:
    image: NGINX
    ports: ["127.0.0.1:${WEB_PORT:?}:80"]
volumes:
  db-data:
"#;

#[test]
fn a_product_without_a_configuration_gets_one_and_a_true_first_result() {
    let name = format!("proof-init-{}", std::process::id());
    let root = std::env::temp_dir().join(&name);
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    let images = fs::read_to_string(checkout().join(".stagegate/images.env")).unwrap();
    let nginx = images.lines().find_map(|line| line.strip_prefix("NGINX_IMAGE=")).expect("setup.sh names nginx");
    let compose = COMPOSE.replace("POSTGRES\n", &format!("{}\n", image_of(17))).replace("NGINX", nginx);
    fs::write(root.join("compose.yaml"), compose).unwrap();
    run(Command::new("git").arg("-C").arg(&root).args(IDENTITY).args(["init", "--quiet"]));

    // As tools name them that know no rollback: a warning, and no reason to stop a release.
    fs::create_dir(root.join("migrations")).unwrap();
    fs::write(root.join("migrations/0001_t.sql"), "create table if not exists t (id int);").unwrap();
    // Before there is an env file, the variables are named.
    let printed = in_folder(&root, &["init", "--print", "--no-run"]);
    assert_eq!(printed.code, Some(0), "{}", printed.text);
    assert!(!root.join("stagegate.toml").exists());
    fs::write(root.join(".env"), format!("WEB_PORT={}\nDB_PASSWORD=x\n", free_port())).unwrap();
    // As a user starts it: by Compose, under the name of the folder.
    run(Command::new("docker").args(["compose", "up", "--detach", "--quiet-pull"]).current_dir(&root));
    let made = in_folder(&root, &["init"]);
    let text = fs::read_to_string(root.join("stagegate.toml")).unwrap_or_default();
    let tested = in_folder(&root, &["test", "--env", "local"]);
    let again = in_folder(&root, &["init"]);
    let rules = in_folder(&root, &["sanitize", "suggest", "--env", "local", "--write"]);
    run(Command::new("docker").args(["compose", "down", "--volumes", "--timeout", "1"]).current_dir(&root));
    let after = fs::read_to_string(root.join("stagegate.toml")).unwrap_or_default();
    let [suggested, keys] = ["stagegate-sanitize.toml", "stagegate-sanitize.schema.json"]
        .map(|file| fs::read_to_string(root.join(file)).unwrap_or_default());
    fs::remove_dir_all(&root).unwrap();

    assert_eq!(made.code, Some(0), "{}", made.text);
    for part in [&format!("project = \"{name}\""), "name = \"records\"", "migrations = \"migrate\"", "health = \"/\""] {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert_eq!(tested.code, Some(0), "{}", tested.text);
    assert!(tested.text.contains("PASSED local"), "{}", tested.text);
    assert!(text.contains("\n[migrations.main]\n"), "{text}");
    assert_eq!((again.code, after), (Some(2), text), "{}", again.text);
    assert_eq!(rules.code, Some(0), "{}", rules.text);
    assert!(suggested.starts_with("#:schema ./stagegate-sanitize.schema.json\n"), "{suggested}");
    assert!(keys.contains("\"date-shift\""), "{keys}");
}

fn in_folder(root: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(gate());
    command.args(args).current_dir(root).env("STAGEGATE_STATE_DIR", root.join("state")).env_remove("STAGEGATE_ENV");
    ended(&command.output().unwrap())
}

/// A product whose files leave open how it is healthy, and which service migrates.
const OPEN: &str = r#"services:
  db: { image: "postgres:17", environment: { POSTGRES_PASSWORD: x } }
  web: { image: "nginx:1", ports: ["127.0.0.1:8080:80"] }
  migrate-a: { image: "x", restart: "no", command: [a], depends_on: [db] }
  migrate-b: { image: "x", restart: "no", command: [b], depends_on: [db] }
"#;

#[test]
fn on_a_terminal_it_requires_what_the_files_do_not_show() {
    use std::{io::Write, process::Stdio};

    let root = std::env::temp_dir().join(format!("proof-init-asks-{}", std::process::id()));
    let _ = fs::remove_dir_all(&root);
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("compose.yaml"), OPEN).unwrap();
    // script(1) gives the program a terminal, and types what it gets.
    let mut command = Command::new("script");
    command.args(["--quiet", "--return", "--command", &format!("{} init --no-run", gate().display()), "/dev/null"]);
    command.current_dir(&root).stdin(Stdio::piped()).stdout(Stdio::piped()).env_remove("STAGEGATE_ENV");
    let mut child = command.spawn().unwrap();
    // The first answer cannot be used, and is asked for again.
    child.stdin.take().unwrap().write_all(b"Staging\nstaging production\n/healthz\n2\n").unwrap();
    let output = child.wait_with_output().unwrap();
    let seen = String::from_utf8_lossy(&output.stdout).into_owned();
    let text = fs::read_to_string(root.join("stagegate.toml")).unwrap_or_default();
    // Elsewhere nothing is asked, and nothing waits.
    fs::remove_file(root.join("stagegate.toml")).unwrap();
    let silent = in_folder(&root, &["init", "--no-run"]);
    let unasked = fs::read_to_string(root.join("stagegate.toml")).unwrap_or_default();
    fs::remove_dir_all(&root).unwrap();

    assert!(output.status.success(), "{seen}");
    assert!(seen.contains("`Staging` is not a name for an environment"), "{seen}");
    for part in ["\n[environments.production]\n", "health = \"/healthz\"", "migrations = \"migrate-b\"", "#:schema ./"]
    {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
    assert_eq!(silent.code, Some(0), "{}", silent.text);
    assert!(unasked.contains("\n#[environments.production]\n"), "{unasked}");
}
