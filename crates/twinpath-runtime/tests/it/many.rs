//! Many sessions that share threads and sockets.

mod sockets;

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::ops::Range;
use std::time::{Duration, Instant};

use twinpath_metrics::ClosedInterval;
use twinpath_proto::sender::{Limit, Schedule};
use twinpath_report::SessionReport;
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::Rung;

use crate::process::{alone, descriptors, memory};
use crate::server::own_ports;
use crate::{closed_port, portable_build, reflect, responder_plan, sender_plan};

/// The `index`th address of this host: all of 127.0.0.0/8 are.
fn loopback(index: u16) -> IpAddr {
    let [high, low] = index.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low).into()
}

fn plan(far: SocketAddr) -> SenderPlan {
    SenderPlan {
        limit: Limit::Count(10),
        schedule: Schedule::every(Duration::from_millis(20)),
        // A busy host may leave a reflector without its turn for a while.
        timeout: Duration::from_secs(10),
        records: false,
        ..sender_plan(far)
    }
}

fn all_reports(sessions: Vec<SessionHandle>) -> Vec<SessionReport> {
    let patience = Instant::now() + Duration::from_mins(1);
    while !sessions.iter().all(SessionHandle::is_finished) {
        assert!(Instant::now() < patience, "the sessions do not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    let reports = sessions.into_iter().map(|session| session.join().unwrap());
    reports.collect()
}

#[test]
fn a_range_of_as_many_ports_as_paths_is_enough_whatever_the_threads() {
    if portable_build() {
        return;
    }
    let (reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let engine = Engine::start(3).unwrap();
    let (low, _) = own_ports();
    let sessions = (0..20).flat_map(|index| {
        let far = SocketAddr::new(loopback(index), far.port());
        let plan = SenderPlan {
            port: PortChoice::Range(low, low + 1),
            ..plan(far)
        };
        [plan.clone(), plan].map(|plan| engine.begin(plan).unwrap())
    });
    for report in all_reports(sessions.collect()) {
        assert_eq!(report.counters.received, 10);
    }
    reflector.stop();
}

#[test]
fn every_packet_of_sessions_that_share_a_socket_is_accounted_for() {
    if portable_build() {
        return;
    }
    let (reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let engine = Engine::start(1).unwrap();
    let sessions = (0..300).map(|index| {
        let far = SocketAddr::new(loopback(index), far.port());
        engine.begin(plan(far)).unwrap()
    });
    let sessions: Vec<SessionHandle> = sessions.collect();
    let mut ports: Vec<u16> = sessions.iter().map(|one| one.sender().port()).collect();
    ports.sort_unstable();
    ports.dedup();
    assert!(ports.len() < 6, "{ports:?}");
    for (index, report) in (0..).zip(all_reports(sessions)) {
        assert_eq!(report.identity.reflector.ip(), loopback(index));
        let counters = report.counters;
        assert_eq!(counters.sent, 10, "{counters:?}");
        assert_eq!((counters.received, counters.lost), (10, 0), "{counters:?}");
        assert_eq!(report.stamps.transmit, Some(Rung::Kernel));
        assert_eq!(report.stamps.receive, Some(Rung::Kernel));
        assert_eq!(report.stamps.fallback_transmit, 0);
        let least = report.figures.round_trip.unwrap().min_ns;
        assert!(least > 0, "{least}");
    }
    assert_eq!(reflector.join().unwrap().counters.reflected, 3_000);
}

#[test]
fn far_ends_that_refuse_take_nothing_from_those_that_answer() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let (_held, closed) = closed_port();
    let closed = closed.port();
    let engine = Engine::start(1).unwrap();
    let sessions = (0..100).map(|index| {
        let port = if index % 3 == 0 { closed } else { far.port() };
        let far = SocketAddr::new(loopback(index), port);
        let mut plan = plan(far);
        if port == closed {
            plan.timeout = Duration::from_millis(500);
        }
        engine.begin(plan).unwrap()
    });
    for (index, report) in all_reports(sessions.collect()).into_iter().enumerate() {
        let counters = report.counters;
        let icmp: u64 = report.icmp.iter().map(|kind| kind.count).sum();
        if index % 3 == 0 {
            assert_eq!((counters.sent, counters.lost), (10, 10), "{counters:?}");
            // The system limits how many it sends.
            assert!(icmp <= 10, "{icmp}");
        } else {
            assert_eq!((counters.sent, counters.received), (10, 10), "{counters:?}");
            assert_eq!(report.stamps.fallback_transmit, 0);
            assert_eq!((icmp, report.icmp_foreign), (0, 0));
        }
    }
}

#[test]
fn sessions_come_and_go_while_others_are_measured() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let engine = Engine::start(1).unwrap();
    let lasting = engine
        .begin(SenderPlan {
            limit: Limit::Count(1_000_000),
            ..plan(SocketAddr::new(loopback(1_000), far.port()))
        })
        .unwrap();
    let (low, high) = own_ports();
    let before = descriptors().unwrap();
    for index in 0..500 {
        let far = SocketAddr::new(loopback(index % 7), far.port());
        let session = engine
            .begin(SenderPlan {
                // Sockets of their own come and go as well.
                port: if index % 5 == 0 {
                    PortChoice::Range(low, high)
                } else {
                    PortChoice::Exact(0)
                },
                ..plan(far)
            })
            .unwrap();
        if index % 2 == 0 {
            drop(session);
        } else {
            session.stop();
            let _nothing_sent = session.join();
        }
    }
    let patience = Instant::now() + Duration::from_mins(1);
    while descriptors().unwrap() > before {
        assert!(Instant::now() < patience, "descriptors are left");
        std::thread::sleep(Duration::from_millis(5));
    }
    // The others may have come and gone before its first reply was here.
    let so_far = loop {
        assert!(Instant::now() < patience, "no reply is counted");
        lasting.request_snapshot();
        std::thread::sleep(Duration::from_millis(1));
        let figures = lasting.take_snapshot().map(|now| now.metrics().figures());
        if let Some(figures) = figures.filter(|figures| figures.received > 0) {
            break figures;
        }
    };
    lasting.stop();
    let report = lasting.join().unwrap();
    assert!(report.counters.received >= so_far.received);
    assert_eq!(report.counters.lost, 0, "{:?}", report.counters);
    assert_eq!(report.figures.received, report.counters.received);
}

#[test]
fn where_more_is_due_than_can_be_sent_all_that_comes_is_still_read() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let engine = Engine::start(1).unwrap();
    let sessions = (0..2_000).map(|index| {
        let plan = SenderPlan {
            limit: Limit::Duration(Duration::from_secs(2)),
            schedule: Schedule::every(Duration::from_millis(5)),
            ..plan(SocketAddr::new(loopback(index), far.port()))
        };
        engine.begin(plan).unwrap()
    });
    let reports = all_reports(sessions.collect());
    let skipped = reports.iter().map(|it| it.counters.slots_skipped);
    assert!(skipped.sum::<u64>() > 0, "nothing was skipped");
    for report in reports {
        assert!(report.counters.sent > 0);
        assert_eq!(report.receive_drops, 0);
        assert_eq!(report.stamps.fallback_transmit, 0);
    }
}

#[test]
fn ten_thousand_sessions_one_after_the_other_leave_nothing_behind() {
    if !portable_build() {
        alone("many::one_after_the_other");
    }
}

#[test]
#[ignore = "counts what its process holds: run by the test above, alone"]
fn one_after_the_other() {
    let mut reflecting = responder_plan(&["0.0.0.0:0"]);
    reflecting.reflector.max_sessions = 16;
    let (_reflector, far) = reflect(&reflecting);
    let engine = Engine::start(2).unwrap();
    let (low, _) = own_ports();
    let before = descriptors().unwrap();
    let plan = |index: u16| SenderPlan {
        // Of the first packet on it waits long: timers that are left would be as well.
        limit: Limit::Count(2),
        schedule: Schedule::every(Duration::from_hours(1)),
        timeout: Duration::from_hours(1),
        phase: Some(Duration::ZERO),
        records: index.is_multiple_of(7),
        columns: index.is_multiple_of(11).then_some(24),
        exact: index.is_multiple_of(50),
        // Now and then one of fewer ports than there are such sessions.
        port: if index.is_multiple_of(5) {
            PortChoice::Range(low, low + 63)
        } else {
            PortChoice::Exact(0)
        },
        ..plan(SocketAddr::new(loopback(index % 7), far.port()))
    };
    let mut answered = 0;
    let mut come_and_go = |indices: Range<u16>| {
        // Each is there while 100 others come.
        let mut there = VecDeque::new();
        for index in indices {
            there.push_back(engine.begin(plan(index)).unwrap());
            if there.len() <= 100 {
                continue;
            }
            let Some(oldest) = there.pop_front() else {
                continue;
            };
            oldest.request_snapshot();
            oldest.stop();
            // Some are told to stop and left alone, others waited for.
            if index.is_multiple_of(30) {
                let report = oldest.join();
                answered += report.map_or(0, |report| report.counters.received);
            }
        }
        drop(there);
        let patience = Instant::now() + Duration::from_mins(1);
        while descriptors().unwrap() > before {
            assert!(Instant::now() < patience, "descriptors are left");
            std::thread::sleep(Duration::from_millis(5));
        }
        memory().unwrap()
    };
    let settled = come_and_go(0..1_000);
    let left = come_and_go(1_000..10_000);
    eprintln!("{answered} replies; {settled} KiB, then {left} KiB");
    assert!(left < settled + 1_024, "{settled} KiB, then {left} KiB");
    assert!(answered > 0);
}

#[test]
fn rows_of_sessions_that_share_a_thread_add_up_and_come_while_it_measures() {
    if portable_build() {
        return;
    }
    let (_reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    // Its packets are lost: told as overdue before they are known to be.
    let kept = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = kept.local_addr().unwrap();
    let engine = Engine::start(1).unwrap();
    let begin = |far, interval_ms| {
        let plan = SenderPlan {
            limit: Limit::Endless,
            schedule: Schedule::every(Duration::from_millis(interval_ms)),
            timeout: Duration::from_millis(50),
            rows: Some(Duration::from_millis(200)),
            ..plan(far)
        };
        engine.begin(plan).unwrap()
    };
    let near = |index| SocketAddr::new(loopback(index), far.port());
    let mut sessions: Vec<SessionHandle> = (0..20).map(|index| begin(near(index), 10)).collect();
    sessions.push(begin(silent, 10));
    // A row of its first packet is known long before its third.
    sessions.push(begin(near(20), 700));
    let mut counted = vec![(0, 0); sessions.len()];
    let count = |counted: &mut (u64, u64), row: &ClosedInterval| {
        let figures = row.figures().figures;
        counted.0 += figures.received;
        counted.1 += figures.lost;
    };
    let patience = Instant::now() + Duration::from_mins(1);
    while counted.contains(&(0, 0)) {
        assert!(Instant::now() < patience, "no rows: {counted:?}");
        for (session, counted) in sessions.iter().zip(&mut counted) {
            for row in &session.take_rows() {
                count(counted, row);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    sessions.iter().for_each(SessionHandle::stop);
    for (session, counted) in sessions.into_iter().zip(&mut counted) {
        let ended = session.ended().unwrap();
        for row in session.take_rows().iter().chain(ended.rows()) {
            count(counted, row);
        }
        let counters = ended.report().counters;
        assert_eq!(*counted, (counters.received, counters.lost));
    }
}

#[test]
fn packets_that_are_lost_are_among_the_latest_ones_of_a_glance() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let engine = Engine::start(1).unwrap();
    let endless = SenderPlan {
        limit: Limit::Endless,
        ..plan(silent.local_addr().unwrap())
    };
    let session = engine.begin(endless).unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        let progress = session.progress();
        if let (lost @ 50.., all) = progress.recent.now() {
            // Those of whole seconds whose fates are known, no more than were lost.
            assert_eq!(lost, all);
            assert!(lost <= progress.lost, "{progress:?}");
            break;
        }
        assert!(Instant::now() < patience, "{progress:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_session_without_records_has_them_while_it_is_followed() {
    if portable_build() {
        return;
    }
    let (reflector, far) = reflect(&responder_plan(&["0.0.0.0:0"]));
    let engine = Engine::start(1).unwrap();
    let endless = SenderPlan {
        limit: Limit::Endless,
        timeout: Duration::from_secs(5),
        ..plan(SocketAddr::new(loopback(0), far.port()))
    };
    let mut session = engine.begin(endless).unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    let wait = || {
        assert!(Instant::now() < patience, "nothing comes");
        std::thread::sleep(Duration::from_millis(1));
    };
    for _ in 0..2 {
        assert_eq!(session.next_news(), None);
        session.follow();
        let before = loop {
            if let Some(snapshot) = session.take_snapshot() {
                let figures = snapshot.metrics().figures();
                break figures.received + figures.lost;
            }
            wait();
        };
        let mut numbers = Vec::new();
        while numbers.len() < 5 {
            numbers.extend(session.next_sample().map(|sample| sample.seq));
            wait();
        }
        // The snapshot has what the records have not, and no more.
        let expected: Vec<u64> = (before..before + 5).collect();
        assert_eq!(numbers, expected);
        session.unfollow();
    }
    while session.progress().recent.now().1 == 0 {
        wait();
    }
    session.stop();
    let report = session.join().unwrap();
    assert_eq!(report.records_dropped, 0);
    reflector.join().unwrap();
}
