//! The Control-Client: what asks a Server for sessions (RFC 5357 section 3).

mod engine;
mod error;
mod event;
mod message;
mod plan;
mod requests;
mod sessions;

pub use engine::ControlClient;
pub use error::{Awaited, ClientError};
pub use event::ClientEvent;
pub use message::Message;
pub use plan::{ClientPlan, SessionPlan};
