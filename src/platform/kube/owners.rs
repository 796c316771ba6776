//! Who else changes a workload: found before holdpoint does, and shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

use super::decode::{Scaler, Work};
use crate::domain::text::printable;
use crate::domain::workload::Owner;

/// The field managers of an object, and whether they own the image of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Managers(Box<[(Arc<str>, bool)]>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(default)]
    manager: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    fields_v1: Option<Fields>,
}

/// The way to `f:image` in the tree of owned fields; all other branches are skipped.
#[derive(Default, Deserialize)]
struct Fields {
    #[serde(default, rename = "f:spec")]
    spec: Option<SpecFields>,
}

#[derive(Default, Deserialize)]
struct SpecFields {
    #[serde(default, rename = "f:template")]
    template: Option<TemplateFields>,
}

#[derive(Default, Deserialize)]
struct TemplateFields {
    #[serde(default, rename = "f:spec")]
    spec: Option<PodFields>,
}

#[derive(Default, Deserialize)]
struct PodFields {
    #[serde(default, rename = "f:containers")]
    containers: BTreeMap<String, BTreeMap<String, serde::de::IgnoredAny>>,
}

impl Entry {
    fn owns_image(&self) -> bool {
        let spec = self.fields_v1.as_ref().and_then(|f| f.spec.as_ref());
        let template = spec.and_then(|s| s.template.as_ref());
        let pod = template.and_then(|t| t.spec.as_ref());
        pod.is_some_and(|p| p.containers.values().any(|c| c.contains_key("f:image")))
    }
}

impl<'de> Deserialize<'de> for Managers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let entries = Vec::<Entry>::deserialize(from)?;
        let mut found: Vec<(Arc<str>, bool)> = Vec::new();
        // a status is written by controllers: that makes nobody an owner
        for entry in entries.iter().filter(|e| e.subresource.is_empty()) {
            let image = entry.owns_image();
            match found.iter_mut().find(|(name, _)| **name == *entry.manager) {
                Some((_, owns)) => *owns |= image,
                None => found.push((entry.manager.as_str().into(), image)),
            }
        }
        Ok(Managers(found.into()))
    }
}

impl Managers {
    fn any(&self, name: &str) -> bool {
        self.0.iter().any(|(manager, _)| manager.starts_with(name))
    }
}

/// Managers that are people at a keyboard, or holdpoint, or the cluster itself: they change an image
/// once and do not fight for it.
const BY_HAND: [&str; 6] = [
    super::cluster::MANAGER,
    "kubectl",
    "kube-controller-manager",
    "k9s",
    "curl",
    "Mozilla",
];

/// Who else changes a workload.
pub fn of<'a>(work: &Work, kind: &str, scalers: impl Iterator<Item = &'a Scaler>) -> Arc<[Owner]> {
    let mut found = Vec::new();
    found.extend(argo_cd(work));
    found.extend(flux(work));
    found.extend(helm(work));
    for scaler in scalers.filter(|s| *s.kind == *kind && s.of == work.name) {
        found.push(Owner {
            who: printable(&format!("HorizontalPodAutoscaler {}", scaler.name), 120).into(),
            words: "decides how many pods there are; shares are reckoned from what it says".into(),
            forbids: false,
        });
    }
    let known = |name: &str| {
        BY_HAND.iter().any(|hand| name.starts_with(hand))
            || name.starts_with("argocd")
            || name.contains("kustomize-controller")
            || name.contains("helm")
    };
    for (name, image) in &work.managers.0 {
        if *image && !known(name) {
            found.push(Owner {
                who: printable(name, 120).into(),
                words: "has set the image last: it may set it again".into(),
                forbids: false,
            });
        }
    }
    found.into()
}

/// Why nothing may be changed over somebody's head; `None` where it may.
pub fn forbidden(owners: &[Owner]) -> Option<String> {
    let owner = owners.iter().find(|owner| owner.forbids)?;
    Some(format!("{} {}", owner.who, owner.words))
}

