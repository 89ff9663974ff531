//! From the tree of a configuration to what its entries run. Leaves are options of the commands: those of a session
//! are `twinpath sender`'s or `controller`'s, those of a responder or server theirs. Each is judged by the parser of
//! its command line, so an option has one meaning wherever it is written.

mod alerts;
mod api;
mod endpoints;
mod exports;
mod leaves;
mod mesh;
mod netconf;
mod options;
mod paths;
mod readers;
mod reading;
#[cfg(test)]
mod tests;
mod twamp;

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::thread;

use twinpath_yang::{Children, Fault};

use crate::args::ResponderArgs;
use crate::failure::{Exit, Failure};
use crate::http::Endpoints;
use crate::output::ends::named;
use crate::store::StoreSettings;

use super::alarms::AlarmSettings;
use super::exports::ExportSpec;
use super::mesh::MeshSettings;
use super::model::Model;
use super::reflectors::{OnAddresses, ServerSpec, responder_plan, server_plan};
use super::sessions::SessionSpec;
use super::twamp::RemoteSession;
use reading::{Reading, fault, wrong};

pub(super) use leaves::Leaves;
pub(crate) use netconf::NetconfSettings;
pub(super) use options::Options;
pub(super) use reading::as_keys;
pub(super) use twamp::{SERVER as TWAMP_SERVER, bits, request_path, sender_path, server_path};

/// What a configuration comes to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// Threads that sessions share; `None`: as many as there are processors, up to [`MOST_USUAL_THREADS`].
    threads: Option<usize>,
    /// What this host is called.
    pub(super) name: Option<String>,
    /// Where rows of intervals are kept; `None`: nowhere.
    pub(super) store: Option<StoreSettings>,
    /// Where the page and metrics are served, and to which users.
    pub(crate) api: Endpoints,
    /// Where NETCONF is served; `None`: nowhere.
    pub(crate) netconf: Option<NetconfSettings>,
    pub(super) responders: BTreeMap<Arc<str>, OnAddresses<ResponderArgs>>,
    pub(super) servers: BTreeMap<Arc<str>, ServerSpec>,
    pub(super) sessions: BTreeMap<Arc<str>, SessionSpec>,
    /// Sessions of senders on other hosts, for which control connections are kept.
    pub(super) remotes: BTreeMap<Arc<str>, RemoteSession>,
    pub(super) alarms: AlarmSettings,
    pub(super) exports: BTreeMap<Arc<str>, ExportSpec>,
    /// Where a mesh document is; `None`: nowhere.
    pub(super) mesh: Option<MeshSettings>,
}

/// One takes 50,000 packets a second.
const MOST_USUAL_THREADS: usize = 4;

/// What keeps an entry from running, and whether another configuration would mend it: else this host lacks something.
type Obstacle = (Fault, bool);

impl Settings {
    /// What the tree says.
    ///
    /// # Errors
    /// All that no entry can mean.
    pub(super) fn of(model: &Model, root: &Children) -> Result<Self, Vec<Fault>> {
        let mut reading = Reading::new(model, root);
        let store = reading.store();
        let mut settings = Self {
            threads: reading.number("daemon", "threads"),
            name: reading.text("daemon", "name"),
            exports: reading.exports(store.as_ref()),
            mesh: reading.mesh(store.as_ref()),
            store,
            api: reading.api(),
            netconf: reading.netconf(),
            responders: reading.responders(),
            servers: reading.servers(),
            sessions: reading.sessions(),
            alarms: reading.alarms(),
            remotes: BTreeMap::new(),
        };
        settings.add_twamp(&mut reading);
        reading.check_rules();
        reading.check_paths();
        let mut faults = reading.finish();
        let obstacles = settings.obstacles(model, root).into_iter();
        faults.extend(obstacles.filter_map(|(fault, is_mended)| is_mended.then_some(fault)));
        if faults.is_empty() {
            Ok(settings)
        } else {
            Err(faults)
        }
    }

    /// Adds what the model of TWAMP asks for.
    fn add_twamp(&mut self, reading: &mut Reading<'_>) {
        let taken = self.sessions.keys().cloned().collect();
        let twamp = reading.twamp(&taken);
        let is_raw = reading.saves_raw();
        let sessions = twamp.sessions.into_iter();
        self.sessions
            .extend(sessions.map(|(name, spec)| (name, spec.with_raw(is_raw))));
        self.remotes = twamp.remotes;
        if let Some(server) = twamp.server {
            let other = self.servers.insert(twamp::SERVER.into(), server);
            if other.is_some() {
                let what = format!(
                    "name {}: that is the server of [twamp.server]: use another one",
                    twamp::SERVER
                );
                let path = reading.model.path("server", Some(twamp::SERVER));
                reading.faults.push(wrong(path, what));
            }
        }
    }

    /// The threads that sessions share.
    pub(crate) fn threads(&self) -> usize {
        let processors = || thread::available_parallelism().map_or(1, usize::from);
        self.threads
            .unwrap_or_else(|| processors().min(MOST_USUAL_THREADS))
    }

    /// Whether nothing is measured or answered.
    pub(super) fn run_nothing(&self) -> bool {
        let is_idle = self.sessions.is_empty() && self.remotes.is_empty() && self.mesh.is_none();
        is_idle && self.responders.is_empty() && self.servers.is_empty()
    }

