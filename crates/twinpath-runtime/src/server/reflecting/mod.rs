//! Threads that reflect the sessions agreed on with a Server.

mod ledger;
mod open;
mod reflectors;
mod worker;

pub(super) use open::{OpenError, Wish, is_exhausted};
pub(super) use reflectors::{Limits, ReflectingOptions, Reflectors};
pub(super) use worker::Fact;
