//! Where the mesh document is.

use std::path::PathBuf;

use crate::args::above_zero;
use crate::daemon::mesh::{Location, MeshSettings, check_key};
use crate::store::StoreSettings;

use super::reading::Reading;

/// The directory of the document in that of the store, which programs that read it pass over.
const IN_STORE: &str = "_mesh";
/// What the schema has as the default.
const POLL: &str = "5m";

impl Reading<'_> {
    /// Where the mesh document is, if there is one.
    pub(super) fn mesh(&mut self, store: Option<&StoreSettings>) -> Option<MeshSettings> {
        let leaves = self.container("mesh");
        let url = leaves.one("url")?;
        let location = Location::parse(url);
        let location =
            location.map_err(|what| self.mesh_fault("url", format!("url {url}: {what}")));
        let key = leaves.one("key").map(str::to_owned);
        if let Some(Err(what)) = key.as_deref().map(check_key) {
            self.mesh_fault("key", format!("key: {what}"));
        }
        if location.as_ref().is_ok_and(Location::needs_key) && key.is_none() {
            let what = format!("url {url}: others could send another document: add key");
            self.mesh_fault("url", what);
        }
        let poll = above_zero(leaves.one("poll").unwrap_or(POLL));
        let poll = poll.map_err(|advice| self.mesh_fault("poll", format!("poll: {advice}")));
        let cache = leaves.one("cache").map(PathBuf::from);
        Some(MeshSettings {
            location: location.ok()?,
            key,
            node: leaves.one("node").map(str::to_owned),
            keys: leaves.one("keys").map(PathBuf::from),
            poll: poll.ok()?.0.max(std::time::Duration::from_secs(1)),
            cache: cache.or_else(|| store.map(|store| store.path.join(IN_STORE))),
        })
    }

    fn mesh_fault(&mut self, leaf: &str, what: String) {
        let path = self.model.path("mesh", None);
        self.wrong_at(&path, leaf, what);
    }
}
