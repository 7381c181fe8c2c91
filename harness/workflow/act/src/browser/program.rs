//! Finds a Chromium on this machine.

use std::path::PathBuf;

use crate::result::StepError;

/// Variable that names the browser.
const VARIABLE: &str = "STAGEGATE_BROWSER";
/// The names that it has in distributions.
const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Returns the browser: the named one, else the first that PATH has.
pub(crate) fn found() -> Result<PathBuf, StepError> {
    let named = std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = |name: &str| std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    match named {
        Some(name) => {
            let given = PathBuf::from(&name);
            let found = if given.is_file() { Some(given) } else { on_path(&name.to_string_lossy()) };
            found.ok_or_else(|| {
                StepError::Broken(format!("{VARIABLE} names `{}`, which does not exist", name.display()))
            })
        }
        None => NAMES.iter().find_map(|name| on_path(name)).ok_or_else(|| {
            let names = NAMES.join(", ");
            StepError::Lacking(format!(
                "no browser is installed ({names}); install Chromium, or name one in {VARIABLE}"
            ))
        }),
    }
}
