//! Transmit stamps: before the reply, after it, several, or none.

use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule, SenderConfig};
use twinpath_wire::{Delta, Fate, Rung, Sample, Stamp};

use super::rig::{Rig, config, ms, us, wall};

fn awaiting() -> SenderConfig {
    let mut config = config();
    config.await_tx_stamps = true;
    config.limit = Limit::Count(1_000);
    config
}

/// A sender that has learned from packet 0 that stamps of `rung` come.
fn taught(rung: Rung) -> Rig {
    let mut rig = Rig::sent(awaiting(), 1);
    rig.stamp(0, us(20), rung);
    rig.reply(0, ms(5));
    assert_eq!(rig.samples_at(ms(50)).len(), 1);
    rig
}

fn only(samples: &[Sample]) -> Sample {
    assert_eq!(samples.len(), 1, "{samples:?}");
    samples[0]
}

#[test]
fn a_stamp_before_the_reply_is_t1_and_shifts_the_departure() {
    let mut rig = taught(Rung::Kernel);
    rig.send(us(100_300));
    rig.stamp(1, us(100_345), Rung::Kernel);
    rig.reply(1, ms(130));
    let sample = only(&rig.samples());
    assert_eq!(
        sample.t1,
        Stamp {
            at: wall(us(100_345)),
            rung: Rung::Kernel
        }
    );
    assert_eq!(sample.departure, Delta::from_ns(345_000));
}

#[test]
fn a_reply_waits_for_its_stamp() {
    let mut rig = taught(Rung::Kernel);
    rig.send(us(100_300));
    rig.reply(1, ms(130));
    assert_eq!(rig.samples_at(ms(140)), []);
    rig.stamp(1, us(100_345), Rung::Kernel);
    let sample = only(&rig.samples());
    assert_eq!(
        sample.t1,
        Stamp {
            at: wall(us(100_345)),
            rung: Rung::Kernel
        }
    );
    assert_eq!(sample.departure, Delta::from_ns(345_000));
    assert_eq!(sample.fate, Fate::Received);
}

#[test]
fn a_stamp_that_never_comes_costs_a_hundred_milliseconds_and_the_rung() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(130));
    assert_eq!(rig.sender.poll_timeout(), Some(ms(200)), "the next packet");
    assert_eq!(rig.samples_at(us(229_999)), []);
    let sample = only(&rig.samples_at(ms(230)));
    assert_eq!(
        sample.t1,
        Stamp {
            at: wall(ms(100)),
            rung: Rung::User
        }
    );
    rig.stamp(1, us(100_020), Rung::Kernel);
    assert_eq!(rig.samples(), []);
    assert_eq!(rig.sender.counters().unused_tx_stamps, 1);
}

#[test]
fn the_best_of_several_stamps_counts_in_any_order() {
    for order in [[Rung::Queue, Rung::Kernel], [Rung::Kernel, Rung::Queue]] {
        let mut rig = taught(Rung::Kernel);
        rig.send(ms(100));
        for rung in order {
            let at = if rung == Rung::Kernel {
                us(100_040)
            } else {
                us(100_010)
            };
            rig.stamp(1, at, rung);
        }
        rig.reply(1, ms(130));
        assert_eq!(only(&rig.samples()).t1.at, wall(us(100_040)));
    }
}

#[test]
fn a_queue_stamp_does_not_end_the_wait_where_the_drivers_stamps_come() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(101));
    rig.stamp(1, us(100_010), Rung::Queue);
    assert_eq!(rig.samples(), []);
    rig.stamp(1, us(100_040), Rung::Kernel);
    assert_eq!(only(&rig.samples()).t1.rung, Rung::Kernel);

    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(101));
    rig.stamp(1, us(100_010), Rung::Queue);
    assert_eq!(
        only(&rig.samples_at(ms(111))).t1.rung,
        Rung::Queue,
        "a short wait, though"
    );
}

#[test]
fn a_queue_stamp_ends_the_wait_where_it_is_the_best_there_is() {
    let mut rig = taught(Rung::Queue);
    rig.send(ms(100));
    rig.reply(1, ms(101));
    rig.stamp(1, us(100_010), Rung::Queue);
    assert_eq!(only(&rig.samples()).t1.rung, Rung::Queue);
}

#[test]
fn the_first_packet_gets_the_better_stamp_although_nothing_is_known_yet() {
    let mut rig = Rig::sent(awaiting(), 1);
    rig.reply(0, ms(5));
    rig.stamp(0, us(10), Rung::Queue);
    assert_eq!(rig.samples(), []);
    rig.stamp(0, us(40), Rung::Kernel);
    assert_eq!(only(&rig.samples_at(ms(15))).t1.rung, Rung::Kernel);
}

