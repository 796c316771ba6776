//! Watching: what a cluster's targets need of it, kept up to date and shared between them.
//!
//! One watch for each kind and namespace. A watch that breaks is begun anew with a full list, so that
//! what is kept is complete or is known not to be; until the list is whole, the old one stays. Reading
//! fails with the reason once a watch has been broken for longer than [`PATIENCE`], or the cluster
//! itself has not answered: what is old is never handed out as new.
//!
//! Over a quiet watch nothing comes, and nothing comes over a dead one. So the server ends every watch
//! after a while, and it is taken up again where it was: seldom ([`QUIET`]) where nobody looks closely,
//! often ([`CLOSE`]) where a release is on its way. What is read is as old as the last answer that began
//! to come for its watch, or the last event ([`Feed::heard`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use futures_util::StreamExt;
use kube::Client;
use kube::api::Api;
use kube::core::{ApiResource, Resource};
use kube::runtime::watcher::{self, Event, watcher};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::cluster::{CallError, resource, resource_of, sorted};
use super::config::Kind;
use super::decode::{Kept, Node, Pod, Scaler, Set, Work};
use super::items::Items;
use super::lean::Lean;
use super::link::{Clients, Link};
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

/// How much longer than agreed a watch may be silent.
const SLACK: Duration = Duration::from_secs(3);

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
    heard: Heard,
    changes: watch::Receiver<u64>,
    /// Until when somebody looks closely.
    close: watch::Sender<Option<Instant>>,
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
        let heard = Heard::default();
        let (tell, changes) = watch::channel(0);
        let (close, looked) = watch::channel(None);
        let keeper = Keeper {
            store: store.clone(),
            heard: heard.clone(),
            tell,
            close: looked,
            link,
            kind,
            ns,
        };
        Feed {
            store,
            heard,
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

    /// When the watch said something last, if only that there is nothing new: what is kept is as old
    /// as that.
    pub fn heard(&self) -> Option<Instant> {
        self.heard.all()
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

/// When something was heard of a watch last.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Times>>);

#[derive(Clone, Copy, Default)]
struct Times {
    /// Anything at all, a list that begins to come too.
    any: Option<Instant>,
    /// What makes all that is kept as new as this.
    all: Option<Instant>,
}

impl Heard {
    fn now(&self) {
        let now = Some(Instant::now());
        *lock(&self.0) = Times { any: now, all: now };
    }

    /// A list has come whole that was begun at this time.
    fn listed(&self, begun: Instant) {
        *lock(&self.0) = Times {
            any: Some(Instant::now()),
            all: Some(begun),
        };
    }

    fn any(&self) -> Option<Instant> {
        lock(&self.0).any
    }

    fn all(&self) -> Option<Instant> {
        lock(&self.0).all
    }

    /// A client that notes when an answer begins to come. The library takes a watch up again without
    /// a word of it; this is the word.
    fn through(&self, client: &Client) -> Client {
        let (heard, client, ns) = (self.clone(), client.clone(), client.default_namespace());
        let ns = ns.to_owned();
        let service = tower::service_fn(move |request: axum::http::Request<_>| {
            let (heard, client) = (heard.clone(), client.clone());
            let watches = request
                .uri()
                .query()
                .is_some_and(|q| q.contains("watch=true"));
            async move {
                let answer = client.send(request).await?;
                match (answer.status().is_success(), watches) {
                    (true, true) => heard.now(),
                    (true, false) => lock(&heard.0).any = Some(Instant::now()),
                    (false, _) => {}
                }
                Ok::<_, kube::Error>(answer)
            }
        });
        Client::new(service, ns)
    }
}

/// The task behind a watch.
struct Keeper<T> {
    store: Arc<RwLock<Store<T>>>,
    heard: Heard,
    tell: watch::Sender<u64>,
    close: watch::Receiver<Option<Instant>>,
    link: Arc<Link>,
    kind: ApiResource,
    ns: Option<String>,
}

impl<T: Kept> Keeper<T> {
    async fn keep(self) {
        let mut pause = PAUSE.0;
        loop {
            let begun = Instant::now();
            let Err(error) = self.watch().await else {
                // somebody looks closely, or no longer
                continue;
            };
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

    /// Watches until something breaks, or until it has to be watched more closely or may be watched
    /// less so.
    async fn watch(&self) -> Result<(), CallError> {
        let clients = self.link.clients().await?;
        let client = self.heard.through(&clients.reading);
        let api: Api<T::Raw> = match &self.ns {
            Some(ns) => Api::namespaced_with(client, ns, &self.kind),
            None => Api::all_with(client, &self.kind),
        };
        let mut looks = self.close.clone();
        let until = *looks.borrow_and_update();
        let close = until.is_some_and(|until| until > Instant::now());
        let open = if close { CLOSE } else { QUIET };
        let silent = Duration::from_secs(open.into()) + SLACK;
        let begun = Instant::now();
        let config = watcher::Config::default().timeout(open);
        let mut events = std::pin::pin!(watcher(api, config));
        let mut coming = (begun, Items::default());
        loop {
            let heard = self.heard.any().map_or(begun, |at| at.max(begun));
            let event = tokio::select! {
                event = events.next() => event,
                () = tokio::time::sleep_until(heard + silent) => {
                    if self.heard.any().is_some_and(|at| at > heard) {
                        continue;
                    }
                    return Err(CallError::Unknown("nothing comes over it".into()));
                }
                Ok(()) = looks.changed(), if !close => return Ok(()),
                () = self.looked_away(), if close => return Ok(()),
            };
            match event {
                Some(Ok(event)) => self.take(event, &mut coming),
                Some(Err(error)) => return Err(self.failed(&clients, error).await),
                None => return Err(CallError::Unknown("the watch has ended".into())),
            }
        }
    }

    /// Ends when nobody looks closely any more.
    async fn looked_away(&self) {
        loop {
            let until = *self.close.borrow();
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => tokio::time::sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Takes in an event; what is listed comes from its beginning on.
    fn take(&self, event: Event<T::Raw>, coming: &mut (Instant, Items<T>)) {
        match event {
            // the library's own word: the server has said nothing yet
            Event::Init => *coming = (Instant::now(), Items::default()),
            Event::InitApply(raw) => coming.1.put(T::keep(raw)),
            Event::InitDone => {
                let items = std::mem::take(&mut coming.1);
                self.change(|store| {
                    store.items = items;
                    store.whole = true;
                    store.broken = None;
                });
                self.heard.listed(coming.0);
            }
            Event::Apply(raw) => {
                self.change(|store| store.items.put(T::keep(raw)));
                self.heard.now();
            }
            Event::Delete(raw) => {
                let name = raw.meta().name.as_deref().unwrap_or_default();
                self.change(|store| store.items.take(name));
                self.heard.now();
            }
        }
    }

    async fn failed(&self, clients: &Clients, error: watcher::Error) -> CallError {
        let error = match &error {
            watcher::Error::InitialListFailed(error)
            | watcher::Error::WatchStartFailed(error)
            | watcher::Error::WatchFailed(error) => sorted(error),
            watcher::Error::WatchError(status) => sorted(&kube::Error::Api(status.clone())),
            watcher::Error::NoResourceVersion => {
                CallError::Unknown("an object has no version".into())
            }
        };
        self.link.known(clients, error).await
    }

    fn change(&self, change: impl FnOnce(&mut Store<T>)) {
        let store = self.store.write();
        change(&mut store.unwrap_or_else(PoisonError::into_inner));
        self.tell.send_modify(|n| *n = n.wrapping_add(1));
    }
}
