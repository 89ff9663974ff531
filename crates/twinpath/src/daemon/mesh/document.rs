//! A mesh document: nodes and meshes, as its module says, with all that is wrong with it by file and line.

mod judging;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use twinpath_yang::modules::{MESH_IMPLEMENTED, MESH_TEXTS};
use twinpath_yang::toml::{Document, FileFault, Reader, Roots};
use twinpath_yang::{Children, Data, Key, NodeId, Path, Schema, Scope, Select, validate};

use crate::args::FarEnd;
use crate::daemon::alarms::Selector;
use crate::daemon::model::key;
use crate::daemon::settings::Leaves;
use crate::daemon::source;
use crate::failure::Failure;

use super::report::Cell;
use super::topology::{Links, Member, Topology};

pub(super) use judging::KEY_FILES;

/// What the schema has as the default of `peers`.
const PEERS: u16 = 8;

/// The schema of documents.
pub(super) struct MeshModel {
    pub(super) schema: Schema,
    roots: Roots,
}

static MODEL: LazyLock<Result<MeshModel, String>> = LazyLock::new(|| {
    let schema = Schema::load(&MESH_TEXTS, &MESH_IMPLEMENTED).map_err(|error| error.to_string())?;
    let module = schema.module_named("twinpath-mesh");
    let main = schema.child(None, module, "document");
    let main = main.ok_or("module twinpath-mesh has no document")?;
    let tables = Vec::new();
    Ok(MeshModel {
        roots: Roots { main, tables },
        schema,
    })
});

/// The schema of documents.
///
/// # Errors
/// It has a fault, which no document can mend.
pub(super) fn mesh_model() -> Result<&'static MeshModel, Failure> {
    MODEL
        .as_ref()
        .map_err(|why| Failure::could_not(format!("a fault in the schema: {why}")))
}

/// The same, for its texts.
///
/// # Errors
/// It has a fault.
pub(crate) fn schema() -> Result<&'static Schema, Failure> {
    mesh_model().map(|model| &model.schema)
}

/// A document without a fault.
pub(crate) struct MeshDocument {
    pub(super) model: &'static MeshModel,
    document: Document,
    pub(crate) name: String,
    pub(crate) serial: u64,
    /// In the order of their names.
    pub(super) nodes: Vec<MeshNode>,
    /// In the order of their names.
    pub(super) meshes: Vec<Mesh>,
    pub(super) responder: Option<MeshResponder>,
}

/// A node of a document.
pub(super) struct MeshNode {
    pub(super) name: String,
    /// As it is written.
    pub(super) address: String,
    /// The same.
    pub(super) far: FarEnd,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) is_passive: bool,
    is_hub: bool,
    side: Option<String>,
    /// Where its page is.
    page: Option<String>,
}

/// A mesh of a document.
pub(super) struct Mesh {
    pub(super) name: String,
    /// The places of its nodes in the document.
    pub(super) members: Vec<usize>,
    /// By places in [`Mesh::members`].
    links: Links,
    /// What sessions have.
    pub(super) settings: Children,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) protocol: String,
}

/// What responders of nodes have.
pub(super) struct MeshResponder {
    pub(super) settings: Children,
    /// They listen on all addresses.
    pub(super) is_everywhere: bool,
}

/// Where a session is shown.
pub(in crate::daemon) struct SessionPage {
    /// The page of its daemon; empty: this one.
    pub(in crate::daemon) page: String,
    pub(in crate::daemon) session: String,
}

/// A measurement of another node.
pub(super) struct PeerLink<'a> {
    pub(super) mesh: &'a Mesh,
    pub(super) peer: &'a MeshNode,
    /// Where in an interval its packets leave, in multiples of 2^-32 of it.
    pub(super) phase: u32,
}

