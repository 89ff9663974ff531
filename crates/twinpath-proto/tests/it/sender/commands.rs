//! What a session is asked for as it goes on: a packet at once, counts from 0.

use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule, SenderConfig};
use twinpath_wire::Fate;

use super::rig::{Rig, config, ms};

fn endless() -> SenderConfig {
    SenderConfig {
        limit: Limit::Endless,
        schedule: Schedule::every(Duration::from_hours(1)),
        ..config()
    }
}

#[test]
fn a_packet_that_is_asked_for_leaves_at_once_with_the_next_number() {
    let mut rig = Rig::new(endless());
    assert_eq!(rig.send(ms(0)), 1);
    rig.reply(0, ms(20));
    assert_eq!(rig.send(ms(30)), 0);
    rig.sender.send_now(ms(500));
    assert_eq!(rig.sender.next_due(), Some(ms(500)));
    assert_eq!(rig.send(ms(500)), 1);
    assert_eq!(rig.requests[1][..4], 1_u32.to_be_bytes());
    rig.reply(1, ms(520));
    let samples = rig.samples();
    assert_eq!(samples.len(), 2);
    assert_eq!(samples[1].departure.ns(), 0);
    // The schedule is as before.
    assert_eq!(rig.sender.next_due(), Some(ms(3_600_000)));
    assert_eq!(rig.sender.counters().slots_skipped, 0);
}

#[test]
fn counts_begin_at_0_with_packets_in_flight_and_numbers_go_on() {
    let mut rig = Rig::new(SenderConfig {
        limit: Limit::Count(20),
        ..config()
    });
    for at in 0..10 {
        assert_eq!(rig.send(ms(at * 100)), 1);
    }
    for which in [0, 1, 3, 6] {
        rig.reply(which, ms(950));
    }
    // 2 and 4 are lost; 5, 7, 8 and 9 are in flight.
    rig.sender.handle_timeout(ms(2_505));
    rig.samples();
    let before = *rig.sender.counters();
    assert_eq!((before.sent, before.received, before.lost), (10, 4, 2));
    rig.sender.clear_counters();
    assert_eq!(rig.samples(), []);
    let cleared = *rig.sender.counters();
    assert_eq!((cleared.sent, cleared.received, cleared.lost), (4, 0, 0));
    assert_eq!(cleared.asked, Some(14));
    assert_eq!(cleared.far_error, before.far_error);
    assert_eq!(rig.sender.counted_below(), 5);
    rig.reply(5, ms(2_410));
    rig.reply(7, ms(2_410));
    rig.reply(8, ms(2_410));
    // Late: it was counted before.
    rig.reply(2, ms(2_500));
    let mut samples = rig.samples();
    rig.sender.handle_timeout(ms(3_000));
    samples.extend(rig.samples());
    let after = *rig.sender.counters();
    assert_eq!((after.sent, after.received, after.lost), (4, 3, 1));
    let below = rig.sender.counted_below();
    let known = samples.iter().filter(|it| it.seq >= below);
    let fates: Vec<_> = known.map(|it| (it.seq, it.fate)).collect();
    let received = [5, 7, 8].map(|seq| (seq, Fate::Received));
    assert_eq!(fates, received);
    assert_eq!(rig.send(ms(3_000)), 10);
    assert_eq!(rig.requests[10][..4], 10_u32.to_be_bytes());
    assert_eq!(rig.sender.next_due(), None);
}
