//! What the reflector's timestamps are worth: their format, their unit, the time in the reflector (RFC 5357
//! section 4.2.1, RFC 8186, RFC 8762 section 4.3).

use twinpath_wire::TimeFormat;

use super::of_train::OfTrain;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, RoundTrip, Seen};
use crate::output::units;

/// What timestamps of one host can err by: they are taken beside the wire, and T3 before the packet leaves.
pub(super) const STAMP_ERROR_NS: i64 = 50_000;
const DAY_NS: u64 = 86_400 * 1_000_000_000;
/// From 1900 to 1970, and from 1970 to 1980-01-06.
const NTP_TO_UNIX_S: u64 = 2_208_988_800;
const GPS_TO_UNIX_S: u64 = 315_964_800;
/// A clock that counts less, ten years, was never set.
const NEVER_SET_S: u64 = 10 * 366 * 86_400;
/// Of the real distance of two arrivals, what their T2 must at least show: less is another unit.
const LEAST_PACE: i64 = 2;

/// Format and epoch.
pub(super) static FORMAT: OfTrain = OfTrain {
    id: "test.time-format",
    kind: &PACED,
    judges_silence: false,
    judge: format,
};

fn format(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let Some(trip) = exchange.round_trips().next() else {
        return Judged::skipped("no replies");
    };
    let named = trip.head.error.format();
    let name = |format| match format {
        TimeFormat::Ntp => "NTP",
        TimeFormat::Ptp => "PTP",
    };
    let data = |judged: Judged| judged.with("format", name(named));
    if trip.head.t2.is_unset() || trip.head.t3.is_unset() {
        let what = if trip.head.t2.is_unset() {
            "receive"
        } else {
            "transmit"
        };
        return data(
            Judged::fail(format!("replies have no {what} timestamp: it is zero"))
                .advise("measure the round trip only; the time in the reflector is part of it"),
        );
    }
    // One alone may look like another format by chance.
    let away = exchange.round_trips().map(|trip| {
        let times = trip.times();
        (times.t2.map_or(0, |t2| (t2 - trip.t4).abs_ns()), trip)
    });
    if let Some((away_ns, trip)) = away.max_by_key(|(away_ns, _)| *away_ns)
        && away_ns > DAY_NS
    {
        return data(other_epoch(away_ns, &trip));
    }
    if exchange.round_trips().all(|trip| trip.times().z_wrong) {
        let other = match named {
            TimeFormat::Ntp => TimeFormat::Ptp,
            TimeFormat::Ptp => TimeFormat::Ntp,
        };
        return data(Judged::fail(format!("timestamps are in {} format, and the Z bit says {}", name(other), name(named)))
            .advise("twinpath reads them as they are meant; report it to the vendor (RFC 8186 section 2.3)"));
    }
    data(Judged::ok(format!(
        "timestamps are in {} format, as the Z bit says",
        name(named)
    )))
}

/// More than a day from this host's clock: what the seconds count from, if it shows.
fn other_epoch(away_ns: u64, trip: &RoundTrip) -> Judged {
    let seconds = trip.head.t2.bits() >> 32;
    let unix = (trip.t4.unix_ns() / 1_000_000_000).unsigned_abs();
    let is_near = |epoch: u64, past: u64| {
        let expected = unix.wrapping_add(epoch).wrapping_sub(past) & 0xffff_ffff;
        expected.abs_diff(seconds) < DAY_NS / 1_000_000_000
    };
    let counts = if is_near(0, 0) {
        Some("seconds since 1970, not since 1900 as NTP timestamps do")
    } else if is_near(NTP_TO_UNIX_S, 0) {
        Some("seconds since 1900, not since 1970 as PTP timestamps do")
    } else if is_near(0, GPS_TO_UNIX_S) {
        Some("seconds since 1980, as GPS receivers do")
    } else {
        None
    };
    if let Some(counts) = counts {
        return Judged::fail(format!("the reflector's timestamps count {counts}"))
            .advise("measure the round trip only: report the epoch to the vendor");
    }
    if seconds < NEVER_SET_S {
        let finding = format!(
            "the reflector's timestamps are {} days from their epoch: its clock was never set, or counts from its start",
            seconds / 86_400
        );
        return Judged::fail(finding).advise("set its clock, by NTP or PTP");
    }
    Judged::fail(format!(
        "the reflector's clock is {} days away, or its timestamps have another epoch",
        away_ns / DAY_NS
    ))
    .advise("set its clock; if it is right, report the epoch to the vendor")
}

/// Seconds as long as seconds.
pub(super) static UNIT: OfTrain = OfTrain {
    id: "test.time-unit",
    kind: &PACED,
    judges_silence: false,
    judge: unit,
};

