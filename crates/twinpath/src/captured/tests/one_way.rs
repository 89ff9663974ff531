//! Sessions of which a capture has one direction alone.

use std::net::SocketAddr;
use std::time::Duration;

use super::super::{CaptureError, counts};
use super::traffic::{
    BEGIN, Files, Form, MS, Passed, SECOND, Spec, capture, figures, ip, outcomes, sorted,
};
use super::{in_full, in_words, open};

/// Beside an answered one: another one, none of whose packets is answered.
fn unanswered() -> Spec {
    Spec {
        at: BEGIN + 3 * MS,
        lost: (0..10).collect(),
        ..Spec::default()
    }
}

/// The packets of these, and one later by more than any timeout, which is of no session.
fn packets(runs: &[Spec]) -> Vec<Passed> {
    let mut packets = sorted(runs);
    let ends = [Spec::default().sender.ip(), Spec::default().reflector.ip()];
    packets.push((BEGIN + 9 * SECOND, ip(ends, 64, 1, &[0; 8])));
    packets
}

fn end(written: &str) -> SocketAddr {
    written.parse().unwrap()
}

#[test]
fn a_session_that_was_never_answered_is_lost_beside_an_answered_one_to_the_same_port() {
    let others = [
        Spec {
            sender: end("192.0.2.1:20006"),
            ..unanswered()
        },
        Spec {
            sender: end("192.0.2.9:20000"),
            ..unanswered()
        },
        Spec {
            reflector: end("192.0.2.3:20001"),
            ..unanswered()
        },
        Spec {
            sender: end("[2001:db8::1]:20000"),
            reflector: end("[2001:db8::2]:20001"),
            form: Form::Stamp { ssid: 9 },
            ..unanswered()
        },
        // Its numbers do not begin at 0, its clock does not run, and there are two packets of it.
        Spec {
            sender: end("192.0.2.9:20000"),
            first: 5_000,
            ..unanswered()
        },
        Spec {
            sender: end("192.0.2.9:20000"),
            without_clock: true,
            ..unanswered()
        },
        Spec {
            sender: end("192.0.2.9:20000"),
            count: 2,
            ..unanswered()
        },
    ];
    for other in others {
        let files = Files::new(&[capture(
            101,
            &packets(&[Spec::default(), other.clone()]),
            65_535,
        )]);
        let opened = files.open(None);
        let lost = usize::try_from(other.count).unwrap();
        let expected = [[10, 10, 0, 0], [lost, 0, lost, 0]];
        assert_eq!(figures(&outcomes(&opened)), expected, "{other:?}");
        assert!(opened.counts(0).unanswered.is_empty());
    }
}

#[test]
fn what_is_no_session_to_a_known_port_is_none() {
    let run = Spec::default();
    let mut packets = packets(std::slice::from_ref(&run));
    for place in 0..50_u8 {
        let payload: Vec<u8> = (0..60).map(|at| place.wrapping_mul(91) ^ at).collect();
        let ends = [end("192.0.2.7:3000"), run.reflector];
        let at = BEGIN + i64::from(place) * MS;
        packets.push((at, super::traffic::packet(ends, 64, &payload)));
    }
    let files = Files::new(&[capture(101, &packets, 65_535)]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]]);
    assert!(opened.counts(0).unanswered.is_empty());
}

#[test]
fn requests_to_a_port_that_is_not_known_are_counted_and_said() {
    let other = Spec {
        reflector: end("192.0.2.3:20002"),
        ..unanswered()
    };
    let to = "192.0.2.3:20002";
    let files = Files::new(&[
        capture(101, &packets(&[Spec::default(), other.clone()]), 65_535),
        capture(101, &packets(&[other]), 65_535),
    ]);
    let open = |place: usize| open(&files.paths()[place..=place], None, Duration::from_secs(2));
    let opened = open(0).unwrap();
    assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]]);
    let counts = opened.counts(0);
    assert_eq!(counts.unanswered, [(end(to), 10)].into());
    let line = format!(
        "unanswered packets to {to} that look like requests: 10; give the port with --port"
    );
    let said = in_words(counts::findings(&counts, &opened.ended));
    assert!(
        said.iter().any(|note| note.warning && note.line == line),
        "{said:?}"
    );
    // Alone, there is no report, for that reason.
    let (_, failed) = open(1).unwrap_err();
    assert!(in_full(&failed).contains(&line), "{failed}");
}

#[test]
fn replies_whose_requests_are_not_in_the_capture_are_counted_and_said() {
    let is_reply = |(_, packet): &Passed| packet[20..22] == 20_001_u16.to_be_bytes();
    let others = [
        Spec {
            sender: end("192.0.2.1:20006"),
            ..Spec::default()
        },
        // Of and to one port.
        Spec {
            sender: end("192.0.2.7:20001"),
            ..Spec::default()
        },
    ];
    for other in others {
        let mut replies = other.packets();
        replies.retain(|packet| packet.1[12..16] == [192, 0, 2, 2]);
        let mut both = [packets(&[Spec::default()]), replies.clone()].concat();
        both.sort_by_key(|(at, _)| *at);
        let files = Files::new(&[capture(101, &both, 65_535), capture(101, &replies, 65_535)]);
        assert!(replies.iter().all(is_reply));
        let open =
            |place: usize, port| open(&files.paths()[place..=place], port, Duration::from_secs(2));
        for port in [None, Some(20_001)] {
            let opened = open(0, port).unwrap();
            assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]], "{other:?}");
            let counts = opened.counts(0);
            assert_eq!(counts.unmatched_replies, 10, "{other:?}");
            let only = counts
                .only_replies
                .iter()
                .map(|only| (only.to, only.replies));
            assert_eq!(only.collect::<Vec<_>>(), [(other.sender, 10)]);
            let (_, failed) = open(1, port).unwrap_err();
            let expected = format!(
                "10 replies of sessions whose requests were not captured, from 192.0.2.2:20001 to {}",
                other.sender
            );
            assert!(in_full(&failed).contains(&expected), "{port:?}: {failed}");
            assert_eq!(failed.remedy(), "capture both directions");
            let is_none = matches!(
                failed,
                CaptureError::NoSession(_) | CaptureError::NothingTo { port: 20_001, .. }
            );
            assert!(is_none, "{failed:?}");
        }
    }
}
