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
