//! Findings about a run: what is known if nothing came back, and the limits of its figures. Values
//! only; the binary puts them into words.
//!
//! A new finding needs a row in the table of its subject, a decision next to it, and its words in
//! the binary.

macro_rules! findings {
    ($(#[$about:meta])* pub enum $Subject:ident {$(
        $(#[$doc:meta])*
        $severity:ident $key:literal $name:ident
            $(($values:ty))?
            $({ $( $(#[$field_doc:meta])* $field:ident: $type:ty, )* })?
    )*}) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "key")]
        pub enum $Subject {$(
            $(#[$doc])*
            #[serde(rename = $key)]
            $name $(($values))? $({ $( $(#[$field_doc])* $field: $type, )* })?,
        )*}

        impl $Subject {
            /// The keys of this subject with their usual severities.
            pub const KEYS: &[(&str, $crate::Severity)] = &[$(($key, $crate::Severity::$severity),)*];

            pub(super) const fn defaults(&self) -> (&'static str, $crate::Severity) {
                match self {$(
                    Self::$name { .. } => ($key, $crate::Severity::$severity),
                )*}
            }
        }

        impl From<$Subject> for $crate::Finding {
            fn from(finding: $Subject) -> Self {
                Self::$Subject(finding)
            }
        }
    };
}

mod captured;
mod clocks;
mod control;
mod coverage;
mod delays;
mod directions;
mod far_end;
mod far_times;
mod host;
mod losses;
mod not_read;
mod raw_file;
mod sending;
mod silence;
mod sizes;
mod stamps;
mod stored;
mod unreached;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use captured::Captured;
pub use clocks::{Clocks, NTP_PPM};
pub use control::Control;
pub use directions::{CountedLosses, NoDirection};
pub use far_end::{FarEnd, TlvReason};
pub use far_times::{FarFault, FarStamps};
pub use host::Host;
pub use losses::Losses;
pub use not_read::NotRead;
pub use raw_file::{Difference, RawFile};
pub use silence::{Ids, Others, Silence};
pub use stored::Stored;
pub use unreached::{IcmpCause, Unreached};

pub use clocks::steps;
pub use delays::{implausible, negative};
pub use sizes::large_lost;

pub(crate) use clocks::estimated;
pub(crate) use coverage::{KEY as INCOMPLETE, renew as renew_coverage};
pub(crate) use directions::renew as renew_directions;
pub(crate) use far_times::renew as renew_far_times;
pub(crate) use silence::beside;

use crate::SessionReport;

/// A one-way delay may be this far below zero because of its timestamps, without showing an error
/// of the clocks.
pub(crate) const STAMP_ERROR_NS: i64 = 100_000;

/// The most findings of a session in a file.
const MOST_FINDINGS: usize = 1_024;
/// The most values in a list of a finding.
const MOST_VALUES: usize = 64;

/// Whether the figures can be trusted without this finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The figures are misleading without it: printed as a warning.
    Warning,
    /// The figures can be trusted without it.
    Remark,
}

/// A finding in words, as in JSON and files: one line, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// [`Finding::key`].
    pub key: Cow<'static, str>,
    /// [`Severity::Warning`].
    pub warning: bool,
    /// One line, lower case start, no full stop, with figures.
    pub line: String,
}

/// A finding. The keys are for machines and do not change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Finding {
    /// Nothing came back.
    Silence(Silence),
    /// An ICMP error came back.
    Unreached(Unreached),
    /// The validity of one-way figures.
    Clocks(Clocks),
    /// The validity of the reflector's times.
    FarStamps(FarStamps),
    /// Peculiarities of the far end.
    FarEnd(FarEnd),
    /// The validity of losses.
    Losses(Losses),
    /// What this host did not do as requested.
    Host(Host),
    /// The control connection.
    Control(Control),
    /// Data missing in raw files.
    RawFile(RawFile),
    /// Limits of rows of intervals.
    Stored(Stored),
    /// Limits of a capture.
    Captured(Captured),
    /// Packets of a capture that were not read.
    NotRead(NotRead),
    /// In the words of the program that wrote the file: of a version before findings were values, or of a later one.
    Written(Note),
}

impl Finding {
    fn defaults(&self) -> (&'static str, Severity) {
        match self {
            Self::Silence(finding) => finding.defaults(),
            Self::Unreached(finding) => finding.defaults(),
            Self::Clocks(finding) => finding.defaults(),
            Self::FarStamps(finding) => finding.defaults(),
            Self::FarEnd(finding) => finding.defaults(),
            Self::Losses(finding) => finding.defaults(),
            Self::Host(finding) => finding.defaults(),
            Self::Control(finding) => finding.defaults(),
            Self::RawFile(finding) => finding.defaults(),
            Self::Stored(finding) => finding.defaults(),
            Self::Captured(finding) => finding.defaults(),
            Self::NotRead(finding) => finding.defaults(),
            Self::Written(note) if note.warning => ("", Severity::Warning),
            Self::Written(_) => ("", Severity::Remark),
        }
    }

    /// Short fixed key for machines: `clocks-not-synchronized`, `nothing-came-back`, ...
    pub fn key(&self) -> Cow<'static, str> {
        if let Self::Written(note) = self {
            note.key.clone()
        } else {
            Cow::Borrowed(self.defaults().0)
        }
    }

    /// Whether the figures can be trusted without it; for some findings that depends on their
    /// values.
    pub fn severity(&self) -> Severity {
        let warns = if let Self::Silence(Silence::AnswersFromElsewhere { is_silent, .. }) = self {
            *is_silent
        } else if let Self::RawFile(RawFile::Merged { differences, .. }) = self {
            !differences.is_empty()
        } else if let Self::RawFile(RawFile::RunPart {
            first,
            until,
            has_end,
            ..
        }) = self
        {
            *first == 1 && until.is_some() && !has_end
        } else if let Self::Captured(Captured::Unmatched { count, packets }) = self {
            count.saturating_mul(100) > *packets
        } else if let Self::Captured(Captured::MissingRequests {
            count,
            numbers,
            answered,
        }) = self
        {
            *answered > 0 || u128::from(*count) * 100 >= u128::from(*numbers)
        } else {
            return self.defaults().1;
        };
        if warns {
            Severity::Warning
        } else {
            Severity::Remark
        }
    }

    /// Whether the figures are misleading without it.
    pub fn is_warning(&self) -> bool {
        self.severity() == Severity::Warning
    }

    /// It concerns one of several sessions to a far end that answers others.
    pub fn has_answered_others(&self) -> bool {
        if let Self::Silence(Silence::NothingCameBack { others, .. }) = self {
            others.is_some()
        } else if let Self::Unreached(unreached) = self {
            unreached.cause().others.is_some()
        } else {
            false
        }
    }

    /// Something was asked of the far end that it did not do, or that cannot be seen here: to be known
    /// wherever the figures are, though they can be trusted.
    pub fn is_of_request(&self) -> bool {
        if let Self::FarEnd(finding) = self {
            finding.is_of_request()
        } else {
            matches!(self, Self::Silence(Silence::FiguresAtFarEnd { .. }))
        }
    }

    /// The finding together with its words.
    pub fn note(&self, line: String) -> Note {
        Note {
            key: self.key(),
            warning: self.is_warning(),
            line,
        }
    }
}

/// Findings of a file. Those of a later version are empty until [`in_words`] adds the file's words.
pub(crate) fn from_file<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Finding>, D::Error> {
    let values = Vec::<Value>::deserialize(from)?;
    let nothing = || {
        Finding::Written(Note {
            key: Cow::Borrowed(""),
            warning: false,
            line: String::new(),
        })
    };
    let findings = values
        .into_iter()
        .take(MOST_FINDINGS)
        .map(|value| Finding::deserialize(bounded(value)).unwrap_or_else(|_| nothing()));
    Ok(findings.collect())
}

/// Whether it contains an address in brackets with a zone.
fn has_zone(line: &str) -> bool {
    let mut inside = line.split('[').skip(1);
    inside.any(|rest| {
        rest.split_once(']')
            .is_some_and(|(address, _)| address.contains('%'))
    })
}

/// Shortens its lists to the length that this program writes.
fn bounded(value: Value) -> Value {
    match value {
        Value::Array(values) => values.into_iter().take(MOST_VALUES).map(bounded).collect(),
        Value::Object(members) => {
            let members = members.into_iter();
            Value::Object(members.map(|(key, value)| (key, bounded(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// Combines the findings of a file with its notes, which are the same in words: findings unknown to
/// this version keep the file's words.
pub(crate) fn in_words(findings: Vec<Finding>, notes: Vec<Note>) -> Vec<Finding> {
    let mut findings = findings.into_iter();
    let findings = notes.into_iter().take(MOST_FINDINGS).map(|note| {
        // Interface numbers are those of the measuring host, whose notes contain the names.
        let known = findings.next().filter(|_| !has_zone(&note.line));
        let known = known.filter(|known| known.key() == note.key);
        known.unwrap_or(Finding::Written(note))
    });
    findings.collect()
}

/// Warnings first, otherwise in the original order.
pub fn sort(findings: &mut [Finding]) {
    findings.sort_by_key(|finding| !finding.is_warning());
}

/// All findings about `report` itself, warnings first.
pub fn decide(report: &SessionReport) -> Vec<Finding> {
    let mut findings = Vec::new();
    let left = report.counters.sent + report.counters.in_flight;
    if report.counters.received > 0 {
        findings.extend(silence::forged(report).map(Finding::from));
        findings.extend(silence::other_mode(report).map(Finding::from));
        findings.extend(silence::other_micro_session(report).map(Finding::from));
        findings.extend(far_times::of(report).into_iter().map(Finding::from));
        findings.extend(clocks::claims(report).into_iter().map(Finding::from));
        findings.extend(implausible(report).map(Finding::from));
        far_end::of(report, &mut findings);
    } else if report.counters.unawaited > 0 {
        // Only a refusal is known of them.
        findings.extend(unreached::of(report).map(Finding::from));
    } else if report.counters.sent > 0 {
        findings.push(silence::of(report));
    } else if left > 0 {
        // Stopped before any fate was known: only a refusal is informative.
        findings.extend(unreached::of(report).map(Finding::from));
    }
    findings.extend(silence::far_end(report));
    findings.extend(sending::of(report).into_iter().map(Finding::from));
    findings.extend(coverage::incomplete(report, report.refusals.send).map(Finding::from));
    findings.extend(sending::late(report).into_iter().map(Finding::from));
    findings.extend(sizes::left_out(report).map(Finding::from));
    findings.extend(large_lost(report).map(Finding::from));
    stamps::of(report, &mut findings);
    sort(&mut findings);
    findings
}

/// What the replies of a session show, as a capture has them: what the far end did, and which replies its
/// sender could not use.
pub fn of_replies(report: &SessionReport) -> Vec<Finding> {
    let mut findings = Vec::new();
    let refused = [
        silence::forged(report),
        silence::other_micro_session(report),
    ];
    findings.extend(refused.into_iter().flatten().map(Finding::from));
    if report.counters.received > 0 {
        far_end::of(report, &mut findings);
    } else {
        findings.extend(silence::other_ssid(report).map(Finding::from));
        findings.extend(far_end::return_path(report).map(Finding::from));
    }
    findings.extend(silence::far_end(report));
    findings
}

#[cfg(test)]
pub(crate) mod tests;
