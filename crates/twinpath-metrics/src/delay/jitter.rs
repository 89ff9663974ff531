//! Interarrival jitter (RFC 3550 section 6.4.1 and appendix A.8; rows M-20 to M-22).

use crate::round;

/// `J += (|D| - J) / 16` over the received packets in their order of arrival, D being the
/// difference of two successive transit times. In nanoseconds.
///
/// As in RFC 3550, J starts at 0 with the first packet, not with the first difference. Gaps are not
/// corrected: the difference is to the packet received before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Jitter {
    previous: Option<i64>,
    smoothed: f64,
    measured: bool,
}

impl Jitter {
    /// Records the transit time of the next packet to arrive.
    pub(crate) fn record(&mut self, transit_ns: i64) {
        if let Some(previous) = self.previous {
            let difference = round::float_unsigned(transit_ns.abs_diff(previous));
            self.smoothed += (difference - self.smoothed) / 16.0;
            self.measured = true;
        }
        self.previous = Some(transit_ns);
    }

    /// Starts again: later packets are not comparable with earlier ones (row M-22).
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }

    /// J after the last packet, rounded; `None` while no two packets could be compared.
    pub(crate) fn value(&self) -> Option<u64> {
        self.measured.then(|| round::whole(self.smoothed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_packet_has_no_jitter_and_a_reset_forgets() {
        let mut jitter = Jitter::default();
        jitter.record(1000);
        assert_eq!(jitter.value(), None);
        jitter.record(2600);
        assert_eq!(jitter.value(), Some(100));
        jitter.reset();
        assert_eq!(jitter.value(), None);
        jitter.record(i64::MIN);
        jitter.record(i64::MAX);
        assert_eq!(jitter.value(), Some(1 << 60));
    }
}
