//! temporary
use super::{Desk, Guest, News, Room, Wish};
use crate::engine::EngineHandle;
use crate::tui::Input;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use std::time::Duration;
/// tmp
pub struct Hall;
/// tmp
pub struct Seat;
impl Hall {
    /// tmp
    pub fn new(
        _e: EngineHandle,
        _k: Option<(String, String)>,
        _t: Option<(String, String)>,
    ) -> Hall {
        Hall
    }
}
impl Room for Hall {
    type Desk = Seat;
    fn open(&self, _g: &Guest) -> Seat {
        Seat
    }
}
impl Desk for Seat {
    fn input(&mut self, _i: Input) -> Vec<Wish> {
        vec![Wish::Quit]
    }
    async fn changed(&mut self) -> News {
        std::future::pending().await
    }
    fn paint(&self, _a: Rect, _b: &mut Buffer) -> Option<Position> {
        None
    }
    fn stamp(&self) -> u64 {
        0
    }
    fn rest(&self) -> Duration {
        Duration::from_secs(1)
    }
}
