//! A product in a folder of a larger repository, with another product next to it and files that both share.

use std::{fs, path::Path, process::Command};

use crate::{
    small::Small,
    world::{Ended, gate, run},
};

const SHOP: &str = "products/shop";
const BLOG: &str = "products/blog";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:\
                       4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn ended(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in wanted {
        assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
}

/// Makes the repository: the web server is built from a folder that lies outside of the product's, and reads a file there.
fn product() -> Small {
    let small = Small::within("monorepo", "app", Path::new(SHOP));
    let (top, compose) = (small.repository(), small.product().join("docker-compose.yml"));
    let text = fs::read_to_string(&compose).unwrap();
    let image = text.lines().skip_while(|line| *line != "  web:").nth(1).unwrap().trim().replace("image: ", "");
    for folder in [BLOG, "shared/html"] {
        fs::create_dir_all(top.join(folder)).unwrap();
    }
    let config = fs::read_to_string(small.product().join("stagegate.toml")).unwrap();
    fs::write(top.join(BLOG).join("stagegate.toml"), config.replace(SHOP, BLOG)).unwrap();
    fs::write(top.join(BLOG).join("post"), "one").unwrap();
    fs::write(top.join("shared/Dockerfile"), format!("FROM {image}\nCOPY html /usr/share/nginx/html\n")).unwrap();
    fs::write(top.join("shared/html/index.html"), "one").unwrap();
    fs::write(top.join("shared/web.env"), "GREETING=hello\n").unwrap();
    let built =
        format!("image: {}-web\n    build: ../../shared\n    env_file: ../../shared/web.env\n", small.project("built"));
    fs::write(&compose, text.replace(&format!("image: {image}\n"), &built)).unwrap();
    small.release("v2", "select 1;", "");
    small
}

#[tokio::test]
async fn a_product_in_a_folder_is_promoted_and_rolled_back_and_what_is_next_to_it_is_another_one_s() {
    let small = product();
    let top = small.repository();
    for environment in ["staging", "production"] {
        small.up(environment, "v2");
    }
    let before = fs::read_to_string(small.worktree("production").join("shared/html/index.html")).unwrap();
    fs::write(top.join("shared/html/index.html"), "two").unwrap();
    small.release("v3", "alter table item add if not exists price int not null default 1;", "");
    small.git(&["tag", "blog-v9"]);

    // What another product's developer changes is none of this one's; what its image is built from is.
    fs::write(top.join(BLOG).join("post"), "draft").unwrap();
    fs::write(top.join("shared/html/index.html"), "draft").unwrap();
    small.up("staging", "v3");
    let plan = ["promote", "--from", "staging", "--to", "production", "--plan"];
    let refused = small.gate(&plan);
    ended(&refused, 3, &["your working copy has 1 uncommitted change (M shared/html/index.html)"]);
    small.git(&["checkout", "--", ":/shared"]);
    let planned = small.gate(&plan);
    ended(&planned, 0, &["release   v2 -> v3"]);
    assert!(!planned.text.contains("blog-v9"), "{}", planned.text);

    ended(&small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]), 0, &["v3"]);
    let shared = small.worktree("production").join("shared/html/index.html");
    assert_eq!(fs::read_to_string(&shared).unwrap(), "two");
    ended(&small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]), 0, &["v2"]);
    assert_eq!(fs::read_to_string(&shared).unwrap(), before);
    ended(&small.gate(&["compare", "staging", "production"]), 0, &[]);
    ended(&small.gate(&["status", "--env", "production"]), 0, &["v2"]);

    // The other product's release would replace this one's files.
    let blog = gate_in(&top.join(BLOG), &["up", "--env", "production", "--release", "v3"]);
    ended(&blog, 2, &["is that of the product in products/shop of this repository"]);

    // A file that git has only a pointer of.
    fs::write(top.join(".gitattributes"), "*.bin filter=lfs\n").unwrap();
    fs::write(small.product().join("logo.bin"), POINTER).unwrap();
    small.release("v4", "select 4;", "");
    let refused = small.gate(&["up", "--env", "staging", "--release", "v4"]);
    ended(&refused, 2, &["products/shop/logo.bin", "lfs fetch origin"]);
    ended(&small.gate(&["status", "--env", "staging"]), 0, &["v3"]);
    assert!(!small.worktree("staging").join(SHOP).join("logo.bin").exists(), "nothing was touched");
    for environment in ["staging", "production"] {
        small.gate(&["down", "--env", environment, "--yes"]);
    }
    run(Command::new("docker").args(["image", "rm", "--force", &format!("{}-web", small.project("built"))]));
}

fn gate_in(folder: &Path, args: &[&str]) -> Ended {
    let mut command = Command::new(gate());
    command.args(args).current_dir(folder).env_remove("STAGEGATE_STATE_DIR").env_remove("STAGEGATE_ENV");
    crate::world::ended(&command.output().unwrap())
}
