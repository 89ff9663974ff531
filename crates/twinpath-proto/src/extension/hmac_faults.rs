//! Why the TLVs of replies were not used (RFC 8972 section 4.8).

use serde::{Deserialize, Serialize};

/// Why the TLVs of a reply were not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HmacFault {
    /// The far end found the request's HMAC wrong (I).
    Refused,
    /// The far end wants an HMAC, and the request had none (I).
    Wanted,
    /// The far end did not check the request's HMAC (U): it has no key for the session.
    NoKey,
    /// The reply has TLVs without an HMAC.
    Unsigned,
    /// The reply's HMAC is wrong, or does not cover all of its TLVs.
    Wrong,
}

impl HmacFault {
    const ALL: [Self; 5] = [
        Self::Refused,
        Self::Wanted,
        Self::NoKey,
        Self::Unsigned,
        Self::Wrong,
    ];

    /// Its name in reports.
    pub const fn key(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Wanted => "wanted",
            Self::NoKey => "no_key",
            Self::Unsigned => "unsigned",
            Self::Wrong => "wrong",
        }
    }
}

/// What the HMAC of a reply's TLVs came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HmacResult {
    /// It is right.
    Verified,
    /// There was no key to check it with.
    Unchecked,
    /// The TLVs were not used.
    Failed(HmacFault),
}

impl HmacResult {
    /// Its name in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unchecked => "unchecked",
            Self::Failed(fault) => fault.key(),
        }
    }

    /// The one with this name.
    pub fn named(name: &str) -> Option<Self> {
        let faults = HmacFault::ALL.into_iter().map(Self::Failed);
        let mut all = [Self::Verified, Self::Unchecked].into_iter().chain(faults);
        all.find(|result| result.name() == name)
    }
}

/// How many replies had which fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HmacFaults {
    refused: u64,
    wanted: u64,
    no_key: u64,
    unsigned: u64,
    wrong: u64,
}

impl HmacFaults {
    /// Of one more reply.
    pub fn add(&mut self, fault: HmacFault) {
        *match fault {
            HmacFault::Refused => &mut self.refused,
            HmacFault::Wanted => &mut self.wanted,
            HmacFault::NoKey => &mut self.no_key,
            HmacFault::Unsigned => &mut self.unsigned,
            HmacFault::Wrong => &mut self.wrong,
        } += 1;
    }

    /// Those that occurred.
    pub fn counts(&self) -> impl Iterator<Item = (HmacFault, u64)> {
        let counts = [
            self.refused,
            self.wanted,
            self.no_key,
            self.unsigned,
            self.wrong,
        ];
        let all = HmacFault::ALL.into_iter().zip(counts);
        all.filter(|(_, count)| *count > 0)
    }

    /// The most frequent one, and how many replies had any.
    pub fn main(&self) -> Option<(HmacFault, u64)> {
        let (fault, _) = self.counts().max_by_key(|(_, count)| *count)?;
        Some((fault, self.counts().map(|(_, count)| count).sum()))
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
