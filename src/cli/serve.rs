//! Running a room's engine: its files, its ledger, its targets, its socket.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tracing_appender::non_blocking::WorkerGuard;

use super::exit::{Exit, Stop, Went};
use super::house::House;
use super::local::{complain, say, tell};
use super::logs;
use super::out::Look;
use super::reload::{self, Follower};
use super::view::{ServeView, line};
use crate::config::home;
use crate::config::mistakes::Mistakes;
use crate::config::room::{Operate, RoomFiles, TargetConfig};
use crate::domain::{Notice, Span, TargetName};
use crate::engine::clock::Clock;
use crate::engine::{EngineHandle, Hook, Parts, Running, TargetPart, explain, start};
use crate::ledger::Ledger;
use crate::platform::Platform;
use crate::platform::command::CommandTarget;
use crate::platform::kube::KubeTarget;
use crate::platform::kube::cluster::Cluster;
use crate::platform::kube::gates::Gates;
use crate::platform::runner::Runner;
use crate::session::room::Hall;
use crate::session::socket::{Limits, Listening};
use crate::web::gates::Listening as GatesDoor;

/// How long the hook may take to tell whom it tells.
const HOOK_LIMIT: Span = Span::secs(30);

/// A room whose engine runs in this process.
pub struct Open {
    /// What the socket leads to.
    pub house: Arc<House<Hall>>,
    /// What is no mistake in its files and yet worth a look.
    pub doubts: Mistakes,
    running: Running,
    close: oneshot::Sender<()>,
    socket: JoinHandle<()>,
    follower: JoinHandle<()>,
    _gates: Option<GatesDoor>,
    _log: WorkerGuard,
}

impl Open {
    /// Opens the room in a directory: starts its engine and lets people in; made-up ones with
    /// `samples`.
    ///
    /// # Errors
    /// Everything that is wrong with its files; who holds its ledger; why its socket cannot be
    /// opened.
    pub async fn room(dir: &Path, samples: bool) -> Result<Open, Mistakes> {
        let room_text = reload::room_text(dir);
        let files = RoomFiles::load(dir)?;
        let log = logs::start(dir).map_err(Mistakes::one)?;
        let ledger = Ledger::open(&dir.join("ledger.db"))
            .await
            .map_err(|error| Mistakes::one(explain::ledger(&error)))?;
        let listening = Listening::open(&dir.join("sock"))
            .await
            .map_err(|error| Mistakes::one(error.notice()))?;
        let kept = files.settings.gates.as_ref();
        let gates = Gates::at(kept.map(|kept| kept.listen.to_string()).as_deref());
        let door = match kept {
            Some(kept) => Some(GatesDoor::open(kept, &gates).await.map_err(Mistakes::one)?),
            None => None,
        };
        let running = start(Parts {
            ledger,
            charter: Arc::new(files.charter),
            targets: targets(dir, files.targets, files.settings.look, &gates)?,
            sources: files.sources,
            clock: Clock::System,
            look: files.settings.look,
            hook: files.settings.hook.map(|argv| Hook {
                argv,
                limit: HOOK_LIMIT,
            }),
            samples,
            telemetry: Some(dir.join("telemetry.db")),
        })
        .await
        .map_err(Mistakes::one)?;
        let (people, identities) = watch::channel(Arc::new(files.identities));
        let engine = running.handle.clone();
        let follower = Follower::new(dir, engine.clone(), people, &files.files, room_text);
        let house = Arc::new(House {
            room: hall(&engine)?,
            engine,
            identities,
        });
        let (close, closed) = oneshot::channel::<()>();
        let served = listening.serve(house.clone(), Limits::default(), async {
            let _ = closed.await;
        });
        Ok(Open {
            socket: tokio::spawn(served),
            follower: tokio::spawn(follower.run()),
            house,
            doubts: files.doubts,
            running,
            close,
            _gates: door,
            _log: log,
        })
    }

    /// The way to the engine.
    pub fn engine(&self) -> &EngineHandle {
        &self.running.handle
    }

