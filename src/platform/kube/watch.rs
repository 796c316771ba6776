//! Watching: what a cluster's targets need of it, kept up to date and shared between them.
//!
//! One watch for each kind and namespace. A watch that breaks is begun anew with a full list, so that
//! what is kept is complete or is known not to be; until the list is whole, the old one stays. Reading
//! fails with the reason once a watch has been broken for longer than [`PATIENCE`], or the cluster
//! itself has not answered: what is old is never handed out as new.
//!
//! Over a quiet watch nothing comes, and nothing comes over a dead one. So every watch is ended and
//! taken up again where it was: seldom ([`QUIET`]) where nobody looks closely, often ([`CLOSE`]) where
//! a release is on its way. What is read is as old as the last word of its watch ([`Feed::heard`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures_util::StreamExt;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::{ApiResource, Resource};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{CallError, Clients, Link, resource, resource_of, sorted, within};
use super::config::Kind;
use super::decode::{Kept, Node, Pod, Scaler, Set, Work};
use super::items::Items;
use super::lean::Lean;
use super::pulse::Pulse;

/// For how long a broken watch may be overlooked: a server that starts anew is back by then.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// For how long a first list is waited for.
const FIRST: Duration = Duration::from_secs(20);

/// How long the server keeps a watch open at which nobody looks closely, in seconds.
pub const QUIET: u32 = 30;

/// The same where somebody looks closely.
pub const CLOSE: u32 = 5;

/// For how long a close look goes on.
const LOOKING: Duration = Duration::from_secs(20);

/// How much longer than agreed a watch may be silent, and how soon it has to begin.
const SLACK: Duration = Duration::from_secs(3);

/// How many objects a list brings at once.
const PAGE: u32 = 500;

/// The pauses between attempts: the first, and the longest.
const PAUSE: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(5));

/// All watches of a cluster; each begins when it is first asked for.
pub struct Watches {
    link: Arc<Link>,
    pulse: Pulse,
    works: Feeds<(Kind, String), Work>,
    leans: Feeds<(String, String), Lean>,
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
            leans: Mutex::default(),
            sets: Mutex::default(),
            pods: Mutex::default(),
            scalers: Mutex::default(),
            nodes: Mutex::default(),
        }
    }

    /// Objects in a namespace that controllers bring along: Rollouts, Canaries, AnalysisRuns.
    pub fn leans(&self, kind: ApiResource, ns: &str) -> Arc<Feed<Lean>> {
        let key = (kind.plural.clone(), ns.to_owned());
        self.feed(&self.leans, key, kind, Some(ns))
    }

    /// Deployments, StatefulSets or DaemonSets in a namespace.
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

/// One watch and what it has brought.
pub struct Feed<T> {
    store: Arc<RwLock<Store<T>>>,
    changes: watch::Receiver<u64>,
    /// Until when somebody looks closely.
    close: watch::Sender<Option<Instant>>,
    task: JoinHandle<()>,
}

