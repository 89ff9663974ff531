//! What a node runs by a document, as entries of the configuration.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use twinpath_yang::{Children, Data, Fault, NodeId, Schema, Value};

use crate::args::{FarEnd, Host, MOST_SESSIONS, NearEnd};
use crate::daemon::model::{Model, key};
use crate::daemon::settings::Leaves;

use super::document::{KEY_FILES, MeshDocument, MeshModel, MeshNode, PeerLink};

/// Leaves of a mesh that are no settings of its sessions, or are put together.
const OF_MESH: [&str; 11] = [
    "name",
    "topology",
    "nodes",
    "except",
    "hubs",
    "left",
    "right",
    "peers",
    "both-ends",
    "labels",
    "all-addresses",
];
/// The same of responders without an address.
const ANYWHERE: &str = ":20001";

/// Entries of a list of the configuration, by their names.
type List = (NodeId, Vec<(Arc<str>, Children)>);

/// What a node runs by a document, beside what its own configuration has.
#[derive(Default)]
pub(crate) struct Derived {
    /// Lists of the configuration: sessions, and the responder.
    lists: Vec<List>,
    /// Where in an interval packets of sessions leave, in multiples of 2^-32 of it.
    pub(in crate::daemon) phases: HashMap<Arc<str>, u32>,
    /// Sessions that the configuration of the node has under these names.
    pub(in crate::daemon) hidden: Vec<String>,
}

impl Derived {
    /// What the node at this place runs. `keys`: the directory of files of keys; `own`: its configuration.
    ///
    /// # Errors
    /// What it cannot run.
    pub(in crate::daemon) fn of(
        document: &MeshDocument,
        node: usize,
        keys: Option<&Path>,
        model: &Model,
        own: &Children,
    ) -> Result<Self, String> {
        let deriving = Deriving {
            document,
            keys,
            model,
            has_store: model.container(own, "store").is_some(),
        };
        let mut derived = Self::default();
        let links = document.links_of(node);
        if links.len() > MOST_SESSIONS {
            return Err(format!(
                "{} sessions for one node: {MOST_SESSIONS} are possible: use topology sample, or nodes",
                links.len()
            ));
        }
        let known: BTreeMap<String, &Children> = model.entries(own, "session").collect();
        let mut templates: HashMap<&str, Children> = HashMap::new();
        let mut sessions = Vec::new();
        for link in &links {
            let name = format!("{}:{}", link.mesh.name, link.peer.name);
            if known.contains_key(&name) {
                derived.hidden.push(name);
                continue;
            }
            if !templates.contains_key(link.mesh.name.as_str()) {
                templates.insert(&link.mesh.name, deriving.session_template(link)?);
            }
            let name: Arc<str> = name.into();
            derived.phases.insert(Arc::clone(&name), link.phase);
            let template = templates.get(link.mesh.name.as_str());
            let entry = template.and_then(|template| deriving.session(link, &name, template));
            sessions.extend(entry.map(|entry| (name, entry)));
        }
        let list = model.child(model.roots.main, "session");
        derived.lists.extend(list.map(|list| (list, sessions)));
        if let Some(node) = document.nodes.get(node) {
            derived.lists.extend(deriving.responder(node, own)?);
        }
        Ok(derived)
    }

    /// Whether one of the sessions has this name.
    pub(in crate::daemon) fn has_session(&self, name: &str) -> bool {
        self.phases.contains_key(name)
    }

    /// How many sessions there are.
    pub(in crate::daemon) fn sessions(&self) -> usize {
        self.phases.len()
    }

    /// A configuration with these entries beside its own.
    pub(in crate::daemon) fn added_to(&self, model: &Model, root: &Children) -> Children {
        let mut root = root.clone();
        let Some(measurement) = root.container_mut(model.roots.main) else {
            return root;
        };
        for (list, added) in &self.lists {
            if added.is_empty() {
                continue;
            }
            let Some(entries) = measurement.entries_mut(*list) else {
                continue;
            };
            for (name, entry) in added {
                let key = key(name);
                if !entries.contains_key(&key) {
                    entries.insert(key, entry.clone());
                }
            }
        }
        root
    }
}

struct Deriving<'a> {
    document: &'a MeshDocument,
    keys: Option<&'a Path>,
    model: &'a Model,
    /// This host has somewhere to save raw packets.
    has_store: bool,
}

