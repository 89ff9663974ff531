//! Where the mesh document is.

use std::path::PathBuf;
use std::time::Duration;

use twinpath_yang::{Path, Select};

use crate::args::above_zero;
use crate::daemon::mesh::{GatherSettings, Location, MeshSettings, check_key};
use crate::http::client::EndpointOptions;
use crate::store::StoreSettings;

use super::leaves::Leaves;
use super::reading::Reading;

/// The directory of the document in that of the store, which programs that read it pass over.
const IN_STORE: &str = "_mesh";
/// What the schema has as defaults.
const POLL: &str = "5m";
const GATHER: &str = "15s";
/// However often something is asked for.
const SHORTEST: Duration = Duration::from_secs(1);

impl Reading<'_> {
    /// Where the mesh document is, if there is one.
    pub(super) fn mesh(&mut self, store: Option<&StoreSettings>) -> Option<MeshSettings> {
        let leaves = self.container("mesh");
        let url = leaves.one("url")?;
        let path = self.model.path("mesh", None);
        let key = leaves.one("key").map(str::to_owned);
        if let Some(Err(what)) = key.as_deref().map(check_key) {
            self.wrong_at(&path, "key", format!("key: {what}"));
        }
        let location = self.location(&path, url);
        if location.as_ref().is_some_and(Location::needs_key) && key.is_none() {
            let what = format!("url {url}: others could send another document: add key");
            self.wrong_at(&path, "url", what);
        }
        let poll = self.period(&path, "poll", &leaves, POLL);
        let gather = self.gather(&path);
        let cache = leaves.one("cache").map(PathBuf::from);
        Some(MeshSettings {
            location: location?,
            key,
            node: leaves.one("node").map(str::to_owned),
            keys: leaves.one("keys").map(PathBuf::from),
            poll: poll?,
            cache: cache.or_else(|| store.map(|store| store.path.join(IN_STORE))),
            gather,
        })
    }

    fn location(&mut self, path: &Path, url: &str) -> Option<Location> {
        let (http, leaves) = self.within(path, "http");
        if let Some(parsed) = Location::of_file(url) {
            return parsed
                .map_err(|what| self.wrong_at(path, "url", format!("url {url}: {what}")))
                .ok();
        }
        let document = self.endpoint(&http, "url", url, &leaves.clone().unwrap_or_default())?;
        let beside = Location::signature_url(url);
        let signature = self.endpoint(&http, "url", &beside, &leaves.unwrap_or_default())?;
        Some(Location::Http(Box::new([document, signature])))
    }

    /// How the cells of other nodes are gathered, if they are.
    fn gather(&mut self, path: &Path) -> Option<GatherSettings> {
        let (path, leaves) = self.within(path, "gather");
        let leaves = leaves?;
        let every = self.period(&path, "every", &leaves, GATHER);
        let options: EndpointOptions = self.endpoint_options(&path, &leaves)?;
        Some(GatherSettings {
            every: every?,
            options,
        })
    }

    fn period(
        &mut self,
        path: &Path,
        leaf: &str,
        leaves: &Leaves,
        usual: &str,
    ) -> Option<Duration> {
        let time = above_zero(leaves.one(leaf).unwrap_or(usual));
        let time = time.map_err(|advice| self.wrong_at(path, leaf, format!("{leaf}: {advice}")));
        time.ok().map(|time| time.0.max(SHORTEST))
    }

    /// A container of [mesh], and its leaves if it is there.
    fn within(&self, above: &Path, name: &str) -> (Path, Option<Leaves>) {
        let node = above.node().and_then(|node| self.model.child(node, name));
        let Some(node) = node else {
            return (above.clone(), None);
        };
        let content = self.model.container(self.root, "mesh");
        let content = content.and_then(|content| content.get(node)?.container());
        let leaves = content.map(|content| Leaves::of(&self.model.schema, content));
        (above.join(node, Select::All), leaves)
    }
}
