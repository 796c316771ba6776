//! What a room's socket leads to: the engine's commands, the desks for people with a terminal, and
//! who is who.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;

use super::closed::lines;
use super::exec::{Order, exec};
use super::keeper::{Keeper, Line, Settled};
use super::out::{Chunk, Look, Out};
use crate::config::tokens::Identities;
use crate::domain::live::Live;
use crate::domain::{Actor, Ask, Door, Notice, State};
use crate::engine::EngineHandle;
use crate::session::socket::{Console, ExecRequest, Host};
use crate::session::{Identity, Room};
use crate::tui::{Caps, Depth};

/// A room with its engine.
pub struct House<R> {
    /// Gives people with a terminal a desk.
    pub room: R,
    /// The engine.
    pub engine: EngineHandle,
    /// Who is who, as the room's files say now.
    pub identities: watch::Receiver<Arc<Identities>>,
}

impl<R: Room> Host for House<R> {
    type Room = R;

    fn room(&self) -> &R {
        &self.room
    }

    fn identify(&self, uid: u32, token: Option<&str>) -> Result<Identity, Notice> {
        identify(&self.identities.borrow(), uid, token)
    }

    async fn exec(&self, who: Identity, request: ExecRequest, console: Console) -> i32 {
        let look = look(request.tty, request.cols);
        let order = Order {
            argv: request.argv,
            files: request.files,
        };
        let (out, mut chunks) = Out::new(look);
        let engine = &self.engine;
        let run = async move { exec(&who, engine, &order, &out).await };
        let print = async {
            while let Some(chunk) = chunks.recv().await {
                match chunk {
                    Chunk::Out(text) => console.stdout(text).await,
                    Chunk::Err(text) => console.stderr(text).await,
                }
            }
        };
        let (exit, ()) = tokio::join!(run, print);
        i32::from(exit.code())
    }
}

/// Who comes, by the uid that the kernel named and the token that was shown.
///
/// # Errors
/// When a token was shown that is nobody's: whoever shows one wants to be somebody.
pub fn identify(
    identities: &Identities,
    uid: u32,
    token: Option<&str>,
) -> Result<Identity, Notice> {
    let person = |name: &crate::domain::PersonName| Actor::Person(name.clone());
    match token {
        Some(token) => match identities.by_token(token) {
            Some(name) => Ok(Identity {
                who: person(name),
                door: Door::Token { uid },
            }),
            None => Err(Notice::error("unknown-token", "nobody here has this token")
                .detail("people.toml holds the hash of another one, or of none")
                .next("`holdpoint token NAME` makes one and prints the line for people.toml; the engine reads it when it changes")),
        },
        None => Ok(Identity {
            who: identities.by_uid(uid).map_or(Actor::Nobody, person),
            door: Door::Socket { uid },
        }),
    }
}

/// How the far end can show things.
fn look(tty: Option<Caps>, cols: u16) -> Look {
    Look {
        tty: tty.is_some(),
        cols: if tty.is_some() { cols } else { 0 },
        colour: tty.is_some_and(|caps| caps.depth != Depth::None),
        ascii: tty.is_some_and(|caps| !caps.unicode),
        json: false,
    }
}

impl Keeper for EngineHandle {
    fn state(&self) -> watch::Receiver<Arc<State>> {
        EngineHandle::state(self)
    }

    fn live_now(&self) -> Arc<Live> {
        self.board().now()
    }

    fn runs(&self) -> bool {
        true
    }

    async fn ask(&self, who: &Actor, door: &Door, ask: Ask) -> Result<Settled, Notice> {
        let done = EngineHandle::ask(self, who.clone(), door.clone(), ask).await?;
        Ok(Settled {
            seq: done.seq,
            release: done.release,
        })
    }

    async fn entries(&self, from: u64, most: usize) -> Result<Vec<Line>, Notice> {
        lines(self.ledger(), from, most).await
    }

    async fn backup(&self, file: PathBuf) -> Result<(u64, String), Notice> {
        let backup = EngineHandle::backup(self, &file).await?;
        Ok((backup.head.seq, backup.head.hash.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::fixture_room;

    #[test]
    fn a_token_comes_before_the_uid_and_a_wrong_one_lets_nobody_in() {
        let who = fixture_room().identities;
        let kim = identify(&who, 4711, Some("kim-token")).unwrap();
        assert_eq!(kim.who, Actor::Person("kim".into()));
        assert_eq!(kim.door, Door::Token { uid: 4711 });
        assert_eq!(
            identify(&who, 4711, Some("nonsense")).unwrap_err().code,
            "unknown-token"
        );
        let nobody = identify(&who, 4711, None).unwrap();
        assert_eq!(nobody.who, Actor::Nobody);
    }
}
