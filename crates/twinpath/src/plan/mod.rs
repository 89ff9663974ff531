//! Arguments resolved into what the runtime runs: names looked up and families checked.
//! Nothing is bound here.

#[cfg(feature = "control")]
mod control;
mod doctor;
mod ends;
mod identity;
mod key_file;
mod limits;
mod lookups;
mod micro_sessions;
mod named_end;
mod options;
mod resolve;
mod responder;
mod sender;
mod sessions;
mod targets;
mod threads;
mod tlvs;

use std::ffi::CStr;
use std::hash::{BuildHasher as _, RandomState};

#[cfg(feature = "control")]
pub(crate) use control::{
    EnvironmentPassphrase, PlannedControl, controlclients, controllers, server, server_limits,
    unreflected,
};
pub(crate) use doctor::doctor;
pub(crate) use ends::other_addresses;
pub(crate) use identity::identities;
pub(crate) use key_file::{key_file, stamp_keys};
pub(crate) use limits::{LimitLine, LimitsFile};
pub(crate) use named_end::{Ends, NamedEnd};
#[cfg(feature = "daemon")]
pub(crate) use options::{Layer, OptionReader, Setting, Unread};
pub(crate) use resolve::{Lookup, system_lookup};
pub(crate) use responder::{reflector, responder};
#[cfg(feature = "daemon")]
pub(crate) use sender::mean_interval;
pub(crate) use sender::{classes, figures, rows_fit, unfilled};
pub(crate) use sessions::{PlannedSession, PlannedSessions, Target, WaitingTarget, sessions};
pub(crate) use threads::{shared as shared_threads, unused as unused_threads};
pub(crate) use tlvs::unsigned_control;

/// The environment variable of a passphrase, which keeps it off the command line.
const PASSPHRASE: &CStr = c"TWINPATH_PASSPHRASE";

/// Removes a passphrase from the environment of a command that does not use it.
#[cfg(not(feature = "control"))]
pub(crate) fn forget_passphrase() {
    drop(twinpath_runtime::host::take_variable(PASSPHRASE));
}

/// A seed that differs from run to run, from the system's own source.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(())
}

/// Of an interval, so that what is due at the same time is not done at the same time: 0.75 to 1.25.
pub(crate) fn jitter() -> f64 {
    let share = u32::try_from(seed() >> 32).unwrap_or(0);
    0.75 + 0.5 * f64::from(share) / f64::from(u32::MAX)
}
