//! What stands between the product and an API server that is in good health: it passes everything on as it
//! comes, watches too, until a test switches on a fault. It remembers what was asked.

mod carry;
mod wire;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::client::{Client, Loop};
use super::cluster::Cluster;
use wire::Request;

/// Which requests a fault meets; the text is a part of the path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// Everything that reads once: get and list.
    Reads(&'static str),
    Writes(&'static str),
    Watches(&'static str),
    Everything,
}

/// What goes wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The server never hears of it; it is answered with this code, as a server would word it: 401, 403, 409,
    /// 410, 500, 503, 504.
    Answer(u16),
    /// 429, and after how many seconds to come again.
    Busy(u32),
    /// The server never hears of it, and the connection breaks.
    Cut,
    /// The server never hears of it, and nobody answers.
    Hang,
    /// The server does it; it is answered with this code.
    DoneAnswer(u16),
    /// The server does it, and the connection breaks before the answer.
    DoneCut,
    /// The server does it, and nobody answers.
    DoneHang,
    /// A watch begins well, and its first event is an ERROR with this code: 410.
    ErrorEvent(u16),
}

/// A request, as far as a test asks about it.
#[derive(Clone, Debug)]
pub struct Asked {
    pub method: String,
    /// With what stands behind the question mark.
    pub path: String,
    pub media_type: String,
    /// `null` when there was none.
    pub body: Value,
    /// Whether the server heard of it.
    pub passed: bool,
}

impl Asked {
    /// Whether it was to change something. Questions about rights are sent with POST and change nothing.
    pub fn writes(&self) -> bool {
        self.method != "GET" && !self.path.contains("/selfsubject")
    }

    pub fn watches(&self) -> bool {
        self.method == "GET" && (self.path.contains("watch=true") || self.path.contains("watch=1"))
    }

    fn met_by(&self, on: On) -> bool {
        match on {
            On::Reads(part) => !self.writes() && !self.watches() && self.path.contains(part),
            On::Writes(part) => self.writes() && self.path.contains(part),
            On::Watches(part) => self.watches() && self.path.contains(part),
            On::Everything => true,
        }
    }
}

/// Changes an object on its way to the client; the first argument is its kind, `Deployment`.
type Lie = Arc<dyn Fn(&str, &mut Value) + Send + Sync>;

/// What happens to all streams at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Streams {
    /// The connections of watches break, in the middle of an event.
    Cut,
    /// An ERROR event with this code comes in each, and its end.
    Error(u16),
}

/// What does not move any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frozen {
    Nothing,
    Watches,
    Everything,
}

#[derive(Default)]
struct State {
    asked: Vec<Asked>,
    rules: Vec<(On, Fault, usize)>,
    lie: Option<Lie>,
}

/// What every connection sees of the proxy.
#[derive(Clone)]
struct Shared {
    state: Arc<Mutex<State>>,
    to: Client,
    /// Counted up for each order.
    streams: watch::Receiver<(u64, Streams)>,
    frozen: watch::Receiver<Frozen>,
}

impl Shared {
    /// Remembers a request, and says what is to go wrong with it.
    fn fault_for(&self, request: &Request) -> Option<Fault> {
        let mut asked = Asked {
            method: request.method.to_string(),
            path: request.path.clone(),
            media_type: request
                .header("content-type")
                .unwrap_or_default()
                .to_owned(),
            body: serde_json::from_slice(&request.body).unwrap_or_default(),
            passed: true,
        };
        let mut state = self.state.lock().unwrap();
        let rule = state
            .rules
            .iter_mut()
            .find(|(on, _, left)| *left > 0 && asked.met_by(*on));
        let fault = rule.map(|(_, fault, left)| {
            *left = left.saturating_sub(usize::from(*left != usize::MAX));
            *fault
        });
        use Fault::{Answer, Busy, Cut, Hang};
        asked.passed = !matches!(fault, Some(Answer(_) | Busy(_) | Cut | Hang));
        state.asked.push(asked);
        fault
    }

    fn lie(&self) -> Option<Lie> {
        self.state.lock().unwrap().lie.clone()
    }

    /// Waits while the network is dead, for a watch or for anything else.
    async fn thaw(&self, watches: bool) {
        let mut frozen = self.frozen.clone();
        let moves = |frozen: &Frozen| match frozen {
            Frozen::Nothing => true,
            Frozen::Watches => !watches,
            Frozen::Everything => false,
        };
        let _ = frozen.wait_for(moves).await;
    }
}

/// The proxy; it ends when it is dropped.
pub struct Proxy {
    pub url: String,
    shared: Shared,
    streams: watch::Sender<(u64, Streams)>,
    frozen: watch::Sender<Frozen>,
    open: watch::Sender<bool>,
    files: TempDir,
    _door: JoinHandle<()>,
    _turns: Loop,
}

