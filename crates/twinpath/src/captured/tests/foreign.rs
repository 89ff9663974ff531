//! Packets between the ends of a session that are none of its test packets.

use super::super::counts;
use super::in_words;
use super::traffic::{
    BEGIN, Files, Form, MS, Passed, SECOND, Spec, capture, figures, outcomes, packet, sorted,
};

/// A run with a loss, and one of another sender long after it.
fn runs(form: Form) -> [Spec; 2] {
    let run = Spec {
        form,
        count: 40,
        lost: vec![30],
        ..Spec::default()
    };
    let later = Spec {
        sender: "192.0.2.9:9".parse().unwrap(),
        at: BEGIN + 60 * SECOND,
        count: 1,
        ..Spec::default()
    };
    [run, later]
}

fn noise(octets: usize) -> Vec<u8> {
    (0..octets)
        .map(|at| u8::try_from((at * 113 + 77) % 256).unwrap())
        .collect()
}

#[test]
fn a_stray_packet_from_the_same_ports_is_no_loss_and_no_session_wherever_it_is() {
    let [run, _] = runs(Form::Light(60));
    let [request, _] = run.exchange(4_000_000_000, BEGIN + 1_550 * MS);
    let mut far_time = run.exchange(17, BEGIN + 1_550 * MS)[0].clone();
    far_time[4] ^= 0x40;
    let strays = [
        vec![0; 60],
        vec![0xff; 44],
        noise(60),
        noise(200),
        b"a datagram of something else, in letters".to_vec(),
        vec![0],
        b"keepalive".to_vec(),
        // A number of another run, and the time of another.
        request,
        far_time,
    ];
    for form in [
        Form::Light(60),
        Form::Noise(41),
        Form::Stamp { ssid: 0 },
        Form::Secured { ssid: 7 },
    ] {
        for stray in &strays {
            for at in [-500 * MS, 1_550 * MS, 20 * SECOND] {
                let runs = runs(form);
                let [to_reflector, to_sender] = [[0, 1], [1, 0]].map(|[from, to]: [usize; 2]| {
                    let ends = [runs[0].sender, runs[0].reflector];
                    packet([ends[from], ends[to]], 64, stray)
                });
                // One is first of its flow: with a right time, it might be a run's first.
                let is_timed = stray == &strays[7];
                for packet in [to_reflector, to_sender] {
                    let mut packets: Vec<Passed> = sorted(&runs);
                    packets.push((BEGIN + at, packet));
                    packets.sort_by_key(|(at, _)| *at);
                    let files = Files::new(&[capture(101, &packets, 65_535)]);
                    let opened = files.open(None);
                    let found = figures(&outcomes(&opened));
                    if is_timed && at < 0 && found.len() == 3 {
                        continue;
                    }
                    let what = format!("{form:?}, {stray:?}, {at}");
                    assert_eq!(found, [[40, 39, 1, 0], [1, 1, 0, 0]], "{what}");
                    let counts = opened.counts(0);
                    assert_eq!(counts.foreign, 1, "{what}");
                    let said = in_words(counts::findings(&counts, &[]));
                    let said = said.iter().find(|note| note.key == "capture-foreign");
                    assert!(said.unwrap().line.starts_with("1 packet between"), "{what}");
                }
            }
        }
    }
}

/// What is far and not alone is a session; what is far and answered is one, too.
#[test]
fn packets_that_are_far_from_the_others_are_of_a_session_where_they_are_not_alone() {
    let far = |count: u32, lost: Vec<u32>| Spec {
        at: BEGIN + 10 * SECOND,
        first: 3_000_000_000,
        count,
        lost,
        ..Spec::default()
    };
    for (other, expected) in [
        (far(2, vec![0, 1]), [2, 0, 2, 0]),
        (far(1, vec![]), [1, 1, 0, 0]),
    ] {
        let [run, later] = runs(Form::Light(41));
        let files = Files::new(&[capture(101, &sorted(&[run, other, later]), 65_535)]);
        let opened = files.open(None);
        assert_eq!(
            figures(&outcomes(&opened)),
            [[40, 39, 1, 0], expected, [1, 1, 0, 0]]
        );
        assert_eq!(opened.counts(0).foreign, 0);
    }
}
