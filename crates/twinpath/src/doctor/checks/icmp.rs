//! Whether the far end answers ICMP Echo.

use std::net::SocketAddr;

use twinpath_runtime::probe::{IcmpKind, PingSeen};

use crate::doctor::{Ask, Check, Cost, Judged, MOST_ADDRESSES, Seen};
use crate::output::ends::named_host;
use crate::output::units;

pub(super) struct Icmp;

impl Check for Icmp {
    fn id(&self) -> &'static str {
        "reach.icmp"
    }

    fn costs(&self) -> Vec<Cost> {
        vec![("icmp".to_owned(), MOST_ADDRESSES)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        seen.addresses().map(Ask::Ping).collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let all: Vec<_> = seen
            .addresses()
            .filter_map(|far| Some((named_host(far), seen.ping(far)?)))
            .collect();
        let mut answered = all.iter().filter_map(|(far, ping)| match ping {
            PingSeen::Answered(took) => Some((far, *took)),
            PingSeen::Silent
            | PingSeen::NotPermitted
            | PingSeen::Rejected { .. }
            | PingSeen::Failed(_) => None,
        });
        if let Some((far, took)) = answered.next() {
            let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
            let finding = format!("{far} answers ICMP Echo in {}", units::span(took));
            return Judged::ok(finding);
        }
        if all.is_empty() {
            return Judged::skipped("no address");
        }
        let is_not_permitted = |(_, ping): &(_, PingSeen)| *ping == PingSeen::NotPermitted;
        if all.iter().all(is_not_permitted) {
            return Judged::skipped("this user may not send ICMP Echo")
                .advise("run it as root, or widen net.ipv4.ping_group_range");
        }
        let mut rejected = all.iter().filter_map(|(far, ping)| rejected(far, *ping));
        if let Some(judged) = rejected.next() {
            return judged;
        }
        let mut failed = all.iter().map(|(_, ping)| match ping {
            PingSeen::Failed(kind) => Some(kind),
            PingSeen::Answered(_)
            | PingSeen::Silent
            | PingSeen::NotPermitted
            | PingSeen::Rejected { .. } => None,
        });
        if let Some(Some(kind)) = failed.next()
            && failed.all(|kind| kind.is_some())
        {
            return Judged::unknown(format!("this host cannot send ICMP Echo: {kind}"))
                .advise("look at its addresses and routes");
        }
        // Many networks filter it, so it says little of the far end.
        if seen.addresses().any(|far| shows_life(seen, far)) {
            return Judged::unknown("no answer to ICMP Echo: filtered, or lost");
        }
        Judged::unknown("no answer to ICMP Echo: filtered, or no host has that address")
    }
}

/// The host of this address answers otherwise.
fn shows_life(seen: &Seen, far: SocketAddr) -> bool {
    seen.is_reflected_at(far.ip())
        || super::greeting::control_server(seen).is_some_and(|server| server.ip() == far.ip())
}

/// An ICMP error in place of the reply; `None`: there was none.
fn rejected(far: &str, ping: PingSeen) -> Option<Judged> {
    let PingSeen::Rejected { kind, from } = ping else {
        return None;
    };
    let says = from.map_or_else(String::new, |by| format!(" (says {by})"));
    Some(
        match kind {
            IcmpKind::Prohibited => {
                Judged::unknown(format!("a firewall rejects ICMP Echo to {far}{says}"))
            }
            IcmpKind::PortUnreachable
            | IcmpKind::HostUnreachable
            | IcmpKind::NetworkUnreachable
            | IcmpKind::TooBig { .. }
            | IcmpKind::TtlExceeded
            | IcmpKind::Other { .. } => {
                Judged::unknown(format!("ICMP Echo does not reach {far}{says}"))
                    .advise("the host is down or a route is missing")
            }
        }
        .with("rejected_by", from.map(|by| by.to_string())),
    )
}
