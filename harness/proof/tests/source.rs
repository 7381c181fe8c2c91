//! What is deployed is what was tested, whatever becomes of the source while the gate is at work.

use std::fs;

use crate::{
    two_services::Small,
    world::{ended, gate},
};

fn short(id: &str) -> &str {
    &id["sha256:".len()..][..12]
}

#[test]
fn the_source_can_be_changed_by_no_other_run_and_a_change_past_the_gate_holds_the_release() {
    let small = Small::new("source");
    small.up("staging", "r1");
    small.up("production", "r1");
    small.release("r2", &[("m/2.sql", "alter table item add column if not exists price int not null default 1;\n")]);
    small.release("r3", &[("m/3.sql", "alter table item add column if not exists colour text;\n")]);
    small.up("staging", "r2");
    let (r1, r2, r3) = (small.image_id("r1"), small.image_id("r2"), small.image_id("r3"));

    // Compose alone puts another image in place: in the middle of the validation, and between it and what comes next.
    let other = small.file("other.yml");
    fs::write(&other, format!("services: {{web: {{image: \"{}\"}}}}\n", small.image("r3"))).unwrap();
    let (staging, env) = (small.file("staging/docker-compose.yml"), small.env_file("staging"));
    let replace = format!(
        "docker compose --project-name {} --env-file {} --file {} --file {} up --detach --no-deps web",
        small.project("staging"),
        env.display(),
        staging.display(),
        other.display()
    );
    for (after, when) in [("begun validate", "while it was validated"), ("done validate", "since it was validated")] {
        let mut promotion = small.promotion();
        promotion.env("STAGEGATE_RUN_AFTER", after).env("STAGEGATE_RUN_COMMAND", &replace);
        let held = ended(&promotion.output().unwrap());
        assert_eq!(held.code, Some(3), "{after}: {}", held.text);
        assert_eq!(small.running("staging"), r3, "{after}: the change was made");
        let reported = format!("service `web`: expected image {}, found {}", short(&r2), short(&r3));
        assert!(held.text.contains(&reported) && held.text.contains(when), "{after}: {}", held.text);
        assert_eq!(small.running("production"), r1, "{after}");
        small.up("staging", "r2");
    }

    // Another run of the gate is refused meanwhile, and is reported by whom.
    let log = small.file("up.log");
    let up =
        format!("{} up --env staging --release r3 > {} 2>&1; echo \"code $?\" >> {1}", gate().display(), log.display());
    let mut promotion = small.promotion();
    promotion.env("STAGEGATE_RUN_AFTER", "done validate").env("STAGEGATE_RUN_COMMAND", up);
    let promoted = ended(&promotion.output().unwrap());
    let refused = fs::read_to_string(&log).unwrap();
    assert!(refused.contains("code 7") && refused.contains("gate promote from staging to production"), "{refused}");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    assert_eq!((small.running("staging"), small.running("production")), (r2.clone(), r2));
    assert_eq!(small.query("production", "select count(price) from item"), "5000");
}
