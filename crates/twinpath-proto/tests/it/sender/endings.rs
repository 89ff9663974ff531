//! When a run ends: late replies and copies are looked for until the timeout after the last departure
//! where there is reason to.

use std::time::Duration;

use twinpath_proto::sender::Limit;
use twinpath_wire::{Fate, Mono, Rung, Sample};

use super::rig::{Rig, config, ms, us};

/// When the ten packets of [`config`], the last of which leaves at 900 ms, are observed to the end.
const OBSERVED: Mono = ms(900 + 2_000 + 100);

fn fates(samples: &[Sample]) -> Vec<(u64, Fate)> {
    samples.iter().map(|it| (it.seq, it.fate)).collect()
}

/// Ten packets out, and all but those of `missing` answered within 30 ms.
fn all_but(missing: &[usize]) -> Rig {
    let mut rig = Rig::sent(config(), 10);
    for which in (0..10).filter(|which| !missing.contains(which)) {
        rig.reply(which, ms(which as u64 * 100 + 30));
    }
    assert_eq!(rig.samples().len(), 10 - missing.len());
    rig
}

#[test]
fn a_run_of_answered_packets_is_over_a_tenth_of_a_second_after_the_last_reply() {
    let mut rig = all_but(&[]);
    assert_eq!(rig.sender.poll_timeout(), Some(ms(930 + 100)));
    assert_eq!(rig.finish(), []);
    rig.assert_over();
    assert_eq!(rig.sender.counters().asked, Some(10));
}

#[test]
fn a_timeout_shorter_than_that_is_waited_for_instead() {
    let mut config = config();
    config.timeout = Duration::from_millis(20);
    let mut rig = Rig::sent(config, 10);
    for which in 0..10 {
        rig.reply(which, ms(which as u64 * 100 + 5));
    }
    rig.samples();
    assert_eq!(rig.sender.poll_timeout(), Some(ms(905 + 20)));
}

#[test]
fn a_copy_of_the_last_reply_alone_is_seen_and_others_are_then_waited_for() {
    let mut rig = all_but(&[]);
    rig.reply(9, ms(980));
    assert_eq!(fates(&rig.samples()), [(9, Fate::Duplicate)]);
    assert_eq!(rig.sender.poll_timeout(), Some(OBSERVED));
    rig.reply(9, ms(2_890));
    assert_eq!(fates(&rig.finish()), [(9, Fate::Duplicate)]);
    assert_eq!(rig.sender.counters().duplicates, 2);
    rig.assert_over();
}

#[test]
fn where_copies_were_seen_those_of_the_last_packets_are_waited_for() {
    let mut rig = Rig::sent(config(), 10);
    rig.reply(0, ms(5));
    rig.reply(0, ms(55));
    for which in 1..10 {
        rig.reply(which, ms(950));
    }
    assert_eq!(rig.samples().len(), 11);
    assert_eq!(rig.sender.poll_timeout(), Some(OBSERVED));
    for which in 0..10 {
        rig.reply(which, ms(1_900 + which as u64));
    }
    assert_eq!(rig.samples().len(), 10);
    assert_eq!(rig.finish(), []);
    assert_eq!(rig.sender.counters().duplicates, 11);
    rig.assert_over();
}

#[test]
fn a_late_reply_is_waited_for_until_the_timeout_after_the_last_departure() {
    for missing in [0, 5, 8] {
        let mut rig = all_but(&[missing]);
        let counted = ms(missing as u64 * 100 + 2_100);
        assert_eq!(rig.sender.poll_timeout(), Some(counted));
        assert_eq!(rig.samples_at(counted), [], "it may yet be a late one");
        assert_eq!(rig.sender.counters().lost, 1);
        assert_eq!(rig.sender.poll_timeout(), Some(OBSERVED));
        rig.reply(missing, ms(2_950));
        assert_eq!(fates(&rig.samples()), [(missing as u64, Fate::Late)]);
        let counters = rig.sender.counters();
        assert_eq!((counters.received, counters.lost, counters.late), (9, 1, 1));
        // Nothing is missing any more.
        rig.finish();
        rig.assert_over();
    }
}

#[test]
fn what_is_missing_to_the_end_is_lost_then() {
    let mut rig = all_but(&[2, 9]);
    assert_eq!(rig.samples_at(OBSERVED - Duration::from_nanos(1)), []);
    let lost = [(2, Fate::Lost), (9, Fate::Lost)];
    assert_eq!(fates(&rig.samples_at(OBSERVED)), lost);
    rig.assert_over();
}

#[test]
fn a_copy_of_a_late_reply_is_counted_once_as_late_and_once_as_a_copy() {
    let mut rig = all_but(&[7, 8]);
    rig.samples_at(ms(2_810));
    rig.reply(7, ms(2_820));
    rig.reply(7, ms(2_830));
    rig.reply(8, ms(2_950));
    assert_eq!(
        fates(&rig.samples()),
        [(7, Fate::Late), (7, Fate::Duplicate), (8, Fate::Late)]
    );
    assert_eq!(rig.sender.poll_timeout(), Some(OBSERVED));
    rig.finish();
    rig.assert_over();
    let counters = rig.sender.counters();
    assert_eq!(
        (counters.lost, counters.late, counters.duplicates),
        (2, 2, 1)
    );
}

