//! A room in memory for tests: the domain itself, with a fleet that does everything at once.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;

use super::exec::{Order, exec};
use super::exit::Exit;
use super::keeper::{Keeper, Line, Settled};
use super::out::{Chunk, Look, Out};
use crate::config::room::RoomFiles;
use crate::domain::live::Live;
use crate::domain::{
    Actor, Artifact, Ask, Command, Door, Draft, Event, Health, Notice, Outcome, Sight, Span, State,
    Timestamp, wanted::wanted,
};
use crate::policy::turn::carry_out;
use crate::session::Identity;

/// The room of the fixtures.
pub fn fixture_room() -> RoomFiles {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/room");
    RoomFiles::load(&dir).unwrap_or_else(|mistakes| {
        let texts = mistakes.notices.iter().map(|n| n.to_string());
        panic!("{}", texts.collect::<Vec<_>>().join("\n"))
    })
}

/// A keeper without a disk.
pub struct Memory {
    state: watch::Sender<Arc<State>>,
    events: Mutex<Vec<Event>>,
    runs: bool,
    /// What is seen right now.
    pub live: Arc<Live>,
}

impl Memory {
    /// The room of the fixtures, with every instance read once.
    pub fn new() -> Memory {
        let memory = Memory {
            state: watch::channel(Arc::default()).0,
            events: Mutex::default(),
            runs: true,
            live: Arc::default(),
        };
        memory.engine(Ask::Adopt(Arc::new(fixture_room().charter)));
        memory
    }

    /// The same without an engine: nothing can be changed any more.
    pub fn without_engine(mut self) -> Memory {
        self.runs = false;
        self
    }

    fn decide(&self, who: Actor, door: Door, ask: Ask) -> Result<Settled, Notice> {
        let mut draft = Draft::new((**self.state.borrow()).clone());
        let before = draft.state.last_id;
        let at = draft
            .state
            .now
            .max(Timestamp(chrono::Utc::now().timestamp_millis()));
        let command = Command { at, who, door, ask };
        carry_out(&mut draft, &command).map_err(|refusal| refusal.notice())?;
        self.events.lock().unwrap().extend(draft.events);
        let settled = Settled {
            seq: draft.state.seq,
            release: (draft.state.last_id > before)
                .then_some(crate::domain::ReleaseId(draft.state.last_id)),
        };
        self.state.send_replace(Arc::new(draft.state));
        Ok(settled)
    }

    /// Something that the engine hands in.
    pub fn engine(&self, ask: Ask) {
        self.decide(Actor::Engine, Door::Engine, ask).unwrap();
    }

    /// Reads every instance of every target: it runs `version`, or what a done effect brought.
    pub fn see(&self, version: &str) {
        let charter = self.state.borrow().charter.clone();
        for (name, target) in &charter.targets {
            let sights = target.instances.iter().map(|instance| {
                let sight = Sight {
                    instance: instance.clone(),
                    health: Health::Running,
                    artifact: Some(Artifact {
                        version: version.into(),
                        digest: "".into(),
                    }),
                    arriving: None,
                    detail: "".into(),
                };
                self.state
                    .borrow()
                    .seen(name, instance)
                    .map_or(sight, |seen| seen.sight.clone())
            });
            let sights = sights.collect();
            self.engine(Ask::Seen {
                target: name.clone(),
                sights,
            });
        }
    }

    /// Carries out everything that is wanted, until nothing is.
    pub fn work(&self) {
        loop {
            let state = self.state.borrow().clone();
            let effects: Vec<_> = state
                .live
                .keys()
                .flat_map(|id| wanted(&state, *id))
                .collect();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                self.engine(Ask::Begin(vec![effect.id.clone()]));
                self.engine(Ask::Ended {
                    effect: effect.id.clone(),
                    release: effect.release,
                    outcome: Outcome::Done {
                        took: Span::secs(1),
                    },
                });
                self.engine(Ask::Seen {
                    target: effect.target.clone(),
                    sights: vec![Sight {
                        instance: effect.instance.clone(),
                        health: Health::Running,
                        artifact: Some(effect.artifact.clone()),
                        arriving: None,
                        detail: "".into(),
                    }],
                });
            }
        }
    }
}

impl Keeper for Memory {
    fn state(&self) -> watch::Receiver<Arc<State>> {
        self.state.subscribe()
    }

    fn live_now(&self) -> Arc<Live> {
        self.live.clone()
    }

    fn runs(&self) -> bool {
        self.runs
    }

    async fn ask(&self, who: &Actor, door: &Door, ask: Ask) -> Result<Settled, Notice> {
        if !self.runs {
            return Err(super::keeper::no_engine("shop"));
        }
        self.decide(who.clone(), door.clone(), ask)
    }

    async fn entries(&self, from: u64, most: usize) -> Result<Vec<Line>, Notice> {
        let events = self.events.lock().unwrap();
        let lines = events.iter().enumerate().map(|(n, event)| Line {
            seq: n as u64 + 1,
            hash: format!("{:064x}", n + 1),
            bytes: event.to_bytes(),
        });
        Ok(lines.filter(|line| line.seq >= from).take(most).collect())
    }

    async fn backup(&self, file: PathBuf) -> Result<(u64, String), Notice> {
        std::fs::write(&file, "ledger").unwrap();
        Ok((self.state.borrow().seq, "00".repeat(32)))
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
pub struct Said {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

/// Carries out a line typed by somebody; words are parted by blanks, files are those of the
/// fixtures.
pub async fn typed(keeper: &Memory, who: &str, line: &str) -> Said {
    let words = shlex::split(line).unwrap();
    run(keeper, who, &words).await
}

/// Carries out a command with these words.
pub async fn run(keeper: &Memory, who: &str, words: &[String]) -> Said {
    let plans = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut order = Order {
        argv: words.to_vec(),
        ..Order::default()
    };
    for word in words {
        if let Ok(bytes) = std::fs::read(plans.join(word)) {
            order.files.insert(word.clone(), bytes);
        }
    }
    let identity = Identity {
        who: match who {
            "" => Actor::Nobody,
            name => Actor::Person(name.into()),
        },
        door: Door::Socket {
            uid: rustix::process::geteuid().as_raw(),
        },
    };
    let (out, mut chunks) = Out::new(Look::default());
    let mut said = Said {
        exit: Exit::Done,
        out: String::new(),
        err: String::new(),
    };
    let (out_text, err_text) = (&mut said.out, &mut said.err);
    let read = async move {
        while let Some(chunk) = chunks.recv().await {
            match chunk {
                Chunk::Out(text) => out_text.push_str(&text),
                Chunk::Err(text) => err_text.push_str(&text),
            }
        }
    };
    let run = async move {
        let exit = exec(&identity, keeper, &order, &out).await;
        drop(out);
        exit
    };
    let (exit, ()) = tokio::join!(run, read);
    said.exit = exit;
    said
}