impl Deriving<'_> {
    /// What all sessions of a mesh have.
    fn session_template(&self, link: &PeerLink<'_>) -> Result<Children, String> {
        let list = self.list("session")?;
        let mut template = self.copied(&link.mesh.settings, list);
        self.put_keys(&mut template, list)?;
        let raw = self.model.child(list, "raw");
        if let Some(raw) = raw.filter(|_| !self.has_store) {
            template.remove(raw);
        }
        Ok(template)
    }

    fn list(&self, name: &str) -> Result<NodeId, String> {
        let list = self.model.child(self.model.roots.main, name);
        list.ok_or_else(|| format!("the schema has no {name}"))
    }

    fn session(&self, link: &PeerLink<'_>, name: &str, template: &Children) -> Option<Children> {
        let list = self.model.child(self.model.roots.main, "session")?;
        let mut entry = Children::new();
        let text = |text: &str| Data::Leaf(Value::String(text.into()));
        entry.insert(self.model.child(list, "name")?, text(name));
        entry.insert(self.model.child(list, "address")?, text(&link.peer.address));
        let mut labels = link.peer.labels.clone();
        labels.extend(link.mesh.labels.clone());
        labels.insert("mesh".to_owned(), link.mesh.name.clone());
        labels.insert("peer".to_owned(), link.peer.name.clone());
        let node = self.model.child(list, "labels")?;
        let (name, value) = (
            self.model.child(node, "name")?,
            self.model.child(node, "value")?,
        );
        let labels = labels.into_iter().map(|(label, content)| {
            let mut entry = Children::new();
            entry.insert(name, text(&label));
            entry.insert(value, text(&content));
            (key(&label), entry)
        });
        entry.insert(node, Data::List(labels.collect()));
        for (node, data) in template.iter() {
            entry.insert(node, data.clone());
        }
        Some(entry)
    }

    /// Names of files of keys as their paths.
    fn put_keys(&self, entry: &mut Children, list: NodeId) -> Result<(), String> {
        for leaf in KEY_FILES {
            let Some(node) = self.model.child(list, leaf) else {
                continue;
            };
            let Some(Data::Leaf(value)) = entry.get(node) else {
                continue;
            };
            let name = value.as_str().unwrap_or_default();
            let keys = self.keys.ok_or_else(|| {
                format!("{leaf} {name}: add keys to [mesh], with the directory that has it")
            })?;
            let path = keys.join(name).display().to_string();
            entry.insert(node, Data::Leaf(Value::String(path.into())));
        }
        Ok(())
    }

    /// The responder of an active node, with those of its addresses at which the configuration has none.
    fn responder(&self, node: &MeshNode, own: &Children) -> Result<Option<List>, String> {
        let Some(responder) = self.document.responder.as_ref() else {
            return Ok(None);
        };
        if node.is_passive {
            return Ok(None);
        }
        let list = self.list("responder")?;
        let taken = own_addresses(self.model, own);
        let addresses = self.addresses(node, responder.is_everywhere);
        let free = addresses
            .into_iter()
            .filter(|near| !taken.iter().any(|other| is_same_place(near, other)));
        let free: Vec<Value> = free
            .map(|near| Value::String(text_of(&near).into()))
            .collect();
        let name = &self.document.name;
        let mut names = self.model.entries(own, "responder");
        if free.is_empty() || names.any(|(known, _)| known == *name) {
            return Ok(None);
        }
        let mut entry = Children::new();
        let child = |leaf| self.model.child(list, leaf);
        if let (Some(named), Some(address)) = (child("name"), child("address")) {
            entry.insert(named, Data::Leaf(Value::String(name.as_str().into())));
            entry.insert(address, Data::LeafList(free));
        }
        for (node, data) in self.copied(&responder.settings, list).iter() {
            entry.insert(node, data.clone());
        }
        self.put_keys(&mut entry, list)?;
        Ok(Some((list, vec![(name.as_str().into(), entry)])))
    }

    /// Where a node is measured: at its port, or at those of the protocols of its meshes.
    fn addresses(&self, node: &MeshNode, is_everywhere: bool) -> Vec<NearEnd> {
        let place = self.document.node_named(&node.name);
        let meshes = self.document.meshes.iter().filter(|mesh| {
            let is_member = |place| mesh.members.binary_search(&place).is_ok();
            place.is_some_and(is_member)
        });
        let ports = meshes.filter_map(|mesh| match mesh.protocol.as_str() {
            // A server answers those.
            "twamp" => None,
            "stamp" => Some(node.far.port.unwrap_or(862)),
            _ => Some(node.far.port.unwrap_or(20_001)),
        });
        let mut ports: Vec<u16> = ports.collect();
        ports.sort_unstable();
        ports.dedup();
        let ends = ports.into_iter().map(|port| NearEnd {
            host: (!is_everywhere).then(|| node.far.host.clone()),
            port: Some(port),
        });
        ends.collect()
    }

    /// Settings as the schema of the configuration has them.
    fn copied(&self, settings: &Children, to: NodeId) -> Children {
        let from: &MeshModel = self.document.model;
        copied(&from.schema, settings, &self.model.schema, to)
    }
}

