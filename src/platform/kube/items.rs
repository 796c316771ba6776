//! What a watch has brought, by what controls it and by name.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::decode::Kept;

/// Objects by what controls them and by their names.
#[derive(Debug)]
pub struct Items<T> {
    by_owner: HashMap<Arc<str>, BTreeMap<Arc<str>, Arc<T>>>,
    owners: HashMap<Arc<str>, Arc<str>>,
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Items {
            by_owner: HashMap::new(),
            owners: HashMap::new(),
        }
    }
}

impl<T: Kept> Items<T> {
    /// The one with a name, of objects that nothing controls.
    pub fn get(&self, name: &str) -> Option<&Arc<T>> {
        self.by_owner.get(self.owners.get(name)?)?.get(name)
    }

    /// All that a workload controls, by name.
    pub fn of(&self, owner: &str) -> impl Iterator<Item = &Arc<T>> {
        let found = self.by_owner.get(owner);
        found.into_iter().flat_map(|of| of.values())
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.owners.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.owners.is_empty()
    }

    /// Puts one in, in place of what had its name.
    pub fn put(&mut self, item: T) {
        let name = item.name().clone();
        let known = self.owners.get(&name);
        if known.is_none_or(|owner| **owner != *item.owner()) {
            self.take(&name);
            // the many that have one owner share its name
            let owner = self.by_owner.get_key_value(item.owner());
            let owner = owner.map_or_else(|| Arc::from(item.owner()), |(owner, _)| owner.clone());
            self.owners.insert(name.clone(), owner);
        }
        let owner = self.owners[&name].clone();
        let of = self.by_owner.entry(owner).or_default();
        of.insert(name, Arc::new(item));
    }

    /// Takes one out.
    pub fn take(&mut self, name: &str) {
        let Some(owner) = self.owners.remove(name) else {
            return;
        };
        if let Some(of) = self.by_owner.get_mut(&owner) {
            of.remove(name);
            if of.is_empty() {
                self.by_owner.remove(&owner);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::decode::Pod;
    use super::*;

    fn pod(name: &str, owner: &str) -> Pod {
        Pod {
            name: name.into(),
            owner: owner.into(),
            ..Pod::default()
        }
    }

    #[test]
    fn items_follow_their_owners() {
        let mut items = Items::default();
        for (name, owner) in [("a", "one"), ("b", "one"), ("c", "two")] {
            items.put(pod(name, owner));
        }
        let of = |items: &Items<Pod>, owner: &str| -> Vec<String> {
            items.of(owner).map(|p| p.name.to_string()).collect()
        };
        assert_eq!(of(&items, "one"), ["a", "b"]);
        // adopted by another one
        items.put(pod("a", "two"));
        assert_eq!(
            (of(&items, "one"), of(&items, "two")),
            (vec!["b".to_owned()], vec!["a".to_owned(), "c".to_owned()])
        );
        items.take("b");
        items.take("never there");
        assert!(of(&items, "one").is_empty());
        assert_eq!(items.len(), 2);
        assert_eq!(
            items.get("c").map(|p| p.name.to_string()),
            Some("c".to_owned())
        );
    }
}
