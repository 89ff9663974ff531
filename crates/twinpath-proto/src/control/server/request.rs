//! Request-TW-Session, checked field by field (RFC 5357 section 3.5).

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use twinpath_wire::control::{Modes, RequestSession, SecurityMode};
use twinpath_wire::{Dscp, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, TimeFormat, Wall, WireTime};

use super::{RequestFault, ServerConfig};
use crate::reflector::is_unsafe_port;

/// A session that a client requests. All fields are checked, except for what depends on the host:
/// whether `receiver` is one of its addresses, and which ports and sessions are free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionRequest {
    /// Source of the test packets.
    pub sender: SocketAddr,
    /// Destination address of the test packets: the Server's end of the control connection if the
    /// client named none. Refuse an address that is not this host's with `Accept::NotSupported`.
    pub receiver: IpAddr,
    /// UDP port requested by the client.
    pub receiver_port: u16,
    /// Modes of the connection.
    pub modes: Modes,
    /// Marking of the packets, and of the replies.
    pub dscp: Dscp,
    /// Octets of padding in the client's packets, as announced.
    pub padding_length: u32,
    /// How long to reflect after Stop; at most REFWAIT.
    pub timeout: Duration,
    /// When the client intends to start; 0: at once.
    pub start_time: WireTime,
    /// Reflect Octets: how many leading octets of padding come back unchanged.
    pub padding_to_reflect: u16,
}

impl SessionRequest {
    /// How long after `clock` the client intends to start: REFWAIT counts from there. At most a
    /// day, as the clocks may disagree (row TC-48).
    pub fn start_delay(&self, clock: Wall) -> Duration {
        if self.start_time == WireTime::default() {
            return Duration::ZERO;
        }
        let delay = self.start_time.read(TimeFormat::Ntp, clock, 0) - clock;
        let delay = Duration::from_nanos(u64::try_from(delay.ns()).unwrap_or(0));
        delay.min(Duration::from_hours(24))
    }
}

/// The ends of the control connection, and what was negotiated on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ends {
    pub(super) peer: SocketAddr,
    pub(super) local: SocketAddr,
    pub(super) modes: Modes,
}

/// The session that a message requests, or why it is refused. A request refused here will be
/// refused again: 3 if some aspect is not supported, 4 if it asks for too much (rows TC-31 to
/// TC-39, TC-50, TC-82, TC-83).
pub(super) fn check(
    message: &RequestSession,
    ends: &Ends,
    config: &ServerConfig,
) -> Result<SessionRequest, RequestFault> {
    let ipvn = message.ipvn & 0x0f;
    if message.conf_sender != 0 || message.conf_receiver != 0 {
        return Err(RequestFault::OneWay {
            sender: message.conf_sender,
            receiver: message.conf_receiver,
        });
    }
    if !matches!(ipvn, 4 | 6) {
        return Err(RequestFault::IpVersion(ipvn));
    }
    let dscp = message.type_p.as_dscp().ok_or(RequestFault::TypeP)?;
    let sender = sender(message, ends, config)?;
    let receiver = RequestSession::address(message.receiver_address, ipvn)
        .unwrap_or_else(|| ends.local.ip().to_canonical());
    if receiver.is_multicast() || receiver.is_ipv4() != sender.is_ipv4() {
        return Err(RequestFault::Receiver(receiver));
    }
    let padding_to_reflect = padding(message, ends.modes, sender.is_ipv4())?;
    Ok(SessionRequest {
        sender,
        receiver,
        receiver_port: message.receiver_port.get(),
        modes: ends.modes,
        dscp,
        padding_length: message.padding_length.get(),
        timeout: message.timeout.duration().min(config.refwait),
        start_time: message.start_time,
        padding_to_reflect,
    })
}

/// Both addresses are zero, and the IP version is not that of the connection: the connection's
/// family wins (row TC-37).
pub(super) fn other_ip_version(message: &RequestSession, ends: &Ends) -> Option<u8> {
    let ipvn = message.ipvn & 0x0f;
    let family = if ends.peer.ip().to_canonical().is_ipv4() {
        4
    } else {
        6
    };
    let zero = message.sender_address == [0; 16] && message.receiver_address == [0; 16];
    (zero && ipvn != family).then_some(ipvn)
}

/// A port whose packets would never be answered is refused (row TT-58). If the Server allows for
/// NAT, 0 means the port that packets will come from.
fn sender(
    message: &RequestSession,
    ends: &Ends,
    config: &ServerConfig,
) -> Result<SocketAddr, RequestFault> {
    let peer = ends.peer.ip().to_canonical();
    let address = RequestSession::address(message.sender_address, message.ipvn).unwrap_or(peer);
    let port = message.sender_port.get();
    let foreign = address != peer;
    if foreign && !config.allow_sender.iter().any(|net| net.contains(&address)) {
        return Err(RequestFault::Sender(address));
    }
    if (port == 0 && !config.nat) || (port != 0 && is_unsafe_port(port)) {
        return Err(RequestFault::SenderPort(port));
    }
    Ok(match (address, ends.peer) {
        // A link-local address is meaningless without its link.
        (IpAddr::V6(v6), SocketAddr::V6(peer)) if !foreign => {
            SocketAddrV6::new(v6, port, 0, peer.scope_id()).into()
        }
        _ => SocketAddr::new(address, port),
    })
}

/// Octets of padding to reflect.
fn padding(message: &RequestSession, modes: Modes, v4: bool) -> Result<u16, RequestFault> {
    let secured = matches!(
        modes.security(),
        Some(SecurityMode::Authenticated | SecurityMode::Encrypted)
    );
    let symmetrical = modes.contains(Modes::SYMMETRICAL_SIZE);
    // Header of a sender's packet, and by how much the reply's header is longer (64: RFC erratum
    // 5045).
    let (header, difference) = if secured { (48, 64) } else { (14, 27) };
    let largest = if v4 { MAX_PAYLOAD_V4 } else { MAX_PAYLOAD_V6 };
    let most = largest - header - if symmetrical { difference } else { 0 };
    let asked = message.padding_length.get();
    let padding = usize::try_from(asked).unwrap_or(usize::MAX);
    if padding > most {
        return Err(RequestFault::Padding { asked, most });
    }
    if !modes.contains(Modes::REFLECT_OCTETS) {
        return Ok(0);
    }
    let reflected = message.padding_to_reflect.get();
    let least = match (usize::from(reflected), symmetrical) {
        (0, _) => 0,
        (reflected, true) => reflected,
        (reflected, false) => reflected + difference,
    };
    if padding < least {
        return Err(RequestFault::PaddingToReflect {
            reflected,
            padding: asked,
        });
    }
    Ok(reflected)
}
