//! Where the token comes from that operations are called with which need one.

use serde::Serialize;

/// The source of a service's token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenSource {
    /// A variable that holds it: of this process, else of the compose service.
    Variable(String),
    /// What a login of the workflow files captures.
    Login {
        /// The login's name.
        name: String,
        /// The name of what it captures.
        capture: String,
    },
}

impl TokenSource {
    /// Reads the two keys, of which one may be there; `login` is `name.capture`.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub(super) fn read(variable: Option<&str>, login: Option<&str>) -> Result<Option<Self>, (String, &'static str)> {
        let named = |text: &str| {
            let (name, capture) = text.split_once('.')?;
            let is_name = |part: &str| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
            };
            let login = || TokenSource::Login { name: name.to_owned(), capture: capture.to_owned() };
            (is_name(name) && is_name(capture)).then(login)
        };
        match (variable, login) {
            (None, None) => Ok(None),
            (Some(variable), None) => Ok(Some(TokenSource::Variable(variable.to_owned()))),
            (Some(_), Some(_)) => {
                Err(("both `token_variable` and `token_login` are set".to_owned(), "keep one of the two"))
            }
            (None, Some(text)) => named(text).map(Some).ok_or_else(|| {
                let message = format!("token_login `{text}` must be LOGIN.CAPTURE");
                (message, "write \"owner.token\" for `token` of [[login.owner.step]]")
            }),
        }
    }

    /// Returns the name of the shell's variable that stands for the token in a `curl` line.
    #[must_use]
    pub fn variable(&self) -> &str {
        match self {
            TokenSource::Variable(name) => name,
            TokenSource::Login { .. } => "TOKEN",
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[test]
    fn a_login_is_named_with_what_it_captures() {
        let want = TokenSource::Login { name: "owner".to_owned(), capture: "token".to_owned() };
        assert_eq!(TokenSource::read(None, Some("owner.token")), Ok(Some(want)));
    }

    #[rstest]
    #[case::two(Some("API_TOKEN"), Some("owner.token"))]
    #[case::no_capture(None, Some("owner"))]
    #[case::empty(None, Some("owner."))]
    #[case::three_parts(None, Some("login.owner.token"))]
    fn what_names_no_token_is_refused(#[case] variable: Option<&str>, #[case] login: Option<&str>) {
        assert!(TokenSource::read(variable, login).is_err());
    }
}
