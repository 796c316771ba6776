//! Watching: what a cluster's targets need of it, kept up to date and shared between them.
//!
//! One watch for each kind and namespace. A watch that breaks is begun anew with a full list, so that
//! what is kept is complete or is known not to be; until the list is whole, the old one stays. Reading
//! fails with the reason once a watch has been broken for longer than [`PATIENCE`], or the cluster
//! itself has not answered: what is old is never handed out as new.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::Api;
use kube::core::{ApiResource, Resource};
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{CallError, resource, resource_of, sorted, words};
use super::config::Kind;
use super::decode::{Kept, Node, Pod, Scaler, Set, Work};
use super::link::{Clients, Link};
use super::pulse::Pulse;

/// For how long a broken watch may be overlooked: a server that starts anew is back by then.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a first list is waited for.
const FIRST: Duration = Duration::from_secs(20);

/// How long the server keeps one watch open. A connection that died without a word is noticed after
/// that; the pulse of the cluster notices most of them sooner.
const OPEN: u32 = 60;

/// The pauses between attempts: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// All watches of a cluster; each begins when it is first asked for.
pub struct Watches {
    link: Arc<Link>,
    pulse: Pulse,
    works: Feeds<(Kind, String), Work>,
    sets: Feeds<String, Set>,
    pods: Feeds<String, Pod>,
    scalers: Feeds<String, Scaler>,
    nodes: Feeds<(), Node>,
}

type Feeds<Key, T> = Mutex<BTreeMap<Key, Arc<Feed<T>>>>;

impl Watches {
    /// No watches yet.
    pub fn new(link: Arc<Link>) -> Watches {
        Watches {
            pulse: Pulse::new(link.clone()),
            link,
            works: Mutex::default(),
            sets: Mutex::default(),
            pods: Mutex::default(),
            scalers: Mutex::default(),
            nodes: Mutex::default(),
        }
    }

    /// Workloads of a kind in a namespace.
    pub fn works(&self, kind: Kind, ns: &str) -> Arc<Feed<Work>> {
        let key = (kind, ns.to_owned());
        self.feed(&self.works, key, resource(kind), Some(ns))
    }

    /// ReplicaSets in a namespace.
    pub fn sets(&self, ns: &str) -> Arc<Feed<Set>> {
        let kind = resource_of("apps", "v1", "ReplicaSet", "replicasets");
        self.feed(&self.sets, ns.to_owned(), kind, Some(ns))
    }

    /// Pods in a namespace.
    pub fn pods(&self, ns: &str) -> Arc<Feed<Pod>> {
        let kind = resource_of("", "v1", "Pod", "pods");
        self.feed(&self.pods, ns.to_owned(), kind, Some(ns))
    }

    /// HorizontalPodAutoscalers in a namespace. Who may not read them still sees the rest.
    pub fn scalers(&self, ns: &str) -> Arc<Feed<Scaler>> {
        let (kind, plural) = ("HorizontalPodAutoscaler", "horizontalpodautoscalers");
        let kind = resource_of("autoscaling", "v2", kind, plural);
        self.feed(&self.scalers, ns.to_owned(), kind, Some(ns))
    }

    /// Nodes. Who may not read them still sees the rest.
    pub fn nodes(&self) -> Arc<Feed<Node>> {
        let kind = resource_of("", "v1", "Node", "nodes");
        self.feed(&self.nodes, (), kind, None)
    }

    /// When the cluster answered last.
    ///
    /// # Errors
    /// When that is too long ago, with why.
    pub fn answers(&self) -> Result<Instant, Arc<str>> {
        self.pulse.answers()
    }

    /// Waits until the cluster has been asked at least once.
    pub async fn asked(&self) {
        self.pulse.asked().await;
    }

