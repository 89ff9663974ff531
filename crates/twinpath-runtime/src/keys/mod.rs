//! Shared secrets, out of files. A process that reads one keeps it out of core dumps from then on.

mod file;
#[cfg(feature = "control")]
mod ring;
mod stamp;

pub use file::{Access, KeyFile, KeysError, read};
#[cfg(feature = "control")]
pub use ring::{
    Key, KeyRing, LineFault, MOST_PASSPHRASE_OCTETS, PassphraseError, from_environment, passphrase,
};
pub use stamp::{StampKeyError, StampLineFault, scope_name, stamp_key};
