//! Gets the images of services: pulled where this host lacks them or their `pull_policy` requires it, and by their digest
//! where a release needs the very image that it had.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use stagegate_base::{
    command::docker,
    compose::{Model, short},
    image::{PullFailure, digest_of, registry},
};

use crate::{
    engine::{Engine, EngineError},
    process::{RunError, Runner},
};

/// An image that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The Engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Nobody may pull it.
    #[error(
        "image {image} of service `{service}` is not on this host, and the service's `pull_policy` keeps it from being pulled; \
         load it with `docker load`, or run `docker pull {image}`"
    )]
    NotPulled {
        /// The service.
        service: String,
        /// The image.
        image: String,
    },
    /// The pull failed.
    #[error(
        "image {image} of service `{service}` cannot be pulled from {}: {}; {}",
        registry(image), failure.cause(), failure.next(image)
    )]
    Pull {
        /// The service.
        service: String,
        /// The image.
        image: String,
        /// What is wrong.
        failure: PullFailure,
        /// What Docker printed.
        #[source]
        source: RunError,
    },
    /// It was removed, and no registry is known to have it.
    #[error(
        "image {} of service `{service}` was removed from this host, and it came from no registry; load it with `docker load`",
        short(image)
    )]
    Gone {
        /// The service.
        service: String,
        /// The image's id.
        image: String,
    },
    /// The pull worked, and the image is not the one.
    #[error("{origin} of service `{service}` was pulled: expected image {}, found {}", short(expected), short(found))]
    Other {
        /// The service.
        service: String,
        /// By which digest it was pulled.
        origin: String,
        /// The image's id.
        expected: String,
        /// The id of what was pulled, or that there is nothing.
        found: String,
    },
}

/// Gets images. What it has pulled it does not pull again.
pub struct Images<'a> {
    runner: &'a Runner,
    engine: &'a Engine,
    within: Duration,
    pulled: BTreeSet<String>,
}

impl<'a> Images<'a> {
    /// Makes one that pulls with the runner; each pull may take `within`.
    #[must_use]
    pub fn new(runner: &'a Runner, engine: &'a Engine, within: Duration) -> Self {
        Images { runner, engine, within, pulled: BTreeSet::new() }
    }

    /// Returns the id of a service's image, pulled if that is due.
    ///
    /// # Errors
    /// [`ImageError`] with the image, its registry and the cause.
    pub async fn id(&mut self, model: &Model, service: &str) -> Result<String, ImageError> {
        let image = model.image_name(service);
        let local = self.engine.image_facts(&image).await?;
        if !self.is_due(model, service, local.as_ref().map(|local| local.age)) {
            let not_pulled = || ImageError::NotPulled { service: service.to_owned(), image };
            return local.map(|local| local.id).ok_or_else(not_pulled);
        }
        self.pull(service, &image, model.platform(service)).await?;
        self.engine.image(&image).await?.ok_or_else(|| nothing(service, &image, &image))
    }

    /// Pulls the image of a service that could be built, if its `pull_policy` prefers the registry's; returns whether there
    /// is one then.
    ///
    /// # Errors
    /// As [`Images::id`], except of an image that the registry does not have: that one is built.
    pub async fn is_in_registry(&mut self, model: &Model, service: &str) -> Result<bool, ImageError> {
        if !model.pull_policy(service).prefers_registry() || model.image(service).is_empty() {
            return Ok(false);
        }
        match self.id(model, service).await {
            Ok(_) => Ok(true),
            Err(ImageError::Pull { failure: PullFailure::NotFound, image, .. }) => {
                self.runner.report(&format!("{image} is not in its registry: service `{service}` is built"));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Pulls the images of a frozen model that were removed from this host, each by the digest that it came with.
    ///
    /// # Errors
    /// [`ImageError`], also where what was pulled is another image.
    pub async fn restore(&mut self, model: &Model) -> Result<(), ImageError> {
        for service in model.with_images() {
            self.restore_one(&service, model.image(&service), model).await?;
        }
        Ok(())
    }

    /// Pulls an image that was removed from this host by the digest that `model` knows it by.
    ///
    /// # Errors
    /// As [`Images::restore`].
    pub async fn restore_one(&mut self, service: &str, id: &str, model: &Model) -> Result<(), ImageError> {
        if self.engine.image(id).await?.is_some() {
            return Ok(());
        }
        let Some(origin) = model.origin(id) else {
            return Err(ImageError::Gone { service: service.to_owned(), image: id.to_owned() });
        };
        self.pull(service, origin, model.platform(service)).await?;
        match self.engine.image(origin).await? {
            Some(found) if found == id => Ok(()),
            found => Err(ImageError::Other {
                service: service.to_owned(),
                origin: origin.to_owned(),
                expected: id.to_owned(),
                found: found.unwrap_or_else(|| "none".to_owned()),
            }),
        }
    }

    fn is_due(&self, model: &Model, service: &str, age: Option<Duration>) -> bool {
        !self.pulled.contains(&model.image_name(service)) && model.pull_policy(service).is_due(age)
    }

    async fn pull(&mut self, service: &str, image: &str, platform: Option<&str>) -> Result<(), ImageError> {
        let pulled = self.runner.run_aloud(&docker::pull(image, platform), self.within).await;
        pulled.map_err(|source| {
            let failure = match &source {
                RunError::Failed { reason, .. } => PullFailure::of(reason),
                RunError::TimedOut { .. } => PullFailure::Late,
                _ => PullFailure::Other,
            };
            ImageError::Pull { service: service.to_owned(), image: image.to_owned(), failure, source }
        })?;
        self.pulled.insert(image.to_owned());
        Ok(())
    }
}

fn nothing(service: &str, image: &str, expected: &str) -> ImageError {
    let (service, origin, expected) = (service.to_owned(), image.to_owned(), expected.to_owned());
    ImageError::Other { service, origin, expected, found: "none".to_owned() }
}

/// Returns by which digest a registry has each image, by id; images that were built here are left out.
///
/// `model` has the names that the images have in the compose files, `images` their ids by service.
///
/// # Errors
/// [`EngineError`] where the Engine does not respond.
pub async fn origins(
    engine: &Engine,
    model: &Model,
    images: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, EngineError> {
    let mut origins = BTreeMap::new();
    for (service, id) in images {
        let Some(image) = engine.image_facts(id).await? else { continue };
        if let Some(digest) = digest_of(&model.image_name(service), &image.digests) {
            origins.insert(id.clone(), digest.clone());
        }
    }
    Ok(origins)
}
