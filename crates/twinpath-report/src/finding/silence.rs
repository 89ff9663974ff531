//! What is known if nothing came back.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use twinpath_proto::sender::Format;
use twinpath_wire::nanoseconds;

use super::{Finding, unreached};
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
        /// Replies came from an address that nothing was sent to. A remark if others came from the
        /// right one.
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
        /// Packets came back unchanged.
        Warning "echo-service" EchoService {
            /// The source.
            far: SocketAddr,
        }
        /// Replies have another session's SSID.
        Warning "another-ssid" AnotherSsid {
            /// The source.
            far: SocketAddr,
            /// How many.
            count: u64,
        }
        /// Replies with a wrong HMAC.
        Warning "forged-replies" ForgedReplies {
            /// How many.
            count: u64,
        }
        /// Replies without the Micro-session IDs of the session (RFC 9534).
        Warning "other-micro-session" OtherMicroSession {
            /// How many.
            count: u64,
            /// The sender's.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            micro_session: Option<Ids>,
        }
        /// Replies in the mode that the session does not have.
        Warning "other-mode" OtherMode {
            /// The source.
            far: SocketAddr,
            /// The session is authenticated, and they are not; or the reverse.
            is_authenticated: bool,
            /// How many.
            count: u64,
        }
        /// The packets that came back are not replies of the protocol.
        Warning "another-protocol" AnotherProtocol {
            /// The source.
            far: SocketAddr,
            /// The protocol sent.
            protocol: Format,
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
            /// The packets are STAMP's and authenticated.
            #[serde(default, skip_serializing_if = "std::ops::Not::not")]
            is_authenticated: bool,
            /// STAMP's; 0: none.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            ssid: Option<u16>,
            /// The packets are a micro-session's.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            micro_session: Option<Ids>,
            /// Other sessions to it are answered.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            others: Option<Others>,
        }
        /// Replies do not come here: not even these packets' losses are known.
        Remark "figures-at-far-end" FiguresAtFarEnd {
            /// How many packets had no reply.
            count: u64,
            /// The address that replies go to; `None`: none is wanted.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            to: Option<IpAddr>,
        }
        /// Nothing came back any more, and the far end's name has another address.
        Warning "name-changed" NameChanged {
            /// The target, as the user named it.
            name: String,
            /// The address that this session measured.
            used: SocketAddr,
            /// The address that another session measures since then.
            now: SocketAddr,
        }
        /// Nothing came back, and the far end's name has other addresses.
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

/// The Micro-session IDs of a session, as they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// This end's.
    pub id: u16,
    /// The far end's, if it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub far_id: Option<u16>,
}

impl Ids {
    fn of(report: &SessionReport) -> Option<Self> {
        let micro_session = report.identity.micro_session.as_ref()?;
        Some(Self {
            id: micro_session.id,
            far_id: micro_session.far_id,
        })
    }
}

/// Sessions to a far end that some packets do not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Others {
    /// From which port the session without replies sends.
    pub port: u16,
    /// How many sessions to the far end are answered.
    pub answered: u64,
    /// Of how many.
    pub sessions: u64,
}

/// The session is not answered, while `answered` of `sessions` to the same far end are: that is no fault
/// of the far end alone.
pub(crate) fn beside(report: &mut SessionReport, answered: u64, sessions: u64) {
    let port = report.identity.sender.port();
    for finding in &mut report.findings {
        if let Some(others) = others(finding) {
            *others = (answered > 0).then_some(Others {
                port,
                answered,
                sessions,
            });
        }
    }
}

fn others(finding: &mut Finding) -> Option<&mut Option<Others>> {
    if let Finding::Silence(Silence::NothingCameBack { others, .. }) = finding {
        Some(others)
    } else if let Finding::Unreached(unreached) = finding {
        Some(&mut unreached.cause_mut().others)
    } else {
        None
    }
}

