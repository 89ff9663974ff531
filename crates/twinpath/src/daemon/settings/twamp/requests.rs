//! The test sessions that the client of the model requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use twinpath_report::words::is_plain;
use twinpath_runtime::wall;
use twinpath_wire::control::{Modes, SecurityMode};
use twinpath_wire::{TimeFormat, Wall, WireTime};
use twinpath_yang::Fault;

use super::{At, DYNAMIC_PORTS, MOST_EXPONENT, OptionSet, TwampSettings, end, understood};
use crate::daemon::sessions::SessionSpec;
use crate::daemon::settings::readers::Readers;
use crate::daemon::twamp::{LimitedSession, ModeChain, RemoteSession, Repeat};

/// A request, and what is said of it elsewhere.
pub(super) struct Asked<'a> {
    client: &'a At<'a>,
    connection: Arc<At<'a>>,
    request: At<'a>,
    /// The session of this host's own sender; `None`: the sender is on another host.
    sender: Option<At<'a>>,
    chain: &'a ModeChain,
}

/// The modes in the order of their priority.
pub(super) fn mode_chain(client: &At<'_>) -> Result<ModeChain, Vec<Fault>> {
    let mut entries = client.list("mode-preference-chain");
    entries.sort_by_key(|entry| entry.number("priority"));
    let mut chain = ModeChain::default();
    for entry in entries.iter().filter(|entry| entry.leaves.has("mode")) {
        let modes = entry.modes("mode")?;
        let security = modes.without(Modes::FEATURES);
        let Some(mode) = SecurityMode::ALL
            .into_iter()
            .find(|it| it.modes() == security)
        else {
            let what = "write one of unauthenticated, authenticated, encrypted and unauth-test-encrypt-control, and extensions";
            return Err(entry.leaf_fault("mode", what));
        };
        let extensions = modes.without(Modes::SECURITY);
        if !chain.security.is_empty() && extensions != chain.required {
            return Err(entry.leaf_fault("mode", "give each priority the same extensions"));
        }
        chain.required = extensions;
        chain.security.push(mode);
    }
    Ok(chain)
}

impl<'a> Asked<'a> {
    /// All requests of a client but those of a sender that is switched off.
    pub(super) fn all(
        client: &'a At<'a>,
        sender: Option<&At<'a>>,
        chain: &'a ModeChain,
    ) -> Result<Vec<Self>, Vec<Fault>> {
        let is_sending = sender.is_none_or(At::is_on);
        let mut senders: BTreeMap<String, At<'a>> = BTreeMap::new();
        let of_sender = sender.map(|sender| sender.list("test-session"));
        for one in of_sender.into_iter().flatten() {
            senders.insert(one.name().to_owned(), one);
        }
        let mut all = Vec::new();
        for connection in client.list("ctrl-connection") {
            let connection = Arc::new(connection);
            for request in connection.list("test-session-request") {
                let sender = senders.remove(request.name());
                if sender.is_some() && !is_sending {
                    continue;
                }
                all.push(Self {
                    client,
                    connection: Arc::clone(&connection),
                    request,
                    sender,
                    chain,
                });
            }
        }
        let unasked = senders.values().flat_map(|sender| {
            sender.fault("no test-session-request of the client has this name: request it there")
        });
        let unasked: Vec<Fault> = unasked.collect();
        if unasked.is_empty() {
            Ok(all)
        } else {
            Err(unasked)
        }
    }

    /// Adds what it comes to. `taken`: the names of other sessions.
    pub(super) fn add(
        &self,
        readers: &mut Readers,
        taken: &BTreeSet<Arc<str>>,
        settings: &mut TwampSettings,
    ) -> Result<(), Vec<Fault>> {
        let name: Arc<str> = self.request.name().into();
        let is_taken = taken.contains(&name)
            || settings.sessions.contains_key(&name)
            || settings.remotes.contains_key(&name);
        if is_taken {
            let what = format!("{name}: another session has this name too: use another one");
            return Err(self.request.leaf_fault("name", what));
        }
        if !is_session_name(&name) {
            let what = format!(
                "{name:?}: write a name without control characters that is not . or .., does not begin with - and does not end in .json"
            );
            return Err(self.request.leaf_fault("name", what));
        }
        match &self.sender {
            Some(sender) => {
                let session = Box::new(self.limited(readers, sender)?);
                let session = SessionSpec::Limited(session);
                settings.sessions.insert(name, session);
            }
            None => {
                settings.remotes.insert(name, self.remote(readers)?);
            }
        }
        Ok(())
    }

    /// A session that this host sends itself.
    fn limited(
        &self,
        readers: &mut Readers,
        sender: &At<'_>,
    ) -> Result<LimitedSession, Vec<Fault>> {
        let (mut options, server) = self.common()?;
        let near = self.near()?;
        options.copy("count", sender, "number-of-packets");
        options.set("fill", sender.one("fill-mode").unwrap_or("zero"));
        let interval = sender.one("report-interval").unwrap_or("10s");
        options.set("report-interval", interval);
        let (leaf, schedule) = match sender.one("lambda") {
            Some(_) => ("lambda", "poisson"),
            None => ("periodic-interval", "periodic"),
        };
        let Some(interval) = sender.one(leaf).and_then(microseconds) else {
            let what = "without an interval: set periodic-interval or lambda, to a time above 0";
            return Err(sender.fault(what));
        };
        options.set("interval", format!("{interval}us"));
        options.set("schedule", schedule);
        for (extension, option) in [
            (Modes::REFLECT_OCTETS, "reflect-octets"),
            (Modes::SYMMETRICAL_SIZE, "symmetrical-size"),
        ] {
            if self.chain.required.contains(extension) {
                options.switch(option);
            }
        }
        if self.port().is_none() {
            options.set("ports", DYNAMIC_PORTS);
        }
        let operands: Vec<&str> = [&*server].into_iter().chain(near.as_deref()).collect();
        let read = readers.limited(options.0, &operands);
        let options = understood(read, &[&self.request, sender, &self.connection])?;
        let repeat = self.request.number("repeat").unwrap_or(0);
        let interval = self.request.number("repeat-interval").unwrap_or(0);
        Ok(LimitedSession {
            connection: self.connection.name().into(),
            options,
            modes: self.chain.clone(),
            start: self.start(),
            repeat: Repeat {
                times: u32::try_from(repeat).ok().filter(|it| *it < u32::MAX),
                interval: Duration::from_secs(interval),
            },
        })
    }

