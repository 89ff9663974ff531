//! What happens to datagrams on the UDP ports that reflectors have.

use std::net::{IpAddr, SocketAddr};

use twinpath_runtime::probe::{IcmpKind, PingSeen};

use super::addresses::AtAddress;
use crate::doctor::keyed::AUTHENTICATED;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::seen::at_port;
use crate::doctor::train::{AGAIN, LATE, LIGHT, PATIENCE, SSID, STAMP, TrainKind};
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, MOST_PLACES, Seen, Status};
use crate::output::ends::{named, named_host, ports_of};
use crate::output::words::no_reply::{NoReply, hint};

pub(super) struct Udp;

/// What a port did, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Port {
    Reflects,
    /// From another address or port.
    Elsewhere(SocketAddr),
    Echoes,
    /// Something that is no reply.
    Other,
    Silent,
    /// By a firewall, or a router there.
    Prohibited(Option<IpAddr>),
    /// ICMP "port unreachable" from another host than the far end.
    Rejected(IpAddr),
    Closed,
    /// By an ICMP error of this host.
    Unreachable(Option<IpAddr>),
    NotSent,
}

impl Check for Udp {
    fn id(&self) -> &'static str {
        "reach.udp"
    }

    fn costs(&self) -> Vec<Cost> {
        [at_places(&LIGHT), at_places(&STAMP), at_places(&AGAIN)].concat()
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let places = seen.places();
        let of = |far: &SocketAddr| {
            [&LIGHT, &STAMP].map(|kind| Ask::Train(*far, kind, PacketSecurity::Open))
        };
        let mut asks: Vec<Ask> = places.iter().flat_map(of).collect();
        if seen.subject().is_none() {
            let is_silent = |far: &&SocketAddr| port(seen, **far) == Some(Port::Silent);
            let silent = places.iter().filter(is_silent);
            asks.extend(silent.map(|far| Ask::Train(*far, &AGAIN, PacketSecurity::Open)));
        }
        asks
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let places = seen.places();
        let of = |far: &SocketAddr| Some((*far, port(seen, *far)?));
        let mut ports: Vec<(SocketAddr, Port)> = places.iter().filter_map(of).collect();
        ports.sort_by_key(|(_, port)| *port);
        let Some((_, best)) = ports.first().copied() else {
            return Judged::skipped("nothing was sent");
        };
        let listed: Vec<_> = ports
            .iter()
            .map(|(far, port)| serde_json::json!({"port": far.to_string(), "state": port.name()}))
            .collect();
        let alike = || ports.iter().filter(|(_, port)| *port == best);
        let all: Vec<SocketAddr> = alike().map(|(far, _)| *far).collect();
        let is_served = super::greeting::greets(seen);
        if is_served && matches!(best, Port::Closed | Port::Rejected(_) | Port::Silent) {
            return Judged::skipped(format!(
                "no reflector but that of the TWAMP server: {} {}",
                best.name(),
                ports_of("UDP", &all)
            ))
            .with("ports", listed);
        }
        if best < Port::Silent {
            return judged(seen, best, &all, &ports).with("ports", listed);
        }
        let rows = rows(seen, &places, &ports);
        Judged::of_rows(Status::Fail, rows).with("ports", listed)
    }
}

/// A row for each state of these places: where nothing answers, each has a cause of its own.
fn rows(seen: &Seen, places: &[SocketAddr], ports: &[(SocketAddr, Port)]) -> Vec<Judged> {
    let mut rows: Vec<(Port, Vec<SocketAddr>)> = Vec::new();
    for far in places {
        let state = ports.iter().find(|(of, _)| of == far);
        let Some((_, state)) = state else { continue };
        let state = if *state == Port::Silent {
            unreachable_host(seen, *far, ports).unwrap_or(Port::Silent)
        } else {
            *state
        };
        match rows.iter_mut().find(|(known, _)| *known == state) {
            Some((_, of)) => of.push(*far),
            None => rows.push((state, vec![*far])),
        }
    }
    let each = rows.iter();
    each.map(|(state, of)| judged(seen, *state, of, ports))
        .collect()
}

/// Why a silent port is so, where an ICMP error about its address came for another packet: routers limit them.
fn unreachable_host(seen: &Seen, far: SocketAddr, ports: &[(SocketAddr, Port)]) -> Option<Port> {
    let of_host = |(at, port): &(SocketAddr, Port)| {
        (at.ip() == far.ip() && matches!(port, Port::Unreachable(_))).then_some(*port)
    };
    ports.iter().find_map(of_host).or_else(|| {
        let Some(PingSeen::Rejected {
            kind: IcmpKind::HostUnreachable | IcmpKind::NetworkUnreachable,
            from,
        }) = seen.ping(at_port(far, 0))
        else {
            return None;
        };
        Some(Port::Unreachable(from))
    })
}

