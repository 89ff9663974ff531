//! Extensions at the reflector: what it keeps of sessions that use them, and their part in a reply.

use std::net::IpAddr;
use std::sync::Arc;

use twinpath_wire::{Arrival, Mono, SenderOpen, Stamp, TimeFormat};

use super::Ignored;
use super::bursts::Burst;
use super::form::Form;
use super::lru::SlotId;
use super::pages::Pages;
use super::reply::Reflection;
use super::table::Begin;
use crate::extension::{
    Answer, Effects, Exchange, ExtensionPolicy, Host, JudgedChain, Segments, SentReply,
    SessionState, micro_session_ids, reflect_judged, renew, wants_no_reply,
};
use crate::stamp::{StampKey, StampKeys};

/// A reply whose departure is to be told by [`super::SessionReflector::handle_reply_sent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyToken {
    session: SlotId,
    number: u32,
}

/// The extensions of a reflector.
pub(super) struct Extended {
    policy: ExtensionPolicy,
    host: Arc<Host>,
    tai_offset_s: i32,
    /// What the last reply that must visit segments must visit.
    pub(super) segments: Segments,
    /// State of the sessions that need it, by their slot: at most one for each.
    states: Pages<(SlotId, SessionState)>,
    /// The request at hand begins its session again.
    restarts: bool,
}

/// A request that is answered, as far as extensions need it.
pub(super) struct Request<'a> {
    pub(super) now: Mono,
    pub(super) arrival: &'a Arrival,
    pub(super) form: Form,
    /// Its chain of TLVs, if it was judged.
    pub(super) chain: Option<&'a JudgedChain>,
    pub(super) sender: SenderOpen,
    pub(super) received: usize,
    /// The Sequence Number of the reply.
    pub(super) number: u32,
    /// `None`: it is answered without state.
    pub(super) session: Option<SlotId>,
    pub(super) format: TimeFormat,
}

impl Extended {
    pub(super) fn new(policy: ExtensionPolicy, tai_offset_s: i32) -> Self {
        Self {
            policy,
            host: Arc::default(),
            tai_offset_s,
            segments: Segments::default(),
            states: Pages::default(),
            restarts: false,
        }
    }

    /// What another, with another policy, knows of this host and keeps of sessions.
    pub(super) fn take_over(&mut self, before: Self) {
        self.host = before.host;
        self.states = before.states;
    }

    /// The session in this slot, whose request is at hand, begins so.
    pub(super) fn begin(&mut self, id: SlotId, begin: Begin) {
        self.restarts = false;
        match begin {
            Begin::Known => {}
            Begin::Made => self.forget(id.at()),
            Begin::Restarted => {
                self.restarts = true;
                if let Some((owner, state)) = self.states.get_mut(id.at()) {
                    (*owner, *state) = (id, state.restarted());
                }
            }
        }
    }

    /// The session in this slot is over: what was kept of it is freed.
    pub(super) fn forget(&mut self, slot: u32) {
        self.states.remove(slot);
    }

    pub(super) fn set_host(&mut self, host: Arc<Host>) {
        self.host = host;
    }

    /// Makes the request's TLVs those of the reply.
    pub(super) fn answer(
        &mut self,
        buffer: &mut [u8],
        request: &Request<'_>,
        key: Option<&StampKey>,
        copy_room: usize,
    ) -> Result<(Answer, Effects), Ignored> {
        let Request { arrival, form, .. } = *request;
        let known = request.session.and_then(|id| self.state(id).copied());
        let mut state = request.session.map(|_| known.unwrap_or_default());
        let mut exchange = Exchange::new(
            arrival,
            &self.policy,
            &self.host,
            state.as_mut(),
            (request.sender.seq.get(), request.number),
        );
        exchange.format = request.format;
        exchange.tai_offset_s = self.tai_offset_s;
        exchange.restarts_session = self.restarts;
        exchange.set_authentic(form.is_authenticated());
        let sender = request.sender;
        let sent = sender.error.format();
        exchange.t1 = sender.t1.read(sent, arrival.at.at, self.tai_offset_s);
        (exchange.now, exchange.copy_room) = (request.now, copy_room);
        let answer = reflect_judged(
            buffer,
            form.reply_base()..request.received,
            form.is_authenticated(),
            key,
            request.chain.copied(),
            &mut exchange,
        );
        let effects = exchange.effects;
        if effects.over_segments {
            self.segments = exchange.segments;
        }
        // Every member of the group would send an ordinary reply, to a source that can be forged.
        let is_refused = exchange.is_to_group() && !exchange.is_control_followed();
        let answer = match answer {
            Ok(_) | Err(Ignored::NoReplyWanted) if is_refused => Err(Ignored::Multicast),
            Ok(_) | Err(_) => answer,
        };
        let wants_no_reply = answer.as_ref().err() == Some(&Ignored::NoReplyWanted);
        let is_used_now = exchange.uses_state || wants_no_reply;
        let is_used = known.is_some() || is_used_now;
        // A packet that is discarded leaves nothing in its session.
        let is_kept = is_used && matches!(answer, Ok(_) | Err(Ignored::NoReplyWanted));
        if let (Some(id), Some(mut state), true) = (request.session, state, is_kept) {
            state.count(answer.is_ok());
            state.is_one_way = wants_no_reply;
            if state.is_still_used(is_used_now) {
                self.states.insert(id.at(), (id, state));
            } else {
                self.forget(id.at());
            }
        }
        answer.map(|answer| (answer, effects))
    }

