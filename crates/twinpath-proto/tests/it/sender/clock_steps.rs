//! A step of the local clock during the run must not pass for a delay (row M-55).

use std::time::Duration;

use twinpath_proto::ClockPair;
use twinpath_wire::{Delta, Exclusion, Fate, Mono};

use super::rig::{Rig, arrival, config, ms, pair, us, wall};

const HOUR: Delta = Delta::from_ns(3_600_000_000_000);

fn stepped(at: Mono, by: Delta) -> ClockPair {
    ClockPair {
        mono: at,
        wall: wall(at) + by,
    }
}

#[test]
fn packets_in_flight_at_a_step_are_left_out_of_the_delays_and_not_of_the_loss() {
    for by in [
        HOUR,
        -HOUR,
        Delta::from_ns(5_000_000),
        Delta::from_ns(-5_000_000),
    ] {
        let mut rig = Rig::sent(config(), 3);
        rig.sender.handle_clock(pair(ms(205)));
        rig.reply(0, ms(205));
        rig.sender.handle_clock(stepped(ms(230), by));
        let reply = rig.reply_octets(2, ms(230));
        rig.sender
            .handle_reply(ms(230), &reply, &arrival(wall(ms(230)) + by));
        let samples = rig.samples();
        assert_eq!(samples[0].excluded, None, "it was back before the step");
        assert_eq!(
            (samples[1].seq, samples[1].fate),
            (2, Fate::Received),
            "{by:?}"
        );
        assert_eq!(samples[1].excluded, Some(Exclusion::ClockStep));
        let counters = rig.sender.counters();
        assert_eq!(
            (counters.clock_steps, counters.received, counters.lost),
            (1, 2, 0)
        );
        assert_eq!(counters.anomalies.residence_too_long, 0);
    }
}

#[test]
fn packets_sent_after_the_step_are_measured() {
    let mut rig = Rig::sent(config(), 1);
    rig.sender.handle_clock(stepped(ms(50), HOUR));
    let mut packet = [0; 41];
    let transmit = rig.sender.poll_transmit(ms(100), &mut packet).unwrap();
    rig.sender
        .finish(&mut packet, transmit, stepped(ms(100), HOUR));
    rig.requests.push(packet.to_vec());
    let reply = rig.reply_octets(1, ms(130));
    rig.sender
        .handle_reply(ms(130), &reply, &arrival(wall(ms(130)) + HOUR));
    let sample = rig.samples()[0];
    assert_eq!((sample.excluded, sample.departure), (None, Delta::ZERO));
    assert_eq!(rig.sender.counters().clock_steps, 1);
}

#[test]
fn the_reading_for_a_t1_finds_a_step_too() {
    let mut rig = Rig::sent(config(), 1);
    let mut packet = [0; 41];
    let transmit = rig.sender.poll_transmit(ms(100), &mut packet).unwrap();
    rig.sender
        .finish(&mut packet, transmit, stepped(ms(100), HOUR));
    rig.requests.push(packet.to_vec());
    assert_eq!(rig.sender.counters().clock_steps, 1);
    for which in [0, 1] {
        let reply = rig.reply_octets(which, ms(130));
        rig.sender
            .handle_reply(ms(130), &reply, &arrival(wall(ms(130)) + HOUR));
    }
    let excluded: Vec<_> = rig.samples().iter().map(|sample| sample.excluded).collect();
    assert_eq!(excluded, [Some(Exclusion::ClockStep), None]);
}

#[test]
fn where_stamps_cannot_tell_late_from_in_time_the_monotonic_clock_does() {
    for (read, fate) in [(ms(1_999), Fate::Received), (ms(2_001), Fate::Late)] {
        let mut rig = Rig::sent(config(), 1);
        rig.sender.handle_clock(stepped(ms(1_000), -HOUR));
        let reply = rig.reply_octets(0, ms(1_500));
        rig.sender
            .handle_reply(read, &reply, &arrival(wall(ms(1_500)) - HOUR));
        assert_eq!(rig.samples()[0].fate, fate);
    }
}

#[test]
fn ordinary_readings_are_no_steps() {
    let mut rig = Rig::new(config());
    for k in 0..10_000 {
        let wobble = Delta::from_ns(if k % 2 == 0 { 20_000 } else { -20_000 });
        rig.sender.handle_clock(stepped(us(k * 100), wobble));
    }
    assert_eq!(rig.sender.counters().clock_steps, 0);
}

#[test]
fn a_stamp_from_after_the_step_does_not_pass_for_a_departure() {
    let mut config = config();
    config.await_tx_stamps = true;
    let mut rig = Rig::new(config);
    rig.send(us(150));
    rig.sender.handle_clock(stepped(ms(5), HOUR));
    let at = wall(us(180)) + HOUR;
    let stamp = twinpath_wire::Stamp {
        at,
        rung: twinpath_wire::Rung::Kernel,
    };
    rig.sender.handle_tx_stamp(&rig.tokens[0], stamp);
    let reply = rig.reply_octets(0, ms(5));
    rig.sender
        .handle_reply(ms(5), &reply, &arrival(wall(ms(5)) + HOUR));
    let sample = rig.samples_at(ms(200))[0];
    assert_eq!(
        sample.departure,
        Delta::from_duration(Duration::from_micros(150))
    );
    assert_eq!(sample.excluded, Some(Exclusion::ClockStep));
}