impl Proxy {
    /// In front of a cluster's API server. Who has a token says so to the server itself; who has none is the
    /// admin, where that one has a certificate.
    pub fn before(cluster: &Cluster) -> Proxy {
        let turns = Loop::new();
        let listener = turns.wait(async { TcpListener::bind("127.0.0.1:0").await.unwrap() });
        let port = listener.local_addr().unwrap().port();
        let (streams, orders) = watch::channel((0, Streams::Cut));
        let (frozen, is_frozen) = watch::channel(Frozen::Nothing);
        let (open, is_open) = watch::channel(true);
        let shared = Shared {
            state: Arc::default(),
            to: Client::of(&cluster.file),
            streams: orders,
            frozen: is_frozen,
        };
        Proxy {
            url: format!("http://127.0.0.1:{port}"),
            _door: turns.spawn(keep_door(listener, port, is_open, shared.clone())),
            shared,
            streams,
            frozen,
            open,
            files: tempfile::tempdir().unwrap(),
            _turns: turns,
        }
    }

    /// A kubeconfig that leads the one of another here: the cluster's own, or that of an identity.
    pub fn kubeconfig(&self, of: &Path) -> PathBuf {
        let mut config: Value = serde_json::from_str(&fs::read_to_string(of).unwrap()).unwrap();
        config["clusters"][0]["cluster"] = json!({"server": self.url});
        let file = self.files.path().join(of.file_name().unwrap());
        fs::write(&file, config.to_string()).unwrap();
        file
    }

    /// The next `times` requests of this sort meet a fault; `usize::MAX` is until [`Proxy::heal`]. Of several
    /// faults that fit, the one that was switched on first.
    pub fn fault(&self, on: On, fault: Fault, times: usize) {
        self.shared
            .state
            .lock()
            .unwrap()
            .rules
            .push((on, fault, times));
    }

    /// How many requests have still to meet their fault.
    pub fn faults_left(&self) -> usize {
        let state = self.shared.state.lock().unwrap();
        state.rules.iter().map(|(_, _, left)| left).sum()
    }

    /// From now on objects that are read, listed or watched are changed by this on their way:
    /// `|kind, object| if kind == "Deployment" { object["status"]["observedGeneration"] = 1.into() }`.
    pub fn lie(&self, lie: impl Fn(&str, &mut Value) + Send + Sync + 'static) {
        self.shared.state.lock().unwrap().lie = Some(Arc::new(lie));
    }

    /// Breaks all watches that are open, in the middle of an event.
    pub fn cut_watches(&self) {
        self.streams
            .send_modify(|order| *order = (order.0 + 1, Streams::Cut));
    }

    /// Has an ERROR event come in all watches that are open: 410 is an expired version.
    pub fn error_in_watches(&self, code: u16) {
        self.streams
            .send_modify(|order| *order = (order.0 + 1, Streams::Error(code)));
    }

    /// The network is dead from now on: connections stay, nothing moves on them.
    pub fn freeze(&self) {
        self.frozen.send_replace(Frozen::Everything);
    }

    /// Nothing comes over watches from now on, old ones and new ones: they stay open, and everything else goes
    /// on.
    pub fn freeze_watches(&self) {
        self.frozen.send_replace(Frozen::Watches);
    }

    /// Nobody listens from now on, and all connections break.
    pub fn refuse(&self) {
        self.open.send_replace(false);
    }

    /// Ends all faults and lies. What was frozen moves on, whoever was refused may come again.
    pub fn heal(&self) {
        let mut state = self.shared.state.lock().unwrap();
        state.rules.clear();
        state.lie = None;
        drop(state);
        self.frozen.send_replace(Frozen::Nothing);
        self.open.send_replace(true);
    }

    /// Everything that was asked, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.shared.state.lock().unwrap().asked.clone()
    }

    /// The requests to change something that the server heard of, in order.
    pub fn writes(&self) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|one| one.writes() && one.passed);
        asked
    }
}

async fn keep_door(
    listener: TcpListener,
    port: u16,
    mut open: watch::Receiver<bool>,
    shared: Shared,
) {
    let mut listener = Some(listener);
    let mut guests = JoinSet::new();
    loop {
        let come = async {
            match &listener {
                Some(listener) => listener.accept().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            come = come => {
                if let Ok((stream, _)) = come {
                    let _ = stream.set_nodelay(true);
                    guests.spawn(carry::serve(stream, shared.clone()));
                }
            }
            Some(_) = guests.join_next() => {}
            changed = open.changed() => {
                if changed.is_err() {
                    return;
                }
                let is_open = *open.borrow_and_update();
                if !is_open {
                    listener = None;
                    guests.abort_all();
                } else if listener.is_none() {
                    let bound = TcpListener::bind(("127.0.0.1", port)).await;
                    listener = Some(bound.expect("the port was ours a moment ago"));
                }
            }
        }
    }
}
