//! Sessions that no control connection negotiated (RFC 5357 Appendix I, RFC 8762 section 4): what a
//! packet is, and to which session it belongs, shows in the packet alone.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use twinpath_wire::{
    Arrival, Dscp, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Mono, SenderOpen, StampReflector,
    StampReflectorAuthenticated, StampSenderAuthenticated, TimeFormat,
};

use super::bursts::{Burst, Bursts};
use super::extended::{Extended, Request};
use super::form::Form;
use super::lru::SlotId;
use super::reply::{Reflection, Seal};
use super::reply_guard::{self, Ports};
use super::table::{SessionKey, Sessions};
use super::{
    Class, Ignored, ListedSession, ReflectorConfig, ReflectorCounters, ReflectorProtocols,
};
use crate::extension::{Effects, ExtensionPolicy, JudgedChain, withdraw_way};
use crate::stamp::{KeyAt, StampKey, StampKeys};

/// How their packets are answered, and the sessions of a stateful reflector.
pub(super) struct Unnegotiated {
    protocols: ReflectorProtocols,
    authenticated_only: bool,
    ssids: Vec<RangeInclusive<u16>>,
    pub(super) format: TimeFormat,
    padding: Option<usize>,
    allow_larger_replies: bool,
    pub(super) keys: Arc<StampKeys>,
    sessions: Option<Sessions>,
    pub(super) extended: Extended,
    /// Replies that follow the first one to a request.
    pub(super) bursts: Bursts,
}

/// What was verified of a request before it is answered, so that it is verified once. It is of that request
/// alone, and by default nothing.
#[derive(Debug, Default)]
pub struct Verified {
    /// Whether the HMAC of its base packet is right.
    base: Option<bool>,
    /// Its chain of TLVs: few have one that is judged before, and all are passed on for less.
    pub(super) chain: Option<Box<JudgedChain>>,
}

/// What a packet shows of its session.
pub(super) struct Packet {
    pub(super) form: Form,
    /// Of a packet with an HMAC.
    pub(super) key: Option<KeyAt>,
    pub(super) verified: Verified,
}

impl Unnegotiated {
    pub(super) fn new(config: &ReflectorConfig) -> Self {
        Self {
            protocols: config.protocols,
            authenticated_only: config.authenticated_only,
            ssids: config.ssids.clone(),
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
            extended: Extended::new(
                ExtensionPolicy {
                    reply_dscp: config.policy.dscp,
                    ..config.extensions.clone()
                },
                config.policy.tai_offset_s,
            ),
            bursts: Bursts::default(),
        }
    }

    /// All of another configuration, with the keys, sessions and further replies that there are.
    pub(super) fn set_config(&mut self, config: &ReflectorConfig) {
        let before = std::mem::replace(self, Self::new(config));
        self.keys = before.keys;
        self.bursts = before.bursts;
        self.extended.take_over(before.extended);
        if let (Some(sessions), Some(mut known)) = (&mut self.sessions, before.sessions) {
            known.set_limits(config.max_sessions, config.idle);
            *sessions = known;
        }
    }

    pub(super) fn form(&self, request: &[u8]) -> Form {
        Class::of(self.protocols, request).into()
    }

    /// What a packet shows of its session; with what was verified of it before.
    pub(super) fn packet(&self, request: &[u8], arrival: &Arrival, verified: Verified) -> Packet {
        let form = self.form(request);
        Packet {
            form,
            key: self.key(form, arrival),
            verified,
        }
    }

    /// Whether sessions whose packets look so are answered (row ST-17).
    pub(super) fn check_provisioned(&self, form: Form) -> Result<(), Ignored> {
        if self.authenticated_only && !form.is_authenticated() {
            return Err(Ignored::Unauthenticated);
        }
        let mut ssids = self.ssids.iter();
        if self.ssids.is_empty() || ssids.any(|ssids| ssids.contains(&form.ssid())) {
            Ok(())
        } else {
            Err(Ignored::NoSession)
        }
    }

    /// The key of a request with an HMAC (row ST-11).
    fn key(&self, form: Form, arrival: &Arrival) -> Option<KeyAt> {
        match form {
            Form::StampAuthenticated { ssid, .. } => self.keys.find(arrival.from.ip(), ssid),
            Form::Twamp(_) | Form::Stamp { .. } => None,
        }
    }