#[test]
fn a_loss_that_can_no_longer_be_late_does_not_hold_up_the_end() {
    let mut config = config();
    config.limit = Limit::Count(60);
    let mut rig = Rig::new(config);
    for which in 0..60_usize {
        rig.send_count(1);
        if which > 0 {
            rig.reply(which, ms(which as u64 * 100 + 30));
        }
        rig.samples_at(ms(which as u64 * 100 + 40));
    }
    assert_eq!(rig.sender.counters().lost, 1);
    assert_eq!(rig.sender.poll_timeout(), Some(ms(5_930 + 100)));
}

#[test]
fn a_run_of_a_duration_ends_by_the_same_rule() {
    let mut config = config();
    config.limit = Limit::Duration(Duration::from_millis(950));
    let mut rig = Rig::sent(config, 10);
    for which in 1..10 {
        rig.reply(which, ms(940));
    }
    rig.samples();
    rig.samples_at(ms(2_500));
    rig.reply(0, ms(2_600));
    assert_eq!(fates(&rig.samples()), [(0, Fate::Late)]);
    rig.finish();
    rig.assert_over();
}

#[test]
fn a_run_of_which_no_packet_came_back_in_time_waits_a_second_longer() {
    let mut rig = Rig::sent(config(), 10);
    rig.samples_at(OBSERVED);
    assert_eq!(
        rig.sender.poll_timeout(),
        Some(OBSERVED + Duration::from_secs(1))
    );
    for which in 0..10 {
        rig.reply(which, ms(3_990));
    }
    assert_eq!(rig.samples().len(), 10);
    assert_eq!(rig.sender.counters().late, 10);
    rig.finish();
    rig.assert_over();
}

#[test]
fn sending_that_is_stopped_leaves_every_packet_its_time() {
    let mut config = config();
    config.limit = Limit::Count(1_000);
    let mut rig = Rig::sent(config, 10);
    rig.reply(0, ms(40));
    rig.sender.stop_sending();
    assert_eq!((rig.sender.next_due(), rig.send(ms(5_000))), (None, 0));
    for which in 1..9 {
        rig.reply(which, ms(950));
    }
    assert_eq!(rig.samples().len(), 9);
    assert_eq!(fates(&rig.finish()), [(9, Fate::Lost)]);
    rig.assert_over();
    let counters = rig.sender.counters();
    assert_eq!((counters.sent, counters.in_flight), (10, 0));
}

#[test]
fn sending_that_is_stopped_on_a_silent_path_is_not_waited_for_longer_than_the_timeout() {
    let mut config = config();
    config.limit = Limit::Count(1_000);
    let mut rig = Rig::sent(config, 10);
    rig.sender.stop_sending();
    assert_eq!(rig.samples_at(OBSERVED).len(), 10);
    rig.assert_over();
}

#[test]
fn sending_that_is_stopped_before_the_first_packet_ends_at_once() {
    let mut rig = Rig::new(config());
    rig.sender.stop_sending();
    rig.assert_over();
}

#[test]
fn a_stop_ends_the_wait_for_late_replies_too() {
    let mut rig = all_but(&[4]);
    rig.samples_at(ms(2_600));
    rig.sender.stop(ms(2_601));
    assert_eq!(fates(&rig.samples()), [(4, Fate::Lost)]);
    rig.assert_over();
}

#[test]
fn a_reply_whose_stamp_is_awaited_at_the_end_has_its_sample() {
    let mut config = config();
    config.await_tx_stamps = true;
    let mut rig = Rig::sent(config, 10);
    for which in 1..10 {
        rig.reply(which, ms(990));
    }
    rig.stamp(1, us(100_020), Rung::Kernel);
    let samples = rig.finish();
    assert_eq!(samples.len(), 10);
    assert_eq!(
        samples.last().map(|it| (it.seq, it.fate)),
        Some((0, Fate::Lost))
    );
    rig.assert_over();
}

#[test]
fn a_stop_counts_the_young_in_flight_and_the_old_lost() {
    let mut config = config();
    config.limit = Limit::Count(1_000);
    let mut rig = Rig::sent(config, 30);
    rig.sender.handle_timeout(ms(2_900));
    rig.samples();
    rig.reply(20, ms(2_900));
    // Packets 0 to 9 are older than 2 s, the others younger.
    rig.sender.stop(ms(2_950));
    let samples = rig.samples();
    let lost = samples
        .iter()
        .filter(|sample| sample.fate == Fate::Lost)
        .count();
    assert_eq!((lost, samples.len()), (10, 11));
    let counters = *rig.sender.counters();
    assert_eq!(
        (
            counters.sent,
            counters.received,
            counters.lost,
            counters.in_flight
        ),
        (11, 1, 10, 19)
    );
    rig.assert_over();
    rig.reply(25, ms(2_960));
    assert_eq!(
        *rig.sender.counters(),
        counters,
        "what comes after the end is not looked at"
    );
    assert_eq!(rig.sender.next_due(), None);
}
