//! A rollback of code alone, where no rehearsal has shown whether the earlier release works on the current schema: it is
//! started on a copy of the data first.

use std::{collections::BTreeSet, fs};

use stagegate_host::engine::Engine;

use crate::small::Small;
use crate::world::image_of;

/// Ends with an error where the schema has a column that its release does not know.
fn client(refused: &str) -> String {
    format!(
        "set -eu\nfound=$(psql -qAtX -c \"select count(*) from information_schema.columns where column_name = '{refused}'\")\n\
         if [ \"$found\" != 0 ]; then echo 'unknown revision: {refused}' >&2; exit 1; fi\nexec sleep infinity\n"
    )
}

fn service() -> String {
    format!(
        "  app:\n    image: {}\n    command: [\"bash\", \"/m/app.sh\"]\n    volumes: [\"./m:/m:ro\"]\n    init: true\n    \
         tmpfs: [/var/lib/postgresql/data]\n    environment: {{ PGHOST: db, PGUSER: app, \
         PGPASSWORD: \"${{DB_PASSWORD:?}}\", PGDATABASE: app }}\n    depends_on:\n      \
         migrate: {{ condition: service_completed_successfully }}\n",
        image_of(17)
    )
}

async fn containers(small: &Small) -> BTreeSet<String> {
    let found = Engine::connect().await.unwrap().project(&small.project("production")).await.unwrap();
    found.into_iter().map(|container| container.id).collect()
}

#[test]
fn a_release_that_does_not_start_on_the_current_schema_is_refused_on_a_copy_and_one_that_does_is_rolled_back_to() {
    let small = Small::new("back-copy", "app");
    let app = small.product().join("m/app.sh");
    let asynchronous = tokio::runtime::Runtime::new().unwrap();
    fs::write(&app, client("more")).unwrap();
    small.release("v1b", "select 1;\n", &service());
    fs::write(&app, client("none")).unwrap();
    small.release("v2", "alter table item add column if not exists more int;\n", "");
    small.release("v3", "alter table item add column if not exists other int;\n", "");
    small.up("production", "v1b");
    let promoted = small.promote("v2");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);

    let back = ["rollback", "--env", "production"];
    let planned = small.gate(&[&back[..], &["--plan"]].concat());
    assert_eq!(planned.code, Some(0), "{}", planned.text);
    assert!(planned.text.contains("v1b is started on a copy of the data first"), "{}", planned.text);
    let before = asynchronous.block_on(containers(&small));
    let refused = small.gate(&[&back[..], &["--yes"]].concat());
    assert_eq!(refused.code, Some(3), "{}", refused.text);
    for part in ["unknown revision: more", "--with-data", "--accept-newer-schema", "Nothing was changed"] {
        assert!(refused.text.contains(part), "no `{part}` in {}", refused.text);
    }
    assert_eq!(asynchronous.block_on(containers(&small)), before, "production was touched");

    let promoted = small.promote("v3");
    assert_eq!(promoted.code, Some(0), "{}", promoted.text);
    let done = small.gate(&[&back[..], &["--yes"]].concat());
    assert_eq!(done.code, Some(0), "{}", done.text);
    assert!(done.text.contains("the earlier release on a copy of the current data: healthy"), "{}", done.text);
    let tested = small.gate(&["test", "--env", "production", "health"]);
    assert_eq!(tested.code, Some(0), "{}", tested.text);
    assert!(tested.text.contains("v2"), "{}", tested.text);
}
