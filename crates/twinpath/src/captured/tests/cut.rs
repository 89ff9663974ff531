//! Packets that the snap length cut before the fields that they had.

use std::time::Duration;

use super::super::file::Packets;
use super::super::{counts, of_session};
use super::captures;
use super::traffic::{
    BEGIN, Files, Form, MS, SECOND, Spec, capture, figures, ip, outcomes, sorted,
};
use super::{in_full, in_words, open};

/// Headers of IP and UDP.
const HEADERS: usize = 20 + 8;

fn secured() -> Spec {
    Spec {
        reflector: "192.0.2.2:862".parse().unwrap(),
        form: Form::Secured { ssid: 7 },
        at: BEGIN + MS,
        lost: vec![4],
        ..Spec::default()
    }
}

/// An open reply has all of its fields in 36 octets, an authenticated one in 68.
#[test]
fn authenticated_replies_that_are_cut_before_their_fields_are_counted_as_cut() {
    for kept in [20, 36, 40, 48, 54, 64, 67] {
        let mut packets = sorted(&[secured()]);
        // The capture goes on until all that might come has come.
        let ends = [secured().sender.ip(), secured().reflector.ip()];
        packets.push((BEGIN + 9 * SECOND, ip(ends, 64, 1, &[0; 8])));
        let files = Files::new(&[capture(101, &packets, HEADERS + kept)]);
        let opened = files.open(Some(862));
        assert_eq!(figures(&outcomes(&opened)), [[10, 0, 10, 0]], "{kept}");
        let counts = opened.counts(0);
        assert_eq!(counts.sessions[0].counts.cut_replies, 9, "{kept}");
        assert_eq!(counts.not_read.cut, 9, "{kept}: requests can be read");
        let said = in_words(of_session(
            &opened.sessions[0],
            &counts.sessions[0],
            opened.timeout,
        ));
        let said = said.iter().find(|note| note.key == "cut-replies").unwrap();
        assert!(said.warning && said.line.starts_with("9 packets"), "{kept}");
    }
    let files = Files::new(&[capture(101, &sorted(&[secured()]), HEADERS + 68)]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[10, 9, 1, 0]]);
    let counts = opened.counts(0);
    assert_eq!(
        [counts.sessions[0].counts.cut_replies, counts.not_read.cut],
        [0, 0]
    );
}

/// Their numbers are encrypted; that they were cut is not why they are not read.
#[test]
fn packets_of_authenticated_twamp_are_counted_as_such_cut_or_whole_alone_or_beside_a_session() {
    let file = std::fs::read(captures().join("authenticated.pcap")).unwrap();
    let mut packets = Packets::open(&file[..]).unwrap();
    let mut whole: Vec<Vec<u8>> = Vec::new();
    let mut times = Vec::new();
    while packets.advance().unwrap() {
        let packet = packets.current();
        times.push(packet.at.unix_ns());
        whole.push(packet.octets.clone());
    }
    // The headers are 42 octets, and the seconds of T1 end 20 octets behind them.
    for snap in [62, 66, 78, 100, 65_535] {
        let packets: Vec<_> = times.iter().copied().zip(whole.iter().cloned()).collect();
        let files = Files::new(&[
            capture(1, &packets, snap),
            capture(101, &sorted(&[Spec::default()]), 65_535),
        ]);
        let line = "20 packets not read: they look like authenticated TWAMP";
        let alone = open(&files.paths()[..1], None, Duration::from_secs(2));
        let (_, failed) = alone.unwrap_err();
        let failed = in_full(&failed);
        assert!(failed.contains(line), "{snap}: {failed}");
        assert!(!failed.contains("snap length"), "{snap}: {failed}");
        let opened = files.open(None);
        assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]], "{snap}");
        let counts = opened.counts(0);
        assert_eq!(
            [counts.not_read.secured, counts.not_read.cut],
            [20, 0],
            "{snap}"
        );
        let said = in_words(counts::findings(&counts, &[]));
        assert!(
            said.iter()
                .any(|note| note.warning && note.line.starts_with(line))
        );
    }
}

#[test]
fn authenticated_packets_that_are_cut_are_counted_beside_an_open_session_too() {
    let packets = sorted(&[Spec::default(), secured()]);
    for kept in [36, 48, 58, 67] {
        let files = Files::new(&[capture(101, &packets, HEADERS + kept)]);
        let opened = files.open(None);
        assert_eq!(figures(&outcomes(&opened)), [[10, 10, 0, 0]], "{kept}");
        let counts = opened.counts(0);
        assert_eq!(counts.not_read.cut, 19, "{kept}");
        let said = in_words(counts::findings(&counts, &opened.ended));
        let cut = said.iter().find(|note| note.key == "capture-cut");
        assert!(cut.is_some_and(|note| note.warning), "{kept}: {said:?}");
    }
}
