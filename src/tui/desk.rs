//! One person's desk: which screen, where the cursor is, what is being written.
//!
//! A desk holds no release and no time of its own: it names releases by their numbers, and looks
//! them up in the [`World`] it is shown. Painting reads it and changes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono_tz::Tz;
use ratatui::layout::Size;

use crate::domain::hold::HoldState;
use crate::domain::release::Release;
use crate::domain::{
    self, HoldId, Level, MetricName, Notice, PersonName, ReleaseId, ServiceName, Span, Timestamp,
};

use super::action::Context;
use super::caps::Caps;
use super::dialog::Overlay;
use super::key::Key;
use super::keymap::Keymap;
use super::offer::Asker;
use super::order::{Order, PAUSE, Spot};
use super::page::Page;
use super::theme::{AUTO, Theme, Themes};
use super::widgets::Scroll;
use super::world::World;

/// What a desk is made of; it comes from outside.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Who sits there, as the door proved it.
    pub asker: Asker,
    /// The keys.
    pub keymap: Arc<Keymap>,
    /// The themes there are.
    pub themes: Arc<Themes>,
    /// The name of the theme to begin with.
    pub theme: Option<String>,
    /// What the terminal can do.
    pub caps: Caps,
    /// The zone in which the person reads times.
    pub zone: Tz,
    /// How large the terminal is.
    pub size: Size,
    /// Whether the engine ends when they leave, as a demo does.
    pub ends: bool,
    /// What was wrong with the person's own files.
    pub notices: Vec<Notice>,
}

/// What a desk asks of the world outside.
#[derive(Clone, Debug)]
pub enum Ask {
    /// Give this to the engine, and the answer to [`Desk::answered`] under this number.
    Command {
        /// The number of the question.
        id: u64,
        /// The question.
        ask: domain::Ask,
    },
    /// Put this on the person's clipboard.
    Copy(String),
    /// Ring.
    Bell,
    /// Paint everything anew.
    Redraw,
    /// Take mouse reports, or leave the mouse to the terminal.
    Mouse(bool),
    /// Go to the shell for a while.
    Suspend,
    /// Leave the room.
    Quit,
}

/// A screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Screen {
    /// All releases at a glance.
    Releases,
    /// One release.
    Rollout,
    /// Its metrics.
    Metrics,
    /// What waits for votes.
    Approvals,
    /// Windows, freezes and releases along time.
    Calendar,
    /// The keys.
    Help,
    /// What was told.
    Notices,
}

/// A side of one release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tab {
    /// How far it is.
    Ladder,
    /// Why it does not go on.
    Why,
    /// What changes.
    Changes,
    /// What verdicts and checks rest on.
    Evidence,
    /// What was done.
    Log,
    /// When.
    Timeline,
    /// The calls to platforms.
    Calls,
}

impl Tab {
    /// Every tab, in their order.
    pub const ALL: [Tab; 7] = [
        Tab::Ladder,
        Tab::Why,
        Tab::Changes,
        Tab::Evidence,
        Tab::Log,
        Tab::Timeline,
        Tab::Calls,
    ];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Tab::Ladder => "Ladder",
            Tab::Why => "Why",
            Tab::Changes => "Changes",
            Tab::Evidence => "Evidence",
            Tab::Log => "Log",
            Tab::Timeline => "Timeline",
            Tab::Calls => "Calls",
        }
    }
}

/// Where somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The screen.
    pub screen: Screen,
    /// Of the rollout screen, the side.
    pub tab: Tab,
    /// The first line that shows; where none was chosen, the screen chooses.
    pub top: Option<usize>,
}

impl Place {
    pub(super) const fn of(screen: Screen) -> Place {
        Place {
            screen,
            tab: Tab::Ladder,
            top: None,
        }
    }
}

/// Something that was told.
#[derive(Clone, Debug)]
pub struct Told {
    /// What.
    pub notice: Notice,
    /// When.
    pub at: Timestamp,
    /// Whether the person put it away.
    pub dismissed: bool,
}

/// Something that was asked of the engine and has no answer yet.
#[derive(Clone, Debug)]
pub struct Sent {
    /// In words: `promote R-214`.
    pub what: String,
    /// About which release.
    pub release: Option<ReleaseId>,
    /// When.
    pub at: Timestamp,
}

/// How long good news is shown.
const GOOD_NEWS: Span = Span::secs(6);
/// How many notices are kept.
const KEPT: usize = 200;

