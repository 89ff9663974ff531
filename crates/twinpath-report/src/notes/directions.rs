//! Remarks on the direction of losses: what is taken for it, and what it rests on (row M-30). They
//! hang on the figures alone, so that a saved run has them anew where it is told more of its
//! reflector.

use twinpath_metrics::ReflectorKind;
use twinpath_proto::sender::Protocol;

use super::remark;
use crate::{Note, SessionReport};

const UNKNOWN: &str = "direction-unknown";
const EQUAL: &str = "numbers-equal";
const UNCERTAIN: &str = "direction-uncertain";

/// What there is to say of the report's losses.
pub(super) fn of(report: &SessionReport) -> Vec<Note> {
    let figures = &report.figures;
    let mut notes = Vec::new();
    if figures.lost > 0 {
        notes.extend(unknown(report).map(|line| remark(UNKNOWN, line.to_owned())));
        notes.extend(equal(report).map(|line| remark(EQUAL, line.to_owned())));
    }
    if figures.direction_uncertain {
        let line = "the reflector's numbers contradict each other: the split of losses by direction may \
                    be off";
        notes.push(remark(UNCERTAIN, line.to_owned()));
    }
    notes
}

/// Puts these remarks in the place of those that the report has.
pub(crate) fn renew(report: &mut SessionReport) {
    let ours = |note: &Note| [UNKNOWN, EQUAL, UNCERTAIN].contains(&&*note.key);
    let at = report.notes.iter().position(ours);
    report.notes.retain(|note| !ours(note));
    if report.tally.received > 0 {
        let at = at.unwrap_or(report.notes.len()).min(report.notes.len());
        let new = of(report);
        report.notes.splice(at..at, new);
    }
}

/// Why no loss has a direction, and what helps.
fn unknown(report: &SessionReport) -> Option<&'static str> {
    let figures = &report.figures;
    let told = figures.lost_before_a_reply > 0;
    match (report.config.reflector, figures.lost_forward) {
        (ReflectorKind::Stateless, _) => Some(
            "the reflector is taken to keep no counter of its own (--reflector stateless): the \
             direction of the losses is not known",
        ),
        (ReflectorKind::Undeclared, None) if told => Some(
            "the reflector shows no counter of its own: the direction of the losses is not known \
             (--reflector stateful, if it counts)",
        ),
        (ReflectorKind::Undeclared, None) => {
            Some("nothing was answered after the losses: their direction is not known")
        }
        (_, Some(_)) if !told && figures.lost > figures.late => Some(
            "no loss has a direction: nothing was answered after it, or the reflector's counter had \
             begun before",
        ),
        (ReflectorKind::Undeclared | ReflectorKind::Stateful, _) => None,
    }
}

/// What the split rests on where the reflector's numbers are the sender's.
fn equal(report: &SessionReport) -> Option<&'static str> {
    let figures = &report.figures;
    let rests = figures.numbers_equal
        && figures.lost_before_a_reply > 0
        && report.config.reflector == ReflectorKind::Stateful;
    rests.then_some(match report.protocol {
        // Its numbers are its own (RFC 5357 section 4.2.1).
        Protocol::Twamp(_) => {
            "the reflector's number was the sender's in every reply: if it copies them, losses inbound \
             may be losses outbound"
        }
        Protocol::TwampLight | Protocol::Stamp { .. } => {
            "the reflector's number was the sender's in every reply, and the split of losses rests on \
             --reflector stateful alone: if it copies them, losses inbound may be losses outbound"
        }
    })
}
