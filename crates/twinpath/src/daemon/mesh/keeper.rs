//! The document in force, and what this host runs by it.

use std::sync::Arc;

use tracing::{info, warn};
use twinpath_wire::Wall;
use twinpath_yang::Children;

use crate::daemon::model::{Model, model};
use crate::daemon::settings::Settings;
use crate::output;
use crate::output::units::count;

use super::document::MeshDocument;
use super::entries::{Derived, located};
use super::gather::{GatherCounts, Gatherer};
use super::identity::{Identity, is_local};
use super::poller::{Accepted, News, Poller};
use super::report::Cell;
use super::settings::MeshSettings;

/// What is known of a mesh.
#[derive(Default)]
pub(in crate::daemon) struct MeshKeeper {
    settings: Option<MeshSettings>,
    poller: Option<Poller>,
    /// A document that came and is not in force: put in force as soon as the configuration allows it.
    coming: Option<Box<Accepted>>,
    state: MeshState,
}

/// What this host runs by a document, and how fetches went.
#[derive(Clone, Default)]
pub(crate) struct MeshState {
    /// In force.
    pub(in crate::daemon) document: Option<Arc<MeshDocument>>,
    /// The place of the node that this host is.
    pub(in crate::daemon) node: Option<usize>,
    pub(in crate::daemon) derived: Arc<Derived>,
    /// Since when the document is in force.
    pub(in crate::daemon) changed: Option<Wall>,
    pub(in crate::daemon) last_fetch: Option<Wall>,
    /// Why the last document was not fetched.
    fetch_fault: Option<String>,
    /// Why a document is not in force, or this host has no part in it.
    fault: Option<String>,
    /// Sessions whose names the configuration has, as they were said.
    hidden: Vec<String>,
    gatherer: Option<Arc<Gatherer>>,
    /// How gathering goes; `None`: nothing is gathered.
    pub(in crate::daemon) gathering: Option<GatherCounts>,
}

impl MeshState {
    /// A document in force, whose first node this host is.
    #[cfg(test)]
    pub(in crate::daemon) fn of_text(text: &str) -> Self {
        let document = MeshDocument::read("mesh.toml", text);
        Self {
            document: Some(Arc::new(
                document.unwrap_or_else(|failure| panic!("{failure}")),
            )),
            node: Some(0),
            ..Self::default()
        }
    }

    /// All of it is known.
    #[cfg(test)]
    pub(in crate::daemon) fn example() -> Self {
        let text = "name = \"prod\"\nserial = 7\n[[node]]\nname = \"a\"\naddress = \"192.0.2.1\"\n";
        Self {
            changed: Some(Wall::from_unix_ns(1)),
            last_fetch: Some(Wall::from_unix_ns(2)),
            fault: Some("gone".to_owned()),
            gathering: Some(GatherCounts::default()),
            ..Self::of_text(text)
        }
    }

    /// What this host is called in the document.
    pub(in crate::daemon) fn node_name(&self) -> Option<&str> {
        let document = self.document.as_ref()?;
        Some(document.nodes.get(self.node?)?.name.as_str())
    }

    /// What other nodes measure, as far as it is gathered and the document has it.
    pub(in crate::daemon) fn gathered(&self) -> Vec<Cell> {
        let document = self.document.as_deref();
        let (Some(gatherer), Some(document)) = (&self.gatherer, document) else {
            return Vec::new();
        };
        let mut cells = gatherer.cells();
        cells.retain(|cell| document.has_cell(cell));
        cells
    }

    /// Shows what this host measures, and nothing of others.
    pub(in crate::daemon) fn without_others(mut self) -> Self {
        self.gatherer = None;
        self
    }

    /// What is wrong now.
    pub(in crate::daemon) fn fault(&self) -> Option<&str> {
        self.fetch_fault.as_deref().or(self.fault.as_deref())
    }
}

impl MeshKeeper {
    /// `None`: no mesh is configured.
    pub(in crate::daemon) fn state(&self) -> Option<&MeshState> {
        self.settings.as_ref().map(|_| &self.state)
    }

    /// The same, to be shown.
    pub(in crate::daemon) fn shown(&self) -> Option<MeshState> {
        let mut state = self.state()?.clone();
        state.gathering = state.gatherer.as_ref().map(|gatherer| gatherer.counts());
        Some(state)
    }

    /// Gathers as these settings say.
    fn gather(&mut self) {
        let settings = self.settings.as_ref().and_then(|it| it.gather.as_ref());
        let Some(settings) = settings else {
            self.state.gatherer = None;
            return;
        };
        let gatherer = self.state.gatherer.as_ref();
        if gatherer.is_none_or(|gatherer| !gatherer.is_with(settings)) {
            let begun = Gatherer::start(settings);
            let begun = begun.map_err(|error| warn!(%error, "cannot start a thread"));
            self.state.gatherer = begun.ok().map(Arc::new);
        }
        let gatherer = self.state.gatherer.as_ref();
        if let Some((gatherer, document)) = gatherer.zip(self.state.document.as_ref()) {
            gatherer.ask(document, self.state.node);
        }
    }

    /// Fetches as these settings say.
    pub(in crate::daemon) fn configure(&mut self, settings: Option<&MeshSettings>) {
        let same = match (&self.settings, settings) {
            (Some(one), Some(other)) => one.fetches_as(other),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        };
        let origin = self.settings.as_ref().map(MeshSettings::origin);
        self.settings = settings.cloned();
        if same {
            return;
        }
        self.poller = None;
        self.coming = None;
        if origin != settings.map(MeshSettings::origin) {
            self.state = MeshState::default();
        }
        let Some(settings) = settings else {
            return;
        };
        if settings.cache.is_none() {
            info!(
                "the mesh document is not kept for the next start: add cache to [mesh], or [store]"
            );
        }
        match Poller::start(settings) {
            Ok(poller) => self.poller = Some(poller),
            Err(error) => warn!(%error, "cannot start a thread"),
        }
    }

