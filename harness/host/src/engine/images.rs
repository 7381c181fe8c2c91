//! Images as facts.

use std::time::Duration;

use serde_json::Value;

use super::{Engine, EngineError};

/// What the Engine knows of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its id.
    pub id: String,
    /// By which digests registries have it: `repository@sha256:..`; empty where it was built here.
    pub digests: Vec<String>,
    /// How long ago it got its name on this host.
    pub age: Duration,
}

impl Engine {
    /// Returns what the Engine knows of an image, `None` where this host does not have it.
    ///
    /// # Errors
    /// [`EngineError`] where the Engine does not respond.
    pub async fn image_facts(&self, reference: &str) -> Result<Option<Image>, EngineError> {
        Ok(self.image_details(reference).await?.map(|details| image(&details, jiff::Timestamp::now())))
    }
}

fn image(details: &Value, now: jiff::Timestamp) -> Image {
    let digests = details["RepoDigests"].as_array().into_iter().flatten();
    let named = details["Metadata"]["LastTagTime"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok());
    Image {
        id: details["Id"].as_str().unwrap_or_default().to_owned(),
        digests: digests.filter_map(|digest| digest.as_str().map(str::to_owned)).collect(),
        age: named.map_or(Duration::MAX, |at| now.duration_since(at).unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_as_old_as_its_name_here_and_one_without_a_name_is_of_any_age() {
        let now: jiff::Timestamp = "2026-01-02T03:04:05Z".parse().unwrap();
        let digests = ["r.example/app@sha256:01"];
        let details =
            json!({"Id": "sha256:aa", "RepoDigests": digests, "Metadata": {"LastTagTime": "2026-01-02T03:00:05Z"}});
        let want =
            Image { id: "sha256:aa".into(), digests: digests.map(str::to_owned).into(), age: Duration::from_secs(240) };
        assert_eq!(image(&details, now), want);
        assert_eq!(image(&json!({"Id": "sha256:aa"}), now).age, Duration::MAX);
    }
}