/// One person's screens.
#[derive(Clone, Debug)]
pub struct Desk {
    pub(super) asker: Asker,
    pub(super) keymap: Arc<Keymap>,
    pub(super) themes: Arc<Themes>,
    pub(super) theme: Theme,
    pub(super) theme_name: String,
    pub(super) caps: Caps,
    pub(super) zone: Tz,
    pub(super) size: Size,
    pub(super) ends: bool,
    pub(super) mouse: bool,
    pub(super) place: Place,
    pub(super) back: Vec<Place>,
    pub(super) order: Order,
    /// Where the cursor of the releases screen is, and the release that other screens show.
    pub(super) spot: Option<Spot>,
    pub(super) subject: Option<ReleaseId>,
    pub(super) rows: Scroll,
    pub(super) closed_shown: bool,
    pub(super) queue: Scroll,
    /// The order of the queue of approvals, and the release under its cursor.
    pub(super) queued: Vec<ReleaseId>,
    pub(super) voting: Option<ReleaseId>,
    /// What the calendar screen shows.
    pub(super) page: Page,
    pub(super) metrics: Scroll,
    pub(super) metric: Option<(ServiceName, MetricName)>,
    /// How much time the charts show.
    pub(super) span: Span,
    pub(super) filters: BTreeMap<Screen, String>,
    pub(super) marks: BTreeSet<ReleaseId>,
    pub(super) overlay: Option<Overlay>,
    pub(super) pending: Vec<Key>,
    pub(super) comments: BTreeMap<ReleaseId, String>,
    pub(super) told: Vec<Told>,
    pub(super) sent: BTreeMap<u64, Sent>,
    pub(super) next: u64,
    /// The releases that have rung for this person.
    pub(super) rung: Option<BTreeSet<ReleaseId>>,
    /// The holds of whose deadlines this person was warned.
    pub(super) warned: Option<BTreeSet<(ReleaseId, HoldId)>>,
    /// When the person last did something.
    pub(super) touched: Timestamp,
    version: u64,
}

impl Desk {
    /// A desk at the releases screen.
    pub fn new(setup: Setup, now: Timestamp) -> Desk {
        let name = setup.theme.unwrap_or_else(|| AUTO.to_owned());
        let (theme, unknown) = setup.themes.choose(&name, setup.caps);
        let mut desk = Desk {
            asker: setup.asker,
            keymap: setup.keymap,
            themes: setup.themes,
            theme_name: theme.name().to_owned(),
            theme,
            caps: setup.caps,
            zone: setup.zone,
            ends: setup.ends,
            size: setup.size,
            mouse: true,
            place: Place::of(Screen::Releases),
            back: Vec::new(),
            order: Order::default(),
            spot: None,
            subject: None,
            rows: Scroll::default(),
            closed_shown: false,
            queue: Scroll::default(),
            queued: Vec::new(),
            voting: None,
            page: Page::default(),
            metrics: Scroll::default(),
            metric: None,
            span: Span::mins(15),
            filters: BTreeMap::new(),
            marks: BTreeSet::new(),
            overlay: None,
            pending: Vec::new(),
            comments: BTreeMap::new(),
            told: Vec::new(),
            sent: BTreeMap::new(),
            next: 1,
            rung: None,
            warned: None,
            touched: Timestamp(0),
            version: 0,
        };
        for notice in setup.notices.into_iter().chain(unknown) {
            desk.tell(notice, now);
        }
        desk
    }

    /// Who sits here.
    pub const fn asker(&self) -> &Asker {
        &self.asker
    }

    /// The person who sits here, where the door named one.
    pub const fn who(&self) -> Option<&PersonName> {
        self.asker.who.person()
    }

    /// How everything looks.
    pub const fn theme(&self) -> &Theme {
        &self.theme
    }

    /// Where the person is.
    pub const fn place(&self) -> Place {
        self.place
    }

    /// The release that keys act on, and that the screens of one release show.
    pub fn subject(&self) -> Option<ReleaseId> {
        self.subject
    }

    /// A number that is another one whenever the desk changed.
    pub const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn changed(&mut self) {
        self.version += 1;
    }

