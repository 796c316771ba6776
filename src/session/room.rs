//! The room behind a session: a desk of the terminal UI, kept up to date from the engine.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::{Desk, Guest, News, Room, Wish};
use crate::domain::live::Live;
use crate::domain::{self, Actor, Notice, State, Timestamp};
use crate::engine::EngineHandle;
use crate::engine::board::Presence;
use crate::tui::desk::{Ask, Setup};
use crate::tui::{self, Asker, Input, Keymap, Scene, SourceFile, Themes, World};

/// How long what the engine publishes may wait to be taken in after the last time: in a busy room
/// it comes several times as often as anybody can see it.
const BREATH: Duration = Duration::from_millis(100);

/// How many answers of the engine wait at a desk at most.
const ANSWERS: usize = 64;

/// The room: it gives people desks.
pub struct Hall {
    engine: EngineHandle,
    keymap: Arc<Keymap>,
    themes: Arc<Themes>,
    /// The theme of the user's own file.
    theme: Option<String>,
    notices: Vec<Notice>,
}

impl Hall {
    /// A room over an engine, with the keymap and theme files of the user who runs it (name and
    /// text), where there are any. What is wrong with them is told to everybody who comes in.
    pub fn new(
        engine: EngineHandle,
        keymap: Option<(String, String)>,
        theme: Option<(String, String)>,
    ) -> Hall {
        let keys = keymap
            .as_ref()
            .map(|(name, text)| SourceFile { name, text });
        let looks = theme.as_ref().map(|(name, text)| SourceFile { name, text });
        let (keymap, mut notices) = Keymap::load(keys);
        let own: Vec<SourceFile<'_>> = looks.into_iter().collect();
        let (themes, more) = Themes::load(&own);
        notices.extend(more);
        let stem = |name: &str| {
            let file = std::path::Path::new(name).file_stem()?;
            Some(file.to_string_lossy().into_owned())
        };
        Hall {
            engine,
            keymap: Arc::new(keymap),
            themes: Arc::new(themes),
            theme: theme.as_ref().and_then(|(name, _)| stem(name)),
            notices,
        }
    }
}

impl Room for Hall {
    type Desk = Seat;

    fn open(&self, guest: &Guest) -> Seat {
        let (mut state, mut live) = (self.engine.state(), self.engine.live());
        let (now_state, now_live) = (
            state.borrow_and_update().clone(),
            live.borrow_and_update().clone(),
        );
        let identity = &guest.identity;
        let setup = Setup {
            asker: Asker {
                who: identity.who.clone(),
                door: identity.door.clone(),
            },
            keymap: Arc::clone(&self.keymap),
            themes: Arc::clone(&self.themes),
            theme: self.theme.clone(),
            caps: guest.caps,
            zone: zone(&now_state),
            size: guest.size,
            ends: !guest.apart,
            notices: self.notices.clone(),
        };
        let (answer, answers) = mpsc::channel(ANSWERS);
        let now = self.engine.clock().now();
        let mut seat = Seat {
            desk: tui::Desk::new(setup, now),
            engine: self.engine.clone(),
            now_state,
            now_live,
            state,
            live,
            answer,
            answers,
            news: 0,
            next: Instant::now(),
            _presence: match &identity.who {
                Actor::Person(name) => Some(self.engine.enter(name.clone())),
                Actor::Engine | Actor::Nobody => None,
            },
        };
        seat.settle();
        seat
    }
}

/// The zone in which times are read: that of the first environment that customers depend on.
fn zone(state: &State) -> Tz {
    let environments = &state.charter.environments;
    environments
        .values()
        .filter(|e| e.production)
        .chain(environments.values())
        .find_map(|e| e.zone.parse().ok())
        .unwrap_or(Tz::UTC)
}

/// One person's desk, and their ear to the engine.
pub struct Seat {
    desk: tui::Desk,
    engine: EngineHandle,
    now_state: Arc<State>,
    now_live: Arc<Live>,
    state: watch::Receiver<Arc<State>>,
    live: watch::Receiver<Arc<Live>>,
    answer: mpsc::Sender<(u64, Result<(), Notice>)>,
    answers: mpsc::Receiver<(u64, Result<(), Notice>)>,
    /// Counts what came in from the engine.
    news: u64,
    /// When what comes next from the engine is taken in at the earliest; keys do not wait for it.
    next: Instant,
    _presence: Option<Presence>,
}

