//! State in the model of TWAMP (RFC 8913).

use std::net::{IpAddr, SocketAddr};

use twinpath_proto::control::ConnectionStage;
use twinpath_proto::reflector::SessionOrigin;
use twinpath_runtime::server::{ListedConnection, ServerSession};
use twinpath_wire::control::{Accept, Modes};
use twinpath_yang::{Children, Data, NodeId};

use super::builder::Builder;
use super::interval::IntervalFiller;
use super::{measurement, unanswered};
use crate::daemon::model::{Model, key};
use crate::daemon::status::{Counts, Entry};
use crate::daemon::twamp::{TwampServer, TwampSession, TwampState};

/// Adds what the daemon does for the model of TWAMP.
pub(super) fn add(model: &Model, root: &mut Children, state: &TwampState, entries: &[Entry]) {
    let Some(twamp) = root.container_mut(model.twamp) else {
        return;
    };
    let mut tree = Twamp { model, twamp };
    let entry = |kind: &str, name: &str| {
        let mut entries = entries.iter();
        entries.find(|entry| entry.kind == kind && entry.name == name)
    };
    for session in &state.sessions {
        tree.connection(session, &state.sessions);
        tree.request(session);
        if let Some(entry) = entry("session", &session.name) {
            tree.sender(session, entry);
        }
    }
    if let Some(server) = &state.server {
        tree.server(
            server,
            entry("server", crate::daemon::settings::TWAMP_SERVER),
        );
    }
}

/// The content of the container `twamp`.
struct Twamp<'a> {
    model: &'a Model,
    twamp: &'a mut Children,
}

impl Twamp<'_> {
    /// Adds data to a node: steps of containers, and of lists with the name of an entry.
    fn add(&mut self, steps: &[(&str, Option<&str>)], fill: impl FnOnce(&mut Builder<'_>)) {
        let mut node = self.model.twamp;
        let mut content: &mut Children = self.twamp;
        for (step, name) in steps {
            let Some(child) = self.model.child(node, step) else {
                return;
            };
            let Some(next) = below(content, child, *name) else {
                return;
            };
            (node, content) = (child, next);
        }
        let mut builder = Builder::at(&self.model.schema, node);
        fill(&mut builder);
        for (node, data) in builder.finish() {
            content.insert(node, data);
        }
    }

    fn connection(&mut self, session: &TwampSession, all: &[TwampSession]) {
        let of_connection = all
            .iter()
            .filter(|one| one.connection == session.connection);
        let is_active = of_connection.clone().any(|one| one.status == "running");
        let latest = of_connection.clone().rfind(|one| one.facts.near.is_some());
        let runs = of_connection.map(TwampSession::repeat_count).max();
        let steps = [
            ("client", None),
            ("ctrl-connection", Some(&*session.connection)),
        ];
        self.add(&steps, |it| {
            let facts = latest.map(|one| one.facts).unwrap_or_default();
            it.leaf(
                "client-tcp-port",
                facts.near.map(|near| u64::from(near.port())),
            );
            it.leaf("repeat-count", runs);
            it.leaf("state", if is_active { "active" } else { "idle" });
            modes(it, "selected-mode", facts.chosen);
        });
    }

    fn request(&mut self, session: &TwampSession) {
        let steps = [
            ("client", None),
            ("ctrl-connection", Some(&*session.connection)),
            ("test-session-request", Some(&*session.name)),
        ];
        self.add(&steps, |it| {
            it.leaf("state", session.facts.answer.map(answer));
            let sid = session.facts.session.map(|agreed| agreed.sid.to_string());
            it.leaf("sid", sid.as_deref());
        });
    }

    fn sender(&mut self, session: &TwampSession, entry: &Entry) {
        let figures = IntervalFiller::at(
            self.model,
            self.model.twamp,
            &["session-sender", "test-session", "measurement", "interval"],
        );
        let steps = [
            ("session-sender", None),
            ("test-session", Some(&*session.name)),
        ];
        self.add(&steps, |it| {
            it.leaf("ctrl-connection-name", &*session.connection);
            let state = match (&entry.failure, entry.state) {
                (Some(_), _) => Some("failure"),
                (None, "running") => Some("active"),
                (None, _) => None,
            };
            it.leaf("state", state);
            let measured = entry.measures.first();
            packets(
                it,
                measured.map(|one| one.sent),
                measured.map(|one| one.received),
            );
            it.container("measurement", |it| {
                it.leaf("status", entry.state);
                it.leaf("failure", entry.failure.as_deref());
                if let Some(measured) = measured {
                    measurement(it, measured, &figures);
                }
            });
        });
    }

    fn server(&mut self, server: &TwampServer, entry: Option<&Entry>) {
        self.add(&[("server", None)], |it| {
            it.list("ctrl-connection", &server.connections, |it, one| {
                connection(it, one);
            });
            if let Some(entry) = entry {
                it.container("state", |it| server_state(it, entry));
            }
        });
        // It may have no configuration of its own.
        let reflector = self.model.child(self.model.twamp, "session-reflector");
        if let Some(reflector) = reflector
            && self.twamp.get(reflector).is_none()
        {
            self.twamp
                .insert(reflector, Data::Container(Children::new()));
        }
        self.add(&[("session-reflector", None)], |it| {
            it.list("test-session", &server.sessions, |it, one| {
                reflected(it, one);
            });
        });
    }
}

