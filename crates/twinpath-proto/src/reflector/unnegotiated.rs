//! Sessions that no control connection negotiated (RFC 5357 Appendix I, RFC 8762 section 4): what a
//! packet is, and to which session it belongs, shows in the packet alone.

use std::sync::Arc;

use twinpath_wire::{
    Arrival, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Mono, SenderOpen, StampSenderAuthenticated, TimeFormat,
};

use super::form::Form;
use super::table::{SessionKey, Sessions};
use super::{Class, Ignored, ReflectorConfig, ReflectorCounters, ReflectorProtocols};
use crate::stamp::{KeyAt, StampKeys};

/// How their packets are answered, and the sessions of a stateful reflector.
pub(super) struct Unnegotiated {
    protocols: ReflectorProtocols,
    pub(super) format: TimeFormat,
    padding: Option<usize>,
    allow_larger_replies: bool,
    pub(super) keys: Arc<StampKeys>,
    sessions: Option<Sessions>,
}

impl Unnegotiated {
    pub(super) fn new(config: &ReflectorConfig) -> Self {
        Self {
            protocols: config.protocols,
            format: match config.protocols {
                ReflectorProtocols::Stamp => config.format,
                ReflectorProtocols::Auto | ReflectorProtocols::TwampLight => TimeFormat::Ntp,
            },
            padding: config.padding,
            allow_larger_replies: config.allow_larger_replies,
            keys: Arc::default(),
            sessions: config
                .stateful
                .then(|| Sessions::new(config.max_sessions, config.idle)),
        }
    }

    pub(super) fn form(&self, request: &[u8]) -> Form {
        Class::of(self.protocols, request).into()
    }

    /// The key of a request with an HMAC (row ST-11).
    pub(super) fn key(&self, form: Form, arrival: &Arrival) -> Option<KeyAt> {
        match form {
            Form::StampAuthenticated { ssid, .. } => self.keys.find(arrival.from.ip(), ssid),
            Form::Twamp(_) | Form::Stamp { .. } => None,
        }
    }

    /// The fields of a request; none is used before its HMAC is verified (row ST-10).
    pub(super) fn read(
        &self,
        form: Form,
        key: Option<KeyAt>,
        request: &[u8],
    ) -> Result<SenderOpen, Ignored> {
        if let Form::StampAuthenticated { .. } = form {
            let key = key.and_then(|at| self.keys.get(at)).ok_or(Ignored::NoKey)?;
            if !key.opens(request) {
                return Err(Ignored::Forged);
            }
            let (sender, _) =
                StampSenderAuthenticated::view(request).map_err(|_| Ignored::TooShort)?;
            return Ok(SenderOpen {
                seq: sender.seq,
                t1: sender.t1,
                error: sender.error,
            });
        }
        let (sender, _) = SenderOpen::view(request).map_err(|_| Ignored::TooShort)?;
        Ok(*sender)
    }

    /// The size of the reply, if the operator gave one, and otherwise `natural`.
    pub(super) fn reply_octets(
        &self,
        form: Form,
        natural: usize,
        room: usize,
        arrival: &Arrival,
    ) -> usize {
        let Some(padding) = self.padding.filter(|_| form.may_be_resized()) else {
            return natural;
        };
        let wanted = padding
            .saturating_add(SenderOpen::OCTETS)
            .max(form.reply_base());
        let largest = if arrival.from.is_ipv4() {
            MAX_PAYLOAD_V4
        } else {
            MAX_PAYLOAD_V6
        };
        let limit = if self.allow_larger_replies {
            room.min(largest)
        } else {
            natural
        };
        wanted.min(limit)
    }

    /// The reply's own Sequence Number: the session's, or a copy if there is no state.
    pub(super) fn number(
        &mut self,
        now: Mono,
        arrival: &Arrival,
        form: Form,
        seq: u32,
        counters: &mut ReflectorCounters,
    ) -> u32 {
        let Some(sessions) = &mut self.sessions else {
            return seq;
        };
        let key = SessionKey::new(arrival, form);
        let Some((number, _)) = sessions.number(key, seq, now, counters) else {
            counters.answered_stateless += 1;
            return seq;
        };
        number
    }

    /// Forgets sessions that were idle for too long: a bounded number of them in one call.
    pub(super) fn expire(&mut self, now: Mono, counters: &mut ReflectorCounters) {
        if let Some(sessions) = &mut self.sessions {
            sessions.expire(now, counters);
        }
    }

    /// When the next session's time comes.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        self.sessions.as_ref().and_then(Sessions::next_expiry)
    }
}
