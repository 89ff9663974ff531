//! Plain data of the run, as it stands in a raw file: fields by their own names, in JSON.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use twinpath_proto::sender::{OddReplies, SenderTally};
use twinpath_wire::ErrorEstimate;

/// A structure of the same fields that can be written and read, and the way there and back. A field
/// that the file lacks is what it is by default.
macro_rules! mirror {
    ($(#[$doc:meta])* $mirror:ident of $original:ident {
        $($field:ident: $kind:ty,)*
    } but { $($other:ident: $other_kind:ty = $there:expr, $back:expr;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub(crate) struct $mirror {
            $($field: $kind,)*
            $($other: $other_kind,)*
        }

        impl $mirror {
            /// Adds another run.
            pub(crate) fn add(&mut self, other: &Self) {
                $(self.$field.add(&other.$field);)*
                $(self.$other.add(&other.$other);)*
            }
        }

        impl From<&$original> for $mirror {
            fn from(original: &$original) -> Self {
                Self {
                    $($field: original.$field,)*
                    $($other: $there(&original.$other),)*
                }
            }
        }

        impl From<&$mirror> for $original {
            fn from(mirror: &$mirror) -> Self {
                Self {
                    $($field: mirror.$field,)*
                    $($other: $back(&mirror.$other),)*
                }
            }
        }
    };
}

/// What becomes of a field when runs are added up.
trait Sum {
    fn add(&mut self, other: &Self);
}

impl Sum for u64 {
    fn add(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }
}

/// The largest burst.
impl Sum for u32 {
    fn add(&mut self, other: &Self) {
        *self = (*self).max(*other);
    }
}

/// What is known of one run only is not known of both.
impl Sum for Option<u64> {
    fn add(&mut self, other: &Self) {
        *self = self
            .zip(*other)
            .map(|(one, other)| one.saturating_add(other));
    }
}

/// Of what came last, the last.
macro_rules! last {
    ($($kind:ty),*) => {$(
        impl Sum for Option<$kind> {
            fn add(&mut self, other: &Self) {
                *self = other.or(*self);
            }
        }
    )*};
}

last!(u16, SocketAddr, (usize, usize));

impl Sum for Odd {
    fn add(&mut self, other: &Self) {
        Self::add(self, other);
    }
}

mirror! {
    /// [`SenderTally`].
    Tally of SenderTally {
        asked: Option<u64>,
        sent: u64,
        send_errors: u64,
        slots_skipped: u64,
        slots_left_out: u64,
        largest_burst: u32,
        in_flight: u64,
        received: u64,
        lost: u64,
        late: u64,
        duplicates: u64,
        stale: u64,
        clock_steps: u64,
        suspensions: u64,
        suspended_ns: u64,
        unused_tx_stamps: u64,
        stamped: u64,
        own_wait_ns: u64,
    } but {
        far_error: Option<u16> =
            |error: &Option<ErrorEstimate>| error.map(ErrorEstimate::bits),
            |bits: &Option<u16>| bits.map(ErrorEstimate::from_bits);
        odd: Odd = Odd::from, OddReplies::from;
    }
}

mirror! {
    /// [`OddReplies`].
    Odd of OddReplies {
        foreign_address: u64,
        answers_elsewhere: u64,
        foreign_t1: u64,
        unknown_seq: u64,
        too_short: u64,
        not_a_reply: u64,
        looks_like_request: u64,
        forged: u64,
        other_ssid: u64,
        truncated: u64,
        short_replies: u64,
        z_wrong: u64,
        unset_times: u64,
        t3_before_t2: u64,
        residence_too_long: u64,
        error_multiplier_zero: u64,
        size_differs: u64,
        padding_differs: u64,
        ssid_missing: u64,
        last_foreign: Option<SocketAddr>,
        last_elsewhere: Option<SocketAddr>,
        last_sizes: Option<(usize, usize)>,
    } but {}
}
