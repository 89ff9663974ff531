//! The Session-Reflector: from a request and the facts of its arrival to a reply, in place
//! (RFC 5357 section 4.2, RFC 8762 section 4.3).

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use twinpath_wire::{Arrival, ErrorEstimate, Mono, SenderOpen, Stamp, Tos, Wall, WireTime};

use super::access::Access;
use super::extended::ReplyToken;
use super::negotiated::Negotiated;
use super::one_way::OneWayRequest;
use super::packet_session::PacketSession;
use super::rate::ClientRates;
use super::reply::{self, Fields, Reflection, Seal};
use super::unnegotiated::{Unnegotiated, Verified};
use super::{
    Ignored, NegotiatedConfig, ReflectorConfig, ReflectorCounters, ReflectorPolicy, addresses,
};
use crate::extension::Host;
use crate::stamp::StampKeys;

/// A Session-Reflector for one port or several.
///
/// A packet belongs to the negotiated session that has its sender and port. Without one, the
/// reflector answers it by what it is, unless it answers negotiated sessions only.
pub struct SessionReflector {
    policy: ReflectorPolicy,
    access: Access,
    /// Multicast groups of which requests are answered.
    groups: Vec<IpAddr>,
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
        Self {
            groups: config.groups,
            ..Self::with(config.policy, Negotiated::new(&[]), Some(unnegotiated))
        }
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
            groups: Vec::new(),
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
        self.reflect_verified(now, buffer, received, arrival, Verified::default())
    }

    /// As [`Self::reflect`], of a request of which [`Self::takes`] has verified this.
    ///
    /// # Errors
    /// As [`Self::reflect`].
    pub fn reflect_verified(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        arrival: &Arrival,
        verified: Verified,
    ) -> Result<Reflection, Ignored> {
        let result = self.answer(now, buffer, received, arrival, verified);
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
        if let Some(effects) = &mut reflection.effects {
            **effects = effects.without_way();
        }
        self.counters.ways_refused += 1;
    }

    /// Whether a request that two sockets get, one of them over the member link that it came by, is for this
    /// one: over a member if it is of a micro-session and its HMACs are right, and otherwise not. What was
    /// verified to tell this is for [`Self::reflect_verified`]. What gets no reply for another reason is for
    /// the socket over the member, so that it is counted once. Where no member link is known by its interface
    /// ([`MemberLink`]), requests are of no micro-session here.
    ///
    /// [`MemberLink`]: crate::extension::MemberLink
    pub fn takes(
        &self,
        now: Mono,
        request: &[u8],
        arrival: &Arrival,
        is_over_member: bool,
    ) -> Option<Verified> {
        let sessions = self.unnegotiated.as_ref();
        let Some(sessions) = sessions.filter(|sessions| sessions.claims_member(request)) else {
            return (!is_over_member).then(Verified::default);
        };
        let from = arrival.from.ip();
        let is_over_rate = || (self.rates.as_ref()).is_some_and(|rates| rates.is_over(from, now));
        if check_arrival(&self.access, arrival).is_err() || is_over_rate() {
            return is_over_member.then(Verified::default);
        }
        sessions.takes(request, arrival, is_over_member)
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

    /// Has requests without a negotiated session answered by this configuration, in place of the one before,
    /// and clients have these rates. Sessions go on, those too that are beyond a smaller number: of these the ones
    /// idle for longest are forgotten, once they were idle for 30 s. Further replies to earlier requests are not
    /// sent. A reply that is made is sealed first.
    pub fn set_config(&mut self, config: ReflectorConfig, rates: Option<&Arc<ClientRates>>) {
        self.end_copies(None);
        if let Some(unnegotiated) = &mut self.unnegotiated {
            unnegotiated.set_config(&config);
        }
        self.groups = config.groups;
        self.set_policy(config.policy, rates);
    }

    /// The same of negotiated sessions.
    pub fn set_negotiated_config(
        &mut self,
        config: NegotiatedConfig,
        rates: Option<&Arc<ClientRates>>,
    ) {
        self.negotiated.set_others(&config.allow_sender);
        self.set_policy(config.policy, rates);
    }

    fn set_policy(&mut self, policy: ReflectorPolicy, rates: Option<&Arc<ClientRates>>) {
        self.access = Access::new(&policy.allow);
        self.rates = rates.map(Arc::clone);
        self.policy = policy;
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
        verified: Verified,
    ) -> Result<Reflection, Ignored> {
        let room = buffer.len();
        let request = buffer.get(..received).ok_or(Ignored::NoRoom)?;
        if let Err(why) = check_arrival(&self.access, arrival) {
            self.check_group(why, request, arrival)?;
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
                let packet = sessions.packet(request, arrival, verified);
                PacketSession::Unnegotiated(sessions, packet)
            }
            (None, None) => return Err(Ignored::NoSession),
        };
        let strict = self.policy.strict;
        let (rates, from) = (self.rates.as_ref(), arrival.from.ip());
        let judged = session.check(now, request, room, arrival);
        // No HMAC is verified of a packet that gets no reply anyway.
        let judged = judged.and_then(|natural| {
            let is_costly = rates.is_some() && session.verifies(request, arrival);
            if is_costly && rates.is_some_and(|rates| rates.is_over(from, now)) {
                return Err(Ignored::RateLimited);
            }
            session.judge(request, natural, room, arrival, strict, &mut self.counters)
        });
        // The rate last, so that only packets that get a reply count against it.
        let judged = judged.and_then(|accepted| {
            if rates.is_none_or(|rates| rates.admits(from, now)) {
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
            effects: None,
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
        if let Some(answer) = reflection.effects().control {
            self.counters.control.count(answer);
        }
        reflection.seal = session.prepare(buffer);
        if let Some(at) = session.to_bind() {
            self.negotiated.bind(at, arrival);
        }
        Ok(reflection)
    }

    /// Whether a datagram that is refused for this reason was sent to a group of this host, and may be answered so far.
    /// Of a group's members all would answer: only what TLVs ask for, by an HMAC (row SL-62). Out of the way of all
    /// other packets.
    #[cold]
    fn check_group(&self, why: Ignored, request: &[u8], arrival: &Arrival) -> Result<(), Ignored> {
        let is_joined = arrival.to.is_some_and(|to| self.groups.contains(&to));
        if why != Ignored::Multicast || !is_joined {
            return Err(why);
        }
        if !self.access.permits(arrival.from.ip()) {
            return Err(Ignored::NotAllowed);
        }
        let sessions = self.unnegotiated.as_ref();
        if sessions.is_some_and(|sessions| sessions.form(request).has_tlvs()) {
            Ok(())
        } else {
            Err(why)
        }
    }
}

/// Whether a datagram may be answered, by how it came.
fn check_arrival(access: &Access, arrival: &Arrival) -> Result<(), Ignored> {
    if arrival.truncated {
        return Err(Ignored::Truncated);
    }
    addresses::check(arrival)?;
    if access.permits(arrival.from.ip()) {
        Ok(())
    } else {
        Err(Ignored::NotAllowed)
    }
}
