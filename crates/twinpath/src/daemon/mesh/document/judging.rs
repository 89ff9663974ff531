//! What the schema of a document cannot say.

use std::collections::HashMap;

use twinpath_yang::{Fault, FaultKind};

use crate::args::FarEnd;
use crate::daemon::settings::Leaves;

use super::super::topology::{Member, Topology};
use super::{MeshNode, Reading};

/// Leaves that name a file of keys.
pub(in crate::daemon::mesh) const KEY_FILES: [&str; 2] = ["hmac-key-file", "keys"];

/// Whether a text is the name of a file of keys, which can be in no other directory than the one that a node allows.
fn is_plain_name(text: &str) -> bool {
    !text.starts_with('.') && !text.contains(['/', '\\', ':']) && !text.is_empty()
}

impl Reading<'_> {
    /// Two nodes with one address would measure each other's host.
    pub(super) fn judge_addresses(&mut self, nodes: &[MeshNode]) {
        let mut known: HashMap<(String, Option<u16>), &str> = HashMap::new();
        for node in nodes {
            let FarEnd { host, port } = &node.far;
            if let Some(other) = known.insert((format!("{host:?}"), *port), &node.name) {
                let what = format!(
                    "address {}: node {other} has it too: write another one",
                    node.address
                );
                self.fault(["node", "address"], Some(&node.name), what);
            }
        }
    }

    /// A topology needs certain nodes.
    pub(super) fn judge_members(&mut self, mesh: &str, topology: Topology, members: &[Member<'_>]) {
        let has = |is: fn(&Member<'_>) -> bool| members.iter().any(is);
        match topology {
            Topology::Hub if !has(|it| it.is_first) => {
                let what = "topology hub has no hub: add hubs, or hub = true to a node";
                self.fault(["mesh", "topology"], Some(mesh), what.to_owned());
            }
            Topology::Bipartite => {
                if !has(|it| it.is_first) || !has(|it| it.is_second) {
                    let what = "topology bipartite has no node on one side: add left and right, or side to nodes";
                    self.fault(["mesh", "topology"], Some(mesh), what.to_owned());
                }
                let mut members = members.iter();
                if let Some(both) = members.find(|it| it.is_first && it.is_second) {
                    let what = format!(
                        "node {} is on both sides: select it by left or by right",
                        both.name
                    );
                    self.fault(["mesh", "right"], Some(mesh), what);
                }
            }
            Topology::Full | Topology::Ring | Topology::Hub | Topology::Sample(_) => {}
        }
    }

    /// Settings that are for a host to decide alone.
    pub(super) fn judge_settings(&mut self, top: &str, name: Option<&str>, leaves: &Leaves) {
        if leaves.has("insecure-key-file") {
            let what = "insecure-key-file: not in a mesh document: leave it out";
            self.fault([top, "insecure-key-file"], name, what.to_owned());
        }
        for leaf in KEY_FILES {
            if let Some(text) = leaves.one(leaf).filter(|text| !is_plain_name(text)) {
                let what = format!(
                    "{leaf} {text}: write the name of a file, which each node has in the directory of keys of its [mesh]"
                );
                self.fault([top, leaf], name, what);
            }
        }
    }

    /// A fault of a leaf of an entry, or of a container where it has no name.
    pub(super) fn fault(&mut self, [top, leaf]: [&str; 2], name: Option<&str>, what: String) {
        let path = self.model.path(top, name);
        let fault = Fault {
            path: self.model.leaf_path(&path, leaf).unwrap_or(path),
            kind: FaultKind::WrongValue,
            what,
            app_tag: None,
        };
        self.faults.push(self.document.locate(fault));
    }
}
