//! `gate restore --config-files`: the configuration of a backup, written next to the files that are there, compared, then
//! switched; what was there is kept.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use stagegate_base::{
    config::{Config, Environment, FILE_NAME},
    exit::Exit,
    text::{counted, one_line},
};
use stagegate_data_act::backup::details;
use stagegate_gate_act::compare::env_file;
use stagegate_host::{files, lock::Lock, paths::StateDir, process::Runner};

use super::Source;
use crate::{
    confirm_option,
    failure::{Failure, print_result},
};

/// A file that is switched.
struct Switch {
    path: PathBuf,
    bytes: Vec<u8>,
    /// The restored file, next to the one that is there.
    aside: PathBuf,
    /// The name under which the file that is there is kept; none where there is no file.
    kept: Option<PathBuf>,
}

pub(super) async fn restore(
    config: &Config,
    environment: &Environment,
    source: Source<'_>,
    yes: bool,
) -> Result<Exit, Failure> {
    let manifest = &source.stored.manifest;
    if manifest.environment != environment.name {
        let (id, of, not) = (&manifest.id, &manifest.environment, &environment.name);
        let text = format!(
            "backup {id} holds the files of `{of}`, not of `{not}`, and they go where they were; pass --env {of}"
        );
        return Err(Failure::usage(text));
    }
    let run = crate::commands::new_run();
    let mut switches = Vec::new();
    for (file, path) in manifest.files.iter().filter_map(|file| Some((file, PathBuf::from(file.path.as_ref()?)))) {
        // A manifest may come from anywhere; only files that the configuration names are written.
        if !belongs(config, environment, &path) {
            print_result(&format!(
                "{}: left as it is, since {} does not name it for `{}`; its copy is {} of the backup",
                path.display(),
                config.path.display(),
                environment.name,
                file.file
            ));
            continue;
        }
        let bytes = details::contents(&Runner::default(), source.input(&source.path(&file.file))).await?;
        let there = match fs::read(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Failure::reading(&path)(error)),
            there => there.ok(),
        };
        print_result(&format!("{}: {}", path.display(), difference(&path, there.as_deref(), &bytes)));
        if there.as_ref() == Some(&bytes) {
            continue;
        }
        parses(&path, &bytes)?;
        let named = |word: &str| with_end(&path, &format!("{word}-{run}"));
        switches.push(Switch { aside: named("restored"), kept: there.map(|_| named("left")), path, bytes });
    }
    if switches.is_empty() {
        return Ok(Exit::Passed);
    }
    let what = counted(switches.len(), "file");
    confirm_option::confirm(&format!("Replace {what} of `{}`? What is there is kept.", environment.name), yes)?;
    let state = StateDir::of(config, &environment.project);
    let _lock = Lock::take(&state, &environment.project, "gate restore")?;
    let done = written(&switches).and_then(|()| switched(&switches));
    for switch in &switches {
        let _ = fs::remove_file(&switch.aside);
    }
    done?;
    for Switch { path, kept, .. } in &switches {
        let kept = kept.as_ref().map(|kept| format!("; what was there is {}", kept.display())).unwrap_or_default();
        print_result(&format!("{} restored{kept}", path.display()));
    }
    Ok(Exit::Passed)
}

fn belongs(config: &Config, environment: &Environment, path: &Path) -> bool {
    *path == config.path || environment.env_files.iter().any(|file| file == path)
}

/// Writes the restored files and copies of those that are there, and reads both back.
fn written(switches: &[Switch]) -> Result<(), Failure> {
    for switch in switches {
        files::write_whole(&switch.aside, &switch.bytes).map_err(Failure::writing(&switch.aside))?;
        let mut copies = vec![(&switch.aside, switch.bytes.clone())];
        if let Some(kept) = &switch.kept {
            let there = fs::read(&switch.path).map_err(Failure::reading(&switch.path))?;
            files::write_whole(kept, &there).map_err(Failure::writing(kept))?;
            copies.push((kept, there));
        }
        for (path, bytes) in copies {
            if fs::read(path).map_err(Failure::reading(path))? != bytes {
                return Err(Failure::blocked(format!(
                    "{} is not what was written; nothing was changed",
                    path.display()
                )));
            }
        }
    }
    Ok(())
}

/// Puts the restored files in place; where one cannot be, those before it are as they were.
fn switched(switches: &[Switch]) -> Result<(), Failure> {
    for (number, switch) in switches.iter().enumerate() {
        let Err(error) = files::write_whole(&switch.path, &switch.bytes) else { continue };
        for before in &switches[..number] {
            let _ = match &before.kept {
                Some(kept) => fs::read(kept).and_then(|there| files::write_whole(&before.path, &there)),
                None => fs::remove_file(&before.path),
            };
        }
        return Err(Failure::writing(&switch.path)(error).context("no file was replaced"));
    }
    Ok(())
}

