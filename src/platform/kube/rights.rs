//! The rights that holdpoint needs in a cluster: for exactly the calls that it makes, and as the Role
//! that gives them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::config::{Kind, KubeConfig};

/// What reading and watching takes.
const READ: &[&str] = &["get", "list", "watch"];

/// A right to a kind of object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    /// The API group; empty for the core.
    pub group: &'static str,
    /// The kind in paths: `deployments`.
    pub resource: &'static str,
    /// The part of it: `status`.
    pub part: Option<&'static str>,
    /// The only object that it is about; without one, all of the namespace.
    pub name: Option<String>,
    /// The verbs.
    pub verbs: &'static [&'static str],
    /// What it is for, behind "to".
    pub why: &'static str,
    /// What goes only with it.
    pub needs: Needs,
}

/// What a right is needed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Needs {
    /// Going forward and going back.
    Both,
    /// Saying why something is stuck: without it, less is told.
    Words,
}

impl Right {
    fn read(group: &'static str, resource: &'static str, why: &'static str, needs: Needs) -> Right {
        Right {
            group,
            resource,
            part: None,
            name: None,
            verbs: READ,
            why,
            needs,
        }
    }

    fn patch(group: &'static str, resource: &'static str, name: &str, why: &'static str) -> Right {
        Right {
            group,
            resource,
            part: None,
            name: Some(name.to_owned()),
            verbs: &["patch"],
            why,
            needs: Needs::Both,
        }
    }

    /// The kind as a Role names it: `rollouts/status`.
    pub fn kind(&self) -> String {
        match self.part {
            Some(part) => format!("{}/{part}", self.resource),
            None => self.resource.to_owned(),
        }
    }
}

/// The rights that a target needs in its namespace. `moves` is the workload that a Canary is over,
/// where it is called otherwise, or the Deployment that describes the pods of a Rollout.
pub fn of(config: &KubeConfig, moves: Option<(Kind, &str)>) -> Vec<Right> {
    let (group, _) = config.kind.group();
    let kind = config.kind.plural();
    let heard = match config.kind {
        Kind::Canary => "see what Flagger says of it, and why its pods do not come up",
        _ => "see why its pods do not come up: failing probes, volumes, refusals",
    };
    let mut all = vec![
        Right::read(group, kind, "see how it is", Needs::Both),
        Right::read(
            "",
            "pods",
            "see its pods and why they are stuck",
            Needs::Both,
        ),
        Right {
            verbs: &["get", "list"],
            ..Right::read("", "events", heard, Needs::Words)
        },
        Right::read(
            "autoscaling",
            "horizontalpodautoscalers",
            "see who else changes it",
            Needs::Words,
        ),
    ];
    all.push(Right::patch(group, kind, &config.name, "change it"));
    let sets = || {
        Right::read(
            "apps",
            "replicasets",
            "find the template that ran before",
            Needs::Both,
        )
    };
    match config.kind {
        Kind::Deployment => all.push(sets()),
        Kind::StatefulSet | Kind::DaemonSet => {
            let why = "find the template that ran before";
            all.push(Right::read("apps", "controllerrevisions", why, Needs::Both));
            all.push(Right {
                verbs: &["delete"],
                ..Right::read("", "pods", "replace pods that are stuck", Needs::Both)
            });
        }
        Kind::Rollout => {
            all.push(sets());
            all.push(Right {
                part: Some("status"),
                ..Right::patch(group, kind, &config.name, "promote, abort and retry it")
            });
            let why = "see what its analysis says";
            all.push(Right::read(group, "analysisruns", why, Needs::Words));
            if let Some((_, name)) = moves {
                let why = "see the Deployment that describes its pods";
                all.push(Right::read("apps", "deployments", why, Needs::Both));
                let why = "change the Deployment that describes its pods";
                all.push(Right::patch("apps", "deployments", name, why));
            }
        }
        Kind::Canary => {
            all.push(sets());
            all.push(Right {
                part: Some("status"),
                ..Right::patch(group, kind, &config.name, "retry it")
            });
            let (over, name) = moves.unwrap_or((Kind::Deployment, &config.name));
            let why = "see the workload under it";
            all.push(Right::read("apps", over.plural(), why, Needs::Both));
            let why = "change the workload under it";
            all.push(Right::patch("apps", over.plural(), name, why));
        }
    }
    if let Some(switch) = &config.switch {
        let why = "change the other Deployment";
        all.push(Right::patch("apps", "deployments", &switch.other, why));
        let why = "see which Deployment the Service shows";
        all.push(Right::read("", "services", why, Needs::Both));
        let why = "switch the Service";
        all.push(Right::patch("", "services", &switch.service, why));
    }
    all
}

