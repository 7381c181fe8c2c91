//! What two programs say to each other: `gate` on this machine, and its copy on the host. One JSON line each.

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The version of these messages. A copy that speaks another one is replaced by `gate host upgrade`.
pub const PROTOCOL: u32 = 1;

/// A tag, so that a release has one name on both machines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its name, without `refs/tags/`.
    pub name: String,
    /// The object that it names: a commit, or a tag object.
    pub object: String,
}

/// What is to be found by its name on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Commits that are kept.
    pub commits: Vec<String>,
    /// Tags.
    pub tags: Vec<Tag>,
    /// The one of them that the release is named by, if any.
    pub release: Option<String>,
}

/// What this machine requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Request {
    /// Which of these objects are missing there?
    Releases {
        /// Commits and tag objects, 40 or 64 hexadecimal digits.
        objects: Vec<String>,
        /// The commits and tags that are to be named there.
        #[serde(default)]
        names: Names,
    },
    /// Take a pack, where one follows, and put the product's checkout to a commit.
    Receive {
        /// Whether a pack follows, up to the end of the stream.
        pack: bool,
        /// The commits that are kept.
        commits: Vec<String>,
        /// The tags that are set.
        tags: Vec<Tag>,
        /// The one of them that the release is named by, if any: that one must not be another there.
        #[serde(default)]
        release: Option<String>,
        /// The commit of the checkout, whose `stagegate.toml` is used.
        checkout: String,
        /// Whether it may be one that does not contain the earlier one.
        replace: bool,
    },
    /// Take an env file, which follows, up to the end of the stream.
    EnvFile {
        /// Its place: absolute, or relative to the checkout.
        path: String,
        /// The SHA-256 of its content.
        sha256: String,
    },
    /// Start a command, detached, and follow it.
    Start {
        /// Its arguments, without the program.
        args: Vec<String>,
        /// STAGEGATE_ENV of this machine.
        environment: Option<String>,
    },
    /// Follow a run.
    Follow {
        /// Which one: its id; the newest one where `None`.
        run: Option<String>,
        /// Where in its output to begin, in bytes.
        output: u64,
        /// Where in its messages to begin, in bytes.
        messages: u64,
    },
    /// Interrupt a run: a promotion is rolled back.
    Interrupt {
        /// Its id; the newest one where `None`.
        run: Option<String>,
    },
    /// Confirm a promotion that waits: its release stays.
    Confirm {
        /// Its id; the one that waits where `None`.
        run: Option<String>,
        /// The target's name.
        environment: String,
    },
}

/// Which version of the messages, and for which product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// The version of these messages.
    pub protocol: u32,
    /// The product's name, as `stagegate.toml` has it.
    pub product: String,
    /// What is requested.
    pub request: Request,
}

/// What the host reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Event {
    /// After `Releases`.
    Releases {
        /// The objects that are not there.
        missing: Vec<String>,
        /// Commits that are there, so that what they contain need not be sent.
        has: Vec<String>,
        /// The commit of the checkout; `None` where there is none.
        checkout: Option<String>,
        /// Whether a name is missing, or that of the release is another object's: objects may be there as a part of others.
        #[serde(default)]
        unnamed: bool,
    },
    /// The request was carried out.
    Done {
        /// What else there is to report; empty where nothing is.
        note: String,
    },
    /// A run was started, or found.
    Run {
        /// Its id.
        run: String,
        /// The command, as a person would type it.
        command: String,
    },
    /// A part of its standard output.
    Output {
        /// The text: whole lines, but for the last.
        text: String,
        /// Where the next part begins, in bytes.
        next: u64,
    },
    /// A part of its standard error.
    Message {
        /// The text: whole lines, but for the last.
        text: String,
        /// Where the next part begins, in bytes.
        next: u64,
    },
    /// The run waits until somebody confirms, over another connection, that its release stays.
    Waits {
        /// Its id.
        run: String,
    },
    /// The run goes on; this keeps the connection alive.
    Beat,
    /// It ended.
    Ended {
        /// Its exit code; `None` where it was killed, or the host was restarted.
        code: Option<u8>,
    },
    /// There is no checkout of the product yet.
    NoCheckout,
    /// The request was refused.
    Refused {
        /// Why, and the next command.
        reason: String,
    },
}

