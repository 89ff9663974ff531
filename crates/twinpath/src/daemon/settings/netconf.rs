//! The NETCONF server, and rules of access.

use std::net::SocketAddr;
use std::path::PathBuf;

use twinpath_yang::{Access, Fault, Path, Select};

use crate::args::key_path;
use crate::daemon::model::{Model, key};
use crate::daemon::netconf::{HAS_NETCONF, WITHOUT, lacking};

use super::reading::{Reading, wrong};

/// Where NETCONF is served, and to which users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetconfSettings {
    /// For TCP.
    pub(crate) listen: SocketAddr,
    /// The private key of the server.
    pub(crate) host_key: PathBuf,
    /// Public keys of users.
    pub(crate) authorized_keys: PathBuf,
    /// Sessions at once.
    pub(crate) max_sessions: usize,
    /// Sessions at once of one address.
    pub(crate) max_per_address: usize,
}

impl Reading<'_> {
    /// Where NETCONF is served.
    pub(super) fn netconf(&mut self) -> Option<NetconfSettings> {
        let leaves = self.container("netconf");
        let listen = leaves.one("listen")?;
        if !HAS_NETCONF {
            self.faults
                .push(wrong(path(self.model, None), WITHOUT.to_owned()));
            return None;
        }
        let address = listen.parse().ok();
        if address.is_none() {
            let what = format!("listen {listen}: use an address and a port, as in 127.0.0.1:830");
            self.faults
                .push(wrong(path(self.model, Some("listen")), what));
        }
        let mut file = |leaf: &str| {
            let text = leaves.one(leaf)?;
            let found = key_path(text);
            let wrong = |what| wrong(path(self.model, Some(leaf)), format!("{text}: {what}"));
            found.map_err(|what| self.faults.push(wrong(what))).ok()
        };
        let [host_key, authorized_keys] = ["host-key", "authorized-keys"].map(&mut file);
        let number = |leaf: &str, usual| {
            let number = leaves.one(leaf).and_then(|text| text.parse().ok());
            number.unwrap_or(usual)
        };
        Some(NetconfSettings {
            listen: address?,
            host_key: host_key?,
            authorized_keys: authorized_keys?,
            max_sessions: number("max-sessions", 64),
            max_per_address: number("max-sessions-per-address", 16),
        })
    }

    /// Refuses rules of access that match nothing: a rule that denies would have no effect.
    pub(super) fn check_rules(&mut self) {
        let access = Access::of(&self.model.schema, self.root);
        for rule in access.ignored() {
            let at = rule_path(self.model, &rule.rule_list, &rule.rule);
            let what = format!(
                "{}: write the path of a node that is in the schema",
                rule.what
            );
            self.faults.push(wrong(at, what));
        }
    }
}

/// The path of a rule, as far as the schema has it.
fn rule_path(model: &Model, list: &str, rule: &str) -> Path {
    let mut path = Path::root();
    let schema = &model.schema;
    let module = schema.module_named("ietf-netconf-acm");
    let steps = [
        ("nacm", Select::All),
        ("rule-list", Select::Key(key(list))),
        ("rule", Select::Key(key(rule))),
        ("path", Select::All),
    ];
    for (name, select) in steps {
        match schema.child(path.node(), module, name) {
            Some(node) => path.push(node, select),
            None => return path,
        }
    }
    path
}

/// What is wrong with its files on this host.
pub(super) fn lacks(settings: &NetconfSettings, model: &Model) -> Vec<Fault> {
    let lacking = lacking(settings).into_iter();
    lacking
        .map(|(leaf, failure)| wrong(path(model, Some(leaf)), failure.to_string()))
        .collect()
}

fn path(model: &Model, leaf: Option<&str>) -> Path {
    let path = model.path("netconf", None);
    let below = leaf.and_then(|leaf| model.leaf_path(&path, leaf));
    below.unwrap_or(path)
}
