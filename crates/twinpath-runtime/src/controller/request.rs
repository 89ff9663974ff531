//! What is asked of a Server: features, sizes, ports.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::TestFeatures;
use twinpath_proto::control::SessionPlan;
use twinpath_proto::sender::{PayloadSize, Wire};
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use super::ControlPlan;

/// The reflector goes on for at least so long after Stop (row TC-46).
const LEAST_TIMEOUT: Duration = Duration::from_secs(2);

/// A session to ask for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionRequest {
    pub(crate) sender: SocketAddr,
    pub(crate) dscp: Dscp,
    /// The largest UDP payload without any feature.
    pub(crate) payload_octets: usize,
    pub(crate) timeout: Duration,
    /// The Session-Sender runs on another host.
    pub(crate) is_elsewhere: bool,
}

impl SessionRequest {
    /// What is asked for in a request.
    pub(crate) fn session_plan(&self, plan: &ControlPlan, modes: Modes) -> SessionPlan {
        let features = TestFeatures {
            modes,
            padding_to_reflect: plan.padding_to_reflect,
            server_octets: 0,
        };
        let octets = Wire::twamp(features).payload_octets(self.payload_octets);
        let padding = features.padding_length(octets);
        SessionPlan {
            // Another host's address is never that of this end.
            sender: (!plan.nat || self.is_elsewhere).then(|| self.sender.ip()),
            sender_port: self.sender.port(),
            receiver: (!plan.nat).then(|| plan.server.ip()),
            receiver_port: plan.receiver_port.unwrap_or(self.sender.port()),
            dscp: self.dscp,
            padding_length: u32::try_from(padding).unwrap_or(u32::MAX),
            timeout: self.timeout.max(LEAST_TIMEOUT),
            octets_to_reflect: plan.octets_to_reflect,
            padding_to_reflect: plan.padding_to_reflect,
            ..SessionPlan::default()
        }
    }
}

/// Features that are chosen where they are offered (row TC-10): several sessions are started and
/// stopped by themselves, and the reflector says with which DSCP packets came where that makes no
/// reply longer than its request. Not with Symmetrical Size, where RFC 7750 contradicts itself about
/// the padding's place (row TT-43).
pub(crate) fn default_features(
    sessions: usize,
    least_payload_octets: usize,
    required: Modes,
) -> DefaultFeatures {
    let mut features = Modes::default();
    if sessions > 1 {
        features = features | Modes::INDIVIDUAL_CONTROL;
    }
    let monitored = TestFeatures {
        modes: Modes::DSCP_MONITORING,
        ..TestFeatures::default()
    };
    if least_payload_octets >= monitored.reply_header()
        && !required.contains(Modes::SYMMETRICAL_SIZE)
    {
        features = features | Modes::DSCP_MONITORING;
    }
    DefaultFeatures {
        all: features,
        secured: Modes::DSCP_MONITORING,
    }
}

/// Features that are chosen where they are offered.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct DefaultFeatures {
    /// In any mode.
    pub(crate) all: Modes,
    /// Besides where test packets are secured: their replies have room for all features.
    pub(crate) secured: Modes,
}

impl DefaultFeatures {
    /// Without these.
    pub(crate) fn without(self, avoided: Modes) -> Self {
        Self {
            all: self.all.without(avoided),
            secured: self.secured.without(avoided),
        }
    }
}

/// The greatest and the least of a session's sizes.
pub(crate) fn sizes(payload: PayloadSize) -> (usize, usize) {
    match payload {
        PayloadSize::Fixed(octets) => (octets, octets),
        PayloadSize::Imix([first, second, third]) => {
            (first.max(second).max(third), first.min(second).min(third))
        }
    }
}