/// What the UDP ports of an address do; `None`: that is not known.
pub(super) fn at_address(seen: &Seen, address: IpAddr) -> Option<AtAddress> {
    let mut places = seen.places();
    places.retain(|far| far.ip() == address);
    let of = |far: &SocketAddr| Some((*far, port(seen, *far)?));
    let ports: Vec<(SocketAddr, Port)> = places.iter().filter_map(of).collect();
    let best = ports.iter().map(|(_, port)| *port).min()?;
    Some(match best {
        Port::Reflects => AtAddress::Answers,
        Port::NotSent => AtAddress::NotSent,
        Port::Elsewhere(_)
        | Port::Echoes
        | Port::Other
        | Port::Silent
        | Port::Prohibited(_)
        | Port::Rejected(_)
        | Port::Closed
        | Port::Unreachable(_) => AtAddress::Fails(rows(seen, &places, &ports)),
    })
}

/// What the ports of this state say; `ports`: all.
fn judged(seen: &Seen, state: Port, of: &[SocketAddr], ports: &[(SocketAddr, Port)]) -> Judged {
    let Some(far) = of.first().copied() else {
        return Judged::skipped("nothing was sent");
    };
    let all = ports_of("UDP", of);
    let numbers: Vec<u16> = of.iter().map(SocketAddr::port).collect();
    let hinted = |what, far: &str| {
        let hint = hint(what, far, &numbers);
        Judged::fail(hint.fact).advise(hint.remedy)
    };
    match state {
        Port::Reflects => reflects(far, ports),
        Port::Elsewhere(from) => {
            let places: Vec<String> = of.iter().copied().map(named).collect();
            hinted(NoReply::Elsewhere(from), &places.join(", "))
        }
        Port::Echoes => hinted(NoReply::Echo, &all),
        Port::Other => Judged::fail(format!(
            "{all}: something answers, and not with TWAMP or STAMP"
        ))
        .advise("give the reflector's port: twinpath doctor FAR:PORT"),
        Port::Closed => hinted(NoReply::Closed, &all),
        Port::Rejected(by) => {
            let (verb, it) = if of.len() == 1 {
                ("is", "it")
            } else {
                ("are", "them")
            };
            Judged::fail(format!("{all} {verb} rejected by {by}")).advise(format!(
                "allow {it} in the firewall of {by}, which answers in place of the far end (ICMP port unreachable)"
            ))
        }
        Port::Prohibited(from) => {
            let from = from.filter(|from| !is_host(*from, far));
            let says = from.map_or_else(String::new, |from| format!(" (says {from})"));
            hinted(NoReply::Prohibited, &format!("{all}{says}"))
        }
        Port::Unreachable(by) => {
            let mut hosts: Vec<String> = of.iter().copied().map(named_host).collect();
            hosts.dedup();
            let mut judged = hinted(NoReply::Unreachable, &hosts.join(", "));
            if let Some(by) = by {
                judged.finding = format!("{} (says {by})", judged.finding);
            }
            judged
        }
        Port::NotSent => Judged::fail(format!("this host cannot send to {all}"))
            .advise("look at its addresses and routes"),
        Port::Silent => {
            let is_up = is_up(seen, far);
            let mut judged = hinted(NoReply::Silence { is_up }, &all);
            let is_asked_again = seen.train(far, &AGAIN).is_some();
            let patience = if is_asked_again { LATE } else { PATIENCE };
            let patience_s = patience.as_secs_f64();
            judged.finding = format!(
                "{}, or replies take longer than {patience_s} s",
                judged.finding
            );
            let keys = if seen.plan.keys.stamp.is_empty() {
                "if it answers authenticated STAMP alone, give its key: --hmac-key-file FILE; if it answers some SSIDs alone, try a sender with --stamp --ssid N".to_owned()
            } else {
                format!(
                    "compare the keys of STAMP, and the SSIDs that it answers: doctor uses {SSID}"
                )
            };
            let advice = judged.advice.take().unwrap_or_default();
            judged.advise(format!("{advice}; {keys}"))
        }
    }
}

