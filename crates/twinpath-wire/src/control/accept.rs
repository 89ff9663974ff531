//! Accept values (RFC 4656 section 3.3).

/// The other side's answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Accept {
    /// 0: accepted.
    Ok = 0,
    /// 1: refused, reason not given. Any unknown value means this (row TC-28).
    Failure = 1,
    /// 2: internal error on the other side.
    InternalError = 2,
    /// 3: some aspect of the request is not supported.
    NotSupported = 3,
    /// 4: refused by a permanent resource limit.
    PermanentLimit = 4,
    /// 5: refused by a temporary resource limit.
    TemporaryLimit = 5,
}

impl Accept {
    /// From the octet on the wire.
    pub const fn from_octet(octet: u8) -> Self {
        match octet {
            0 => Self::Ok,
            2 => Self::InternalError,
            3 => Self::NotSupported,
            4 => Self::PermanentLimit,
            5 => Self::TemporaryLimit,
            _ => Self::Failure,
        }
    }

    /// The octet on the wire.
    pub const fn octet(self) -> u8 {
        self as u8
    }

    /// The description in RFC 4656.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Failure => "failure, reason unspecified",
            Self::InternalError => "internal error",
            Self::NotSupported => "some aspect of the request is not supported",
            Self::PermanentLimit => "permanent resource limitation",
            Self::TemporaryLimit => "temporary resource limitation",
        }
    }
}

impl core::fmt::Display for Accept {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}, {}", self.octet(), self.name())
    }
}
