//! What a command measures, as all parts of the run know it.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use twinpath_proto::sender::Protocol;
use twinpath_runtime::SenderPlan;
use twinpath_runtime::measure::SessionHandle;
use twinpath_wire::{Tos, Wall};

use crate::args::RunOptions;

/// What is measured.
pub(super) struct Subject<'a> {
    pub(super) command: &'static str,
    /// The reflector or the Server.
    pub(super) far: SocketAddr,
    /// The protocol, for the view.
    pub(super) what: String,
    /// That of the packets, as far as it is known in advance.
    pub(super) protocol: Protocol,
    /// Every session's but for the class.
    pub(super) plan: &'a SenderPlan,
    pub(super) classes: &'a [Tos],
}

/// A run whose sessions are about to begin.
pub(super) struct Beginning<'a> {
    pub(super) subject: &'a Subject<'a>,
    pub(super) options: &'a RunOptions,
    pub(super) sessions: &'a [SessionHandle],
    /// What the sessions are called, where there are several.
    pub(super) names: &'a [String],
}

/// The system clock, by which packets are stamped.
pub(super) fn now() -> Wall {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    Wall::from_unix_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
