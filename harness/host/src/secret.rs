//! Secrets that a service reads from a file: `POSTGRES_PASSWORD_FILE` and its like.

use stagegate_base::{
    compose::{Behind, Model},
    redact::{Mask, Secret},
};

/// Returns a variable of a service: its value, or the first line of the file that `<key>_FILE` names, read from where the
/// container has it.
///
/// `None` where neither is set, or the file cannot be read on this host.
// Source: docker-library/postgres, docker-entrypoint.sh, file_env: `$(< file)` drops the newlines at the end.
#[must_use]
pub fn variable(model: &Model, service: &str, key: &str) -> Option<Secret> {
    let own = model.variable(service, key).filter(|value| !value.expose().is_empty());
    own.or_else(|| match model.behind(service, &model.file_of(service, key)?)? {
        Behind::Content(secret) => Some(without_end(secret.expose())),
        Behind::File(path) => std::fs::read_to_string(path).ok().map(|text| without_end(&text)),
    })
}

/// Returns the mask of all secrets that a model holds or its services read from files.
#[must_use]
pub fn mask(model: &Model) -> Mask {
    let files = model.variables_of_files();
    let read = files.iter().filter_map(|(service, key)| variable(model, service, key));
    Mask::new(model.secrets().into_iter().chain(read))
}

fn without_end(text: &str) -> Secret {
    Secret::new(text.trim_end_matches(['\n', '\r']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_read_from_the_file_of_its_secret_and_masked() {
        let path = std::env::temp_dir().join(format!("stagegate-secret-{}", std::process::id()));
        std::fs::write(&path, "from-a-file-1\n").unwrap();
        let text = format!(
            r#"{{"services":{{"db":{{"environment":{{"POSTGRES_PASSWORD_FILE":"/run/secrets/pw"}},
                "secrets":[{{"source":"pw"}}]}}}},"secrets":{{"pw":{{"file":"{}"}}}}}}"#,
            path.display()
        );
        let model = Model::parse(&text).unwrap();
        let password = variable(&model, "db", "POSTGRES_PASSWORD").map(|secret| secret.expose().to_owned());
        assert_eq!(password.as_deref(), Some("from-a-file-1"));
        assert_eq!(mask(&model).apply("it is from-a-file-1"), "it is ***");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(variable(&model, "db", "POSTGRES_PASSWORD"), None);
    }
}
