//! The handling of each of the Server's messages.

use twinpath_wire::control::{
    Accept, AcceptSession, BLOCK, ManySessions, Modes, SecurityMode, ServerGreeting, ServerStart,
    Sid,
};
use zerocopy::{FromBytes, IntoBytes};

use super::{ControlClient, Phase};
use crate::control::client::sessions::Stage;
use crate::control::client::{ClientError, ClientEvent, Message, requests};
use crate::control::protection::{Opening, Sealing};
use crate::security::{OpeningChain, SealingChain, seal_token};
use crate::{Refusal, Step};

/// Fewer PBKDF2 iterations make the token an oracle for guesses (row TC-24).
const LEAST_COUNT: u32 = 1024;

impl ControlClient {
    /// Server Greeting (rows TC-2, TC-3, TC-8, TC-10).
    pub(super) fn greeting(&mut self, message: &[u8]) {
        let Ok(greeting) = ServerGreeting::view(message) else {
            return;
        };
        let offered = greeting.offers();
        let count = greeting.count.get();
        self.report(Message::Greeting { offered, count });
        self.events.push_back(ClientEvent::Greeting { offered });
        if offered.is_empty() {
            return self.fail(ClientError::TurnedAway);
        }
        let keyed = self.plan.credentials.is_some();
        let able = |mode: &&SecurityMode| keyed || **mode == SecurityMode::Unauthenticated;
        let wanted = self.plan.security.iter().map(|mode| mode.modes());
        let wanted = wanted.fold(self.plan.required, |all, mode| all | mode);
        let mut fitting = self.plan.security.iter().filter(able);
        let security = fitting.find(|mode| offered.contains(mode.modes()));
        let (Some(security), true) = (security, offered.contains(self.plan.required)) else {
            return self.fail(ClientError::NoMode { offered, wanted });
        };
        let mut preferred = self.plan.preferred;
        if security.secures_packets() {
            preferred = preferred | self.plan.preferred_secured;
        }
        let preferred = preferred.and(offered);
        let features = (self.plan.required | preferred).and(Modes::FEATURES);
        let chosen = security.modes() | features;
        if chosen.and(Modes::SECURED).is_empty() {
            self.plan.credentials = None;
        }
        let key_id = self.plan.credentials.as_ref().map(|keyed| keyed.key_id);
        let response = match &mut self.plan.credentials {
            None => requests::set_up(chosen),
            Some(_) if !(LEAST_COUNT..=self.plan.most_count).contains(&count) => {
                let most = self.plan.most_count;
                return self.fail(ClientError::Count { count, most });
            }
            Some(credentials) => {
                if !count.is_power_of_two() {
                    self.events.push_back(ClientEvent::IrregularCount { count });
                }
                // No longer needed: from here on only the session keys are used.
                let passphrase = std::mem::take(&mut credentials.passphrase);
                let key = passphrase.derive(&greeting.salt, count);
                let token = seal_token(&key, &greeting.challenge, &credentials.session);
                requests::set_up_secured(chosen, credentials, token)
            }
        };
        self.modes = chosen;
        self.phase = Phase::SetUp;
        self.send(response, Message::SetUp { chosen, key_id });
    }

    pub(super) fn server_start(&mut self, message: &[u8]) {
        let Ok(mut message) = ServerStart::read_from_bytes(message) else {
            return;
        };
        let answer = refusal(Step::SetUp, message.accept);
        self.report(Message::ServerStart(answer));
        if answer.accept() != Accept::Ok {
            self.modes = Modes::default();
            return self.refused_for_good(answer);
        }
        self.secure(&mut message);
        self.phase = Phase::Commands;
        self.events.push_back(ClientEvent::Ready {
            modes: self.modes,
            server_since: message.start_time,
        });
        self.restart_answer_timeout();
        self.send_next_request();
    }

    /// Both directions are encrypted from here on: the Server's since the last block of this
    /// message, ours from the next message on (rows TC-14, TC-18).
    fn secure(&mut self, message: &mut ServerStart) {
        let Some(credentials) = &self.plan.credentials else {
            return;
        };
        if self.modes.and(Modes::SECURED).is_empty() {
            return;
        }
        let keys = &credentials.session;
        self.opening = Opening::secured(OpeningChain::new(keys, &message.server_iv));
        self.sealing = Sealing::secured(SealingChain::new(keys, &credentials.client_iv));
        let last = message.as_mut_bytes().get_mut(ServerStart::CLEAR..);
        self.opening.open_uncovered(last.unwrap_or_default());
    }

