//! Proofs that a scratch server is got in each way, and that nothing of it stays.

use std::process::Command;

use rstest::rstest;
use stagegate_host::owner::{Claim, Owner};
use stagegate_migration_act::scratch::{Scratch, ScratchMethod, ServerSpec, sweep};

use crate::world::image_of;

const URL: &str = "STAGEGATE_PROOF_SCRATCH_URL";

fn claim() -> Claim {
    Claim::from_now(Owner::of(std::process::id()).unwrap())
}

/// Returns the claim of an earlier process that had this one's id.
fn of_a_dead_process() -> Claim {
    let label = claim().label();
    let mut parts: Vec<&str> = label.split('/').collect();
    parts[2] = "1";
    Claim::parse(&parts.join("/")).unwrap()
}

fn wish(way: ScratchMethod) -> ServerSpec {
    ServerSpec { images: vec![image_of(17)], way: Some(way), role: "shop".to_owned(), ..ServerSpec::default() }
}

fn containers(name: &str) -> String {
    let list = ["ps", "--all", "--quiet", "--filter", &format!("name={name}")];
    String::from_utf8(Command::new("docker").args(list).output().unwrap().stdout).unwrap()
}

fn folder(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(name)
}

fn has_programs() -> bool {
    Command::new("initdb").arg("--version").output().is_ok()
}

#[rstest]
#[case::docker(ScratchMethod::Docker)]
#[case::programs(ScratchMethod::Programs)]
#[tokio::test(flavor = "multi_thread")]
async fn a_scratch_server_makes_copies_and_is_gone_at_its_end(#[case] way: ScratchMethod) {
    if way == ScratchMethod::Programs && !has_programs() {
        return;
    }
    let name = Scratch::new_name().unwrap();
    let scratch = Scratch::start(&name, &claim(), &wish(way)).await.unwrap();
    let first = scratch.create(None).await.unwrap();
    scratch.session(&first).await.unwrap().batch_execute("create table t (id int)").await.unwrap();
    let copy = scratch.create(Some(&first)).await.unwrap();
    let client = scratch.session(&copy).await.unwrap();
    let row = client.query_one("select count(*), current_user::text from t", &[]).await.unwrap();
    assert_eq!((row.get(0), row.get(1)), (0_i64, "shop"));
    scratch.end().await;
    assert_eq!(containers(&name), "");
    assert!(!folder(&name).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_run_left_is_swept_and_what_lives_is_not() {
    let left = of_a_dead_process();
    let (name, other) = (Scratch::new_name().unwrap(), Scratch::new_name().unwrap());
    let scratch = Scratch::start(&name, &left, &wish(ScratchMethod::Docker)).await.unwrap();
    let living = Scratch::start(&other, &claim(), &wish(ScratchMethod::Docker)).await.unwrap();
    let swept = sweep().await;
    assert!(swept.contains(&name) && !swept.contains(&other), "{swept:?}");
    assert_eq!(containers(&name), "");
    assert!(living.connect("postgres").await.is_ok());
    scratch.end().await;
    living.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_server_of_the_users_only_our_databases_are_touched() {
    let name = Scratch::new_name().unwrap();
    let host = Scratch::start(&name, &claim(), &wish(ScratchMethod::Docker)).await.unwrap();
    let theirs = host.create(None).await.unwrap();
    let access = host.access();
    let at = |i: usize| match &access.get_hosts()[i] {
        tokio_postgres::config::Host::Tcp(address) => format!("{address}:{}", access.get_ports()[i]),
        tokio_postgres::config::Host::Unix(path) => path.display().to_string(),
    };
    let password = String::from_utf8(access.get_password().unwrap().to_vec()).unwrap();
    let spec = ServerSpec { variable: Some(URL.to_owned()), ..wish(ScratchMethod::Named) };
    let refused = Scratch::start("stagegate-scratch-none", &claim(), &spec).await.unwrap_err().to_string();
    assert!(refused.contains(URL) && !refused.contains(&password), "{refused}");
    let url = format!("postgres://shop:{password}@{}/postgres", at(0));
    let named = Scratch::named(&Scratch::new_name().unwrap(), &claim(), URL, &url).await.unwrap();
    named.create(None).await.unwrap();
    // One that took the run's name, and one that lost its claim: whoever did that may need them.
    let given = named.create(None).await.unwrap().name;
    let client = host.connect("postgres").await.unwrap();
    for sql in [format!("create database \"{given}-mine\""), format!("comment on database \"{given}\" is 'mine'")] {
        client.batch_execute(&sql).await.unwrap();
    }
    named.end().await;
    let client = host.connect("postgres").await.unwrap();
    let names = "select datname::text from pg_database where datname like 'stagegate%'";
    let rows = client.query(names, &[]).await.unwrap();
    let mut names: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    names.sort();
    let mut kept = [theirs.name, given.clone(), format!("{given}-mine")];
    kept.sort();
    assert_eq!(names, kept);
    host.end().await;
}
