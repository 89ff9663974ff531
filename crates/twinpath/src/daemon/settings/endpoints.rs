//! Servers that requests are sent to.

use std::path::PathBuf;

use twinpath_yang::Path;

use crate::args::key_path;
use crate::http::client::{Endpoint, EndpointOptions};

use super::leaves::Leaves;
use super::reading::Reading;

/// The leaves beside a URL.
pub(super) const OF_ENDPOINT: [&str; 5] = ["token", "user", "ca", "certificate", "key"];

impl Reading<'_> {
    /// The server with this URL, which `leaf` of the node at `path` has, and the leaves beside it.
    pub(super) fn endpoint(
        &mut self,
        path: &Path,
        leaf: &str,
        url: &str,
        leaves: &Leaves,
    ) -> Option<Endpoint> {
        let options = self.endpoint_options(path, leaves)?;
        let endpoint = Endpoint::parse(url, options).map_err(|fault| {
            let advice = fault.advice;
            match fault.option {
                Some(option) => self.wrong_at(path, option, format!("{option}: {advice}")),
                None => self.wrong_at(path, leaf, format!("{leaf} {url}: {advice}")),
            }
        });
        endpoint.ok()
    }

    /// The leaves beside an address.
    pub(super) fn endpoint_options(
        &mut self,
        path: &Path,
        leaves: &Leaves,
    ) -> Option<EndpointOptions> {
        Some(EndpointOptions {
            token: self.secret(path, "token", leaves).ok()?,
            user: leaves.one("user").map(str::to_owned),
            ca: leaves.one("ca").map(PathBuf::from),
            certificate: leaves.one("certificate").map(PathBuf::from),
            key: self.secret(path, "key", leaves).ok()?,
        })
    }

    /// The file of a secret; an error is noted.
    fn secret(&mut self, path: &Path, leaf: &str, leaves: &Leaves) -> Result<Option<PathBuf>, ()> {
        let file = leaves.one(leaf).map(|text| {
            let file = key_path(text);
            file.map_err(|what| self.wrong_at(path, leaf, format!("{text}: {what}")))
        });
        file.transpose()
    }
}