fn below<'a>(
    content: &'a mut Children,
    child: NodeId,
    name: Option<&str>,
) -> Option<&'a mut Children> {
    match (content.get_mut(child)?, name) {
        (Data::Container(children), None) => Some(children),
        (Data::List(entries), Some(name)) => entries.get_mut(&key(name)),
        (
            Data::Container(_)
            | Data::List(_)
            | Data::Leaf(_)
            | Data::LeafList(_)
            | Data::Keyless(_)
            | Data::Any(_),
            _,
        ) => None,
    }
}

fn server_state(it: &mut Builder<'_>, entry: &Entry) {
    it.leaf("status", entry.state);
    it.leaf("failure", entry.failure.as_deref());
    it.leaf_list("listening", entry.listening.iter().map(String::as_str));
    it.leaf("replies", entry.replies);
    if let Some(Counts::Server(counters)) = &entry.counts {
        it.leaf(
            "error-multiplier-zero",
            counters.packets.error_multiplier_zero,
        );
        unanswered(it, counters.packets.ignored_by_kind());
    }
}

fn connection(it: &mut Builder<'_>, one: &ListedConnection) {
    end(it, "client-ip", "client-tcp-port", one.client);
    end(it, "server-ip", "server-tcp-port", one.server);
    let state = match one.stage {
        ConnectionStage::Accepted | ConnectionStage::Running => "active",
        ConnectionStage::Refused
        | ConnectionStage::SettingUp
        | ConnectionStage::Idle
        | ConnectionStage::Closing => "servwait",
    };
    it.leaf("state", state);
    let chosen = Some(one.modes).filter(|modes| *modes != Modes::default());
    modes(it, "selected-mode", chosen);
}

fn reflected(it: &mut Builder<'_>, one: &ServerSession) {
    let SessionOrigin::Negotiated {
        sid,
        dscp,
        counters,
        ..
    } = one.session.origin
    else {
        return;
    };
    it.leaf("sid", sid.to_string().as_str());
    end(it, "sender-ip", "sender-udp-port", one.session.sender);
    end(it, "reflector-ip", "reflector-udp-port", one.reflector);
    let connection = &one.connection;
    end(
        it,
        "parent-connection-client-ip",
        "parent-connection-client-tcp-port",
        connection.client,
    );
    end(
        it,
        "parent-connection-server-ip",
        "parent-connection-server-tcp-port",
        connection.server,
    );
    it.leaf("test-packet-dscp", u64::from(dscp.value()));
    packets(it, Some(counters.reflected), Some(counters.received));
}

/// Packets that were sent and received; numbers that the model has no room for are left out.
fn packets(it: &mut Builder<'_>, sent: Option<u64>, received: Option<u64>) {
    let fits = |number: &u64| u32::try_from(*number).is_ok();
    it.leaf("sent-packets", sent.filter(fits));
    it.leaf("rcv-packets", received.filter(fits));
    let last = sent.and_then(|sent| sent.checked_sub(1));
    it.leaf("last-sent-seq", last.filter(fits));
}

fn end(it: &mut Builder<'_>, address: &str, port: &str, end: SocketAddr) {
    let ip: IpAddr = end.ip().to_canonical();
    it.leaf(address, ip.to_string().as_str());
    it.leaf(port, u64::from(end.port()));
}

fn modes(it: &mut Builder<'_>, leaf: &str, chosen: Option<Modes>) {
    let bits = chosen.map(crate::daemon::settings::bits);
    it.leaf(leaf, bits.as_deref());
}

/// The state of a request by the server's answer.
fn answer(accept: Accept) -> &'static str {
    match accept {
        Accept::Ok => "accepted",
        Accept::Failure => "failed",
        Accept::InternalError => "internal-error",
        Accept::NotSupported => "not-supported",
        Accept::PermanentLimit => "permanent-resource-limit",
        Accept::TemporaryLimit => "temp-resource-limit",
    }
}