    /// Shows everybody out and stops the engine; calls that run outside go on by themselves.
    pub async fn close(self) {
        self.follower.abort();
        let _ = self.close.send(());
        let _ = self.socket.await;
        self.running.stop().await;
    }
}

/// The desks of a room, with the keymap and theme of the user who runs it.
fn hall(engine: &EngineHandle) -> Result<Hall, Mistakes> {
    let keymap = home::keymap().map_err(Mistakes::one)?;
    let theme = home::theme().map_err(Mistakes::one)?;
    let texts = |source: Option<crate::config::mistakes::Source>| source.map(|s| (s.name, s.text));
    Ok(Hall::new(engine.clone(), texts(keymap), texts(theme)))
}

fn targets(
    dir: &Path,
    configs: std::collections::BTreeMap<TargetName, TargetConfig>,
    every: Span,
    gates: &Gates,
) -> Result<std::collections::BTreeMap<TargetName, TargetPart>, Mistakes> {
    let runner = Runner::new(dir.join("effects")).map_err(|error| {
        let failed = format!("the folder for effects cannot be used: {error}");
        Mistakes::one(Notice::error("cannot-write", failed).at(dir.display().to_string()))
    })?;
    let mut parts = std::collections::BTreeMap::new();
    let mut clusters: std::collections::BTreeMap<String, Cluster> =
        std::collections::BTreeMap::new();
    for (name, config) in configs {
        let platform = match config.operate {
            Operate::Command(command) => {
                let target = CommandTarget::new(name.clone(), command, runner.clone());
                // what could be wrong with it was found when the files were read
                let target = target.map_err(|problems| {
                    let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
                    let notice = Notice::error("bad-target", words.join("; "));
                    Mistakes::one(notice.at(name.to_string()))
                })?;
                Platform::Command(target)
            }
            Operate::Kubernetes(cluster, workload) => {
                // the targets of one cluster share its connection
                let cluster = clusters
                    .entry(cluster.name.clone())
                    .or_insert_with(|| Cluster::new(cluster));
                let target = KubeTarget::new(name.clone(), workload, cluster.clone(), gates);
                Platform::Kubernetes(target)
            }
        };
        let part = TargetPart {
            platform,
            urls: config.urls,
            metrics_path: config.metrics_path,
            namespace: config.namespace,
            every,
            stale: config.stale,
        };
        parts.insert(name, part);
    }
    Ok(parts)
}

/// `holdpoint serve`: runs until it is asked to end.
///
/// # Errors
/// When the room cannot be opened.
pub async fn serve(room: Option<&PathBuf>, look: Look) -> Went {
    let dir = home::room(room).map_err(Stop::input)?;
    let mut ending = Ending::listen();
    let open = Open::room(&dir, false).await.map_err(stop)?;
    complain(&open.doubts, look);
    if look.json {
        say(&line(&ServeView {
            schema: "holdpoint.serve/1",
            room: dir.display().to_string(),
        }));
    } else {
        say(&format!("serving {}\n", dir.display()));
    }
    ending.came().await;
    open.close().await;
    Ok(Exit::Done)
}

/// Bad files are bad input; a room that somebody else holds refuses.
pub fn stop(mistakes: Mistakes) -> Stop {
    match mistakes.notices.first().map(|n| n.code.as_str()) {
        Some("ledger-held" | "engine-runs") => Stop::Failed(Exit::Refused, mistakes),
        _ => Stop::bad(mistakes),
    }
}

/// The signals that ask a program to end, heard from the moment this is made.
pub struct Ending(tokio::task::JoinSet<()>);

impl Ending {
    /// Listens to SIGINT, SIGTERM and SIGHUP.
    pub fn listen() -> Ending {
        use tokio::signal::unix::{SignalKind, signal};
        let mut waits = tokio::task::JoinSet::new();
        for kind in [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ] {
            match signal(kind) {
                Ok(mut signal) => {
                    waits.spawn(async move {
                        signal.recv().await;
                    });
                }
                Err(error) => tell(&format!("signals cannot be heard: {error}\n")),
            }
        }
        Ending(waits)
    }

    /// Waits until one of them has come.
    pub async fn came(&mut self) {
        self.0.join_next().await;
    }
}