impl Seat {
    fn now(&self) -> Timestamp {
        self.engine.clock().now().max(self.now_state.now)
    }

    fn world(&self) -> World<'_> {
        World {
            state: &self.now_state,
            live: &self.now_live,
            now: self.now(),
        }
    }

    /// Takes in what the engine has published.
    fn settle(&mut self) -> Vec<Wish> {
        self.now_state = self.state.borrow_and_update().clone();
        self.now_live = self.live.borrow_and_update().clone();
        self.news += 1;
        self.next = Instant::now() + BREATH;
        let world = World {
            state: &self.now_state,
            live: &self.now_live,
            now: self.engine.clock().now().max(self.now_state.now),
        };
        let asks = self.desk.settle(world);
        self.wishes(asks)
    }

    fn wishes(&mut self, asks: Vec<Ask>) -> Vec<Wish> {
        let mut wishes = Vec::new();
        for ask in asks {
            wishes.push(match ask {
                Ask::Command { id, ask } => {
                    self.send(id, ask);
                    continue;
                }
                Ask::Copy(text) => Wish::Copy(text),
                Ask::Bell => Wish::Bell,
                Ask::Redraw => Wish::Redraw,
                Ask::Mouse(take) => Wish::Mouse(take),
                Ask::Suspend => Wish::Suspend,
                Ask::Quit => Wish::Quit,
            });
        }
        wishes
    }

    /// Sends a command to the engine in the person's name; the answer comes by itself.
    fn send(&self, id: u64, ask: domain::Ask) {
        let asker = self.desk.asker().clone();
        let (engine, answer) = (self.engine.clone(), self.answer.clone());
        tokio::spawn(async move {
            let done = engine.ask(asker.who, asker.door, ask).await;
            // a person who has left needs no answer
            let _ = answer.send((id, done.map(|_| ()))).await;
        });
    }
}

/// Waits until the engine has published something, and for the moment to take it in; `None` when
/// it is gone.
async fn heard(
    state: &watch::Receiver<Arc<State>>,
    live: &watch::Receiver<Arc<Live>>,
    next: Instant,
) -> Option<()> {
    // a receiver that is dropped here before its time has seen nothing
    let (mut state, mut live) = (state.clone(), live.clone());
    tokio::select! {
        news = state.changed() => news.ok()?,
        news = live.changed() => news.ok()?,
    }
    sleep_until(next).await;
    Some(())
}

impl Desk for Seat {
    fn input(&mut self, input: Input) -> Vec<Wish> {
        // what a key acts on is the newest state there is
        let mut wishes = Vec::new();
        if self.state.has_changed().unwrap_or(false) {
            wishes = self.settle();
        }
        let world = World {
            state: &self.now_state,
            live: &self.now_live,
            now: self.engine.clock().now().max(self.now_state.now),
        };
        let asks = tui::update(&mut self.desk, world, input);
        wishes.extend(self.wishes(asks));
        wishes
    }

    async fn changed(&mut self) -> News {
        let answer = tokio::select! {
            biased;
            Some((id, answer)) = self.answers.recv() => {
                let now = self.now();
                self.desk.answered(id, answer, now);
                true
            }
            Some(()) = heard(&self.state, &self.live, self.next) => false,
            // the engine is gone: its socket tells the person
            else => return std::future::pending().await,
        };
        News {
            answer,
            wishes: self.settle(),
        }
    }

    fn paint(&self, area: Rect, buffer: &mut Buffer) -> Option<Position> {
        let scene = Scene {
            desk: &self.desk,
            world: self.world(),
        };
        tui::paint(&scene, area, buffer).cursor
    }

    fn stamp(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.desk.version(), self.news, self.now().0 / 1000).hash(&mut hasher);
        hasher.finish()
    }

    fn rest(&self) -> Duration {
        // everything that moves by itself moves by the second
        let into = self.now().0.rem_euclid(1000);
        Duration::from_millis(u64::try_from(1000 - into).unwrap_or(1000))
    }
}
