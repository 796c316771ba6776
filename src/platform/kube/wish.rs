//! What an effect wishes of a workload.

use std::sync::Arc;

use super::config::KubeConfig;
use super::image;
use crate::domain::plan::Exposure;
use crate::domain::{Artifact, Effect, EffectId, Verb};

/// Whether an effect asks again for what has failed before: the number of the attempt ends its id.
pub fn asks_again(effect: &Effect) -> bool {
    let last = effect.id.as_str().rsplit('.').next();
    last.and_then(|n| n.parse::<u32>().ok()) > Some(1)
}

/// What an effect wishes of a workload, and what stands about the workload in the room.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The effect.
    pub effect: EffectId,
    /// Its release, as it is written into the record.
    pub release: String,
    /// Whether what ran before shall come back.
    pub back: bool,
    /// What shall run.
    pub artifact: Artifact,
    /// On which share.
    pub share: Exposure,
    /// The workload.
    pub config: Arc<KubeConfig>,
}

impl Wish {
    /// The wish of an effect.
    pub fn of(effect: &Effect, config: Arc<KubeConfig>) -> Wish {
        Wish {
            effect: effect.id.clone(),
            release: effect.release.to_string(),
            back: effect.verb == Verb::Rollback,
            artifact: effect.artifact.clone(),
            share: effect.exposure.unwrap_or(Exposure::FULL),
            config,
        }
    }

    /// The image that shall run, pinned by its digest.
    pub fn image(&self) -> String {
        let artifact = &self.artifact;
        self.config.image_of(&artifact.version, &artifact.digest)
    }

    /// Whether an image is what shall run.
    pub fn is(&self, found: &str) -> bool {
        image::is(found, &self.artifact, &self.config.image)
    }

    /// How many of so many parts shall run it.
    pub fn parts(&self, all: u32) -> u32 {
        let parts = self.share.of(usize::try_from(all).unwrap_or(usize::MAX));
        u32::try_from(parts).unwrap_or(all).min(all)
    }
}
