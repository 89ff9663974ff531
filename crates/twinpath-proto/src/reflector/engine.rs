//! The Session-Reflector: from a request and the facts of its arrival to a reply, in place
//! (RFC 5357 section 4.2, RFC 8762 section 4.3).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use twinpath_wire::{
    Arrival, Dscp, ErrorEstimate, Mono, SenderOpen, Stamp, TimeFormat, Tos, Wall, WireTime,
};

use super::access::Access;
use super::extended::{ReplyToken, Request};
use super::form::Form;
use super::lru::SlotId;
use super::negotiated::{Negotiated, Session};
use super::one_way::OneWayRequest;
use super::rate::ClientRates;
use super::reply::{self, Fields, Reflection, Seal};
use super::reply_guard::{self, Ports};
use super::unnegotiated::Unnegotiated;
use super::{
    Ignored, NegotiatedConfig, ReflectorConfig, ReflectorCounters, ReflectorPolicy, addresses,
};
use crate::extension::{Effects, Host};
use crate::stamp::{KeyAt, StampKeys};

/// A Session-Reflector for one port or several.
///
/// A packet belongs to the negotiated session that has its sender and port. Without one, the
/// reflector answers it by what it is, unless it answers negotiated sessions only.
pub struct SessionReflector {
    policy: ReflectorPolicy,
    access: Access,
    pub(super) rates: Option<Arc<ClientRates>>,
    pub(super) negotiated: Negotiated,
    pub(super) unnegotiated: Option<Unnegotiated>,
    pub(super) counters: ReflectorCounters,
    one_way: Option<OneWayRequest>,
}

impl SessionReflector {
    /// A reflector for any sender, without state so far.
    pub fn new(config: ReflectorConfig) -> Self {
        let unnegotiated = Unnegotiated::new(&config);
        Self::with(config.policy, Negotiated::new(&[]), Some(unnegotiated))
    }

    /// A reflector for negotiated sessions, without one so far.
    pub fn for_negotiated(config: NegotiatedConfig) -> Self {
        let negotiated = Negotiated::new(&config.allow_sender);
        Self::with(config.policy, negotiated, None)
    }

    fn with(
        policy: ReflectorPolicy,
        negotiated: Negotiated,
        unnegotiated: Option<Unnegotiated>,
    ) -> Self {
        Self {
            access: Access::new(&policy.allow),
            rates: policy
                .max_rate_pps
                .map(|pps| Arc::new(ClientRates::new(pps, 1))),
            policy,
            negotiated,
            unnegotiated,
            counters: ReflectorCounters::default(),
            one_way: None,
        }
    }

    /// Has clients share these rates with other reflectors of the process, if they are limited.
    #[must_use]
    pub fn sharing_rates(mut self, rates: Option<&Arc<ClientRates>>) -> Self {
        self.rates = rates.map(Arc::clone).or(self.rates);
        self
    }

    /// Turns the request in `buffer[..received]` into its reply, in place.
    ///
    /// The buffer is at least max(`received`, 112) octets long; a reply that the configured padding
    /// makes longer is truncated to the buffer.
    ///
    /// # Errors
    /// Why there is no reply; counted already. The buffer is then unchanged, but for TLVs before the one
    /// that asks for none.
    pub fn reflect(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        arrival: &Arrival,
    ) -> Result<Reflection, Ignored> {
        let result = self.answer(now, buffer, received, arrival);
        match result {
            Ok(_) => self.counters.reflected += 1,
            Err(kind) => self.counters.ignore(kind),
        }
        result
    }

    /// The last request that got no reply because its sender wants none ([`Ignored::NoReplyWanted`]), once; or one
    /// of such a session that was over the rate ([`Ignored::RateLimited`]).
    pub fn take_one_way(&mut self) -> Option<OneWayRequest> {
        self.one_way.take()
    }

