//! Where nothing came back: what is known.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_net::IcmpKind;
use twinpath_proto::sender::Protocol;
use twinpath_wire::nanoseconds;

use crate::SessionReport;

findings! {
    /// Nothing came back.
    pub enum Silence {
        /// All replies came after the timeout.
        Warning "all-replies-late" AllRepliesLate {
            /// How many came.
            count: u64,
            /// When a reply is late.
            #[serde(rename = "timeout_ns", with = "nanoseconds")]
            timeout: Duration,
        }
        /// Replies came from an address that nothing was sent to. A remark where others came from the right one.
        Warning "answers-from-elsewhere" AnswersFromElsewhere {
            /// The last address that they came from.
            from: SocketAddr,
            /// Where packets were sent to.
            far: SocketAddr,
            /// How many came.
            count: u64,
            /// None came from `far`.
            is_silent: bool,
        }
        /// Packets came back as they were sent.
        Warning "echo-service" EchoService {
            /// From there.
            far: SocketAddr,
        }
        /// Replies have another session's SSID.
        Warning "another-ssid" AnotherSsid {
            /// From there.
            far: SocketAddr,
            /// How many.
            count: u64,
        }
        /// Replies with a wrong HMAC.
        Warning "forged-replies" ForgedReplies {
            /// How many.
            count: u64,
        }
        /// What came back is not a reply of the protocol.
        Warning "another-protocol" AnotherProtocol {
            /// From there.
            far: SocketAddr,
            /// What was sent.
            protocol: Protocol,
            /// How many.
            count: u64,
        }
        /// The kernel saw no packet leave.
        Warning "nothing-left" NothingLeft {
            /// Where to.
            far: SocketAddr,
        }
        /// Neither a reply nor an error.
        Warning "nothing-came-back" NothingCameBack {
            /// Where packets were sent to.
            far: SocketAddr,
            /// A Server agreed to reflect there.
            is_negotiated: bool,
        }
        /// ICMP: nothing listens there.
        Warning "port-unreachable" PortUnreachable(IcmpCause)
        /// ICMP: a firewall forbids it.
        Warning "prohibited" Prohibited(IcmpCause)
        /// ICMP: host or network unreachable.
        Warning "unreachable" Unreachable(IcmpCause)
        /// ICMP: TTL or Hop Limit ran out.
        Warning "ttl-exceeded" TtlExceeded(IcmpCause)
        /// ICMP: larger than a link of the path, and DF is set.
        Warning "too-big" TooBig(IcmpCause)
        /// ICMP: another error.
        Warning "icmp-error" IcmpError(IcmpCause)
        /// Where nothing came back, the name of the far end has other addresses.
        Warning "other-addresses" OtherAddresses {
            /// The far end, as the user named it.
            name: String,
            /// The address that was used.
            used: IpAddr,
            /// The first of the others.
            others: Vec<IpAddr>,
            /// The user chose the IP version.
            is_version_chosen: bool,
        }
    }
}

/// ICMP errors in place of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IcmpCause {
    /// Where packets were sent to.
    pub far: SocketAddr,
    /// Who sent the last of the errors, where that is not the far end.
    pub from: Option<IpAddr>,
    /// A Server agreed to reflect there.
    pub is_negotiated: bool,
    /// One of them at least quotes enough to be about a packet of this run.
    pub is_own: bool,
}

/// Nothing came back in time.
pub(super) fn of(report: &SessionReport) -> Silence {
    let far = report.identity.reflector;
    let odd = &report.tally.odd;
    if report.tally.late > 0 {
        return Silence::AllRepliesLate {
            count: report.tally.late,
            timeout: report.identity.timeout,
        };
    }
    if let Some(from) = odd.last_elsewhere {
        return Silence::AnswersFromElsewhere {
            from,
            far,
            count: odd.answers_elsewhere,
            is_silent: true,
        };
    }
    if odd.looks_like_request > 0 {
        return Silence::EchoService { far };
    }
    if let Some(finding) = refused(report) {
        return finding;
    }
    if odd.other_ssid > 0 {
        return Silence::AnotherSsid {
            far,
            count: odd.other_ssid,
        };
    }
    if let Some(finding) = forged(report) {
        return finding;
    }
    let strange = odd.not_a_reply + odd.too_short + odd.foreign_t1 + odd.unknown_seq;
    if strange > 0 {
        return Silence::AnotherProtocol {
            far,
            protocol: report.identity.protocol,
            count: strange,
        };
    }
    if report.refusals.no_departure_seen {
        return Silence::NothingLeft { far };
    }
    Silence::NothingCameBack {
        far,
        is_negotiated: is_negotiated(report),
    }
}

fn is_negotiated(report: &SessionReport) -> bool {
    matches!(report.identity.protocol, Protocol::Twamp(_))
}

/// Replies whose HMAC is wrong.
pub(super) fn forged(report: &SessionReport) -> Option<Silence> {
    let count = report.tally.odd.forged;
    (count > 0).then_some(Silence::ForgedReplies { count })
}

/// An ICMP error says why.
pub(super) fn refused(report: &SessionReport) -> Option<Silence> {
    let icmp = report.refusals.icmp?;
    let far = report.identity.reflector;
    let is_other = |from: &IpAddr| from.to_canonical() != far.ip().to_canonical();
    let cause = IcmpCause {
        far,
        from: icmp.from.filter(is_other),
        is_negotiated: is_negotiated(report),
        is_own: icmp.is_own,
    };
    Some(match icmp.kind {
        IcmpKind::PortUnreachable => Silence::PortUnreachable(cause),
        IcmpKind::Prohibited => Silence::Prohibited(cause),
        IcmpKind::HostUnreachable | IcmpKind::NetworkUnreachable => Silence::Unreachable(cause),
        IcmpKind::TtlExceeded => Silence::TtlExceeded(cause),
        IcmpKind::TooBig { .. } => Silence::TooBig(cause),
        IcmpKind::Other { .. } => Silence::IcmpError(cause),
    })
}

#[cfg(test)]
mod tests;
