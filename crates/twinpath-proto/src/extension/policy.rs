//! What an operator allows a far end to ask for.

use std::sync::Arc;

use twinpath_wire::Dscp;

use super::{ControlBudget, GrantedRequests};
use crate::reflector::Access;

/// What the operator allows.
#[derive(Clone, Debug, Default)]
pub struct ExtensionPolicy {
    /// TLVs are copied and not processed (RFC 8762 section 4.3; row ST-30).
    pub copies_only: bool,
    /// What Location tells.
    pub location: LocationPolicy,
    /// DSCPs that a reply may be asked to have, beside that of ordinary replies.
    pub dscp: DscpSet,
    /// DSCP of ordinary replies; `None`: the request's own. A [`SessionReflector`] has that of its
    /// [`ReflectorPolicy`] here.
    ///
    /// [`SessionReflector`]: crate::reflector::SessionReflector
    /// [`ReflectorPolicy`]: crate::reflector::ReflectorPolicy
    pub reply_dscp: Option<Dscp>,
    /// Addresses other than the request's source to which a reply may be asked to go (row SL-6).
    pub return_addresses: Access,
    /// Segments that a reply may be asked to visit (SRv6; row SL-28).
    pub segments: Access,
    /// Reflected Test Packet Control; `None`: disabled (row SL-9).
    pub control: Option<ControlPolicy>,
    /// Micro-session IDs of this end's member links (RFC 9534), each once; empty: none is configured.
    pub micro_sessions: Vec<MemberLink>,
    /// TLVs are processed although no key is there for their HMAC TLV (row ST-52).
    pub accepts_unverified: bool,
    /// In unauthenticated mode too, no TLV is processed without an HMAC TLV (row ST-66).
    pub requires_hmac: bool,
}

/// A member link of a LAG at this end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberLink {
    /// Its Micro-session ID; not 0.
    pub id: u16,
    /// The number of its interface, by which its packets arrive; `None`: any will do.
    pub interface: Option<u32>,
}

/// What Location says about the packet that arrived (row ST-37).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocationPolicy {
    /// Nothing: fields are zero.
    None,
    /// Ports.
    Ports,
    /// Ports and addresses.
    #[default]
    All,
}

/// A set of DSCPs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DscpSet(u64);

/// Limits of Reflected Test Packet Control (row SL-54).
#[derive(Clone, Debug)]
pub struct ControlPolicy {
    /// Clients that may ask.
    pub allow: Access,
    /// No HMAC is asked for: a spoofed request makes this reflector an amplifier.
    pub unauthenticated: bool,
    /// Octets of UDP payload per second: in one burst, and of all of them together.
    pub octets_per_s: u64,
    /// Octets of UDP payload: in one burst, and of all that are granted at the same time.
    pub octets: u64,
    /// Replies to one request.
    pub replies: u16,
    /// What all sessions have together.
    pub budget: Arc<ControlBudget>,
    /// Signed requests that were followed: none is followed twice.
    pub granted: Arc<GrantedRequests>,
}

impl ControlPolicy {
    /// For these clients, with an HMAC, within small limits.
    pub fn within(allow: Access) -> Self {
        Self {
            allow,
            unauthenticated: false,
            octets_per_s: 125_000,
            octets: 15_000,
            replies: 10,
            budget: Arc::default(),
            granted: Arc::default(),
        }
    }
}

impl DscpSet {
    /// One more.
    #[must_use]
    pub const fn with(self, dscp: Dscp) -> Self {
        Self(self.0 | 1 << dscp.value())
    }

    /// Whether it is in the set.
    pub const fn has(self, dscp: Dscp) -> bool {
        self.0 >> dscp.value() & 1 == 1
    }
}

impl FromIterator<Dscp> for DscpSet {
    fn from_iter<I: IntoIterator<Item = Dscp>>(all: I) -> Self {
        all.into_iter().fold(Self::default(), Self::with)
    }
}
