//! Why a datagram got no reply. Counted by kind, never formatted on the packet path.

/// Why a datagram got no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// Shorter than a Session-Sender packet's 14 octets.
    TooShort,
    /// Its end is missing: the receive buffer was too small for it.
    Truncated,
    /// It is a Session-Reflector's packet: answering it could go on for ever.
    Reply,
    /// Its source is outside the list of allowed clients.
    NotAllowed,
    /// Its client is over the rate allowed.
    RateLimited,
    /// Its source port is 0 or that of a service that would answer our reply.
    ServicePort,
    /// Its source is no single host: multicast, broadcast or unspecified.
    SourceAddress,
    /// It was sent to a multicast or broadcast address.
    Multicast,
    /// It came from the very address and port that it was sent to.
    OwnAddress,
    /// STAMP authenticated, and there is no key: never answered unauthenticated.
    NoKey,
    /// Error Estimate Multiplier of 0, and the reflector is strict.
    ErrorMultiplierZero,
    /// No negotiated session has this sender and port, or it is over.
    NoSession,
    /// Its session is agreed, and not started yet.
    NotStarted,
    /// Its HMAC is wrong (row TT-34).
    Forged,
    /// Its number is too old to tell whether it came before, in a session of the
    /// encrypted mode (row TT-35).
    Old,
    /// The driver's buffer is too small for the reply: a fault on this side.
    NoRoom,
}

impl Ignored {
    /// How many kinds there are.
    pub const COUNT: usize = Self::ALL.len();

    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 16] = [
        Self::TooShort,
        Self::Truncated,
        Self::Reply,
        Self::NotAllowed,
        Self::RateLimited,
        Self::ServicePort,
        Self::SourceAddress,
        Self::Multicast,
        Self::OwnAddress,
        Self::NoKey,
        Self::ErrorMultiplierZero,
        Self::NoSession,
        Self::NotStarted,
        Self::Forged,
        Self::Old,
        Self::NoRoom,
    ];

    /// The word for logs and counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::Truncated => "truncated",
            Self::Reply => "reply",
            Self::NotAllowed => "not_allowed",
            Self::RateLimited => "rate_limited",
            Self::ServicePort => "service_port",
            Self::SourceAddress => "source_address",
            Self::Multicast => "multicast",
            Self::OwnAddress => "own_address",
            Self::NoKey => "no_key",
            Self::ErrorMultiplierZero => "error_multiplier_zero",
            Self::NoSession => "no_session",
            Self::NotStarted => "not_started",
            Self::Forged => "forged",
            Self::Old => "old",
            Self::NoRoom => "no_room",
        }
    }

    /// Its number: the place in [`Self::ALL`] and in the tally.
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_stands_at_its_own_number_and_has_its_own_name() {
        for (at, kind) in Ignored::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), at);
            let namesakes = Ignored::ALL
                .iter()
                .filter(|other| other.name() == kind.name());
            assert_eq!(namesakes.count(), 1, "{}", kind.name());
        }
    }
}
