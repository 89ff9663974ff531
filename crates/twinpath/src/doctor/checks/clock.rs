//! The reflector's clock beside this host's, and what both claim (RFC 4656 section 4.1.2, RFC 8972
//! section 4.3).

use super::of_train::OfTrain;
use super::times::STAMP_ERROR_NS;
use super::tlv;
use crate::doctor::train::PACED;
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};
use crate::output::units;

const SECOND_NS: u64 = 1_000_000_000;
/// How much clocks with another time scale are ahead of UTC, in seconds, and what that is.
const SCALES: [(u64, &str); 2] = [(37, "TAI"), (18, "GPS time")];
/// By how much the difference may be another one, beside its bound.
const NEAR_NS: u64 = SECOND_NS / 2;
/// Timestamp Information's source of synchronization that is none (RFC 8972 section 5.4).
const LOCAL: u8 = 5;

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
    let judged = if let Some((ahead, scale)) = scale(offset_ns, bound_ns) {
        Judged::warn(format!(
            "the reflector's clock is {} {} (within {bound}): about the difference of {scale} and UTC",
            units::span(offset_ns.unsigned_abs()),
            if ahead { "ahead" } else { "behind" }
        ))
        .advise(format!(
            "one end has {scale} where the other has UTC: look at the UTC offset of its PTP or GPS clock (NTP timestamps are UTC, PTP's are TAI)"
        ))
        .with("scale", scale)
    } else if offset_ns.unsigned_abs() > bound_ns {
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

/// The time scale that has this difference to UTC, and whether the reflector's clock is ahead.
fn scale(offset_ns: i64, bound_ns: u64) -> Option<(bool, &'static str)> {
    let mut scales = SCALES.into_iter();
    let (_, name) = scales.find(|(seconds, _)| {
        let away = offset_ns.unsigned_abs().abs_diff(seconds * SECOND_NS);
        away <= bound_ns.saturating_add(NEAR_NS)
    })?;
    Some((offset_ns > 0, name))
}

/// What both clocks claim.
pub(super) struct Claims;

impl Check for Claims {
    fn id(&self) -> &'static str {
        "clock.claims"
    }

    fn costs(&self) -> Vec<Cost> {
        vec![(PACED.name.to_owned(), PACED.count), ("host".to_owned(), 0)]
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        let host = seen.subject().map(Ask::Host);
        seen.ask_subject(&PACED).into_iter().chain(host).collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let trip = seen
            .of_subject(&PACED)
            .and_then(|exchange| exchange.round_trips().last());
        let Some(trip) = trip else {
            return Judged::skipped("no replies");
        };
        let here = seen.subject().and_then(|far| seen.host(far));
        let is_here_synchronized = here.is_some_and(|host| host.clock.synchronized);
        let error = trip.head.error;
        let source = tlv::timestamp_information(seen).map(|[source, ..]| source);
        let claims = |judged: Judged| {
            judged
                .with("synchronized", error.synchronized())
                .with("this_host_synchronized", is_here_synchronized)
                .with("sync_source", source)
        };
        let Some(error_ns) = error.error_ns() else {
            return claims(Judged::warn("the Error Estimate has a Multiplier of 0")
                .advise("twinpath measures nevertheless; strict receivers drop such packets (RFC 4656 section 4.1.2)"));
        };
        let error_ns = u64::try_from(error_ns).unwrap_or(u64::MAX);
        let here_ns = here.and_then(|host| host.clock.error_ns).unwrap_or(0);
        let this_host = if is_here_synchronized {
            "this host's is too"
        } else {
            "this host's is not"
        };
        let judged = match (error.synchronized(), offset(seen)) {
            (true, _) if source == Some(LOCAL) => Judged::warn(
                "the Error Estimate says that the clock is synchronized, and Timestamp Information that it runs freely",
            )
            .advise("trust neither: report it to the vendor (RFC 4656 section 4.1.2, RFC 8972 section 4.3)"),
            (true, Some((offset_ns, bound_ns)))
                if offset_ns.unsigned_abs()
                    > bound_ns.saturating_add(error_ns).saturating_add(here_ns) =>
            {
                let advice = if is_here_synchronized {
                    "one of the two clocks is wrong: look at both"
                } else {
                    "this host's clock is not synchronized: synchronize it first"
                };
                Judged::warn(format!(
                    "the reflector claims a synchronized clock with an error of {}, and the clocks are {} apart",
                    units::span(error_ns),
                    units::span(offset_ns.unsigned_abs())
                ))
                .advise(advice)
            }
            (true, _) => Judged::ok(format!(
                "the reflector's clock is synchronized, as it says, with an error of {}; {this_host}",
                units::span(error_ns)
            )),
            (false, _) => Judged::ok("the reflector says that its clock is not synchronized"),
        };
        claims(judged).with("error_ns", error_ns)
    }
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
    let bound_ns = (round_trip / 2).saturating_add(STAMP_ERROR_NS);
    Some((offset, u64::try_from(bound_ns).ok()?))
}
