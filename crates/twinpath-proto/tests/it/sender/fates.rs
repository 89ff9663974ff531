//! The fates of packets (metrics rows M-1 to M-6).

use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule};
use twinpath_wire::{Delta, Fate, Rung, Stamp, Tos};

use super::rig::{Rig, arrival, config, ms, us, wall};

#[test]
fn a_reply_in_time_is_one_sample_with_all_that_it_said() {
    let mut rig = Rig::sent(config(), 2);
    rig.reply(1, ms(130));
    let samples = rig.samples();
    assert_eq!(samples.len(), 1);
    let sample = samples[0];
    assert_eq!(
        (sample.seq, sample.fate, sample.excluded),
        (1, Fate::Received, None)
    );
    assert_eq!(
        sample.t1,
        Stamp {
            at: wall(ms(100)),
            rung: Rung::User
        }
    );
    assert_eq!(sample.t2, Some(wall(us(129_970))));
    assert_eq!(sample.t3, Some(wall(us(129_980))));
    assert_eq!(
        sample.t4,
        Some(Stamp {
            at: wall(ms(130)),
            rung: Rung::Kernel
        })
    );
    assert_eq!(sample.reflector_seq, Some(1));
    assert_eq!(
        (sample.ttl_forward, sample.ttl_backward),
        (Some(250), Some(61))
    );
    assert_eq!(sample.tos_backward, Some(Tos(0xb8)));
    assert_eq!(sample.departure, Delta::ZERO);
    assert_eq!(sample.round_trip(), Some(Delta::from_ns(29_990_000)));
}

#[test]
fn departure_is_what_the_sender_itself_added() {
    let mut rig = Rig::new(config());
    rig.send(us(350));
    rig.reply(0, ms(5));
    assert_eq!(rig.samples()[0].departure, Delta::from_ns(350_000));
}

#[test]
fn a_reply_at_the_timeout_is_in_time_and_one_after_it_is_late() {
    for (at_us, fate) in [(2_000_000, Fate::Received), (2_000_001, Fate::Late)] {
        let mut rig = Rig::sent(config(), 1);
        rig.reply(0, us(at_us));
        assert_eq!(rig.samples()[0].fate, fate, "{at_us} us");
        let counters = rig.sender.counters();
        let late = u64::from(fate == Fate::Late);
        assert_eq!(
            (counters.received, counters.lost, counters.late),
            (1 - late, late, late)
        );
    }
}

#[test]
fn a_packet_without_a_reply_is_lost_and_said_so_once() {
    let mut config = config();
    config.limit = Limit::Count(3);
    let mut rig = Rig::sent(config, 3);
    rig.reply(0, ms(210));
    rig.reply(2, ms(230));
    let samples = rig.finish();
    let fates: Vec<_> = samples
        .iter()
        .map(|sample| (sample.seq, sample.fate))
        .collect();
    assert_eq!(
        fates,
        [(0, Fate::Received), (2, Fate::Received), (1, Fate::Lost)]
    );
    let lost = samples[2];
    assert_eq!(lost.t1.at, wall(ms(100)));
    assert!(lost.t2.is_none() && lost.t3.is_none() && lost.t4.is_none());
    assert!(lost.reflector_seq.is_none() && lost.ttl_backward.is_none());
    rig.assert_over();
}

#[test]
fn a_late_reply_counts_as_lost_and_late_and_has_one_sample() {
    let mut rig = Rig::sent(config(), 10);
    let samples = rig.samples_at(ms(2_150));
    assert_eq!(samples, [], "a lost packet lingers before it is said lost");
    assert_eq!(
        (rig.sender.counters().lost, rig.sender.counters().late),
        (1, 0)
    );
    rig.reply(0, ms(2_500));
    let samples = rig.samples();
    assert_eq!(samples.len(), 1);
    assert_eq!((samples[0].seq, samples[0].fate), (0, Fate::Late));
    assert_eq!(samples[0].t4.map(|t4| t4.at), Some(wall(ms(2_500))));
    assert_eq!(
        (rig.sender.counters().lost, rig.sender.counters().late),
        (1, 1)
    );
    rig.reply(0, ms(2_510));
    assert_eq!(
        rig.sender.counters().duplicates,
        1,
        "a second late copy is a duplicate"
    );
    assert_eq!(rig.samples()[0].fate, Fate::Duplicate);
    let rest = rig.finish();
    assert_eq!(rest.len(), 9);
    assert!(rest.iter().all(|sample| sample.fate == Fate::Lost));
    rig.assert_over();
}

