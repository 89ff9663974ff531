//! Pages of reports made by hand.

use super::*;
use crate::output::fixtures;

fn page(report: &SessionReport) -> String {
    let mut out = Vec::new();
    write(report, &fixtures::meta(), Style::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_page_says_the_figures_and_how_far_to_trust_them() {
    insta::assert_snapshot!("text_quiet_path", page(&fixtures::quiet_path()));
    insta::assert_snapshot!("text_loss", page(&fixtures::loss()));
    insta::assert_snapshot!(
        "text_nothing_came_back",
        page(&fixtures::nothing_came_back())
    );
    insta::assert_snapshot!("text_clocks_disagree", page(&fixtures::clocks_disagree()));
}

#[test]
fn what_is_on_the_wire_stands_in_the_heading() {
    let mut report = fixtures::quiet_path();
    report.protocol = Protocol::Stamp { ssid: 0 };
    report.tos = twinpath_wire::Tos(186);
    let stamp = page(&report);
    let line = "every 100 ms, padding 27 (44-octet packets), DSCP ef, ECN ECT(0), TTL 255";
    assert_eq!(stamp.lines().nth(1), Some(line));
    report.padding = -1;
    let imix = page(&report);
    assert!(
        imix.contains(" IMIX (44, 548 and 1472-octet packets), "),
        "{imix}"
    );
}

#[test]
fn padding_that_features_raised_is_said_beside_what_was_asked() {
    let mut report = fixtures::quiet_path();
    report.protocol = Protocol::Twamp(twinpath_proto::TestFeatures {
        modes: twinpath_wire::control::Modes::DSCP_MONITORING,
        ..twinpath_proto::TestFeatures::default()
    });
    let said = "padding 0, raised to 30 for the features chosen (44-octet packets)";
    report.padding = 0;
    assert!(page(&report).contains(said), "{}", page(&report));
    report.padding = 30;
    assert!(page(&report).contains(" padding 30 (44-octet packets)"));
}

#[test]
fn an_ecn_mark_of_the_sender_s_own_and_a_ttl_that_is_not_known_are_said() {
    let mut report = fixtures::quiet_path();
    report.figures.congestion_forward = Some(7);
    report.figures.ttl_backward = None;
    let marked = page(&report);
    assert!(
        marked.contains("\nECN on arrival   7 met congestion\n"),
        "{marked}"
    );
    assert!(marked.contains(", inbound not known\n"), "{marked}");
    report.tos = twinpath_wire::Tos(187);
    let own = page(&report);
    assert!(own.contains("\nECN on arrival   CE, as sent"), "{own}");
}

#[test]
fn a_note_that_holds_for_several_sessions_is_said_once() {
    let mut first = fixtures::quiet_path();
    first.notes = fixtures::nothing_came_back().notes;
    let mut second = first.clone();
    second.number = 2;
    let own = Note {
        key: "late",
        line: "its own".into(),
        warning: false,
    };
    second.notes.push(own);
    let mut out = Vec::new();
    let mut sink = Text::new(&mut out, fixtures::meta(), Style::PLAIN, false);
    sink.report((&[first.clone(), second][..]).into()).unwrap();
    let text = String::from_utf8(out).unwrap();
    for line in [&first.notes[0].line, "its own"] {
        assert_eq!(text.matches(line).count(), 1, "{text}");
    }
}

#[test]
fn a_single_icmp_error_is_one() {
    let mut report = fixtures::nothing_came_back();
    report.icmp[0].count = 1;
    let page = page(&report);
    assert!(
        page.contains("1 error from 192.0.2.2: port unreachable"),
        "{page}"
    );
}

#[test]
fn a_percentile_of_too_few_packets_is_a_dash() {
    let mut report = fixtures::quiet_path();
    let set = |figures: &mut Option<DelayFigures>, count| {
        figures.as_mut().unwrap().count = count;
    };
    for (count, dashes) in [(9, 5), (10, 4), (20, 3), (100, 1), (999, 1), (1_000, 0)] {
        set(&mut report.figures.round_trip, count);
        set(&mut report.figures.forward, 1_000);
        set(&mut report.figures.backward, 1_000);
        let page = page(&report);
        let found = page.lines().filter(|line| line.ends_with(" -")).count();
        assert_eq!(found, dashes, "{count} packets:\n{page}");
    }
}

#[test]
fn no_line_is_wider_than_the_page_on_an_ordinary_path() {
    for report in [fixtures::quiet_path(), fixtures::nothing_came_back()] {
        let page = page(&report);
        for line in page.lines().filter(|line| !line.starts_with("warning: ")) {
            let known = line.starts_with("Clocks ");
            assert!(line.chars().count() <= WIDTH || known, "{line}");
        }
    }
}