impl Mesh {
    /// The links of the node at this place of the document: places of others, and phases.
    pub(super) fn links_of(&self, node: usize) -> Vec<(usize, u32)> {
        let Ok(member) = self.members.binary_search(&node) else {
            return Vec::new();
        };
        let links = self.links.of(member).into_iter();
        links
            .filter_map(|link| Some((*self.members.get(link.to)?, link.phase)))
            .collect()
    }
}

impl MeshDocument {
    /// Reads a document. `file`: what messages call it.
    ///
    /// # Errors
    /// All that is wrong with it, each with its line.
    pub(crate) fn read(file: &str, text: &str) -> Result<Self, Failure> {
        let model = mesh_model()?;
        let mut reader = Reader::new(&model.schema, &model.roots);
        reader.add(file, text);
        let (document, mut faults) = reader.finish();
        let found = validate(&model.schema, &document.root, Scope::Config);
        faults.extend(found.into_iter().map(|fault| document.locate(fault)));
        source::all_of(faults)?;
        let (mut read, faults) = Reading::of(model, &document).finish()?;
        source::all_of(faults)?;
        read.document = document;
        Ok(read)
    }

    /// The same of a file.
    ///
    /// # Errors
    /// It cannot be read, or what is wrong with it.
    pub(crate) fn read_file(path: &std::path::Path) -> Result<Self, Failure> {
        let text = source::text(path)?;
        Self::read(&path.display().to_string(), &text)
    }

    /// How many nodes it has.
    pub(in crate::daemon) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// The name of the node at this place.
    pub(in crate::daemon) fn node_name(&self, node: usize) -> Option<&str> {
        self.nodes.get(node).map(|node| node.name.as_str())
    }

    /// The labels of the node at this place.
    pub(in crate::daemon) fn labels(&self, node: usize) -> Option<&BTreeMap<String, String>> {
        self.nodes.get(node).map(|node| &node.labels)
    }

    /// The names of the meshes in the order of their places.
    pub(in crate::daemon) fn mesh_names(&self) -> impl Iterator<Item = &str> {
        self.meshes.iter().map(|mesh| mesh.name.as_str())
    }

    /// The places of the nodes of the mesh at this place.
    pub(in crate::daemon) fn members(&self, mesh: usize) -> &[usize] {
        let mesh = self.meshes.get(mesh);
        mesh.map_or(&[], |mesh| mesh.members.as_slice())
    }

    /// Whether it has the mesh and the nodes of a cell.
    pub(super) fn has_cell(&self, cell: &Cell) -> bool {
        let mesh = self
            .meshes
            .binary_search_by(|mesh| mesh.name.cmp(&cell.mesh));
        mesh.is_ok()
            && [&cell.from, &cell.to]
                .into_iter()
                .all(|node| self.node_named(node).is_some())
    }

    /// The nodes that have pages, each with its place, its name and the page.
    pub(super) fn pages(&self) -> impl Iterator<Item = (usize, &str, &str)> {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(place, node)| Some((place, node.name.as_str(), node.page.as_deref()?)))
    }

    /// Where the session of two nodes of a mesh is shown, all by their places; `own`: this node, whose page is here.
    pub(in crate::daemon) fn session_page(
        &self,
        mesh: usize,
        [from, to]: [usize; 2],
        own: Option<usize>,
    ) -> Option<SessionPage> {
        let mesh = self.meshes.get(mesh)?;
        let measures =
            |one: usize, other: usize| mesh.links_of(one).iter().any(|(to, _)| *to == other);
        let ends = [(from, to), (to, from)];
        let (sender, far) = ends
            .into_iter()
            .find(|(one, other)| measures(*one, *other))?;
        let page = if own == Some(sender) {
            String::new()
        } else {
            self.nodes.get(sender)?.page.clone()?
        };
        let session = format!("{}:{}", mesh.name, self.node_name(far)?);
        Some(SessionPage { page, session })
    }

    /// The place of a node with this name.
    pub(super) fn node_named(&self, name: &str) -> Option<usize> {
        let found = self
            .nodes
            .binary_search_by(|node| node.name.as_str().cmp(name));
        found.ok()
    }

    /// All that the node at this place measures, in the order of meshes and nodes.
    pub(super) fn links_of(&self, node: usize) -> Vec<PeerLink<'_>> {
        let all = self.meshes.iter().flat_map(|mesh| {
            let links = mesh.links_of(node).into_iter();
            links.filter_map(move |(peer, phase)| {
                let peer = self.nodes.get(peer)?;
                Some(PeerLink { mesh, peer, phase })
            })
        });
        all.collect()
    }

    /// The place of a leaf of a mesh, or of its nearest setting, for messages.
    pub(super) fn place(&self, mesh: &str, leaf: &str) -> Option<String> {
        let path = self.model.path("mesh", Some(mesh));
        let below = self.model.leaf_path(&path, leaf).unwrap_or(path);
        self.document.place(&below).map(ToString::to_string)
    }
}