    /// The fields of a request; none is used before its HMAC is verified (row ST-10).
    pub(super) fn read(&self, packet: &Packet, request: &[u8]) -> Result<SenderOpen, Ignored> {
        if packet.form.is_authenticated() {
            let key = packet.key.and_then(|at| self.keys.get(at));
            let key = key.ok_or(Ignored::NoKey)?;
            if !(packet.verified.base).unwrap_or_else(|| key.opens(request)) {
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

    /// The reply's own Sequence Number, and where its session is: the session's, or a copy if there
    /// is no state.
    pub(super) fn number(
        &mut self,
        now: Mono,
        request: &[u8],
        arrival: &Arrival,
        packet: &mut Packet,
        seq: u32,
        counters: &mut ReflectorCounters,
    ) -> (u32, Option<SlotId>) {
        if self.sessions.is_none() {
            return (seq, None);
        }
        let micro_session = self.micro_session(request, arrival, packet);
        let Some(sessions) = &mut self.sessions else {
            return (seq, None);
        };
        let key = SessionKey::new(arrival, packet.form, micro_session.unwrap_or(0));
        let Some((number, id, begin)) = sessions.number(key, seq, now, counters) else {
            counters.answered_stateless += 1;
            return (seq, None);
        };
        self.extended.begin(id, begin);
        (number, Some(id))
    }

    /// The Sender Micro-session ID of a request, which is of its session's identity (RFC 9534 section 2; row
    /// SL-35); `None`: it has none, or its TLVs are not used for their HMAC.
    fn micro_session(&self, request: &[u8], arrival: &Arrival, packet: &mut Packet) -> Option<u16> {
        let claimed = self.extended.claimed_micro_session(request, packet.form)?;
        let chain = &mut packet.verified.chain;
        if chain.is_none() {
            let peer = arrival.from.ip();
            let judged = (self.extended).judge(request, packet.form, &self.keys, peer);
            *chain = judged.map(Box::new);
        }
        let is_used = chain.as_ref().is_some_and(|chain| chain.is_used());
        is_used.then_some(claimed)
    }

    /// Whether a packet that came by a member link, if its IDs are proved, or by none, is for a socket that is
    /// over a member or not; see [`super::SessionReflector::takes`].
    pub(super) fn takes(
        &self,
        request: &[u8],
        arrival: &Arrival,
        is_over_member: bool,
    ) -> Option<Verified> {
        let mut packet = self.packet(request, arrival, Verified::default());
        let ports = Ports::of(arrival);
        let is_refused = self.check_provisioned(packet.form).is_err()
            || reply_guard::is_reply(packet.form, request, ports, arrival.at.at);
        if is_refused {
            return is_over_member.then_some(packet.verified);
        }
        if packet.form.is_authenticated() {
            packet.verified.base = Some(self.read(&packet, request).is_ok());
            if packet.verified.base == Some(false) {
                return is_over_member.then_some(packet.verified);
            }
        }
        let is_proved = self.micro_session(request, arrival, &mut packet).is_some();
        (is_proved == is_over_member).then_some(packet.verified)
    }

    /// Whether a request claims Micro-session IDs, where a member link is known by its interface.
    pub(super) fn claims_member(&self, request: &[u8]) -> bool {
        self.extended.has_members() && {
            let form = self.form(request);
            let claimed = self.extended.claimed_micro_session(request, form);
            claimed.is_some()
        }
    }

    /// Whether a request that is refused counts in a session, if its HMACs are right.
    pub(super) fn counts_refused(&self, request: &[u8], arrival: &Arrival, form: Form) -> bool {
        self.extended.has_states() && {
            let claimed = self.extended.claimed_micro_session(request, form);
            let mut sessions = claimed.into_iter().chain([0]);
            sessions.any(|micro| self.session_with_state(arrival, form, micro).is_some())
        }
    }

    fn session_with_state(
        &self,
        arrival: &Arrival,
        form: Form,
        micro_session: u16,
    ) -> Option<SlotId> {
        let key = SessionKey::new(arrival, form, micro_session);
        let id = self.sessions.as_ref()?.find(key)?;
        self.extended.has_state(id).then_some(id)
    }

    /// A request that is well-formed is refused. Its session, if that was last asked for no reply.
    pub(super) fn refuse(
        &mut self,
        request: &[u8],
        arrival: &Arrival,
        packet: &mut Packet,
    ) -> Option<SlotId> {
        if !self.counts_refused(request, arrival, packet.form) {
            return None;
        }
        let micro_session = self.micro_session(request, arrival, packet);
        let micro_session = micro_session.unwrap_or(0);
        let id = self.session_with_state(arrival, packet.form, micro_session)?;
        let refused = self.extended.refuse(id, request, packet.form);
        refused.then_some(id)
    }

    /// The number that was had last goes to no reply.
    pub(super) fn give_back(&mut self, session: Option<SlotId>) {
        if let (Some(sessions), Some(id)) = (&mut self.sessions, session) {
            sessions.give_back(id);
        }
    }

    /// The reply to a request with TLVs: `write` writes its base packet, with what follows that long.
    #[inline(never)] // Out of the way of requests without TLVs.
    pub(super) fn extend(
        &mut self,
        buffer: &mut [u8],
        request: &Request<'_>,
        reflection: &mut Reflection,
        write: impl FnOnce(&mut [u8], usize),
    ) -> Result<(), Ignored> {
        let (peer, ssid) = (request.arrival.from.ip(), request.form.ssid());
        let key = self.keys.for_packet(peer, ssid);
        let copy_room = self.bursts.room();
        let (answer, effects) = match self.extended.answer(buffer, request, key, copy_room) {
            Ok(answered) => answered,
            Err(why) => {
                self.give_back(request.session);
                return Err(why);
            }
        };
        write(buffer, answer.octets);
        if let (Some(key), Some(reply)) = (key, buffer.get_mut(..answer.octets)) {
            answer.sign(reply, request.form.reply_base(), key);
        }
        reflection.octets = answer.octets;
        reflection.tos = effects.dscp.map_or(reflection.tos, Dscp::tos);
        reflection.token = Extended::token(request.session, request.number, &effects);
        reflection.effects = (effects != Effects::NONE).then(|| Box::new(effects));
        reflection.has_tlvs = answer.is_processed;
        Ok(())
    }

    /// See [`super::SessionReflector::withdraw_way`].
    pub(super) fn withdraw_way(&self, seal: Seal, reply: &mut [u8], peer: IpAddr) {
        let (base, key) = protection(&self.keys, seal, reply, peer);
        withdraw_way(reply, base, key);
    }

    /// Makes a reply one more to the same request, but for T3. Whether its session is known still.
    pub(super) fn renew(&mut self, burst: &mut Burst) -> bool {
        let Reflection { seal, session, .. } = burst.reflection;
        let peer = burst.arrival.from.ip();
        let Some(field) = burst.reply.first_chunk_mut() else {
            return false;
        };
        if let Some(id) = session {
            let sessions = self.sessions.as_mut();
            let Some(number) = sessions.and_then(|sessions| sessions.next_number(id)) else {
                return false;
            };
            *field = number.to_be_bytes();
        }
        let number = u32::from_be_bytes(*field);
        let (base, key) = protection(&self.keys, seal, &burst.reply, peer);
        self.extended.renew(burst, number, base, key);
        true
    }

    /// Forgets sessions that were idle for too long: a bounded number of them in one call.
    pub(super) fn expire(&mut self, now: Mono, counters: &mut ReflectorCounters) {
        if let Some(sessions) = &mut self.sessions {
            let extended = &mut self.extended;
            sessions.expire(now, counters, |slot| extended.forget(slot));
        }
    }

    /// Its sessions, those heard last first.
    pub(super) fn list(&self, now: Mono) -> impl Iterator<Item = ListedSession> {
        let sessions = self.sessions.iter();
        sessions.flat_map(move |sessions| sessions.list(now))
    }

    /// When the next session's time comes.
    pub(super) fn next_expiry(&self) -> Option<Mono> {
        self.sessions.as_ref().and_then(Sessions::next_expiry)
    }
}

/// Octets of a STAMP reply before its TLVs, and the key of these.
fn protection<'a>(
    keys: &'a StampKeys,
    seal: Seal,
    reply: &[u8],
    peer: IpAddr,
) -> (usize, Option<&'a StampKey>) {
    match seal {
        Seal::StampAuthenticated(at) => (size_of::<StampReflectorAuthenticated>(), keys.get(at)),
        Seal::Open | Seal::TwampSecured(_) => {
            let ssid = StampReflector::view(reply).map_or(0, |(head, _)| head.head.ssid.get());
            (size_of::<StampReflector>(), keys.for_packet(peer, ssid))
        }
    }
}