    fn feed<Key: Ord, T: Kept>(
        &self,
        feeds: &Feeds<Key, T>,
        key: Key,
        kind: ApiResource,
        ns: Option<&str>,
    ) -> Arc<Feed<T>> {
        let mut feeds = lock(feeds);
        let begin = || Arc::new(Feed::begin(self.link.clone(), kind, ns.map(str::to_owned)));
        feeds.entry(key).or_insert_with(begin).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

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

    fn put(&mut self, item: T) {
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

    fn take(&mut self, name: &str) {
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

/// One watch and what it has brought.
pub struct Feed<T> {
    store: Arc<RwLock<Store<T>>>,
    changes: watch::Receiver<u64>,
    task: JoinHandle<()>,
}

struct Store<T> {
    items: Items<T>,
    /// Whether there was a whole list ever.
    whole: bool,
    /// Since when it is broken, and why.
    broken: Option<(Instant, Arc<str>)>,
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl<T: Kept> Feed<T> {
    fn begin(link: Arc<Link>, kind: ApiResource, ns: Option<String>) -> Feed<T> {
        let store = Arc::new(RwLock::new(Store {
            items: Items::default(),
            whole: false,
            broken: None,
        }));
        let (tell, changes) = watch::channel(0);
        let keeper = Keeper {
            store: store.clone(),
            tell,
            link,
            kind,
            ns,
        };
        Feed {
            store,
            changes,
            task: tokio::spawn(keeper.keep()),
        }
    }

    /// Waits until there has been a whole list, or until it is plain that there will be none soon.
    pub async fn first(&self) {
        let mut changes = self.changes.clone();
        let told = async {
            loop {
                changes.borrow_and_update();
                {
                    let store = self.store();
                    if store.whole || store.broken.is_some() {
                        return;
                    }
                }
                if changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // who reads afterwards is told what is missing
        let _ = tokio::time::timeout(FIRST, told).await;
    }

    /// Tells of every change.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.clone()
    }

    /// Looks at what is kept.
    ///
    /// # Errors
    /// When it is not whole, or too old; with why.
    pub fn read<R>(&self, look: impl FnOnce(&Items<T>) -> R) -> Result<R, Arc<str>> {
        let store = self.store();
        match &store.broken {
            Some((since, why)) if !store.whole || since.elapsed() > PATIENCE => {
                return Err(why.clone());
            }
            _ if !store.whole => return Err("the first list has not come".into()),
            _ => {}
        }
        Ok(look(&store.items))
    }

    fn store(&self) -> RwLockReadGuard<'_, Store<T>> {
        self.store.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task behind a watch.
struct Keeper<T> {
    store: Arc<RwLock<Store<T>>>,
    tell: watch::Sender<u64>,
    link: Arc<Link>,
    kind: ApiResource,
    ns: Option<String>,
}

impl<T: Kept> Keeper<T> {
    async fn keep(self) {
        let mut pause = PAUSE.0;
        loop {
            let begun = Instant::now();
            let error = self.watch().await;
            let why: Arc<str> = format!("watching {}: {error}", self.kind.plural).into();
            tracing::debug!(%why, "a watch begins anew");
            self.change(|store| {
                let since = store.broken.as_ref().map_or_else(Instant::now, |b| b.0);
                store.broken = Some((since, why));
            });
            if begun.elapsed() > PAUSE.1 * 4 {
                pause = PAUSE.0;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Watches until something breaks.
    async fn watch(&self) -> CallError {
        let clients = match self.link.clients().await {
            Ok(clients) => clients,
            Err(error) => return error,
        };
        let api: Api<T::Raw> = match &self.ns {
            Some(ns) => Api::namespaced_with(clients.reading.clone(), ns, &self.kind),
            None => Api::all_with(clients.reading.clone(), &self.kind),
        };
        let config = watcher::Config::default().timeout(OPEN);
        let mut events = std::pin::pin!(watcher(api, config));
        let mut coming = Items::default();
        while let Some(event) = events.next().await {
            match event {
                Ok(Event::Init) => coming = Items::default(),
                Ok(Event::InitApply(raw)) => coming.put(T::keep(raw)),
                Ok(Event::InitDone) => {
                    let items = std::mem::take(&mut coming);
                    self.change(|store| {
                        store.items = items;
                        store.whole = true;
                        store.broken = None;
                    });
                }
                Ok(Event::Apply(raw)) => self.change(|store| store.items.put(T::keep(raw))),
                Ok(Event::Delete(raw)) => self.change(|store| {
                    store
                        .items
                        .take(raw.meta().name.as_deref().unwrap_or_default());
                }),
                Err(error) => return self.failed(&clients, error).await,
            }
        }
        CallError::Unknown("the watch has ended".into())
    }

    async fn failed(&self, clients: &Clients, error: watcher::Error) -> CallError {
        let error = match &error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => sorted(error),
            watcher::Error::WatchError(status) => sorted(&kube::Error::Api(status.clone())),
            watcher::Error::NoResourceVersion => CallError::Unknown(words(&error)),
        };
        self.link.known(clients, error).await
    }

    fn change(&self, change: impl FnOnce(&mut Store<T>)) {
        let store = self.store.write();
        change(&mut store.unwrap_or_else(PoisonError::into_inner));
        self.tell.send_modify(|n| *n = n.wrapping_add(1));
    }
}

#[cfg(test)]
mod tests {
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
