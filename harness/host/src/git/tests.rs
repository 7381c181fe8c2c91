use std::process::Command;

use super::*;

struct Repository(PathBuf);

impl Repository {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("stagegate-git-{name}-{}", std::process::id()));
        std::fs::create_dir_all(root.join("product")).unwrap();
        let repository = Repository(root);
        repository.git(&["init", "--quiet"]);
        repository.git(&["commit", "--quiet", "--allow-empty", "--message", "first"]);
        repository
    }

    fn product(&self) -> PathBuf {
        self.0.join("product")
    }

    fn git(&self, args: &[&str]) -> String {
        let who = ["-c", "user.name=test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false"];
        let output = Command::new("git").arg("-C").arg(self.product()).args(who).args(args).output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    async fn open(&self) -> Git {
        Git::open(&Runner::default(), &self.product()).await.unwrap()
    }
}

impl Drop for Repository {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_git_refuses_is_reported_in_its_own_words() {
    let printed = "fatal: detected dubious ownership in repository at '/srv/shop'\nTo add an exception for this directory, \
                call:\n\n\tgit config --global --add safe.directory /srv/shop\n";
    let text = refused(Path::new("/srv/shop"), printed).to_string();
    assert!(text.contains("dubious ownership") && text.ends_with("--add safe.directory /srv/shop"), "{text}");
    let none = "fatal: not a git repository (or any of the parent directories): .git\n";
    assert!(matches!(refused(Path::new("/srv/shop"), none), GitError::NoRepository { .. }));
}

#[tokio::test]
async fn only_a_tag_with_our_message_is_taken_away() {
    let repository = Repository::new("tag");
    let git = repository.open().await;
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["tag", "light"]);
    repository.git(&["tag", "--annotate", "--message", "before the fair", "theirs"]);
    git.tag("ours", &head, "production before run r1").await.unwrap();
    for name in ["light", "theirs", "ours", "none"] {
        git.untag(name, "production before run r1").await.unwrap();
    }
    assert_eq!(repository.git(&["tag"]), "light\ntheirs");
}

#[tokio::test]
async fn worktrees_of_others_are_not_forgotten_where_their_folder_is_away() {
    let repository = Repository::new("worktree");
    let git = repository.open().await;
    let head = repository.git(&["rev-parse", "HEAD"]);
    let [theirs, ours] = ["theirs", "ours"].map(|name| repository.0.join(name));
    git.check_out(&theirs, &head).await.unwrap();
    std::fs::rename(&theirs, repository.0.join("away")).unwrap();

    git.check_out(&ours, &head).await.unwrap();
    // The folder is lost, and is made anew at the same place.
    std::fs::remove_dir_all(&ours).unwrap();
    git.check_out(&ours, &head).await.unwrap();
    git.remove_worktree(&ours).await.unwrap();
    // As a killed `worktree add` leaves it: locked, and without its files.
    git.check_out(&ours, &head).await.unwrap();
    repository.git(&["worktree", "lock", "--reason", "initializing", &ours.to_string_lossy()]);
    std::fs::remove_file(ours.join(".git")).unwrap();
    git.remove_worktree(&ours).await.unwrap();
    git.remove_worktree(&ours).await.unwrap();
    assert!(!ours.exists());
    let known = repository.git(&["worktree", "list", "--porcelain"]);
    assert!(known.contains("/theirs") && !known.contains("/ours"), "{known}");
}

#[tokio::test]
async fn a_worktree_is_made_in_an_empty_folder_and_nothing_of_others_is_touched() {
    let repository = Repository::new("empty");
    let git = repository.open().await;
    let head = repository.git(&["rev-parse", "HEAD"]);
    let [made, emptied, full] = ["made", "emptied", "full"].map(|name| repository.0.join(name));
    std::fs::create_dir_all(&made).unwrap();
    git.check_out(&made, &head).await.unwrap();
    assert!(git.is_own_worktree(&made).await.unwrap());
    // git still knows a worktree whose folder was emptied by hand.
    git.check_out(&emptied, &head).await.unwrap();
    std::fs::remove_file(emptied.join(".git")).unwrap();
    git.check_out(&emptied, &head).await.unwrap();
    assert!(git.is_own_worktree(&emptied).await.unwrap());
    std::fs::create_dir_all(&full).unwrap();
    std::fs::write(full.join("notes"), "mine").unwrap();
    git.check_out(&full, &head).await.unwrap_err();
    assert_eq!(std::fs::read_dir(&full).unwrap().count(), 1);
}