    /// Writes T3 and the Error Estimate that covers T3 and T2, and encrypts what depends on them:
    /// last, just before the system call. `reply` is the reply that `reflection` describes.
    pub fn seal(&self, reflection: &Reflection, reply: &mut [u8], t3: Wall, error: ErrorEstimate) {
        let format = reflection.format;
        let t3 = WireTime::write(t3, format, self.policy.tai_offset_s);
        let error = reply::estimate_in(format, error);
        reflection.seal.write_t3(reply, t3, error);
        match reflection.seal {
            Seal::Open => {}
            Seal::TwampSecured(slot) => self.negotiated.finish(slot, reply),
            Seal::StampAuthenticated(at) => {
                let unnegotiated = self.unnegotiated.as_ref();
                if let Some(key) = unnegotiated.and_then(|sessions| sessions.keys.get(at)) {
                    key.seal(reply);
                }
            }
        }
    }

    /// A reply with a token left at this time.
    pub fn handle_reply_sent(&mut self, token: ReplyToken, at: Stamp) {
        if let Some(sessions) = &mut self.unnegotiated {
            sessions.extended.sent(token, at);
        }
    }

    /// The system refused to send this reply: the session's count of replies is without it.
    pub fn handle_reply_not_sent(&mut self, reflection: &Reflection) {
        if let Some(sessions) = &mut self.unnegotiated {
            sessions.extended.not_sent(reflection.session);
        }
    }

    /// What the reply that was made last must visit on its way, if its effects say so (RFC 9503 section
    /// 4.1.3.2).
    pub fn segments(&self) -> &[Ipv6Addr] {
        let sessions = self.unnegotiated.as_ref();
        sessions.map_or(&[], |sessions| sessions.extended.segments.sids())
    }

    /// A reply could not leave in the way that its request asks for: it becomes an ordinary one, and its
    /// TLVs say so (row SL-29). It is to be sealed again.
    pub fn withdraw_way(&mut self, reflection: &mut Reflection, reply: &mut [u8], peer: IpAddr) {
        if let Some(sessions) = &self.unnegotiated {
            sessions.withdraw_way(reflection.seal, reply, peer);
        }
        reflection.effects = reflection.effects.without_way();
        self.counters.ways_refused += 1;
    }

    /// Whether a request from `peer` is of a micro-session, where some member link is known by its interface
    /// ([`MemberLink`]): then it is for the socket on the member that it came by, and else for no such
    /// socket.
    ///
    /// [`MemberLink`]: crate::extension::MemberLink
    pub fn is_of_micro_session(&self, request: &[u8], peer: IpAddr) -> bool {
        let sessions = self.unnegotiated.as_ref();
        sessions.is_some_and(|sessions| sessions.is_of_micro_session(request, peer))
    }

    /// What is known of this host, for what extensions say of it.
    pub fn set_host(&mut self, host: Arc<Host>) {
        if let Some(sessions) = &mut self.unnegotiated {
            sessions.extended.set_host(host);
        }
    }

    /// Forgets sessions that were idle for too long, and ends negotiated ones whose time has come:
    /// a bounded number of them in one call.
    pub fn handle_timeout(&mut self, now: Mono) {
        if let Some(unnegotiated) = &mut self.unnegotiated {
            unnegotiated.expire(now, &mut self.counters);
        }
        self.end_negotiated(now);
    }

    /// When [`Self::handle_timeout`] or [`Self::write_copy`] has work next; `None`: no session ends by
    /// time.
    pub fn poll_timeout(&self) -> Option<Mono> {
        let sessions = self.unnegotiated.as_ref();
        let expiry = sessions.and_then(Unnegotiated::next_expiry);
        let copy = sessions.and_then(|sessions| sessions.bursts.next());
        let end = self.negotiated.next_end();
        let copy = copy.map(|(due, _)| due);
        [expiry, end, copy].into_iter().flatten().min()
    }

    /// Has authenticated STAMP answered with these keys, in place of all before; at first there are
    /// none. Sessions go on; further replies by the keys before are not sent. A reply that is made is
    /// sealed first.
    pub fn set_keys(&mut self, keys: Arc<StampKeys>) {
        self.end_copies(None);
        if let Some(unnegotiated) = &mut self.unnegotiated {
            unnegotiated.keys = keys;
        }
    }

    /// Its counts so far.
    pub fn counters(&self) -> &ReflectorCounters {
        &self.counters
    }