    /// Which tables of the keymap hold, innermost first.
    pub fn contexts(&self) -> &'static [Context] {
        match &self.overlay {
            Some(overlay) => overlay.contexts(),
            None => self.screen_contexts(),
        }
    }

    /// Which tables of the keymap hold on the screen itself, whatever lies over it.
    pub const fn screen_contexts(&self) -> &'static [Context] {
        match self.place.screen {
            Screen::Releases => Context::STACKS[0],
            Screen::Rollout => Context::STACKS[1],
            Screen::Metrics => Context::STACKS[2],
            Screen::Approvals => Context::STACKS[3],
            Screen::Calendar => Context::STACKS[8],
            Screen::Help | Screen::Notices => Context::STACKS[4],
        }
    }

    /// What the rows of the present screen must match.
    pub fn filter(&self) -> &str {
        self.filters
            .get(&self.place.screen)
            .map_or("", String::as_str)
    }

    /// Tells the person something.
    pub fn tell(&mut self, notice: Notice, now: Timestamp) {
        if self.told.len() == KEPT {
            self.told.remove(0);
        }
        self.told.push(Told {
            notice,
            at: now,
            dismissed: false,
        });
        self.changed();
    }

    /// What was told last, as long as it is news: errors and warnings until they are put away,
    /// good news for some seconds.
    pub fn news(&self, now: Timestamp) -> Option<&Told> {
        self.told.iter().rev().find(|told| {
            let fresh = told.notice.level > Level::Info || now.since(told.at) < GOOD_NEWS;
            !told.dismissed && fresh
        })
    }

    /// Puts away what was told last; `false` when there is nothing.
    pub(super) fn dismiss(&mut self, now: Timestamp) -> bool {
        let any = self.news(now).is_some();
        for told in &mut self.told {
            told.dismissed = true;
        }
        any
    }

    /// Sends a command to the engine.
    pub(super) fn send(
        &mut self,
        ask: domain::Ask,
        what: String,
        release: Option<ReleaseId>,
        now: Timestamp,
    ) -> Ask {
        let id = self.next;
        self.next += 1;
        self.sent.insert(
            id,
            Sent {
                what,
                release,
                at: now,
            },
        );
        Ask::Command { id, ask }
    }

    /// The engine's answer to a command.
    pub fn answered(&mut self, id: u64, answer: Result<(), Notice>, now: Timestamp) {
        let Some(sent) = self.sent.remove(&id) else {
            return;
        };
        self.changed();
        if let Some(Overlay::Results(results)) = &mut self.overlay
            && results.answered(id, &answer)
        {
            return;
        }
        match answer {
            Ok(()) => self.tell(Notice::info("done", format!("{}: done", sent.what)), now),
            Err(notice) => {
                let headline = format!("{}: {}", sent.what, notice.headline);
                self.tell(Notice { headline, ..notice }, now);
            }
        }
    }

    /// Looks at the world anew: brings the order of the rows up to date once nobody's fingers are
    /// on the keys, keeps the cursor on its release, and rings for what needs the person now.
    pub fn settle(&mut self, world: World<'_>) -> Vec<Ask> {
        let still = world.now.since(self.touched) < PAUSE && self.touched.0 != 0;
        let who = self.asker.who.person().cloned();
        self.order.settle(world, who.as_ref(), self.zone, still);
        super::screens::approvals::settle(self, world, still);
        self.keep_cursor(world);
        self.marks.retain(|id| world.release(*id).is_some());
        self.changed();
        let mut asks = self.warn(world);
        let needing = self.order.needing();
        let Some(rung) = self.rung.replace(needing.clone()) else {
            return asks;
        };
        for id in needing.difference(&rung) {
            let Some(release) = world.release(*id) else {
                continue;
            };
            let waiting = world.waiting(release);
            let words = format!("{id} {} asks you: {}", release.subject(), waiting.what);
            self.tell(Notice::info("asks-you", words), world.now);
            asks = vec![Ask::Bell];
        }
        asks
    }

    /// Tells of deadlines that have come near, and rings if they wait for this person.
    fn warn(&mut self, world: World<'_>) -> Vec<Ask> {
        let near = |release: &Arc<Release>| {
            let hold = release.hold()?;
            let warned = matches!(hold.state, HoldState::Open { warned: true, .. });
            warned.then(|| (release.id, hold.id.clone()))
        };
        let near: BTreeSet<_> = world.state.live.values().filter_map(near).collect();
        let Some(before) = self.warned.replace(near.clone()) else {
            return Vec::new();
        };
        let mut asks = Vec::new();
        for (id, _) in near.difference(&before) {
            let Some(release) = world.release(*id) else {
                continue;
            };
            let waiting = world.waiting(release);
            let left = waiting.until.map(|at| at.since(world.now));
            let left = left.map_or_else(String::new, |left| {
                format!(" in {}", super::say::short(left))
            });
            let (subject, then, what) = (release.subject(), waiting.then, &waiting.what);
            let words = format!("{id} {subject} {then}{left}: {what}");
            if self.order.needing().contains(id) {
                asks = vec![Ask::Bell];
                self.tell(Notice::warning("deadline-near", words), world.now);
            } else {
                self.tell(Notice::info("deadline-near", words), world.now);
            }
        }
        asks
    }
}
