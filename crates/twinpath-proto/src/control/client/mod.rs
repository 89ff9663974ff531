//! The Control-Client, which requests sessions from a Server (RFC 5357 section 3).

mod engine;
mod error;
mod event;
mod message;
mod plan;
mod requests;
mod sessions;

pub use engine::ControlClient;
pub use error::{ClientError, ExpectedAnswer};
pub use event::ClientEvent;
pub use message::Message;
pub use plan::{ClientPlan, SessionPlan};
