//! A PostgreSQL that insists: on TLS, on a certificate, on a role that is no superuser and has its password in a file; and one that is
//! reached through a pooler.

use std::{fs, process::Command};

use crate::{
    small::Small,
    world::{Ended, PASSWORD, image_of, run},
};

const HBA: &str = "local all all trust\nhostssl all all all scram-sha-256\n";
/// As a product makes its role: at the first start, in a script that no copy runs.
const INIT: &str = "create role shop login password 'PASSWORD';\nalter database app owner to shop;\n";
const SERVER: &str = r#"    command:
      - bash
      - -c
      - |
        install -o postgres -m 600 /tls/server.key /tmp/server.key
        exec docker-entrypoint.sh postgres -c ssl=on -c ssl_cert_file=/tls/server.crt -c ssl_key_file=/tmp/server.key \
          -c hba_file=/tls/hba.conf
    secrets: [shop]
    volumes: ["./tls:/tls:ro", "./init:/docker-entrypoint-initdb.d:ro", "db-data:/var/lib/postgresql/data"]
"#;
const POOL: &str = "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n\
                    listen pool\n  bind :5432\n  server db db:5432\n";

fn ended(ended: &Ended, code: i32, wanted: &[&str]) {
    assert_eq!(ended.code, Some(code), "{}", ended.text);
    for word in wanted {
        assert!(ended.text.contains(word), "`{word}` is missing in:\n{}", ended.text);
    }
    assert!(!ended.text.contains(PASSWORD), "a password is printed:\n{}", ended.text);
}

/// Returns a key and a certificate that vouches for itself, both as PEM.
fn certificate(name: &str) -> (String, String) {
    let subject = format!("/CN={name}");
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    let output = run(Command::new("docker")
        .args(["run", "--rm", "--network", "none", "--entrypoint", "openssl", &image_of(17)])
        .args(new)
        .args(["-subj", &subject, "-keyout", "-", "-out", "-"]));
    let text = String::from_utf8(output.stdout).unwrap();
    let at = text.find("-----BEGIN CERTIFICATE").unwrap();
    (text[..at].to_owned(), text[at..].to_owned())
}

fn haproxy() -> String {
    let images = fs::read_to_string(crate::world::checkout().join(".stagegate/images.env")).unwrap();
    images.lines().find_map(|line| line.strip_prefix("HAPROXY_IMAGE=")).expect("setup.sh names haproxy").to_owned()
}

/// Makes the product: `shop` owns the database and has no other right.
fn product() -> Small {
    let small = Small::new("insists", "app");
    let folder = small.product();
    let (key, shown) = certificate("db");
    let files = [
        ("tls/server.key", key),
        ("tls/server.crt", shown),
        ("tls/other.crt", certificate("db").1),
        ("tls/hba.conf", HBA.to_owned()),
        ("init/roles.sql", INIT.replace("PASSWORD", PASSWORD)),
        ("shop.secret", format!("{PASSWORD}\n")),
        ("pool.cfg", POOL.to_owned()),
    ];
    for (path, text) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let file = folder.join("docker-compose.yml");
    let text = fs::read_to_string(&file).unwrap();
    let text = text
        .replace("    volumes: [\"db-data:/var/lib/postgresql/data\"]\n", SERVER)
        .replace("POSTGRES_DB: 'app' }", "POSTGRES_DB: 'app', SHOP_PASSWORD_FILE: /run/secrets/shop }")
        .replace("PGUSER: app", "PGUSER: shop, PGSSLMODE: require")
        + "secrets:\n  shop: { file: ./shop.secret }\n";
    fs::write(&file, text).unwrap();
    let config = folder.join("stagegate.toml");
    let text = fs::read_to_string(&config).unwrap().replace(
        "name = 'app'\n",
        "name = 'app'\nrole = \"shop\"\npassword_variable = \"SHOP_PASSWORD\"\nca = \"tls/server.crt\"\n",
    );
    fs::write(&config, text).unwrap();
    let pool = format!(
        "  pool:\n    image: {}\n    command: [\"haproxy\", \"-db\", \"-f\", \"/pool.cfg\"]\n    volumes: [\"./pool.cfg:/pool.cfg:ro\"]\n    \
         environment: {{ SHOP_PASSWORD_FILE: /run/secrets/shop }}\n    secrets: [shop]\n    depends_on: {{ db: {{ condition: \
         service_healthy }} }}\n",
        haproxy()
    );
    small.release("v2", "select 2;", &pool);
    small
}

#[tokio::test]
async fn a_server_that_insists_on_tls_and_a_role_that_is_no_superuser_are_promoted_with_a_dump_or_refused_by_name() {
    let small = product();
    for environment in ["staging", "production"] {
        small.up(environment, "v2");
    }
    small.release("v3", "alter table item add if not exists price int not null default 1;", "");
    small.up("staging", "v3");
    let plan = ["promote", "--from", "staging", "--to", "production", "--plan"];
    let lacks = "Run as a superuser: ALTER ROLE \"shop\" CREATEDB; GRANT pg_signal_backend TO \"shop\"";
    ended(&small.gate(&plan), 3, &["role `shop` is no superuser and lacks rights on database `app`", lacks]);

    small.execute("alter role shop createdb; grant pg_signal_backend to shop").await;
    ended(&small.gate(&plan), 0, &["role `shop` is no superuser: data is rolled back by a dump", "restore of a dump"]);
    ended(&small.gate(&["promote", "--from", "staging", "--to", "production", "--yes"]), 0, &["restore of a dump"]);

    let config = small.product().join("stagegate.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("name = 'app'\n", "name = 'app'\nrows_may_fall = [\"public.item\"]\n")).unwrap();
    small.release("v4", "delete from item where id = 7;", &LATE.replace("IMAGE", &image_of(17)));
    let failed = small.promote("v4");
    ended(&failed, 5, &["rolled back and verified: v3 is live in production again"]);
    let client = small.server().await.connect("app").await.unwrap();
    let row = client.query_one("select count(*), count(*) filter (where id = 7), bool_and(price = 1) from item", &[]);
    let row = row.await.unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, bool>(2)), (100, 1, true));
    let tls = client.query_one("select ssl from pg_stat_ssl where pid = pg_backend_pid()", &[]).await.unwrap();
    assert!(tls.get::<_, bool>(0), "the server takes no other sessions");

    // Another certificate than the server's, and a service that only passes sessions on.
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("tls/server.crt", "tls/other.crt")).unwrap();
    ended(&small.gate(&plan), 3, &["its certificate is neither in", "tls/other.crt"]);
    let pooled = text.replace("service = \"db\"\nname", "service = \"pool\"\nname");
    fs::write(&config, pooled.replace("[services.db]", "[services.pool]\nkind = \"postgres\"\n[services.db]")).unwrap();
    ended(
        &small.gate(&plan),
        3,
        &["service `pool` of database `app` passes sessions on to", "it is a connection pooler"],
    );
}

/// Is healthy in staging and not in production, whose variable LATE is set.
pub(crate) const LATE: &str = "  late:\n    image: IMAGE\n    restart: \"no\"\n    command: [\"bash\", \"-c\", \"[ $${LATE:-0} = 0 ] && exec sleep \
                    infinity; exit 1\"]\n    environment: { LATE: \"${LATE:-0}\" }\n    tmpfs: [/var/lib/postgresql/data]\n";
