//! Whether TWAMP Light is answered (RFC 5357 Appendix I).

use super::udp::at_places;
use crate::doctor::train::LIGHT;
use crate::doctor::{Ask, Check, Cost, Judged, Seen};

pub(super) struct Answers;

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
            .map(|far| Ask::Train(far, &LIGHT))
            .collect()
    }

    fn judge(&self, seen: &Seen) -> Judged {
        let Some(exchange) = seen.light() else {
            return Judged::skipped("TWAMP Light is not answered");
        };
        let answered = (0..exchange.requests.len())
            .filter(|place| exchange.replies_to(*place).next().is_some())
            .count();
        let sent = exchange.requests.len();
        let finding = format!(
            "{} answers TWAMP Light: {answered} of {sent} packets",
            exchange.far
        );
        let judged = if answered == sent {
            Judged::ok(finding)
        } else {
            Judged::warn(finding).advise("measure its loss with more packets before anything else")
        };
        judged.with("port", exchange.far.port())
    }
}
