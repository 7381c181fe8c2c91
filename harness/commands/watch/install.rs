//! The unit that watches from every boot on.

use std::path::Path;

use stagegate_base::{config::Config, exit::Exit};

use crate::{
    cli,
    commands::units::{Start, Units, only_crontab},
    failure::{Failure, print_message, print_result},
};

fn units(config: &Config, environment: &str, dir: Option<&Path>) -> Units {
    Units::of(dir, vec![format!("stagegate-{}-watch-{environment}.service", config.name)])
}

pub(super) async fn install(config: &Config, args: &cli::InstallWatch) -> Result<Exit, Failure> {
    let environment = &crate::commands::named(config, args.run.env.as_ref())?.name;
    let start = Start::of(config)?;
    let ping =
        args.run.ping_url_file.as_ref().map(|path| path.canonicalize().map_err(Failure::reading(path))).transpose()?;
    let ping = ping.map(|path| path.display().to_string());
    let mut words = vec!["watch", "--env", environment.as_str(), "--min-free", args.run.min_free.as_str()];
    words.extend(ping.iter().flat_map(|path| ["--ping-url-file", path.as_str()]));
    let line = start.crontab("* * * * *", &[words.as_slice(), &["--once"]].concat());
    if only_crontab(&line, args.cron, args.dir.as_ref())? {
        return Ok(Exit::Passed);
    }
    let units = units(config, environment, args.dir.as_deref());
    let is_live = units.install(config, &[unit(&config.name, environment, &start.lines(&words))], true).await?;
    if is_live {
        print_result(&format!("{} is enabled; `gate watch status --env {environment}` shows the checks", units.name()));
    }
    Ok(Exit::Passed)
}

pub(super) async fn uninstall(config: &Config, args: &cli::UninstallWatch) -> Result<Exit, Failure> {
    let environment = &crate::commands::named(config, args.env.as_ref())?.name;
    if units(config, environment, args.dir.as_deref()).uninstall(config).await? {
        print_message("what the watch knew stays in the state folder");
    }
    Ok(Exit::Passed)
}

/// It is started again whatever it ended with: a watch that is gone is missed by nobody.
fn unit(product: &str, environment: &str, start: &str) -> String {
    format!(
        "[Unit]\nDescription=stagegate for {product}: watches {environment}\n\
         After=docker.service network-online.target\nWants=network-online.target\nStartLimitIntervalSec=0\n\n\
         [Service]\nType=simple\nRestart=always\nRestartSec=10\n{start}\n\
         [Install]\nWantedBy=multi-user.target\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_started_again_and_names_its_environment() {
        let config = Config::parse(Path::new("/srv/50% a.toml"), "[project]\nname = \"shop\"\n").unwrap();
        let start = Start::with("/opt/gate", &config, Vec::new());
        let text = unit("shop", "production", &start.lines(&["watch", "--env", "production"]));
        assert!(
            text.contains("ExecStart=\"/opt/gate\" --config \"/srv/50%% a.toml\" watch --env production\n"),
            "{text}"
        );
        assert!(text.contains("Restart=always"), "{text}");
        let line = start.crontab("* * * * *", &["watch", "--once"]);
        assert_eq!(line, "* * * * * /opt/gate --config '/srv/50\\% a.toml' watch --once");
    }
}
