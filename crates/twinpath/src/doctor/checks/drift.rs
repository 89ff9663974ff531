//! How the clocks move against each other while they are looked at: skew and steps.
//!
//! Each round trip bounds by how much the reflector's clock is ahead: at least T3 - T4, at most T2 - T1. What two
//! such bounds exclude is certain, whatever the delays were.

use std::time::Duration;

use twinpath_wire::Wall;

use super::of_train::OfTrain;
use super::times;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, Seen, Untold};
use crate::output::units;

/// The largest skew of a clock that works, in parts per billion (RFC 5905 section 11.3).
const MOST_SKEW_PPB: i128 = 500_000;
/// A skew that is worth a warning, and one that does not matter in a run of minutes.
const HIGH_PPB: i64 = 100_000;
/// Clocks that were not set agree over so long but for their skew.
const STEP_WITHIN_NS: i64 = 2_000_000_000;
const BILLION: i128 = 1_000_000_000;

/// By how much the reflector's clock is ahead, at one moment.
#[derive(Clone, Copy, Debug)]
struct Ahead {
    at: Wall,
    /// In nanoseconds.
    least: i64,
    most: i64,
}

/// How fast they drift apart.
pub(super) static SKEW: OfTrain = OfTrain {
    id: "clock.skew",
    kind: &PACED,
    judges_silence: false,
    judge: judge_skew,
};

fn judge_skew(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let all = match all_ahead(seen, exchange) {
        Ok(all) => all,
        Err(why) => return Judged::skipped(why),
    };
    if step_ns(&all).is_some() {
        return Judged::unknown("a clock was set meanwhile");
    }
    let (Some((least, most)), Some(begin), Some(end)) = (skew_ppb(&all), all.first(), all.last())
    else {
        return Judged::unknown("too few replies to tell the skew of the clocks");
    };
    let span_ns = (end.at - begin.at).ns();
    let largest = least.unsigned_abs().max(most.unsigned_abs());
    let judged = if least > most {
        Judged::unknown("the clocks do not drift evenly")
    } else if least > 0 || most < 0 {
        let faster = if least > 0 { "faster" } else { "slower" };
        let smallest = least.unsigned_abs().min(most.unsigned_abs());
        let finding = format!(
            "the reflector's clock runs {faster} than this host's, by {} to {}",
            ppm(smallest),
            ppm(largest)
        );
        if smallest > HIGH_PPB.unsigned_abs() {
            Judged::warn(finding)
                .advise("one of the two clocks is not disciplined: one-way delays drift with it")
        } else {
            Judged::ok(finding)
        }
    } else if largest <= HIGH_PPB.unsigned_abs() {
        Judged::ok(format!("the clocks run alike: within {}", ppm(largest)))
    } else {
        Judged::unknown(format!(
            "{} is too short to tell the skew of the clocks: less than {} would not show",
            units::took(Duration::from_nanos(span_ns.unsigned_abs())),
            ppm(largest)
        ))
        .because(Untold::TooShort)
    };
    judged
        .with("least_ppb", least)
        .with("most_ppb", most)
        .with("observed_ns", span_ns)
}

/// Whether one was set.
pub(super) static STEPS: OfTrain = OfTrain {
    id: "clock.steps",
    kind: &PACED,
    judges_silence: false,
    judge: judge_steps,
};

fn judge_steps(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let all = match all_ahead(seen, exchange) {
        Ok(all) => all,
        Err(why) => return Judged::skipped(why),
    };
    if let Some(step) = step_ns(&all) {
        return Judged::warn(format!(
            "a clock was set in mid-run: the reflector's went {} by {} or more against this host's",
            if step > 0 { "forwards" } else { "backwards" },
            units::span(step.unsigned_abs())
        ))
        .advise("see the logs of both ends' time synchronization; measure one-way delays once it is settled")
        .with("step_ns", step);
    }
    let widest = all.iter().map(|ahead| ahead.most - ahead.least).max();
    let shows = widest.unwrap_or(0).unsigned_abs();
    Judged::ok(format!(
        "no clock was set by more than {}",
        units::span(shows)
    ))
    .with("shows_from_ns", shows)
}

/// The bounds of all round trips, by their time. `Err`: why timestamps cannot be used.
fn all_ahead(seen: &Seen, exchange: &Exchange<'_>) -> Result<Vec<Ahead>, &'static str> {
    if !times::advance(exchange) {
        return Err("timestamps do not advance as time does");
    }
    let mut all = Vec::new();
    for trip in seen.round_trips() {
        let Some((t2, t3)) = trip.t2_t3() else {
            return Err("replies do not have both timestamps");
        };
        let ahead = Ahead {
            at: trip.t1,
            least: (t3 - trip.t4).ns().saturating_sub(times::STAMP_ERROR_NS),
            most: (t2 - trip.t1).ns().saturating_add(times::STAMP_ERROR_NS),
        };
        if t3 < t2 || ahead.least > ahead.most {
            return Err("times in the reflector are not plausible");
        }
        all.push(ahead);
    }
    Ok(all)
}

fn pairs(all: &[Ahead]) -> impl Iterator<Item = (&Ahead, &Ahead)> {
    let each = all.iter().enumerate();
    each.flat_map(|(place, later)| all.iter().take(place).map(move |before| (before, later)))
}

/// The least and the greatest skew that all bounds allow, in parts per billion.
fn skew_ppb(all: &[Ahead]) -> Option<(i64, i64)> {
    let each = pairs(all).filter_map(|(before, later)| {
        let per = |change_ns: i64| {
            let span_ns = i128::from((later.at - before.at).ns());
            let ppb = (i128::from(change_ns) * BILLION).checked_div(span_ns)?;
            i64::try_from(ppb).ok()
        };
        let least = per(later.least.saturating_sub(before.most))?;
        Some((least, per(later.most.saturating_sub(before.least))?))
    });
    each.reduce(|(least, most), (other_least, other_most)| {
        (least.max(other_least), most.min(other_most))
    })
}

/// By how much a clock was set at least; positive: the reflector's forwards, or this host's backwards.
fn step_ns(all: &[Ahead]) -> Option<i64> {
    let near = pairs(all).filter(|(before, later)| (later.at - before.at).ns() <= STEP_WITHIN_NS);
    let each = near.filter_map(|(before, later)| {
        let span_ns = i128::from((later.at - before.at).ns());
        let drift_ns = i64::try_from(span_ns * MOST_SKEW_PPB / BILLION).ok()?;
        let forwards = later.least.saturating_sub(before.most);
        let backwards = before.least.saturating_sub(later.most);
        if forwards > drift_ns {
            Some(forwards - drift_ns)
        } else if backwards > drift_ns {
            Some(drift_ns - backwards)
        } else {
            None
        }
    });
    each.max_by_key(|step| step.unsigned_abs())
}

/// Parts per billion as parts per million, rounded up.
fn ppm(ppb: u64) -> String {
    if ppb < 10_000 {
        let tenths = ppb.div_ceil(100);
        format!("{}.{} ppm", tenths / 10, tenths % 10)
    } else {
        format!("{} ppm", ppb.div_ceil(1_000))
    }
}
