//! From the options about keys to keys.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use twinpath_proto::stamp::{KeyScope, StampKeys};
use twinpath_runtime::keys::{self, Access, KeyFile};

use crate::args::HmacKeyOptions;
use crate::failure::Failure;
use crate::output::words::error::KeyLine;
use crate::service;

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
    } else if service::is_credential(path) {
        Access::Service
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
    // What `--hmac-key` excludes is not required of it.
    if options.hmac_key.is_some() && options.insecure_key_file {
        return Err(Failure::usage("--insecure-key-file needs --hmac-key-file"));
    }
    any_stamp_keys(options)
}

/// The same where `--insecure-key-file` may be about another file.
///
/// # Errors
/// As [`stamp_keys`].
pub(super) fn any_stamp_keys(options: &HmacKeyOptions) -> Result<StampKeys, Failure> {
    match (&options.hmac_key, &options.hmac_key_file) {
        (Some(digits), _) => {
            let key = keys::stamp_key(digits.as_bytes())
                .map_err(|error| Failure::usage(format!("--hmac-key: {error}")))?;
            Ok(StampKeys::new([(KeyScope::Default, key)]))
        }
        (None, Some(path)) => key_file(path, options.insecure_key_file),
        (None, None) => Ok(StampKeys::default()),
    }
}

/// The keys of several targets: each file is read once.
#[derive(Default)]
pub(super) struct KeysRead<'a>(HashMap<&'a Path, Arc<StampKeys>>);

impl<'a> KeysRead<'a> {
    /// Those that the options name.
    ///
    /// # Errors
    /// As [`stamp_keys`].
    pub(super) fn keys(&mut self, options: &'a HmacKeyOptions) -> Result<Arc<StampKeys>, Failure> {
        let path = options.hmac_key_file.as_deref();
        if let Some(keys) = path.and_then(|path| self.0.get(path)) {
            return Ok(Arc::clone(keys));
        }
        let keys = Arc::new(stamp_keys(options)?);
        if let Some(path) = path {
            self.0.insert(path, Arc::clone(&keys));
        }
        Ok(keys)
    }
}
