//! Every screen in every situation, as text and roles; and what keys do at a desk.

mod calendar;
mod judged;
mod keys;
mod pictures;
mod ruled;
mod seat;
mod shop;
mod shots;
mod sizes;
mod workloads;
