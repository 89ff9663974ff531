//! The rate at which packets really left.

use std::time::Duration;

use twinpath_wire::{Fate, Mono, Sample, Wall};

/// Departures by their best stamps, or by the times of their system calls where the clock that
/// stamps them stepped: a queue of this host may let packets go more slowly than they are sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    sent: Span<Mono>,
    stamped: Span<Wall>,
    stepped: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span<T> {
    ends: Option<(T, T)>,
    count: u64,
}

impl<T> Default for Span<T> {
    fn default() -> Self {
        Self {
            ends: None,
            count: 0,
        }
    }
}

impl<T: Copy + Ord> Span<T> {
    #[inline]
    fn record(&mut self, at: T) {
        let (first, last) = self.ends.unwrap_or((at, at));
        self.ends = Some((first.min(at), last.max(at)));
        self.count += 1;
    }
}

impl Pace {
    #[inline]
    pub(super) fn sent(&mut self, at: Mono) {
        self.sent.record(at);
    }

    #[inline]
    pub(super) fn sample(&mut self, sample: &Sample) {
        if sample.fate != Fate::Duplicate {
            self.stamped.record(sample.t1.at);
        }
    }

    pub(super) fn clock_step(&mut self) {
        self.stepped = true;
    }

    /// When the first packet was sent.
    pub(super) fn began(&self) -> Option<Mono> {
        self.sent.ends.map(|(first, _)| first)
    }

    /// Packets per second between the first and the last; `None` under two packets.
    pub(super) fn per_second(&self) -> Option<f64> {
        let stamped = self.stamped.ends.filter(|_| !self.stepped);
        let (span, count) = match (stamped, self.sent.ends) {
            (Some((first, last)), _) if self.stamped.count > 1 => {
                let ns = u64::try_from((last - first).ns()).unwrap_or(0);
                (Duration::from_nanos(ns), self.stamped.count)
            }
            (_, Some((first, last))) => (last.since(first), self.sent.count),
            (_, None) => return None,
        };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a rate is shown with a few digits"
        )]
        let gaps = count.checked_sub(1)? as f64;
        let seconds = span.as_secs_f64();
        (seconds > 0.0 && gaps > 0.0).then(|| gaps / seconds)
    }
}

#[cfg(test)]
mod tests {
    use twinpath_wire::{Rung, Stamp};

    use super::*;

    fn lost(seq: u64, t1_ns: i64) -> Sample {
        let t1 = Stamp {
            at: Wall::from_unix_ns(t1_ns),
            rung: Rung::Kernel,
        };
        Sample::lost(seq, t1)
    }

    #[test]
    fn a_queue_of_this_host_slows_the_rate_down() {
        let mut pace = Pace::default();
        assert_eq!(pace.per_second(), None);
        for seq in 0..11 {
            pace.sent(Mono::default() + Duration::from_millis(seq * 5));
        }
        assert_eq!(pace.per_second(), Some(200.0));
        for (seq, t1_ns) in (0..).zip((0..11).map(|at| at * 10_000_000)) {
            pace.sample(&lost(seq, t1_ns));
        }
        let copy = Sample {
            fate: Fate::Duplicate,
            ..lost(3, 7)
        };
        pace.sample(&copy);
        assert_eq!(pace.per_second(), Some(100.0));
        pace.clock_step();
        assert_eq!(pace.per_second(), Some(200.0));
    }

    #[test]
    fn one_packet_has_no_rate() {
        let mut pace = Pace::default();
        pace.sent(Mono::default());
        pace.sample(&lost(0, 0));
        assert_eq!(pace.per_second(), None);
    }
}
