//! Whether TWAMP Light is answered (RFC 5357 Appendix I).

use std::time::Duration;

use super::udp::at_places;
use crate::doctor::packets::PacketSecurity;
use crate::doctor::train::{AGAIN, LIGHT};
use crate::doctor::{Ask, Check, Cost, Exchange, Judged, Seen};
use crate::output::units;

pub(super) struct Answers;

/// Replies that take longer are late for most tools.
const LATE: Duration = Duration::from_secs(1);

impl Check for Answers {
    fn id(&self) -> &'static str {
        "light.answers"
    }

    fn costs(&self) -> Vec<Cost> {
        at_places(&LIGHT)
    }

    fn asks(&self, seen: &Seen) -> Vec<Ask> {
        seen.places()
            .into_iter()
            .map(|far| Ask::Train(far, &LIGHT, PacketSecurity::Open))
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(exchange) = seen.light() else {
            return silent(seen);
        };
        let far = exchange.far;
        let trains = [&LIGHT, &AGAIN].into_iter();
        let trains = trains.filter_map(|kind| seen.train(far, kind));
        let (mut sent, mut answered) = (0, 0);
        for train in trains {
            let places = 0..train.requests.len();
            sent += places.len();
            answered += places
                .filter(|place| train.replies_to(*place).next().is_some())
                .count();
        }
        let takes = late(&exchange).map_or_else(String::new, |after| {
            format!("; replies take {}", units::took(after))
        });
        let finding = format!("{far} answers TWAMP Light: {answered} of {sent} packets{takes}");
        let judged = if answered == sent {
            Judged::ok(finding)
        } else {
            Judged::warn(finding).advise("measure its loss with more packets before anything else")
        };
        judged.with("port", far.port())
    }
}

/// How long a round trip takes that is longer than most tools wait; `None`: it is not.
fn late(exchange: &Exchange<'_>) -> Option<Duration> {
    let trip = exchange.round_trips().next()?;
    let took = Duration::from_nanos(u64::try_from((trip.t4 - trip.t1).ns()).ok()?);
    (took > LATE).then_some(took)
}

/// Nothing answers it. Something may answer longer packets.
fn silent(seen: &Seen) -> Judged {
    let Some(stamp) = seen.stamp() else {
        return Judged::skipped("TWAMP Light is not answered");
    };
    let far = stamp.far;
    if seen.is_lossy() {
        return Judged::unknown(format!(
            "{far} answers no packet of TWAMP Light, and others are lost too"
        ));
    }
    Judged::warn(format!(
        "{far} answers STAMP, and does not answer TWAMP Light"
    ))
    .advise("measure it with --stamp; without it, all packets would be lost")
}