/// Why the place of an env file on a host is not clear.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvFileError {
    /// The environment has none.
    #[error("the environment has no `env_file`; add it to stagegate.toml first")]
    None,
    /// It has several, and the file is none of them.
    #[error("{file} is none of the environment's env files, and it has several: {known}; name one of these")]
    Several {
        /// The file.
        file: String,
        /// Those of the environment.
        known: String,
    },
}

/// Returns where an env file is on the host: relative to the checkout where it is relative to the configuration's folder
/// here, which both have in common.
///
/// `root` is the configuration's folder, `known` the env files of the environment, all absolute; so is `file`.
///
/// # Errors
/// [`EnvFileError`] where it cannot be decided.
pub fn env_file_path(root: &Path, known: &[PathBuf], file: &Path) -> Result<PathBuf, EnvFileError> {
    let target = match known.iter().find(|path| *path == file) {
        Some(path) => path,
        None => match known {
            [] => return Err(EnvFileError::None),
            [only] => only,
            several => {
                let names: Vec<String> = several.iter().map(|path| path.display().to_string()).collect();
                return Err(EnvFileError::Several { file: file.display().to_string(), known: names.join(", ") });
            }
        },
    };
    let shared = root.components().zip(target.components()).take_while(|(a, b)| a == b).count();
    // Only the root folder in common: an absolute path of the whole machine, such as /etc/shop/env.
    let ups = root.components().count() - shared;
    if shared <= 1 || ups > 1 {
        return Ok(target.clone());
    }
    let ups = std::iter::repeat_n(Component::ParentDir, ups);
    Ok(ups.chain(target.components().skip(shared)).collect())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::in_the_folder("/home/ada/shop/.env.production", ".env.production")]
    #[case::next_to_it("/home/ada/production.env", "../production.env")]
    #[case::of_the_machine("/etc/shop/production.env", "/etc/shop/production.env")]
    #[case::elsewhere_at_home("/home/secrets/production.env", "/home/secrets/production.env")]
    fn an_env_file_has_one_place_on_both_machines(#[case] known: &str, #[case] want: &str) {
        let root = Path::new("/home/ada/shop");
        let known = [PathBuf::from(known)];
        assert_eq!(env_file_path(root, &known, Path::new("/tmp/other")), Ok(PathBuf::from(want)));
    }

    #[test]
    fn with_several_env_files_one_of_them_has_to_be_named() {
        let known = ["/s/a.env", "/s/b.env"].map(PathBuf::from);
        assert!(
            env_file_path(Path::new("/s"), &known, Path::new("/tmp/c"))
                .unwrap_err()
                .to_string()
                .contains("/s/a.env, /s/b.env")
        );
        assert_eq!(env_file_path(Path::new("/s"), &known, Path::new("/s/b.env")), Ok(PathBuf::from("b.env")));
        assert!(env_file_path(Path::new("/s"), &[], Path::new("/s/b.env")).is_err());
    }

    #[test]
    fn messages_are_one_json_line() {
        let envelope = Envelope {
            protocol: PROTOCOL,
            product: "shop".to_owned(),
            request: Request::Start { args: vec!["status".to_owned()], environment: None },
        };
        let text = serde_json::to_string(&envelope).unwrap();
        assert_eq!(
            text,
            r#"{"protocol":1,"product":"shop","request":{"do":"start","args":["status"],"environment":null}}"#
        );
        assert_eq!(serde_json::from_str::<Envelope>(&text).unwrap(), envelope);
        let event = serde_json::to_string(&Event::Output { text: "a\nb\n".to_owned(), next: 4 }).unwrap();
        assert_eq!(event, r#"{"is":"output","text":"a\nb\n","next":4}"#);
    }
}
