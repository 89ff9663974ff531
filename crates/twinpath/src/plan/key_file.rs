//! From the options about keys to keys.

use std::path::Path;

use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_runtime::keys::{self, Access, KeyFile};

use crate::args::HmacKeyOptions;
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

/// The keys of STAMP; none if there are no options.
///
/// # Errors
/// What is wrong with the key, or with its file.
pub(crate) fn stamp_keys(options: &HmacKeyOptions) -> Result<StampKeys, Failure> {
    match (&options.hmac_key, &options.hmac_key_file) {
        // What `--hmac-key` excludes is not required of it.
        (Some(_), _) if options.insecure_key_file => {
            Err(Failure::usage("--insecure-key-file needs --hmac-key-file"))
        }
        (Some(digits), _) => {
            let key = keys::stamp_key(digits.as_bytes())
                .map_err(|error| Failure::usage(format!("--hmac-key: {error}")))?;
            Ok(StampKeys::new([(KeyScope::Default, key)]))
        }
        (None, Some(path)) => key_file(path, options.insecure_key_file),
        (None, None) => Ok(StampKeys::default()),
    }
}
