//! A session's memory depends on the packets in flight, not on its duration.

use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule, SenderConfig};
use twinpath_wire::{Fate, Mono};

use super::rig::{Rig, config, us};

const TEN_US: Duration = Duration::from_micros(10);

fn fast(limit: Limit) -> SenderConfig {
    SenderConfig {
        schedule: Schedule::every(TEN_US),
        limit,
        await_tx_stamps: true,
        ..config()
    }
}

#[test]
fn a_dead_path_at_100_000_packets_a_second_costs_under_12_megabytes() {
    let mut rig = Rig::new(fast(Limit::Count(400_000)));
    let mut buffer = [0; 41];
    let mut most = 0;
    let mut lost = 0;
    let mut now = Mono::from_ns(0);
    while let Some(next) = rig.sender.poll_timeout() {
        now = now.max(next);
        while let Some(transmit) = rig.sender.poll_transmit(now, &mut buffer) {
            rig.sender
                .finish(&mut buffer, transmit, super::rig::pair(now));
        }
        rig.sender.handle_timeout(now);
        while let Some(sample) = rig.sender.poll_sample() {
            assert_eq!((sample.fate, sample.seq), (Fate::Lost, lost));
            lost += 1;
        }
        most = most.max(rig.sender.memory_octets());
    }
    assert_eq!((lost, rig.sender.counters().lost), (400_000, 400_000));
    assert!(most < 12_000_000, "{most} octets");
    assert!(
        most > 6_000_000,
        "{most} octets: 210,000 packets were in flight"
    );
    assert!(
        rig.sender.memory_octets() < 500_000,
        "given back at the end"
    );
}

#[test]
fn losses_that_all_come_due_at_once_are_not_queued() {
    let mut rig = Rig::new(fast(Limit::Count(150_000)));
    rig.send_count(150_000);
    let before = rig.sender.memory_octets();
    rig.sender.handle_timeout(us(60_000_000));
    let mut lost = 0;
    while rig.sender.poll_sample().is_some() {
        lost += 1;
        assert!(rig.sender.memory_octets() < before + 500_000);
    }
    assert_eq!(lost, 150_000);
    rig.assert_over();
}

#[test]
fn a_million_packets_need_no_more_than_ten_thousand() {
    let mut after = Vec::new();
    for count in [10_000, 1_000_000] {
        let mut rig = Rig::new(fast(Limit::Count(count)));
        let mut buffer = [0; 41];
        let mut received = 0;
        let mut most = 0;
        while let Some(due) = rig.sender.next_due() {
            let transmit = rig.sender.poll_transmit(due, &mut buffer).unwrap();
            let seq = transmit.seq;
            rig.sender
                .finish(&mut buffer, transmit, super::rig::pair(due));
            rig.requests = vec![buffer.to_vec()];
            if !seq.is_multiple_of(100) {
                rig.reply(0, due + Duration::from_micros(300));
            }
            if seq.is_multiple_of(64) {
                rig.sender.handle_timeout(due);
                received += rig.samples().len();
                most = most.max(rig.sender.memory_octets());
            }
        }
        received += rig.finish().len();
        assert_eq!(received as u64, count);
        assert_eq!(rig.sender.counters().lost, count / 100);
        after.push(most);
    }
    // A lost packet is waited for for two seconds: some 8 MB of the faster run's window.
    assert!(after[1] < 12_000_000, "{after:?}");
}
