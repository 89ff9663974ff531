mod requests;

use twinpath_metrics::SessionState;
use twinpath_proto::sender::SenderCounters;
use twinpath_proto::{Refusal, Step};
use twinpath_report::finding::{self, Silence};

use super::*;
use crate::output::fixtures::{self, to};
use crate::output::words;

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
        file: None,
        sessions: None,
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
    let failed = |target: &str, file: &str| FailedTarget {
        target: target.to_owned(),
        error: "cannot resolve it".to_owned(),
        file: Some(file.to_owned()),
        sessions: None,
    };
    let failed = [failed("d", "mon"), failed("d", "wed"), failed("e", "wed")];
    let mut outcome = Outcome::from(&reports[..]).with_failed(&failed);
    outcome.files = &files;
    let differing = outcome.differing();
    let mut out = Vec::new();
    write(outcome, differing, false, Style::PLAIN, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let said: Vec<&str> = text.lines().take_while(|line| !line.is_empty()).collect();
    assert_eq!(
        said[0],
        "mon: No loss: 2 targets answered every packet; 1 target could not be measured"
    );
    assert!(
        said[1].starts_with("tue: 1 of 2 targets loses packets; worst: b, "),
        "{text}"
    );
    let last = "wed: 1 of 1 target did not answer: c; 2 targets could not be measured";
    assert_eq!(said.last(), Some(&last));
    assert!(
        text.contains("\nwarning: mon: d not measured: cannot resolve it\n"),
        "{text}"
    );
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
fn targets_to_which_no_packet_could_be_sent_are_not_called_without_loss() {
    let mut idle = fixtures::quiet_path();
    idle.counters.sent = 0;
    idle.counters.received = 0;
    idle.counters.send_errors = 100;
    let reports = [to("a", None, idle), to("b", None, fixtures::quiet_path())];
    let text = text(&reports, &[], false);
    assert!(!text.contains("No loss"), "{text}");
    assert!(
        text.starts_with("1 of 2 targets with unknown loss: "),
        "{text}"
    );
}

/// Sixteen and fewer paths to one target, of which these lose as many of 100 packets.
fn paths(target: &str, lost: &[u64]) -> Vec<SessionReport> {
    let report = |(path, lost): (u16, &u64)| {
        let mut report = match lost {
            100 => fixtures::nothing_came_back(),
            _ => fixtures::quiet_path(),
        };
        (report.counters.received, report.counters.lost) = (100 - lost, *lost);
        report.identity.sender.set_port(19_999 + path);
        to(target, Some(path), report)
    };
    (1..).zip(lost).map(report).collect()
}

fn in_class(class: &str, reports: Vec<SessionReport>) -> Vec<SessionReport> {
    let class: Dscp = class.parse().unwrap();
    let with = |mut report: SessionReport| {
        report.identity.tos = class.tos();
        report
    };
    reports.into_iter().map(with).collect()
}

/// The sentences.
fn first(reports: &[SessionReport]) -> String {
    let text = text(reports, &[], false);
    let first = text.split("\n\n").next().unwrap();
    first.replace("\n  ", " ").trim_end().to_owned()
}

#[test]
fn all_paths_that_lose_alike_are_named() {
    let one = first(&paths("far", &[100, 0, 0, 0, 100, 0, 0, 0, 100, 0, 0, 0]));
    let expected =
        "far: paths 1, 5, 9 of 12, source ports 20000, 20004, 20008: 100% loss; all others 0%";
    assert!(one.starts_with(expected), "{one}");
    let some = first(&paths("far", &[50, 7, 0, 9]));
    assert!(
        some.starts_with(
            "far: path 1 of 4, source port 20000: 50.00% loss; 2 of 3 others up to 9.00%"
        ),
        "{some}"
    );
    let each = first(&paths("far", &[50, 7, 8, 9]));
    assert!(
        each.contains("50.00% loss; others 7.00% to 9.00%"),
        "{each}"
    );
    let many = first(&paths("far", &[[100; 9].as_slice(), &[0; 3]].concat()));
    let expected = "far: paths 1, 2, 3, 4, 5, 6, 7, 8 and 1 more of 12, source ports 20000, ";
    assert!(many.starts_with(expected), "{many}");
}

#[test]
fn a_loss_that_all_paths_have_alike_is_that_of_no_path() {
    let all = first(&paths("far", &[50; 4]));
    assert_eq!(all, "far: 50.00% loss on all 4 paths");
    let two = [paths("far", &[50; 4]), paths("other", &[0])].concat();
    let two = first(&two);
    let expected = "1 of 2 targets loses packets; worst: far, 50.00% on all 4 paths far: 50.00% ";
    assert!(two.replace('\n', " ").starts_with(expected), "{two}");
}

#[test]
fn where_classes_differ_the_one_that_loses_is_named() {
    let classes = |be: &[u64], ef: &[u64]| {
        let other = paths("other", &[0; 2]);
        let far = [
            in_class("be", paths("far", be)),
            in_class("ef", paths("far", ef)),
        ]
        .concat();
        (first(&far), first(&[far, other].concat()))
    };
    let (one, two) = classes(&[100, 0], &[0, 0]);
    let path = "far: be path 1 of 2, source port 20000: 100% loss; all others 0%";
    assert!(one.starts_with(path), "{one}");
    assert!(
        two.contains("worst: far, 100% in class be on 1 of 2 paths"),
        "{two}"
    );
    let (one, two) = classes(&[100, 0], &[100, 0]);
    assert!(
        one.starts_with("far: path 1 of 2, source ports 20000, "),
        "{one}"
    );
    assert!(two.contains("worst: far, 100% on 2 of 4 sessions"), "{two}");
    let (one, _) = classes(&[100, 0], &[0, 100]);
    assert!(
        one.starts_with("far: be path 1, ef path 2 of 2, source ports "),
        "{one}"
    );
    let (one, two) = classes(&[100, 100], &[0, 0]);
    assert!(
        one.starts_with("far: be paths 1, 2 of 2, source ports "),
        "{one}"
    );
    assert!(
        two.contains("worst: far, 100% in class be on all 2 paths"),
        "{two}"
    );
    let mut both = in_class("be", paths("far", &[0]));
    both.extend(in_class("ef", paths("far", &[9])));
    both.extend(paths("other", &[0]));
    for report in &mut both {
        report.identity.path = None;
    }
    let both = first(&both);
    assert!(both.contains("worst: far, 9.00% in class ef"), "{both}");
}

#[test]
fn the_medians_of_classes_have_their_names() {
    let mut reports = in_class("be", paths("far", &[100, 0]));
    reports.extend(in_class("ef", paths("far", &[0, 0])));
    reports[2].figures.round_trip.as_mut().unwrap().median_ns = 1_000;
    let line = first(&reports);
    assert!(
        line.contains("on ef path 1, 1.292ms on ef path 2"),
        "{line}"
    );
}

#[test]
fn of_targets_whose_worst_paths_are_alike_the_one_that_loses_more_is_the_worst() {
    let one = paths("one", &[100, 0, 0, 0]);
    let two = paths("two", &[0, 100, 100, 0]);
    let line = first(&[one, two].concat());
    let expected = "2 of 2 targets lose packets; worst: two, 100% on 2 of 4 paths\ntwo: ";
    assert!(line.starts_with(expected), "{line}");
    let up_to = first(&[paths("one", &[0]), paths("two", &[5, 9, 0])].concat());
    assert!(
        up_to.contains("worst: two, up to 9.00% on 2 of 3 paths"),
        "{up_to}"
    );
}

#[test]
fn a_target_whose_name_has_another_address_now_is_one() {
    let mut moved = to("beta", None, fixtures::quiet_path());
    moved.identity.reflector = "192.0.2.77:862".parse().unwrap();
    moved.identity.target.as_mut().unwrap().has_moved = true;
    let reports = [
        to("alpha", None, fixtures::quiet_path()),
        to("beta", None, fixtures::nothing_came_back()),
        moved,
    ];
    let line = first(&reports);
    assert_eq!(
        line,
        "1 of 2 targets loses packets; worst: beta, 100% at 192.0.2.2:20001"
    );
}

#[test]
fn a_target_that_no_longer_answers_is_named_with_the_time() {
    let mut down = fixtures::quiet_path();
    (down.counters.received, down.counters.lost) = (10, 90);
    down.figures.reply_status.lost_since = 90;
    down.figures.reply_status.state = SessionState::Failed;
    let down = to("down", None, down);
    let reports = [down.clone(), to("up", None, fixtures::quiet_path())];
    let line = first(&reports);
    assert_eq!(
        line,
        "1 of 2 targets loses packets; worst: down, 90.00%; 1 of 2 targets stopped answering: down after 16:00:10.150 UTC"
    );
    let text = text(&reports, &[], false);
    let below = text.split("\ndown ").nth(1).unwrap().lines().nth(1);
    let silence = "  no replies to packets sent after 16:00:10.150 UTC";
    assert_eq!(below, Some(silence), "{text}");
    assert_eq!(text.matches(silence).count(), 1, "{text}");
    let all = [1, 2].map(|path| to("far", Some(path), down.clone()));
    assert!(
        first(&all)
            .starts_with("far: 90.00% loss on all 2 paths, no replies to packets sent after "),
        "{all:?}"
    );
    let mut paths = paths("far", &[0, 0]);
    let mut one = to("far", Some(3), down);
    one.identity.sender.set_port(20_002);
    paths.push(one);
    let line = first(&paths);
    let expected = "far: path 3 of 3, source port 20002: 90.00% loss, no replies to packets sent after 16:00:10.150 UTC; all others 0%";
    assert!(line.starts_with(expected), "{line}");
}

#[test]
fn a_run_stopped_before_its_first_packet_has_no_losses_and_no_rows() {
    let mut idle = fixtures::quiet_path();
    idle.counters = SenderCounters::default();
    let idle = |name: &str| to(name, None, idle.clone());
    let none = text(&[idle("a"), idle("b")], &[], false);
    assert_eq!(none, "No packet was sent (2 targets)\n");
    let some = [idle("a"), to("b", None, fixtures::quiet_path())];
    let some = first(&some);
    assert_eq!(some, "no packet was sent (1 of 2 targets)");
}

#[test]
fn what_answers_otherwise_is_not_said_to_be_silent() {
    let mut other = fixtures::nothing_came_back();
    other.findings = vec![
        Silence::EchoService {
            far: other.identity.reflector,
        }
        .into(),
    ];
    let other = |name| to(name, None, other.clone());
    let reports = [
        to("gone", None, fixtures::nothing_came_back()),
        other("echo"),
        to("up", None, fixtures::quiet_path()),
    ];
    assert_eq!(
        first(&reports),
        "1 of 3 targets did not answer: gone; 1 of 3 targets sent no valid reply in time: echo"
    );
}

#[test]
fn duplicates_and_reordered_packets_are_said_with_their_targets() {
    let mut copied = fixtures::quiet_path();
    copied.counters.duplicates = 245;
    copied.figures.reordered = 1;
    let reports = [
        to("good", None, fixtures::quiet_path()),
        to("bad", None, copied.clone()),
    ];
    let two = text(&reports, &[], false);
    for line in [
        "\nnote: 245 duplicates from 1 of 2 targets: bad\n",
        "\nnote: 1 reordered packet from 1 of 2 targets: bad\n",
    ] {
        assert!(two.contains(line), "{two}");
    }
    let one = text(&[to("far", Some(1), copied)], &[], false);
    assert!(one.contains("\nnote: 245 duplicates\n"), "{one}");
    let none = text(&paths("far", &[0, 0]), &[], false);
    assert!(!none.contains("note:"), "{none}");
}

#[test]
fn refused_sessions_are_counted_with_their_paths() {
    let refused = |path| RefusedSession {
        number: 9,
        path: Some(path),
        dscp: Dscp::BE,
        refusal: Refusal {
            step: Step::Request,
            octet: 5,
        },
        remedy: None,
        advice: String::new(),
    };
    let sentences = |lost: &[u64]| {
        let reports = paths("server", lost);
        let differing = Differing::of_reports((&*reports).into());
        let mut survey = Survey::default();
        for report in &reports {
            survey.add(report, differing.name(&report.identity), None);
        }
        survey.rank();
        survey.sentences(differing, &[], &[refused(3), refused(4)], false)
    };
    let [quiet] = sentences(&[0, 0]).try_into().unwrap();
    assert_eq!(quiet, "server: no loss on 2 paths; 2 of 4 sessions refused");
    let [lossy] = sentences(&[0, 50]).try_into().unwrap();
    let expected = "server: path 2 of 4, source port 20001: 50.00% loss; all others 0%; 2 of 4 sessions refused";
    assert_eq!(lossy, expected);
    let [equal] = sentences(&[50, 50]).try_into().unwrap();
    assert!(
        equal.starts_with("server: 50.00% loss on 2 of 4 paths; "),
        "{equal}"
    );
}

#[test]
fn a_dead_path_and_a_dead_far_end_are_two_kinds_of_warning() {
    let dead = |name: &str, answered| {
        let mut report = to(name, None, fixtures::nothing_came_back());
        report.findings = finding::decide(&report);
        report.put_beside(answered, 8);
        words::finding::put([&mut report], None);
        report
    };
    let reports = [dead("path", 7), dead("path", 7), dead("gone", 0)];
    let text = text(&reports, &[], false).replace("\n  ", " ");
    assert!(
        text.contains("although 7 of 8 sessions with this far end are answered"),
        "{text}"
    );
    let kinds = [
        "drops or rejects them (2 sessions)",
        "no reflector there answers this host",
    ];
    for kind in kinds {
        assert_eq!(text.matches(kind).count(), 1, "{text}");
    }
}
