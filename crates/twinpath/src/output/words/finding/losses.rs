//! The validity of losses.

use std::time::Duration;

use twinpath_report::finding::{CountedLosses, Losses, NoDirection};

use super::{packets, replies};
use crate::output::units::{count, time};

pub(super) fn line(finding: &Losses) -> String {
    match finding {
        Losses::DirectionUnknown { reason, counted } => no_direction(*reason, *counted),
        // Its numbers are its own (RFC 5357 section 4.2.1).
        Losses::NumbersEqual {
            is_negotiated: true,
        } => "the reflector's number equalled the sender's in every reply: if it copies the number, inbound losses may be outbound"
            .to_owned(),
        Losses::NumbersEqual { .. } => {
            "the reflector's number equalled the sender's in every reply, so the direction of losses relies only on --reflector stateful: if it copies the number, inbound losses may be outbound"
                .to_owned()
        }
        Losses::DirectionUncertain => "the reflector's numbers contradict each other: the split of losses by direction may be wrong"
            .to_owned(),
        Losses::Late { count } => {
            format!("{} arrived after the timeout: counted as lost", replies(*count))
        }
        Losses::LargeLost {
            octets,
            lost,
            sent,
            smaller_lost,
            smaller_sent,
        } => format!(
            "{lost} of {sent} packets of {octets} octets were lost, and {smaller_lost} of {smaller_sent} \
             smaller ones: the path loses large packets (an MTU, fragments)"
        ),
        Losses::IncompletelyMeasured { .. } => incomplete(finding),
    }
}

/// Why, and what Direct Measurement says.
fn no_direction(reason: NoDirection, counted: Option<CountedLosses>) -> String {
    let why = match reason {
        NoDirection::DeclaredStateless => {
            "the reflector is declared stateless (--reflector): losses have no direction"
        }
        NoDirection::SeveralReplies => {
            "each packet was answered by several replies, which the reflector numbers too: losses have no direction"
        }
        NoDirection::NoCounter => {
            "the reflector's numbers show no counter: losses have no direction (if it counts, use --reflector stateful)"
        }
        NoDirection::NothingAfter => {
            "no packet was answered after the losses: their direction is unknown"
        }
        NoDirection::NoneAttributed => {
            "losses have no direction: no packet was answered after them, or the reflector's counter had started earlier"
        }
    };
    let counted = counted.map(|CountedLosses { forward, backward }| {
        format!(
            "; Direct Measurement counts {forward} outbound and {backward} inbound from the first reply to the last"
        )
    });
    format!("{why}{}", counted.unwrap_or_default())
}

/// What was not measured, and why.
fn incomplete(finding: &Losses) -> String {
    let Losses::IncompletelyMeasured {
        unsent,
        due,
        reason,
        unmeasured_blocks,
        measured_blocks,
        block_ns,
        is_of_capture,
    } = finding
    else {
        return String::new();
    };
    let unsent = (*unsent > 0).then(|| {
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        let what = match (is_of_capture, unsent) {
            (true, 1) => "is not in the capture",
            (true, _) => "are not in the capture",
            (false, _) => "could not be sent",
        };
        format!("{unsent} of {} {what}{reason}", packets(*due))
    });
    let word = if *is_of_capture { "captured" } else { "sent" };
    let blocks = |number| count(number, "block", "blocks");
    let empty = (*unmeasured_blocks > 0).then(|| match block_ns {
        0 => format!(
            "nothing was {word} in {} of time",
            blocks(*unmeasured_blocks)
        ),
        ns => format!(
            "nothing was {word} in {unmeasured_blocks} of {} of {}",
            blocks(unmeasured_blocks.saturating_add(*measured_blocks)),
            time(Duration::from_nanos(*ns))
        ),
    });
    let what: Vec<String> = [unsent, empty].into_iter().flatten().collect();
    format!("{}: loss and availability are unknown", what.join(", "))
}