    /// Accept-Session (rows TC-40, TC-41, TC-80).
    pub(super) fn accept_session(&mut self, message: &[u8]) {
        let Ok(message) = AcceptSession::view(message) else {
            return;
        };
        let Some(index) = self.requested.take() else {
            let step = if self.sessions.any(Stage::Starting) {
                Step::Start
            } else {
                Step::Stop
            };
            return self.refused_for_good(refusal(step, message.accept));
        };
        let answer = refusal(Step::Request, message.accept);
        let (sid, port) = (message.sid, message.port.get());
        self.report(Message::AcceptSession {
            index,
            answer,
            port,
            sid,
        });
        let reflects = self.modes.contains(Modes::REFLECT_OCTETS);
        let Some(session_plan) = self.sessions.get(index).map(|session| session.plan) else {
            return;
        };
        if answer.accept() == Accept::Ok {
            let asked = session_plan.receiver_port;
            let offered = if port == 0 { asked } else { port };
            if offered == 0 || (self.plan.strict && asked != 0 && asked != offered) {
                return self.fail(ClientError::OtherPort { asked, offered });
            }
            self.sessions.accept(index, sid);
            let octets = session_plan.octets_to_reflect;
            self.events.push_back(ClientEvent::Accepted {
                index,
                sid,
                port: offered,
                server_octets: if reflects {
                    message.server_octets.get()
                } else {
                    0
                },
                octets_reflected: reflects && message.reflected_octets.get() == octets,
            });
        } else {
            self.sessions.set(index, Stage::Refused);
            self.refused(Some(index), answer);
        }
        self.restart_answer_timeout();
        self.send_next_request();
    }

    /// Start-Ack (row TC-52).
    pub(super) fn start_ack(&mut self, octet: u8) {
        let answer = refusal(Step::Start, octet);
        self.report(Message::StartAck(answer));
        if answer.accept() != Accept::Ok {
            return self.refused_for_good(answer);
        }
        for index in self.sessions.all(Stage::Starting) {
            self.sessions.set(index, Stage::Running);
            self.events.push_back(ClientEvent::Started { index });
        }
        self.restart_answer_timeout();
        self.send_stop();
    }

    /// Start-N-Ack, Stop-N-Ack: possibly one of several, in any order (rows TC-63, TC-64).
    pub(super) fn many_ack(&mut self, step: Step, message: &[u8]) {
        let sids = message.get(BLOCK..message.len().saturating_sub(BLOCK));
        let (Ok(head), Ok(sids)) = (
            ManySessions::view(message),
            <[Sid]>::ref_from_bytes(sids.unwrap_or_default()),
        ) else {
            return;
        };
        let answer = refusal(step, head.accept);
        let sessions = sids.len();
        let start = step == Step::Start;
        self.report(if start {
            Message::StartManyAck { answer, sessions }
        } else {
            Message::StopManyAck { answer, sessions }
        });
        let waiting = if start {
            Stage::Starting
        } else {
            Stage::Stopping
        };
        let accepted = answer.accept() == Accept::Ok;
        let mut answers = false;
        for sid in sids.iter().copied() {
            let Some(index) = self.sessions.find(sid, waiting) else {
                self.events.push_back(ClientEvent::UnexpectedAck { sid });
                continue;
            };
            answers = true;
            let stage = match (start, accepted) {
                (true, true) => Stage::Running,
                (true, false) => Stage::Refused,
                (false, _) => Stage::Stopped,
            };
            self.sessions.set(index, stage);
            match (accepted, start) {
                (true, true) => self.events.push_back(ClientEvent::Started { index }),
                (true, false) => self.events.push_back(ClientEvent::Stopped { index }),
                (false, _) => self.refused(Some(index), answer),
            }
        }
        // An acknowledgement of no waiting session is not an answer: it does not extend the
        // Server's deadline.
        if answers {
            self.restart_answer_timeout();
        }
        self.send_stop();
    }
}

fn refusal(step: Step, octet: u8) -> Refusal {
    Refusal { step, octet }
}
