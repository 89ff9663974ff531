//! Threads that reflect the sessions agreed on with a Server.

mod open;
mod reflectors;
mod session_registry;
mod worker;

pub(super) use open::{OpenError, OpenRequest, is_exhausted};
pub(super) use reflectors::Reflectors;
pub(super) use worker::Fact;
