//! The folders of a product on the host.

use std::path::{Path, PathBuf};

use stagegate_host::files;
use stagegate_target_decide::FOLDER;

use super::SideError;

/// A product's folder: its repository, its checkout, its runs.
pub(crate) struct Product {
    root: PathBuf,
}

impl Product {
    /// Returns the folder of a product by the name that its configuration has.
    pub(crate) fn named(name: &str) -> Result<Self, SideError> {
        let is_name =
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c));
        let home = std::env::home_dir().filter(|home| home.is_absolute());
        match home {
            Some(home) if is_name => Ok(Product { root: home.join(FOLDER).join("products").join(name) }),
            Some(_) => Err(SideError::Refused(format!("`{name}` is no product's name"))),
            None => Err(SideError::Refused("the user has no home".to_owned())),
        }
    }

    /// Returns the bare repository that releases are sent to.
    pub(crate) fn repository(&self) -> PathBuf {
        self.root.join("repo.git")
    }

    /// Returns the working copy whose `stagegate.toml` is used; workdirs such as `../shop-production` are next to it.
    pub(crate) fn checkout(&self) -> PathBuf {
        self.root.join("checkout")
    }

    /// Returns the folder of the runs.
    pub(crate) fn runs(&self) -> PathBuf {
        self.root.join("runs")
    }

    /// Makes the folder, which only its owner may enter.
    pub(crate) fn make(&self) -> Result<&Path, SideError> {
        files::private_dir(&self.root).map_err(SideError::file(&self.root))?;
        Ok(&self.root)
    }

    /// Refuses where the product was never sent.
    pub(crate) fn checked_out(&self) -> Result<PathBuf, SideError> {
        let checkout = self.checkout();
        if checkout.join(".git").exists() { Ok(checkout) } else { Err(SideError::NoCheckout) }
    }
}