/// An address, with or without a port, is that of `far`.
fn is_host(address: IpAddr, far: SocketAddr) -> bool {
    address.to_canonical() == far.ip().to_canonical()
}

/// The host of this port answers otherwise.
fn is_up(seen: &Seen, far: SocketAddr) -> bool {
    matches!(seen.ping(at_port(far, 0)), Some(PingSeen::Answered(_)))
}

/// It reflects, and another port of its address may do otherwise.
fn reflects(far: SocketAddr, ports: &[(SocketAddr, Port)]) -> Judged {
    let odd: Vec<String> = ports
        .iter()
        .filter(|(port, _)| port.ip() == far.ip())
        .filter_map(|(port, how)| Some(format!("{port} {}", how.answers_otherwise()?)))
        .collect();
    if odd.is_empty() {
        return Judged::ok(format!("{far} reflects test packets"));
    }
    Judged::warn(format!(
        "{far} reflects test packets, and {}",
        odd.join(", and ")
    ))
    .advise(format!(
        "measure to UDP port {}, not to the other",
        far.port()
    ))
}

/// Where the replies of `far` come from, if that is not where packets went.
pub(in crate::doctor) fn elsewhere(seen: &Seen, far: SocketAddr) -> Option<SocketAddr> {
    match port(seen, far) {
        Some(Port::Elsewhere(from)) => Some(from),
        _ => None,
    }
}

impl Port {
    /// What it does that answers and does not reflect.
    fn answers_otherwise(self) -> Option<String> {
        match self {
            Self::Elsewhere(from) => Some(format!("is answered from {from}")),
            Self::Echoes => Some("returns packets unchanged: an echo service".to_owned()),
            Self::Other => Some("answers otherwise".to_owned()),
            Self::Reflects
            | Self::Closed
            | Self::Rejected(_)
            | Self::Prohibited(_)
            | Self::Unreachable(_)
            | Self::NotSent
            | Self::Silent => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Reflects => "reflects",
            Self::Elsewhere(_) => "answers-from-elsewhere",
            Self::Echoes => "echoes",
            Self::Other => "other-protocol",
            Self::Closed => "closed",
            Self::Rejected(_) => "rejected",
            Self::Prohibited(_) => "prohibited",
            Self::Unreachable(_) => "unreachable",
            Self::NotSent => "not-sent",
            Self::Silent => "silent",
        }
    }
}

/// What it costs to send them to every port of every address.
pub(super) fn at_places(kind: &TrainKind) -> Vec<Cost> {
    vec![(kind.name.to_owned(), MOST_PLACES * kind.count)]
}

fn port(seen: &Seen, far: SocketAddr) -> Option<Port> {
    // Where authenticated packets are not answered, why is said of them alone.
    let keyed = seen.train(far, &AUTHENTICATED);
    let keyed = keyed.filter(Exchange::is_answered);
    let all = [&LIGHT, &STAMP, &AGAIN]
        .into_iter()
        .filter_map(|kind| seen.train(far, kind))
        .chain(keyed);
    // A host limits its ICMP errors: silence beside one says nothing.
    all.map(|exchange| of_exchange(&exchange))
        .min_by_key(|port| (*port == Port::Silent, *port))
}

fn of_exchange(exchange: &Exchange<'_>) -> Port {
    let far = exchange.far;
    if let Some((reply, _)) = exchange.replies().next() {
        return if at_port(reply.from, 0).ip() == far.ip() && reply.from.port() == far.port() {
            Port::Reflects
        } else {
            Port::Elsewhere(reply.from)
        };
    }
    if exchange.echoed() > 0 {
        return Port::Echoes;
    }
    if !exchange.seen.replies.is_empty() {
        return Port::Other;
    }
    if let Some(refusal) = exchange.seen.refusals.first() {
        return match refusal.kind {
            IcmpKind::PortUnreachable => match refusal.from {
                Some(by) if !is_host(by, far) => Port::Rejected(by),
                _ => Port::Closed,
            },
            IcmpKind::Prohibited => Port::Prohibited(refusal.from),
            IcmpKind::HostUnreachable
            | IcmpKind::NetworkUnreachable
            | IcmpKind::TooBig { .. }
            | IcmpKind::TtlExceeded
            | IcmpKind::Other { .. } => Port::Unreachable(refusal.from),
        };
    }
    let is_unsent =
        |departure: &_| matches!(departure, twinpath_runtime::probe::Departure::Failed(_));
    if exchange.seen.departures.iter().all(is_unsent) {
        return Port::NotSent;
    }
    Port::Silent
}
