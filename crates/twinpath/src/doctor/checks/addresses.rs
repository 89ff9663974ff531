//! Addresses of the far end's name that do not answer where others do.

use std::net::SocketAddr;

use twinpath_runtime::probe::Connection;

use super::greeting::control_server;
use super::{tcp, udp};
use crate::doctor::{Ask, Check, Cost, Judged, Seen, Status};
use crate::output::ends::named_host;

pub(super) struct Addresses;

impl Check for Addresses {
    fn id(&self) -> &'static str {
        "reach.addresses"
    }

    /// What other checks ask tells it.
    fn costs(&self) -> Vec<Cost> {
        Vec::new()
    }

    fn asks(&self, _: &Seen) -> Vec<Ask> {
        Vec::new()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let all: Vec<SocketAddr> = seen.addresses().collect();
        if all.len() < 2 {
            return Judged::skipped("the name has one address");
        }
        let (reflector, server) = (seen.subject(), control_server(seen));
        let Some(best) = reflector.or(server) else {
            return Judged::skipped("no address answers");
        };
        let mut rows = Vec::new();
        let (mut dead, mut unsent) = (Vec::new(), Vec::new());
        for far in &all {
            let of_udp = reflector.map(|_| udp::at_address(seen, far.ip()));
            let of_tcp = server.map(|server| at_server(seen, *far, server));
            for found in of_udp.into_iter().chain(of_tcp) {
                let host = named_host(*far);
                match found {
                    None => return Judged::not_made(),
                    Some(AtAddress::Answers) => {}
                    Some(AtAddress::NotSent) => unsent.push(host),
                    Some(AtAddress::Fails(found)) => {
                        let advice = advice(best, *far, &all);
                        rows.extend(found.into_iter().map(|row| {
                            let name = &seen.plan.host;
                            let finding =
                                format!("{host}, another address of {name}: {}", row.finding);
                            Judged::warn(finding).advise(&advice)
                        }));
                        dead.push(host);
                    }
                }
            }
        }
        dead.dedup();
        unsent.dedup();
        let judged = if !rows.is_empty() {
            Judged::of_rows(Status::Warn, rows)
        } else if unsent.is_empty() {
            Judged::ok(format!("all {} addresses of the name answer", all.len()))
        } else {
            Judged::ok(format!(
                "all addresses of the name answer to which this host can send: not {}",
                unsent.join(", ")
            ))
        };
        judged
            .with("without_answers", dead)
            .with("not_sent", unsent)
    }
}

/// What an address of a name does.
pub(super) enum AtAddress {
    Answers,
    /// Each row says what it does instead.
    Fails(Vec<Judged>),
    /// This host cannot send to it, and neither can a sender or a controller.
    NotSent,
}

/// What the TCP port of a server does at this address; `None`: that is not known.
fn at_server(seen: &Seen, far: SocketAddr, server: SocketAddr) -> Option<AtAddress> {
    let mut at = far;
    at.set_port(server.port());
    let port = format!("TCP port {}", server.port());
    let fails = |finding: String| AtAddress::Fails(vec![Judged::warn(finding)]);
    Some(match &seen.connection(at)?.connection {
        Connection::Open(said) if tcp::is_greeting(said) => AtAddress::Answers,
        Connection::Open(_) => fails(format!("{port} takes connections and does not greet")),
        Connection::Refused => fails(format!("{port} refuses connections")),
        Connection::Rejected { .. } => {
            fails(format!("an ICMP error rejects connections to {port}"))
        }
        Connection::Silent => fails(format!("no answer from {port}")),
        Connection::Failed(_) => AtAddress::NotSent,
    })
}

fn advice(best: SocketAddr, dead: SocketAddr, all: &[SocketAddr]) -> String {
    let is_other_family = |far: &SocketAddr| far.is_ipv4() != best.is_ipv4();
    let has_own_family = all
        .iter()
        .any(|far| !is_other_family(far) && far.ip() != best.ip());
    let option = match (
        best.is_ipv4(),
        dead.is_ipv4() != best.is_ipv4() && !has_own_family,
    ) {
        (_, false) => "",
        (true, true) => " or -4",
        (false, true) => " or -6",
    };
    format!(
        "measure with {}{option}, let it answer on all addresses, or correct the name",
        best.ip()
    )
}
