//! STAMP extensions: the TLVs behind a base packet (RFC 8972 section 4, RFC 9503, RFC 9534, RFC
//! 10052). No socket, no clock: octets and values.
//!
//! A TLV is one file, with the layout of its value, what a sender asks with it, what a reflector
//! answers and what a sender learns from the answer; and one line in [`EXTENSIONS`].

mod access_report;
mod ask;
mod budget;
mod bursts;
mod chain;
mod class_of_service;
mod copies;
pub(crate) mod destination_node;
mod direct_measurement;
mod exchange;
mod extra_padding;
mod follow_up_telemetry;
mod granted;
mod hmac;
mod hmac_faults;
mod host;
mod learn;
mod location;
mod micro_session;
mod policy;
mod reflected_control;
mod reply_reader;
mod reply_tlvs;
mod return_path;
mod seen;
mod segments;
mod sub_tlv;
mod timestamp_information;

use std::time::Duration;

use twinpath_wire::{TlvFlags, TlvType, Tos};

use crate::reflector::Ignored;

pub use ask::{AskError, AskedTlv, RequestChain, RequestFacts, SALT_OCTETS};
pub use budget::ControlBudget;
pub use bursts::Came;
pub use chain::{Answer, is_signed_with, reflect};
pub(crate) use chain::{JudgedChain, reflect_judged, renew, withdraw_way};
pub use class_of_service::ReplyDscp;
pub use copies::{Copies, Gaps};
pub use exchange::{ControlAnswer, Effects, Exchange, Replies, SentReply, SessionState};
pub use granted::GrantedRequests;
pub use hmac_faults::{HmacFault, HmacFaults, HmacResult};
pub use host::{Host, SyncSource};
pub use learn::{Corrections, FactValue, Facts, FollowUp, Learnt, Observation, ReplyChain};
pub(crate) use micro_session::ids as micro_session_ids;
pub use policy::{ControlPolicy, DscpSet, ExtensionPolicy, LocationPolicy, MemberLink};
pub use reply_reader::{Discarded, MicroSessionIds, ReplyReader, RequestMarks};
pub use reply_tlvs::ReplyTlvs;
pub(crate) use return_path::wants_no_reply;
pub use seen::{Order, Seen, Value};
pub use segments::Segments;

/// A STAMP extension.
pub trait Extension: Sync {
    /// Its type.
    fn kind(&self) -> TlvType;

    /// Its name as an option; in reports with underscores.
    fn name(&self) -> &'static str;

    /// Whether its value may have this many octets.
    fn takes(&self, octets: usize) -> bool;

    /// Whether a packet has at most one that counts: others are copied and keep U = 1.
    fn is_single(&self) -> bool {
        false
    }

    /// Whether it depends on what the other TLVs of a packet ask for, and is processed after them.
    fn is_last(&self) -> bool {
        false
    }

    /// What a Session-Reflector answers, in place. The value has a Length that it may have.
    ///
    /// # Errors
    /// [`Ignored`]: why the packet gets no reply.
    fn reflect(&self, value: &mut [u8], exchange: &mut Exchange<'_>) -> Result<Outcome, Ignored>;

    /// Writes what differs in a further reply to the same request (RFC 10052; row SL-57).
    fn renew(&self, _value: &mut [u8], _exchange: &mut Exchange<'_>) {}

    /// The value with which a sender asks, from what follows the name behind `=`; `None`: that is not
    /// what it takes. The packet is sent with `tos`.
    fn ask(&self, text: Option<&str>, tos: Tos) -> Option<Vec<u8>>;

    /// How requests that ask with this are repeated; `None`: they are not.
    fn retransmission(&self, _text: Option<&str>) -> Option<Retransmission> {
        None
    }

    /// What [`Self::ask`] takes, in words.
    fn takes_text(&self) -> &'static str {
        "no value"
    }

    /// Writes what differs from request to request.
    fn refresh(&self, _value: &mut [u8], _request: &RequestFacts) {}

    /// Takes from the value in a reply what the measurement itself needs.
    fn observe(&self, _value: &[u8], _observation: &mut Observation) {}

    /// How the value in the reply to one request is to that in the reply to an earlier one, where they are
    /// counts.
    fn order(&self, _earlier: &[u8], _later: &[u8]) -> Order {
        Order::Same
    }

    /// By how much counts grew from the first value to the last.
    fn amounts(&self, _seen: &Seen) -> Vec<u64> {
        Vec::new()
    }

    /// What the values in a session's replies say.
    fn facts(&self, _seen: &Seen, _facts: &mut Facts) {}

    /// What the value in one reply says.
    fn facts_of(&self, value: &[u8], facts: &mut Facts) {
        self.facts(&Seen::once(self.kind(), value), facts);
    }

    /// What a Session-Reflector leaves of a value of a wrong Length: all, unless the RFC has it
    /// otherwise.
    fn reset(&self, _value: &mut [u8]) {}
}

/// When and how often a request is repeated that no reply confirms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retransmission {
    /// After the last packet.
    pub after: Duration,
    /// At most.
    pub count: u32,
}

/// What became of a TLV at a Session-Reflector, and so its flags in the reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done: no flag.
    Used,
    /// Not understood, not possible or not allowed: U.
    NotUsed,
    /// Done in part: C (RFC 10052 section 3).
    Unmet,
}

impl Outcome {
    fn flags(self) -> TlvFlags {
        match self {
            Self::Used => TlvFlags(0),
            Self::NotUsed => TlvFlags::UNRECOGNIZED,
            Self::Unmet => TlvFlags::CONFORMANT,
        }
    }
}

/// All that are known, each at its type less 1.
pub static EXTENSIONS: &[&dyn Extension] = &[
    &extra_padding::ExtraPadding,
    &location::Location,
    &timestamp_information::TimestampInformation,
    &class_of_service::ClassOfService,
    &direct_measurement::DirectMeasurement,
    &access_report::AccessReport,
    &follow_up_telemetry::FollowUpTelemetry,
    &hmac::Hmac,
    &destination_node::DestinationNode,
    &return_path::ReturnPath,
    &micro_session::MicroSession,
    &reflected_control::ReflectedControl,
];

/// The extension with this type.
fn of(kind: TlvType) -> Option<&'static dyn Extension> {
    let at = usize::from(kind.0).checked_sub(1)?;
    EXTENSIONS.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_extension_is_at_its_type_and_has_a_name_of_its_own() {
        for (at, extension) in EXTENSIONS.iter().enumerate() {
            assert_eq!(usize::from(extension.kind().0), at + 1);
            let namesakes = EXTENSIONS
                .iter()
                .filter(|other| other.name() == extension.name());
            assert_eq!(namesakes.count(), 1, "{}", extension.name());
        }
        assert!(
            of(TlvType(0)).is_none() && of(TlvType(13)).is_none() && of(TlvType(255)).is_none()
        );
    }
}
