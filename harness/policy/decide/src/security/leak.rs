//! Did a secret get out: into an image, or into a log?

use serde_json::Value;

use crate::rules::is_from_an_example;
use stagegate_base::{
    compose::HeldSecret,
    finding::Finding,
    redact::{forms, is_secret_name},
};

/// Shorter ones are found in ordinary words.
const SHORTEST: usize = 8;
/// Parts of names that say "secret" also in an image, where `_KEY` is often the fingerprint of a packager.
const CERTAIN: [&str; 4] = ["PASSW", "SECRET", "TOKEN", "PRIVATE_KEY"];

/// Returns the secrets in what an image tells about itself, by name: values of `secrets`, and names that say so.
///
/// `inspected` is the response of `docker image inspect`.
#[must_use]
pub fn image(service: &str, inspected: &Value, secrets: &[HeldSecret]) -> Vec<Finding> {
    let config = &inspected["Config"];
    let labels = config["Labels"].as_object().into_iter().flatten();
    let labels = labels.map(|(key, value)| ("label", key.clone(), value.as_str().unwrap_or_default().to_owned()));
    let variables = config["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let variables = variables.filter_map(|line| line.split_once('='));
    let variables = variables.map(|(key, value)| ("variable", key.to_owned(), value.to_owned()));
    let words = ["Cmd", "Entrypoint"].into_iter().flat_map(|key| config[key].as_array().into_iter().flatten());
    let words = words.map(|word| ("command", String::new(), word.as_str().unwrap_or_default().to_owned()));
    labels
        .chain(variables)
        .chain(words)
        .filter_map(|(what, key, value)| finding(service, what, &key, &value, secrets))
        .collect()
}

fn finding(service: &str, what: &str, key: &str, value: &str, secrets: &[HeldSecret]) -> Option<Finding> {
    let place = format!("image of {service}: {what} {key}");
    let found = match secret_in(value, secrets) {
        Some(secret) => format!("it contains the value of {} of {}", secret.variable, secret.service),
        None if is_certain(key) && !value.is_empty() => "by its name, the value is a secret".to_owned(),
        None => return None,
    };
    let expected = "no secret: whoever has the image can read it".to_owned();
    Some(Finding::differs(place.trim_end().to_owned(), expected, found))
}

fn is_certain(key: &str) -> bool {
    let upper = key.to_ascii_uppercase().replace(['-', '.'], "_");
    is_secret_name(&upper) && CERTAIN.iter().any(|part| upper.contains(part))
}

/// Returns the secrets that a log holds, each once, with the number of its first line.
#[must_use]
pub fn log(container: &str, text: &str, secrets: &[HeldSecret]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if let Some(secret) = secret_in(line, secrets) {
            let found = format!("the value of {} of {}", secret.variable, secret.service);
            if !findings.iter().any(|finding| finding.found == found) {
                let at = format!("log of {container}, line {}", number + 1);
                findings.push(Finding::differs(at, "no secret: logs are copied and kept", found));
            }
        }
    }
    findings
}

/// Returns the secret that a text holds in whatever form; well-known values are reported elsewhere, and are words.
fn secret_in<'a>(text: &str, secrets: &'a [HeldSecret]) -> Option<&'a HeldSecret> {
    secrets.iter().filter(|secret| !is_from_an_example(secret.value.expose())).find(|secret| {
        forms(secret.value.expose()).iter().any(|form| form.len() >= SHORTEST && text.contains(form.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use stagegate_base::redact::Secret;

    fn secrets() -> Vec<HeldSecret> {
        let one = |variable: &str, value: &str| HeldSecret {
            service: "db".to_owned(),
            variable: variable.to_owned(),
            value: Secret::new(value),
        };
        vec![one("POSTGRES_PASSWORD", "tr0ub4dor&3"), one("SHORT_TOKEN", "abc"), one("OLD_PASSWORD", "administrator")]
    }

    #[test]
    fn an_image_reports_a_secret_by_value_or_by_name() {
        let inspected = json!({ "Config": {
            "Labels": { "build.args": "pw=tr0ub4dor&3", "org.deploy-token": "x7", "org.title": "administrator of abc" },
            "Env": ["PATH=/usr/bin", "GPG_KEY=E3FF2839C048B25C", "NPM_TOKEN=", "DB_PASSWORD_FILE=/run/secrets/pw"],
            "Cmd": ["serve", "--db=postgres://u:tr0ub4dor%263@db/shop"],
        } });
        let found = image("api", &inspected, &secrets());
        let places: Vec<&str> = found.iter().map(|finding| finding.place.object.as_str()).collect();
        let want = ["image of api: label build.args", "image of api: label org.deploy-token", "image of api: command"];
        assert_eq!(places, want);
        assert!(!format!("{found:?}").contains("tr0ub"), "a value is told");
    }

    #[test]
    fn a_log_reports_each_secret_once_with_its_line() {
        let text = "starting\nconnecting as shop:tr0ub4dor&3@db\nadministrator logged in: abc\nagain tr0ub4dor&3";
        let found = log("shop-api-1", text, &secrets());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place.object, "log of shop-api-1, line 2");
        assert_eq!(found[0].found, "the value of POSTGRES_PASSWORD of db");
    }
}
