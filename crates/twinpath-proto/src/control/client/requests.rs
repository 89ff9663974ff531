//! Encoding of the Control-Client's messages.

use std::net::IpAddr;

use twinpath_wire::control::{
    Accept, Command, ManySessions, Modes, RequestSession, SetUpResponse, Sid, StartSessions,
    StopSessions, TypeP, WireInterval,
};
use zerocopy::{FromZeros, IntoBytes};

use super::SessionPlan;
use crate::security::Credentials;

pub(super) fn set_up(modes: Modes) -> Vec<u8> {
    let mut message = SetUpResponse::new_zeroed();
    message.mode = modes.bits().into();
    message.as_bytes().to_vec()
}

/// Set-Up-Response of a secured mode.
pub(super) fn set_up_secured(modes: Modes, credentials: &Credentials, token: [u8; 64]) -> Vec<u8> {
    let mut message = SetUpResponse::new_zeroed();
    message.mode = modes.bits().into();
    message.key_id = *credentials.key_id.field();
    message.token = token;
    message.client_iv = credentials.client_iv;
    message.as_bytes().to_vec()
}

/// Request-TW-Session. `server` is the Server's end of the connection: its family applies to zero
/// addresses.
pub(super) fn request(session_plan: &SessionPlan, modes: Modes, server: IpAddr) -> Vec<u8> {
    let field = |address: Option<IpAddr>| {
        address.map_or([0; 16], |address| {
            RequestSession::field(address.to_canonical())
        })
    };
    let family = session_plan
        .receiver
        .or(session_plan.sender)
        .unwrap_or(server);
    let mut message = RequestSession::new_zeroed();
    message.command = Command::RequestSession.octet();
    message.ipvn = if family.to_canonical().is_ipv4() {
        4
    } else {
        6
    };
    message.sender_port = session_plan.sender_port.into();
    message.receiver_port = session_plan.receiver_port.into();
    message.sender_address = field(session_plan.sender);
    message.receiver_address = field(session_plan.receiver);
    message.padding_length = session_plan.padding_length.into();
    message.start_time = session_plan.start_time;
    message.timeout = WireInterval::from_duration(session_plan.timeout);
    message.type_p = TypeP::dscp(session_plan.dscp);
    if modes.contains(Modes::REFLECT_OCTETS) {
        message.octets_to_reflect = session_plan.octets_to_reflect.into();
        message.padding_to_reflect = session_plan.padding_to_reflect.into();
    }
    message.as_bytes().to_vec()
}

pub(super) fn start_all() -> Vec<u8> {
    let mut message = StartSessions::new_zeroed();
    message.command = Command::StartSessions.octet();
    message.as_bytes().to_vec()
}

pub(super) fn stop_all(accept: Accept, sessions: usize) -> Vec<u8> {
    let mut message = StopSessions::new_zeroed();
    message.command = Command::StopSessions.octet();
    message.accept = accept.octet();
    message.sessions = count(sessions).into();
    message.as_bytes().to_vec()
}

/// Start-N-Sessions or Stop-N-Sessions.
pub(super) fn many(command: Command, sids: &[Sid]) -> Vec<u8> {
    let mut head = ManySessions::new_zeroed();
    head.command = command.octet();
    head.sessions = count(sids.len()).into();
    [head.as_bytes(), sids.as_bytes(), &[0; 16]].concat()
}

fn count(sessions: usize) -> u32 {
    u32::try_from(sessions).unwrap_or(u32::MAX)
}
