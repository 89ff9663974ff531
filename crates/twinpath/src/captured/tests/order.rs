//! Packets that a capture has in another order than they passed in.

use std::time::Duration;

use super::super::{counts, of_session};
use super::traffic::{BEGIN, Files, MS, SECOND, Spec, capture, figures, outcomes, read, sorted};
use super::{in_words, open};

fn spec() -> Spec {
    Spec {
        count: 60,
        lost: vec![10, 11],
        ..Spec::default()
    }
}

/// Numbers that look like chance, the same ones each time.
fn shuffled<T>(mut items: Vec<T>) -> Vec<T> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for place in (1..items.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let other = usize::try_from(state % (place as u64 + 1)).unwrap();
        items.swap(place, other);
    }
    items
}

#[test]
fn a_reply_that_a_capture_has_before_its_request_is_a_reply() {
    let mut packets = sorted(&[spec()]);
    for place in (0..packets.len() - 1).step_by(6) {
        packets.swap(place, place + 1);
    }
    let found = read(capture(101, &packets, 65_535));
    assert_eq!(figures(&found), [[60, 58, 2, 0]]);
    // Less the reflector's own time; a timestamp of NTP is rounded to nanoseconds.
    let [shortest, longest] = found[0].trips.unwrap();
    assert!(shortest >= 959_998 && longest <= 960_002, "{found:?}");
}

#[test]
fn a_file_in_no_order_at_all_has_the_same_sessions() {
    let runs = [
        spec(),
        Spec {
            sender: "192.0.2.7:20000".parse().unwrap(),
            ..spec()
        },
        Spec {
            at: BEGIN + 20 * SECOND,
            ..spec()
        },
    ];
    let truth = outcomes(&Files::new(&[capture(101, &sorted(&runs), 65_535)]).open(None));
    let mut backwards = sorted(&runs);
    backwards.reverse();
    for packets in [shuffled(sorted(&runs)), backwards] {
        let files = Files::new(&[capture(101, &packets, 65_535)]);
        let opened = files.open(None);
        let mut found = outcomes(&opened);
        found.sort_by_key(|of| of.sender.clone());
        let mut truth = truth.clone();
        truth.sort_by_key(|of| of.sender.clone());
        assert_eq!(found, truth);
        let counts = opened.counts(0);
        assert!(counts.out_of_order > 50, "{counts:?}");
        assert_eq!(counts.out_of_window, 0);
        let said = in_words(counts::findings(&counts, &[]));
        assert_eq!(said[0].key, "capture-sorted");
    }
}

#[test]
fn what_is_out_of_order_by_more_than_the_window_is_said_with_the_remedy() {
    let early = spec();
    let late = Spec {
        at: BEGIN + 300 * SECOND,
        gap: 5 * SECOND,
        ..spec()
    };
    // As two captures that were put into one, the later one first; with a reply too early by far.
    let mut packets = [late.packets(), early.packets()].concat();
    let reply = packets.remove(late.packets().len() + 1);
    packets.insert(0, reply);
    let files = Files::new(&[capture(101, &packets, 65_535)]);
    let opened = files.open(None);
    let found = figures(&outcomes(&opened));
    // One reply came so early that it belongs to nothing yet.
    let sum = |of: usize| found.iter().map(|figures| figures[of]).sum::<usize>();
    assert_eq!((sum(0), sum(1)), (120, 115), "{found:?}");
    let counts = opened.counts(0);
    assert!(counts.out_of_window > 100, "{counts:?}");
    let said = in_words(counts::findings(&counts, &[]));
    let said = said.iter().find(|note| note.key == "capture-unordered");
    let said = said.unwrap();
    assert!(said.warning && said.line.contains("reordercap"), "{said:?}");
}

/// A clock that was set while a capture was taken: what comes after is not lost.
#[test]
fn a_capture_whose_clock_was_set_back_loses_nothing() {
    let mut packets = spec().packets();
    // Between two exchanges.
    for (at, _) in &mut packets[60..] {
        *at -= 3_600 * SECOND;
    }
    let found = figures(&read(capture(101, &packets, 65_535)));
    assert_eq!(found.iter().map(|of| of[1]).sum::<usize>(), 58, "{found:?}");
    assert_eq!(found.iter().map(|of| of[0]).sum::<usize>(), 60, "{found:?}");
}

