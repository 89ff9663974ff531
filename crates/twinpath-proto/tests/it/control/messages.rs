//! Messages written by hand, octet by octet from section 2 of the conformance table, not by the
//! code under test.

use twinpath_wire::control::Sid;

fn at(message: &mut [u8], offset: usize, octets: &[u8]) {
    message[offset..offset + octets.len()].copy_from_slice(octets);
}

pub(crate) fn greeting(modes: u32) -> Vec<u8> {
    let mut message = vec![0; 64];
    at(&mut message, 12, &modes.to_be_bytes());
    at(&mut message, 16, &[0xc4; 16]);
    at(&mut message, 32, &[0x5a; 16]);
    at(&mut message, 48, &1024_u32.to_be_bytes());
    message
}

pub(crate) fn set_up(mode: u32) -> Vec<u8> {
    let mut message = vec![0; 164];
    at(&mut message, 0, &mode.to_be_bytes());
    message
}

pub(crate) fn server_start(accept: u8) -> Vec<u8> {
    let mut message = vec![0; 48];
    message[15] = accept;
    message
}

/// A request that any Server would grant: from port 20000, to port 20001, padding 27, Timeout 2 s.
pub(crate) fn request() -> Vec<u8> {
    let mut message = vec![0; 112];
    at(&mut message, 0, &[5, 4]);
    at(&mut message, 12, &20_000_u16.to_be_bytes());
    at(&mut message, 14, &20_001_u16.to_be_bytes());
    at(&mut message, 64, &27_u32.to_be_bytes());
    at(&mut message, 76, &2_u32.to_be_bytes());
    message
}

/// [`request`] with other octets at `offset`.
pub(crate) fn request_with(offset: usize, octets: &[u8]) -> Vec<u8> {
    let mut message = request();
    at(&mut message, offset, octets);
    message
}

pub(crate) fn accept_session(accept: u8, port: u16, sid: Sid) -> Vec<u8> {
    let mut message = vec![0; 48];
    message[0] = accept;
    at(&mut message, 2, &port.to_be_bytes());
    at(&mut message, 4, &sid.0);
    message
}

pub(crate) fn start_sessions() -> Vec<u8> {
    let mut message = vec![0; 32];
    message[0] = 2;
    message
}

pub(crate) fn start_ack(accept: u8) -> Vec<u8> {
    let mut message = vec![0; 32];
    message[0] = accept;
    message
}

pub(crate) fn stop_sessions(accept: u8, sessions: u32) -> Vec<u8> {
    let mut message = vec![0; 32];
    at(&mut message, 0, &[3, accept]);
    at(&mut message, 4, &sessions.to_be_bytes());
    message
}

/// Start-N (7), Start-N-Ack (8), Stop-N (9), Stop-N-Ack (10).
pub(crate) fn many(command: u8, accept: u8, sids: &[Sid]) -> Vec<u8> {
    let mut message = vec![0; 16];
    at(&mut message, 0, &[command, accept]);
    at(
        &mut message,
        12,
        &u32::try_from(sids.len()).unwrap().to_be_bytes(),
    );
    for sid in sids {
        message.extend(sid.0);
    }
    message.extend([0; 16]);
    message
}

/// A session's identifier in these tests: the number of the request, from 0.
pub(crate) fn sid(number: u8) -> Sid {
    Sid([0xa0 + number; 16])
}
