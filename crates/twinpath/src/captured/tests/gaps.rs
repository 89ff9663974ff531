//! Numbers of which a capture has no request.

use twinpath_metrics::Record;

use super::super::{Capture, of_session};
use super::in_words;
use super::traffic::{
    BEGIN, Files, Form, MS, Passed, Spec, capture, figures, open, outcomes, sorted,
};

/// What is missing by the rows, stretch by stretch: how many, and how long after the beginning it was due.
fn missed(capture: &Capture) -> Vec<(u64, i64)> {
    let mut missed = Vec::new();
    let done = capture.each(|row| {
        if let Record::Missed { count, since, .. } = row.record {
            missed.push((count, since.unix_ns() - BEGIN));
        }
        Ok::<(), ()>(())
    });
    assert!(done.is_ok());
    missed
}

/// The packets of a run without those at these places, requests alone or exchanges.
fn without(run: &Spec, places: &[u32], replies_too: bool) -> Vec<Passed> {
    let due = |place: &u32| run.at + i64::from(*place) * run.gap;
    let requests: Vec<i64> = places.iter().map(due).collect();
    let mut packets = run.packets();
    packets.retain(|(at, _)| {
        let is_reply = replies_too && requests.contains(&(at - run.round_trip));
        !requests.contains(at) && !is_reply
    });
    packets
}

#[test]
fn numbers_without_a_request_are_counted_and_said_and_replies_to_them_prove_that_the_capture_missed_them()
 {
    let run = Spec {
        count: 100,
        lost: vec![20],
        first: u32::MAX - 40,
        ..Spec::default()
    };
    let places = [7, 8, 9, 41, 70];
    for replies_too in [false, true] {
        let files = Files::new(&[capture(101, &without(&run, &places, replies_too), 65_535)]);
        let opened = files.open(None);
        assert_eq!(figures(&outcomes(&opened)), [[95, 94, 1, 0]]);
        let stretches = [(3, 700 * MS), (1, 4_100 * MS), (1, 7_000 * MS)];
        assert_eq!(missed(&opened), stretches);
        let counts = opened.counts(0);
        let session = &counts.sessions[0];
        let answered = if replies_too { 0 } else { 5 };
        assert_eq!(
            (
                session.counts.missing_requests,
                session.counts.answered_missing
            ),
            (5, answered)
        );
        let said = in_words(of_session(&opened.sessions[0], session, opened.timeout));
        let said = said.iter().find(|note| note.key == "missing-requests");
        let said = said.unwrap();
        assert!(
            said.warning && said.line.starts_with("5 of 100 numbers"),
            "{said:?}"
        );
        let proof = said.line.contains("replies to 5 of them were captured");
        assert_eq!(proof, !replies_too, "{said:?}");
    }
}

#[test]
fn what_comes_before_the_first_captured_request_is_not_missing_and_overtaken_ones_are_not() {
    let run = Spec {
        count: 40,
        ..Spec::default()
    };
    let begun_late = without(&run, &[0, 1, 2], true);
    let mut overtaken = run.packets();
    for (at, _) in &mut overtaken {
        if *at == BEGIN + 300 * MS || *at == BEGIN + 301 * MS {
            *at += 250 * MS;
        }
    }
    overtaken.sort_by_key(|(at, _)| *at);
    for packets in [begun_late, overtaken] {
        let files = Files::new(&[capture(101, &packets, 65_535)]);
        let opened = files.open(None);
        assert_eq!(missed(&opened), []);
        assert_eq!(opened.counts(0).sessions[0].counts.missing_requests, 0);
    }
}

#[test]
fn losses_are_counted_by_the_sizes_that_requests_have_in_any_order() {
    let sizes = [41, 400, 41, 1_400, 60];
    let mut packets = Vec::new();
    for (place, octets) in (0..).zip(sizes.repeat(8)) {
        let one = Spec {
            form: Form::Light(octets),
            at: BEGIN + i64::from(place) * 100 * MS,
            first: place,
            count: 1,
            lost: if octets == 1_400 { vec![0] } else { Vec::new() },
            ..Spec::default()
        };
        packets.extend(one.packets());
    }
    let last = Spec {
        sender: "192.0.2.9:9".parse().unwrap(),
        at: BEGIN + 60_000 * MS,
        count: 1,
        ..Spec::default()
    };
    packets.extend(last.packets());
    let opened = open(capture(101, &packets, 65_535));
    let sizes = opened.sessions[0].by_size.iter();
    let sizes: Vec<_> = sizes.map(|of| (of.octets, of.received, of.lost)).collect();
    assert_eq!(sizes, [(41, 16, 0), (60, 8, 0), (400, 8, 0), (1_400, 0, 8)]);
    assert!(opened.sessions[1].by_size.is_empty());
    // One size has no counts of its own.
    let opened = open(capture(101, &sorted(&[Spec::default()]), 65_535));
    assert!(opened.sessions[0].by_size.is_empty());
}