/// Argo CD, by what it marks its objects with or by its name among the managers.
fn argo_cd(work: &Work) -> Option<Owner> {
    let mark = work.marks.get("argocd.argoproj.io/tracking-id");
    if mark.is_none() && !work.managers.any("argocd") {
        return None;
    }
    let app = mark.and_then(|id| id.split(':').next()).unwrap_or_default();
    let of = if app.is_empty() {
        String::new()
    } else {
        format!(" (application {app})")
    };
    Some(Owner {
        who: "Argo CD".into(),
        words: printable(
            &format!("keeps it as Git says{of}: what holdpoint changes there, it would take back"),
            240,
        )
        .into(),
        forbids: true,
    })
}

/// Flux, by the labels of its two controllers.
fn flux(work: &Work) -> Option<Owner> {
    let label = |key: &str| work.marks.get(key).map(|name| format!(" {name}"));
    let of = label("kustomize.toolkit.fluxcd.io/name")
        .map(|name| format!("kustomization{name}"))
        .or_else(|| label("helm.toolkit.fluxcd.io/name").map(|name| format!("helm release{name}")));
    if of.is_none() && !work.managers.any("kustomize-controller") {
        return None;
    }
    let of = of.map(|of| format!(" ({of})")).unwrap_or_default();
    Some(Owner {
        who: "Flux".into(),
        words: printable(
            &format!("keeps it as Git says{of}: what holdpoint changes there, it would take back"),
            240,
        )
        .into(),
        forbids: true,
    })
}

/// Helm: the next `helm upgrade` brings back the image of its values.
fn helm(work: &Work) -> Option<Owner> {
    let release = work.marks.get("meta.helm.sh/release-name")?;
    Some(Owner {
        who: printable(&format!("Helm release {release}"), 120).into(),
        words: "brings the image of its values back at its next upgrade".into(),
        forbids: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn managed(fields: serde_json::Value) -> Managers {
        serde_json::from_value(fields).expect("managers")
    }

    fn image_of(manager: &str, operation: &str) -> serde_json::Value {
        json!({"manager": manager, "operation": operation, "fieldsType": "FieldsV1", "fieldsV1":
            {"f:metadata": {"f:labels": {}}, "f:spec": {"f:replicas": {}, "f:template": {"f:spec":
            {"f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:image": {}}}}}}}})
    }

    #[test]
    fn who_owns_the_image_is_read_from_managed_fields() {
        let found = managed(json!([
            image_of("argocd-controller", "Apply"),
            {"manager": "kube-controller-manager", "subresource": "status",
                "fieldsV1": {"f:status": {}}},
            {"manager": "hpa", "fieldsV1": {"f:spec": {"f:replicas": {}}}},
        ]));
        assert_eq!(
            found.0.as_ref(),
            [("argocd-controller".into(), true), ("hpa".into(), false)]
        );
    }

    #[test]
    fn git_forbids_and_others_are_shown() {
        let scaler = Scaler {
            name: "web".into(),
            kind: "Deployment".into(),
            of: "web".into(),
        };
        let other = Scaler {
            name: "else".into(),
            kind: "Deployment".into(),
            of: "else".into(),
        };
        let mut work = Work {
            name: "web".into(),
            managers: managed(json!([
                image_of("pipeline", "Update"),
                image_of("kubectl-set", "Update")
            ])),
            ..Work::default()
        };
        let who = |work: &Work| -> Vec<(String, bool)> {
            let found = of(work, "Deployment", [&scaler, &other].into_iter());
            found
                .iter()
                .map(|o| (o.who.to_string(), o.forbids))
                .collect()
        };
        let named = |name: &str, forbids| (name.to_owned(), forbids);
        assert_eq!(
            who(&work),
            [
                named("HorizontalPodAutoscaler web", false),
                named("pipeline", false)
            ]
        );
        work.marks.insert(
            "argocd.argoproj.io/tracking-id".into(),
            "shop:apps/Deployment:shop/web".into(),
        );
        assert_eq!(who(&work)[0], named("Argo CD", true));
        work.marks.clear();
        work.marks
            .insert("kustomize.toolkit.fluxcd.io/name".into(), "shop".into());
        assert_eq!(who(&work)[0], named("Flux", true));
        work.marks.clear();
        work.marks
            .insert("meta.helm.sh/release-name".into(), "shop".into());
        assert_eq!(who(&work)[0], named("Helm release shop", false));
    }
}
