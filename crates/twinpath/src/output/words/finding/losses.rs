//! What losses are worth.

use std::time::Duration;

use twinpath_report::finding::{Losses, NoDirection};

use super::{packets, replies};
use crate::output::units::{asked, count};

pub(super) fn line(finding: &Losses) -> String {
    match finding {
        Losses::DirectionUnknown { reason } => match reason {
            NoDirection::DeclaredStateless => {
                "the reflector is declared to have no counter of its own (--reflector stateless): the \
                 direction of the losses is unknown"
            }
            NoDirection::NoCounter => {
                "the reflector shows no counter of its own: the direction of the losses is unknown \
                 (--reflector stateful, if it counts)"
            }
            NoDirection::NothingAfter => {
                "nothing was answered after the losses: their direction is unknown"
            }
            NoDirection::NoneAttributed => {
                "no loss has a direction: nothing was answered after it, or the reflector's counter had \
                 started before"
            }
        }
        .to_owned(),
        // Its numbers are its own (RFC 5357 section 4.2.1).
        Losses::NumbersEqual {
            is_negotiated: true,
        } => "the reflector's number was the sender's in every reply: if it copies them, losses inbound \
              may be losses outbound"
            .to_owned(),
        Losses::NumbersEqual { .. } => {
            "the reflector's number was the sender's in every reply, and the split of losses rests on \
             --reflector stateful alone: if it copies them, losses inbound may be losses outbound"
                .to_owned()
        }
        Losses::DirectionUncertain => "the reflector's numbers contradict each other: the split of \
                                       losses by direction may be off"
            .to_owned(),
        Losses::Late { count } => {
            format!("{} came after the timeout: counted as lost", replies(*count))
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
            asked(Duration::from_nanos(*ns))
        ),
    });
    let what: Vec<String> = [unsent, empty].into_iter().flatten().collect();
    format!("{}: loss and availability are unknown", what.join(", "))
}
