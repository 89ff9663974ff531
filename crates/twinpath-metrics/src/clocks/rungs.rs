//! How timestamps were taken: packets by rung.

use twinpath_wire::{Fate, Rung, Sample, add_counts};

/// Packets by the rung of a timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RungCounts {
    /// Taken by the network interface.
    pub hardware: u64,
    /// Taken by the kernel at the driver.
    pub kernel: u64,
    /// Taken by the kernel as the packet entered the queueing discipline.
    pub queue: u64,
    /// Read by the process around its system call.
    pub user: u64,
}

impl RungCounts {
    /// Counts one timestamp.
    pub fn record(&mut self, rung: Rung) {
        match rung {
            Rung::Hardware => self.hardware += 1,
            Rung::Kernel => self.kernel += 1,
            Rung::Queue => self.queue += 1,
            Rung::User => self.user += 1,
        }
    }

    /// Adds another count.
    pub fn merge(&mut self, other: &Self) {
        add_counts!(self, other => hardware, kernel, queue, user);
    }

    /// The count of one rung.
    pub const fn of(&self, rung: Rung) -> u64 {
        match rung {
            Rung::Hardware => self.hardware,
            Rung::Kernel => self.kernel,
            Rung::Queue => self.queue,
            Rung::User => self.user,
        }
    }

    /// All packets.
    pub const fn total(&self) -> u64 {
        self.hardware + self.kernel + self.queue + self.user
    }

    /// The best rung of any timestamp: the run's own. `None` without a packet.
    pub fn best(&self) -> Option<Rung> {
        [Rung::Hardware, Rung::Kernel, Rung::Queue, Rung::User]
            .into_iter()
            .find(|rung| self.of(*rung) > 0)
    }

    /// Packets with a timestamp from a lower rung than the run's best.
    pub fn fell_back(&self) -> u64 {
        self.total() - self.best().map_or(0, |rung| self.of(rung))
    }
}

/// The rungs at the start of a run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FirstRungs {
    transmit: Option<Rung>,
    receive: Option<Rung>,
}

impl FirstRungs {
    /// Whether a timestamp of this packet is from a lower rung than the first packet's. Only for
    /// packets in the delays: copies have the T1 as written, and lost packets have no reply to wait
    /// for.
    pub(crate) fn record(&mut self, sample: &Sample) -> bool {
        let measured = sample.fate == Fate::Received && sample.excluded.is_none();
        let Some(t4) = sample.t4.filter(|_| measured) else {
            return false;
        };
        let transmit = *self.transmit.get_or_insert(sample.t1.rung);
        let receive = *self.receive.get_or_insert(t4.rung);
        sample.t1.rung > transmit || t4.rung > receive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rung_is_the_runs_and_others_are_fallbacks() {
        let mut counts = RungCounts::default();
        assert_eq!((counts.best(), counts.fell_back()), (None, 0));
        for rung in [Rung::User, Rung::Kernel, Rung::Kernel, Rung::Queue] {
            counts.record(rung);
        }
        assert_eq!(counts.best(), Some(Rung::Kernel));
        assert_eq!((counts.total(), counts.fell_back()), (4, 2));
    }
}
