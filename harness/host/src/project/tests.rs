use super::*;

#[test]
fn variables_that_are_not_set_are_named_once() {
    let stderr = "time=\"2026-01-02T03:04:05Z\" level=warning msg=\"The \\\"DB_PASSWORD\\\" variable is not set. \
                  Defaulting to a blank string.\"\nlevel=warning msg=\"The \\\"DB_PASSWORD\\\" variable is not set.\"\n\
                  level=warning msg=\"something else\"\n";
    assert_eq!(unset(stderr), BTreeSet::from(["DB_PASSWORD"]));
}

#[test]
fn what_compose_refused_is_reported_with_what_to_do() {
    let text_of = |reason: &str, env_files: &[&str]| {
        let env_files = env_files.iter().map(PathBuf::from).collect();
        let source = Source { project: "shop".to_owned(), dir: PathBuf::new(), files: Vec::new(), env_files };
        let error = RunError::Failed { line: "docker compose ..".to_owned(), code: 15, reason: reason.to_owned() };
        refused("staging", &source, error, &BTreeSet::new()).to_string()
    };
    let reason =
        "error while interpolating services.web.ports.[]: required variable WEB_PORT is missing a value: set it";
    let refused = format!("environment `staging`: docker compose refuses its files: {reason}; ");
    assert_eq!(text_of(reason, &[".env"]), format!("{refused}add WEB_PORT=... to .env"));
    let way_out = "set `env_file` of [environments.staging] to a file with WEB_PORT=...";
    assert_eq!(text_of(reason, &[]), format!("{refused}{way_out}"));
    assert!(text_of("docker: 'compose' is not a docker command", &[]).ends_with("install Docker Compose 2 or later"));
    assert!(text_of("services.web.image must be a string", &[]).ends_with("in `compose` of stagegate.toml"));
}

#[test]
fn variables_without_a_value_are_named_where_compose_refuses_the_files() {
    let source = Source { project: "x".to_owned(), dir: "/srv/x".into(), files: Vec::new(), env_files: Vec::new() };
    let reason = "invalid spec: :/data: empty section between colons".to_owned();
    let error = RunError::Failed { line: "docker compose ..".to_owned(), code: 1, reason };
    let unset = BTreeSet::from(["DB_DATA".to_owned(), "UPLOADS".to_owned()]);
    assert_eq!(
        refused("local", &source, error, &unset).to_string(),
        "environment `local`: docker compose refuses its files: invalid spec: :/data: empty section between colons \
         (DB_DATA, UPLOADS not set, and so empty); set DB_DATA, UPLOADS in /srv/x/.env"
    );
}

#[test]
fn files_of_a_folder_are_those_that_compose_reads() {
    let folder = std::env::temp_dir().join(format!("stagegate-files-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
    let names = |env_files: &[PathBuf]| -> Vec<String> {
        files_in(&folder, env_files).iter().map(|file| file.display().to_string()).collect()
    };
    write("docker-compose.prod.yml", "");
    assert!(names(&[]).is_empty());
    assert_eq!(unnamed_files_in(&folder), ["docker-compose.prod.yml"]);
    write("compose.yaml", "");
    write("compose.override.yaml", "");
    assert_eq!(names(&[]), ["compose.yaml", "compose.override.yaml"]);
    write(".env", "COMPOSE_FILE=compose.yaml:docker-compose.prod.yml\n");
    assert_eq!(names(&[]), ["compose.yaml", "docker-compose.prod.yml"]);
    write("other.env", "A=1\n");
    assert_eq!(names(&[folder.join("other.env")]), ["compose.yaml", "compose.override.yaml"]);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn an_env_file_that_is_missing_is_copied_from_its_example() {
    let folder = std::env::temp_dir().join(format!("stagegate-example-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let env = folder.join(".env").display().to_string();
    let reason = format!("env file {env} not found: stat {env}: no such file or directory");
    assert_eq!(env_file_hint(&reason).unwrap(), format!("write {env} (one NAME=value a line)"));
    std::fs::write(folder.join("example.env"), "A=1\n").unwrap();
    let way_out = env_file_hint(&reason).unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(way_out, format!("cp {} {env}, and set its values", folder.join("example.env").display()));
    assert_eq!(env_file_hint("services.web.image must be a string"), None);
}
