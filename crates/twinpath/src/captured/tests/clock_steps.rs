//! Steps of the clock that captured, and of the others.

use twinpath_metrics::Record;
use twinpath_wire::{Exclusion, Fate};

use super::traffic::{
    BEGIN, Files, MS, Passed, SECOND, Spec, capture, figures, ntp, outcomes, packet,
};

/// What steps by this much from packet `from` on.
#[derive(Clone, Copy, Debug, Default)]
struct Stepped {
    from: u32,
    /// From its reply on, not from the request.
    within: bool,
    capture: i64,
    sender: i64,
    reflector: i64,
    /// The path becomes longer.
    path: i64,
    /// The sender pauses.
    pause: i64,
}

/// A run of 60 packets with such steps: open ones, in the order in which they passed.
fn run(stepped: &Stepped) -> Vec<Passed> {
    let spec = Spec {
        lost: vec![40],
        ..Spec::default()
    };
    let mut packets = Vec::new();
    for seq in 0..60_u32 {
        let is_after = seq >= stepped.from;
        let by = |step: i64| if is_after { step } else { 0 };
        let spec = Spec {
            round_trip: 1_000_000 + i64::from(seq % 7) * 30_000 + by(stepped.path),
            ..spec.clone()
        };
        let at = BEGIN + i64::from(seq) * spec.gap + by(stepped.pause);
        let [mut request, mut reply] = spec.exchange(seq, at);
        let t1 = ntp(at + by(stepped.sender));
        request[4..12].copy_from_slice(&t1);
        reply[28..36].copy_from_slice(&t1);
        let t2 = at + spec.round_trip / 2 - 20_000 + by(stepped.reflector);
        reply[16..24].copy_from_slice(&ntp(t2));
        reply[4..12].copy_from_slice(&ntp(t2 + 40_000));
        let later = if stepped.within && seq == stepped.from {
            0
        } else {
            by(stepped.capture)
        };
        packets.push((
            at + later,
            packet([spec.sender, spec.reflector], 255, &request),
        ));
        if seq != 40 {
            let back = packet([spec.reflector, spec.sender], 250, &reply);
            packets.push((at + spec.round_trip + by(stepped.capture), back));
        }
    }
    packets
}

/// Steps that were found, how many samples are left out for them, and packets that were out of order.
fn read(stepped: &Stepped) -> (Vec<i64>, usize, u64) {
    let files = Files::new(&[capture(101, &run(stepped), 65_535)]);
    let opened = files.open(None);
    // It ends within the timeout of the lost one.
    assert_eq!(figures(&outcomes(&opened)), [[60, 59, 1, 0]], "{stepped:?}");
    let (mut steps, mut left_out) = (Vec::new(), 0);
    let done = opened.each(|row| {
        match row.record {
            Record::ClockStep { by, .. } => steps.push(by.ns()),
            Record::Sample(sample) => {
                left_out += usize::from(sample.excluded == Some(Exclusion::ClockStep));
                let trip = sample.round_trip().filter(|_| sample.excluded.is_none());
                let is_sound = trip.is_none_or(|trip| (0..50 * MS).contains(&trip.ns()));
                assert!(
                    sample.fate == Fate::Lost || is_sound,
                    "{stepped:?}: {sample:?}"
                );
            }
            Record::Begun { .. }
            | Record::NotSent { .. }
            | Record::SourceChange { .. }
            | Record::Missed { .. } => {}
        }
        Ok::<(), ()>(())
    });
    assert!(done.is_ok());
    let counts = opened.counts(0);
    assert_eq!(counts.clock_steps_ns.len(), steps.len(), "{stepped:?}");
    (steps, left_out, counts.out_of_order)
}

#[test]
fn a_step_of_the_captures_clock_is_told_from_one_of_the_reflector_and_from_reordering() {
    for by in [
        5 * SECOND,
        -5 * SECOND,
        70 * MS,
        -70 * MS,
        -250 * MS,
        3_600 * SECOND,
        -3_600 * SECOND,
    ] {
        for within in [false, true] {
            // Alone, and with the sender's clock, which is the same where the capture is taken there.
            for sender in [0, by] {
                let stepped = Stepped {
                    from: 30,
                    within,
                    capture: by,
                    sender,
                    ..Stepped::default()
                };
                let (steps, left_out, out_of_order) = read(&stepped);
                assert_eq!(steps.len(), 1, "{stepped:?}: {steps:?}");
                assert!((steps[0] - by).abs() < MS, "{stepped:?}: {steps:?}");
                assert_eq!(
                    (left_out, out_of_order),
                    (usize::from(within), 0),
                    "{stepped:?}"
                );
            }
        }
    }
}

#[test]
fn steps_of_other_clocks_pauses_and_other_paths_are_no_steps_of_the_capture() {
    let from = 30;
    for by in [5 * SECOND, -5 * SECOND, 70 * MS, -70 * MS] {
        let others = [
            Stepped {
                from,
                sender: by,
                ..Stepped::default()
            },
            Stepped {
                from,
                reflector: by,
                ..Stepped::default()
            },
            Stepped {
                from,
                path: by.clamp(0, 40 * MS),
                ..Stepped::default()
            },
            Stepped {
                from,
                pause: by.max(0),
                ..Stepped::default()
            },
        ];
        for stepped in others {
            assert_eq!(read(&stepped), (vec![], 0, 0), "{stepped:?}");
        }
    }
}
