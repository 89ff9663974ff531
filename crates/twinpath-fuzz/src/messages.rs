//! Control messages of every kind as any octets.

use std::time::Duration;

use twinpath_wire::Short;
use twinpath_wire::control::{
    Accept, AcceptSession, Command, ManySessions, Modes, RequestSession, ServerGreeting,
    ServerStart, SetUpResponse, StartAck, StartSessions, StopSessions, WireInterval,
};
use zerocopy::IntoBytes as _;

/// Octet 0 is taken for a value of each field that has one octet; all of them are each message.
pub(crate) fn messages(input: &[u8]) {
    macro_rules! check {
        ($($message:ident)*) => {$(
            match $message::view(input) {
                Ok(message) => assert_eq!(message.as_bytes(), &input[..$message::OCTETS]),
                Err(Short { need, have }) => {
                    assert_eq!((need, have), ($message::OCTETS, input.len()));
                    assert!(have < need);
                }
            }
        )*};
    }
    check! {
        ServerGreeting SetUpResponse ServerStart RequestSession AcceptSession StartSessions StartAck
        StopSessions ManySessions
    }
    if let Some(octet) = input.first() {
        if let Some(command) = Command::from_octet(*octet) {
            assert_eq!(command.octet(), *octet);
        }
        let accept = Accept::from_octet(*octet);
        assert_eq!(Accept::from_octet(accept.octet()), accept);
    }
    if let Ok(message) = ServerGreeting::view(input) {
        modes(message.offers());
    }
    if let Ok(message) = RequestSession::view(input) {
        for (field, ipvn) in [
            (message.sender_address, message.ipvn),
            (message.receiver_address, message.ipvn),
        ] {
            if let Some(address) = RequestSession::address(field, ipvn) {
                let again = RequestSession::field(address);
                let version = if address.is_ipv4() { 4 } else { 6 };
                assert_eq!(RequestSession::address(again, version), Some(address));
            }
        }
        interval(message.timeout);
        if let Some(dscp) = message.type_p.as_dscp() {
            assert!(dscp.value() < 64);
        }
    }
    if let Ok(message) = ManySessions::view(input) {
        let most = 1_024;
        let octets = message.message_octets(most);
        assert!(octets.is_none_or(|octets| octets <= 32 + 16 * 1_024));
        assert_eq!(octets.is_some(), message.sessions.get() <= most);
    }
}

fn modes(modes: Modes) {
    assert_eq!(Modes::from_bits(modes.bits()), modes);
    if let Some(security) = modes.security() {
        assert!(modes.contains(security.modes()));
    }
    let named = format!("{modes}");
    assert!(named.len() < 1_000, "{named}");
}

fn interval(wire: WireInterval) {
    let span = wire.duration();
    let again = WireInterval::from_duration(span).duration();
    assert!(
        again.abs_diff(span) <= Duration::from_nanos(1),
        "{span:?} {again:?}"
    );
}
