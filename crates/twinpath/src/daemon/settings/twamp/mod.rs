//! The model of TWAMP (RFC 8913) as what a daemon runs: each test session that is requested is a session with a control
//! connection of its own, and the server is one of the servers.

mod requests;
mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use twinpath_wire::control::Modes;
use twinpath_yang::{Children, Data, Fault, NodeId, Path, Select};

use crate::daemon::model::{Model, key};
use crate::daemon::reflectors::ServerSpec;
use crate::daemon::sessions::SessionSpec;
use crate::daemon::twamp::RemoteSession;
use crate::plan::{Layer, Setting, Unread};

use super::leaves::Leaves;
use super::reading::{Reading, as_keys, wrong};
use requests::{Asked, mode_chain};
use server::twamp_server;

/// What the server of the model is called among the servers.
pub(in crate::daemon) const SERVER: &str = "ietf-twamp";
/// Ports from which the model has sessions take theirs (RFC 6335 section 6).
const DYNAMIC_PORTS: &str = "49152-65535";
/// The most PBKDF2 iterations, as an exponent of 2.
const MOST_EXPONENT: u32 = 20;

/// Bits of modes by their names in the model.
const BITS: [(&str, Modes); 7] = [
    ("unauthenticated", Modes::UNAUTHENTICATED),
    ("authenticated", Modes::AUTHENTICATED),
    ("encrypted", Modes::ENCRYPTED),
    ("unauth-test-encrypt-control", Modes::MIXED),
    ("individual-session-control", Modes::INDIVIDUAL_CONTROL),
    ("reflect-octets", Modes::REFLECT_OCTETS),
    ("symmetrical-size", Modes::SYMMETRICAL_SIZE),
];

/// Bits of modes as the model has them.
pub(in crate::daemon) fn bits(modes: Modes) -> String {
    let set = BITS.iter().filter(|(_, mode)| modes.contains(*mode));
    let names: Vec<&str> = set.map(|(name, _)| *name).collect();
    names.join(" ")
}

/// The path of a test session that a connection requests.
pub(in crate::daemon) fn request_path(model: &Model, connection: &str, name: &str) -> Path {
    let top = Path::root().join(model.twamp, Select::All);
    let steps = [
        ("client", None),
        ("ctrl-connection", Some(connection)),
        ("test-session-request", Some(name)),
    ];
    let path = steps.into_iter().try_fold(top, |path, (step, name)| {
        let select = name.map_or(Select::All, |name| Select::Key(key(name)));
        Some(path.join(model.child(path.node()?, step)?, select))
    });
    path.unwrap_or_else(Path::root)
}

/// The path of a test session that this host sends.
pub(in crate::daemon) fn sender_path(model: &Model, name: &str) -> Path {
    let top = Path::root().join(model.twamp, Select::All);
    let steps = [
        ("session-sender", Select::All),
        ("test-session", Select::Key(key(name))),
    ];
    let path = steps.into_iter().try_fold(top, |path, (step, select)| {
        Some(path.join(model.child(path.node()?, step)?, select))
    });
    path.unwrap_or_else(Path::root)
}

/// The path of the server.
pub(in crate::daemon) fn server_path(model: &Model) -> Path {
    let top = Path::root().join(model.twamp, Select::All);
    let server = model.child(model.twamp, "server");
    server.map_or(top.clone(), |server| top.join(server, Select::All))
}

/// What the model comes to.
#[derive(Default)]
pub(super) struct TwampSettings {
    pub(super) server: Option<ServerSpec>,
    pub(super) sessions: BTreeMap<Arc<str>, SessionSpec>,
    pub(super) remotes: BTreeMap<Arc<str>, RemoteSession>,
}

/// A node of the tree, and where it is.
struct At<'a> {
    model: &'a Model,
    node: NodeId,
    path: Path,
    children: &'a Children,
    leaves: Leaves,
}

impl<'a> At<'a> {
    fn new(model: &'a Model, node: NodeId, path: Path, children: &'a Children) -> Self {
        Self {
            model,
            node,
            path,
            children,
            leaves: Leaves::of(&model.schema, children),
        }
    }

    /// A container; `None`: nothing of it is configured.
    fn container(&self, name: &str) -> Option<Self> {
        let node = self.model.child(self.node, name)?;
        let children = self.children.get(node)?.container()?;
        children.iter().next()?;
        let path = self.path.join(node, Select::All);
        Some(Self::new(self.model, node, path, children))
    }

    fn list(&self, name: &str) -> Vec<Self> {
        let Some(node) = self.model.child(self.node, name) else {
            return Vec::new();
        };
        let entries = self.children.get(node).and_then(Data::entries);
        let entries = entries.into_iter().flatten();
        let all = entries.map(|(key, entry)| {
            let path = self.path.join(node, Select::Key(key.clone()));
            Self::new(self.model, node, path, entry)
        });
        all.collect()
    }

    fn one(&self, leaf: &str) -> Option<&str> {
        self.leaves.one(leaf)
    }

    fn name(&self) -> &str {
        self.one("name").unwrap_or_default()
    }

    fn number(&self, leaf: &str) -> Option<u64> {
        self.one(leaf)?.parse().ok()
    }

    fn is_on(&self) -> bool {
        self.one("admin-state") != Some("false")
    }

