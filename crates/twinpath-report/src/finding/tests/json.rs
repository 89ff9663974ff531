//! Findings as JSON and raw files have them.

use crate::finding::*;

/// A finding of each kind, as JSON and files have it.
const SAMPLES: &str = include_str!("../../../../../testdata/findings.jsonl");

fn sample(line: &str) -> Finding {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))
}

#[test]
fn a_finding_of_each_kind_comes_back_from_json_as_it_was() {
    let mut found = Vec::new();
    for line in SAMPLES.lines() {
        let finding = sample(line);
        assert!(!matches!(finding, Finding::Written(_)), "{line}");
        assert_eq!(serde_json::to_string(&finding).unwrap(), line);
        found.push(finding);
    }
    let kinds = [
        Silence::KEYS,
        Unreached::KEYS,
        Clocks::KEYS,
        FarStamps::KEYS,
        FarEnd::KEYS,
        Losses::KEYS,
        Host::KEYS,
        Control::KEYS,
        RawFile::KEYS,
        Captured::KEYS,
        NotRead::KEYS,
    ]
    .concat();
    for (key, severity) in &kinds {
        let mut samples = found.iter().filter(|finding| finding.key() == *key);
        let as_usual = samples.any(|finding| finding.severity() == *severity);
        assert!(as_usual, "{key} has no sample in testdata/findings.jsonl");
        let same = kinds.iter().filter(|(other, _)| other == key);
        assert_eq!(same.count(), 1, "{key}");
    }
}

#[test]
fn findings_whose_weight_depends_on_their_values_are_warnings_only_then() {
    let warns: Vec<(String, bool)> = SAMPLES
        .lines()
        .map(sample)
        .map(|finding| (finding.key().into_owned(), finding.is_warning()))
        .collect();
    for key in [
        "answers-from-elsewhere",
        "merged",
        "capture-unmatched",
        "missing-requests",
    ] {
        for warning in [false, true] {
            assert!(
                warns.contains(&(key.to_owned(), warning)),
                "{key} {warning}"
            );
        }
    }
}

#[test]
fn findings_of_another_version_keep_their_words() {
    let line = r#"{"key":"of-tomorrow","warning":true,"line":"something new: 3"}"#;
    let finding: Finding = serde_json::from_str(line).unwrap();
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.key(), "of-tomorrow");
    assert_eq!(serde_json::to_string(&finding).unwrap(), line);
}
