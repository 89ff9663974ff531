//! Samples of packets whose fate is decided, as rows have them.

use twinpath_metrics::Record;
use twinpath_proto::sender::exclusion;
use twinpath_wire::{Delta, Fate, ReplyTimes, Rung, Sample, Stamp, Wall};

use super::super::layout::Reply;
use super::Flight;
use super::seen::Sighting;
use crate::saved::Row;

/// The sample of an answered packet.
pub(super) fn answered_by(
    seq: u64,
    flight: &Flight,
    sighting: &Sighting,
    reply: &Reply,
    timeout: Delta,
) -> Sample {
    let (t1, t4) = (flight.sighting.at, sighting.at);
    let fate = if flight.answered {
        Fate::Duplicate
    } else if t4 - t1 > timeout {
        Fate::Late
    } else {
        Fate::Received
    };
    let ReplyTimes { t2, t3, .. } = reply.times(t4);
    let mut sample = sample(seq, flight);
    sample.fate = fate;
    sample.t2 = t2;
    sample.t3 = t3;
    sample.t4 = Some(captured(sighting.captured()));
    sample.reflector_seq = Some(reply.reflector_seq);
    sample.ttl_forward = reply.ttl;
    sample.ttl_backward = Some(sighting.ttl);
    sample.tos_backward = Some(sighting.tos);
    sample.excluded = exclusion(&sample, flight.sighting.shift != sighting.shift);
    sample
}

/// As rows have it: from 1.
pub(super) fn number(place: usize) -> u32 {
    u32::try_from(place + 1).unwrap_or(u32::MAX)
}

pub(super) fn row(place: usize, sample: Sample) -> Row {
    Row {
        session: number(place),
        record: Record::Sample(sample),
        tlvs: None,
    }
}

pub(super) fn lost(place: usize, seq: u64, flight: &Flight) -> Row {
    let mut sample = sample(seq, flight);
    if flight.asks.awaits_none {
        sample.fate = Fate::Unawaited;
    }
    row(place, sample)
}

fn captured(at: Wall) -> Stamp {
    Stamp {
        at,
        rung: Rung::Kernel,
    }
}

/// A packet without an answer.
fn sample(seq: u64, flight: &Flight) -> Sample {
    Sample::lost(seq, captured(flight.sighting.captured()))
}
