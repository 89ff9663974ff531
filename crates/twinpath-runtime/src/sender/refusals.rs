//! What the network and the system refused: ICMP errors and failed sends, by kind.

use std::net::{IpAddr, SocketAddr};

use twinpath_net::{IcmpError, IcmpKind, NoHardware, SendError};

use super::Quoted;
use crate::IcmpCount;

/// Kinds kept at most; a stranger can send any number of them.
const KINDS: usize = 16;

/// Refusals of one run.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    icmp: Vec<Icmp>,
    /// ICMP errors about packets that this run did not send.
    pub(crate) icmp_foreign: u64,
    /// ICMP errors of more kinds than are kept.
    icmp_further: u64,
    send: Vec<(SendError, u64)>,
    /// The kernel was to tell when packets left, and told of none.
    pub(crate) unheard: bool,
    /// Why there are no hardware stamps, where they were asked for.
    pub(crate) no_hardware: Option<NoHardware>,
}

/// ICMP errors of one kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Icmp {
    pub(crate) kind: IcmpKind,
    /// Who sent the last of them.
    pub(crate) from: Option<IpAddr>,
    count: u64,
    /// One of them at least quotes a packet of this run.
    pub(crate) is_own: bool,
}

impl Refusals {
    /// An ICMP error came back. One about another destination than `far`, or about a packet that this
    /// run did not send, is counted apart.
    pub(crate) fn icmp(&mut self, error: &IcmpError, far: SocketAddr, quoted: Quoted) {
        let elsewhere = |to: SocketAddr| to.ip() != far.ip() || to.port() != far.port();
        if error.to.is_some_and(elsewhere) || quoted == Quoted::Foreign {
            self.icmp_foreign += 1;
            return;
        }
        let is_own = quoted == Quoted::Own;
        if let Some(known) = self.icmp.iter_mut().find(|one| one.kind == error.kind) {
            known.from = error.from.or(known.from);
            known.count += 1;
            known.is_own |= is_own;
        } else if self.icmp.len() < KINDS {
            self.icmp.push(Icmp {
                kind: error.kind,
                from: error.from,
                count: 1,
                is_own,
            });
        } else {
            self.icmp_further += 1;
        }
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

    /// The ICMP errors that came most often; those that are surely about this run's packets go before.
    pub(crate) fn main_icmp(&self) -> Option<Icmp> {
        let most = self.icmp.iter().max_by_key(|one| (one.is_own, one.count));
        most.copied()
    }

    /// For the report.
    pub(crate) fn icmp_counts(&self) -> Vec<IcmpCount> {
        let kinds = self.icmp.iter().map(|one| IcmpCount {
            what: words(one.kind),
            from: one.from,
            count: one.count,
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
        _ => "another ICMP error".to_owned(),
    }
}
