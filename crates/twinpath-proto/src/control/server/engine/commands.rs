//! The handling of each of the client's messages.

use std::collections::BTreeSet;

use twinpath_wire::control::{
    Accept, BLOCK, Command, ManySessions, Modes, RequestSession, ServerStart, SetUpResponse, Sid,
    StopSessions,
};
use zerocopy::FromBytes;

use super::{Ack, Phase, Server};
use crate::control::protection::{Opening, Sealing};
use crate::control::server::sessions::State;
use crate::control::server::{
    Admission, CloseReason, PeerDeviation, RequestFault, ServerEvent, answers, request,
};
use crate::security::{KeyId, OpeningChain, SealingChain, SessionKeys, open_token};

/// SIDs that one command may name beyond those of this connection: as many as fit one
/// acknowledgement. It bounds the memory and output that a message about unknown sessions can
/// cause.
const UNKNOWN_SIDS: usize = answers::ACK_SIDS;

/// Mode bits defined by any RFC, including those not offered here.
const DEFINED_MODES: u32 = 0x3ff;

impl Server {
    /// Set-Up-Response (rows TC-4 to TC-7, TC-13, TC-26).
    pub(super) fn set_up(&mut self, message: &[u8]) {
        let Ok(message) = SetUpResponse::view(message) else {
            return;
        };
        // No longer needed by this connection: dropped now, so that keys that are replaced get
        // wiped.
        let Some(table) = self.keys.take() else {
            return;
        };
        if let Admission::Refused(accept) = self.admission {
            self.send(answers::server_start(accept, &self.config));
            return self.close(CloseReason::Refused(accept));
        }
        let bits = message.mode.get();
        if bits == 0 {
            return self.close(CloseReason::Declined);
        }
        let modes = Modes::from_bits(bits & DEFINED_MODES);
        let offers = self.config.offers(!table.is_empty());
        if modes.security().is_none() || !offers.contains(modes) {
            self.send(answers::server_start(Accept::NotSupported, &self.config));
            return self.close(CloseReason::ModesRefused(Modes::from_bits(bits)));
        }
        if bits & !DEFINED_MODES != 0 {
            self.note(PeerDeviation::UnknownModeBits(bits & !DEFINED_MODES));
        }
        let mut start = answers::server_start(Accept::Ok, &self.config);
        if !modes.and(Modes::SECURED).is_empty() {
            let key_id = KeyId::from_field(&message.key_id);
            let key = table.key(key_id.as_ref());
            let Some(keys) = open_token(key, &self.nonces.challenge, &message.token) else {
                self.send(answers::server_start(Accept::Failure, &self.config));
                return self.close(CloseReason::KeyRefused);
            };
            self.key_id = key_id;
            self.secure(&keys, &message.client_iv, &mut start);
            self.session_keys = Some(keys);
        }
        self.ends.modes = modes;
        // Sent before the phase changes to `Commands`: encryption begins within this message, not
        // at its start.
        self.send(start);
        self.phase = Phase::Commands;
        self.events.push_back(ServerEvent::Ready { modes });
    }

    /// Both directions are encrypted from here on: the client's from its next message, ours from
    /// Server-Start's last block, whose HMAC is the next one (rows TC-14, TC-18).
    fn secure(&mut self, keys: &SessionKeys, client_iv: &[u8; 16], start: &mut [u8]) {
        let iv = &self.nonces.server_iv;
        if let Ok(message) = ServerStart::mut_from_bytes(start) {
            message.server_iv = *iv;
        }
        self.opening = Opening::secured(OpeningChain::new(keys, client_iv));
        self.sealing = Sealing::secured(SealingChain::new(keys, iv));
        let last = start.get_mut(ServerStart::CLEAR..).unwrap_or_default();
        self.sealing.seal_uncovered(last);
    }

    /// Request-TW-Session (rows TC-30 to TC-50).
    pub(super) fn request(&mut self, message: &[u8]) {
        let Ok(message) = RequestSession::view(message) else {
            return;
        };
        let octets = if self.ends.modes.contains(Modes::REFLECT_OCTETS) {
            message.octets_to_reflect.get()
        } else {
            0
        };
        let slots = message.schedule_slots.get();
        if slots != 0 {
            self.refuse_request(RequestFault::ScheduleSlots(slots), octets);
            return self.close(CloseReason::ScheduleSlots(slots));
        }
        if self.active {
            self.note(PeerDeviation::RequestWhileRunning);
            return self.refuse_request(RequestFault::WhileRunning, octets);
        }
        if message.sid != Sid::default() {
            self.note(PeerDeviation::SidInRequest);
        }
        if message.packets.get() != 0 {
            self.note(PeerDeviation::PacketsInRequest(message.packets.get()));
        }
        if let Some(ipvn) = request::other_ip_version(message, &self.ends) {
            self.note(PeerDeviation::IpVersion(ipvn));
        }
        match request::check(message, &self.ends, &self.config) {
            Err(fault) => self.refuse_request(fault, octets),
            Ok(_) if self.sessions.is_full() => {
                self.refuse_request(RequestFault::Sessions(self.config.max_sessions), octets);
            }
            Ok(request) => {
                self.pending = Some(octets);
                self.events.push_back(ServerEvent::Open(request));
            }
        }
    }

