//! The basis of the direction of losses (row M-30). Decided from the figures alone, so that it can
//! be decided again for a raw file when the user knows more about its reflector.

use serde::{Deserialize, Serialize};
use twinpath_metrics::ReflectorKind;
use twinpath_proto::extension::FactValue;
use twinpath_wire::TlvType;

use super::{Finding, Losses};
use crate::SessionReport;

const KEYS: [&str; 3] = ["direction-unknown", "numbers-equal", "direction-uncertain"];

/// Why losses have no direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoDirection {
    /// The user declared that the reflector does not keep its own counter.
    DeclaredStateless,
    /// It counts all the replies to a request, of which there are several (RFC 10052).
    SeveralReplies,
    /// The reflector shows none.
    NoCounter,
    /// No reply followed the losses.
    NothingAfter,
    /// No reply followed them, or the reflector's counter had started before.
    NoneAttributed,
}

/// Losses by Direct Measurement, from the first reply to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CountedLosses {
    /// Outbound.
    pub forward: i64,
    /// Inbound; below 0 where replies came twice.
    pub backward: i64,
}

impl CountedLosses {
    /// Of a session whose far end counted on without a restart.
    pub fn of(report: &SessionReport) -> Option<Self> {
        let learnt = report.learnt.as_deref()?;
        let mut tlvs = learnt.tlvs.iter();
        let seen = tlvs.find(|seen| seen.kind == TlvType::DIRECT_MEASUREMENT)?;
        let (_, facts) = seen.facts().filter(|_| seen.restarts == 0)?;
        let number = |key| {
            let (_, value) = facts.iter().find(|(name, _)| *name == key)?;
            match value {
                FactValue::Number(number) => Some(*number),
                FactValue::Flag(_) | FactValue::Text(_) => None,
            }
        };
        Some(Self {
            forward: number("forward_lost")?,
            backward: number("backward_lost")?,
        })
    }
}

/// Findings about the report's losses.
pub(super) fn of(report: &SessionReport) -> Vec<Losses> {
    let figures = &report.figures;
    let mut findings = Vec::new();
    if figures.lost > 0 {
        let unknown = unknown(report).map(|reason| Losses::DirectionUnknown {
            reason,
            counted: CountedLosses::of(report),
        });
        findings.extend(unknown);
        // The basis of the split if the reflector's numbers equal the sender's.
        let rests = figures.numbers_equal
            && figures.lost_before_a_reply > 0
            && report.config.reflector == ReflectorKind::Stateful;
        findings.extend(rests.then_some(Losses::NumbersEqual {
            is_negotiated: report.is_negotiated(),
        }));
    }
    if figures.direction_uncertain {
        findings.push(Losses::DirectionUncertain);
    }
    findings
}

/// Decides again, and replaces the report's findings.
pub(crate) fn renew(report: &mut SessionReport) {
    let ours = |finding: &Finding| KEYS.contains(&&*finding.key());
    let at = report.findings.iter().position(ours);
    report.findings.retain(|finding| !ours(finding));
    if report.counters.received > 0 {
        let end = report.findings.len();
        let at = at.unwrap_or(end).min(end);
        let new = of(report);
        let new = new.into_iter().map(Finding::from);
        report.findings.splice(at..at, new);
    }
}

fn unknown(report: &SessionReport) -> Option<NoDirection> {
    let figures = &report.figures;
    let told = figures.lost_before_a_reply > 0;
    let learnt = report.learnt.as_ref();
    let several = learnt.is_some_and(|learnt| learnt.further_replies.expected > 0);
    match (report.config.reflector, figures.lost_forward) {
        (_, None) if several => Some(NoDirection::SeveralReplies),
        (ReflectorKind::Stateless, _) => Some(NoDirection::DeclaredStateless),
        (ReflectorKind::Undeclared, None) if told => Some(NoDirection::NoCounter),
        (ReflectorKind::Undeclared, None) => Some(NoDirection::NothingAfter),
        (_, Some(_)) if !told && figures.lost > figures.late => Some(NoDirection::NoneAttributed),
        (ReflectorKind::Undeclared | ReflectorKind::Stateful, _) => None,
    }
}
