//! Objects of kinds that controllers bring along (Rollouts, Canaries, AnalysisRuns): kept as they come,
//! without what nobody asks for.

use std::sync::Arc;

use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::decode::{self, Kept, Work};
use super::template;

/// What is as long as the object itself, and said there already.
const APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object of which the long parts are gone.
#[derive(Clone, Debug)]
pub struct Lean {
    name: Arc<str>,
    /// Its name, its marks and who manages it, as of any workload.
    pub work: Work,
    /// It.
    pub object: DynamicObject,
}

impl Kept for Lean {
    type Raw = DynamicObject;

    fn keep(mut object: DynamicObject) -> Lean {
        let work = outside(&object);
        object.metadata.managed_fields = None;
        if let Some(notes) = &mut object.metadata.annotations {
            notes.remove(APPLIED);
        }
        shorten(&mut object.data);
        Lean {
            name: work.name.clone(),
            work,
            object,
        }
    }

    fn name(&self) -> &Arc<str> {
        &self.name
    }

    fn owner(&self) -> &str {
        ""
    }
}

/// What stands in the metadata of an object of whatever kind: the rest has another shape in each.
pub fn outside(object: &DynamicObject) -> Work {
    let bare = DynamicObject {
        data: json!({}),
        ..object.clone()
    };
    // without spec and status nothing is left that could have another shape
    decode::read(&bare).unwrap_or_default()
}

/// Of a pod template the images stay, of what was measured the last; what an analysis measures is
/// never asked.
fn shorten(data: &mut Value) {
    if let Some(long) = data.pointer_mut("/spec/template") {
        *long = template::of(&decode::images_in(long));
    }
    if let Some(spec) = data["spec"].as_object_mut() {
        spec.remove("metrics");
    }
    let metrics = data.pointer_mut("/status/metricResults");
    for metric in metrics.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(all) = metric["measurements"].as_array_mut() {
            let last = all.pop();
            *all = last.into_iter().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_long_parts_go_and_what_is_asked_for_stays() {
        let long = json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": "web", "uid": "u", "resourceVersion": "7",
                "annotations": {APPLIED: "{}", "holdpoint.dev/effect": "R-1"},
                "managedFields": [{"manager": "argocd-controller", "fieldsV1": {"f:spec": {}}}]},
            "spec": {"replicas": 3, "strategy": {"canary": {"steps": [{"setWeight": 20}]}},
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
                    {"name": "web", "image": "shop/web:1", "env": [{"name": "A", "value": "b"}]}]}}},
            "status": {"phase": "Healthy", "metricResults": [{"name": "errors",
                "measurements": [{"value": "1"}, {"value": "2"}]}]}});
        let lean = Lean::keep(serde_json::from_value(long).expect("an object"));
        assert_eq!(&**lean.name(), "web");
        assert_eq!(lean.object.metadata.managed_fields, None);
        assert_eq!(lean.work.marks.len(), 1, "{:?}", lean.work.marks);
        let owners = super::super::owners::of(&lean.work, "Rollout", [].into_iter());
        assert_eq!(&*owners[0].who, "Argo CD");
        let data = &lean.object.data;
        assert_eq!(
            data["spec"]["template"],
            json!({"spec": {"containers": [{"name": "web", "image": "shop/web:1"}]}})
        );
        assert_eq!(
            data["spec"]["strategy"]["canary"]["steps"][0]["setWeight"],
            20
        );
        assert_eq!(
            data["status"]["metricResults"][0]["measurements"],
            json!([{"value": "2"}])
        );
    }
}