/// Refuses a configuration that this version cannot read: no command would run any more.
fn parses(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if path.file_name().is_none_or(|name| name != FILE_NAME) {
        return Ok(());
    }
    let text = String::from_utf8_lossy(bytes);
    Config::parse(path, &text).map(drop).map_err(|error| Failure::from(error).context("nothing was changed"))
}

/// Returns in words how a file of the backup differs from the one that is there; values are not shown.
fn difference(path: &Path, there: Option<&[u8]>, restored: &[u8]) -> String {
    let Some(there) = there else { return "is not there".to_owned() };
    if there == restored {
        return "is the same".to_owned();
    }
    if path.extension().is_some_and(|end| end == "toml") {
        return "differs".to_owned();
    }
    let variables = |bytes: &[u8]| -> BTreeMap<String, String> {
        let read = env_file(&String::from_utf8_lossy(bytes));
        read.into_iter().map(|(name, value)| (name, value.expose().to_owned())).collect()
    };
    let (there, restored) = (variables(there), variables(restored));
    let mut names: Vec<&String> = there.keys().chain(restored.keys()).collect();
    names.sort();
    names.dedup();
    names.retain(|name| there.get(*name) != restored.get(*name));
    let named: Vec<String> = names.iter().map(|name| one_line(name)).collect();
    match named.is_empty() {
        true => "differs, in no variable".to_owned(),
        false => format!("differs in {}", named.join(", ")),
    }
}

fn with_end(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{name}.{end}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_the_configuration_does_not_name_is_not_written() {
        let text = "[project]\nname = \"shop\"\n[environments.staging]\nenv_file = \".env.staging\"\n";
        let config = Config::parse(Path::new("/srv/shop/stagegate.toml"), text).unwrap();
        let is_written = |path: &str| belongs(&config, config.environment("staging").unwrap(), Path::new(path));
        assert!(is_written("/srv/shop/stagegate.toml") && is_written("/srv/shop/.env.staging"));
        let others =
            ["/etc/cron.d/shop", "/srv/shop/.env.production", "/srv/shop/.git/config", "/srv/shop/../.env.staging"];
        assert!(!others.into_iter().any(is_written));
    }

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let dir = std::env::temp_dir().join(format!("stagegate-config-files-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&dir);
            fs::create_dir_all(&dir).unwrap();
            Folder(dir)
        }

        fn switch(&self, name: &str, there: Option<&str>, restored: &str) -> Switch {
            let path = self.0.join(name);
            if let Some(there) = there {
                fs::write(&path, there).unwrap();
            }
            let kept = there.map(|_| with_end(&path, "left-1"));
            Switch { aside: with_end(&path, "restored-1"), kept, path, bytes: restored.into() }
        }

        fn text(&self, name: &str) -> Option<String> {
            fs::read_to_string(self.0.join(name)).ok()
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_are_switched_and_those_that_were_there_are_kept() {
        let folder = Folder::new("switch");
        let switches = [folder.switch("a.env", Some("A=1\n"), "A=2\n"), folder.switch("b.env", None, "B=1\n")];
        written(&switches).unwrap();
        assert_eq!(folder.text("a.env").as_deref(), Some("A=1\n"));
        switched(&switches).unwrap();
        let texts = ["a.env", "a.env.left-1", "b.env", "b.env.left-1"].map(|name| folder.text(name));
        assert_eq!(texts, [Some("A=2\n".into()), Some("A=1\n".into()), Some("B=1\n".into()), None]);
    }

    #[test]
    fn where_one_cannot_be_put_in_place_all_are_as_before() {
        let folder = Folder::new("undo");
        let mut switches = vec![folder.switch("a.env", Some("A=1\n"), "A=2\n"), folder.switch("b.env", None, "B=1\n")];
        written(&switches).unwrap();
        switches.push(folder.switch("missing/c.env", None, "C=1\n"));
        let error = switched(&switches).unwrap_err().text();
        assert!(error.contains("no file was replaced"), "{error}");
        assert_eq!((folder.text("a.env").as_deref(), folder.text("b.env")), (Some("A=1\n"), None));
    }

    #[test]
    fn differences_are_named_and_values_are_not() {
        let of = |name: &str, there: Option<&str>, restored: &str| {
            difference(Path::new(name), there.map(str::as_bytes), restored.as_bytes())
        };
        assert_eq!(of("a.env", None, "A=1"), "is not there");
        assert_eq!(of("a.env", Some("A=1\nB=2\nC=secret-3\n"), "A=1\nB=3\nD=4\n"), "differs in B, C, D");
        assert_eq!(of("a.env", Some("# old\nA=1\n"), "A=1\n"), "differs, in no variable");
        assert_eq!(of("stagegate.toml", Some("a"), "b"), "differs");
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_not_put_in_place() {
        assert!(parses(Path::new("/srv/stagegate.toml"), b"[project]\nname = 1\n").is_err());
        assert!(parses(Path::new("/srv/stagegate.toml"), b"[project]\nname = \"shop\"\n").is_ok());
        assert!(parses(Path::new("/srv/staging.env"), b"[project\n").is_ok());
    }
}
