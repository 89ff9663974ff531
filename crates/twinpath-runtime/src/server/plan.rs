//! What a Server is to do.

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::PathOptions;
use crate::keys::KeyRing;

/// All that a Server's run needs.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of the command line, each its own"
)]
pub struct ServerPlan {
    /// Addresses to listen on. Port 0 takes a free one, the same for all where that can be. The
    /// unspecified IPv6 address means IPv6 only.
    pub near: Vec<SocketAddr>,
    /// Addresses that may be left out when the host cannot bind their family (default: all).
    pub tolerate_missing_family: bool,
    /// What is offered; of the secured modes nothing where there are no keys.
    pub modes: Modes,
    /// Whom the secured modes are for.
    pub keys: KeyRing,
    /// PBKDF2 iterations that a client has to make: a power of 2, 1024 at least (row TC-23).
    pub pbkdf2_count: u32,
    /// How long keys are derived with one Salt (row TC-25).
    pub salt_life: Duration,
    /// A connection without running sessions is closed after this long in silence.
    pub servwait: Duration,
    /// A running session without a packet for this long is ended.
    pub refwait: Duration,
    /// How long a control message may take, in both directions; at most `servwait`.
    pub message_patience: Duration,
    /// Test ports to offer where the requested port is not available, both ends included.
    pub test_ports: (u16, u16),
    /// What clients may have; it can change while the Server runs.
    pub limits: ServerLimits,
    /// Senders behind NAT or PAT: a session's first packet from the control client's address, or from
    /// one of `allow_sender`, says where its sender is.
    pub nat: bool,
    /// Server octets for senders that have padding reflected: they tell sessions behind one NAT
    /// apart.
    pub server_octets: bool,
    /// DSCP of control segments; `None`: that of the client's SYN.
    pub control_dscp: Option<Dscp>,
    /// What is set below UDP; the interface for control too.
    pub path: PathOptions,
    /// Reflector threads. A test port belongs to one of them.
    pub threads: usize,
    /// Do not advance T3 by the measured transmit latency.
    pub raw_t3: bool,
    /// Close connections that count their sessions wrong; discard requests whose Error Estimate has
    /// a Multiplier of 0.
    pub strict: bool,
}

/// Limits of what clients may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLimits {
    /// Who may connect; empty: everyone.
    pub allow: Vec<IpNet>,
    /// Session-Senders elsewhere than at the control client's own address.
    pub allow_sender: Vec<IpNet>,
    /// Clients that proved no key may request any port from 1024 up, and 862, not one of
    /// [`ServerPlan::test_ports`] only.
    pub allow_any_port: bool,
    /// Control connections at once.
    pub max_connections: usize,
    /// Control connections of one client at once: an IPv4 address, or the /64 of an IPv6 one.
    pub max_connections_per_client: usize,
    /// Test sessions at once, over all threads.
    pub max_sessions: usize,
    /// Those of them whose clients prove no key, so that others find room (row TC-78).
    pub max_open_sessions: usize,
    /// Test sessions of one client at once.
    pub max_sessions_per_client: usize,
    /// Replies per second for each sender (IPv6: its /64), in bursts of one second's worth at most;
    /// `None`: any negotiated session is let through.
    pub max_rate_pps: Option<u32>,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            allow: Vec::new(),
            allow_sender: Vec::new(),
            allow_any_port: false,
            max_connections: 1_000,
            max_connections_per_client: 100,
            max_sessions: 5_000,
            max_open_sessions: 5_000,
            max_sessions_per_client: 100,
            max_rate_pps: None,
        }
    }
}

impl ServerPlan {
    /// A Server with the standards' defaults, on these addresses.
    pub fn on(near: Vec<SocketAddr>) -> Self {
        Self {
            near,
            tolerate_missing_family: false,
            modes: Modes::UNAUTHENTICATED | Modes::FEATURES,
            keys: KeyRing::default(),
            pbkdf2_count: 16_384,
            salt_life: Duration::from_hours(1),
            servwait: Duration::from_mins(15),
            refwait: Duration::from_mins(15),
            message_patience: Duration::from_mins(1),
            test_ports: (18_760, 19_960),
            limits: ServerLimits::default(),
            nat: false,
            server_octets: false,
            control_dscp: None,
            path: PathOptions::default(),
            threads: 1,
            raw_t3: false,
            strict: false,
        }
    }
}