    /// Puts what is kept in the store's directory in that of the store that is open, if it is another one.
    pub(super) fn keep_in(&mut self, open: Option<&StoreSettings>) {
        let (Some(own), Some(open)) = (&self.store, open) else {
            return;
        };
        let (from, to) = (&own.path, &open.path);
        let exports = self
            .exports
            .values_mut()
            .map(|export| &mut export.directory);
        let cache = self.mesh.as_mut().and_then(|mesh| mesh.cache.as_mut());
        for path in exports.chain(cache) {
            if let Ok(within) = path.strip_prefix(from) {
                *path = to.join(within);
            }
        }
    }

    /// What others change that a daemon has for as long as it lives.
    pub(super) fn needs_restart(&self, other: &Self) -> Vec<&'static str> {
        let both = [
            (self.api.listen != other.api.listen, "listen of [api]"),
            (self.api.socket != other.api.socket, "socket of [api]"),
            (self.api.tokens != other.api.tokens, "tokens of [api]"),
            (self.api.tls != other.api.tls, "tls of [api]"),
            (self.netconf != other.netconf, "[netconf]"),
            (self.threads() != other.threads(), "threads of [daemon]"),
            (self.store != other.store, "[store]"),
        ];
        let changed = both.into_iter().filter(|(is_changed, _)| *is_changed);
        changed.map(|(_, key)| key).collect()
    }

    /// What would keep entries from running, on this host too, as far as it is known without packets.
    pub(super) fn lacks(&self, model: &Model, root: &Children) -> Vec<Fault> {
        let obstacles = self.obstacles(model, root).into_iter();
        let files = api::lacks(&self.api, model);
        let keys = self.netconf.iter().flat_map(|it| netconf::lacks(it, model));
        let files = files.into_iter().chain(keys);
        let beside = self.lacks_beside(model, root);
        let obstacles = obstacles.map(|(fault, _)| fault);
        obstacles.chain(beside).chain(files).collect()
    }

    /// What would keep entries from running. Names are not looked up.
    fn obstacles(&self, model: &Model, root: &Children) -> Vec<Obstacle> {
        let obstacle = |list: &str, name: &Arc<str>, failure: Failure| {
            let is_mended = failure.exit == Exit::Usage;
            let line = failure.to_string();
            (fault(model, root, list, name, None, &line), is_mended)
        };
        let mut taken = Taken::default();
        let responders = self.responders.iter().filter_map(|(name, spec)| {
            let plan = responder_plan(spec, &any_address);
            let free = plan.and_then(|(plan, _)| taken.claim("responder", name, &plan.near));
            Some(obstacle("responder", name, free.err()?))
        });
        let responders: Vec<Obstacle> = responders.collect();
        let mut taken = Taken::default();
        let servers = self.servers.iter().filter_map(|(name, spec)| {
            let plan = server_plan(spec, &any_address);
            let free = plan.and_then(|plan| taken.claim("server", name, &plan.near));
            let (fault, is_mended) = obstacle("server", name, free.err()?);
            if &**name != twamp::SERVER {
                return Some((fault, is_mended));
            }
            Some((wrong(server_path(model), fault.what), is_mended))
        });
        let servers: Vec<Obstacle> = servers.collect();
        let sessions = self.sessions.iter().filter_map(|(name, spec)| {
            let failure = spec.check(&any_address).err()?;
            let (fault, is_mended) = obstacle("session", name, failure);
            let SessionSpec::Limited(limited) = spec else {
                return Some((fault, is_mended));
            };
            let path = request_path(model, &limited.connection, name);
            Some((wrong(path, fault.what), is_mended))
        });
        let remotes = self.remotes.iter().filter_map(|(name, spec)| {
            let failure = spec.check(&any_address).err()?;
            let is_mended = failure.exit == Exit::Usage;
            let path = request_path(model, &spec.connection, name);
            Some((wrong(path, as_keys(&failure.to_string())), is_mended))
        });
        let reflectors = responders.into_iter().chain(servers);
        let sessions = sessions.chain(remotes);
        reflectors.chain(sessions).collect()
    }

    /// What actions and exports lack on this host. The daemon measures without it.
    pub(super) fn lacks_beside(&self, model: &Model, root: &Children) -> Vec<Fault> {
        let alerts = self.alarms.alerts.iter();
        let alerts = alerts.flat_map(|alert| alerts::lacks(alert, model, root));
        let exports = self.exports.iter().filter_map(|(name, export)| {
            let line = export.lacks()?.to_string();
            Some(fault(model, root, "export", name, None, &line))
        });
        alerts.chain(exports).collect()
    }
}

/// Which entry listens where.
#[derive(Default)]
struct Taken<'a>(HashMap<SocketAddr, &'a str>);

impl<'a> Taken<'a> {
    /// Notes where an entry listens; fails where another does. A name may have any address, and port 0 is a free one.
    fn claim(&mut self, list: &str, name: &'a str, near: &[SocketAddr]) -> Result<(), Failure> {
        for address in near {
            let is_known = address.port() != 0 && ![V4.into(), V6.into()].contains(&address.ip());
            let other = is_known.then(|| self.0.insert(*address, name)).flatten();
            if let Some(other) = other {
                let place = named(*address);
                let line = format!("--address {place}: {list} {other} listens there too");
                return Err(Failure::usage(line));
            }
        }
        Ok(())
    }
}

/// Addresses that stand for any name: of networks for documentation (RFC 5737, RFC 3849).
const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

/// An address of each family for any name.
#[expect(clippy::unnecessary_wraps, reason = "as names are looked up")]
fn any_address(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    Ok(vec![(V4, port).into(), (V6, port).into()])
}
