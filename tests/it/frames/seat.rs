//! Somebody at a desk of the shop: presses keys, looks at the screen.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use holdpoint::domain::live::Live;
use holdpoint::domain::{self, Actor, Door, Refusal, Timestamp};
use holdpoint::tui::{
    self, Ask, Asker, Caps, Depth, Desk, Input, Key, KeySeq, Keymap, Role, Scene, Setup,
    SourceFile, Themes, World, update,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::style::{Color, Modifier, Style};

use super::shop;
use crate::room::Room;

/// Somebody at a desk.
pub struct Seat {
    pub room: Room,
    pub live: Live,
    pub desk: Desk,
    pub size: (u16, u16),
    /// What the desk asked for besides commands.
    pub asked: Vec<Ask>,
    /// What the engine said to each command.
    pub answers: Vec<Result<(), Refusal>>,
    /// What the engine was asked.
    pub commands: Vec<domain::Ask>,
    /// Whether the engine answers.
    pub engine: bool,
}

/// A theme in which every role has its own colour, so that a picture can be read back as roles.
static ROLES: LazyLock<Arc<Themes>> = LazyLock::new(|| {
    let mut text = String::from("inherits = \"dark\"\n[roles]\n");
    for (n, role) in Role::ALL.iter().enumerate() {
        let ground = match role {
            Role::RowCursor | Role::Choice | Role::Dialog | Role::Entry | Role::Text => {
                format!(" on #{:06x}", 0x10_0000 + n)
            }
            _ => String::new(),
        };
        let _ = writeln!(
            text,
            "\"{}\" = \"#{:06x}{ground} plain\"",
            role.name(),
            n + 1
        );
    }
    let (themes, notices) = Themes::load(&[SourceFile {
        name: "roles.toml",
        text: &text,
    }]);
    assert_eq!(notices, []);
    Arc::new(themes)
});

static KEYS: LazyLock<Arc<Keymap>> = LazyLock::new(|| Arc::new(Keymap::built_in()));

impl Seat {
    /// A person at a desk of this size, in a theme that tells roles apart.
    pub fn new(room: Room, who: &str, size: (u16, u16)) -> Seat {
        let caps = Caps {
            depth: Depth::True,
            ..Caps::default()
        };
        Seat::with(room, who, size, "roles", caps)
    }

    /// The same with other keys.
    pub fn with_keys(room: Room, who: &str, size: (u16, u16), keymap: Keymap) -> Seat {
        let caps = Caps {
            depth: Depth::True,
            ..Caps::default()
        };
        Seat::sit(room, who, size, "roles", caps, Arc::new(keymap))
    }

    /// The same in a given theme, on a given terminal.
    pub fn with(room: Room, who: &str, size: (u16, u16), theme: &str, caps: Caps) -> Seat {
        Seat::sit(room, who, size, theme, caps, KEYS.clone())
    }

    fn sit(
        room: Room,
        who: &str,
        size: (u16, u16),
        theme: &str,
        caps: Caps,
        keymap: Arc<Keymap>,
    ) -> Seat {
        let live = shop::live(&room);
        let who = if who.is_empty() {
            Actor::Nobody
        } else {
            Actor::Person(who.into())
        };
        let setup = Setup {
            asker: Asker {
                who,
                door: Door::Socket { uid: 1000 },
            },
            keymap,
            themes: ROLES.clone(),
            theme: Some(theme.to_owned()),
            caps,
            zone: chrono_tz::Europe::Berlin,
            size: Size::new(size.0, size.1),
            ends: false,
            notices: Vec::new(),
        };
        let mut seat = Seat {
            desk: Desk::new(setup, room.now),
            room,
            live,
            size,
            asked: Vec::new(),
            answers: Vec::new(),
            commands: Vec::new(),
            engine: true,
        };
        seat.settle();
        seat
    }

    /// The desk takes in what the room has become.
    pub fn settle(&mut self) {
        let asks = self.desk.settle(World {
            state: self.room.state(),
            live: &self.live,
            now: self.room.now,
        });
        self.asked.extend(asks);
    }

    /// Presses keys as they are written in a keymap, one after the other.
    pub fn keys(&mut self, keys: &str) -> &mut Seat {
        let seq: Vec<Key> = keys
            .split_whitespace()
            .flat_map(|k| k.parse::<KeySeq>().unwrap().keys().to_vec())
            .collect();
        for key in seq {
            self.input(Input::Key(key));
        }
        self
    }

    /// Types a text.
    pub fn types(&mut self, text: &str) -> &mut Seat {
        for c in text.chars() {
            self.input(Input::Key(Key::plain(tui::Code::Char(c))));
        }
        self
    }

    /// Hands an input in, and what it asks for to the engine.
    pub fn input(&mut self, input: Input) {
        let state = self.room.draft.state.clone();
        let world = World {
            state: &state,
            live: &self.live,
            now: self.room.now,
        };
        if let Input::Resize { cols, rows } = input {
            self.size = (cols, rows);
        }
        let asks = update(&mut self.desk, world, input);
        self.grant(asks);
    }

    /// Runs an action as the palette does.
    pub fn act(&mut self, action: tui::Action) {
        let state = self.room.draft.state.clone();
        let world = World {
            state: &state,
            live: &self.live,
            now: self.room.now,
        };
        let asks = tui::update::act(&mut self.desk, world, action);
        self.grant(asks);
    }

    fn grant(&mut self, asks: Vec<Ask>) {
        for ask in asks {
            match ask {
                Ask::Command { id, ask } => {
                    self.commands.push(ask.clone());
                    if !self.engine {
                        continue;
                    }
                    let asker = self.desk.asker().clone();
                    let answer = self.room.ask(asker.who, asker.door, ask);
                    self.answers.push(answer.clone());
                    let answer = answer.map_err(|refusal| refusal.notice());
                    self.desk.answered(id, answer, self.room.now);
                }
                other => self.asked.push(other),
            }
        }
    }

    /// What is painted.
    pub fn buffer(&self) -> (Buffer, Option<Position>) {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        let scene = Scene {
            desk: &self.desk,
            world: World {
                state: self.room.state(),
                live: &self.live,
                now: self.room.now,
            },
        };
        let painted = tui::paint(&scene, area, &mut buffer);
        (buffer, painted.cursor)
    }

    /// The screen as text.
    pub fn text(&self) -> String {
        text(&self.buffer().0)
    }

    /// The screen as text, and beneath it a letter for the role of every cell.
    pub fn picture(&self) -> String {
        let (buffer, cursor) = self.buffer();
        let mut out = text(&buffer);
        out.push_str("--- roles\n");
        let mut used = BTreeMap::new();
        for y in 0..buffer.area.height {
            let mut line = String::new();
            for x in 0..buffer.area.width {
                let cell = &buffer[(x, y)];
                let role = role(cell.fg);
                let blank = cell.symbol() == " ";
                let letter = match role {
                    _ if blank && ground(cell.bg) == Some(Role::RowCursor) => '_',
                    Some(role) if !blank && role != Role::Text => {
                        let letter = letter(role);
                        used.insert(letter, role);
                        letter
                    }
                    None if !blank => '!',
                    _ => ' ',
                };
                line.push(letter);
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        for (letter, role) in used {
            let _ = writeln!(out, "{letter} {}", role.name());
        }
        if let Some(at) = cursor {
            let _ = writeln!(out, "cursor {},{}", at.x, at.y);
        }
        out
    }

    /// Time goes by, and the desk sees what it brought.
    pub fn pass(&mut self, span: domain::Span) {
        self.room.pass(span);
        self.settle();
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.room.now
    }
}

fn text(buffer: &Buffer) -> String {
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let symbol = buffer[(x, y)].symbol();
            skip = tui::widgets::width(symbol).saturating_sub(1);
            line.push_str(symbol);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn role(color: Color) -> Option<Role> {
    match color {
        Color::Rgb(0, high, low) => {
            let n = usize::from(high) * 256 + usize::from(low);
            Role::ALL.get(n.checked_sub(1)?).copied()
        }
        _ => None,
    }
}

fn ground(color: Color) -> Option<Role> {
    match color {
        Color::Rgb(0x10, 0, low) => Role::ALL.get(usize::from(low)).copied(),
        _ => None,
    }
}

fn letter(role: Role) -> char {
    let letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    letters.chars().nth(role as usize).unwrap_or('?')
}

/// The screen with colours, for a terminal.
pub fn ansi(buffer: &Buffer) -> String {
    let mut out = String::from("\x1b[2J\x1b[H");
    let mut before = Style::new();
    for y in 0..buffer.area.height {
        let _ = write!(out, "\x1b[{};1H", y + 1);
        let mut skip = 0;
        for x in 0..buffer.area.width {
            if skip > 0 {
                skip -= 1;
                continue;
            }
            let cell = &buffer[(x, y)];
            if cell.style() != before {
                out.push_str("\x1b[0m");
                before = cell.style();
                for (on, code) in [
                    (Modifier::BOLD, 1),
                    (Modifier::DIM, 2),
                    (Modifier::ITALIC, 3),
                    (Modifier::UNDERLINED, 4),
                    (Modifier::REVERSED, 7),
                ] {
                    if cell.modifier.contains(on) {
                        let _ = write!(out, "\x1b[{code}m");
                    }
                }
                if let Color::Rgb(r, g, b) = cell.fg {
                    let _ = write!(out, "\x1b[38;2;{r};{g};{b}m");
                }
                if let Color::Rgb(r, g, b) = cell.bg {
                    let _ = write!(out, "\x1b[48;2;{r};{g};{b}m");
                }
            }
            skip = tui::widgets::width(cell.symbol()).saturating_sub(1);
            out.push_str(cell.symbol());
        }
    }
    out.push_str("\x1b[0m");
    out
}
