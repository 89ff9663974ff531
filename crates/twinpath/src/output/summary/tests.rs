use twinpath_metrics::LossPeriods;

use super::*;
use crate::output::fixtures;

fn said(report: &SessionReport) -> String {
    sentence(report, Unit::Milliseconds)
}

#[test]
fn a_quiet_path_takes_one_short_sentence() {
    let mut report = fixtures::quiet_path();
    let quiet = "No loss; round trip 1.292ms median, 1.444ms p99";
    assert_eq!(said(&report), quiet);
    // With fewer than a hundred packets there is no p99.
    report.figures.round_trip.as_mut().unwrap().count = 99;
    let few = "No loss; round trip 1.292ms median, 1.487ms max";
    assert_eq!(said(&report), few);
    report.figures.round_trip = None;
    assert_eq!(said(&report), "No loss; round trip unknown");
}

#[test]
fn losses_have_their_share_direction_and_bursts_where_these_are_certain() {
    let mut report = fixtures::quiet_path();
    (report.counters.lost, report.counters.received) = (12, 988);
    report.counters.sent = 1_000;
    (report.figures.lost, report.figures.received) = (12, 988);
    report.figures.lost_forward = Some(12);
    report.figures.loss_periods = LossPeriods {
        losses: 12,
        periods: 6,
        longest: 4,
        ..LossPeriods::default()
    };
    let rest = "; round trip 1.292ms median, 1.444ms p99";
    let expect = |report: &SessionReport, loss: &str| {
        assert_eq!(said(report), format!("{loss}{rest}"));
    };
    expect(&report, "1.20% lost outbound in 6 bursts, longest 4");
    report.figures.loss_periods.periods = 1;
    report.figures.loss_periods.longest = 12;
    expect(&report, "1.20% lost outbound in one burst of 12 packets");
    // A loss whose position is unknown is in no burst.
    report.figures.loss_periods.unplaced = 1;
    expect(&report, "1.20% lost outbound");
    report.figures.loss_periods.longest = 1;
    report.figures.loss_periods.unplaced = 0;
    expect(&report, "1.20% lost outbound");
    (report.figures.lost_forward, report.figures.lost_backward) = (Some(0), Some(12));
    expect(&report, "1.20% lost inbound");
    report.figures.lost_forward = Some(1);
    expect(&report, "1.20% lost");
    report.figures.lost_forward = Some(0);
    report.figures.direction_uncertain = true;
    expect(&report, "1.20% lost");
    report.figures.direction_uncertain = false;
    report.figures.lost_unattributed = Some(1);
    expect(&report, "1.20% lost");
    (report.figures.lost_forward, report.figures.lost_backward) = (None, None);
    expect(&report, "1.20% lost");
}

#[test]
fn silence_at_the_end_has_its_time_and_a_few_losses_are_not_silence() {
    let mut report = fixtures::quiet_path();
    (report.counters.lost, report.counters.received) = (50, 50);
    report.figures.reply_status.answered_until =
        Some(Wall::from_unix_ns(1_795_449_605_150_000_001));
    report.figures.reply_status.lost_since = 4;
    assert!(!said(&report).contains("after"), "{}", said(&report));
    report.figures.reply_status.lost_since = 50;
    report.figures.reply_status.state = SessionState::Failed;
    let text = said(&report);
    let silence = "50.00% lost; no replies to packets sent after 16:00:05.151 UTC; round trip ";
    assert!(text.starts_with(silence), "{text}");
    report.duration = Duration::from_hours(48);
    let text = said(&report);
    assert!(text.contains(" after 16:00:06 UTC; "), "{text}");
    report.figures.reply_status.answered_until =
        Some(Wall::from_unix_ns(1_795_449_605_000_000_000));
    assert!(said(&report).contains(" after 16:00:05 UTC; "));
    let next_day = 1_795_449_605_000_000_000 + 86_400 * SECOND;
    report.figures.reply_status.answered_until = Some(Wall::from_unix_ns(next_day));
    let text = said(&report);
    assert!(text.contains(" after 2026-11-24T16:00:05Z; "), "{text}");
}

#[test]
fn without_a_reply_there_is_no_share_and_no_delay() {
    let mut report = fixtures::nothing_came_back();
    assert_eq!(said(&report), "Nothing came back: 100 packets sent");
    report.figures.late = 3;
    let late = "Nothing came back within 2 s: 100 packets sent, 3 answered late";
    assert_eq!(said(&report), late);
    report.figures.late = 0;
    (report.counters.sent, report.counters.lost) = (80, 80);
    report.counters.in_flight = 7;
    let early = "Nothing came back: 80 packets sent; ended early: 87 of 100 packets sent, \
                 7 still under way";
    assert_eq!(said(&report), early);
    (report.counters.sent, report.counters.lost) = (0, 0);
    report.figures.lost = 0;
    report.figures.reply_status = ReplyStatus::default();
    let open = "No packet was answered or lost yet; ended early: 7 of 100 packets sent, \
                7 still under way";
    assert_eq!(said(&report), open);
    report.counters.in_flight = 0;
    assert_eq!(said(&report), "No packet was sent");
    report.counters.send_errors = 100;
    assert_eq!(said(&report), "None of 100 packets could be sent");
}

