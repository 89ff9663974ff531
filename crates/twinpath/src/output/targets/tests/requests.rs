//! What was asked for: with no reply, with TLVs, on member links.

use twinpath_report::MicroSession;
use twinpath_report::finding::{FarEnd, Silence};

use super::super::*;
use super::text;
use crate::output::fixtures::{self, to};
use crate::output::words;

#[test]
fn targets_that_need_not_answer_were_sent_to_and_the_note_says_where_figures_are() {
    let silent = || {
        let mut report = fixtures::nothing_came_back();
        (report.counters.lost, report.counters.unawaited) = (0, 100);
        (report.figures.lost, report.figures.unawaited) = (0, 100);
        let to = None;
        report.findings = vec![Silence::FiguresAtFarEnd { count: 100, to }.into()];
        report.notes = words::finding::notes(&report.findings);
        report
    };
    let reports = [to("a", None, silent()), to("b", None, silent())];
    let said = text(&reports, &[], false);
    let sentence = "2 of 2 targets with unknown loss: packets were not to be answered here\n";
    assert!(said.starts_with(sentence), "{said}");
    let said = said.replace("\n  ", " ");
    let note = "\nnote: 100 packets were not to be answered here (Return Path): if the far end accepts them, ";
    assert!(
        said.contains(note) && said.contains(" (2 sessions)\n"),
        "{said}"
    );
    let reports = [to("a", Some(1), silent()), to("a", Some(2), silent())];
    let said = text(&reports, &[], false);
    let sentence = "a: loss unknown: packets were not to be answered here\n";
    assert!(said.starts_with(sentence), "{said}");
}

#[test]
fn what_was_asked_for_and_not_done_is_said_of_each_target() {
    let mut refused = fixtures::quiet_path();
    refused.findings = vec![FarEnd::ReturnPathNotUsed { count: 100 }.into()];
    refused.notes = words::finding::notes(&refused.findings);
    let reports = [
        to("a", None, fixtures::quiet_path()),
        to("b", None, refused.clone()),
        to("c", None, refused.clone()),
    ];
    let said = text(&reports, &[], false).replace("\n  ", " ");
    let sentence = "No loss: 3 targets answered every packet; \
                    2 of 3 targets: replies took the ordinary way, not the Return Path\n";
    assert!(said.starts_with(sentence), "{said}");
    let note = "\nnote: 100 replies came by the ordinary way: ";
    assert!(
        said.contains(note) && said.contains(" (2 sessions)\n"),
        "{said}"
    );
    let reports = [
        to("b", Some(1), refused),
        to("b", Some(2), fixtures::quiet_path()),
    ];
    let said = text(&reports, &[], false).replace("\n  ", " ");
    let part = "; 1 of 2 sessions: replies took the ordinary way, not the Return Path\n";
    assert!(
        said.starts_with("b: no loss on 2 paths") && said.contains(part),
        "{said}"
    );
}

#[test]
fn sessions_of_a_target_that_could_not_be_measured_come_first() {
    let failed = |target: &str, sessions| FailedTarget {
        target: target.to_owned(),
        error: "cannot bind to interface eth3: No such device (1 of its 2 sessions)".to_owned(),
        sessions,
        file: None,
    };
    let reports = [to("a", Some(1), fixtures::quiet_path())];
    let said = text(&reports, &[failed("a", Some(1))], false);
    let sentence = "a: 1 of 2 sessions could not be measured; no loss on 1 path\n";
    assert!(said.starts_with(sentence), "{said}");
    let reports = [
        to("a", Some(1), fixtures::quiet_path()),
        to("b", Some(1), fixtures::quiet_path()),
    ];
    let said = text(&reports, &[failed("a", Some(1)), failed("c", None)], false);
    let said = said.replace("\n  ", " ");
    let sentence = "No loss: 2 targets answered every packet; 1 target could not be measured; \
                    1 target measured only in part\n";
    assert!(said.starts_with(sentence), "{said}");
}

#[test]
fn micro_sessions_without_interfaces_fit_the_table_and_only_their_numbers_are_checked() {
    let session = |id, interface: Option<&str>| {
        let mut report = to("a", Some(id), fixtures::quiet_path());
        report.identity.micro_session = Some(MicroSession {
            id,
            far_id: None,
            interface: interface.map(str::to_owned),
        });
        report
    };
    let numbers = text(&[session(1, None), session(2, None)], &[], false);
    assert!(numbers.contains("\npath 1 (ID 1) "), "{numbers}");
    let head = numbers.lines().find(|line| line.starts_with("Path"));
    assert!(head.unwrap().contains("Median"), "{numbers}");
    let note = "note: of Micro-session IDs only numbers are checked";
    assert!(numbers.contains(note), "{numbers}");
    let links = text(
        &[session(1, Some("m1")), session(2, Some("m2"))],
        &[],
        false,
    );
    assert!(!links.contains(note), "{links}");
}