#[test]
fn a_lost_packet_is_reported_once_as_soon_as_its_timeout_passed() {
    let mut rig = Rig::sent(config(), 3);
    rig.reply(1, ms(130));
    assert_eq!(rig.sender.poll_overdue(), None);
    rig.sender.handle_timeout(ms(2_310));
    let told: Vec<_> = std::iter::from_fn(|| rig.sender.poll_overdue())
        .map(|lost| (lost.seq, lost.t1.at))
        .collect();
    assert_eq!(told, [(0, wall(ms(0))), (2, wall(ms(200)))]);
    assert_eq!(rig.samples().len(), 1, "they linger");
    assert_eq!(rig.sender.poll_overdue(), None);
    // Another one has its reply before anybody asks.
    let mut rig = Rig::sent(config(), 2);
    rig.samples_at(ms(2_250));
    rig.reply(0, ms(2_300));
    let told: Vec<_> = std::iter::from_fn(|| rig.sender.poll_overdue())
        .map(|lost| (lost.seq, lost.t1.at))
        .collect();
    assert_eq!(told, [(1, wall(ms(100)))]);
}

#[test]
fn a_reply_that_came_in_time_and_was_read_late_is_received() {
    let mut rig = Rig::sent(config(), 10);
    // The process slept through everything: by its own clock the packet is lost.
    assert_eq!(rig.samples_at(ms(2_200)), []);
    assert_eq!(rig.sender.counters().lost, 2);
    rig.reply_read(0, ms(40), ms(2_200));
    let sample = rig.samples()[0];
    assert_eq!((sample.seq, sample.fate), (0, Fate::Received));
    assert_eq!(
        (rig.sender.counters().lost, rig.sender.counters().received),
        (1, 1)
    );
    rig.finish();
    rig.assert_over();
}

#[test]
fn the_scheduler_has_a_hundred_milliseconds_before_a_packet_counts_as_lost() {
    let mut rig = Rig::sent(config(), 1);
    rig.samples_at(us(2_099_999));
    assert_eq!(rig.sender.counters().lost, 0);
    rig.samples_at(ms(2_100));
    assert_eq!(rig.sender.counters().lost, 1);
}

#[test]
fn a_lost_packet_has_its_sample_after_lingering_for_another_timeout() {
    let mut config = config();
    config.limit = Limit::Count(1_000);
    let mut rig = Rig::sent(config, 10);
    let mut lost_at = None;
    for at in 2_000..5_000 {
        if lost_at.is_none() && !rig.samples_at(ms(at)).is_empty() {
            lost_at = Some(at);
        }
    }
    assert_eq!(lost_at, Some(4_100));
    rig.samples_at(ms(5_000));
    rig.reply(0, ms(5_000));
    assert_eq!(rig.samples(), []);
    assert_eq!(
        (rig.sender.counters().stale, rig.sender.counters().late),
        (1, 0)
    );
}

#[test]
fn copies_of_a_reply_are_duplicates_and_measured_once() {
    let mut rig = Rig::sent(config(), 3);
    rig.reply(1, ms(210));
    rig.reply(1, ms(215));
    rig.reply(1, ms(220));
    let samples = rig.samples();
    let fates: Vec<_> = samples.iter().map(|sample| sample.fate).collect();
    assert_eq!(fates, [Fate::Received, Fate::Duplicate, Fate::Duplicate]);
    assert_eq!(samples[1].t1.at, wall(ms(100)), "the T1 that it echoes");
    assert_eq!(samples[2].t4.map(|t4| t4.at), Some(wall(ms(220))));
    let counters = rig.sender.counters();
    assert_eq!((counters.received, counters.duplicates), (1, 2));
}

