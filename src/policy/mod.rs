//! Policy, pure: facts in, ruling with reasons out.
//!
//! [`facts`] gathers what is known of a plan, [`risk`] makes a score of it, [`ruling`] finds the rule
//! that counts and says why in sentences, [`turn`] hands the ruling in whenever one is wanted.
//! [`diff`] says which open releases another policy would treat differently, [`cases`] tries a
//! policy on dated cases.

pub mod cases;
pub mod diff;
pub mod facts;
pub mod risk;
pub mod ruling;
pub mod turn;

#[cfg(test)]
mod tests;