    /// Accept-Session with the fault's value; the fault is reported to the operator.
    fn refuse_request(&mut self, fault: RequestFault, octets: u16) {
        self.events.push_back(ServerEvent::Refused(fault));
        self.refuse(fault.accept(), octets);
    }

    /// Start-Sessions (rows TC-52 to TC-54).
    pub(super) fn start_all(&mut self) {
        if self.is_individual() {
            self.note(PeerDeviation::StartWithoutSids);
            return self.refuse_request(RequestFault::StartWithoutSids, 0);
        }
        let accepted = self.sessions.all_in(State::Accepted);
        if self.active || accepted.is_empty() {
            let fault = if self.active {
                self.note(PeerDeviation::StartWhileRunning);
                RequestFault::WhileRunning
            } else {
                RequestFault::NothingToStart
            };
            self.events.push_back(ServerEvent::Refused(fault));
            return self.send(answers::start_ack(fault.accept()));
        }
        for sid in accepted {
            self.start(sid);
        }
        self.active = true;
        self.ack = Some(Ack::All(Accept::Ok));
    }

    /// Stop-Sessions: never answered (rows TC-55 to TC-58).
    pub(super) fn stop_all(&mut self, message: &[u8]) {
        let Ok(message) = StopSessions::view(message) else {
            return;
        };
        if self.is_individual() {
            self.note(PeerDeviation::StopWithoutSids);
        } else if !self.active {
            self.note(PeerDeviation::StopWithoutStart);
        }
        let accept = Accept::from_octet(message.accept);
        if accept != Accept::Ok {
            self.note(PeerDeviation::StopFailure(accept));
        }
        let (said, running) = (message.sessions.get(), self.sessions.started());
        if said != running {
            self.note(PeerDeviation::StopCount { said, running });
            // Known clients say 0 and mean all.
            if self.config.strict || (self.active && said != 0) {
                return self.close(CloseReason::StopCount { said, running });
            }
        }
        self.stop_running();
        self.active = false;
    }

    /// How many SIDs one Start-N-Sessions or Stop-N-Sessions may name; more close the connection
    /// (row TC-67). Every SID is answered once, so the answer is no larger than the question.
    pub(super) fn most_sids(&self) -> u32 {
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let known = number(self.sessions.known() + UNKNOWN_SIDS);
        // It may have more than there may be by now.
        let most = self.config.max_sessions;
        known.min(most.max(number(self.sessions.unstopped())))
    }

    /// Start-N-Sessions, Stop-N-Sessions (rows TC-63 to TC-66).
    pub(super) fn start_or_stop(&mut self, command: Command, message: &[u8]) {
        let sids = message.get(BLOCK..message.len().saturating_sub(BLOCK));
        let Ok(sids) = <[Sid]>::ref_from_bytes(sids.unwrap_or_default()) else {
            return;
        };
        let mut seen = BTreeSet::new();
        let mut answers = Vec::new();
        for sid in sids.iter().copied() {
            if !seen.insert(sid.0) {
                self.note(PeerDeviation::RepeatedSid);
                continue;
            }
            let state = self.sessions.state(sid);
            if state.is_none() {
                self.note(PeerDeviation::UnknownSid);
            }
            let accept = match (command == Command::StartMany, state) {
                (true, Some(State::Accepted)) => {
                    self.start(sid);
                    Accept::Ok
                }
                (true, _) | (false, None) => Accept::NotSupported,
                (false, Some(state)) => {
                    self.end(sid, state);
                    Accept::Ok
                }
            };
            answers.push((sid, accept));
        }
        self.ack = Some(Ack::Many(command, answers));
    }

    /// A first block with an unexpected command: the length of what follows is unknown (rows TC-67,
    /// TC-69, TC-70).
    pub(super) fn handle_unexpected(&mut self, block: &[u8]) {
        let octet = block.first().copied().unwrap_or_default();
        let many = matches!(
            Command::from_octet(octet),
            Some(Command::StartMany | Command::StopMany)
        );
        if many && self.is_individual() {
            let sessions = ManySessions::view(block).map_or(0, |head| head.sessions.get());
            return self.close(CloseReason::SessionCount(sessions));
        }
        self.refuse(Accept::NotSupported, 0);
        self.close(CloseReason::UnexpectedCommand(octet));
    }
}
