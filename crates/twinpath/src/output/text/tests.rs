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
