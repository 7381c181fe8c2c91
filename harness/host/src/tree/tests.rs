use std::process::Command;

use stagegate_base::config::Config;

use super::*;

/// A repository with one commit, its checkout aside, and an environment's workdir.
struct Folders(PathBuf);

impl Folders {
    fn new(name: &str, compose: &str) -> Self {
        let root = std::env::temp_dir().join(format!("stagegate-tree-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let folders = Folders(root);
        for top in ["tree", "work"] {
            folders.write(&format!("{top}/docker-compose.yml"), compose);
        }
        folders
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn environment(&self) -> Environment {
        let text = "[project]\nname = \"tree\"\n[environments.staging]\nworkdir = \"work\"\n";
        Config::parse(&self.0.join("stagegate.toml"), text).unwrap().environment("staging").unwrap().clone()
    }

    fn git(&self, args: &[&str]) {
        let run = Command::new("git").arg("-C").arg(self.0.join("tree")).args(args).output().unwrap();
        assert!(run.status.success(), "{run:?}");
    }

    async fn read(&self) -> Result<Read, TreeError> {
        let (runner, environment) = (Runner::default(), self.environment());
        Tree { runner: &runner, environment: &environment, dir: &self.0.join("tree"), subfolder: &Subfolder::default() }
            .read()
            .await
    }

    async fn mounts(&self) -> BTreeMap<String, String> {
        let (runner, environment) = (Runner::default(), self.environment());
        let tree = Tree {
            runner: &runner,
            environment: &environment,
            dir: &self.0.join("tree"),
            subfolder: &Subfolder::default(),
        };
        tree.mounts(&tree.read().await.unwrap().model).await.unwrap()
    }
}

impl Drop for Folders {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

const BESIDE: &str = "services:\n  web:\n    image: none\n    env_file: [conf/web.env, .env]\n    volumes: \
                      ['./data:/data', './html:/html:ro']\n    secrets: [key]\nsecrets:\n  key: {file: ./keys/key}\n";

#[tokio::test]
async fn what_git_does_not_have_is_taken_from_the_workdir_and_named() {
    let folders = Folders::new("beside", BESIDE);
    for (path, text) in [(".env", "A=1\n"), ("conf/web.env", "B=2\n"), ("keys/key", "k"), ("data/x", "rows")] {
        folders.write(&format!("work/{path}"), text);
    }
    let read = folders.read().await.unwrap();
    let work = folders.0.join("work");
    let mut alongside = read.side_files.clone();
    alongside.sort();
    assert_eq!(alongside, [work.join(".env"), work.join("conf/web.env")]);
    assert_eq!(read.model.variable("web", "B").unwrap().expose(), "2");
    let sources: Vec<String> = read.model.binds("web").into_iter().map(|bind| bind.source).collect();
    // The folder that nobody has stays the checkout's: Compose makes it where the release is put.
    assert_eq!(sources[0], work.join("data").to_string_lossy());
    assert_eq!(sources[1], folders.0.join("tree/html").to_string_lossy());
    assert!(read.model.files_of_secrets().contains(work.join("keys/key").to_str().unwrap()));
}

#[tokio::test]
async fn a_file_that_is_nowhere_is_named_as_it_would_be_in_the_workdir() {
    let folders = Folders::new("nowhere", BESIDE);
    let printed = folders.read().await.unwrap_err().to_string();
    assert!(printed.contains(folders.0.join("work/conf/web.env").to_str().unwrap()), "{printed}");
    folders.write("work/.env", "");
    folders.write("work/conf/web.env", "");
    let printed = folders.read().await.unwrap_err().to_string();
    assert!(printed.contains(folders.0.join("work/keys/key").to_str().unwrap()), "{printed}");
}

#[tokio::test]
async fn data_in_the_release_s_folder_does_not_change_its_hash_and_a_file_of_the_release_does() {
    let compose = "services:\n  db:\n    image: none\n    volumes: ['./pg:/pg', './conf:/conf:ro', './none:/none']\n";
    let folders = Folders::new("mounts", compose);
    folders.git(&["init", "--quiet"]);
    folders.write("tree/conf/a.conf", "one");
    folders.git(&["add", "conf"]);
    let before = folders.mounts().await;
    folders.write("tree/pg/base", "rows");
    folders.write("tree/conf/cache", "not the release's");
    assert_eq!(folders.mounts().await, before);
    folders.write("tree/conf/a.conf", "two");
    assert_ne!(folders.mounts().await, before);
}

#[tokio::test]
async fn values_of_secrets_are_those_of_the_env_file_and_a_missing_one_is_named() {
    let compose = "services:\n  web:\n    image: none\n    secrets: [key]\n  tool:\n    image: none\n    profiles: [tools]\n\
                   secrets:\n  key: {environment: API_KEY}\n";
    let folders = Folders::new("values", compose);
    let said = folders.read().await.unwrap_err().to_string();
    assert!(said.contains("secret `key`") && said.contains("API_KEY"), "{said}");
    folders.write("work.env", "API_KEY=\"a$$b c\"\nCOMPOSE_PROFILES=tools\n");
    let environment = Environment { env_files: vec![folders.0.join("work.env")], ..folders.environment() };
    let runner = Runner::default();
    let tree = Tree {
        runner: &runner,
        environment: &environment,
        dir: &folders.0.join("tree"),
        subfolder: &Subfolder::default(),
    };
    let model = tree.read().await.unwrap().model;
    assert!(model.secrets().iter().any(|secret| secret.expose().ends_with(" c")), "{:?}", model.json()["configs"]);
    assert!(!model.has_profile("tool"));
}

#[tokio::test]
async fn an_override_file_is_read_as_compose_reads_it_and_one_that_git_ignores_is_the_workdirs() {
    let folders = Folders::new("override", "services:\n  web:\n    image: none\n");
    folders.write("work/docker-compose.override.yml", "services:\n  web:\n    environment: {FROM: workdir}\n");
    let read = folders.read().await.unwrap();
    assert_eq!(read.model.variable("web", "FROM").unwrap().expose(), "workdir");
    assert_eq!(read.side_files, [folders.0.join("work/docker-compose.override.yml")]);

    folders.write("tree/docker-compose.override.yml", "services:\n  web:\n    environment: {FROM: release}\n");
    let read = folders.read().await.unwrap();
    assert_eq!(read.model.variable("web", "FROM").unwrap().expose(), "release");
}

#[tokio::test]
async fn files_that_the_env_file_names_are_read_in_place_of_the_usual_ones() {
    let folders = Folders::new("named", "services:\n  web:\n    image: none\n");
    folders.write("tree/other.yml", "services:\n  api:\n    image: none\n");
    folders.write("work.env", "COMPOSE_FILE=other.yml\n");
    let environment = Environment { env_files: vec![folders.0.join("work.env")], ..folders.environment() };
    let runner = Runner::default();
    let tree = Tree {
        runner: &runner,
        environment: &environment,
        dir: &folders.0.join("tree"),
        subfolder: &Subfolder::default(),
    };
    assert_eq!(tree.read().await.unwrap().model.services(), ["api"]);
}

#[tokio::test]
async fn another_secret_or_config_file_changes_the_hash() {
    let compose = "services:\n  web:\n    image: none\n    secrets: [key]\n    configs: [motd]\nsecrets:\n  key: {file: \
                   ./key}\nconfigs:\n  motd: {file: ./motd}\n";
    let folders = Folders::new("secrets", compose);
    for name in ["key", "motd"] {
        folders.write(&format!("tree/{name}"), "one");
    }
    let before = folders.mounts().await;
    folders.write("tree/key", "two");
    let with_key = folders.mounts().await;
    folders.write("tree/motd", "two");
    assert!(with_key != before && folders.mounts().await != with_key);
}

#[tokio::test]
async fn a_secret_of_swarm_is_refused_by_its_name() {
    let compose = "services:\n  web:\n    image: none\n    secrets: [key]\nsecrets:\n  key: {external: true}\n";
    let printed = Folders::new("external", compose).read().await.unwrap_err().to_string();
    assert!(printed.contains("secret `key` is external"), "{printed}");
}
