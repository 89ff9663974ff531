//! Arguments resolved into what the runtime runs: names looked up and families checked.
//! Nothing is bound here.

#[cfg(feature = "control")]
mod control;
mod ends;
mod resolve;
mod responder;
mod sender;

use std::ffi::CStr;
use std::hash::{BuildHasher as _, RandomState};

#[cfg(feature = "control")]
pub(crate) use control::{Given, controlclients, controllers, ring, server};
pub(crate) use ends::other_addresses;
pub(crate) use resolve::system_lookup;
pub(crate) use responder::responder;
pub(crate) use sender::{classes, figures, rows_fit, sender};

/// Where a passphrase may stand that no command line shows.
const PASSPHRASE: &CStr = c"TWINPATH_PASSPHRASE";

/// Takes a passphrase out of the environment of a program that has no use for any.
#[cfg(not(feature = "control"))]
pub(crate) fn forget_passphrase() {
    drop(twinpath_runtime::host::take_variable(PASSPHRASE));
}

/// A seed that differs from run to run, from the system's own source.
pub(crate) fn seed() -> u64 {
    RandomState::new().hash_one(())
}
