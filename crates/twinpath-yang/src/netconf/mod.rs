//! NETCONF 1.0 and 1.1 (RFC 6241) for a server, without its transport: messages in a stream of octets ([`framing`]), `hello`
//! ([`Hello`]), requests ([`Request`]), replies ([`Reply`]), and the state of its datastores ([`Datastores`]).
//!
//! The octets come from the caller and go back to it, and so do times. NETCONF's own operations are read by what RFC 6241
//! says and not by the module `ietf-netconf`, so a schema need not have it.

mod action;
mod datastores;
mod error;
pub mod events;
pub mod framing;
mod hello;
mod monitoring;
mod operation;
mod params;
mod reply;
mod rpc;
mod session;
mod show;
mod time;

pub use datastores::{Commit, Context, Datastores, Effect, Lock};
pub use error::{ErrorInfo, ErrorPath, Layer, RpcError};
pub use framing::{Decoder, Framing, FramingError};
pub use hello::{BASE_1_0, BASE_1_1, Hello, HelloError, ServerOptions, Version, capabilities};
pub use monitoring::{Counts, ServerState, SessionState, Stream, netconf_state, streams};
pub use operation::{
    CONFIRM_TIMEOUT, CommitOptions, Datastore, EditConfig, ErrorOption, MONITORING, NOTIFICATION,
    Operation, Selection, Source, Subscription, TestOption, WITH_DEFAULTS, WithDefaults,
    schema_text,
};
pub use reply::{
    Reply, STREAMS, notification, notification_complete, notification_of, replay_complete,
};
pub use rpc::{BadMessage, Request};
pub use session::{Received, Session, SessionEnd};
pub use time::Time;
