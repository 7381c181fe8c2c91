//! Which mounts of a service are its configuration, and which its data, as far as this host can see.

use std::{collections::BTreeSet, path::Path};

use stagegate_base::compose::{Bind, Model};

/// Where images of databases look for settings, and for the scripts of their first start.
const FOLDERS: [&str; 2] = ["/etc/", "/docker-entrypoint-initdb.d"];

/// Returns the sources of bind mounts that hold settings: files, and folders that a service reads its settings from.
///
/// A copy needs them to be what its original is, and must not write them. A writable folder counts as data, unless it is
/// mounted below `/etc` or where scripts of the first start are read from, or the service's own command, entrypoint or
/// variables name a file in it.
#[must_use]
pub fn settings(model: &Model) -> BTreeSet<String> {
    let of = |service: &String| {
        let words = model.words(service);
        model.binds(service).into_iter().filter(|bind| is_settings(bind, &words)).map(|bind| bind.source).collect()
    };
    model.services().iter().flat_map(|service| -> BTreeSet<String> { of(service) }).collect()
}

fn is_settings(bind: &Bind, words: &[String]) -> bool {
    let source = Path::new(&bind.source);
    source.is_file()
        || (source.is_dir()
            && (FOLDERS.iter().any(|folder| bind.target.starts_with(folder))
                || words.iter().any(|word| names_a_file(word, source, &bind.target))))
}

/// Returns whether a word of a command, such as `config_file=/conf/db.conf`, names a file of the folder `source` that is
/// mounted at `target`.
fn names_a_file(word: &str, source: &Path, target: &str) -> bool {
    let top = format!("{}/", target.trim_end_matches('/'));
    word.match_indices(&top).any(|(start, _)| {
        let rest = &word[start + top.len()..];
        let end = rest.find([' ', ',', ';', '"', '\'', '&', '|']).unwrap_or(rest.len());
        end > 0 && source.join(&rest[..end]).is_file()
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_and_folders_that_a_command_reads_from_are_settings_and_the_rest_is_data() {
        let dir = std::env::temp_dir().join(format!("stagegate-mounts-{}", std::process::id()));
        for folder in ["conf", "data", "extra", "init"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        for file in ["hba.conf", "conf/db.conf", "data/PG_VERSION"] {
            fs::write(dir.join(file), "").unwrap();
        }
        let bind = |source: &str, target: &str| {
            format!(r#"{{"type":"bind","source":"{}/{source}","target":"{target}"}}"#, dir.display())
        };
        let binds = [
            bind("hba.conf", "/h"),
            bind("conf", "/conf"),
            bind("data", "/data"),
            bind("extra", "/etc/extra"),
            bind("init", "/docker-entrypoint-initdb.d"),
        ];
        let text = format!(
            r#"{{"services":{{"db":{{"command":["postgres","-c","config_file=/conf/db.conf"],
                "environment":{{"PGDATA":"/data/db"}},"volumes":[{}]}}}}}}"#,
            binds.join(",")
        );
        let found = settings(&Model::parse(&text).unwrap());
        let expected = ["conf", "extra", "hba.conf", "init"].map(|name| dir.join(name).to_string_lossy().into_owned());
        assert_eq!(found, BTreeSet::from(expected));
        fs::remove_dir_all(&dir).unwrap();
    }
}
