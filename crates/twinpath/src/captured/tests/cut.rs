//! Packets that the snap length cut before the fields that they had.

use super::super::counts;
use super::traffic::{
    BEGIN, Files, Form, MS, SECOND, Spec, capture, figures, ip, outcomes, sorted,
};

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
        assert_eq!(counts.sessions[0].cut_replies, 9, "{kept}");
        assert_eq!(counts.not_read.cut, 9, "{kept}: requests can be read");
        let said = opened.of_session(&opened.sessions[0], &counts.sessions[0]);
        let said = said.iter().find(|note| note.key == "cut-replies").unwrap();
        assert!(said.warning && said.line.starts_with("9 packets"), "{kept}");
    }
    let files = Files::new(&[capture(101, &sorted(&[secured()]), HEADERS + 68)]);
    let opened = files.open(None);
    assert_eq!(figures(&outcomes(&opened)), [[10, 9, 1, 0]]);
    let counts = opened.counts(0);
    assert_eq!(
        [counts.sessions[0].cut_replies, counts.not_read.cut],
        [0, 0]
    );
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
        let said = counts::notes(&counts, &opened.ended);
        let cut = said.iter().find(|note| note.key == "capture-cut");
        assert!(cut.is_some_and(|note| note.warning), "{kept}: {said:?}");
    }
}