    /// Whether a member link is known by its interface.
    pub(super) fn has_members(&self) -> bool {
        let mut links = self.policy.micro_sessions.iter();
        links.any(|link| link.interface.is_some())
    }

    /// The Sender Micro-session ID in a request, where such IDs are used; whether it is proved is for
    /// [`Self::judge`] to say.
    pub(super) fn claimed_micro_session(&self, request: &[u8], form: Form) -> Option<u16> {
        let policy = &self.policy;
        if policy.micro_sessions.is_empty() || policy.copies_only || !form.has_tlvs() {
            return None;
        }
        let [sender, _] = micro_session_ids(request.get(form.request_base()..)?)?;
        Some(sender)
    }

    /// Checks the HMAC of a request's TLVs.
    pub(super) fn judge(
        &self,
        request: &[u8],
        form: Form,
        keys: &StampKeys,
        peer: IpAddr,
    ) -> Option<JudgedChain> {
        let base = form.request_base();
        let seq = u32::from_be_bytes(*request.first_chunk()?);
        let key = keys.for_packet(peer, form.ssid());
        let (chain, is_authenticated) = (request.get(base..)?, form.is_authenticated());
        let policy = &self.policy;
        Some(JudgedChain::of(
            chain,
            base,
            seq,
            is_authenticated,
            key,
            policy,
        ))
    }

    /// Makes a reply, which has its number already, one more to the same request.
    pub(super) fn renew(
        &mut self,
        burst: &mut Burst,
        number: u32,
        base: usize,
        key: Option<&StampKey>,
    ) {
        let Reflection {
            session, format, ..
        } = burst.reflection;
        let mut state = session.and_then(|id| self.state(id).copied());
        let ends = (number, number);
        let mut exchange = Exchange::new(
            &burst.arrival,
            &self.policy,
            &self.host,
            state.as_mut(),
            ends,
        );
        exchange.format = format;
        exchange.tai_offset_s = self.tai_offset_s;
        renew(&mut burst.reply, base, key, &mut exchange);
        if let Some(state) = session.and_then(|id| self.state(id)) {
            state.replied = state.replied.wrapping_add(1);
        }
        burst.reflection.token = Self::token(session, number, burst.reflection.effects());
    }

    /// Counts a request without TLVs and its reply, if the session has state.
    pub(super) fn count(&mut self, session: Option<SlotId>, is_authentic: bool) {
        if self.states.is_empty() {
            return;
        }
        let restarts = self.restarts;
        let Some((id, state)) = session.and_then(|id| Some((id, self.state(id)?))) else {
            return;
        };
        state.count(true);
        state.is_one_way = false;
        if restarts && is_authentic {
            state.forget_mark();
        }
        if !state.is_still_used(false) {
            self.forget(id.at());
        }
    }

    pub(super) fn has_states(&self) -> bool {
        !self.states.is_empty()
    }

    pub(super) fn has_state(&self, id: SlotId) -> bool {
        let state = self.states.get(id.at());
        state.is_some_and(|(owner, _)| *owner == id)
    }

    /// A request of a session is refused: it counts as received. Whether it wanted no reply, as the last one
    /// did.
    pub(super) fn refuse(&mut self, id: SlotId, request: &[u8], form: Form) -> bool {
        self.state(id).is_some_and(|state| {
            state.count(false);
            let chain = request.get(form.request_base()..).unwrap_or_default();
            state.is_one_way && form.has_tlvs() && wants_no_reply(chain)
        })
    }

    pub(super) fn token(
        session: Option<SlotId>,
        number: u32,
        effects: &Effects,
    ) -> Option<ReplyToken> {
        let session = session.filter(|_| effects.wants_sent_time)?;
        Some(ReplyToken { session, number })
    }