/// Who gets a Role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A user by its name.
    User(String),
    /// A group by its name.
    Group(String),
    /// A service account.
    Account {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
    },
}

impl Subject {
    /// The subject that a server means by a user name.
    pub fn of(user: &str) -> Subject {
        let account = user.strip_prefix("system:serviceaccount:");
        match account.and_then(|rest| rest.split_once(':')) {
            Some((namespace, name)) => Subject::Account {
                namespace: namespace.to_owned(),
                name: name.to_owned(),
            },
            None => Subject::User(user.to_owned()),
        }
    }

    /// Reads `user:NAME`, `group:NAME`, or `serviceaccount:NAMESPACE/NAME`.
    ///
    /// # Errors
    /// What would be right, in a sentence.
    pub fn read(text: &str) -> Result<Subject, String> {
        let known = match text.split_once(':') {
            Some(("user", name)) if !name.is_empty() => Some(Subject::User(name.to_owned())),
            Some(("group", name)) if !name.is_empty() => Some(Subject::Group(name.to_owned())),
            Some(("serviceaccount", place)) => place
                .split_once('/')
                .filter(|(namespace, name)| !namespace.is_empty() && !name.is_empty())
                .map(|(namespace, name)| Subject::Account {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                }),
            _ => None,
        };
        let right = "write user:NAME, group:NAME or serviceaccount:NAMESPACE/NAME";
        known.ok_or_else(|| right.to_owned())
    }
}

/// The Role and its RoleBinding that give exactly these rights in a namespace, as YAML.
pub fn role(namespace: &str, rights: &BTreeSet<Right>, subject: &Subject) -> String {
    // one rule for everything that takes the same verbs on all objects of a group
    let mut all: BTreeMap<(&str, &[&str]), BTreeSet<String>> = BTreeMap::new();
    let mut named: BTreeMap<(&str, String, &[&str]), BTreeSet<&str>> = BTreeMap::new();
    for right in rights {
        match &right.name {
            None => {
                let kinds = all.entry((right.group, right.verbs)).or_default();
                kinds.insert(right.kind());
            }
            Some(name) => {
                let names = named.entry((right.group, right.kind(), right.verbs));
                names.or_default().insert(name);
            }
        }
    }
    let place = quoted(namespace);
    let mut yaml = format!(
        "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata:\n  name: holdpoint\n  \
         namespace: {place}\nrules:\n"
    );
    for ((group, verbs), kinds) in &all {
        rule(
            &mut yaml,
            group,
            kinds.iter().map(String::as_str),
            None,
            verbs,
        );
    }
    for ((group, kind, verbs), names) in &named {
        let names: Vec<&str> = names.iter().copied().collect();
        rule(&mut yaml, group, [kind.as_str()], Some(&names), verbs);
    }
    let who = match subject {
        Subject::User(name) => format!(
            "kind: User\n    name: {}\n    apiGroup: rbac.authorization.k8s.io",
            quoted(name)
        ),
        Subject::Group(name) => format!(
            "kind: Group\n    name: {}\n    apiGroup: rbac.authorization.k8s.io",
            quoted(name)
        ),
        Subject::Account { namespace, name } => format!(
            "kind: ServiceAccount\n    name: {}\n    namespace: {}",
            quoted(name),
            quoted(namespace)
        ),
    };
    let _ = write!(
        yaml,
        "---\napiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding\nmetadata:\n  \
         name: holdpoint\n  namespace: {place}\nroleRef:\n  apiGroup: rbac.authorization.k8s.io\n  \
         kind: Role\n  name: holdpoint\nsubjects:\n  - {who}\n"
    );
    yaml
}