#[test]
fn a_loss_that_the_table_calls_unknown_is_unknown() {
    let mut report = fixtures::quiet_path();
    (report.counters.sent, report.counters.received) = (90, 90);
    (report.counters.send_errors, report.figures.received) = (10, 90);
    let rest = "; round trip 1.292ms median, 1.444ms p99";
    let unsent = format!("Loss unknown: 10 of 100 packets not sent{rest}");
    assert_eq!(said(&report), unsent);
    report.counters.send_errors = 0;
    report.counters.asked = None;
    report.figures.unmeasured_blocks = 1;
    let gap = format!("Loss unknown: for a time nothing was sent{rest}");
    assert_eq!(said(&report), gap);
}

/// 93 packets that want no reply, and 7 of 100 that were not sent.
fn unawaited(unsent: u64) -> SessionReport {
    let mut report = fixtures::nothing_came_back();
    let counters = &mut report.counters;
    (counters.sent, counters.lost) = (93, 0);
    (counters.unawaited, counters.send_errors) = (93, unsent);
    (report.figures.lost, report.figures.unawaited) = (0, 93);
    report
}

#[test]
fn packets_that_want_no_reply_are_neither_lost_nor_silent_whatever_was_not_sent() {
    let page = |report: &SessionReport| {
        let mut page = Vec::new();
        counts::write(report, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        page.replace("\n                 ", " ")
    };
    for (unsent, to, sentence, packets, loss) in [
        (
            0,
            None,
            "Loss unknown: 93 packets sent, not to be answered here",
            "100 asked, 93 sent, 0 received, 93 not to be answered here, in ",
            "unknown: 93 packets not to be answered here\n",
        ),
        (
            7,
            None,
            "Loss unknown: 7 of 100 packets not sent, 93 not to be answered here",
            "100 asked, 93 sent, 0 received, 93 not to be answered here, in ",
            "unknown: 7 of 100 packets not sent, 93 packets not to be answered here\n",
        ),
        (
            0,
            Some("192.0.2.7".parse().unwrap()),
            "Loss unknown: 93 packets sent, to be answered at 192.0.2.7",
            "100 asked, 93 sent, 0 received, 93 to be answered at 192.0.2.7, in ",
            "unknown: 93 packets to be answered at 192.0.2.7\n",
        ),
    ] {
        let mut report = unawaited(unsent);
        report.counters.asked = Some(100);
        report.return_address = to;
        let said = said(&report);
        assert!(said.starts_with(sentence), "{said}");
        let page = page(&report);
        assert!(page.contains(packets) && page.contains(loss), "{page}");
        for wrong in ["Nothing came back", "lost"] {
            assert!(
                !said.contains(wrong) && !page.contains(wrong),
                "{said}: {page}"
            );
        }
    }
}

#[test]
fn what_was_asked_for_and_not_done_comes_first() {
    let mut report = fixtures::quiet_path();
    let refused = twinpath_report::finding::FarEnd::ReturnPathNotUsed { count: 100 };
    report.findings = vec![refused.into()];
    assert_eq!(
        said(&report),
        "Replies took the ordinary way, not the Return Path; no loss; \
         round trip 1.292ms median, 1.444ms p99"
    );
}

#[test]
fn an_early_end_reordering_and_copies_are_mentioned() {
    let mut report = fixtures::quiet_path();
    (report.counters.sent, report.counters.received) = (30, 30);
    report.counters.in_flight = 2;
    (report.figures.reordered, report.counters.duplicates) = (3, 1);
    assert_eq!(
        said(&report),
        "No loss; round trip 1.292ms median, 1.444ms p99; 3 reordered, 1 duplicate; \
         ended early: 32 of 100 packets sent, 2 still under way"
    );
}

/// Every number with a unit or a percent sign in the sentence is in the table, digit for digit.
#[test]
fn the_sentence_has_the_digits_of_the_table() {
    let runs: [fn() -> SessionReport; 5] = [
        fixtures::quiet_path,
        fixtures::rough_path,
        fixtures::loss,
        fixtures::nothing_came_back,
        fixtures::clocks_disagree,
    ];
    for run in runs {
        let report = run();
        let mut page = Vec::new();
        let style = crate::output::style::Style::PLAIN;
        crate::output::text::write(&report, &fixtures::meta(), style, &mut page).unwrap();
        let page = String::from_utf8(page).unwrap();
        let (head, table) = page.split_once("\n====").unwrap();
        let lead = head
            .lines()
            .skip_while(|line| !line.starts_with("site="))
            .skip(1);
        let lead = lead.collect::<Vec<_>>().join(" ");
        assert!(!lead.is_empty(), "{head}");
        let figures = lead
            .split([' ', ';', ','])
            .filter(|word| word.ends_with("ms") || word.ends_with("us") || word.ends_with('%'));
        for figure in figures {
            assert!(table.contains(figure), "{figure} of \"{lead}\":\n{table}");
        }
    }
}
