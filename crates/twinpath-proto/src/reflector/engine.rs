//! The Session-Reflector: from a request and the facts of its arrival to a reply, in place
//! (RFC 5357 section 4.2, RFC 8762 section 4.3).

use twinpath_wire::{
    Arrival, ErrorEstimate, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, Mono, ReflectorOpen, SenderOpen,
    StampReflector, TimeFormat, Tos, Wall, WireTime,
};

use super::access::Access;
use super::rate::RateLimit;
use super::reply::{self, Fields, Layout, Reflection};
use super::table::{SessionKey, Sessions};
use super::{
    Class, Ignored, ReflectorConfig, ReflectorCounters, ReflectorProtocols, Tail, addresses,
    classify,
};

/// A Session-Reflector for one port or several.
pub struct SessionReflector {
    config: ReflectorConfig,
    format: TimeFormat,
    access: Access,
    sessions: Option<Sessions>,
    rate: Option<RateLimit>,
    counters: ReflectorCounters,
}

impl SessionReflector {
    /// A reflector that has seen nothing yet.
    pub fn new(config: ReflectorConfig) -> Self {
        Self {
            format: match config.protocols {
                ReflectorProtocols::Stamp => config.format,
                ReflectorProtocols::Auto | ReflectorProtocols::TwampLight => TimeFormat::Ntp,
            },
            access: Access::new(&config.allow),
            sessions: config
                .stateful
                .then(|| Sessions::new(config.max_sessions, config.idle)),
            rate: config.max_rate_pps.map(RateLimit::new),
            counters: ReflectorCounters::default(),
            config,
        }
    }

    /// Turns the request in `buffer[..received]` into its reply, in place.
    ///
    /// The buffer is at least max(`received`, 44) octets long; a reply that the configured padding
    /// makes longer is truncated to the buffer.
    ///
    /// # Errors
    /// Why there is no reply; counted already. The buffer is then unchanged.
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

    /// Writes T3 and the Error Estimate that covers T3 and T2: last, just before the system call.
    pub fn seal(&self, reply: &mut [u8], t3: Wall, error: ErrorEstimate) {
        reply::seal(reply, t3, error, self.format, self.config.tai_offset_s);
    }

    /// Forgets sessions that were idle for too long: a bounded number of them in one call.
    pub fn handle_timeout(&mut self, now: Mono) {
        if let Some(sessions) = &mut self.sessions {
            sessions.expire(now, &mut self.counters);
        }
    }

    /// When [`Self::handle_timeout`] has work next; `None`: no session is remembered.
    pub fn poll_timeout(&self) -> Option<Mono> {
        self.sessions.as_ref().and_then(Sessions::next_expiry)
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
        let request = buffer.get(..received).ok_or(Ignored::NoRoom)?;
        if arrival.truncated {
            return Err(Ignored::Truncated);
        }
        addresses::check(arrival)?;
        if !self.access.permits(arrival.from.ip()) {
            return Err(Ignored::NotAllowed);
        }
        let (from_port, to_port) = (arrival.from.port(), arrival.to_port);
        let class = classify(
            self.config.protocols,
            request,
            from_port,
            to_port,
            arrival.at.at,
        )?;
        let (sender, _) = SenderOpen::view(request).map_err(|_| Ignored::TooShort)?;
        let sender = *sender;
        let form = Form::of(class)?;
        let octets = self.reply_octets(form, received, buffer.len(), arrival)?;
        let error_unknown = sender.error.multiplier() == 0;
        if error_unknown && self.config.strict {
            return Err(Ignored::ErrorMultiplierZero);
        }
        if self
            .rate
            .as_mut()
            .is_some_and(|rate| !rate.admits(arrival.from.ip(), now))
        {
            return Err(Ignored::RateLimited);
        }
        self.counters.error_multiplier_zero += u64::from(error_unknown);
        let number = self.number(now, arrival, form.ssid(), sender.seq.get());
        let fields = Fields {
            number,
            t2: WireTime::write(arrival.at.at, self.format, self.config.tai_offset_s),
            sender,
            arrival,
        };
        match form {
            Form::TwampLight => fields.write_twamp(buffer, received, octets, Layout::PLAIN),
            Form::Stamp { ssid, .. } => fields.write_stamp(buffer, received, octets, ssid),
        }
        // `buffer[44..octets]` now contains the TLVs of a STAMP request, unchanged: a reflector
        // without extensions copies them (RFC 8972 section 4; row ST-30). Extensions go here.
        Ok(Reflection {
            octets,
            tos: self.reply_tos(arrival),
            format: self.format,
            keys: None,
        })
    }

    /// The reply's own Sequence Number: the session's, or a copy if there is no state.
    fn number(&mut self, now: Mono, arrival: &Arrival, ssid: u16, seq: u32) -> u32 {
        let Some(sessions) = &mut self.sessions else {
            return seq;
        };
        let key = SessionKey::new(arrival, ssid);
        sessions
            .number(key, seq, now, &mut self.counters)
            .unwrap_or_else(|| {
                self.counters.answered_stateless += 1;
                seq
            })
    }

    /// As long as the request and no shorter than the header (rows TT-20, ST-6, ST-7), unless the
    /// operator gave a size.
    fn reply_octets(
        &self,
        form: Form,
        received: usize,
        room: usize,
        arrival: &Arrival,
    ) -> Result<usize, Ignored> {
        let header = form.header_octets();
        let natural = received.max(header);
        if room < natural {
            return Err(Ignored::NoRoom);
        }
        let Some(padding) = self.config.padding.filter(|_| form.may_be_resized()) else {
            return Ok(natural);
        };
        let wanted = padding.saturating_add(SenderOpen::OCTETS).max(header);
        let largest = if arrival.from.is_ipv4() {
            MAX_PAYLOAD_V4
        } else {
            MAX_PAYLOAD_V6
        };
        let limit = if self.config.allow_larger_replies {
            room.min(largest)
        } else {
            natural
        };
        Ok(wanted.min(limit))
    }

    /// The request's DSCP unless the operator gave one; ECN is Not-ECT (rows TT-18, TT-44).
    fn reply_tos(&self, arrival: &Arrival) -> Tos {
        let asked = || arrival.tos.map(Tos::dscp).unwrap_or_default();
        self.config.dscp.unwrap_or_else(asked).tos()
    }
}

/// The reply's layout.
#[derive(Clone, Copy)]
enum Form {
    TwampLight,
    Stamp { ssid: u16, tail: Tail },
}

impl Form {
    fn of(class: Class) -> Result<Self, Ignored> {
        match class {
            Class::TwampLight => Ok(Self::TwampLight),
            Class::Stamp { ssid, tail } => Ok(Self::Stamp { ssid, tail }),
            Class::StampAuthenticated => Err(Ignored::NoKey),
        }
    }

    fn header_octets(self) -> usize {
        match self {
            Self::TwampLight => ReflectorOpen::OCTETS,
            Self::Stamp { .. } => StampReflector::OCTETS,
        }
    }

    fn ssid(self) -> u16 {
        match self {
            Self::TwampLight => 0,
            Self::Stamp { ssid, .. } => ssid,
        }
    }

    /// A chain of TLVs comes back whole: truncated or padded it would be malformed.
    fn may_be_resized(self) -> bool {
        match self {
            Self::TwampLight => true,
            Self::Stamp { tail, .. } => tail == Tail::None,
        }
    }
}
