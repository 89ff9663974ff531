//! What listens on the TCP ports of TWAMP-Control and OWAMP-Control.

use std::net::{IpAddr, SocketAddr};

use twinpath_runtime::probe::{Connection, IcmpKind};

use crate::doctor::seen::at_port;
use crate::doctor::{Ask, Check, Cost, Judged, MOST_ADDRESSES, Seen};
use crate::output::ends::ports_of;
use crate::output::words::no_reply::TCP_SILENT;

pub(super) const TWAMP: u16 = 862;
const OWAMP: u16 = 861;
const GREETING_OCTETS: usize = 64;

/// A check of what listens on the TCP ports of a protocol.
pub(super) struct OfPort {
    pub(super) id: &'static str,
    /// The protocol's own. That of TWAMP-Control may be the one that was given, too.
    pub(super) port: u16,
    pub(super) judge: fn(&Seen) -> Judged,
}

impl Check for OfPort {
    fn id(&self) -> &'static str {
        self.id
    }

    fn costs(&self) -> Vec<Cost> {
        // Of one kind: the addresses do not matter.
        let kind = Ask::Connect(([0, 0, 0, 0], self.port).into()).kind();
        let ports = if self.port == TWAMP { 2 } else { 1 };
        vec![(kind, ports * MOST_ADDRESSES)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        places(seen, self.port)
            .into_iter()
            .map(Ask::Connect)
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        (self.judge)(seen)
    }
}

/// TWAMP-Control's port.
pub(super) static CONTROL: OfPort = OfPort {
    id: "control.connect",
    port: TWAMP,
    judge: control,
};

fn control(seen: &Seen) -> Judged {
    let Some((far, connection)) = best(seen, TWAMP) else {
        return Judged::skipped("no address");
    };
    let port = ports_of("TCP", &[far]);
    let is_reflected = seen.subject().is_some();
    match connection {
        Connection::Open(said) if is_greeting(said) => {
            Judged::ok(format!("{port} takes control connections and greets"))
        }
        Connection::Open(said) if said.is_empty() => {
            Judged::warn(format!("{port} takes connections and says nothing"))
                .advise("a TWAMP server may be there that does not serve this address: see its log and its list of clients")
        }
        Connection::Open(_) => Judged::warn(format!("{port}: another service answers, without a TWAMP greeting"))
            .advise("if a TWAMP server listens on another port, give it: twinpath doctor FAR:PORT"),
        // A firewall on the way may have refused both.
        Connection::Refused if !is_reflected => Judged::unknown(format!("{port} refuses connections: no TWAMP server listens there, or a firewall rejects TCP to it"))
            .advise("if there is a TWAMP server, start it, and allow that port in firewalls on the way"),
        Connection::Refused => Judged::skipped(format!("no TWAMP server: nothing listens on TCP port {TWAMP}")),
        Connection::Rejected { kind, from } => rejected(far, *kind, *from),
        Connection::Silent if seen.is_reflected_at(far.ip()) => Judged::unknown(format!("no answer from {port}: a firewall drops TCP to it, or packets are lost"))
            .advise(format!("if there is a TWAMP server, open TCP port {TWAMP} to this host")),
        Connection::Silent => Judged::unknown(format!("no answer from {port}: {TCP_SILENT}"))
            .advise(format!("if there is a TWAMP server, open TCP port {TWAMP} to this host")),
        Connection::Failed(kind) => Judged::unknown(format!("no connection to {port}: {kind}")),
    }
}

/// An ICMP error in place of a connection: closed ports reset them.
fn rejected(far: SocketAddr, kind: IcmpKind, from: Option<IpAddr>) -> Judged {
    let port = ports_of("TCP", &[far]);
    let by = match from {
        Some(by) if by.to_canonical() == far.ip().to_canonical() => {
            " of the far end itself".to_owned()
        }
        Some(by) => format!(" ({by})"),
        None => String::new(),
    };
    let judged = match kind {
        IcmpKind::PortUnreachable | IcmpKind::Prohibited => Judged::unknown(format!(
            "a firewall{by} rejects connections to {port}, by an ICMP error"
        ))
        .advise(format!(
            "if there is a TWAMP server, allow TCP port {} there",
            far.port()
        )),
        IcmpKind::HostUnreachable
        | IcmpKind::NetworkUnreachable
        | IcmpKind::TooBig { .. }
        | IcmpKind::TtlExceeded
        | IcmpKind::Other { .. } => {
            let says = from.map_or_else(String::new, |by| format!(" (says {by})"));
            Judged::unknown(format!("{port} cannot be reached{says}"))
                .advise("the host is down or a route is missing")
        }
    };
    judged.with("rejected_by", from.map(|by| by.to_string()))
}

/// OWAMP-Control's port.
pub(super) static OWAMP_SERVER: OfPort = OfPort {
    id: "reach.owamp",
    port: OWAMP,
    judge: owamp,
};

fn owamp(seen: &Seen) -> Judged {
    match best(seen, OWAMP) {
        Some((far, Connection::Open(said))) if is_greeting(said) => Judged::ok(format!(
            "{} is an OWAMP server's: it measures one way, with other programs",
            ports_of("TCP", &[far])
        )),
        _ => Judged::skipped("no OWAMP server"),
    }
}

/// Of the addresses, what the one that did most did.
pub(super) fn best(seen: &Seen, port: u16) -> Option<(SocketAddr, &Connection)> {
    let rank = |connection: &Connection| match connection {
        Connection::Open(said) => 100 + said.len(),
        Connection::Refused => 4,
        Connection::Rejected { .. } => 3,
        Connection::Silent => 2,
        Connection::Failed(_) => 1,
    };
    let places = places(seen, port).into_iter();
    let each = places.filter_map(|far| Some((far, &seen.connection(far)?.connection)));
    each.max_by_key(|(_, connection)| rank(connection))
}

/// Where a protocol may listen that has this port.
fn places(seen: &Seen, port: u16) -> Vec<SocketAddr> {
    let given = seen
        .plan
        .port
        .filter(|given| port == TWAMP && *given != port);
    let of = |far| {
        [Some(port), given]
            .into_iter()
            .flatten()
            .map(move |port| at_port(far, port))
    };
    seen.addresses().flat_map(of).collect()
}

/// As long as a greeting, and begins with its unused octets.
pub(super) fn is_greeting(said: &[u8]) -> bool {
    said.len() >= GREETING_OCTETS && said.starts_with(&[0; 12])
}
