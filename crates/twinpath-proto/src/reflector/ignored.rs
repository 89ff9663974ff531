//! Why a datagram got no reply. Counted by kind, never formatted on the packet path.

/// Declares [`Ignored`] with the name of each kind.
macro_rules! kinds {
    ($($(#[$about:meta])* $kind:ident = $name:literal,)*) => {
        /// Why a datagram got no reply.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Ignored {
            $($(#[$about])* $kind,)*
        }

        impl Ignored {
            /// All kinds, in order.
            pub const ALL: [Self; [$($name),*].len()] = [$(Self::$kind),*];

            /// Its name in reports.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// Shorter than a Session-Sender packet's 14 octets.
    TooShort = "too_short",
    /// Its end is missing: the receive buffer was too small for it.
    Truncated = "truncated",
    /// It is a Session-Reflector's packet: answering it could start an endless exchange.
    Reply = "reply",
    /// Its source is outside the list of allowed clients.
    NotAllowed = "not_allowed",
    /// Its client is over the rate allowed.
    RateLimited = "rate_limited",
    /// Its source port is 0 or that of a service that would answer our reply.
    ServicePort = "service_port",
    /// Its source is not a single host: multicast, broadcast or unspecified.
    SourceAddress = "source_address",
    /// It was sent to a multicast or broadcast address.
    Multicast = "multicast",
    /// Its source and destination are the same address and port.
    OwnAddress = "own_address",
    /// STAMP authenticated, and no key is configured: never answered unauthenticated.
    NoKey = "no_key",
    /// It has no HMAC, and the reflector answers authenticated STAMP alone.
    Unauthenticated = "unauthenticated",
    /// Its Error Estimate Multiplier is 0, and the reflector is strict.
    ErrorMultiplierZero = "error_multiplier_zero",
    /// No negotiated session has this sender and port, or the session is over; or its SSID is outside
    /// the list of those provisioned.
    NoSession = "no_session",
    /// Its session is accepted, but not started yet.
    NotStarted = "not_started",
    /// Its HMAC is wrong (row TT-34).
    Forged = "forged",
    /// Its number is too old to check for a replay, in a session of the encrypted mode (row TT-35).
    Old = "old",
    /// Its Return Path asks for no reply (RFC 9503 section 4.1.1).
    NoReplyWanted = "no_reply_wanted",
    /// Its Reflected Test Packet Control asks for 0 replies (RFC 10052 section 3).
    CountZero = "count_zero",
    /// It is for another member link of a LAG (RFC 9534 section 3.2).
    MicroSession = "micro_session",
    /// It is for a group of addresses of which this host has none (RFC 10052 section 3.1).
    OtherGroup = "other_group",
    /// The driver's buffer is too small for the reply: a fault on this side.
    NoRoom = "no_room",
}

impl Ignored {
    /// Number of kinds.
    pub const COUNT: usize = Self::ALL.len();

    /// Its index in [`Ignored::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_index_and_name() {
        for (at, kind) in Ignored::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), at);
            let namesakes = Ignored::ALL
                .iter()
                .filter(|other| other.name() == kind.name());
            assert_eq!(namesakes.count(), 1, "{}", kind.name());
        }
    }
}
