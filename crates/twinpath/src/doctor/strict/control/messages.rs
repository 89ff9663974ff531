//! Messages of a Control-Client, right ones and others (RFC 4656 section 3, RFC 5357 section 3).

use twinpath_wire::control::{RequestSession, SetUpResponse, StartSessions, StopSessions};

use crate::doctor::strict::form::put;
use crate::doctor::strict::steps::Transcript;

/// Where fields of a Request-TW-Session are.
pub(super) const IPVN: usize = 1;
pub(super) const CONF_SENDER: usize = 2;
pub(super) const CONF_RECEIVER: usize = 3;
pub(super) const SLOTS: usize = 4;
pub(super) const PACKETS: usize = 8;
pub(super) const SENDER_PORT: usize = 12;
pub(super) const RECEIVER_PORT: usize = 14;
pub(super) const SENDER_ADDRESS: usize = 16;
pub(super) const RECEIVER_ADDRESS: usize = 32;
pub(super) const SID: usize = 48;
pub(super) const PADDING: usize = 64;
pub(super) const START_TIME: usize = 68;
pub(super) const TIMEOUT: usize = 76;
pub(super) const TYPE_P: usize = 84;
pub(super) const REFLECTED: usize = 88;
pub(super) const MBZ: usize = 92;
pub(super) const HMAC: usize = 96;

/// How long sessions go on after Stop-Sessions, in seconds.
const TIMEOUT_S: u32 = 2;

/// A Set-Up-Response that chooses these modes.
pub(in crate::doctor::strict) fn set_up(mode: u32) -> Vec<u8> {
    let mut message = vec![0; SetUpResponse::OCTETS];
    put(&mut message, 0, &mode.to_be_bytes());
    message
}

/// A request for a session from the first UDP port.
pub(in crate::doctor::strict) fn request(seen: &Transcript) -> Vec<u8> {
    let [first, _] = seen.ports;
    request_from(seen, first)
}

/// The same from the second.
pub(super) fn second_request(seen: &Transcript) -> Vec<u8> {
    let [_, second] = seen.ports;
    request_from(seen, second)
}

fn request_from(seen: &Transcript, port: u16) -> Vec<u8> {
    let mut message = vec![0; RequestSession::OCTETS];
    put(&mut message, 0, &[5, ip_version(seen)]);
    put(&mut message, SENDER_PORT, &port.to_be_bytes());
    put(&mut message, PADDING, &seen.padding.to_be_bytes());
    put(&mut message, TIMEOUT, &TIMEOUT_S.to_be_bytes());
    message
}

/// IPVN of the connection's family.
pub(super) const fn ip_version(seen: &Transcript) -> u8 {
    if seen.is_v6 { 6 } else { 4 }
}

/// A request with an address of a host that is not concerned: one for documentation (RFC 5737, RFC 3849).
pub(super) fn request_for(seen: &Transcript, at: usize) -> Vec<u8> {
    if seen.is_v6 {
        let mut address = [0; 16];
        put(&mut address, 0, &[0x20, 1, 0x0d, 0xb8]);
        put(&mut address, 15, &[0x77]);
        request_with(seen, at, &address)
    } else {
        request_with(seen, at, &[192, 0, 2, 77])
    }
}

/// A request with one field of other octets.
pub(super) fn request_with(seen: &Transcript, at: usize, field: &[u8]) -> Vec<u8> {
    let mut message = request(seen);
    put(&mut message, at, field);
    message
}

pub(in crate::doctor::strict) fn start(_: &Transcript) -> Vec<u8> {
    command(2, StartSessions::OCTETS)
}

/// A Stop-Sessions of one session.
pub(in crate::doctor::strict) fn stop(_: &Transcript) -> Vec<u8> {
    stop_of(1)
}

/// A Stop-Sessions of so many sessions.
pub(super) fn stop_of(sessions: u32) -> Vec<u8> {
    let mut message = command(3, StopSessions::OCTETS);
    put(&mut message, 4, &sessions.to_be_bytes());
    message
}

/// A message of this command, otherwise zero.
pub(super) fn command(number: u8, octets: usize) -> Vec<u8> {
    let mut message = vec![0; octets];
    put(&mut message, 0, &[number]);
    message
}

/// Start-N-Sessions or Stop-N-Sessions about these sessions (RFC 5938 sections 3.2, 3.4).
pub(super) fn about(number: u8, sids: &[[u8; 16]]) -> Vec<u8> {
    let mut message = command(number, 16);
    let sessions = u32::try_from(sids.len()).unwrap_or(u32::MAX);
    put(&mut message, 12, &sessions.to_be_bytes());
    message.extend(sids.iter().flatten());
    message.extend([0; 16]);
    message
}
