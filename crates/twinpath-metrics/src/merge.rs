//! Several runs as one report.

use std::collections::BTreeMap;

use twinpath_wire::{Dscp, add_counts};

use crate::figures::{add, both};
use crate::loss::sizes;
use crate::{
    AvailabilityFigures, BinFigures, EcnCounts, Figures, RemarkCounts, ReorderingFigures,
    TtlFigures,
};

impl Figures {
    /// Adds another run. Counts and sums are as if one run had measured them, except that no loss
    /// period, outage or reordering spans two runs.
    ///
    /// Delays cannot be merged from their figures: if both runs have some, they and the percentiles
    /// with loss become `None`; merge their [`Distribution`](crate::Distribution)s instead. A value
    /// known for only one of the runs becomes unknown.
    pub fn merge(&mut self, other: &Self) {
        if self.is_empty() || other.is_empty() {
            let none = if self.is_empty() {
                std::mem::replace(self, other.clone())
            } else {
                other.clone()
            };
            // Refused packets were never sent, but they make the measurement incomplete.
            add(&mut self.not_sent, none.not_sent);
            add(&mut self.unmeasured_blocks, none.unmeasured_blocks);
            self.merge_availability(none.availability.as_ref());
            return;
        }
        self.merge_counts(other);
        self.merge_marks(other);
        for (ours, theirs) in [
            (&mut self.round_trip, &other.round_trip),
            (&mut self.forward, &other.forward),
            (&mut self.backward, &other.backward),
            (&mut self.residence, &other.residence),
            (&mut self.departure, &other.departure),
        ] {
            *ours = the_only(*ours, *theirs);
        }
        self.first_departures = None;
        self.round_trip_with_loss = None;
        self.forward_with_loss = None;
        self.backward_with_loss = None;
        let bins = self.bins.take().zip(other.bins.as_ref());
        self.bins = bins.and_then(|(ours, theirs)| sum_of_bins(ours, theirs));
    }

    /// Whether no packet has been recorded yet.
    fn is_empty(&self) -> bool {
        self.sent() == 0
    }

    fn merge_counts(&mut self, other: &Self) {
        add_counts!(self, other =>
            received, lost, late, duplicates, unawaited, reordered, lost_before_a_reply, not_sent,
            unmeasured_blocks, excluded_clock_step, excluded_implausible, implausible,
            excluded_unstamped, reflector_restarts,
        );
        self.duplication.merge(&other.duplication);
        self.reordering.merge(&other.reordering);
        for (ours, theirs) in [
            (&mut self.reordering_forward, &other.reordering_forward),
            (&mut self.reordering_backward, &other.reordering_backward),
        ] {
            *ours = merged(*ours, theirs.as_ref(), ReorderingFigures::merge);
        }
        self.lost_forward = both(self.lost_forward, other.lost_forward);
        self.lost_backward = both(self.lost_backward, other.lost_backward);
        self.lost_unattributed = match (self.lost_forward, self.lost_backward) {
            (Some(forward), Some(backward)) => {
                Some(self.lost.saturating_sub(forward.saturating_add(backward)))
            }
            // No loss has a direction if one run gives none.
            (None, _) | (_, None) => Some(self.lost),
        };
        self.reply_status = self.reply_status.merge(other.reply_status);
        self.direction_uncertain |= other.direction_uncertain;
        self.loss_periods.merge(&other.loss_periods);
        self.by_size = sizes::merged(&self.by_size, &other.by_size);
        self.merge_availability(other.availability.as_ref());
        self.far_times = self.far_times.with(other.far_times);
        self.far_times_contradicted |= other.far_times_contradicted;
        self.residence_never_measured &= other.residence_never_measured;
        self.numbers_equal &= other.numbers_equal;
        self.stamps_transmit.merge(&other.stamps_transmit);
        self.stamps_receive.merge(&other.stamps_receive);
    }

    fn merge_availability(&mut self, other: Option<&AvailabilityFigures>) {
        self.availability = match (self.availability, other) {
            (Some(mut sum), Some(more)) => sum.merge(more).then_some(sum),
            (ours, theirs) => ours.or(theirs.copied()),
        };
    }

    fn merge_marks(&mut self, other: &Self) {
        for (ours, theirs) in [
            (&mut self.ttl_forward, &other.ttl_forward),
            (&mut self.ttl_backward, &other.ttl_backward),
        ] {
            *ours = merged(*ours, theirs.as_ref(), TtlFigures::merge);
        }
        for (ours, theirs) in [
            (&mut self.dscp_forward, &other.dscp_forward),
            (&mut self.dscp_backward, &other.dscp_backward),
        ] {
            let mut sums: BTreeMap<u8, (Dscp, u64)> = BTreeMap::new();
            for (dscp, count) in ours.iter().chain(theirs) {
                add(
                    &mut sums.entry(dscp.value()).or_insert((*dscp, 0)).1,
                    *count,
                );
            }
            *ours = sums.into_values().collect();
        }
        for (ours, theirs) in [
            (&mut self.ecn_forward, &other.ecn_forward),
            (&mut self.ecn_backward, &other.ecn_backward),
        ] {
            *ours = merged(*ours, theirs.as_ref(), EcnCounts::merge);
        }
        self.congestion_forward = self.ecn_forward.map(|counts| counts.ce);
        add(&mut self.congestion_backward, other.congestion_backward);
        for (ours, theirs) in [
            (&mut self.remarked_forward, &other.remarked_forward),
            (&mut self.remarked_backward, &other.remarked_backward),
        ] {
            *ours = merged(*ours, theirs.as_ref(), RemarkCounts::merge);
        }
        self.far_rounding_ns = self.far_rounding_ns.max(other.far_rounding_ns);
        self.far_resolution_ns = self
            .far_resolution_ns
            .filter(|ours| other.far_resolution_ns == Some(*ours));
    }
}

/// The sum, known if both are.
fn merged<T>(ours: Option<T>, theirs: Option<&T>, add: impl Fn(&mut T, &T)) -> Option<T> {
    let (mut sum, more) = (ours?, theirs?);
    add(&mut sum, more);
    Some(sum)
}

/// A value that only one run has.
fn the_only<T>(ours: Option<T>, theirs: Option<T>) -> Option<T> {
    match (ours, theirs) {
        (Some(_), Some(_)) => None,
        (ours, theirs) => ours.or(theirs),
    }
}

fn sum_of_bins(mut ours: BinFigures, theirs: &BinFigures) -> Option<BinFigures> {
    let same = ours.round_trip.merge(&theirs.round_trip)
        && ours.forward.merge(&theirs.forward)
        && ours.backward.merge(&theirs.backward);
    same.then_some(ours)
}
