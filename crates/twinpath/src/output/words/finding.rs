//! The English of findings: a fact with its number, then what follows from it or what to do. One `match` without a
//! wildcard per subject.

mod captured;
mod clocks;
mod control;
mod far_end;
mod far_times;
mod host;
mod in_vain;
mod losses;
mod not_read;
mod raw_file;
mod silence;
mod stored;
mod tlvs;
mod unreached;

use twinpath_report::{ControlReport, Finding, Note, SessionReport};

use super::refusal;

pub(crate) use host::{missed_departures, no_hardware};
pub(crate) use in_vain::in_vain;

/// The most characters of a line.
const LONGEST: usize = 4_096;

/// One line, lower case start, no full stop.
pub(crate) fn line(finding: &Finding) -> String {
    match finding {
        Finding::Silence(finding) => silence::line(finding),
        Finding::Unreached(finding) => unreached::line(finding),
        Finding::Clocks(finding) => clocks::line(finding),
        Finding::FarStamps(finding) => far_times::line(finding),
        Finding::FarEnd(finding) => far_end::line(finding),
        Finding::Losses(finding) => losses::line(finding),
        Finding::Host(finding) => host::line(finding),
        Finding::Control(finding) => control::line(finding),
        Finding::RawFile(finding) => raw_file::line(finding),
        Finding::Stored(finding) => stored::line(finding),
        Finding::Captured(finding) => captured::line(finding),
        Finding::NotRead(finding) => not_read::line(finding),
        Finding::Written(note) => note.line.clone(),
    }
}

/// All findings in words.
pub(crate) fn notes(findings: &[Finding]) -> Vec<Note> {
    let notes = findings.iter().map(|finding| {
        let mut line = line(finding);
        // For findings of a file, whose lists may be long.
        if let Some((end, _)) = line.char_indices().nth(LONGEST) {
            line.truncate(end);
        }
        finding.note(line)
    });
    notes.collect()
}

/// Puts the findings of reports into words; call again after adding findings.
pub(crate) fn put<'a>(
    reports: impl IntoIterator<Item = &'a mut SessionReport>,
    control: Option<&mut ControlReport>,
) {
    for report in reports {
        report.notes = notes(&report.findings);
    }
    if let Some(control) = control {
        control.notes = notes(&control.findings);
        for session in &mut control.refused {
            if let Some(remedy) = session.remedy {
                session.advice = refusal::advice(session.refusal, remedy);
            }
        }
    }
}

/// ` WORDS` if they apply.
fn if_so(holds: bool, words: &'static str) -> &'static str {
    if holds { words } else { "" }
}

fn packets(number: u64) -> String {
    super::count(number, "packet", "packets")
}

fn replies(number: u64) -> String {
    super::count(number, "reply", "replies")
}

/// ` (3 times)` if more than once.
fn times(number: u64) -> String {
    if number == 1 {
        String::new()
    } else {
        format!(" ({number} times)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A finding of each kind.
    const SAMPLES: &str = include_str!("../../../../../testdata/findings.jsonl");

    #[test]
    fn each_finding_has_its_words() {
        let mut lines = Vec::new();
        for sample in SAMPLES.lines() {
            let finding: Finding = serde_json::from_str(sample).unwrap();
            let line = line(&finding);
            let is_plain = !line.ends_with('.') && !line.contains("  ") && !line.contains('\n');
            assert!(is_plain, "{line}");
            let mark = if finding.is_warning() { "!" } else { " " };
            lines.push(format!("{mark} {}: {line}", finding.key()));
        }
        insta::assert_snapshot!(lines.join("\n"));
    }
}
