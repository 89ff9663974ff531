//! A reflector and a sender measure each other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use twinpath_metrics::{Record, TtlFigures};
use twinpath_proto::reflector::Ignored;
use twinpath_proto::sender::{Limit, PayloadSize, Schedule, Wire};
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{StampChoice, host, measure};
use twinpath_wire::{Fate, Rung, Tos};

use crate::{
    PATIENCE, has_v6, keys, measured, portable_build, reflect, responder_plan, sender_plan,
};

#[test]
fn every_packet_is_answered_and_stamped_by_the_kernel() {
    for near in ["127.0.0.1:0", "[::1]:0"] {
        if near.starts_with('[') && !has_v6() {
            continue;
        }
        let (reflector, far) = reflect(&responder_plan(&[near]));
        let mut plan = sender_plan(far);
        plan.tos = Tos(0xb8);
        plan.path.ttl = 200;
        let (report, samples) = measured(plan);
        assert_eq!(
            (report.counters.sent, report.counters.received),
            (20, 20),
            "{near}"
        );
        assert_eq!(samples.len(), 20);
        assert!(samples.iter().all(|sample| sample.fate == Fate::Received));
        let residence = report.figures.residence.unwrap();
        assert!(residence.min_ns >= 0, "{residence:?}");
        if portable_build() {
            continue;
        }
        let ttl = |ttl: Option<TtlFigures>| ttl.map(|ttl| (ttl.min, ttl.max));
        assert_eq!(ttl(report.figures.ttl_forward), Some((200, 200)));
        assert_eq!(ttl(report.figures.ttl_backward), Some((255, 255)));
        assert!(
            samples
                .iter()
                .all(|sample| sample.tos_backward == Some(Tos(0xb8)))
        );
        assert_eq!(report.stamps.transmit, Some(Rung::Kernel));
        assert_eq!(report.stamps.receive, Some(Rung::Kernel));
        let did = reflector.join().unwrap();
        assert_eq!(did.counters.reflected, 20);
        assert_eq!(did.receive_rungs.best(), Some(Rung::Kernel));
        assert_eq!(did.t3_advance_ns, None, "both ends are this host");
    }
}

#[test]
fn plain_sockets_on_either_side_measure_too() {
    for (plain_reflector, plain_sender) in [(true, false), (false, true), (true, true)] {
        let mut plan = responder_plan(&["127.0.0.1:0"]);
        plan.path.portable = plain_reflector;
        let (_reflector, far) = reflect(&plan);
        let mut plan = sender_plan(far);
        plan.path.portable = plain_sender;
        let (report, _) = measured(plan);
        assert_eq!(report.counters.received, 20);
        if plain_sender || portable_build() {
            assert_eq!(report.stamps.transmit, Some(Rung::User));
            assert_eq!(report.stamps.receive, Some(Rung::User));
        }
    }
}

#[test]
fn user_space_stamps_are_used_where_they_are_asked_for() {
    let mut plan = responder_plan(&["127.0.0.1:0"]);
    plan.path.stamps = StampChoice::User;
    let (reflector, far) = reflect(&plan);
    let mut plan = sender_plan(far);
    plan.path.stamps = StampChoice::User;
    let (report, _) = measured(plan);
    assert_eq!(report.stamps.transmit, Some(Rung::User));
    assert_eq!(report.stamps.receive, Some(Rung::User));
    assert_eq!(
        reflector.join().unwrap().receive_rungs.best(),
        Some(Rung::User)
    );
}

#[test]
fn a_wildcard_responder_answers_from_the_address_that_was_asked() {
    if portable_build() {
        return;
    }
    let (_reflector, near) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let far = SocketAddr::new("127.0.0.42".parse().unwrap(), near.port());
    let (report, _) = measured(sender_plan(far));
    assert_eq!(report.counters.received, 20);
    assert_eq!(report.counters.anomalies.foreign_address, 0);
}

#[test]
fn stamp_and_twamp_light_are_answered_on_one_port() {
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    for (wire, octets) in [
        (Wire::TWAMP_LIGHT, 14),
        (Wire::TWAMP_LIGHT, 1400),
        (Wire::stamp(0), 14),
        (Wire::stamp(4242), 300),
    ] {
        let mut plan = sender_plan(far);
        plan.wire = wire;
        plan.payload = PayloadSize::Fixed(octets);
        let (report, _) = measured(plan);
        assert_eq!(report.counters.received, 20, "{wire:?} {octets}");
        assert_eq!(
            report.counters.anomalies.ssid_missing + report.counters.anomalies.other_ssid,
            0
        );
        // 41 octets to 14 are the least that a reply can have, and nothing odd.
        assert_eq!(
            report.counters.anomalies.size_differs, 0,
            "{wire:?} {octets}"
        );
    }
}

#[test]
fn jumbo_and_fragmented_payloads_pass() {
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    for octets in [9_000, 65_507] {
        let mut plan = sender_plan(far);
        plan.payload = PayloadSize::Fixed(octets);
        plan.limit = Limit::Count(3);
        let (report, _) = measured(plan);
        assert_eq!(report.counters.received, 3, "{octets}");
        assert_eq!(report.counters.anomalies.size_differs, 0, "{octets}");
    }
}

#[test]
fn several_threads_keep_each_session_s_counter() {
    let mut plan = responder_plan(&["127.0.0.1:0"]);
    plan.threads = 3;
    let (reflector, far) = reflect(&plan);
    for _ in 0..6 {
        let (report, samples) = measured(sender_plan(far));
        assert_eq!(report.counters.received, 20);
        let numbers: Vec<_> = samples
            .iter()
            .filter_map(|sample| sample.reflector_seq)
            .collect();
        assert_eq!(numbers, (0..20).collect::<Vec<_>>());
    }
    let did = reflector.join().unwrap();
    assert_eq!(
        (did.counters.reflected, did.counters.sessions_made),
        (120, 6)
    );
}

