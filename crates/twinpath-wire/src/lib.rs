//! Octets, timestamps and code points of TWAMP-Test (RFC 5357 section 4) and STAMP (RFC 8762).
//!
//! Every message is a typed view over octets: no copy, no allocation, `no_std`. Views accept any
//! octets that are long enough; the engines check what a field may contain.
//!
//! ```
//! use core::time::Duration;
//! use twinpath_wire::{ErrorEstimate, StampSender, TimeFormat, Tlvs, Wall, WireTime};
//!
//! let now = Wall::from_unix_ns(1_795_392_000_000_000_000);
//! let mut datagram = [0; StampSender::OCTETS + 8];
//! let (packet, tlvs) = StampSender::view_mut(&mut datagram)?;
//! packet.seq.set(7);
//! packet.t1 = WireTime::ntp(now);
//! packet.error = ErrorEstimate::new(true, TimeFormat::Ntp, Duration::from_micros(20));
//! tlvs.copy_from_slice(&[0x80, 1, 0, 4, 0, 0, 0, 0]); // Extra Padding (RFC 8972 section 4.1)
//!
//! let (packet, tlvs) = StampSender::view(&datagram)?;
//! assert_eq!(packet.seq.get(), 7);
//! assert_eq!(packet.t1.read(TimeFormat::Ntp, now, 0), now);
//! assert_eq!(Tlvs::new(tlvs).filter_map(Result::ok).count(), 1);
//! # Ok::<(), twinpath_wire::Short>(())
//! ```
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
