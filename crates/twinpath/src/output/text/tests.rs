//! Pages of reports built by hand.

use std::time::Duration;

use twinpath_metrics::{AvailabilityFigures, Codec, VoiceParameters};
use twinpath_proto::sender::{Schedule, Wire};

use super::*;
use crate::output::fixtures;
use twinpath_report::Requested;
use twinpath_wire::ErrorEstimate;

fn page(report: &SessionReport) -> String {
    let mut out = Vec::new();
    write(report, &fixtures::meta(), Style::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_page_has_the_figures_and_their_limits() {
    insta::assert_snapshot!("text_quiet_path", page(&fixtures::quiet_path()));
    insta::assert_snapshot!("text_loss", page(&fixtures::loss()));
    insta::assert_snapshot!(
        "text_nothing_came_back",
        page(&fixtures::nothing_came_back())
    );
    insta::assert_snapshot!("text_clocks_disagree", page(&fixtures::clocks_disagree()));
}

fn page_with(report: &SessionReport, requested: Requested) -> String {
    let mut out = Vec::new();
    let meta = Meta {
        requested,
        ..Meta::default()
    };
    write(report, &meta, Style::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_rough_path_has_a_line_for_each_kind_of_trouble() {
    let mut report = fixtures::rough_path();
    report.figures.bins = None;
    insta::assert_snapshot!("text_rough_path", page(&report));
    report.stamps.clock.synchronized = true;
    let basis = report.clocks.take();
    let quiet = page(&report);
    assert!(!quiet.contains("De-skewed"), "{quiet}");
    report.clocks = basis;
    // The packets prove that the clocks differ by 5 ms, whatever the ends claim.
    assert!(page(&report).contains("De-skewed"));
}

#[test]
fn formats_of_timestamps_are_told_where_one_is_not_the_usual_one() {
    use TimeFormat::{Ntp, Ptp};
    let mut report = fixtures::loss();
    let error = |format| ErrorEstimate::new(false, format, Duration::from_millis(1));
    let mut formats = |near, far: Option<TimeFormat>| {
        report.identity.wire = Wire::stamp_in(near, 7);
        report.counters.far_error = far.map(error);
        let page = page(&report);
        let mut lines = page.lines();
        lines.find_map(|line| line.strip_prefix("Time formats     ").map(str::to_owned))
    };
    assert_eq!(formats(Ntp, None), None);
    assert_eq!(formats(Ntp, Some(Ntp)), None);
    assert_eq!(formats(Ptp, None).as_deref(), Some("sender PTP"));
    let both = formats(Ptp, Some(Ntp));
    assert_eq!(both.as_deref(), Some("sender PTP, reflector NTP"));
    let both = formats(Ntp, Some(Ptp));
    assert_eq!(both.as_deref(), Some("sender NTP, reflector PTP"));
}

#[test]
fn requested_figures_follow_the_rest() {
    let requested = Requested {
        voice: VoiceParameters::of(Codec::G729a),
        voice_asked: true,
        with_loss: true,
        automatic_bins: false,
        ..Requested::default()
    };
    let all = page_with(&fixtures::rough_path(), requested);
    let asked = all.split_once("\nWith losses").unwrap().1;
    insta::assert_snapshot!("text_asked_for", asked);
    let requested = Requested {
        automatic_bins: true,
        ..Requested::default()
    };
    let all = page_with(&fixtures::rough_path(), requested);
    let bins = all.split_once("\nDelays from").unwrap().1;
    insta::assert_snapshot!("text_automatic_bins", bins);
    let none = page_with(
        &fixtures::nothing_came_back(),
        Requested {
            voice_asked: true,
            with_loss: true,
            automatic_bins: true,
            ..Requested::default()
        },
    );
    assert!(none.contains("no estimate: nothing came back"), "{none}");
}

#[test]
fn an_unavailable_path_is_reported_as_such() {
    let mut report = fixtures::quiet_path();
    report.figures.availability = Some(AvailabilityFigures {
        block_ns: 1_000_000_000,
        blocks: 60,
        bad_blocks: 14,
        unavailable_blocks: 12,
        outages: 1,
        longest_outage_blocks: 12,
        unplaced: 0,
        unmeasured_blocks: 0,
    });
    let away = "\nAvailability     80.00% of the time: 1 outage, the longest 12 s\n";
    assert!(page(&report).contains(away), "{}", page(&report));
    report
        .figures
        .availability
        .as_mut()
        .unwrap()
        .unavailable_blocks = 0;
    assert!(!page(&report).contains("Availability"));
}

#[test]
fn a_coarse_far_clock_is_reported_as_such() {
    let mut report = fixtures::quiet_path();
    report.figures.far_resolution_ns = Some(1_000_000);
    assert!(page(&report).contains("the reflector's clock has a resolution of 1 ms\n"));
    report.figures.far_resolution_ns = Some(1_000);
    assert!(!page(&report).contains("in steps of"));
}

#[test]
fn the_heading_has_what_is_on_the_wire() {
    let mut report = fixtures::quiet_path();
    report.identity.wire = Wire::stamp(0);
    report.identity.tos = twinpath_wire::Tos(186);
    let stamp = page(&report);
    let line = "every 100 ms, padding 27 (44-octet packets), DSCP ef, ECN ECT(0), TTL 255";
    assert_eq!(stamp.lines().nth(1), Some(line));
    report.identity.padding = -1;
    let imix = page(&report);
    assert!(
        imix.contains("IMIX (packets of 44, 548 and 1472 octets), "),
        "{imix}"
    );
}

#[test]
fn padding_that_features_raised_is_given_beside_the_requested_one() {
    let mut report = fixtures::quiet_path();
    report.identity.wire = Wire::twamp(twinpath_proto::TestFeatures {
        modes: twinpath_wire::control::Modes::DSCP_MONITORING,
        ..twinpath_proto::TestFeatures::default()
    });
    let said = "padding 0, raised to 30 for the features chosen (44-octet packets)";
    report.identity.padding = 0;
    let text = page(&report).replace("\n  ", " ");
    assert!(text.contains(said), "{text}");
    report.identity.padding = 30;
    assert!(page(&report).contains(" padding 30 (44-octet packets)"));
}

#[test]
fn an_ecn_mark_by_the_sender_and_an_unknown_ttl_are_given() {
    let mut report = fixtures::quiet_path();
    report.figures.congestion_forward = Some(7);
    report.figures.ttl_backward = None;
    let marked = page(&report);
    assert!(
        marked.contains("\nECN on arrival   7 met congestion\n"),
        "{marked}"
    );
    assert!(marked.contains(", inbound unknown\n"), "{marked}");
    report.identity.tos = twinpath_wire::Tos(187);
    let own = page(&report);
    assert!(own.contains("\nECN on arrival   CE, as sent"), "{own}");
}

#[test]
fn a_note_common_to_several_sessions_is_printed_once() {
    let mut first = fixtures::quiet_path();
    first.notes = fixtures::nothing_came_back().notes;
    let mut second = first.clone();
    second.identity.number = 2;
    let own = fixtures::remark("late", "its own".into());
    second.notes.push(own);
    let mut out = Vec::new();
    let mut sink = Text::new(&mut out, fixtures::meta(), Style::PLAIN, false);
    sink.report((&[first.clone(), second][..]).into()).unwrap();
    let text = String::from_utf8(out).unwrap().replace("\n  ", " ");
    for line in [&first.notes[0].line, "its own"] {
        assert_eq!(text.matches(line).count(), 1, "{text}");
    }
}

#[test]
fn the_heading_says_when_packets_left() {
    let ms = Duration::from_millis;
    for (schedule, words) in [
        (Schedule::every(ms(20)), "every 20 ms, padding"),
        (
            Schedule::Poisson { mean: ms(20) },
            "Poisson, 20 ms on average, padding",
        ),
        (
            Schedule::Uniform {
                least: ms(5),
                most: ms(20),
            },
            "uniform, 5 ms to 20 ms, padding",
        ),
        (
            Schedule::Bursts {
                packets: 10,
                gap: ms(1_000),
            },
            "bursts of 10 every 1 s, padding",
        ),
    ] {
        let mut report = fixtures::quiet_path();
        report.identity.schedule = schedule;
        let page = page(&report);
        let line = page.lines().nth(1).unwrap();
        assert!(line.starts_with(words), "{line}");
        assert!(line.chars().count() <= WIDTH, "{line}");
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
    let mut far_away = fixtures::clocks_disagree();
    far_away.identity.sender = "[2001:db8:1111:2222:3333:4444:5555:6666]:20000"
        .parse()
        .unwrap();
    far_away.identity.reflector = "[2001:db8:7777:8888:9999:aaaa:bbbb:cccc]:20001"
        .parse()
        .unwrap();
    let reports = vec![
        fixtures::quiet_path(),
        fixtures::rough_path(),
        fixtures::nothing_came_back(),
        far_away,
    ];
    for report in reports {
        let page = page(&report);
        for line in page.lines().filter(|line| !line.starts_with("warning: ")) {
            let known = line.starts_with("Clocks ");
            assert!(line.chars().count() <= WIDTH || known, "{line}");
        }
    }
}
