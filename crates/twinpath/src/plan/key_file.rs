//! From the options about keys to keys.

use std::path::Path;

use twinpath_runtime::keys::{self, Access, KeyFile};

use crate::failure::Failure;
use crate::output::words::error::KeyLine;

/// Reads a file of keys. `insecure`: others may read or change it.
///
/// # Errors
/// What is wrong with it, by its line.
pub(crate) fn key_file<K: KeyFile<Fault: KeyLine>>(
    path: &Path,
    insecure: bool,
) -> Result<K, Failure> {
    let access = if insecure {
        Access::Anybody
    } else {
        Access::OwnerOnly
    };
    Ok(keys::read(path, access)?)
}