    fn answer(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        arrival: &Arrival,
    ) -> Result<Reflection, Ignored> {
        let room = buffer.len();
        let request = buffer.get(..received).ok_or(Ignored::NoRoom)?;
        if arrival.truncated {
            return Err(Ignored::Truncated);
        }
        addresses::check(arrival)?;
        if !self.access.permits(arrival.from.ip()) {
            return Err(Ignored::NotAllowed);
        }
        if received < SenderOpen::OCTETS {
            return Err(Ignored::TooShort);
        }
        let mut session = match (
            self.negotiated.find(request, arrival),
            &mut self.unnegotiated,
        ) {
            (Some((at, session)), _) => PacketSession::Negotiated(at, session),
            (None, Some(sessions)) => {
                let form = sessions.form(request);
                let key = sessions.key(form, arrival);
                PacketSession::Unnegotiated(sessions, form, key)
            }
            (None, None) => return Err(Ignored::NoSession),
        };
        let strict = self.policy.strict;
        let judged = session.judge(now, request, room, arrival, strict, &mut self.counters);
        // The rate last, so that only packets that get a reply count against it.
        let judged = judged.and_then(|accepted| {
            let rates = self.rates.as_ref();
            if rates.is_none_or(|rates| rates.admits(arrival.from.ip(), now)) {
                return Ok(accepted);
            }
            let (sender, _) = &accepted;
            let tai_offset_s = self.policy.tai_offset_s;
            self.one_way = session.refuse(request, sender, arrival, tai_offset_s);
            Err(Ignored::RateLimited)
        });
        session.count(judged.map(|_| ()));
        let (sender, octets) = judged?;
        self.counters.error_multiplier_zero += u64::from(sender.error.multiplier() == 0);
        let (form, format) = (session.form(), session.format());
        let (number, slot) = session.number(now, request, &sender, arrival, &mut self.counters);
        let fields = Fields {
            number,
            t2: WireTime::write(arrival.at.at, format, self.policy.tai_offset_s),
            sender,
            arrival,
        };
        let dscp = self.policy.dscp.or_else(|| session.dscp());
        let asked = || arrival.tos.map(Tos::dscp).unwrap_or_default();
        let mut reflection = Reflection {
            octets,
            // ECN is Not-ECT (rows TT-18, TT-44).
            tos: dscp.unwrap_or_else(asked).tos(),
            format,
            seal: Seal::Open,
            effects: Effects::default(),
            has_tlvs: false,
            token: None,
            session: slot,
        };
        let written = session.write(now, buffer, received, form, &fields, &mut reflection);
        if written == Err(Ignored::NoReplyWanted) {
            let tai_offset_s = self.policy.tai_offset_s;
            self.one_way = OneWayRequest::new(arrival, form, &sender, slot, tai_offset_s);
        }
        written?;
        if let Some(answer) = reflection.effects.control {
            self.counters.control.count(answer);
        }
        reflection.seal = session.prepare(buffer);
        if let Some(at) = session.to_bind() {
            self.negotiated.bind(at, arrival);
        }
        Ok(reflection)
    }
}