    /// Has it fetched now.
    pub(in crate::daemon) fn hurry(&self) {
        if let Some(poller) = &self.poller {
            poller.hurry();
        }
    }

    /// Takes what was fetched. True: another document came.
    pub(in crate::daemon) fn take_news(&mut self) -> bool {
        let Some(poller) = &self.poller else {
            return false;
        };
        let mut is_new = false;
        for news in poller.news() {
            let fault = match news {
                News::Document(accepted) => {
                    self.state.last_fetch = accepted.at.or(self.state.last_fetch);
                    self.coming = Some(accepted);
                    is_new = true;
                    None
                }
                News::Unchanged(at) => {
                    self.state.last_fetch = Some(at);
                    None
                }
                News::Fault(why) => Some(why),
            };
            say("mesh document", &mut self.state.fetch_fault, fault);
        }
        is_new
    }

    /// The settings of a configuration with what this host runs by the document; `None`: there is nothing to add. What
    /// cannot be run leaves the last document in force.
    pub(in crate::daemon) fn derive(
        &mut self,
        name: Option<&str>,
        root: &Children,
    ) -> Option<Settings> {
        let settings = self.derived_settings(name, root);
        self.gather();
        settings
    }

    fn derived_settings(&mut self, name: Option<&str>, root: &Children) -> Option<Settings> {
        let mesh = self.settings.clone()?;
        let model = model().ok()?;
        let host = output::host_name();
        let identity = Identity {
            node: mesh.node.as_deref(),
            name,
            host: host.as_deref(),
        };
        let coming = self.coming.take();
        let mut fault = None;
        if let Some(accepted) = coming {
            match part(&accepted.document, identity, &mesh, model, root) {
                Ok(part) => {
                    self.state.changed = Some(twinpath_runtime::wall());
                    self.state.document = Some(Arc::clone(&accepted.document));
                    let settings = self.put(part, &accepted.document, false);
                    if let Some(poller) = &self.poller {
                        poller.keep(accepted);
                    }
                    return Some(settings);
                }
                Err(why) => {
                    fault = Some(format!("serial {}: {why}", accepted.document.serial));
                    self.coming = Some(accepted);
                }
            }
        }
        let is_waiting = fault.is_some();
        let last = self.state.document.clone();
        let settings =
            last.and_then(
                |document| match part(&document, identity, &mesh, model, root) {
                    Ok(part) => Some(self.put(part, &document, is_waiting)),
                    Err(why) => {
                        fault.get_or_insert(why);
                        self.state.node = None;
                        self.state.derived = Arc::default();
                        None
                    }
                },
            );
        if fault.is_some() {
            say("mesh", &mut self.state.fault, fault);
        }
        settings
    }

    /// Notes what this host runs. `is_behind`: a later document has a fault.
    fn put(&mut self, part: Part, document: &MeshDocument, is_behind: bool) -> Settings {
        let state = &mut self.state;
        let is_other =
            state.node != part.node || state.derived.sessions() != part.derived.sessions();
        if part.fault.is_none() && (is_other || state.fault.is_some() && !is_behind) {
            let node = part.node.and_then(|node| document.nodes.get(node));
            let sessions = count(part.derived.sessions() as u64, "session", "sessions");
            info!(
                "mesh {}, serial {}: this host is {}, {sessions}",
                document.name,
                document.serial,
                node.map_or("no node", |node| &node.name)
            );
        }
        if state.hidden != part.derived.hidden {
            for name in &part.derived.hidden {
                info!(
                    "session {name}: that of the configuration is measured, and not that of the mesh"
                );
            }
            state.hidden.clone_from(&part.derived.hidden);
        }
        state.node = part.node;
        state.derived = Arc::new(part.derived);
        if !is_behind {
            say("mesh", &mut state.fault, part.fault);
        }
        part.settings
    }
}

/// What a host runs by a document.
struct Part {
    node: Option<usize>,
    derived: Derived,
    settings: Settings,
    /// Why it is no node.
    fault: Option<String>,
}

fn part(
    document: &MeshDocument,
    identity: Identity<'_>,
    mesh: &MeshSettings,
    model: &Model,
    root: &Children,
) -> Result<Part, String> {
    // Another document may be right though it does not have this host.
    let (node, fault) = match identity.find(document, is_local) {
        Ok(node) => (Some(node), None),
        Err(why) => (None, Some(why)),
    };
    let derived = match node {
        Some(node) => Derived::of(document, node, mesh.keys.as_deref(), model, root)?,
        None => Derived::default(),
    };
    match Settings::of(model, &derived.added_to(model, root)) {
        Ok(settings) => Ok(Part {
            node,
            derived,
            settings,
            fault,
        }),
        Err(faults) => {
            let first = faults.first().map(|first| located(document, model, first));
            let first = first.unwrap_or_else(|| "a fault".to_owned());
            match faults.len() {
                0 | 1 => Err(first),
                more => Err(format!("{first}; {} more faults", more - 1)),
            }
        }
    }
}

/// Notes a fault, and logs it where it is another one.
fn say(of: &str, noted: &mut Option<String>, fault: Option<String>) {
    if *noted == fault {
        return;
    }
    if let Some(why) = &fault {
        warn!("{of}: {why}");
    } else {
        info!("{of}: nothing is wrong any more");
    }
    *noted = fault;
}
