//! The TWAMP Server: control connections on an async runtime, test sessions on reflector threads
//! (RFC 5357 section 3).

mod admission;
mod connection;
mod connection_counts;
mod failed_logins;
mod keys;
mod listen;
mod log_limit;
mod plan;
mod report;
mod run;
mod sessions;

pub use admission::ListedConnection;
pub use connection_counts::ConnectionCounts;
pub use keys::KeyChanges;
pub use plan::{ServerLimits, ServerPlan};
pub use report::{ServerCounters, ServerReport};
use run::ServerState;
pub use run::{ServerRun, start, start_on};
pub use sessions::{ControlConnection, ServerSession};
