//! Pod templates and the images in them.

use serde_json::{Map, Value, json};

use super::decode::Images;
use crate::domain::text::printable;

/// A template of which only the containers' images are known.
pub fn of(images: &Images) -> Value {
    let one = |(name, image): &(_, _)| json!({"name": name, "image": image});
    let all: Vec<Value> = images.iter().map(one).collect();
    json!({"spec": {"containers": all}})
}

/// The container of a pod template that is changed: the one with that name, or the only one.
///
/// # Errors
/// Which containers there are instead.
pub fn container<'a>(template: &'a Value, name: Option<&str>) -> Result<&'a Value, String> {
    let all = template["spec"]["containers"].as_array();
    let all = all.map(Vec::as_slice).unwrap_or_default();
    let names = all
        .iter()
        .map(|one| one["name"].as_str().unwrap_or_default());
    let names: Vec<&str> = names.collect();
    chosen(&names, name).map(|n| &all[n])
}

/// Which of the containers with these names is changed: the one that is named, or the only one.
///
/// # Errors
/// Which there are instead.
pub fn chosen(names: &[&str], wanted: Option<&str>) -> Result<usize, String> {
    let told = || {
        let names: Vec<_> = names.iter().map(|name| printable(name, 63)).collect();
        names.join(", ")
    };
    match (wanted, names) {
        (None, [_]) => Ok(0),
        (None, []) => Err("its pods have no container".to_owned()),
        (None, _) => Err(format!(
            "its pods have several containers ({}); say which one: `container = \"...\"`",
            told()
        )),
        (Some(wanted), _) => names
            .iter()
            .position(|name| *name == wanted)
            .ok_or_else(|| {
                let wanted = printable(wanted, 63);
                format!("its pods have no container {wanted}; they have {}", told())
            }),
    }
}

/// The image of the container that is changed.
///
/// # Errors
/// As [`container`].
pub fn image_in<'a>(template: &'a Value, name: Option<&str>) -> Result<&'a str, String> {
    container(template, name).map(|one| one["image"].as_str().unwrap_or_default())
}

/// What of a pod template has to be sent so that its container has another image. A list is replaced
/// as a whole by a merge patch, so all containers go with it.
///
/// # Errors
/// As [`container`].
pub fn with_image(template: &Value, name: Option<&str>, image: &str) -> Result<Value, String> {
    let changed = container(template, name)?;
    let all = template["spec"]["containers"]
        .as_array()
        .into_iter()
        .flatten();
    let all = all.map(|one| {
        let mut one = one.clone();
        if one == *changed {
            one["image"] = image.into();
        }
        one
    });
    let all: Vec<Value> = all.collect();
    Ok(json!({"spec": {"containers": all}}))
}

/// The merge patch that turns one object into another; `None` where they are the same.
pub fn merge_to(live: &Value, wanted: &Value) -> Option<Value> {
    let (Some(old), Some(new)) = (live.as_object(), wanted.as_object()) else {
        return (live != wanted).then(|| wanted.clone());
    };
    let mut patch = Map::new();
    for (key, _) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
        patch.insert(key.clone(), Value::Null);
    }
    for (key, value) in new {
        let change = match old.get(key) {
            Some(was) => merge_to(was, value),
            None => Some(value.clone()),
        };
        if let Some(change) = change {
            patch.insert(key.clone(), change);
        }
    }
    (!patch.is_empty()).then_some(Value::Object(patch))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Value {
        json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [
            {"name": "web", "image": "shop/web:1"}, {"name": "log", "image": "logger:3"},
        ]}})
    }

    #[test]
    fn one_container_gets_the_image_and_the_others_stay() {
        let patch = with_image(&two(), Some("web"), "shop/web:2").unwrap();
        let all = &patch["spec"]["containers"];
        assert_eq!(all[0]["image"], "shop/web:2");
        assert_eq!(all[1]["image"], "logger:3");
        assert_eq!(image_in(&two(), Some("log")), Ok("logger:3"));
    }

    #[test]
    fn a_container_that_is_not_there_is_named_with_those_that_are() {
        let words = image_in(&two(), None).unwrap_err();
        assert!(words.contains("several containers (web, log)"), "{words}");
        let words = image_in(&two(), Some("wep")).unwrap_err();
        assert_eq!(words, "its pods have no container wep; they have web, log");
        assert!(image_in(&Value::Null, None).is_err());
    }

    #[test]
    fn a_patch_takes_away_what_is_there_too_much() {
        let live = json!({"a": 1, "b": {"x": 1, "y": [1, 2]}, "c": 3});
        let wanted = json!({"a": 1, "b": {"y": [2]}, "d": 4});
        let patch = merge_to(&live, &wanted).unwrap();
        assert_eq!(
            patch,
            json!({"b": {"x": null, "y": [2]}, "c": null, "d": 4})
        );
        assert_eq!(merge_to(&live, &live), None);
    }
}
