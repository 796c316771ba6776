//! Samples in, verdict out, pure.

pub mod sample;

pub use sample::Sample;
