//! Errors in the logs of real containers: those of a release that the one before did not log, and those that it did.

use crate::small::Small;

/// A service that logs as it starts, and then what `LINE` states, again and again.
fn service(lines: &str) -> String {
    format!(
        "  talker:\n    image: {}\n    restart: \"no\"\n    tmpfs: [/var/lib/postgresql/data]\n    command: [\"bash\", \"-c\", \
         \"for i in 1 2 3 4; do echo ERROR cannot reach db:5432, try $$i; sleep 0.4; done; i=0; while :; do i=$$((i + 1)); \
         echo INFO request $$i; {lines}; sleep 0.4; done\"]\n",
        crate::world::image_of(17)
    )
}

const OLD: &str = "echo ERROR payment $$i declined by bank 0a1b2c3d";
const NEW: &str =
    "echo ERROR payment $$i declined by bank 0a1b2c3d; echo ERROR relation orders_$$i of /srv/$$i is missing: lost";

#[test]
fn errors_that_the_release_before_did_not_log_are_reported_or_roll_back() {
    let small = Small::new("errors", "app");
    let file = small.product().join("stagegate.toml");
    let text = std::fs::read_to_string(&file).unwrap().replace("soak = \"1s\"", "soak = \"4s\"");
    std::fs::write(&file, &text).unwrap();
    small.release("v2", "select 1;\n", &service(OLD));
    small.up("production", "v2");
    // A release that logs what the one before did raises no alarm, its start included.
    small.release("v3", "select 2;\n", "");
    let same = small.promote("v3");
    assert_eq!(same.code, Some(0), "{}", same.text);
    assert!(!same.text.contains("logs a new error") && !same.text.contains("more often"), "{}", same.text);

    let compose = small.product().join("docker-compose.yml");
    let talks = std::fs::read_to_string(&compose).unwrap().replace(OLD, NEW);
    std::fs::write(&compose, talks).unwrap();
    small.release("v4", "select 3;\n", "");
    let warned = small.promote("v4");
    assert_eq!(warned.code, Some(0), "{}", warned.text);
    let new: Vec<&str> = warned.text.lines().filter(|line| line.contains("talker logs a new error")).collect();
    assert!(new.len() == 1 && new[0].contains("WARN") && new[0].contains("is missing: lost"), "{}", warned.text);
    assert!(small.gate(&["history", "--json"]).text.contains("v4"));

    // By choice such a release does not stay.
    let worse = std::fs::read_to_string(&compose).unwrap().replace("is missing: lost", "is missing: worse");
    std::fs::write(&compose, worse).unwrap();
    std::fs::write(&file, format!("{text}[errors]\nseverity = \"required\"\n")).unwrap();
    small.release("v5", "select 4;\n", "");
    let undone = small.promote("v5");
    assert_eq!(undone.code, Some(5), "{}", undone.text);
    assert!(undone.text.contains("talker logs a new error") && undone.text.contains("worse"), "{}", undone.text);
}