impl Silence {
    /// Something came back from the far end, though no reply in time.
    pub fn came_back(&self) -> bool {
        match self {
            Self::AllRepliesLate { .. }
            | Self::AnswersFromElsewhere { .. }
            | Self::EchoService { .. }
            | Self::AnotherSsid { .. }
            | Self::ForgedReplies { .. }
            | Self::OtherMode { .. }
            | Self::OtherMicroSession { .. }
            | Self::AnotherProtocol { .. } => true,
            Self::NothingLeft { .. }
            | Self::NothingCameBack { .. }
            | Self::FiguresAtFarEnd { .. }
            | Self::NameChanged { .. }
            | Self::OtherAddresses { .. } => false,
        }
    }
}

/// Where the figures of packets are to which no reply was to come here.
pub(super) fn far_end(report: &SessionReport) -> Option<Finding> {
    let (count, to) = (report.figures.unawaited, report.return_address);
    (count > 0).then(|| Silence::FiguresAtFarEnd { count, to }.into())
}

/// Nothing came back in time.
pub(super) fn of(report: &SessionReport) -> Finding {
    let far = report.identity.reflector;
    let anomalies = &report.counters.anomalies;
    if report.counters.late > 0 {
        return Silence::AllRepliesLate {
            count: report.counters.late,
            timeout: report.identity.timeout,
        }
        .into();
    }
    if let Some(from) = anomalies.last_elsewhere {
        return Silence::AnswersFromElsewhere {
            from,
            far,
            count: anomalies.answers_elsewhere,
            is_silent: true,
        }
        .into();
    }
    if anomalies.looks_like_request > 0 {
        return Silence::EchoService { far }.into();
    }
    if let Some(refused) = unreached::of(report) {
        return refused.into();
    }
    if let Some(refused) = other_ssid(report) {
        return refused.into();
    }
    let unproven = forged(report).or_else(|| other_mode(report));
    if let Some(refused) = unproven.or_else(|| other_micro_session(report)) {
        return refused.into();
    }
    let strange =
        anomalies.not_a_reply + anomalies.too_short + anomalies.foreign_t1 + anomalies.unknown_seq;
    if strange > 0 {
        return Silence::AnotherProtocol {
            far,
            protocol: report.identity.wire.format,
            count: strange,
        }
        .into();
    }
    if report.refusals.no_departure_seen {
        return Silence::NothingLeft { far }.into();
    }
    Silence::NothingCameBack {
        far,
        is_negotiated: report.is_negotiated(),
        is_authenticated: !report.is_negotiated() && report.identity.wire.is_secured(),
        ssid: report.identity.wire.format.ssid(),
        micro_session: Ids::of(report),
        others: None,
    }
    .into()
}

/// Replies with another SSID.
pub(super) fn other_ssid(report: &SessionReport) -> Option<Silence> {
    let (far, count) = (
        report.identity.reflector,
        report.counters.anomalies.other_ssid,
    );
    (count > 0).then_some(Silence::AnotherSsid { far, count })
}

/// Replies whose HMAC is wrong.
pub(super) fn forged(report: &SessionReport) -> Option<Silence> {
    let count = report.counters.anomalies.forged;
    (count > 0).then_some(Silence::ForgedReplies { count })
}

/// Replies without the session's Micro-session IDs.
pub(super) fn other_micro_session(report: &SessionReport) -> Option<Silence> {
    let count = report.counters.anomalies.micro_session;
    (count > 0).then(|| Silence::OtherMicroSession {
        count,
        micro_session: Ids::of(report),
    })
}

/// Replies in the mode that the session does not have.
pub(super) fn other_mode(report: &SessionReport) -> Option<Silence> {
    let count = report.counters.anomalies.other_mode;
    (count > 0).then_some(Silence::OtherMode {
        far: report.identity.reflector,
        is_authenticated: report.identity.wire.is_secured(),
        count,
    })
}

#[cfg(test)]
mod tests;
