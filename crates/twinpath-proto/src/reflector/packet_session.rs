//! What of a request's reply its session decides: one that was negotiated, or one that is known by its
//! packets.

use twinpath_wire::{Arrival, Dscp, Mono, SenderOpen, TimeFormat};

use super::extended::Request;
use super::form::Form;
use super::lru::SlotId;
use super::negotiated::Session;
use super::one_way::OneWayRequest;
use super::reply::{Fields, Reflection, Seal};
use super::reply_guard::{self, Ports};
use super::unnegotiated::{Packet, Unnegotiated};
use super::{Ignored, ReflectorCounters};

/// The session of a packet.
pub(super) enum PacketSession<'a> {
    /// The negotiated one in this slot.
    Negotiated(u32, &'a mut Session),
    /// One of those that are known by their packets, and what this one shows of it.
    Unnegotiated(&'a mut Unnegotiated, Packet),
}

impl PacketSession<'_> {
    pub(super) fn form(&self) -> Form {
        match self {
            Self::Negotiated(_, session) => Form::Twamp(session.features),
            Self::Unnegotiated(_, packet) => packet.form,
        }
    }

    /// The format of T2 and T3.
    pub(super) fn format(&self) -> TimeFormat {
        match self {
            Self::Negotiated(_, session) => session.features.reflector_format(),
            Self::Unnegotiated(sessions, ..) => sessions.format,
        }
    }

    pub(super) fn dscp(&self) -> Option<Dscp> {
        match self {
            Self::Negotiated(_, session) => Some(session.dscp),
            Self::Unnegotiated(..) => None,
        }
    }

    /// Whether a request may be of the session, by what can be told without its HMAC: the length of an ordinary
    /// reply.
    pub(super) fn check(
        &self,
        now: Mono,
        request: &[u8],
        room: usize,
        arrival: &Arrival,
    ) -> Result<usize, Ignored> {
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
        let natural = form.reply_octets(request.len());
        if room < natural {
            return Err(Ignored::NoRoom);
        }
        Ok(natural)
    }

    /// Whether an HMAC is verified to tell if a request gets a reply, and nothing else depends on it: a
    /// request that is refused may count in its session.
    pub(super) fn verifies(&self, request: &[u8], arrival: &Arrival) -> bool {
        match self {
            Self::Negotiated(_, session) => session.features.is_secured(),
            Self::Unnegotiated(sessions, packet) => {
                let form = packet.form;
                form.is_authenticated() && !sessions.counts_refused(request, arrival, form)
            }
        }
    }

    /// The fields of a request that gets a reply, as far as the session decides this, and the
    /// reply's length.
    pub(super) fn judge(
        &mut self,
        request: &[u8],
        natural: usize,
        room: usize,
        arrival: &Arrival,
        strict: bool,
        counters: &mut ReflectorCounters,
    ) -> Result<(SenderOpen, usize), Ignored> {
        let sender = match self {
            Self::Negotiated(_, session) => session.read(request)?,
            Self::Unnegotiated(sessions, packet) => sessions.read(packet, request)?,
        };
        if strict && sender.error.multiplier() == 0 {
            return Err(Ignored::ErrorMultiplierZero);
        }
        let octets = match self {
            Self::Negotiated(_, session) => {
                counters.replays += u64::from(session.is_repeated(sender.seq.get())?);
                natural
            }
            Self::Unnegotiated(sessions, packet) => {
                sessions.reply_octets(packet.form, natural, room, arrival)
            }
        };
        Ok((sender, octets))
    }

    /// A packet that is over the rate: its part in one-way figures, if its session wants no replies.
    pub(super) fn refuse(
        &mut self,
        request: &[u8],
        sender: &SenderOpen,
        arrival: &Arrival,
        tai_offset_s: i32,
    ) -> Option<OneWayRequest> {
        let Self::Unnegotiated(sessions, packet) = self else {
            return None;
        };
        let slot = sessions.refuse(request, arrival, packet)?;
        let request = OneWayRequest::new(arrival, packet.form, sender, Some(slot), tai_offset_s)?;
        Some(OneWayRequest {
            is_refused: true,
            ..request
        })
    }

    /// Counts a packet by its outcome.
    pub(super) fn count(&mut self, judged: Result<(), Ignored>) {
        if let Self::Negotiated(_, session) = self {
            session.counters.count_outcome(judged);
        }
    }

    /// The Sequence Number of the reply to an accepted request, and where an unnegotiated session's
    /// state is.
    pub(super) fn number(
        &mut self,
        now: Mono,
        request: &[u8],
        sender: &SenderOpen,
        arrival: &Arrival,
        counters: &mut ReflectorCounters,
    ) -> (u32, Option<SlotId>) {
        match self {
            Self::Negotiated(_, session) => (session.number(now, request.len(), sender), None),
            Self::Unnegotiated(sessions, packet) => {
                sessions.number(now, request, arrival, packet, sender.seq.get(), counters)
            }
        }
    }

    /// Writes the reply but for what is written last.
    pub(super) fn write(
        &mut self,
        now: Mono,
        buffer: &mut [u8],
        received: usize,
        form: Form,
        fields: &Fields<'_>,
        reflection: &mut Reflection,
    ) -> Result<(), Ignored> {
        match self {
            Self::Unnegotiated(sessions, packet) if form.has_tlvs() => {
                let request = Request {
                    now,
                    arrival: fields.arrival,
                    form,
                    chain: packet.verified.chain.as_deref(),
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
    pub(super) fn prepare(&self, reply: &mut [u8]) -> Seal {
        match self {
            Self::Negotiated(at, session) if session.prepare(reply) => Seal::TwampSecured(*at),
            Self::Negotiated(..) => Seal::Open,
            Self::Unnegotiated(_, packet) => {
                let key = packet.key.filter(|_| packet.form.is_authenticated());
                key.map_or(Seal::Open, Seal::StampAuthenticated)
            }
        }
    }

    /// The slot of a session that waits for its first packet from any port: that packet binds it.
    pub(super) fn to_bind(&self) -> Option<u32> {
        match self {
            Self::Negotiated(at, session) => session.unbound.map(|_| *at),
            Self::Unnegotiated(..) => None,
        }
    }
}
