//! Plain data of the run and what stands for it in a file, one to the other.

use serde::Deserialize as _;
use serde_json::Value;
use twinpath_proto::{Refusal, Step};
use twinpath_report::{Attempt, Finding, IcmpCount, Note, RefusedSession};
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
            remedy: None,
            advice: plain(&self.advice),
        })
    }
}

/// Findings as a file has them beside their notes.
pub(super) fn values(findings: &[Finding]) -> Vec<Value> {
    let values = findings.iter().map(serde_json::to_value);
    values.map(Result::unwrap_or_default).collect()
}

/// Findings of a file: those that this version knows, and of the others their words.
pub(super) fn findings(values: &[Value], notes: &[Note]) -> Vec<Finding> {
    let findings = notes.iter().enumerate().map(|(place, note)| {
        let known = values.get(place).map(plain_value);
        let known = known.and_then(|value| Finding::deserialize(value).ok());
        let known = known.filter(|finding: &Finding| finding.key() == note.key);
        known.unwrap_or_else(|| {
            Finding::Written(Note {
                key: plain(&note.key).into(),
                warning: note.warning,
                line: plain(&note.line),
            })
        })
    });
    findings.collect()
}

/// Values in a list of a finding at most.
const MOST_VALUES: usize = 64;

/// All strings in it as a terminal may have them.
fn plain_value(value: &Value) -> Value {
    match value {
        Value::String(text) => plain(text).into(),
        Value::Array(values) => values.iter().take(MOST_VALUES).map(plain_value).collect(),
        Value::Object(members) => {
            let members = members.iter();
            Value::Object(
                members
                    .map(|(key, value)| (key.clone(), plain_value(value)))
                    .collect(),
            )
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use twinpath_report::finding::Losses;

    use super::*;

    #[test]
    fn findings_of_older_and_later_versions_have_the_words_of_their_file() {
        let note = |key: &str| Note {
            key: key.to_owned().into(),
            warning: true,
            line: format!("{key} in words"),
        };
        let late = Finding::from(Losses::Late { count: 3 });
        let known = json!({"key": "late", "count": 3});
        for (values, key, expected) in [
            (vec![], "late", None),
            (vec![known.clone()], "late", Some(late)),
            (vec![known], "icmp", None),
            (vec![json!({"key": "late", "number": 3})], "late", None),
            (
                vec![json!({"key": "of-tomorrow", "count": 3})],
                "of-tomorrow",
                None,
            ),
        ] {
            let expected = expected.unwrap_or_else(|| Finding::Written(note(key)));
            assert_eq!(findings(&values, &[note(key)]), [expected], "{values:?}");
        }
    }
}
