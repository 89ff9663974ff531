//! What a configuration says of its mesh.

use std::path::PathBuf;
use std::time::Duration;

use crate::http::client::EndpointOptions;

use super::fetch::Location;

/// Where the document is, and what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeshSettings {
    pub(in crate::daemon) location: Location,
    /// Who signs it.
    pub(in crate::daemon) key: Option<String>,
    /// Which node this host is.
    pub(in crate::daemon) node: Option<String>,
    /// The directory of files of keys.
    pub(in crate::daemon) keys: Option<PathBuf>,
    pub(in crate::daemon) poll: Duration,
    /// Where the last good document is kept.
    pub(in crate::daemon) cache: Option<PathBuf>,
    /// `None`: the cells of other nodes are not gathered.
    pub(in crate::daemon) gather: Option<GatherSettings>,
}

/// How the pages of other nodes are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GatherSettings {
    pub(in crate::daemon) every: Duration,
    pub(in crate::daemon) options: EndpointOptions,
}

impl MeshSettings {
    /// Serial numbers grow among the documents of one key, or of one place.
    pub(super) fn origin(&self) -> String {
        self.key.clone().unwrap_or_else(|| self.location.name())
    }

    /// Whether documents are fetched in the same way.
    pub(super) fn fetches_as(&self, other: &Self) -> bool {
        (&self.location, &self.key, self.poll, &self.cache)
            == (&other.location, &other.key, other.poll, &other.cache)
    }
}
