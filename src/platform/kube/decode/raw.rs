//! Objects on their way from the wire: of the metadata only what is needed is read.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::{Deserialize, Deserializer};

use crate::platform::kube::owners::Managers;

/// The fields of the metadata that are needed; everything else is skipped while it is read.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    name: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    annotations: Option<BTreeMap<String, String>>,
    owner_references: Option<Vec<Owner>>,
    managed_fields: Option<Managers>,
    deletion_timestamp: Option<String>,
    creation_timestamp: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Owner {
    uid: String,
    controller: Option<bool>,
}

/// What only some kinds need of the metadata.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    /// The uid of what controls it; empty without one.
    pub owner: String,
    /// Who has written which of its fields.
    pub managers: Managers,
    /// Whether it is being deleted.
    pub leaving: bool,
    /// When it was made, as the cluster writes times.
    pub created: String,
}

/// Metadata as the library wants it, with what it has no use for beside it.
#[derive(Clone, Debug, Default)]
pub struct Slim {
    /// What the library reads too.
    pub meta: ObjectMeta,
    /// What it does not.
    pub extra: Extra,
}

impl<'de> Deserialize<'de> for Slim {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let meta = Meta::deserialize(from)?;
        let owners = meta.owner_references.unwrap_or_default();
        let owner = owners.into_iter().find(|o| o.controller == Some(true));
        Ok(Slim {
            meta: ObjectMeta {
                name: meta.name,
                uid: meta.uid,
                resource_version: meta.resource_version,
                generation: meta.generation,
                labels: meta.labels,
                annotations: meta.annotations,
                ..ObjectMeta::default()
            },
            extra: Extra {
                owner: owner.map(|o| o.uid).unwrap_or_default(),
                managers: meta.managed_fields.unwrap_or_default(),
                leaving: meta.deletion_timestamp.is_some(),
                created: meta.creation_timestamp.unwrap_or_default(),
            },
        })
    }
}

impl Slim {
    /// The value of a label.
    pub fn label(&self, key: &str) -> Option<&str> {
        self.meta.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// Its name; empty without one.
    pub fn name(&self) -> Arc<str> {
        self.meta.name.as_deref().unwrap_or_default().into()
    }

    /// Its uid.
    pub fn uid(&self) -> Arc<str> {
        self.meta.uid.as_deref().unwrap_or_default().into()
    }

    /// Its version.
    pub fn version(&self) -> Arc<str> {
        let version = self.meta.resource_version.as_deref();
        version.unwrap_or_default().into()
    }
}

/// An object on its way from the wire to what is kept of it.
#[derive(Clone, Debug, Deserialize)]
#[serde(bound(
    deserialize = "Spec: Default + Deserialize<'de>, Status: Default + Deserialize<'de>"
))]
pub struct Raw<Spec, Status> {
    /// Its metadata.
    pub metadata: Slim,
    /// What is wished of it.
    #[serde(default, deserialize_with = "or_default")]
    pub spec: Spec,
    /// How it is.
    #[serde(default, deserialize_with = "or_default")]
    pub status: Status,
}

/// A value that may be null.
pub fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

impl<Spec, Status> Resource for Raw<Spec, Status> {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(dt: &ApiResource) -> std::borrow::Cow<'_, str> {
        dt.kind.as_str().into()
    }

    fn group(dt: &ApiResource) -> std::borrow::Cow<'_, str> {
        dt.group.as_str().into()
    }

    fn version(dt: &ApiResource) -> std::borrow::Cow<'_, str> {
        dt.version.as_str().into()
    }

    fn plural(dt: &ApiResource) -> std::borrow::Cow<'_, str> {
        dt.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata.meta
    }
}