struct Store<T> {
    items: Items<T>,
    /// Whether there was a whole list ever.
    whole: bool,
    /// When the watch said something last, if only that there is nothing new.
    heard: Option<Instant>,
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
            heard: None,
            broken: None,
        }));
        let (tell, changes) = watch::channel(0);
        let (close, looked) = watch::channel(None);
        let keeper = Keeper {
            store: store.clone(),
            tell,
            close: looked,
            link,
            kind,
            ns,
        };
        Feed {
            store,
            changes,
            close,
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

    /// From now on for a while it has to be known soon when nothing comes any more.
    pub fn look_closely(&self) {
        self.close.send_replace(Some(Instant::now() + LOOKING));
    }

    /// When the watch said something last: what is kept is as old as that.
    pub fn heard(&self) -> Option<Instant> {
        self.store().heard
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
    close: watch::Receiver<Option<Instant>>,
    link: Arc<Link>,
    kind: ApiResource,
    ns: Option<String>,
}

impl<T: Kept> Keeper<T> {
    async fn keep(mut self) {
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
    async fn watch(&mut self) -> CallError {
        let clients = match self.link.clients().await {
            Ok(clients) => clients,
            Err(error) => return error,
        };
        let api: Api<T::Raw> = match &self.ns {
            Some(ns) => Api::namespaced_with(clients.reading.clone(), ns, &self.kind),
            None => Api::all_with(clients.reading.clone(), &self.kind),
        };
        let error = match self.list(&api).await {
            Ok(mut version) => loop {
                let begun = Instant::now();
                if let Err(error) = self.follow(&api, &mut version).await {
                    break error;
                }
                // a server that ends every watch at once is not asked without a pause
                tokio::time::sleep_until(begun + PAUSE.0).await;
            },
            Err(error) => error,
        };
        self.failed(&clients, error).await
    }

    /// Lists everything; up to which version that is.
    async fn list(&self, api: &Api<T::Raw>) -> Result<String, CallError> {
        let begun = Instant::now();
        let mut items = Items::default();
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let page = within(api.list(&params)).await?;
            page.items
                .into_iter()
                .for_each(|raw| items.put(T::keep(raw)));
            params.continue_token = page.metadata.continue_.filter(|token| !token.is_empty());
            if params.continue_token.is_none() {
                self.change(|store| {
                    store.items = items;
                    store.whole = true;
                    store.heard = Some(begun);
                    store.broken = None;
                });
                return Ok(page.metadata.resource_version.unwrap_or_default());
            }
        }
    }

    /// Takes the watch up at a version, until the server ends it as agreed.
    async fn follow(&mut self, api: &Api<T::Raw>, version: &mut String) -> Result<(), CallError> {
        let close = self
            .close
            .borrow_and_update()
            .is_some_and(|until| until > Instant::now());
        let open = if close { CLOSE } else { QUIET };
        let params = WatchParams::default().timeout(open);
        let asked = Instant::now();
        let silent = |_| CallError::Unknown("nothing comes over it".into());
        let begun = tokio::time::timeout(SLACK, api.watch(&params, version)).await;
        let events = begun.map_err(silent)?.map_err(|error| sorted(&error))?;
        self.heard(asked);
        let mut events = std::pin::pin!(events);
        let end = asked + Duration::from_secs(open.into()) + SLACK;
        loop {
            let event = tokio::select! {
                event = tokio::time::timeout_at(end, events.next()) => event.map_err(silent)?,
                // it is taken up again for a shorter time
                Ok(()) = self.close.changed(), if !close => return Ok(()),
            };
            let Some(event) = event else {
                return Ok(());
            };
            let newest = match event.map_err(|error| sorted(&error))? {
                WatchEvent::Added(raw) | WatchEvent::Modified(raw) => {
                    let newest = raw.meta().resource_version.clone();
                    self.change(|store| store.items.put(T::keep(raw)));
                    newest
                }
                WatchEvent::Deleted(raw) => {
                    let name = raw.meta().name.as_deref().unwrap_or_default();
                    self.change(|store| store.items.take(name));
                    raw.meta().resource_version.clone()
                }
                WatchEvent::Bookmark(mark) => Some(mark.metadata.resource_version),
                WatchEvent::Error(status) => return Err(sorted(&kube::Error::Api(status))),
            };
            self.heard(Instant::now());
            *version = newest
                .filter(|version| !version.is_empty())
                .ok_or_else(|| CallError::Unknown("an object has no version".into()))?;
        }
    }

    fn heard(&self, at: Instant) {
        let store = self.store.write();
        store.unwrap_or_else(PoisonError::into_inner).heard = Some(at);
    }

    /// An error, after the clients are dropped if it is that the cluster does not know them.
    async fn failed(&self, clients: &Clients, error: CallError) -> CallError {
        if matches!(error, CallError::Stranger(_)) {
            self.link.forget(clients).await;
        }
        error
    }

    fn change(&self, change: impl FnOnce(&mut Store<T>)) {
        let store = self.store.write();
        change(&mut store.unwrap_or_else(PoisonError::into_inner));
        self.tell.send_modify(|n| *n = n.wrapping_add(1));
    }
}