    /// A session of a sender on another host.
    fn remote(&self, readers: &mut Readers) -> Result<RemoteSession, Vec<Fault>> {
        let (options, server) = self.common()?;
        let request = &self.request;
        let Some(address) = request.one("sender-ip") else {
            let what = "missing: session-sender has no test-session of this name, so its sender is on another host";
            return Err(request.leaf_fault("sender-ip", what));
        };
        let Some(port) = self.port() else {
            let what = "write that of the sender on another host";
            return Err(request.leaf_fault("sender-udp-port", what));
        };
        if request.number("repeat").is_some_and(|times| times > 0) {
            let what = "when a sender on another host has sent all is not known here: leave it out";
            return Err(request.leaf_fault("repeat", what));
        }
        let is_secret = |mode: &&SecurityMode| mode.secures_packets();
        if let Some(mode) = self.chain.security.iter().find(is_secret) {
            let name = mode.name();
            return Err(request.fault(format!(
                "mode-preference-chain has {name}, of which a sender on another host cannot get the keys"
            )));
        }
        let sender = end(address, port);
        let read = readers.remote(options.0, &[&*sender, &*server]);
        Ok(RemoteSession {
            connection: self.connection.name().into(),
            options: understood(read, &[request, &self.connection])?,
            modes: self.chain.clone(),
            start: self.start(),
        })
    }

    /// Options that all requests have, and where the server is.
    fn common(&self) -> Result<(OptionSet, String), Vec<Fault>> {
        let (connection, request) = (&self.connection, &self.request);
        let server = connection.one("server-ip").unwrap_or_default();
        if request.one("reflector-ip") != Some(server) {
            let what = "write the address of the server, which reflects itself";
            return Err(request.leaf_fault("reflector-ip", what));
        }
        let mut options = OptionSet::default();
        options.set("timeout", request.one("timeout").unwrap_or("2"));
        options.set("dscp", request.one("test-packet-dscp").unwrap_or("0"));
        options.copy("padding", request, "padding-length");
        options.copy("receiver-port", request, "reflector-udp-port");
        options.copy("control-dscp", connection, "control-packet-dscp");
        let is_secured = |mode: &SecurityMode| *mode != SecurityMode::Unauthenticated;
        let security = &self.chain.security;
        if security.is_empty() || security.iter().any(is_secured) {
            if options.keys(self.client) {
                options.copy("key-id", connection, "key-id");
                let most = connection.iterations("max-count-exponent", MOST_EXPONENT)?;
                options.set("max-pbkdf2-count", most.to_string());
            } else if connection.leaves.has("key-id")
                || security.iter().all(is_secured) && !security.is_empty()
            {
                let what = "the secured modes take keys: set keys of the client to a file of them";
                return Err(connection.fault(what));
            }
        }
        let port = connection.one("server-tcp-port").unwrap_or("862");
        Ok((options, end(server, port)))
    }

    /// The local end of a session; `None`: any.
    fn near(&self) -> Result<Option<String>, Vec<Fault>> {
        let of_connection = self.connection.one("client-ip");
        let own = self.request.one("sender-ip");
        if let (Some(client), Some(sender)) = (of_connection, own)
            && client != sender
        {
            let what = "write the client-ip of the connection, or leave one of them out";
            return Err(self.request.leaf_fault("sender-ip", what));
        }
        Ok(match (own.or(of_connection), self.port()) {
            (None, None) => None,
            (Some(address), None) => Some(address.to_owned()),
            (None, Some(port)) => Some(format!(":{port}")),
            (Some(address), Some(port)) => Some(end(address, port)),
        })
    }

    /// The sender's port; `None`: any.
    fn port(&self) -> Option<&str> {
        let port = self.request.one("sender-udp-port");
        port.filter(|port| *port != "autoallocate")
    }

    /// When it begins; `None`: at once.
    fn start(&self) -> Option<Wall> {
        let bits = self.request.number("start-time");
        let bits = bits.filter(|bits| *bits != 0)?;
        Some(WireTime::from_bits(bits).read(TimeFormat::Ntp, wall(), 0))
    }
}

/// Whether a session can have this name, which is a part of addresses of the page.
fn is_session_name(name: &str) -> bool {
    let is_short = (1..=255).contains(&name.len());
    let is_reserved =
        matches!(name, "." | "..") || name.starts_with('-') || name.strip_suffix(".json").is_some();
    is_short && name.chars().all(is_plain) && !is_reserved
}

/// Seconds with up to five decimals as microseconds; `None`: not above 0.
fn microseconds(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    let all = whole.checked_mul(1_000_000)?.checked_add(part)?;
    (all > 0).then_some(all)
}