impl Repository {
    fn write(&self, path: &str, text: &str) {
        let path = self.product().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    async fn open_in(&self, folder: &str) -> Git {
        Git::open(&Runner::default(), &self.product().join(folder)).await.unwrap()
    }
}

#[tokio::test]
async fn a_product_in_a_folder_is_checked_out_whole_and_its_workdir_is_that_folder() {
    let repository = Repository::new("folder");
    let empty = repository.git(&["rev-parse", "HEAD"]);
    repository.write("shop/stagegate.toml", "");
    repository.write("blog/stagegate.toml", "");
    let head = repository.commit("both");
    let (shop, live) = (repository.open_in("shop").await, repository.0.join("live"));
    assert_eq!(shop.subfolder().path(), Path::new("shop"));

    let refused = shop.check_out(&live, &head).await.unwrap_err().to_string();
    assert!(refused.contains(&format!("expected {}", live.join("shop").display())), "{refused}");
    let refused = shop.check_out(&live.join("shop"), &empty).await.unwrap_err().to_string();
    assert!(refused.contains("has no folder shop") && !live.exists(), "{refused}");
    shop.check_out(&live.join("shop"), &head).await.unwrap();
    assert!(live.join("shop/stagegate.toml").is_file() && shop.is_own_worktree(&live.join("shop")).await.unwrap());

    let refused = repository.open_in("blog").await.check_out(&live.join("blog"), &head).await.unwrap_err().to_string();
    assert!(refused.contains("the product in shop of this repository"), "{refused}");
    std::fs::write(live.join("blog/stagegate.toml"), "#").unwrap();
    assert_eq!(shop.changes(&live.join("shop")).await.unwrap(), ["M blog/stagegate.toml"]);
    shop.remove_worktree(&live.join("shop")).await.unwrap();
    assert!(!live.exists());
}

#[tokio::test]
async fn a_release_has_its_product_s_tag_and_no_other_one_s() {
    let repository = Repository::new("names");
    repository.write("shop/stagegate.toml", "");
    repository.write("blog/stagegate.toml", "");
    let head = repository.commit("both");
    repository.git(&["tag", "blog-v9"]);
    let (shop, top) = (repository.open_in("shop").await, repository.open().await);
    assert_eq!(shop.release("HEAD").await.unwrap().name, head[..10], "a tag of the other product is none of its own");
    assert_eq!(top.release("HEAD").await.unwrap().name, "blog-v9", "of a whole repository all are");
    repository.git(&["tag", "v2"]);
    assert_eq!(shop.release("HEAD").await.unwrap().name, "v2");
    repository.git(&["tag", "shop-v1"]);
    assert_eq!(shop.release("HEAD").await.unwrap().name, "shop-v1");
    assert!(shop.has_tag("shop-v1").await.unwrap() && !shop.has_tag("shop-v2").await.unwrap());
}

#[tokio::test]
async fn submodules_come_from_this_machine_or_are_refused_by_name_and_leave_with_their_release() {
    let (repository, library) = (Repository::new("with"), Repository::new("library"));
    let without = repository.git(&["rev-parse", "HEAD"]);
    library.write("code", "one");
    library.commit("one");
    let from = library.product().display().to_string();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &from, "libs/x"];
    repository.git(&add);
    let first = repository.commit("with a submodule");
    let (git, live) = (repository.open().await, repository.0.join("live"));
    let code = live.join("libs/x/code");

    git.check_out(&live, &first).await.unwrap();
    assert_eq!(std::fs::read_to_string(&code).unwrap(), "one");
    assert!(git.changes(&live).await.unwrap().is_empty());
    git.check_out(&live, &without).await.unwrap();
    assert!(!code.exists(), "the release has no such folder");
    git.check_out(&live, &first).await.unwrap();

    // A commit that only the user's other machine has.
    let own = repository.product().join("libs/x");
    let object = Command::new("git").arg("-C").arg(library.product()).args(["rev-parse", "HEAD"]).output().unwrap();
    let known = String::from_utf8(object.stdout).unwrap().trim().to_owned();
    let unknown = "1".repeat(40);
    repository.git(&["update-index", "--cacheinfo", &format!("160000,{unknown},libs/x")]);
    repository.git(&["commit", "--quiet", "--message", "elsewhere"]);
    let elsewhere = repository.git(&["rev-parse", "HEAD"]);
    let refused = git.check_out(&live, &elsewhere).await.unwrap_err().to_string();
    assert!(
        refused.contains("libs/x") && refused.contains(&unknown) && refused.contains("submodule update"),
        "{refused}"
    );
    assert_eq!(git.release_of(&live).await.unwrap().commit, first, "nothing was touched");

    // The user's own checkout of it may be away.
    std::fs::remove_dir_all(&own).unwrap();
    git.remove_worktree(&live).await.unwrap();
    git.check_out(&live, &first).await.unwrap();
    assert_eq!(std::fs::read_to_string(&code).unwrap(), "one");
    assert_eq!(git.open_release(&live.join("libs/x")).await, known);
    git.remove_worktree(&live).await.unwrap();
    assert!(!live.exists());
}

impl Git {
    async fn open_release(&self, dir: &Path) -> String {
        self.runner.run_ok(&command::commit_of(dir, "HEAD"), WITHIN).await.unwrap().trim().to_owned()
    }
}

#[tokio::test]
async fn a_pointer_of_git_lfs_is_refused_by_its_name_and_a_text_about_it_is_none() {
    let repository = Repository::new("lfs");
    let id = "4".repeat(64);
    let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 12\n");
    repository.write("docs/lfs.md", &format!("A pointer:\n{pointer}"));
    repository.write(".gitattributes", "*.bin filter=lfs diff=lfs merge=lfs -text\n");
    let (git, live) = (repository.open().await, repository.0.join("live"));
    let text = repository.commit("a text");
    git.check_out(&live, &text).await.unwrap();
    repository.write("images/logo.bin", &pointer);
    // As a machine commits it that has no Git LFS.
    repository.git(&["-c", "filter.lfs.clean=cat", "-c", "filter.lfs.process=", "add", "images/logo.bin"]);
    repository.git(&["commit", "--quiet", "--message", "a pointer"]);
    let head = repository.git(&["rev-parse", "HEAD"]);
    let refused = git.check_out(&live, &head).await.unwrap_err().to_string();
    assert!(refused.contains("1 file of the release") && refused.contains("images/logo.bin"), "{refused}");
    assert!(refused.contains("lfs fetch origin"), "{refused}");
    assert_eq!(git.release_of(&live).await.unwrap().commit, text, "nothing was touched");
}