/// Data of one schema as that of another one, by the names of nodes.
fn copied(from: &Schema, data: &Children, schema: &Schema, to: NodeId) -> Children {
    let mut copy = Children::new();
    for (id, data) in data.iter() {
        let name = &*from.node(id).name;
        if OF_MESH.contains(&name) {
            continue;
        }
        let Some(node) = schema.child(Some(to), None, name) else {
            continue;
        };
        match data {
            Data::Leaf(_) | Data::LeafList(_) => {
                copy.insert(node, data.clone());
            }
            // Settings have none of them.
            Data::Container(_) | Data::List(_) | Data::Keyless(_) | Data::Any(_) => {}
        }
    }
    copy
}

/// Where the responders of a configuration listen.
fn own_addresses(model: &Model, own: &Children) -> Vec<NearEnd> {
    let mut all = Vec::new();
    for (_, entry) in model.entries(own, "responder") {
        let leaves = Leaves::of(&model.schema, entry);
        if leaves.one("enabled") == Some("false") {
            continue;
        }
        let addresses = leaves.each("address").iter().map(String::as_str);
        let anywhere = (!leaves.has("address")).then_some(ANYWHERE);
        let ends = addresses.chain(anywhere).filter_map(|text| {
            let mut near: NearEnd = text.parse().ok()?;
            near.port.get_or_insert(20_001);
            Some(near)
        });
        all.extend(ends);
    }
    all
}

/// Whether two sockets would need the same address.
fn is_same_place(one: &NearEnd, other: &NearEnd) -> bool {
    let is_any = |near: &NearEnd| match &near.host {
        None => true,
        Some(Host::Address(address)) => address.is_unspecified(),
        Some(Host::Zoned(..) | Host::Name(_)) => false,
    };
    one.port == other.port && (is_any(one) || is_any(other) || one.host == other.host)
}

/// As the configuration has it.
fn text_of(near: &NearEnd) -> String {
    let port = near.port.unwrap_or_default();
    match &near.host {
        None => format!(":{port}"),
        Some(host) => far_text(host, port),
    }
}

fn far_text(host: &Host, port: u16) -> String {
    match host {
        Host::Address(address) if address.is_ipv6() => format!("[{address}]:{port}"),
        Host::Address(address) => format!("{address}:{port}"),
        Host::Zoned(address, zone) => format!("[{address}%{zone}]:{port}"),
        Host::Name(name) => format!("{name}:{port}"),
    }
}

/// A fault of a derived entry, with the line of the document that it comes from.
pub(in crate::daemon) fn located(document: &MeshDocument, model: &Model, fault: &Fault) -> String {
    let steps = fault.path.steps();
    let name = steps.iter().find_map(|step| match &step.select {
        twinpath_yang::Select::Key(key) => key.first()?.as_str(),
        twinpath_yang::Select::All
        | twinpath_yang::Select::Value(_)
        | twinpath_yang::Select::Position(_) => None,
    });
    let mesh = name.and_then(|name| name.split_once(':'));
    let leaf = fault.path.node().map(|node| &*model.schema.node(node).name);
    let place = mesh.and_then(|(mesh, _)| document.place(mesh, leaf.unwrap_or_default()));
    match (place, name) {
        (Some(place), _) => format!("{place}: {}", fault.what),
        (None, Some(name)) => format!("{name}: {}", fault.what),
        (None, None) => fault.what.clone(),
    }
}

/// The host of a far end as it is written in a name.
pub(super) fn is_own_host(far: &FarEnd, is_own: impl Fn(std::net::IpAddr) -> bool) -> bool {
    match &far.host {
        Host::Address(address) => is_own(*address),
        Host::Zoned(address, _) => is_own((*address).into()),
        Host::Name(_) => false,
    }
}
