//! Extensions at the reflector: what it keeps of sessions that use them, and their part in a reply.

use std::collections::HashMap;
use std::sync::Arc;

use twinpath_wire::{Arrival, Mono, SenderOpen, Stamp, TimeFormat};

use super::Ignored;
use super::bursts::Burst;
use super::form::Form;
use super::lru::SlotId;
use super::reply::Reflection;
use crate::extension::{
    Answer, Effects, Exchange, ExtensionPolicy, Host, Segments, SentReply, SessionState,
    micro_session_ids, reflect, renew,
};
use crate::stamp::StampKey;

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
    states: HashMap<u32, (SlotId, SessionState)>,
}

/// A request that is answered, as far as extensions need it.
pub(super) struct Request<'a> {
    pub(super) now: Mono,
    pub(super) arrival: &'a Arrival,
    pub(super) form: Form,
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
            states: HashMap::new(),
        }
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
        exchange.is_authentic = form.is_authenticated();
        (exchange.now, exchange.copy_room) = (request.now, copy_room);
        let answer = reflect(
            buffer,
            form.reply_base(),
            request.received,
            form.is_authenticated(),
            key,
            &mut exchange,
        );
        let effects = exchange.effects;
        if effects.over_segments {
            self.segments = exchange.segments;
        }
        let is_used = known.is_some() || exchange.uses_state;
        // A packet that is discarded leaves nothing in its session.
        let is_kept = is_used && matches!(answer, Ok(_) | Err(Ignored::NoReplyWanted));
        if let (Some(id), Some(mut state), true) = (request.session, state, is_kept) {
            state.count(answer.is_ok());
            self.states.insert(id.at(), (id, state));
        }
        answer.map(|answer| (answer, effects))
    }

    /// The Sender Micro-session ID of a request, which is of its session's identity (RFC 9534 section 2;
    /// row SL-35); 0: it has none.
    pub(super) fn micro_session(&self, request: &[u8], form: Form) -> u16 {
        let ids = self.micro_session_ids(request, form);
        ids.map_or(0, |[sender, _]| sender)
    }

    /// Whether a member link is known by its interface.
    pub(super) fn has_members(&self) -> bool {
        let mut links = self.policy.micro_sessions.iter();
        links.any(|link| link.interface.is_some())
    }

    /// Whether a request has Micro-session IDs.
    pub(super) fn is_of_micro_session(&self, request: &[u8], form: Form) -> bool {
        self.micro_session_ids(request, form).is_some()
    }

    fn micro_session_ids(&self, request: &[u8], form: Form) -> Option<[u16; 2]> {
        let policy = &self.policy;
        if policy.micro_sessions.is_empty() || policy.copies_only || !form.has_tlvs() {
            return None;
        }
        micro_session_ids(request.get(form.request_base()..)?)
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
        burst.reflection.token = Self::token(session, number, &burst.reflection.effects);
    }

    /// Counts a request without TLVs and its reply, if the session has state.
    pub(super) fn count(&mut self, session: Option<SlotId>) {
        if !self.states.is_empty()
            && let Some(state) = session.and_then(|id| self.state(id))
        {
            state.count(true);
        }
    }

    pub(super) fn token(
        session: Option<SlotId>,
        number: u32,
        effects: &Effects,
    ) -> Option<ReplyToken> {
        let session = session.filter(|_| effects.wants_sent_time)?;
        Some(ReplyToken { session, number })
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
        let (owner, state) = self.states.get_mut(&id.at())?;
        (*owner == id).then_some(state)
    }
}