#[test]
fn what_is_unanswered_at_the_end_is_lost_only_if_it_was_overtaken() {
    let run = |lost: &[u32]| Spec {
        count: 10,
        lost: lost.to_vec(),
        gap: 10 * MS,
        ..Spec::default()
    };
    for (lost, expected) in [
        (vec![3], [10, 9, 1, 0]),
        (vec![3, 4, 5], [10, 7, 3, 0]),
        (vec![6], [10, 9, 1, 0]),
        // By two only, by one, by none.
        (vec![7], [9, 9, 0, 0]),
        (vec![8], [9, 9, 0, 0]),
        (vec![2, 9], [9, 8, 1, 0]),
    ] {
        let found = read(capture(101, &run(&lost).packets(), 65_535));
        assert_eq!(figures(&found), [expected], "{lost:?}");
        let open = 10 - expected[0];
        assert_eq!(found[0].under_way, u64::try_from(open).unwrap(), "{lost:?}");
    }
}

#[test]
fn a_reply_that_was_stamped_before_its_request_is_a_reply_and_is_warned_of() {
    for (early, trips) in [
        (20_000, Some([-60_000, -60_000])),
        (3 * MS, None),
        (90 * MS, None),
    ] {
        let run = Spec {
            round_trip: -early,
            ..spec()
        };
        for port in [None, Some(20_001)] {
            let files = Files::new(&[capture(101, &sorted(std::slice::from_ref(&run)), 65_535)]);
            let opened = files.open(port);
            let found = outcomes(&opened);
            assert_eq!(figures(&found), [[60, 58, 2, 0]], "{early}");
            let near = |[least, most]: [i64; 2], [low, high]: [i64; 2]| {
                (least - low).abs() <= 2 && (most - high).abs() <= 2
            };
            let is_expected = match (found[0].trips, trips) {
                (Some(found), Some(trips)) => near(found, trips),
                // By less than the reflector's own time: in no delay.
                (_, None) => true,
                (None, Some(_)) => false,
            };
            assert!(is_expected, "{early}: {found:?}");
            let counts = opened.counts(0);
            assert_eq!(
                [
                    counts.unmatched_replies,
                    counts.sessions[0].counts.early_replies
                ],
                [0, 58]
            );
            let said = in_words(of_session(
                &opened.sessions[0],
                &counts.sessions[0],
                opened.timeout,
            ));
            let said = said
                .iter()
                .find(|note| note.key == "early-replies")
                .unwrap();
            assert!(
                said.warning && said.line.starts_with("58 replies"),
                "{said:?}"
            );
        }
    }
}

#[test]
fn a_few_replies_that_were_stamped_before_their_requests_are_not_lost() {
    let mut packets = sorted(&[spec()]);
    for (at, packet) in &mut packets {
        if packet[12..16] == [192, 0, 2, 2] && packet[31] % 10 == 3 {
            *at -= MS + 50_000;
        }
    }
    packets.sort_by_key(|(at, _)| *at);
    let files = Files::new(&[capture(101, &packets, 65_535)]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[60, 58, 2, 0]]);
    let counts = opened.counts(0);
    assert_eq!(
        [
            counts.unmatched_replies,
            counts.sessions[0].counts.early_replies
        ],
        [0, 6]
    );
}

#[test]
fn a_reply_after_twice_the_timeout_is_late_and_its_request_is_in_the_capture() {
    let mut packets = sorted(&[spec()]);
    for (at, packet) in &mut packets {
        if packet[12..16] == [192, 0, 2, 2] && packet[31] == 20 {
            *at += 5 * SECOND / 2;
        }
    }
    packets.sort_by_key(|(at, _)| *at);
    let files = Files::new(&[capture(101, &packets, 65_535)]);
    let opened = open(files.paths(), None, Duration::from_millis(500)).unwrap();
    assert_eq!(figures(&outcomes(&opened)), [[60, 57, 3, 0]]);
    let counts = opened.counts(0);
    assert_eq!([counts.unmatched_replies, counts.late_replies], [0, 1]);
    let said = in_words(counts::findings(&counts, &opened.ended));
    assert!(
        said.iter()
            .any(|note| note.key == "capture-late" && note.warning),
        "{said:?}"
    );
    // With time enough it is a reply like others.
    let opened = open(files.paths(), None, Duration::from_secs(3)).unwrap();
    assert_eq!(figures(&outcomes(&opened)), [[60, 58, 2, 0]]);
    assert_eq!(opened.counts(0).late_replies, 0);
}