    /// A reply that is counted did not leave.
    pub(super) fn not_sent(&mut self, session: Option<SlotId>) {
        if let Some(state) = session.and_then(|id| self.state(id)) {
            state.replied = state.replied.wrapping_sub(1);
        }
    }

    /// A reply left at this time.
    pub(super) fn sent(&mut self, token: ReplyToken, at: Stamp) {
        if let Some(state) = self.state(token.session) {
            // Replies that left together may be told of in any order.
            let is_later = state
                .sent
                .is_none_or(|sent| token.number.wrapping_sub(sent.number) < 1 << 31);
            if is_later {
                let number = token.number;
                state.sent = Some(SentReply { number, at });
            }
        }
    }

    /// What is kept of a session; what is kept of an earlier one in its slot is not of it.
    fn state(&mut self, id: SlotId) -> Option<&mut SessionState> {
        let (owner, state) = self.states.get_mut(id.at())?;
        (*owner == id).then_some(state)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use twinpath_wire::{Rung, Wall};

    use crate::reflector::{ReflectorConfig, SessionReflector};

    use super::*;

    const COUNTING: [u8; 16] = [0x80, 5, 0, 12, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    fn reflector() -> SessionReflector {
        SessionReflector::new(ReflectorConfig {
            max_sessions: 2_000,
            idle: Duration::from_mins(1),
            ..ReflectorConfig::default()
        })
    }

    /// A request from this port at this second, with Direct Measurement or without TLVs: R_RxC.
    fn ask(reflector: &mut SessionReflector, port: u16, second: u64, tlvs: &[u8]) -> u32 {
        let mut packet = [&[0; 44], tlvs].concat();
        (packet[3], packet[13], packet[15]) = (1, 1, 9);
        let arrival = Arrival {
            to_port: 862,
            ..Arrival::new(
                Stamp {
                    at: Wall::from_unix_ns(0),
                    rung: Rung::Kernel,
                },
                (IpAddr::from([192, 0, 2, 1]), port).into(),
            )
        };
        let octets = packet.len();
        let now = Mono::from_ns(second * 1_000_000_000);
        reflector
            .reflect(now, &mut packet, octets, &arrival)
            .unwrap();
        let counts = packet.get(52..56).and_then(|field| field.first_chunk());
        u32::from_be_bytes(counts.copied().unwrap_or_default())
    }

    /// Sessions with state, and pages of it.
    fn states(reflector: &SessionReflector) -> (usize, usize) {
        reflector
            .unnegotiated
            .as_ref()
            .unwrap()
            .extended
            .states
            .size()
    }

    #[test]
    fn what_is_kept_of_a_session_is_freed_with_it() {
        let mut reflector = reflector();
        for port in 1_024..5_024 {
            ask(&mut reflector, port, 100, &COUNTING);
        }
        assert_eq!(states(&reflector), (2_000, 125), "no more than sessions");
        // Others make room for new ones when they were idle for long enough, and have no extension.
        for port in 6_000..7_000 {
            ask(&mut reflector, port, 140, &[]);
        }
        assert_eq!(states(&reflector).0, 1_000);
        // The rest is over.
        for second in 0..64 {
            reflector.handle_timeout(Mono::from_ns((170 + second) * 1_000_000_000));
        }
        assert_eq!(states(&reflector), (0, 0));
    }

    #[test]
    fn what_is_kept_of_a_session_stays_with_another_configuration() {
        let mut reflector = reflector();
        assert_eq!(ask(&mut reflector, 5_000, 1, &COUNTING), 1);
        reflector.set_config(ReflectorConfig::default(), None);
        assert_eq!(ask(&mut reflector, 5_000, 1, &COUNTING), 2);
    }

    #[test]
    fn what_no_request_uses_any_more_is_freed() {
        let mut reflector = reflector();
        assert_eq!(ask(&mut reflector, 5_000, 1, &COUNTING), 1);
        for _ in 0..998 {
            ask(&mut reflector, 5_000, 1, &[]);
        }
        assert_eq!(ask(&mut reflector, 5_000, 1, &COUNTING), 1_000);
        for tlvs in [&[][..], &[0x80, 1, 0, 0]] {
            for _ in 0..1_000 {
                assert_eq!(states(&reflector).0, 1);
                ask(&mut reflector, 5_000, 1, tlvs);
            }
            assert_eq!(states(&reflector).0, 0);
            assert_eq!(ask(&mut reflector, 5_000, 1, &COUNTING), 1);
        }
    }
}