fn unit(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    match pace(exchange) {
        Pace::Absent => Judged::skipped("replies have no receive timestamp"),
        Pace::TooFewReplies if exchange.round_trips().count() < 2 => {
            Judged::unknown("too few replies to tell the unit of timestamps")
        }
        Pace::TooFewReplies => Judged::unknown(
            "the round trip is too long to tell the unit of timestamps from so few packets",
        ),
        Pace::Right => Judged::ok("timestamps advance as time does"),
        Pace::Wrong(finding) => Judged::fail(finding).advise(
            "no one-way figure and no time in the reflector can be trusted: report it to the vendor",
        ),
    }
}

/// How T2 advances beside this host's clock.
enum Pace {
    Absent,
    TooFewReplies,
    Right,
    /// And how it errs.
    Wrong(String),
}

fn pace(exchange: &Exchange<'_>) -> Pace {
    let (Some(first), Some(last)) = (exchange.round_trips().next(), exchange.round_trips().last())
    else {
        return Pace::Absent;
    };
    let (Some((first_t2, _)), Some((last_t2, _))) = (first.t2_t3(), last.t2_t3()) else {
        return Pace::Absent;
    };
    let (here_ns, there_ns) = ((last.t1 - first.t1).ns(), (last_t2 - first_t2).ns());
    // A way takes no longer than a round trip, and by no more does it differ from packet to packet.
    let doubt_ns = longest_round_trip_ns(exchange);
    let (least_ns, most_ns) = (there_ns - doubt_ns, there_ns + doubt_ns);
    if least_ns >= here_ns / LEAST_PACE && most_ns <= here_ns * LEAST_PACE {
        Pace::Right
    } else if there_ns == 0 && most_ns < here_ns / LEAST_PACE {
        Pace::Wrong("all receive timestamps are the same".to_owned())
    } else if there_ns.abs() + doubt_ns < here_ns / LEAST_PACE {
        let of = |part: i64| units::span(part.unsigned_abs());
        Pace::Wrong(format!(
            "timestamps advance by {} in {}: the fraction has another unit than the standard's",
            of(there_ns),
            of(here_ns)
        ))
    } else if least_ns > here_ns * LEAST_PACE || most_ns < 0 {
        Pace::Wrong(
            "timestamps jump: the clock was set, or the fraction has another unit than the standard's"
                .to_owned(),
        )
    } else {
        Pace::TooFewReplies
    }
}

/// Timestamps advance as time does, as far as it can be told.
pub(super) fn advance(exchange: &Exchange<'_>) -> bool {
    matches!(pace(exchange), Pace::Right | Pace::TooFewReplies)
}

/// T3 - T2.
pub(super) static RESIDENCE: OfTrain = OfTrain {
    id: "test.residence",
    kind: &PACED,
    judges_silence: false,
    judge: residence,
};

fn residence(_: &Seen, exchange: &Exchange<'_>) -> Judged {
    let mut each: Vec<i64> = exchange
        .round_trips()
        .filter_map(|trip| trip.t2_t3())
        .map(|(t2, t3)| (t3 - t2).ns())
        .collect();
    each.sort_unstable();
    let Some(median) = each.get(each.len() / 2).copied() else {
        return Judged::skipped("replies do not have both timestamps");
    };
    let negative = each.iter().filter(|residence| **residence < 0).count();
    let too_long = exchange.round_trips().filter(|trip| {
        let there = trip.t2_t3().map_or(0, |(t2, t3)| (t3 - t2).ns());
        there > (trip.t4 - trip.t1).ns()
    });
    let too_long = too_long.count();
    // Swapped, they are as far apart as otherwise: within the round trip.
    let swapped = exchange.round_trips().filter(|trip| {
        let there = trip.t2_t3().map_or(0, |(t2, t3)| (t3 - t2).ns());
        there < 0 && there.saturating_neg() <= (trip.t4 - trip.t1).ns()
    });
    let judged = if swapped.count() * 2 > each.len() {
        Judged::fail("replies leave before their requests arrive: T2 and T3 are swapped")
            .advise("one-way figures have the wrong sign: report it to the vendor")
    } else if negative > 0 {
        Judged::fail(format!("{negative} of {} replies leave before their requests arrive: the clock was set, or its two readings are not of one clock", each.len()))
            .advise("look at the reflector's clock")
    } else if too_long > 0 {
        Judged::fail(format!(
            "{too_long} of {} replies say a longer time in the reflector than the whole round trip",
            each.len()
        ))
        .advise("twinpath does not use such times; report it to the vendor")
    } else if median == 0 {
        Judged::warn("T2 and T3 are equal: the time in the reflector is not told, and is part of each round trip")
            .advise("compare round trips of this far end with those of the same kind only")
    } else {
        Judged::ok(format!(
            "a packet is {} in the reflector (median)",
            units::span(median.unsigned_abs())
        ))
    };
    judged.with("median_ns", median)
}

fn longest_round_trip_ns(exchange: &Exchange<'_>) -> i64 {
    exchange
        .round_trips()
        .map(|trip| (trip.t4 - trip.t1).ns())
        .max()
        .unwrap_or(0)
}
