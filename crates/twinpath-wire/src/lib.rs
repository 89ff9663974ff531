//! Octets, timestamps and code points of TWAMP-Test (RFC 5357 section 4) and STAMP (RFC 8762).
//!
//! Every message is a typed view over octets: no copy, no allocation, `no_std`. Views accept any
//! octets that are long enough; the engines check what a field may contain.
#![no_std]
#![forbid(unsafe_code)]

mod arrival;
pub mod control;
mod dscp;
mod error_estimate;
mod layout;
pub mod nanoseconds;
mod sample;
mod test_packet;
mod time;
mod tlv;
mod wire_time;

pub use arrival::Arrival;
pub use dscp::{Dscp, DscpError, Ecn, Tos};
pub use error_estimate::ErrorEstimate;
pub use sample::{Exclusion, Fate, Sample};
pub use test_packet::{
    LIGHT_PORT, MAX_PAYLOAD_V4, MAX_PAYLOAD_V6, ReflectorOpen, ReflectorSecured, Reply, ReplyHead,
    SenderOpen, SenderSecured, Short, StampReflector, StampReflectorAuthenticated, StampSender,
    StampSenderAuthenticated, TWAMP_TEST_PORT,
};
pub use time::{Delta, Mono, Rung, Stamp, Wall};
pub use tlv::{BrokenChain, Tlv, TlvFlags, TlvHeader, TlvMut, TlvType, TlvWriter, Tlvs, TlvsMut};
pub use wire_time::{Reading, ReplyTimes, TimeFormat, WireTime};

/// Adds counts of `more` to those of the same name in `sum`. Saturates, because counts read from a
/// file can have any value.
#[macro_export]
macro_rules! add_counts {
    ($sum:expr, $more:expr => $($count:ident),* $(,)?) => {
        $($sum.$count = $sum.$count.saturating_add($more.$count);)*
    };
}