#[test]
fn samples_keep_the_order_of_arrival_while_one_waits() {
    let mut rig = taught(Rung::Kernel);
    rig.send_count(4);
    for which in [2, 3, 4] {
        rig.stamp(which, ms(100 * which as u64), Rung::Kernel);
    }
    for which in [1, 3, 2, 4] {
        rig.reply(which, ms(450));
    }
    rig.reply(3, ms(451));
    assert_eq!(rig.samples(), [], "all stand behind packet 1, which waits");
    let samples = rig.samples_at(ms(550));
    let order: Vec<_> = samples
        .iter()
        .map(|sample| (sample.seq, sample.fate))
        .collect();
    let expected = [1, 3, 2, 4].map(|seq| (seq, Fate::Received));
    assert_eq!(order[..4], expected);
    assert_eq!(order[4], (3, Fate::Duplicate));
}

#[test]
fn in_time_or_late_is_decided_by_the_better_stamp() {
    // It stood in a queue of the host for half a second: 2.2 s by the process, 1.7 s by the kernel.
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(2_150));
    assert_eq!(rig.sender.counters().lost, 0);
    rig.stamp(1, ms(600), Rung::Kernel);
    assert_eq!(only(&rig.samples()).fate, Fate::Received);
    assert_eq!(
        (rig.sender.counters().received, rig.sender.counters().late),
        (2, 0)
    );
}

#[test]
fn a_reply_after_the_packet_was_counted_lost_waits_for_nothing() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    assert_eq!(rig.samples_at(ms(2_300)), []);
    rig.reply(1, ms(2_300));
    assert_eq!(only(&rig.samples()).fate, Fate::Late);
}

#[test]
fn a_copy_that_comes_while_the_first_reply_waits_is_a_duplicate() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(130));
    rig.reply(1, ms(131));
    assert_eq!(rig.sender.counters().duplicates, 1);
    rig.stamp(1, us(100_040), Rung::Kernel);
    let fates: Vec<_> = rig.samples().iter().map(|sample| sample.fate).collect();
    assert_eq!(fates, [Fate::Received, Fate::Duplicate]);
}

#[test]
fn when_waiting_is_turned_off_nothing_waits_any_more() {
    let mut rig = taught(Rung::Kernel);
    rig.send_count(2);
    rig.reply(1, ms(210));
    rig.reply(2, ms(211));
    assert_eq!(rig.samples(), []);
    rig.sender.set_expects_tx_stamps(false);
    assert_eq!(rig.samples().len(), 2);
    rig.send_count(1);
    rig.reply(3, ms(310));
    assert_eq!(only(&rig.samples()).t1.rung, Rung::User);
    rig.stamp(3, us(300_040), Rung::Kernel);
    assert_eq!(rig.samples(), []);
}

#[test]
fn a_stop_releases_what_waits() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.reply(1, ms(130));
    rig.sender.stop(ms(131));
    assert_eq!(only(&rig.samples()).fate, Fate::Received);
    rig.assert_over();
}

#[test]
fn a_lost_packet_has_the_best_t1_that_came() {
    let mut rig = taught(Rung::Kernel);
    rig.send(ms(100));
    rig.stamp(1, us(100_040), Rung::Kernel);
    rig.sender.handle_timeout(ms(2_300));
    rig.sender.stop(ms(2_300));
    let lost = only(&rig.samples());
    assert_eq!(
        (lost.seq, lost.fate, lost.t1.rung),
        (1, Fate::Lost, Rung::Kernel)
    );
    assert_eq!(lost.departure, Delta::from_ns(40_000));
}

#[test]
fn the_queue_behind_a_waiting_reply_is_bounded() {
    let mut config = awaiting();
    config.schedule = Schedule::every(Duration::from_micros(2));
    config.limit = Limit::Count(60_000);
    let mut rig = Rig::new(config);
    let mut samples = Vec::new();
    let mut most = 0;
    for which in 0..30_000 {
        rig.send_count(1);
        rig.reply(which, us(which as u64 * 2 + 1));
        samples.extend(rig.samples());
        most = most.max(rig.sender.memory_octets());
    }
    assert!(
        !samples.is_empty() && most < 4_000_000,
        "{} samples, {most} octets",
        samples.len()
    );
    samples.extend(rig.samples_at(ms(1_000)));
    assert_eq!(samples.len(), 30_000);
    assert!(samples.is_sorted_by_key(|sample| sample.seq));
}