    /// A fault in the node.
    fn fault(&self, what: impl Into<String>) -> Vec<Fault> {
        vec![wrong(self.path.clone(), what.into())]
    }

    /// A fault in a leaf.
    fn leaf_fault(&self, leaf: &str, what: impl std::fmt::Display) -> Vec<Fault> {
        vec![wrong(self.leaf(leaf), format!("{leaf}: {what}"))]
    }

    /// Bits of modes.
    fn modes(&self, leaf: &str) -> Result<Modes, Vec<Fault>> {
        let names = self.one(leaf).unwrap_or_default().split(' ');
        let mut modes = Modes::default();
        for name in names.filter(|name| !name.is_empty()) {
            let Some((_, mode)) = BITS.iter().find(|(bit, _)| *bit == name) else {
                let what = format!("{name} is not supported: leave it out");
                return Err(self.leaf_fault(leaf, what));
            };
            modes = modes | *mode;
        }
        Ok(modes)
    }

    /// PBKDF2 iterations, of which the leaf has the exponent.
    fn iterations(&self, leaf: &str, usual: u32) -> Result<u32, Vec<Fault>> {
        let exponent = self.number(leaf).and_then(|it| u32::try_from(it).ok());
        match exponent.unwrap_or(usual) {
            exponent @ 0..=MOST_EXPONENT => Ok(1 << exponent),
            exponent => {
                let what = format!("{exponent}: use at most {MOST_EXPONENT}");
                Err(self.leaf_fault(leaf, what))
            }
        }
    }

    fn leaf(&self, leaf: &str) -> Path {
        let path = self.model.leaf_path(&self.path, leaf);
        path.unwrap_or_else(|| self.path.clone())
    }
}

/// Options of a command, one after the other.
#[derive(Default)]
struct OptionSet(Layer);

impl OptionSet {
    fn set(&mut self, name: &str, value: impl Into<String>) {
        let setting = Setting::Values(vec![value.into()]);
        self.0.insert(name.to_owned(), (setting, 0));
    }

    fn switch(&mut self, name: &str) {
        self.0.insert(name.to_owned(), (Setting::Switch(true), 0));
    }

    /// The option of a leaf that is set.
    fn copy(&mut self, name: &str, at: &At<'_>, leaf: &str) {
        if let Some(value) = at.one(leaf) {
            self.set(name, value);
        }
    }

    /// Where keys are.
    fn keys(&mut self, at: &At<'_>) -> bool {
        self.copy("keys", at, "keys");
        if at.one("insecure-key-file") == Some("true") {
            self.switch("insecure-key-file");
        }
        at.leaves.has("keys")
    }
}

impl Reading<'_> {
    /// What the model of TWAMP asks for. `taken`: the names of other sessions.
    pub(super) fn twamp(&mut self, taken: &BTreeSet<Arc<str>>) -> TwampSettings {
        let model = self.model;
        let Some(children) = self.root.get(model.twamp).and_then(Data::container) else {
            return TwampSettings::default();
        };
        let path = Path::root().join(model.twamp, Select::All);
        let twamp = At::new(model, model.twamp, path, children);
        let reflector = twamp.container("session-reflector");
        let server = twamp.container("server").filter(At::is_on);
        let server =
            server.map(|server| twamp_server(&mut self.readers, &server, reflector.as_ref()));
        let mut settings = TwampSettings {
            server: self.noted(server.transpose()).flatten(),
            ..TwampSettings::default()
        };
        let client = twamp.container("client").filter(At::is_on);
        if let Some(client) = client
            && let Some(chain) = self.noted(mode_chain(&client))
        {
            let sender = twamp.container("session-sender");
            let asked = Asked::all(&client, sender.as_ref(), &chain);
            let asked = self.noted(asked).unwrap_or_default();
            for asked in asked {
                let added = asked.add(&mut self.readers, taken, &mut settings);
                self.noted(added);
            }
        }
        settings
    }

    /// The value, or `None` once faults are noted.
    fn noted<T>(&mut self, read: Result<T, Vec<Fault>>) -> Option<T> {
        read.map_err(|faults| self.faults.extend(faults)).ok()
    }
}

/// Options that were read, or what is wrong with the leaves that they are from.
fn understood<T>(read: Result<T, Vec<Unread>>, from: &[&At<'_>]) -> Result<T, Vec<Fault>> {
    read.map_err(|unread| {
        let unread = unread.into_iter();
        unread.map(|one| located(&one, from)).collect()
    })
}

fn located(unread: &Unread, from: &[&At<'_>]) -> Fault {
    let leaf = match unread.key.as_deref() {
        Some("count") => "number-of-packets",
        Some("interval") => "periodic-interval",
        Some("padding") => "padding-length",
        Some("dscp") => "test-packet-dscp",
        Some("receiver-port") => "reflector-udp-port",
        Some("control-dscp") => "control-packet-dscp",
        Some("mode") => "modes",
        Some(other) => other,
        None => "",
    };
    let at = from.iter().find(|at| at.leaves.has(leaf));
    let path = at.map(|at| at.leaf(leaf));
    let path = path.or_else(|| Some(from.first()?.path.clone()));
    wrong(path.unwrap_or_else(Path::root), as_keys(&unread.why))
}

fn end(address: &str, port: &str) -> String {
    if address.contains(':') {
        format!("[{address}]:{port}")
    } else {
        format!("{address}:{port}")
    }
}

#[cfg(test)]
mod tests;
