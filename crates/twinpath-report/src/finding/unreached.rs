//! ICMP errors in place of replies.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};
use twinpath_net::IcmpKind;

use super::Others;
use crate::{IcmpRefusal, SessionReport};

findings! {
    /// An ICMP error came back in place of replies.
    pub enum Unreached {
        /// ICMP: nothing listens there.
        Warning "port-unreachable" PortUnreachable(IcmpCause)
        /// ICMP: a firewall forbids it.
        Warning "prohibited" Prohibited(IcmpCause)
        /// ICMP: host or network unreachable.
        Warning "unreachable" Unreachable(IcmpCause)
        /// ICMP: TTL or Hop Limit ran out.
        Warning "ttl-exceeded" TtlExceeded(IcmpCause)
        /// ICMP: larger than a link of the path with DF set.
        Warning "too-big" TooBig(IcmpCause)
        /// ICMP: another error.
        Warning "icmp-error" IcmpError(IcmpCause)
    }
}

/// ICMP errors in place of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpCause {
    /// Where packets were sent to.
    pub far: SocketAddr,
    /// Who sent the last of the errors, if not the far end.
    pub from: Option<IpAddr>,
    /// A Server agreed to reflect there.
    pub is_negotiated: bool,
    /// Whether at least one of them quotes enough to belong to a packet of this run.
    pub is_own: bool,
    /// Other sessions to the far end are answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<Others>,
}

impl Unreached {
    /// What an ICMP error about packets to a far end says; `is_negotiated`: a Server agreed to reflect there.
    pub fn of_refusal(icmp: IcmpRefusal, far: SocketAddr, is_negotiated: bool) -> Self {
        let is_other = |from: &IpAddr| from.to_canonical() != far.ip().to_canonical();
        let cause = IcmpCause {
            far,
            from: icmp.from.filter(is_other),
            is_negotiated,
            is_own: icmp.is_own,
            others: None,
        };
        match icmp.kind {
            IcmpKind::PortUnreachable => Self::PortUnreachable(cause),
            IcmpKind::Prohibited => Self::Prohibited(cause),
            IcmpKind::HostUnreachable | IcmpKind::NetworkUnreachable => Self::Unreachable(cause),
            IcmpKind::TtlExceeded => Self::TtlExceeded(cause),
            IcmpKind::TooBig { .. } => Self::TooBig(cause),
            IcmpKind::Other { .. } => Self::IcmpError(cause),
        }
    }

    pub(super) fn cause(&self) -> &IcmpCause {
        match self {
            Self::PortUnreachable(cause)
            | Self::Prohibited(cause)
            | Self::Unreachable(cause)
            | Self::TtlExceeded(cause)
            | Self::TooBig(cause)
            | Self::IcmpError(cause) => cause,
        }
    }

    pub(super) fn cause_mut(&mut self) -> &mut IcmpCause {
        match self {
            Self::PortUnreachable(cause)
            | Self::Prohibited(cause)
            | Self::Unreachable(cause)
            | Self::TtlExceeded(cause)
            | Self::TooBig(cause)
            | Self::IcmpError(cause) => cause,
        }
    }
}

/// Findings from ICMP errors.
pub(super) fn of(report: &SessionReport) -> Option<Unreached> {
    let icmp = report.refusals.icmp?;
    let far = report.identity.reflector;
    Some(Unreached::of_refusal(icmp, far, report.is_negotiated()))
}
