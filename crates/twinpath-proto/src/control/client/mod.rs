//! The Control-Client: what asks a Server for sessions (RFC 5357 section 3).

mod engine;
mod error;
mod event;
mod plan;
mod requests;
mod said;
mod sessions;

pub use engine::ControlClient;
pub use error::{Awaited, ClientError};
pub use event::ClientEvent;
pub use plan::{ClientPlan, SessionPlan};
pub use said::Said;
