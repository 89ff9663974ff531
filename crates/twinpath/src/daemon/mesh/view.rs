//! What `twinpath config mesh` prints: what a document comes to, or what one node of it runs.

use std::fmt::Write as _;
use std::path::Path;

use twinpath_yang::{Children, Schema, toml};

use crate::args::above_zero;
use crate::daemon::model::{Model, model};
use crate::daemon::settings::{Leaves, Settings};
use crate::failure::Failure;
use crate::output::units::count;

use super::document::{Mesh, MeshDocument, MeshNode};
use super::entries::{Derived, located};

/// The usual interval of sessions of a daemon, in seconds.
const USUAL_INTERVAL_S: f64 = 1.0;

/// What one node runs, as a file of a configuration.
///
/// # Errors
/// It is no node, or cannot run that.
pub(crate) fn of_node(
    document: &MeshDocument,
    node: &str,
    keys: Option<&Path>,
) -> Result<String, Failure> {
    let Some(place) = document.node_named(node) else {
        let line = format!("the document {} has no node {node}", document.name);
        return Err(Failure::usage(line));
    };
    let model = model()?;
    let root = checked(document, place, keys, model)?;
    Ok(toml::write(&model.schema, &model.roots, &root))
}

/// All that the document comes to, a line for each mesh.
///
/// # Errors
/// A node cannot run its part.
pub(crate) fn summary(document: &MeshDocument, keys: Option<&Path>) -> Result<String, Failure> {
    let model = model()?;
    for mesh in &document.meshes {
        // The sessions of a mesh have the same settings.
        let mut members = mesh.members.iter();
        let sender = members.find(|member| !mesh.links_of(**member).is_empty());
        if let Some(node) = sender {
            checked(document, *node, keys, model)?;
        }
    }
    let passive = document.nodes.iter().filter(|node| node.is_passive).count();
    let nodes = count(document.nodes.len() as u64, "node", "nodes");
    let mut text = format!(
        "{}, serial {}: {nodes}, {passive} of them passive\n",
        document.name, document.serial
    );
    let mut most = (0, "");
    let mut sent = vec![0_usize; document.nodes.len()];
    for mesh in &document.meshes {
        let all = Load::of(&document.model.schema, mesh, &mut sent);
        // Memory takes it.
        let _ = writeln!(text, "{}: {}", mesh.name, all.words());
    }
    for (node, number) in document.nodes.iter().zip(&sent) {
        if *number > most.0 {
            most = (*number, &node.name);
        }
    }
    if most.0 > 0 {
        let sessions = count(most.0 as u64, "session", "sessions");
        let _ = writeln!(text, "most for one node: {sessions}, {}", most.1);
    }
    Ok(text)
}

/// What a node runs as a configuration without a fault.
fn checked(
    document: &MeshDocument,
    node: usize,
    keys: Option<&Path>,
    model: &Model,
) -> Result<Children, Failure> {
    let own = Children::new();
    let name = document
        .nodes
        .get(node)
        .map_or("", |node: &MeshNode| &node.name);
    let derived = Derived::of(document, node, keys, model, &own);
    let derived = derived.map_err(|what| Failure::usage(format!("node {name}: {what}")))?;
    let root = derived.added_to(model, &own);
    match Settings::of(model, &root) {
        Ok(_settings) => Ok(root),
        Err(faults) => {
            let faults = faults.iter().map(|fault| located(document, model, fault));
            let mut lines: Vec<String> = faults.collect();
            lines.sort();
            lines.dedup();
            let mut failures: Vec<Failure> = lines.into_iter().map(Failure::usage).collect();
            let last = failures.pop();
            let last = last.unwrap_or_else(|| Failure::usage("a document with faults"));
            Err(last.after(failures))
        }
    }
}

/// What a mesh asks of its nodes.
struct Load {
    topology: String,
    nodes: usize,
    links: usize,
    /// Packets that the node with the most of them sends and is sent, each second.
    most_packets: f64,
}

impl Load {
    fn of(schema: &Schema, mesh: &Mesh, sent: &mut [usize]) -> Self {
        let leaves = Leaves::of(schema, &mesh.settings);
        let interval = leaves
            .one("interval")
            .and_then(|text| above_zero(text).ok());
        let interval = interval.map_or(USUAL_INTERVAL_S, |time| time.0.as_secs_f64());
        let classes = leaves.each("classes").len().max(1);
        let paths = leaves.one("paths").and_then(|text| text.parse().ok());
        let streams = classes * paths.unwrap_or(1_usize);
        let mut handled = vec![0_usize; sent.len()];
        let mut links = 0;
        for member in &mesh.members {
            for (peer, _) in mesh.links_of(*member) {
                links += 1;
                for (place, is_sender) in [(*member, true), (peer, false)] {
                    if let Some(number) = handled.get_mut(place) {
                        *number += 1;
                    }
                    if is_sender && let Some(number) = sent.get_mut(place) {
                        *number += 1;
                    }
                }
            }
        }
        let most = handled.iter().max().copied().unwrap_or_default() * streams;
        let most = u32::try_from(most).unwrap_or(u32::MAX);
        Self {
            topology: leaves.one("topology").unwrap_or_default().to_owned(),
            nodes: mesh.members.len(),
            links,
            most_packets: f64::from(most) / interval,
        }
    }

    fn words(&self) -> String {
        let nodes = count(self.nodes as u64, "node", "nodes");
        let links = count(self.links as u64, "session", "sessions");
        format!(
            "{}, {nodes}, {links}; at the busiest node {:.0} packets/s, and as many replies",
            self.topology, self.most_packets
        )
    }
}