#[test]
fn a_copy_older_than_the_window_is_stale_and_one_within_is_a_duplicate() {
    let mut config = config();
    config.limit = Limit::Count(100_000);
    config.schedule = Schedule::every(Duration::from_micros(10));
    let mut rig = Rig::new(config);
    for which in 0..70_000_usize {
        rig.send_count(1);
        let now = us(which as u64 * 10 + 5);
        rig.reply(which, now);
        assert_eq!(rig.samples().len(), 1);
    }
    let now = us(700_100);
    rig.reply(70_000 - 65_537, now);
    assert_eq!(
        (
            rig.sender.counters().stale,
            rig.sender.counters().duplicates
        ),
        (1, 0)
    );
    rig.reply(70_000 - 65_536, now);
    assert_eq!(
        (
            rig.sender.counters().stale,
            rig.sender.counters().duplicates
        ),
        (1, 1)
    );
}

#[test]
fn a_refused_packet_was_neither_sent_nor_lost_and_its_number_is_not_used_again() {
    let mut rig = Rig::sent(config(), 3);
    let token = rig.tokens.remove(1);
    rig.sender.handle_send_error(token);
    let counters = rig.sender.counters();
    assert_eq!((counters.sent, counters.send_errors), (2, 1));
    rig.reply(1, ms(250));
    assert_eq!(rig.sender.counters().anomalies.unknown_seq, 1);
    rig.send_count(1);
    assert_eq!(rig.requests[3][..4], [0, 0, 0, 3]);
    let rest = rig.finish();
    assert!(rest.iter().all(|sample| sample.seq != 1));
    assert_eq!(rest.len(), 9);
    rig.assert_over();
    assert_eq!(
        (rig.sender.counters().sent, rig.sender.counters().asked),
        (9, Some(10))
    );
}

#[test]
fn a_packet_that_was_asked_for_and_never_finished_ends_nothing() {
    let mut rig = Rig::new(config());
    let mut buffer = [0; 41];
    assert!(rig.sender.poll_transmit(ms(0), &mut buffer).is_some());
    let samples = rig.finish();
    assert_eq!(samples.len(), 9);
    rig.assert_over();
    assert_eq!(rig.sender.counters().sent, 9);
}

#[test]
fn nothing_asked_is_over_at_once() {
    for limit in [Limit::Count(0), Limit::Duration(Duration::ZERO)] {
        let mut config = config();
        config.limit = limit;
        let mut rig = Rig::new(config);
        assert_eq!(rig.send(ms(1_000)), 0);
        rig.assert_over();
    }
}

#[test]
fn packets_finished_out_of_order_are_matched_all_the_same() {
    let mut rig = Rig::new(config());
    let mut one = [0; 41];
    let mut two = [0; 41];
    let first = rig.sender.poll_transmit(ms(100), &mut one).unwrap();
    let second = rig.sender.poll_transmit(ms(100), &mut two).unwrap();
    rig.sender
        .finish(&mut two, second, super::rig::pair(us(100_010)));
    rig.sender
        .finish(&mut one, first, super::rig::pair(us(100_020)));
    rig.requests = vec![one.to_vec(), two.to_vec()];
    let replies = [rig.reply_octets(1, ms(101)), rig.reply_octets(0, ms(102))];
    for reply in replies {
        rig.sender
            .handle_reply(ms(102), &reply, &arrival(wall(ms(102))));
    }
    let samples = rig.samples();
    assert_eq!(
        samples.iter().map(|sample| sample.seq).collect::<Vec<_>>(),
        [1, 0]
    );
    assert_eq!(samples[1].departure, Delta::from_ns(100_020_000));
}
