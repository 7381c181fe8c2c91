//! diesel: one folder for each migration, with `up.sql`, `down.sql` and perhaps `metadata.toml`.
// Source: diesel migrations_internals: the version is the folder's name up to `_`, dashes removed, compared as text.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    super::{Migration, Script, Transaction, codes, script::Sending},
    File, Reading, migration,
};

pub(super) fn read(reading: &mut Reading<'_>) -> Vec<Migration> {
    let mut folders: BTreeMap<&str, Vec<&File>> = BTreeMap::new();
    for file in reading.files.clone() {
        let Some((folder, name)) = file.path.split_once('/') else { continue };
        if !name.contains('/') {
            folders.entry(folder).or_default().push(file);
        }
    }
    let mut found: Vec<Migration> =
        folders.into_iter().filter_map(|(folder, files)| of_folder(reading, folder, &files)).collect();
    found.sort_by(|a, b| a.version.cmp(&b.version).then_with(|| a.name.cmp(&b.name)));
    found
}

#[derive(Deserialize)]
struct Metadata {
    // diesel's own default of a metadata.toml without the key is `false`; without the file it is `true`.
    #[serde(default)]
    run_in_transaction: bool,
}

fn of_folder<'a>(reading: &mut Reading<'a>, folder: &str, files: &[&'a File]) -> Option<Migration> {
    let named = |name: &str| files.iter().copied().find(|file| file.name() == name);
    let (version, name) = folder.split_once('_').unwrap_or((folder, ""));
    let version = version.replace('-', "");
    let Some(up) = named("up.sql") else {
        if let Some(first) = files.first() {
            let message = format!("expected `{folder}/up.sql`, found none: diesel rejects the folder");
            reading.report(&codes::BAD_NAME, first, 0, message);
        }
        return None;
    };
    let mut transaction = Transaction::Wrapped;
    if let Some(metadata) = named("metadata.toml") {
        reading.uses(metadata);
        match toml::from_str::<Metadata>(&metadata.text()) {
            Ok(read) if read.run_in_transaction => {}
            Ok(_) => transaction = Transaction::Bare,
            Err(error) => {
                reading.report(&codes::BAD_ANNOTATION, metadata, 1, error.message().trim().to_owned());
            }
        }
    }
    let mut script = |file: &'a File| {
        reading.uses(file);
        Script::new(&file.path, 1, &file.text(), transaction, Sending::Whole)
    };
    let up = script(up);
    let down = named("down.sql").map(&mut script);
    Some(migration(&version, name, up, down))
}
