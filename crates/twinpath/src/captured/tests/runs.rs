//! Which packets are of one session: by ends, protocol, SSID, and numbers that begin again.

use super::traffic::{BEGIN, Form, MS, Outcome, SECOND, Spec, capture, figures, read, sorted};

const WHOLE: usize = 65_535;

fn of(runs: &[Spec]) -> Vec<Outcome> {
    read(capture(101, &sorted(runs), WHOLE))
}

/// A run with packets to lose, and time behind it, so that nothing is under way at the end.
fn after(at: i64, count: u32, lost: &[u32]) -> Spec {
    Spec {
        at: BEGIN + at,
        count,
        lost: lost.to_vec(),
        ..Spec::default()
    }
}

/// Something else that goes on for long enough.
fn later() -> Spec {
    Spec {
        sender: "192.0.2.9:9".parse().unwrap(),
        at: BEGIN + 3_600 * SECOND,
        count: 1,
        ..Spec::default()
    }
}

#[test]
fn a_second_run_from_the_same_port_is_a_session_of_its_own_whenever_it_begins() {
    for apart in [
        1_010, 1_500, 2_000, 2_999, 3_000, 4_000, 5_000, 10_000, 60_000,
    ] {
        let runs = [
            after(0, 10, &[2]),
            after(apart * MS, 10, &[3, 4, 5]),
            later(),
        ];
        let found = figures(&of(&runs));
        assert_eq!(
            found,
            [[10, 9, 1, 0], [10, 7, 3, 0], [1, 1, 0, 0]],
            "{apart} ms"
        );
    }
}

#[test]
fn a_run_that_lost_everything_is_not_hidden_by_the_one_before() {
    let all: Vec<u32> = (0..50).collect();
    let runs = [after(0, 50, &[]), after(6 * SECOND, 50, &all), later()];
    let found = figures(&of(&runs));
    assert_eq!(found, [[50, 50, 0, 0], [50, 0, 50, 0], [1, 1, 0, 0]]);
}

#[test]
fn runs_of_one_packet_and_runs_of_other_lengths_and_intervals_are_told_apart() {
    let ones: Vec<Spec> = (0..30).map(|run| after(run * 700 * MS, 1, &[])).collect();
    assert_eq!(figures(&of(&ones)), vec![[1, 1, 0, 0]; 30]);
    // The first is left in its middle.
    let mut runs = vec![after(0, 5, &[]), after(450 * MS, 20, &[7])];
    runs[1].gap = 30 * MS;
    runs.push(Spec {
        gap: 500 * MS,
        ..after(2 * SECOND, 8, &[0])
    });
    runs.push(later());
    let found = figures(&of(&runs));
    assert_eq!(
        found,
        [[5, 5, 0, 0], [20, 19, 1, 0], [8, 7, 1, 0], [1, 1, 0, 0]]
    );
}

#[test]
fn runs_that_overlap_and_late_replies_of_the_one_before_keep_their_packets() {
    // Replies of the first come while the second goes on.
    let mut slow = after(0, 10, &[1]);
    slow.round_trip = 1_500 * MS;
    let runs = [slow, after(1_050 * MS, 30, &[4, 5]), later()];
    let found = figures(&of(&runs));
    assert_eq!(found, [[10, 9, 1, 0], [30, 28, 2, 0], [1, 1, 0, 0]]);
    // Both at once, from behind one address.
    let runs = [after(0, 40, &[3, 30]), after(1_550 * MS, 40, &[7]), later()];
    let found = figures(&of(&runs));
    assert_eq!(found, [[40, 38, 2, 0], [40, 39, 1, 0], [1, 1, 0, 0]]);
}

#[test]
fn numbers_that_wrap_are_one_session_and_a_run_after_them_is_another() {
    let wrapping = |at: i64| Spec {
        first: u32::MAX - 4,
        ..after(at, 10, &[5])
    };
    let found = figures(&of(&[wrapping(0), wrapping(5 * SECOND), later()]));
    assert_eq!(found, [[10, 9, 1, 0], [10, 9, 1, 0], [1, 1, 0, 0]]);
}

#[test]
fn requests_that_overtook_each_other_are_one_session() {
    let mut packets = after(0, 40, &[6]).packets();
    // On the way to where it was captured: 3 after 5, and 20 after 21.
    for (request, later) in [(3, 250 * MS), (20, 150 * MS)] {
        let at = BEGIN + request * 100 * MS;
        for (time, _) in &mut packets {
            if *time == at || *time == at + MS {
                *time += later;
            }
        }
    }
    packets.extend(later().packets());
    packets.sort_by_key(|(at, _)| *at);
    let found = figures(&read(capture(101, &packets, WHOLE)));
    assert_eq!(found, [[40, 39, 1, 0], [1, 1, 0, 0]]);
}

#[test]
fn a_sender_without_a_clock_has_runs_too() {
    let run = |at: i64, lost: &[u32]| Spec {
        without_clock: true,
        first: 1,
        ..after(at, 10, lost)
    };
    for apart in [1_500 * MS, 20 * SECOND] {
        let found = figures(&of(&[run(0, &[1]), run(apart, &[2, 3]), later()]));
        assert_eq!(
            found,
            [[10, 9, 1, 0], [10, 8, 2, 0], [1, 1, 0, 0]],
            "{apart}"
        );
    }
}

#[test]
fn stamp_sessions_are_told_apart_by_their_ssid() {
    for form in [|ssid| Form::Stamp { ssid }, |ssid| Form::Secured { ssid }] {
        let run = |ssid: u16, at: i64, lost: &[u32]| Spec {
            form: form(ssid),
            reflector: "192.0.2.2:862".parse().unwrap(),
            ..after(at, 10, lost)
        };
        let runs = [
            run(1, 0, &[1]),
            run(2, 0, &[]),
            run(0xfffe, 50 * MS, &[2, 3]),
            later(),
        ];
        let found = of(&runs);
        let ssids: Vec<u16> = found.iter().map(|of| of.ssid).collect();
        assert_eq!(ssids, [1, 2, 0xfffe, 0]);
        assert_eq!(
            figures(&found),
            [[10, 9, 1, 0], [10, 10, 0, 0], [10, 8, 2, 0], [1, 1, 0, 0]]
        );
    }
}

#[test]
fn one_protocol_after_another_on_the_same_ports_is_two_sessions() {
    let forms = [
        Form::Light(41),
        Form::Stamp { ssid: 0 },
        Form::Secured { ssid: 0 },
        Form::Stamp { ssid: 9 },
        Form::Noise(100),
    ];
    let run = |form, at| Spec {
        form,
        reflector: "192.0.2.2:862".parse().unwrap(),
        ..after(at, 10, &[4])
    };
    for one in forms {
        for other in forms {
            let runs = [run(one, 0), run(other, 2 * SECOND), later()];
            let found = figures(&of(&runs));
            assert_eq!(
                found,
                [[10, 9, 1, 0], [10, 9, 1, 0], [1, 1, 0, 0]],
                "{one:?}, {other:?}"
            );
        }
    }
}

/// Padding that is not zeros is where STAMP has its SSID.
#[test]
fn padding_makes_no_sessions() {
    for octets in [14, 15, 16, 20, 41, 44, 60, 400] {
        let run = Spec {
            form: Form::Noise(octets),
            ..after(0, 30, &[3])
        };
        let found = figures(&of(&[run, later()]));
        assert_eq!(found, [[30, 29, 1, 0], [1, 1, 0, 0]], "{octets}");
    }
}
