//! Faults, with the real binary: engines that are killed, disks that are full, instances that are
//! stopped, words that would take over a terminal.

pub mod demo;
mod full_disk;
mod hostile;
mod idle;
mod kill_loop;
