//! `people.toml`: who there is, what they may do, how a door knows them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use super::{Checker, segment};
use crate::config::tokens::{Identities, TokenHash};
use crate::domain::charter::{Group, Person, Right};
use crate::domain::text::printable;
use crate::domain::{EnvName, GroupName, PersonName};

/// The file as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeopleFile {
    person: Vec<PersonEntry>,
    pub group: BTreeMap<GroupName, GroupEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    name: PersonName,
    full_name: Option<String>,
    #[serde(default)]
    groups: Vec<GroupName>,
    uid: Option<u32>,
    token: Option<TokenHash>,
    #[serde(default)]
    sample: bool,
}

/// A group as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GroupEntry {
    may: Vec<Right>,
    environments: Vec<EnvName>,
}

/// Names that screens give to those who are no person.
const RESERVED: &[&str] = &["engine", "nobody"];

impl PeopleFile {
    /// The people, in the order of the file, with everything checked that the file alone can tell.
    pub fn people(&self, check: &mut Checker<'_>) -> (BTreeMap<PersonName, Person>, Identities) {
        let mut people: BTreeMap<PersonName, Person> = BTreeMap::new();
        let mut who = Identities::default();
        let mut uids: BTreeMap<u32, &PersonName> = BTreeMap::new();
        let mut tokens: BTreeMap<&TokenHash, &PersonName> = BTreeMap::new();
        for (n, entry) in self.person.iter().enumerate() {
            let name = &entry.name;
            let at = |key: &str| format!("person[{n}].{key}");
            check.plain_name(&at("name"), "person", name.as_str());
            if RESERVED.contains(&name.as_str()) {
                check.add(
                    &at("name"),
                    "reserved-name",
                    format!("nobody can be called `{name}`: that is how screens name no person"),
                    "choose another name",
                );
            }
            if people.contains_key(name) {
                check.twice(&at("name"), "person", name.as_str());
            }
            if let Some(uid) = entry.uid {
                if let Some(other) = uids.insert(uid, name) {
                    check.add(
                        &at("uid"),
                        "duplicate-uid",
                        format!("the uid {uid} belongs to {other} already"),
                        "a uid names one person: keep one of the two lines",
                    );
                }
                who.add_uid(uid, name);
            }
            if let Some(token) = &entry.token {
                if let Some(other) = tokens.insert(token, name) {
                    check.add(
                        &at("token"),
                        "duplicate-token",
                        format!("{other} has the same token"),
                        "make one of their own with `holdpoint token NAME`",
                    );
                }
                who.add_token(token, name);
            }
            self.groups_of(check, n, entry);
            people.insert(name.clone(), entry.person());
        }
        (people, who)
    }

    fn groups_of(&self, check: &mut Checker<'_>, n: usize, entry: &PersonEntry) {
        let known = self.group.keys().map(GroupName::as_str);
        let mut seen = BTreeSet::new();
        for (g, group) in entry.groups.iter().enumerate() {
            let path = format!("person[{n}].groups[{g}]");
            if !self.group.contains_key(group) {
                let how = format!("add `[group.{group}]` to people.toml, or write another");
                check.unknown(&path, "group", group.as_str(), known.clone(), &how);
            } else if !seen.insert(group) {
                check.twice(&path, "group", group.as_str());
            }
        }
    }

    /// The groups, checked against the environments.
    pub fn groups<'e>(
        &self,
        check: &mut Checker<'_>,
        environments: impl Iterator<Item = &'e EnvName> + Clone,
    ) -> BTreeMap<GroupName, Group> {
        let mut groups = BTreeMap::new();
        for (name, entry) in &self.group {
            let at = format!("group.{}", segment(name.as_str()));
            check.plain_name(&at, "group", name.as_str());
            for (n, wanted) in entry.environments.iter().enumerate() {
                if !environments.clone().any(|known| known == wanted) {
                    check.unknown(
                        &format!("{at}.environments[{n}]"),
                        "environment",
                        wanted.as_str(),
                        environments.clone().map(EnvName::as_str),
                        "add it to catalog.toml, or write another",
                    );
                }
            }
            let group = Group {
                may: entry.may.iter().copied().collect(),
                environments: entry.environments.iter().cloned().collect(),
            };
            groups.insert(name.clone(), group);
        }
        groups
    }
}

impl PersonEntry {
    fn person(&self) -> Person {
        let full_name = self.full_name.as_deref().unwrap_or(self.name.as_str());
        Person {
            full_name: Arc::from(printable(full_name, 80)),
            groups: self.groups.iter().cloned().collect(),
            sample: self.sample,
        }
    }
}