fn rule<'a>(
    yaml: &mut String,
    group: &str,
    kinds: impl IntoIterator<Item = &'a str>,
    names: Option<&[&str]>,
    verbs: &[&str],
) {
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let _ = write!(
        yaml,
        "  - apiGroups: {}\n    resources: {}\n",
        list(&[group]),
        list(&kinds)
    );
    if let Some(names) = names {
        let _ = writeln!(yaml, "    resourceNames: {}", list(names));
    }
    let _ = writeln!(yaml, "    verbs: {}", list(verbs));
}

fn list(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// A text as JSON writes it, which is YAML as well.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Span;
    use crate::platform::kube::config::Switch;

    fn config(kind: Kind) -> KubeConfig {
        KubeConfig {
            cluster: "main".into(),
            namespace: "shop".into(),
            kind,
            name: "web".into(),
            container: None,
            image: "shop/web".into(),
            deadline: Span::mins(10),
            switch: None,
        }
    }

    #[test]
    fn a_role_gives_exactly_what_is_needed() {
        let rights = of(&config(Kind::Deployment), None).into_iter().collect();
        let yaml = role(
            "shop",
            &rights,
            &Subject::of("system:serviceaccount:ops:hp"),
        );
        let wanted = r#"apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: holdpoint
  namespace: "shop"
rules:
  - apiGroups: [""]
    resources: ["events"]
    verbs: ["get", "list"]
  - apiGroups: [""]
    resources: ["pods"]
    verbs: ["get", "list", "watch"]
  - apiGroups: ["apps"]
    resources: ["deployments", "replicasets"]
    verbs: ["get", "list", "watch"]
  - apiGroups: ["autoscaling"]
    resources: ["horizontalpodautoscalers"]
    verbs: ["get", "list", "watch"]
  - apiGroups: ["apps"]
    resources: ["deployments"]
    resourceNames: ["web"]
    verbs: ["patch"]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: holdpoint
  namespace: "shop"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: holdpoint
subjects:
  - kind: ServiceAccount
    name: "hp"
    namespace: "ops"
"#;
        assert_eq!(yaml, wanted);
    }

    #[test]
    fn kinds_need_what_is_theirs() {
        let kinds = |config: &KubeConfig, moves| -> Vec<String> {
            let rights = of(config, moves).into_iter();
            let changes = rights.filter(|right| right.verbs[0] != "get");
            let told = |right: Right| {
                let name = right.name.as_deref().unwrap_or("*").to_owned();
                format!("{} {} {name}", right.verbs.join(","), right.kind())
            };
            changes.map(told).collect()
        };
        let ask = |kind| kinds(&config(kind), None);
        assert_eq!(
            ask(Kind::StatefulSet),
            ["patch statefulsets web", "delete pods *"]
        );
        assert_eq!(
            ask(Kind::Rollout),
            ["patch rollouts web", "patch rollouts/status web"]
        );
        assert_eq!(
            kinds(&config(Kind::Rollout), Some((Kind::Deployment, "pods")))[2..],
            ["patch deployments pods"]
        );
        assert_eq!(
            kinds(&config(Kind::Canary), Some((Kind::DaemonSet, "web-app"))),
            [
                "patch canaries web",
                "patch canaries/status web",
                "patch daemonsets web-app"
            ]
        );
        let mut both = config(Kind::Deployment);
        both.switch = Some(Switch {
            service: "front".into(),
            other: "web-green".into(),
        });
        assert_eq!(
            kinds(&both, None),
            [
                "patch deployments web",
                "patch deployments web-green",
                "patch services front"
            ]
        );
    }

    #[test]
    fn subjects_are_read() {
        let user = |name: &str| Subject::User(name.to_owned());
        assert_eq!(Subject::of("kim@example.com"), user("kim@example.com"));
        assert_eq!(Subject::read("user:kim"), Ok(user("kim")));
        assert_eq!(
            Subject::read("serviceaccount:ops/hp"),
            Ok(Subject::of("system:serviceaccount:ops:hp"))
        );
        for wrong in [
            "kim",
            "user:",
            "serviceaccount:hp",
            "serviceaccount:/hp",
            "robot:x",
        ] {
            assert!(Subject::read(wrong).is_err(), "{wrong}");
        }
    }
}
