//! Control messages written by hand, octet by octet: not by the code that is under test.

use twinpath_wire::control::Sid;

fn at(message: &mut [u8], offset: usize, octets: &[u8]) {
    message[offset..offset + octets.len()].copy_from_slice(octets);
}

pub(super) fn greeting(modes: u32) -> Vec<u8> {
    let mut message = vec![0; 64];
    at(&mut message, 12, &modes.to_be_bytes());
    at(&mut message, 16, &[0xc4; 16]);
    at(&mut message, 32, &[0x5a; 16]);
    at(&mut message, 48, &1024_u32.to_be_bytes());
    message
}

pub(super) fn set_up(mode: u32) -> Vec<u8> {
    let mut message = vec![0; 164];
    at(&mut message, 0, &mode.to_be_bytes());
    message
}

pub(super) fn server_start(accept: u8) -> Vec<u8> {
    let mut message = vec![0; 48];
    message[15] = accept;
    message
}

/// A request that any Server would grant: from port 20000, to port 20001, padding 100, Timeout 2 s.
pub(super) fn request() -> Vec<u8> {
    let mut message = vec![0; 112];
    at(&mut message, 0, &[5, 4]);
    at(&mut message, 12, &20_000_u16.to_be_bytes());
    at(&mut message, 14, &20_001_u16.to_be_bytes());
    at(&mut message, 64, &100_u32.to_be_bytes());
    at(&mut message, 76, &2_u32.to_be_bytes());
    message
}

pub(super) fn accept_session(accept: u8, port: u16, sid: Sid) -> Vec<u8> {
    let mut message = vec![0; 48];
    message[0] = accept;
    at(&mut message, 2, &port.to_be_bytes());
    at(&mut message, 4, &sid.0);
    message
}

pub(super) fn start_sessions() -> Vec<u8> {
    let mut message = vec![0; 32];
    message[0] = 2;
    message
}

pub(super) fn start_ack(accept: u8) -> Vec<u8> {
    let mut message = vec![0; 32];
    message[0] = accept;
    message
}

pub(super) fn stop_sessions(accept: u8, sessions: u32) -> Vec<u8> {
    let mut message = vec![0; 32];
    at(&mut message, 0, &[3, accept]);
    at(&mut message, 4, &sessions.to_be_bytes());
    message
}

/// Start-N (7), Start-N-Ack (8), Stop-N (9), Stop-N-Ack (10).
pub(super) fn many(command: u8, accept: u8, sids: &[Sid]) -> Vec<u8> {
    let mut message = vec![0; 16];
    at(&mut message, 0, &[command, accept]);
    let count = u32::try_from(sids.len()).expect("a few");
    at(&mut message, 12, &count.to_be_bytes());
    for sid in sids {
        message.extend(sid.0);
    }
    message.extend([0; 16]);
    message
}
