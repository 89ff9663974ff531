//! What happens to datagrams on the UDP ports that reflectors have.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use twinpath_runtime::probe::{IcmpKind, PingSeen};

use super::addresses::AtAddress;
use crate::doctor::keyed::AUTHENTICATED;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::seen::at_port;
use crate::doctor::train::{AGAIN, LIGHT, SSID, STAMP, STAMP_AGAIN, TrainKind};
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, MOST_PLACES, Seen, Status};
use crate::output::ends::{named, named_host, ports_of};
use crate::output::words::no_reply::{NoReply, hint};

pub(super) struct Udp;

/// Packets by which a place is known.
const FIRST_KINDS: [&TrainKind; 2] = [&LIGHT, &STAMP];
const AGAIN_KINDS: [&TrainKind; 2] = [&AGAIN, &STAMP_AGAIN];
/// Silent places that are tried again at most.
const MOST_AGAIN: usize = 4;

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
        let again = AGAIN_KINDS.map(|kind| (kind.name.to_owned(), MOST_AGAIN * kind.count));
        [at_places(&LIGHT), at_places(&STAMP), again.to_vec()].concat()
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let places = seen.places();
        let of =
            |far: &SocketAddr| FIRST_KINDS.map(|kind| Ask::Train(*far, kind, PacketSecurity::Open));
        let mut asks: Vec<Ask> = places.iter().flat_map(of).collect();
        // A server greets: what its sessions are like tells more.
        if seen.subject().is_none() && !super::greeting::greets(seen) {
            let is_silent = |far: &&SocketAddr| first_port(seen, **far) == Some(Port::Silent);
            let silent = places.iter().filter(is_silent).take(MOST_AGAIN);
            let again = |far: &SocketAddr| {
                AGAIN_KINDS.map(|kind| Ask::Train(*far, kind, PacketSecurity::Open))
            };
            asks.extend(silent.flat_map(again));
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
            let row = Row {
                state: best,
                of: all,
                silent: Vec::new(),
            };
            return judged(seen, &row, &ports).with("ports", listed);
        }
        let rows = rows(seen, &places, &ports);
        Judged::of_rows(Status::Fail, rows).with("ports", listed)
    }
}

/// What places have in common.
struct Row {
    state: Port,
    of: Vec<SocketAddr>,
    /// Silent ports of these hosts, where a firewall rejects the others: it may limit its ICMP errors.
    silent: Vec<SocketAddr>,
}

/// A row for each state of these places: where nothing answers, each has a cause of its own.
fn rows(seen: &Seen, places: &[SocketAddr], ports: &[(SocketAddr, Port)]) -> Vec<Judged> {
    let mut rows: Vec<Row> = Vec::new();
    let mut silent = Vec::new();
    for far in places {
        let state = ports.iter().find(|(of, _)| of == far);
        let Some((_, state)) = state else { continue };
        let state = if *state == Port::Silent {
            unreachable_host(seen, *far, ports).unwrap_or(Port::Silent)
        } else {
            *state
        };
        if state == Port::Silent && is_fenced(far.ip(), ports) {
            silent.push(*far);
            continue;
        }
        match rows.iter_mut().find(|row| row.state == state) {
            Some(row) => row.of.push(*far),
            None => rows.push(Row {
                state,
                of: vec![*far],
                silent: Vec::new(),
            }),
        }
    }
    for far in silent {
        let is_same =
            |row: &&mut Row| row.state.is_firewall() && row.of.iter().any(|of| of.ip() == far.ip());
        if let Some(row) = rows.iter_mut().find(is_same) {
            row.silent.push(far);
        }
    }
    rows.iter().map(|row| judged(seen, row, ports)).collect()
}

/// A firewall rejects packets to some port of this host.
fn is_fenced(address: IpAddr, ports: &[(SocketAddr, Port)]) -> bool {
    let mut ports = ports.iter();
    ports.any(|(far, port)| far.ip() == address && port.is_firewall())
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

/// What a row says; `ports`: all.
fn judged(seen: &Seen, row: &Row, ports: &[(SocketAddr, Port)]) -> Judged {
    let mut judged = of_state(seen, row, ports);
    if !row.silent.is_empty() {
        let verb = if row.silent.len() == 1 { "is" } else { "are" };
        judged.finding = format!(
            "{}; {} {verb} silent, as where a firewall limits its ICMP errors",
            judged.finding,
            ports_of("UDP", &row.silent)
        );
    }
    judged
}

fn of_state(seen: &Seen, row: &Row, ports: &[(SocketAddr, Port)]) -> Judged {
    let (state, of) = (row.state, &row.of[..]);
    let Some(far) = of.first().copied() else {
        return Judged::skipped("nothing was sent");
    };
    let all = ports_of("UDP", of);
    let numbers = of.iter().chain(&row.silent).map(SocketAddr::port);
    let numbers: Vec<u16> = numbers.collect();
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
        Port::Closed => {
            let mut judged = hinted(NoReply::Closed, &all);
            if let (Some(_), Some(advice)) = (seen.plan.port, &mut judged.advice) {
                advice.push_str("; without one, UDP ports 862 and 20001 are looked at");
            }
            judged
        }
        Port::Rejected(by) => {
            let verb = if of.len() == 1 { "is" } else { "are" };
            let it = if numbers.len() == 1 { "it" } else { "them" };
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
            if let Some(waited) = waited(seen, of) {
                judged.finding = format!(
                    "{}, or replies take longer than {:.1} s",
                    judged.finding,
                    waited.as_secs_f64()
                );
            }
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

/// How long replies of all these places were waited for at least, in whole tenths of seconds; `None`: not at all.
fn waited(seen: &Seen, places: &[SocketAddr]) -> Option<Duration> {
    let of = |far: &SocketAddr| {
        let all = FIRST_KINDS.into_iter().chain(AGAIN_KINDS);
        let all = all.filter_map(|kind| seen.train(*far, kind));
        all.map(|exchange| exchange.seen.waited).max()
    };
    let least = places.iter().filter_map(of).min()?;
    let tenths = u64::try_from(least.as_millis() / 100).ok()?;
    (tenths > 0).then(|| Duration::from_millis(tenths * 100))
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

    /// A firewall rejects packets.
    fn is_firewall(self) -> bool {
        matches!(self, Self::Prohibited(_) | Self::Rejected(_))
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
    port_by(seen, far, FIRST_KINDS.into_iter().chain(AGAIN_KINDS))
}

/// The same before it was tried again.
fn first_port(seen: &Seen, far: SocketAddr) -> Option<Port> {
    port_by(seen, far, FIRST_KINDS.into_iter())
}

fn port_by(
    seen: &Seen,
    far: SocketAddr,
    kinds: impl Iterator<Item = &'static TrainKind>,
) -> Option<Port> {
    // Where authenticated packets are not answered, why is said of them alone.
    let keyed = seen.train(far, &AUTHENTICATED);
    let keyed = keyed.filter(Exchange::is_answered);
    let all = kinds.filter_map(|kind| seen.train(far, kind)).chain(keyed);
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
