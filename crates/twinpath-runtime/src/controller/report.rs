//! What a control connection came to.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::control::ClientError;
use twinpath_report::Attempt;
use twinpath_report::Finding;
use twinpath_wire::Dscp;
use twinpath_wire::control::{Modes, Sid};

/// What a Control-Client for a Session-Sender elsewhere did.
#[derive(Clone, Debug)]
pub struct ControlClientReport {
    /// The Server's end of the control connection.
    pub server: SocketAddr,
    /// This host's end of it.
    pub near: SocketAddr,
    /// Other addresses of the Server, which did not take the connection before, in this order.
    pub attempts: Vec<Attempt>,
    /// Modes that the Server offers.
    pub offered: Modes,
    /// Modes chosen.
    pub modes: Modes,
    /// The session that ran.
    pub session: NegotiatedSession,
    /// From its start to its stop.
    pub duration: Duration,
    /// How the Server ended the connection before that was asked for; `None`: it did not.
    pub cut_short: Option<ClientError>,
    /// What is remarkable, warnings first.
    pub findings: Vec<Finding>,
}

/// A session as it was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NegotiatedSession {
    /// Its identifier.
    pub sid: Sid,
    /// Where packets come from.
    pub sender: SocketAddr,
    /// Where they go to.
    pub reflector: SocketAddr,
    /// Their marking, and the replies'.
    pub dscp: Dscp,
}