#[test]
fn a_client_s_rate_is_limited_over_all_threads() {
    if portable_build() {
        return;
    }
    for near in ["127.0.0.1:0", "[::1]:0"] {
        if near.starts_with('[') && !has_v6() {
            continue;
        }
        let mut plan = responder_plan(&[near]);
        plan.threads = 4;
        plan.reflector.policy.max_rate_pps = Some(10);
        let (reflector, far) = reflect(&plan);
        let began = Instant::now();
        let runs: Vec<_> = (0..8)
            .map(|_| {
                let mut plan = sender_plan(far);
                plan.timeout = Duration::from_millis(100);
                std::thread::spawn(move || measured(plan).0.counters.sent)
            })
            .collect();
        let sent: u64 = runs.into_iter().map(|run| run.join().unwrap()).sum();
        let did = loop {
            let did = reflector.counted().counters;
            if did.reflected + did.ignored_as(Ignored::RateLimited) == sent {
                break did;
            }
            assert!(began.elapsed() < Duration::from_mins(1), "{did:?}");
            std::thread::sleep(Duration::from_millis(5));
        };
        // One second's worth at once, and ten in each second; each thread by itself gives four times that.
        let most = 10 + began.elapsed().as_millis() / 100 + 1;
        assert!(
            (10..=most).contains(&did.reflected.into()),
            "{near}: {did:?}"
        );
    }
}

#[test]
fn a_sender_that_is_asked_for_too_much_reads_all_that_comes() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let mut plan = sender_plan(far);
    plan.limit = Limit::Duration(Duration::from_secs(2));
    plan.schedule = Schedule::every(Duration::from_micros(1));
    plan.max_burst = 1_000;
    plan.records = false;
    let (report, _) = measured(plan);
    let counters = report.counters;
    assert!(
        counters.sent > 0 && counters.slots_skipped > 0,
        "{counters:?}"
    );
    assert_eq!(report.receive_drops, 0, "{counters:?}");
    assert_eq!(report.stamps.fallback_transmit, 0, "{counters:?}");
}

#[test]
fn a_duration_ends_a_run_too_and_stop_ends_it_early() {
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let mut plan = sender_plan(far);
    plan.limit = Limit::Duration(Duration::from_millis(100));
    plan.schedule = Schedule::every(Duration::from_millis(10));
    let (report, _) = measured(plan);
    assert_eq!(report.counters.asked, None);
    assert_eq!(report.counters.sent + report.counters.slots_skipped, 10);
    let mut plan = sender_plan(far);
    plan.limit = Limit::Count(1_000_000);
    let run = measure::start(plan).unwrap();
    let patience = Instant::now() + PATIENCE;
    while run.progress().received < 5 {
        assert!(Instant::now() < patience, "nothing is measured");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.stop();
    let report = run.join().unwrap();
    let counters = report.counters;
    assert!(counters.received >= 5 && counters.sent < 1_000_000);
    assert_eq!(counters.sent, counters.received + counters.lost);
}

#[test]
fn a_host_knows_what_it_can_do() {
    let survey = host::survey().unwrap();
    assert!(survey.transmit.contains(&Rung::User));
    if !portable_build() {
        assert!(survey.transmit.contains(&Rung::Kernel), "{survey:?}");
        assert!(survey.receive.contains(&Rung::Kernel), "{survey:?}");
        assert!(survey.transmit.contains(&Rung::Queue), "{survey:?}");
    }
}

#[test]
fn what_was_sent_is_what_the_samples_say() {
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let mut plan = sender_plan(far);
    plan.limit = Limit::Count(500);
    plan.schedule = Schedule::every(Duration::from_micros(200));
    let (report, samples) = measured(plan);
    assert_eq!(report.counters.sent, 500);
    assert_eq!(samples.len(), 500);
    assert!(keys(&report).iter().all(|key| *key != "records-dropped"));
    let mut numbers: Vec<_> = samples.iter().map(|sample| sample.seq).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
}

#[test]
fn classes_are_measured_side_by_side_in_the_order_asked_for() {
    let (reflector, far) = reflect(&responder_plan(&["127.0.0.1:0"]));
    let classes = [Tos(0x88), Tos(0), Tos(0xb8)];
    let plan = sender_plan(far);
    let plans = classes.iter().enumerate();
    let plans = plans.map(|(index, tos)| plan.of_session(index, *tos));
    let engine = Engine::start(0).unwrap();
    let mut run: Vec<SessionHandle> = plans.map(|plan| engine.begin(plan).unwrap()).collect();
    let senders: Vec<SocketAddr> = run.iter().map(SessionHandle::sender).collect();
    let mut samples = [0; 3];
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        let over = run.iter().all(SessionHandle::is_finished);
        for (session, count) in run.iter_mut().zip(&mut samples) {
            let records = std::iter::from_fn(|| session.next_record());
            *count += records
                .filter(|record| matches!(record, Record::Sample(_)))
                .count();
        }
        if over {
            break;
        }
        assert!(Instant::now() < patience, "the run does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(samples, [20; 3]);
    for (index, session) in run.into_iter().enumerate() {
        let session = session.join().unwrap();
        assert_eq!(session.identity.tos, classes[index]);
        assert_eq!(session.identity.sender, senders[index]);
        assert_eq!(session.counters.received, 20);
        assert_eq!(session.identity.seed, 7 + index as u64);
        if !portable_build() {
            let arrived = session.figures.dscp_backward.as_slice();
            assert_eq!(arrived, [(classes[index].dscp(), 20)]);
        }
    }
    assert_eq!(reflector.join().unwrap().counters.reflected, 60);
}
