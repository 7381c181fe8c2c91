//! The timer that starts `gate schedule run`: units of systemd, or a line of a crontab.

use std::path::Path;

use serde_json::{Value, json};
use stagegate_base::{
    config::{Config, OffsiteTarget},
    exit::Exit,
};

use crate::{
    cli,
    commands::units::{BOOTED, Start, Units, only_crontab, unit_properties},
    failure::{Failure, print_message, print_result},
};

/// What the timer starts `gate` with.
const ARGS: [&str; 2] = ["schedule", "run"];

/// Returns the two units of a product: the timer, and the service that it starts.
fn units(config: &Config, dir: Option<&Path>) -> Units {
    let name = format!("stagegate-{}", config.name);
    Units::of(dir, vec![format!("{name}.timer"), format!("{name}.service")])
}

pub(super) async fn install(config: &Config, args: &cli::InstallSchedule) -> Result<Exit, Failure> {
    let start = Start::of(config)?;
    if let Some(text) = without_key(config) {
        print_message(&text);
    }
    if only_crontab(&start.crontab("*/15 * * * *", &ARGS), args.cron, args.dir.as_ref())? {
        return Ok(Exit::Passed);
    }
    let units = units(config, args.dir.as_deref());
    let texts = [timer(&config.name), service(&config.name, &start)];
    if units.install(config, &texts, true).await? {
        print_result(&format!("{} is enabled; `gate schedule status` shows it, and what is due", units.name()));
    }
    Ok(Exit::Passed)
}

/// Returns what to do where the timer would have no access key: one of this shell's environment is not carried, since units are
/// readable by everybody.
fn without_key(config: &Config) -> Option<String> {
    let offsite = config.backup.offsite.as_ref()?;
    let is_missing = matches!(offsite.place, OffsiteTarget::S3 { .. }) && offsite.credentials.is_none();
    is_missing.then(|| {
        format!(
            "notice: the timer does not get the access key of this shell's environment, so that it cannot write to {}; name a file \
             with the key by `credentials` of [backup.offsite]",
            offsite.place.url()
        )
    })
}

pub(super) async fn uninstall(config: &Config, args: &cli::UninstallSchedule) -> Result<Exit, Failure> {
    if units(config, args.dir.as_deref()).uninstall(config).await? {
        print_message("the backups, their journal and the logs stay");
    }
    Ok(Exit::Passed)
}

/// Returns the state of the timer in words and as JSON.
pub(super) async fn state(config: &Config) -> (String, Value) {
    let (name, service) = (format!("stagegate-{}.timer", config.name), format!("stagegate-{}.service", config.name));
    if !Path::new(BOOTED).is_dir() {
        let text = "systemd does not run on this host; `gate schedule install --cron` prints a line for a crontab";
        return (text.to_owned(), Value::Null);
    }
    let timer = unit_properties(&name, "ActiveState,UnitFileState,NextElapseUSecRealtime,LastTriggerUSec").await;
    let service = unit_properties(&service, "Result,ExecMainStatus").await;
    let of = |from: &[(String, String)], key: &str| {
        from.iter().find(|(name, _)| name == key).map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let [active, enabled, next, last] =
        ["ActiveState", "UnitFileState", "NextElapseUSecRealtime", "LastTriggerUSec"].map(|key| of(&timer, key));
    let json = json!({
        "unit": name, "active": active, "enabled": enabled, "next": next, "last": last,
        "last_exit_code": of(&service, "ExecMainStatus").parse::<i32>().ok(),
    });
    if enabled.is_empty() {
        return (format!("{} is not installed; `gate schedule install` does it", name), json);
    }
    let last = match last.as_str() {
        "" | "n/a" => "never ran".to_owned(),
        last => format!("last {last} with exit code {}", of(&service, "ExecMainStatus")),
    };
    (format!("{} is {active} and {enabled}, {last}, next {next}", name), json)
}

fn service(product: &str, start: &Start) -> String {
    format!(
        "[Unit]\nDescription=stagegate for {product}: backups, restore drills, removal of old backups and logs\n\
         After=docker.service network-online.target\nWants=network-online.target\n\n\
         [Service]\nType=oneshot\n{}",
        start.lines(&ARGS)
    )
}

/// Neither `Persistent` nor a random delay: with both, a machine that is restarted often never gets to it. What was missed
/// is due at the next tick.
// Source: systemd issue 21166.
fn timer(name: &str) -> String {
    format!(
        "[Unit]\nDescription=stagegate for {name}, every 15 minutes\n\n\
         [Timer]\nOnBootSec=3min\nOnCalendar=*:0/15\nAccuracySec=30s\n\n[Install]\nWantedBy=timers.target\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(path: &str) -> Config {
        Config::parse(Path::new(path), "[project]\nname = \"shop\"\n").unwrap()
    }

    #[test]
    fn a_timer_has_no_random_delay_and_paths_are_quoted_for_whoever_reads_them() {
        assert!(!timer("shop").contains("Random") && !timer("shop").contains("Persistent"));
        let carried = || vec![("STAGEGATE_STATE_DIR", "/srv/50% $x".to_owned())];
        let text = service("shop", &Start::with("/opt/my gate", &config("/srv/50%/$x.toml"), carried()));
        assert!(text.contains("ExecStart=\"/opt/my gate\" --config \"/srv/50%%/$$x.toml\" schedule run\n"), "{text}");
        assert!(text.contains("Environment=\"STAGEGATE_STATE_DIR=/srv/50%% $x\"\n"), "{text}");
        let start = Start::with("/opt/gate", &config("/srv/my app/50%.toml"), carried());
        assert_eq!(
            start.crontab("*/15 * * * *", &ARGS),
            "*/15 * * * * STAGEGATE_STATE_DIR='/srv/50\\% $x' /opt/gate --config '/srv/my app/50\\%.toml' schedule run"
        );
    }

    #[test]
    fn a_timer_without_the_key_of_a_bucket_is_reported() {
        let of = |offsite: &str| {
            let text = format!("[project]\nname = \"shop\"\n{offsite}");
            without_key(&Config::parse(Path::new("/srv/stagegate.toml"), &text).unwrap())
        };
        let bucket = "[backup.offsite]\nurl = \"s3://copies/shop\"\nregion = \"eu-central-1\"\n";
        assert!(of(bucket).unwrap().contains("credentials"));
        assert_eq!([of(&format!("{bucket}credentials = \"/root/key\"\n")), of("")], [None, None]);
    }

    #[test]
    fn units_of_another_product_are_neither_replaced_nor_removed() {
        let dir = std::env::temp_dir().join(format!("stagegate-units-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let own = config("/srv/shop/stagegate.toml");
        let units = units(&own, Some(&dir));
        let refused = |path: &str| units.refuse_foreign(&config(path)).is_err();
        assert!(!refused("/srv/shop/stagegate.toml"));
        let text = service("shop", &Start::with("/opt/gate", &own, Vec::new()));
        std::fs::write(dir.join("stagegate-shop.service"), text).unwrap();
        assert!(!refused("/srv/shop/stagegate.toml") && refused("/srv/other/stagegate.toml"));
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
