//! A service that Compose builds, without a page that is tested: the name of its image, and what its rehearsal shows.

use std::{fs, process::Command};

use crate::{
    small::Small,
    world::{Ended, run},
};

/// Returns the image id of a name, or of a container.
fn id_of(what: &str, of: &str, field: &str) -> String {
    let output = run(Command::new("docker").args([what, "inspect", "--format", field, of]));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn ended(ended: Ended, code: i32) -> String {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    // Columns are as wide as what they hold.
    ended.text.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Makes the product's web server one that Compose builds, which nobody configured a page of.
fn built(name: &str) -> Small {
    let small = Small::new(name, "app");
    let (compose, config) = (small.product().join("docker-compose.yml"), small.product().join("stagegate.toml"));
    let text = fs::read_to_string(&compose).unwrap();
    let nginx = text.split("  web:\n    image: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
    let built = text.replacen(&format!("  web:\n    image: {nginx}\n"), "  web:\n    build: .\n", 1);
    fs::write(&compose, built).unwrap();
    let text = fs::read_to_string(&config).unwrap().replacen("health = \"/\"\n", "", 1);
    fs::write(&config, text.replacen("cross_versions = \"off\"", "cross_versions = \"report\"", 1)).unwrap();
    for release in ["v2", "v3"] {
        fs::write(small.product().join("Dockerfile"), format!("FROM {nginx}\nLABEL release={release}\n")).unwrap();
        small.release(release, &format!("alter table item add column if not exists {release} int;\n"), "");
    }
    small
}

#[test]
fn the_name_of_a_built_image_is_that_of_the_live_one_and_ports_alone_prove_nothing() {
    let small = built("built");
    let names = ["staging", "production"].map(|environment| format!("{}-web", small.project(environment)));
    let container = format!("{}-1", names[1]);
    let is_live = |release: &str| {
        let (live, named) = (id_of("container", &container, "{{.Image}}"), id_of("image", &names[1], "{{.Id}}"));
        assert_eq!(live, named, "{release}: `docker compose up` would start another image");
        let label = id_of("image", &names[1], "{{index .Config.Labels \"release\"}}");
        assert_eq!(label, release);
    };
    small.up("production", "v2");
    is_live("v2");
    let promoted = ended(small.promote("v3"), 0);
    assert!(promoted.contains("live release on the new schema: healthy by its ports alone"), "{promoted}");
    is_live("v3");
    let lint = small.gate(&["lint", "--env", "production"]).text;
    assert!(!lint.contains("drift"), "{lint}");
    let back = ended(small.gate(&["rollback", "--env", "production", "--yes"]), 0);
    for text in [
        "freeze nothing: the data stays as it is",
        "tested only its ports there",
        "the current release is started again",
    ] {
        assert!(back.contains(text), "`{text}` is missing in:\n{back}");
    }
    assert!(!back.contains("only if data changes") && !back.contains("was healthy on the current schema"), "{back}");
    is_live("v2");
    drop(small);
    for name in names {
        let _ = Command::new("docker").args(["image", "rm", "--force", &name]).output();
    }
}

/// Applies what is in the image, and notes it.
const APPLY: &str = "set -eu\nq() { psql -qX -v ON_ERROR_STOP=1 -d \"${DATABASE_URL:-}\" \"$@\"; }\n\
    q -c 'create table if not exists schema_migrations (name text primary key)'\n\
    for f in /m/*.sql; do q -f \"$f\"; q -c \"insert into schema_migrations values ('${f##*/}') on conflict do nothing\"; done\n";
/// Prints what is applied.
const STATUS: &str = "for f in /m/*.sql; do n=${f##*/}\n\
    if psql -qXtA -d \"${DATABASE_URL:-}\" -c \"select 1 from schema_migrations where name = '$n'\" 2>/dev/null | grep -q 1\n\
    then echo \"applied $n\"; else echo \"pending $n\"; fi; done\n";

/// Makes the service that migrates one that Compose builds, with the migrations in its image, which are tried there.
fn migrations_in_an_image() -> Small {
    let small = Small::new("built-migrate", "app");
    let (compose, config) = (small.product().join("docker-compose.yml"), small.product().join("stagegate.toml"));
    let text = fs::read_to_string(&compose).unwrap();
    let image = text.split("  migrate:\n    image: ").nth(1).and_then(|rest| rest.lines().next()).unwrap().to_owned();
    let built = text.replacen(&format!("  migrate:\n    image: {image}\n"), "  migrate:\n    build: .\n", 1);
    fs::write(&compose, built.replacen("    volumes: [\"./m:/m:ro\"]\n", "", 1)).unwrap();
    fs::write(small.product().join("m/up.sh"), APPLY).unwrap();
    fs::write(small.product().join("m/status.sh"), STATUS).unwrap();
    fs::write(small.product().join("Dockerfile"), format!("FROM {image}\nCOPY m /m\n")).unwrap();
    let text = fs::read_to_string(&config).unwrap().replacen("[severity]\n", "[severity]\nmigrations = \"info\"\n", 1);
    let commands = "[migrations.main]\nup = [\"bash\", \"/m/up.sh\"]\nstatus = [\"bash\", \"/m/status.sh\"]\nservice = \"migrate\"\n";
    fs::write(&config, format!("{text}{commands}")).unwrap();
    for release in ["v2", "v3"] {
        small.release(release, &format!("alter table item add column if not exists {release} int;\n"), "");
    }
    small
}

#[test]
fn the_migrations_of_a_built_service_are_those_of_the_release_that_is_deployed() {
    let small = migrations_in_an_image();
    small.up("production", "v2");
    // Compose's name of the image is still v2's while v3 is verified.
    let promoted = ended(small.promote("v3"), 0);
    assert!(promoted.contains("promoted: v3"), "{promoted}");
    for environment in ["staging", "production"] {
        let tested = ended(small.gate(&["test", "--env", environment, "schema::main::drift", "--verbose"]), 0);
        assert!(tested.contains("schema::main::drift"), "{tested}");
    }
    let back = ended(small.gate(&["rollback", "--env", "production", "--with-data", "--yes"]), 0);
    assert!(back.contains("v2"), "{back}");
    ended(small.gate(&["test", "--env", "production", "schema::main::drift"]), 0);
    let names = ["staging", "production"].map(|environment| format!("{}-migrate", small.project(environment)));
    drop(small);
    for name in names {
        let _ = Command::new("docker").args(["image", "rm", "--force", &name]).output();
    }
}
