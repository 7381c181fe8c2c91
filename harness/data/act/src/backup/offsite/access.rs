//! The access key of a bucket: from the environment or a file, never from the configuration or a command line.

use std::path::{Path, PathBuf};

use object_store::aws::AmazonS3Builder;
use stagegate_base::redact::{Mask, Secret};

const ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// An access key that is not there.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// None.
    #[error(
        "no access key for the bucket: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or name a file with both by \
         `credentials` of [backup.offsite]"
    )]
    None,
    /// A file that cannot be read.
    #[error("cannot read the credentials file {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// A file without the key.
    #[error("the credentials file {} has no line `{missing}=..`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// The variable.
        missing: &'static str,
    },
}

/// An access key.
#[derive(Clone, Debug)]
pub struct Access {
    id: Secret,
    secret: Secret,
    token: Option<Secret>,
}

impl Access {
    /// Returns the key that the variables hold, `variable` being the environment; `None` where one of the two is not set.
    pub fn of_variables(variable: impl Fn(&str) -> Option<String>) -> Option<Self> {
        let found = |name| variable(name).filter(|value| !value.is_empty()).map(Secret::new);
        Some(Access { id: found(ID)?, secret: found(SECRET)?, token: found(TOKEN) })
    }

    /// Returns the key of a file of lines `NAME=value`, which may also be a profile of the AWS tools.
    ///
    /// # Errors
    /// [`AccessError`]; what the file holds is not shown.
    pub fn of_file(path: &Path) -> Result<Self, AccessError> {
        let failed = |source| AccessError::File { path: path.to_path_buf(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        let value = |name: &str| {
            let pairs = text.lines().filter_map(|line| line.trim().trim_start_matches("export ").split_once('='));
            let mut values =
                pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim());
            values.next().map(|value| value.trim_matches(['"', '\'']).to_owned())
        };
        let missing = if value(ID).is_none_or(|id| id.is_empty()) { ID } else { SECRET };
        Self::of_variables(value).ok_or(AccessError::Missing { path: path.to_path_buf(), missing })
    }

    /// Returns what masks the key in texts.
    #[must_use]
    pub fn mask(&self) -> Mask {
        Mask::new([&self.id, &self.secret].into_iter().chain(&self.token).cloned())
    }

    pub(super) fn given_to(&self, builder: AmazonS3Builder) -> AmazonS3Builder {
        let builder = builder.with_access_key_id(self.id.expose()).with_secret_access_key(self.secret.expose());
        match &self.token {
            Some(token) => builder.with_token(token.expose()),
            None => builder,
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("AWS_ACCESS_KEY_ID=AK1\nAWS_SECRET_ACCESS_KEY=s3cret/+=\n", None)]
    #[case::exported("export AWS_ACCESS_KEY_ID='AK1'\nexport AWS_SECRET_ACCESS_KEY=\"s3cret/+=\"\n", None)]
    #[case::profile("[default]\naws_access_key_id = AK1\naws_secret_access_key = s3cret/+=\n", None)]
    #[case::no_secret("AWS_ACCESS_KEY_ID=AK1\n", Some("no line `AWS_SECRET_ACCESS_KEY=..`"))]
    #[case::empty("AWS_ACCESS_KEY_ID=\nAWS_SECRET_ACCESS_KEY=s3cret/+=\n", Some("no line `AWS_ACCESS_KEY_ID=..`"))]
    fn a_key_is_read_from_a_file_and_is_never_shown(#[case] text: &str, #[case] want: Option<&str>) {
        let path = std::env::temp_dir().join(format!("stagegate-access-{}-{}", text.len(), std::process::id()));
        std::fs::write(&path, text).unwrap();
        let read = Access::of_file(&path);
        std::fs::remove_file(&path).unwrap();
        assert!(!format!("{read:?}").contains("s3cret"), "{read:?}");
        match (read, want) {
            (Ok(access), None) => assert_eq!((access.id.expose(), access.secret.expose()), ("AK1", "s3cret/+=")),
            (Err(error), Some(want)) => assert!(error.to_string().contains(want), "{error}"),
            (read, _) => panic!("{read:?}"),
        }
    }
}
