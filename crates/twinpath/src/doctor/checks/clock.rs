//! The reflector's clock beside this host's, and what it claims of itself (RFC 4656 section 4.1.2).

use super::of_train::OfTrain;
use crate::doctor::train::PACED;
use crate::doctor::{Exchange, Judged, Seen};
use crate::output::units;

/// How far apart the clocks are.
pub(super) static OFFSET: OfTrain = OfTrain {
    id: "clock.offset",
    kind: &PACED,
    judges_silence: false,
    judge: judge_offset,
};

fn judge_offset(seen: &Seen, _: &Exchange<'_>) -> Judged {
    let Some((offset_ns, bound_ns)) = offset(seen) else {
        return Judged::skipped("replies do not have both timestamps");
    };
    let (offset, bound) = (units::delay(offset_ns), units::span(bound_ns));
    let judged = if offset_ns.unsigned_abs() > bound_ns {
        Judged::warn(format!("the clocks are apart: {offset} (within {bound})")).advise(
            "synchronize both clocks before one-way figures are used; round trips do not suffer",
        )
    } else {
        Judged::ok(format!(
            "no difference of the clocks shows: it is {bound} at most"
        ))
    };
    judged
        .with("offset_ns", offset_ns)
        .with("bound_ns", bound_ns)
}

/// What the Error Estimate claims.
pub(super) static CLAIMS: OfTrain = OfTrain {
    id: "clock.claims",
    kind: &PACED,
    judges_silence: false,
    judge: claims,
};

fn claims(seen: &Seen, exchange: &Exchange<'_>) -> Judged {
    let Some(trip) = exchange.round_trips().last() else {
        return Judged::skipped("no replies");
    };
    let error = trip.head.error;
    let claims = |judged: Judged| judged.with("synchronized", error.synchronized());
    let Some(error_ns) = error.error_ns() else {
        return claims(Judged::warn("the Error Estimate has a Multiplier of 0")
            .advise("twinpath measures nevertheless; strict receivers drop such packets (RFC 4656 section 4.1.2)"));
    };
    let error_ns = u64::try_from(error_ns).unwrap_or(u64::MAX);
    let judged = match (error.synchronized(), offset(seen)) {
        (true, Some((offset_ns, bound_ns))) if offset_ns.unsigned_abs() > bound_ns.saturating_add(error_ns) => {
            Judged::warn(format!(
                "the reflector claims a synchronized clock with an error of {}, and the clocks are {} apart",
                units::span(error_ns),
                units::span(offset_ns.unsigned_abs())
            ))
            .advise("one of the two clocks is wrong: look at both")
        }
        (true, _) => Judged::ok(format!("the reflector's clock is synchronized, as it says, with an error of {}", units::span(error_ns))),
        (false, _) => Judged::ok("the reflector says that its clock is not synchronized"),
    };
    claims(judged).with("error_ns", error_ns)
}

/// How much the reflector's clock is ahead, and by how much that can be wrong, in nanoseconds: of the shortest
/// round trip.
fn offset(seen: &Seen) -> Option<(i64, u64)> {
    let trips = seen.of_subject(&PACED)?.round_trips();
    let each = trips.filter_map(|trip| {
        let (t2, t3) = trip.t2_t3()?;
        let (out, back) = ((t2 - trip.t1).ns(), (trip.t4 - t3).ns());
        Some((out.saturating_add(back), out.saturating_sub(back) / 2))
    });
    let (round_trip, offset) = each.min()?;
    Some((offset, u64::try_from(round_trip).ok()? / 2))
}
