use twinpath_report::Target;

use super::*;
use crate::output::fixtures;

fn to(target: &str, path: Option<u16>, report: SessionReport) -> SessionReport {
    let mut report = report;
    report.identity.target = Some(Target {
        has_moved: false,
        name: target.to_owned(),
        labels: BTreeMap::new(),
        is_listed: false,
    });
    report.identity.path = path;
    report
}

fn text(reports: &[SessionReport], failed: &[FailedTarget], all: bool) -> String {
    let mut out = Vec::new();
    let outcome = Outcome::from(reports).with_failed(failed);
    let differing = Differing::of_reports(reports.into());
    write(outcome, differing, all, Style::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn what_is_worst_comes_first_in_words_and_in_the_table() {
    let reports = [
        to("quiet", None, fixtures::quiet_path()),
        to("lossy", None, fixtures::loss()),
        to("silent", None, fixtures::nothing_came_back()),
    ];
    let failed = [FailedTarget {
        target: "un\u{1b}known".to_owned(),
        error: "cannot resolve it".to_owned(),
    }];
    let text = text(&reports, &failed, false);
    let first = text.split("\n\n").next().unwrap().replace("\n ", "");
    assert!(
        first.starts_with("1 of 3 targets loses packets; worst: lossy, "),
        "{text}"
    );
    assert!(
        first.ends_with("; 1 of 3 targets did not answer: silent; 1 target could not be measured"),
        "{text}"
    );
    let places = ["\nsilent ", "\nlossy ", "\nquiet "].map(|row| text.find(row).unwrap());
    assert!(places.is_sorted(), "{text}");
    assert!(
        text.contains("\nwarning: un?known not measured: cannot resolve it\n"),
        "{text}"
    );
}

#[test]
fn each_of_several_files_has_its_own_sentence_and_the_table_all_of_them() {
    let mut reports = vec![
        to("a", None, fixtures::quiet_path()),
        to("b", None, fixtures::quiet_path()),
        to("a", None, fixtures::quiet_path()),
        to("b", None, fixtures::loss()),
        to("c", None, fixtures::nothing_came_back()),
    ];
    for (number, report) in (1..).zip(&mut reports) {
        report.identity.number = number;
    }
    let files = ["mon", "mon", "tue", "tue", "wed"].map(str::to_owned);
    let mut outcome = Outcome::from(&reports[..]);
    outcome.files = &files;
    let differing = outcome.differing();
    let mut out = Vec::new();
    write(outcome, differing, false, Style::PLAIN, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(said[0], "mon: No loss: 2 targets answered every packet");
    assert!(
        said[1].starts_with("tue: 1 of 2 targets loses packets; worst: b, "),
        "{text}"
    );
    assert_eq!(said.last(), Some(&"wed: 1 of 1 target did not answer: c"));
    let places = ["\nc wed ", "\nb tue ", "\na mon "].map(|row| text.find(row).unwrap());
    assert!(places.is_sorted(), "{text}");

    // Of files that have one session each, every session has its page.
    let files = ["mon", "tue", "wed", "thu", "fri"].map(str::to_owned);
    outcome.files = &files;
    assert!(!outcome.differing().is_mesh());
}

#[test]
fn a_lossy_path_is_named_with_its_port_among_the_others() {
    let mut reports: Vec<SessionReport> = (1..=16)
        .map(|path| to("far", Some(path), fixtures::quiet_path()))
        .collect();
    reports[6] = to("far", Some(7), fixtures::loss());
    reports[6].identity.reflector = reports[0].identity.reflector;
    reports[6].identity.sender.set_port(20_007);
    let one_target = text(&reports, &[], false).replace("\n  ", " ");
    assert!(
        one_target.starts_with("far: path 7 of 16, source port 20007: "),
        "{one_target}"
    );
    assert!(one_target.contains("; all others 0%"), "{one_target}");
    reports.push(to("other", Some(1), fixtures::quiet_path()));
    let two = text(&reports, &[], false).replace("\n  ", " ");
    assert!(
        two.starts_with("1 of 2 targets loses packets; worst: far, "),
        "{two}"
    );
    assert!(
        two.contains(" on 1 of 16 paths\nfar: path 7 of 16, "),
        "{two}"
    );
}

#[test]
fn warnings_of_one_kind_are_one_line_with_the_number_of_their_sessions() {
    let note = |line: &str| Note {
        key: "queue".into(),
        warning: true,
        line: line.to_owned(),
    };
    let reports = ["a", "b", "c"].map(|name| {
        let mut report = to(name, None, fixtures::quiet_path());
        report.notes = vec![note(&format!("the wait of {name}")), note("another wait")];
        report
    });
    let text = text(&reports, &[], false);
    assert!(
        text.contains("warning: the wait of a (3 sessions)"),
        "{text}"
    );
    assert_eq!(text.matches("warning:").count(), 1, "{text}");
}

#[test]
fn a_long_table_is_cut_unless_all_is_asked_for() {
    let reports: Vec<SessionReport> = (0..60)
        .map(|number| to(&format!("t{number}"), None, fixtures::quiet_path()))
        .collect();
    let rows = |text: &str| text.lines().filter(|line| line.starts_with('t')).count();
    let cut = text(&reports, &[], false);
    assert_eq!(rows(&cut), 50, "{cut}");
    assert!(cut.contains("50 of 60 sessions; use -v for all"), "{cut}");
    assert!(cut.starts_with("No loss: 60 targets answered every packet"));
    assert_eq!(rows(&text(&reports, &[], true)), 60);
}

#[test]
fn targets_of_which_no_packet_was_sent_are_not_called_without_loss() {
    let mut idle = fixtures::quiet_path();
    idle.counters.sent = 0;
    idle.counters.received = 0;
    let reports = [to("a", None, idle), to("b", None, fixtures::quiet_path())];
    let text = text(&reports, &[], false);
    assert!(!text.contains("No loss"), "{text}");
    assert!(
        text.starts_with("1 of 2 targets with unknown loss: "),
        "{text}"
    );
}
