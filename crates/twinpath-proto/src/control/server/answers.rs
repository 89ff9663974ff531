//! Encoding of the Server's messages.

use twinpath_wire::control::{
    Accept, AcceptSession, Command, ManySessions, Modes, ServerGreeting, ServerStart, Sid, StartAck,
};
use zerocopy::{FromZeros, IntoBytes};

use super::{Nonces, Opened, ServerConfig};
use crate::security::KeyTable;

/// The most SIDs in one acknowledgement; further SIDs go into another (RFC 5938 section 3.3 allows
/// that).
pub(super) const ACK_SIDS: usize = 1024;

pub(super) fn greeting(modes: Modes, nonces: &Nonces, keys: &KeyTable) -> Vec<u8> {
    let mut message = ServerGreeting::new_zeroed();
    message.modes = modes.bits().into();
    message.challenge = nonces.challenge;
    message.salt = *keys.salt();
    message.count = keys.count().into();
    message.as_bytes().to_vec()
}

/// Server-Start: with any Accept but 0, Start-Time is zero (row TC-27), so that it reveals nothing
/// else.
pub(super) fn server_start(accept: Accept, config: &ServerConfig) -> Vec<u8> {
    let mut message = ServerStart::new_zeroed();
    message.accept = accept.octet();
    if accept == Accept::Ok {
        message.start_time = config.start_time;
    }
    message.as_bytes().to_vec()
}

/// Accept-Session; `octets` are those that the client wants returned.
pub(super) fn accept_session(answer: Result<Opened, Accept>, octets: u16) -> Vec<u8> {
    let mut message = AcceptSession::new_zeroed();
    message.reflected_octets = octets.into();
    match answer {
        Ok(opened) => {
            message.port = opened.port.into();
            message.sid = opened.sid;
            message.server_octets = opened.server_octets.into();
        }
        Err(accept) => message.accept = accept.octet(),
    }
    message.as_bytes().to_vec()
}

pub(super) fn start_ack(accept: Accept) -> Vec<u8> {
    let mut message = StartAck::new_zeroed();
    message.accept = accept.octet();
    message.as_bytes().to_vec()
}

/// Start-N-Acks or Stop-N-Acks that answer every SID once, grouped by Accept (RFC 5938 sections 3.3
/// and 3.5).
pub(super) fn many_acks(command: Command, answers: &[(Sid, Accept)]) -> Vec<Vec<u8>> {
    let mut groups: Vec<(Accept, Vec<Sid>)> = Vec::new();
    for (sid, accept) in answers {
        match groups.iter_mut().find(|(group, _)| group == accept) {
            Some((_, sids)) => sids.push(*sid),
            None => groups.push((*accept, vec![*sid])),
        }
    }
    let part = |accept: Accept, sids: &[Sid]| {
        let mut head = ManySessions::new_zeroed();
        head.command = command.octet();
        head.accept = accept.octet();
        head.sessions = u32::try_from(sids.len()).unwrap_or(u32::MAX).into();
        [head.as_bytes(), sids.as_bytes(), &[0; 16]].concat()
    };
    groups
        .iter()
        .flat_map(|(accept, sids)| sids.chunks(ACK_SIDS).map(|sids| part(*accept, sids)))
        .collect()
}
