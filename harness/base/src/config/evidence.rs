//! `[evidence]`: what proves later, and elsewhere, how runs ended.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// How the evidence of ended runs is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// The private key (Ed25519, PEM) that it is signed with; it is not signed where `None`.
    pub key_file: Option<PathBuf>,
    /// Whether a git tag on the live release's commit has the journal's checksum.
    pub tags: bool,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvidence {
    key_file: Option<PathBuf>,
    #[serde(default)]
    tags: bool,
}

impl RawEvidence {
    pub(super) fn read(self, absolute: impl Fn(&Path) -> PathBuf) -> Evidence {
        Evidence { key_file: self.key_file.map(|file| absolute(&file)), tags: self.tags }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn the_key_lies_relative_to_the_file_and_nothing_is_signed_or_tagged_by_itself() {
        let parse = |text: &str| {
            let text = format!("[project]\nname = \"shop\"\n{text}");
            Config::parse(Path::new("/srv/shop/stagegate.toml"), &text).map(|config| config.evidence)
        };
        let evidence = parse("[evidence]\nkey_file = \"../keys/evidence.pem\"\ntags = true\n").unwrap();
        assert_eq!(evidence.key_file.as_deref(), Some(Path::new("/srv/keys/evidence.pem")));
        assert!(evidence.tags);
        assert_eq!(parse("").unwrap(), super::Evidence::default());
        assert!(parse("[evidence]\nkey = \"x\"\n").is_err());
    }
}
