//! What the network and the system refused: ICMP errors and failed sends, by kind.

use std::net::SocketAddr;

use twinpath_net::{IcmpError, IcmpKind, SendError};
use twinpath_report::{IcmpCount, IcmpRefusal, Refusals};

use super::Quoted;

/// Kinds kept at most; a stranger can send any number of them.
const KINDS: usize = 16;

/// Refusals of one run.
#[derive(Debug, Default)]
pub(crate) struct RefusalCounts {
    icmp: Vec<(IcmpRefusal, u64)>,
    /// ICMP errors about packets that this run did not send.
    pub(crate) icmp_foreign: u64,
    /// ICMP errors of more kinds than are kept.
    icmp_further: u64,
    /// The last one about a packet of this run.
    pub(crate) latest: Option<IcmpRefusal>,
    send: Vec<(SendError, u64)>,
}

impl RefusalCounts {
    /// An ICMP error came back. One about another destination than `far`, or about a packet that this
    /// run did not send, is counted apart: false.
    pub(crate) fn icmp(&mut self, error: &IcmpError, far: SocketAddr, quoted: Quoted) -> bool {
        let elsewhere = |to: SocketAddr| to.ip() != far.ip() || to.port() != far.port();
        if error.to.is_some_and(elsewhere) || quoted == Quoted::Foreign {
            self.icmp_foreign += 1;
            return false;
        }
        let is_own = quoted == Quoted::Own;
        self.latest = Some(IcmpRefusal {
            kind: error.kind,
            from: error.from,
            is_own,
        });
        let known = self.icmp.iter_mut().find(|(one, _)| one.kind == error.kind);
        if let Some((known, count)) = known {
            known.from = error.from.or(known.from);
            known.is_own |= is_own;
            *count += 1;
        } else if self.icmp.len() < KINDS {
            let (kind, from) = (error.kind, error.from);
            self.icmp.push((IcmpRefusal { kind, from, is_own }, 1));
        } else {
            self.icmp_further += 1;
        }
        true
    }

    /// The system did not take a packet.
    pub(crate) fn send(&mut self, error: SendError) {
        if let Some((_, count)) = self.send.iter_mut().find(|(kind, _)| *kind == error) {
            *count += 1;
        } else if self.send.len() < KINDS {
            self.send.push((error, 1));
        }
    }

    /// The kind of refusal that the system gave most often.
    pub(crate) fn main_send_error(&self) -> Option<SendError> {
        self.send
            .iter()
            .max_by_key(|(_, count)| *count)
            .map(|(error, _)| *error)
    }

    /// The main reasons. ICMP errors that are surely about this run's packets go before others.
    pub(crate) fn main(&self) -> Refusals {
        let most = self
            .icmp
            .iter()
            .max_by_key(|(one, count)| (one.is_own, *count));
        Refusals {
            icmp: most.map(|(one, _)| *one),
            send: self.main_send_error(),
            ..Refusals::default()
        }
    }

    /// For the report.
    pub(crate) fn icmp_counts(&self) -> Vec<IcmpCount> {
        let kinds = self.icmp.iter().map(|(one, count)| IcmpCount {
            what: words(one.kind),
            from: one.from,
            count: *count,
        });
        let further = (self.icmp_further > 0).then(|| IcmpCount {
            what: "further kinds".to_owned(),
            from: None,
            count: self.icmp_further,
        });
        kinds.chain(further).collect()
    }
}

/// What an ICMP error says, in words.
fn words(kind: IcmpKind) -> String {
    match kind {
        IcmpKind::PortUnreachable => "port unreachable".to_owned(),
        IcmpKind::HostUnreachable => "host unreachable".to_owned(),
        IcmpKind::NetworkUnreachable => "network unreachable".to_owned(),
        IcmpKind::Prohibited => "administratively prohibited".to_owned(),
        IcmpKind::TooBig { mtu: 0 } => "packet too big".to_owned(),
        IcmpKind::TooBig { mtu } => format!("packet too big for an MTU of {mtu}"),
        IcmpKind::TtlExceeded => "TTL exceeded on the way".to_owned(),
        IcmpKind::Other { kind, code } => format!("ICMP type {kind} code {code}"),
    }
}

#[cfg(test)]
mod tests {
    use twinpath_net::Quote;

    use super::*;

    #[test]
    fn another_run_s_icmp_errors_say_nothing_of_this_one() {
        let far: SocketAddr = "192.0.2.2:862".parse().unwrap();
        let error = |kind, to: SocketAddr| IcmpError {
            kind,
            from: None,
            to: Some(to),
            quote: Quote::default(),
        };
        let mut counts = RefusalCounts::default();
        let other = error(IcmpKind::PortUnreachable, "192.0.2.9:862".parse().unwrap());
        let own = error(IcmpKind::PortUnreachable, far);
        assert!(!counts.icmp(&other, far, Quoted::Unknown));
        assert_eq!(counts.latest, None);
        assert!(!counts.icmp(&own, far, Quoted::Foreign));
        assert_eq!((counts.main().icmp, counts.icmp_foreign), (None, 2));
        // What quotes nothing counts, unless another one is surely this run's.
        counts.icmp(&own, far, Quoted::Unknown);
        counts.icmp(&own, far, Quoted::Unknown);
        let main = |counts: &RefusalCounts| counts.main().icmp.map(|one| (one.kind, one.is_own));
        assert_eq!(main(&counts), Some((IcmpKind::PortUnreachable, false)));
        assert!(counts.icmp(&error(IcmpKind::Prohibited, far), far, Quoted::Own));
        assert_eq!(main(&counts), Some((IcmpKind::Prohibited, true)));
        let latest = counts.latest.map(|one| one.kind);
        assert_eq!(latest, Some(IcmpKind::Prohibited));
    }

    #[test]
    fn the_most_frequent_refusal_of_the_system_is_the_main_one() {
        let mut counts = RefusalCounts::default();
        for error in [
            SendError::NoBuffers,
            SendError::Unreachable,
            SendError::Unreachable,
        ] {
            counts.send(error);
        }
        assert_eq!(counts.main().send, Some(SendError::Unreachable));
    }
}