impl MeshModel {
    pub(super) fn child(&self, of: NodeId, name: &str) -> Option<NodeId> {
        self.schema.child(Some(of), None, name)
    }

    /// The path of an entry of a list, or of a container or leaf.
    fn path(&self, top: &str, name: Option<&str>) -> Path {
        let mut path = Path::root();
        path.push(self.roots.main, Select::All);
        if let Some(node) = self.child(self.roots.main, top) {
            let select = name.map_or(Select::All, |name| Select::Key(key(name)));
            path.push(node, select);
        }
        path
    }

    fn leaf_path(&self, above: &Path, leaf: &str) -> Option<Path> {
        let node = self.child(above.node()?, leaf)?;
        Some(above.join(node, Select::All))
    }

    fn content<'a>(&self, root: &'a Children) -> Option<&'a Children> {
        root.get(self.roots.main)?.container()
    }

    fn entries<'a>(
        &self,
        root: &'a Children,
        list: &str,
    ) -> impl Iterator<Item = (&'a Key, &'a Children)> {
        let node = self.child(self.roots.main, list);
        let data = node.and_then(|node| self.content(root)?.get(node));
        data.and_then(Data::entries).into_iter().flatten()
    }
}

/// A tree that is read, with what is wrong with it beyond its schema.
struct Reading<'a> {
    model: &'static MeshModel,
    document: &'a Document,
    faults: Vec<FileFault>,
}

impl<'a> Reading<'a> {
    fn of(model: &'static MeshModel, document: &'a Document) -> Self {
        Self {
            model,
            document,
            faults: Vec::new(),
        }
    }

    fn finish(mut self) -> Result<(MeshDocument, Vec<FileFault>), Failure> {
        let root = &self.document.root;
        let content = self.model.content(root);
        let content = content.ok_or_else(|| Failure::usage("an empty mesh document"))?;
        let top = Leaves::of(&self.model.schema, content);
        let mut nodes: Vec<MeshNode> = self
            .model
            .entries(root, "node")
            .filter_map(|(_, entry)| self.node(entry))
            .collect();
        nodes.sort_by(|one, other| one.name.cmp(&other.name));
        self.judge_addresses(&nodes);
        let seed = top.one("seed").unwrap_or_default();
        let mut meshes = Vec::new();
        for (_, entry) in self.model.entries(root, "mesh") {
            meshes.extend(self.mesh(entry, &nodes, seed));
        }
        meshes.sort_by(|one: &Mesh, other| one.name.cmp(&other.name));
        let responder = self.responder(content);
        let serial = top.one("serial").and_then(|text| text.parse().ok());
        let read = MeshDocument {
            model: self.model,
            document: Document::default(),
            name: top.one("name").unwrap_or_default().to_owned(),
            serial: serial.unwrap_or_default(),
            nodes,
            meshes,
            responder,
        };
        Ok((read, self.faults))
    }

