//! Far ends that do not answer as they should: what they did, and what to do about it. One wording for `sender`,
//! `controller` and `doctor`.

use std::net::SocketAddr;

use crate::output::ends::named;

/// What else to look at: it sends a few packets of each kind.
pub(crate) const DOCTOR: &str = "twinpath doctor finds out what the far end answers";
/// Causes of silence on the path or at the far end, wherever nothing came back.
pub(crate) const SILENT: &str = "a firewall silently drops packets or replies, the address is wrong, or no reflector there answers this host";
/// The same of a host that answers otherwise.
const SILENT_THOUGH_UP: &str =
    "a firewall silently drops packets or replies, or no reflector there answers this host";
/// A TCP port that nothing answers.
pub(crate) const TCP_SILENT: &str =
    "the host is down, the address is wrong, or a firewall drops TCP to that port";

/// What came back in place of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoReply {
    /// ICMP: nothing listens on the port.
    Closed,
    /// ICMP: a firewall rejects packets.
    Prohibited,
    /// ICMP: the host or its network cannot be reached.
    Unreachable,
    /// Replies from another address or port.
    Elsewhere(SocketAddr),
    /// Packets as they were sent.
    Echo,
    /// Nothing; the host answers otherwise, or that is unknown.
    Silence { is_up: bool },
}

/// What was found, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// One sentence without a full stop.
    pub(crate) fact: String,
    /// One clause.
    pub(crate) remedy: String,
}

impl Hint {
    /// Both in one line.
    pub(crate) fn line(&self) -> String {
        let Self { fact, remedy } = self;
        // A colon of its own has the fact's reason behind it.
        let joint = if fact.contains(": ") { ';' } else { ':' };
        format!("{fact}{joint} {remedy}")
    }
}

/// `far`: the port or ports in words; `ports`: their numbers.
pub(crate) fn hint(what: NoReply, far: &str, ports: &[u16]) -> Hint {
    let (fact, remedy) = match what {
        NoReply::Closed => (
            format!("nothing listens on {far}"),
            "start a reflector there, or give its port".to_owned(),
        ),
        NoReply::Prohibited => (
            format!("a firewall rejects packets to {far}"),
            format!("allow {}", udp_ports(ports)),
        ),
        NoReply::Unreachable => (
            format!("{far} cannot be reached"),
            "the host is down or a route is missing".to_owned(),
        ),
        NoReply::Elsewhere(from) => (
            format!(
                "replies come from {}, not from {far}: NAT, or a host with several addresses",
                named(from)
            ),
            format!("try to measure towards {}", named(from)),
        ),
        NoReply::Echo => (
            format!("{far} returns packets unchanged: an echo service, not a reflector"),
            "start a reflector there, or give its port".to_owned(),
        ),
        NoReply::Silence { is_up } => (
            format!(
                "no reply and no error from {far}: {}",
                if is_up { SILENT_THOUGH_UP } else { SILENT }
            ),
            format!(
                "allow {} on the path, and this host on the reflector",
                udp_ports(ports)
            ),
        ),
    };
    Hint { fact, remedy }
}

fn udp_ports(ports: &[u16]) -> String {
    let mut ports = ports.to_vec();
    ports.sort_unstable();
    ports.dedup();
    let all: Vec<String> = ports.iter().map(u16::to_string).collect();
    match all.split_last() {
        Some((last, [])) => format!("UDP port {last}"),
        Some((last, others)) => format!("UDP ports {} and {last}", others.join(", ")),
        None => "UDP".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_and_its_remedy_are_one_line() {
        let far = "192.0.2.2:862";
        let line = |what| hint(what, far, &[862, 20_001, 862]).line();
        for (what, said) in [
            (
                NoReply::Prohibited,
                "a firewall rejects packets to 192.0.2.2:862: allow UDP ports 862 and 20001",
            ),
            (
                NoReply::Echo,
                "192.0.2.2:862 returns packets unchanged: an echo service, not a reflector; start a reflector there, or give its port",
            ),
            (
                NoReply::Unreachable,
                "192.0.2.2:862 cannot be reached: the host is down or a route is missing",
            ),
        ] {
            assert_eq!(line(what), said);
        }
        // A host that answers is there.
        let silence = |is_up| line(NoReply::Silence { is_up });
        assert!(silence(false).contains("the address is wrong"));
        assert!(!silence(true).contains("the address is wrong"));
    }
}
