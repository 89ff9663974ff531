//! Plain data of the run and what stands for it in a file, one to the other.

use twinpath_proto::{Refusal, Step};
use twinpath_report::{Attempt, IcmpCount, Note, RefusedSession};
use twinpath_wire::Tos;
use twinpath_wire::control::Sid;

use super::RefusedFacts;

impl From<&RefusedSession> for RefusedFacts {
    fn from(session: &RefusedSession) -> Self {
        Self {
            number: u32::try_from(session.number).unwrap_or(u32::MAX),
            tos: session.dscp.tos().0,
            step: session.refusal.step.name().to_owned(),
            accept: session.refusal.octet,
            advice: session.advice.clone(),
        }
    }
}

const STEPS: [Step; 4] = [Step::SetUp, Step::Request, Step::Start, Step::Stop];

impl RefusedFacts {
    /// `None`: a step that this version does not know.
    pub(super) fn session(&self) -> Option<RefusedSession> {
        let step = STEPS.into_iter().find(|step| step.name() == self.step)?;
        Some(RefusedSession {
            number: usize::try_from(self.number).ok()?,
            dscp: Tos(self.tos).dscp(),
            refusal: Refusal {
                step,
                octet: self.accept,
            },
            advice: plain(&self.advice),
        })
    }
}

/// Remarks of a file.
pub(super) fn plain_notes(notes: &[Note]) -> Vec<Note> {
    let notes = notes.iter().map(|note| Note {
        key: plain(&note.key).into(),
        line: plain(&note.line),
        ..*note
    });
    notes.collect()
}

pub(super) fn plain_errors(icmp: &[IcmpCount]) -> Vec<IcmpCount> {
    let counts = icmp.iter().map(|icmp| IcmpCount {
        what: plain(&icmp.what),
        ..*icmp
    });
    counts.collect()
}

pub(super) fn plain_attempts(attempts: &[Attempt]) -> Vec<Attempt> {
    let attempts = attempts.iter().map(|attempt| Attempt {
        error: plain(&attempt.error),
        ..*attempt
    });
    attempts.collect()
}

/// Characters of a remark at most.
const LONGEST: usize = 4_096;

/// What a file says, as a terminal may have it: one line of plain characters, and one that ends.
pub(super) fn plain(text: &str) -> String {
    // Some that are no control characters turn the direction of what follows.
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c| matches!(c, '\u{2028}' | '\u{2029}');
    text.chars()
        .take(LONGEST)
        .map(|c| {
            if c.is_control() || turns(c) || breaks(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}

pub(super) fn sid(hex: &str) -> Option<Sid> {
    let number = u128::from_str_radix(hex, 16).ok()?;
    Some(Sid(number.to_be_bytes()))
}
