//! Threads that reflect the sessions agreed on with a Server.

mod duties;
mod open;
mod reflectors;
mod session_registry;

pub(super) use duties::Fact;
pub(super) use open::{OpenError, OpenRequest, is_exhausted};
pub(super) use reflectors::Reflectors;
pub use reflectors::ServerSession;
pub use session_registry::ControlConnection;
