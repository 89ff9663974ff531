//! What the network and the system refused: ICMP errors and failed sends, by kind.

use std::net::{IpAddr, SocketAddr};

use twinpath_net::{IcmpError, IcmpKind, NoHardware, SendError};

use crate::IcmpCount;

/// Kinds kept at most; a stranger can send any number of them.
const KINDS: usize = 16;

/// Refusals of one run.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    icmp: Vec<(IcmpKind, Option<IpAddr>, u64)>,
    send: Vec<(SendError, u64)>,
    /// The kernel was to tell when packets left, and told of none.
    pub(crate) unheard: bool,
    /// Why there are no hardware stamps, where they were asked for.
    pub(crate) no_hardware: Option<NoHardware>,
}

impl Refusals {
    /// An ICMP error came back. One about another destination than `far` is not this run's.
    pub(crate) fn icmp(&mut self, error: &IcmpError, far: SocketAddr) {
        if error
            .to
            .is_some_and(|to| to.ip() != far.ip() || to.port() != far.port())
        {
            return;
        }
        if let Some((_, from, count)) = self.icmp.iter_mut().find(|(kind, ..)| *kind == error.kind)
        {
            *from = error.from.or(*from);
            *count += 1;
        } else if self.icmp.len() < KINDS {
            self.icmp.push((error.kind, error.from, 1));
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

    /// ICMP errors by kind.
    pub(crate) fn icmp_kinds(&self) -> impl Iterator<Item = (IcmpKind, Option<IpAddr>, u64)> {
        self.icmp.iter().copied()
    }

    /// For the report.
    pub(crate) fn icmp_counts(&self) -> Vec<IcmpCount> {
        self.icmp
            .iter()
            .map(|(kind, from, count)| IcmpCount {
                what: words(*kind),
                from: *from,
                count: *count,
            })
            .collect()
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
