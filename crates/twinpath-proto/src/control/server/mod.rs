//! The Server, which answers a Control-Client (RFC 5357 section 3).

mod answers;
mod config;
mod engine;
mod event;
mod fault;
mod request;
mod sessions;
mod sid;
mod stage;

pub use config::{Admission, Nonces, ServerConfig};
pub use engine::Server;
pub use event::{CloseReason, Opened, PeerDeviation, ServerEvent};
pub use fault::RequestFault;
pub use request::SessionRequest;
pub use sid::make_sid;
pub use stage::ConnectionStage;