    fn node(&self, entry: &Children) -> Option<MeshNode> {
        let leaves = Leaves::of(&self.model.schema, entry);
        let address = leaves.one("address")?;
        Some(MeshNode {
            name: leaves.one("name")?.to_owned(),
            address: address.to_owned(),
            // The schema takes nothing else.
            far: address.parse().ok()?,
            is_passive: leaves.one("passive") == Some("true"),
            is_hub: leaves.one("hub") == Some("true"),
            side: leaves.one("side").map(str::to_owned),
            page: leaves.one("page").map(str::to_owned),
            labels: leaves.labels,
        })
    }

    fn mesh(&mut self, entry: &Children, nodes: &[MeshNode], seed: &str) -> Option<Mesh> {
        let leaves = Leaves::of(&self.model.schema, entry);
        let name = leaves.one("name")?.to_owned();
        let topology = self.topology(&name, &leaves)?;
        let (members, selected) = self.members(&name, topology, &leaves, nodes);
        self.judge_settings("mesh", Some(&name), &leaves);
        let are_both = leaves.one("both-ends") == Some("true");
        Some(Mesh {
            links: Links::new(topology, are_both, [seed, &name], &selected),
            members,
            settings: entry.clone(),
            protocol: leaves.one("protocol").unwrap_or("twamp-light").to_owned(),
            labels: leaves.labels,
            name,
        })
    }

    fn topology(&mut self, mesh: &str, leaves: &Leaves) -> Option<Topology> {
        Some(match leaves.one("topology")? {
            "full" => Topology::Full,
            "ring" => Topology::Ring,
            "hub" => Topology::Hub,
            "bipartite" => Topology::Bipartite,
            _ => {
                let peers = leaves.one("peers").and_then(|text| text.parse().ok());
                let peers: u16 = peers.unwrap_or(PEERS);
                if !peers.is_multiple_of(2) {
                    self.fault(
                        ["mesh", "peers"],
                        Some(mesh),
                        format!("peers {peers}: write an even number"),
                    );
                }
                Topology::Sample(peers)
            }
        })
    }

    /// The nodes of a mesh.
    fn members<'n>(
        &mut self,
        mesh: &str,
        topology: Topology,
        leaves: &Leaves,
        nodes: &'n [MeshNode],
    ) -> (Vec<usize>, Vec<Member<'n>>) {
        let selects = |leaf: &str| {
            let selectors = leaves.each(leaf).iter();
            let selectors: Vec<Selector> = selectors.map(|text| Selector::new(text)).collect();
            move |node: &MeshNode| {
                let of = |selector: &Selector| selector.selects(&node.name, &node.labels);
                (!selectors.is_empty()).then(|| selectors.iter().any(of))
            }
        };
        let [wanted, except, hubs, left, right] =
            ["nodes", "except", "hubs", "left", "right"].map(selects);
        let mut members = Vec::new();
        let mut selected = Vec::new();
        for (place, node) in nodes.iter().enumerate() {
            if !wanted(node).unwrap_or(true) || except(node).unwrap_or(false) {
                continue;
            }
            let side = |side: &str| node.side.as_deref() == Some(side);
            let (is_first, is_second) = match topology {
                Topology::Hub => (hubs(node).unwrap_or(node.is_hub), false),
                Topology::Bipartite => (
                    left(node).unwrap_or_else(|| side("left")),
                    right(node).unwrap_or_else(|| side("right")),
                ),
                Topology::Full | Topology::Ring | Topology::Sample(_) => (false, false),
            };
            members.push(place);
            selected.push(Member {
                name: &node.name,
                is_passive: node.is_passive,
                is_first,
                is_second,
            });
        }
        self.judge_members(mesh, topology, &selected);
        (members, selected)
    }

    fn responder(&mut self, content: &Children) -> Option<MeshResponder> {
        let node = self.model.child(self.model.roots.main, "responder")?;
        let settings = content.get(node)?.container()?;
        let leaves = Leaves::of(&self.model.schema, settings);
        self.judge_settings("responder", None, &leaves);
        Some(MeshResponder {
            settings: settings.clone(),
            is_everywhere: leaves.one("all-addresses") == Some("true"),
        })
    }
}