/// The session of a packet.
enum PacketSession<'a> {
    /// The negotiated one in this slot.
    Negotiated(u32, &'a mut Session),
    /// One of those that are known by their packets, of which this has the given layout and key.
    Unnegotiated(&'a mut Unnegotiated, Form, Option<KeyAt>),
}

impl PacketSession<'_> {
    fn form(&self) -> Form {
        match self {
            Self::Negotiated(_, session) => Form::Twamp(session.features),
            Self::Unnegotiated(_, form, _) => *form,
        }
    }

    /// The format of T2 and T3.
    fn format(&self) -> TimeFormat {
        match self {
            Self::Negotiated(_, session) => session.features.reflector_format(),
            Self::Unnegotiated(sessions, ..) => sessions.format,
        }
    }

    fn dscp(&self) -> Option<Dscp> {
        match self {
            Self::Negotiated(_, session) => Some(session.dscp),
            Self::Unnegotiated(..) => None,
        }
    }

    /// The fields of a request that gets a reply, as far as the session decides this, and the
    /// reply's length.
    fn judge(
        &mut self,
        now: Mono,
        request: &[u8],
        room: usize,
        arrival: &Arrival,
        strict: bool,
        counters: &mut ReflectorCounters,
    ) -> Result<(SenderOpen, usize), Ignored> {
        let form = self.form();
        let ports = match self {
            Self::Negotiated(_, session) => {
                session.check_state(now)?;
                Ports::NO_SIGN
            }
            Self::Unnegotiated(sessions, ..) => {
                sessions.check_provisioned(form)?;
                Ports::of(arrival)
            }
        };
        if reply_guard::is_reply(form, request, ports, arrival.at.at) {
            return Err(Ignored::Reply);
        }
        let sender = match self {
            Self::Negotiated(_, session) => session.read(request)?,
            Self::Unnegotiated(sessions, form, key) => sessions.read(*form, *key, request)?,
        };
        let natural = form.reply_octets(request.len());
        if room < natural {
            return Err(Ignored::NoRoom);
        }
        if strict && sender.error.multiplier() == 0 {
            return Err(Ignored::ErrorMultiplierZero);
        }
        let octets = match self {
            Self::Negotiated(_, session) => {
                counters.replays += u64::from(session.is_repeated(sender.seq.get())?);
                natural
            }
            Self::Unnegotiated(sessions, ..) => sessions.reply_octets(form, natural, room, arrival),
        };
        Ok((sender, octets))
    }

    /// A packet that is over the rate: its part in one-way figures, if its session wants no replies.
    fn refuse(
        &mut self,
        request: &[u8],
        sender: &SenderOpen,
        arrival: &Arrival,
        tai_offset_s: i32,
    ) -> Option<OneWayRequest> {
        let Self::Unnegotiated(sessions, form, _) = self else {
            return None;
        };
        let slot = sessions.refuse(request, arrival, *form)?;
        let request = OneWayRequest::new(arrival, *form, sender, Some(slot), tai_offset_s)?;
        Some(OneWayRequest {
            is_refused: true,
            ..request
        })
    }

    /// Counts a packet by its outcome.
    fn count(&mut self, judged: Result<(), Ignored>) {
        if let Self::Negotiated(_, session) = self {
            session.counters.count_outcome(judged);
        }
    }

    /// The Sequence Number of the reply to an accepted request, and where an unnegotiated session's
    /// state is.
    fn number(
        &mut self,
        now: Mono,
        request: &[u8],
        sender: &SenderOpen,
        arrival: &Arrival,
        counters: &mut ReflectorCounters,
    ) -> (u32, Option<SlotId>) {
        match self {
            Self::Negotiated(_, session) => (session.number(now, request.len(), sender), None),
            Self::Unnegotiated(sessions, form, _) => {
                sessions.number(now, request, arrival, *form, sender.seq.get(), counters)
            }
        }
    }

    /// Writes the reply but for what is written last.
    fn write(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        form: Form,
        fields: &Fields<'_>,
        reflection: &mut Reflection,
    ) -> Result<(), Ignored> {
        match self {
            Self::Unnegotiated(sessions, ..) if form.has_tlvs() => {
                let request = Request {
                    now,
                    arrival: fields.arrival,
                    form,
                    sender: fields.sender,
                    received,
                    number: fields.number,
                    session: reflection.session,
                    format: reflection.format,
                };
                return sessions.extend(buffer, &request, reflection, |buffer, octets| {
                    fields.write(buffer, octets, octets, form);
                });
            }
            Self::Unnegotiated(sessions, ..) => {
                let extended = &mut sessions.extended;
                extended.count(reflection.session, form.is_authenticated());
            }
            Self::Negotiated(..) => {}
        }
        fields.write(buffer, received, reflection.octets, form);
        Ok(())
    }

    /// What is written into the reply last; all that can be done before T3 is known is done here.
    fn prepare(&self, reply: &mut [u8]) -> Seal {
        match self {
            Self::Negotiated(at, session) if session.prepare(reply) => Seal::TwampSecured(*at),
            Self::Unnegotiated(_, Form::StampAuthenticated { .. }, Some(key)) => {
                Seal::StampAuthenticated(*key)
            }
            Self::Negotiated(..) | Self::Unnegotiated(..) => Seal::Open,
        }
    }

    /// The slot of a session that waits for its first packet from any port: that packet binds it.
    fn to_bind(&self) -> Option<u32> {
        match self {
            Self::Negotiated(at, session) => session.unbound.map(|_| *at),
            Self::Unnegotiated(..) => None,
        }
    }
}
