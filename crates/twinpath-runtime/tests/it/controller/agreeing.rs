//! Sessions that are agreed on, run, and are reported.

use std::net::IpAddr;

use twinpath_proto::control::{Message, Opened, ServerEvent, SessionRequest};
use twinpath_proto::sender::PayloadSize;
use twinpath_report::finding::FarEnd;
use twinpath_runtime::controller::{self, ControlEvent};
use twinpath_runtime::{PortChoice, StartError};
use twinpath_wire::control::{Accept, Modes, SecurityMode};
use twinpath_wire::{Dscp, Tos};

use super::rig::{
    Script, control, finish, offering, opened, plan, serve, sid, slips, start, stops,
};
use crate::{PATIENCE, has_v6, keys, portable_build};

const LOCAL: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn requests(events: &[ServerEvent]) -> Vec<SessionRequest> {
    let mut requests = Vec::new();
    for event in events {
        if let ServerEvent::Open(request) = event {
            requests.push(*request);
        }
    }
    requests
}

#[test]
fn a_session_is_agreed_on_measured_and_stopped() {
    let rig = serve(offering(Modes::default()));
    let outcome = control(plan(rig.plan(), &[Dscp::EF]));
    let port = rig.port;
    let report = outcome.report();
    assert_eq!(report.modes, Modes::UNAUTHENTICATED);
    assert_eq!(outcome.sessions.len(), 1);
    let session = &outcome.sessions[0];
    assert_eq!((session.counters.sent, session.counters.received), (20, 20));
    assert_eq!(session.identity.sid, Some(sid(0)));
    assert_eq!(
        session.identity.wire.security,
        SecurityMode::Unauthenticated
    );
    assert!(session.identity.wire.format.features().is_some());
    assert_eq!(session.identity.reflector, (LOCAL, port).into());
    assert_eq!(session.identity.tos, Dscp::EF.tos());
    assert_eq!(session.counters.anomalies.size_differs, 0);
    assert_eq!(report.findings, []);
    let messages = outcome.messages();
    assert!(
        matches!(
            messages[..],
            [
                Message::Greeting { .. },
                Message::SetUp { .. },
                Message::ServerStart(_),
                Message::Request { index: 0, .. },
                Message::AcceptSession { index: 0, .. },
                Message::Start { sessions: 1, .. },
                Message::StartAck(_),
                Message::Stop { sessions: 1, .. },
            ]
        ),
        "{messages:#?}"
    );
    let events = rig.events();
    assert_eq!(stops(&events), 1);
    assert_eq!(slips(&events), []);
    let request = requests(&events)[0];
    assert_eq!(request.sender, session.identity.sender);
    assert_eq!(request.dscp, Dscp::EF);
    assert_eq!(request.padding_length, 27);
    assert_eq!(request.timeout, PATIENCE);
}

#[test]
fn several_classes_run_at_once_each_with_its_own_figures() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let rig = serve(offering(features));
        let classes = [Dscp::BE, "af41".parse().unwrap(), Dscp::EF];
        let outcome = control(plan(rig.plan(), &classes));
        let report = outcome.report();
        assert!(report.modes.contains(features));
        assert_eq!(outcome.sessions.len(), 3);
        for ((number, class), session) in classes.iter().enumerate().zip(&outcome.sessions) {
            assert_eq!(session.identity.tos, class.tos());
            assert_eq!(session.identity.sid, Some(sid(number)));
            assert_eq!(session.counters.received, 20);
            if !portable_build() {
                assert_eq!(session.figures.dscp_backward, [(*class, 20)]);
            }
        }
        let messages = outcome.messages();
        let start = Message::Start {
            sessions: 3,
            individual: !features.is_empty(),
        };
        assert_eq!(messages.iter().filter(|it| **it == start).count(), 1);
        let stop = Message::Stop {
            sessions: 3,
            individual: false,
            accept: Accept::Ok,
        };
        let stops_all = messages.contains(&stop);
        assert_eq!(stops_all, features.is_empty());
        let events = rig.events();
        assert_eq!(stops(&events), 3);
        assert_eq!(slips(&events), []);
        let ports: Vec<_> = requests(&events)
            .iter()
            .map(|request| request.sender.port())
            .collect();
        assert_eq!(ports.len(), 3);
        assert!(ports[0] != ports[1] && ports[1] != ports[2]);
    }
}

/// Less than a time that was read as one of another kind, and more than a busy host takes.
const MINUTE_NS: i64 = 60_000_000_000;

#[test]
fn every_combination_of_test_features_measures() {
    let bits = [
        Modes::REFLECT_OCTETS,
        Modes::SYMMETRICAL_SIZE,
        Modes::DSCP_MONITORING,
        Modes::PTP_TIME,
    ];
    for chosen in 0..16_u32 {
        let features = bits
            .iter()
            .enumerate()
            .filter(|(place, _)| chosen >> place & 1 == 1)
            .fold(Modes::default(), |all, (_, bit)| all | *bit);
        let mut script = offering(Modes::FEATURES);
        script.arrive_with = Some(Tos(0));
        script.answer = Box::new(|_, number, port| {
            Ok(Opened {
                server_octets: 0xabcd,
                ..opened(number, port)
            })
        });
        let rig = serve(script);
        let mut wanted = rig.plan();
        wanted.required = features;
        wanted.octets_to_reflect = 0xbeef;
        wanted.padding_to_reflect = 10;
        let outcome = control(plan(wanted, &[Dscp::BE]));
        let report = outcome.report();
        assert_eq!(report.modes, Modes::UNAUTHENTICATED | features);
        let session = &outcome.sessions[0];
        assert_eq!(session.counters.received, 20, "{features}");
        assert_eq!(session.counters.anomalies.size_differs, 0, "{features}");
        assert_eq!(session.counters.anomalies.z_wrong, 0, "{features}");
        let round_trip = session.figures.round_trip.unwrap();
        let forward = session.figures.forward.unwrap();
        assert!(forward.max_ns.abs() < MINUTE_NS, "{features}: {forward:?}");
        assert!(round_trip.max_ns < MINUTE_NS, "{features}: {round_trip:?}");
        let told = features.contains(Modes::DSCP_MONITORING);
        assert_eq!(!session.figures.dscp_forward.is_empty(), told, "{features}");
        assert!(!keys(session).contains(&"octets-not-reflected".into()));
        assert_eq!(slips(&rig.events()), []);
    }
}

#[test]
fn remarking_on_the_way_out_is_said() {
    let mut script = offering(Modes::DSCP_MONITORING);
    script.arrive_with = Some(Dscp::BE.tos());
    let rig = serve(script);
    let mut wanted = plan(rig.plan(), &[Dscp::BE]);
    // The usual choice where it makes no reply longer than its request.
    wanted.sessions[0].payload = PayloadSize::Fixed(100);
    wanted.sessions[0].tos = Tos(Dscp::EF.tos().0 | 2);
    let outcome = control(wanted);
    let session = &outcome.sessions[0];
    for expected in [
        FarEnd::DscpChangedForward {
            sent: Dscp::EF,
            came: vec![(Dscp::BE, 20)],
        },
        FarEnd::EcnChangedForward { count: 20 },
    ] {
        assert!(session.findings.contains(&expected.into()));
    }
}

#[test]
fn congestion_on_the_way_out_is_said() {
    let mut script = offering(Modes::DSCP_MONITORING);
    script.arrive_with = Some(Tos(3));
    let rig = serve(script);
    let mut wanted = plan(rig.plan(), &[Dscp::BE]);
    wanted.sessions[0].payload = PayloadSize::Fixed(100);
    wanted.sessions[0].tos = Tos(2);
    let outcome = control(wanted);
    let found = keys(&outcome.sessions[0]);
    assert!(found.contains(&"congestion-forward".into()), "{found:?}");
    assert!(!found.contains(&"ecn-changed-forward".into()), "{found:?}");
}

#[test]
fn monitoring_is_not_chosen_where_replies_would_outgrow_requests() {
    let rig = serve(offering(Modes::DSCP_MONITORING));
    let outcome = control(plan(rig.plan(), &[Dscp::BE]));
    assert_eq!(outcome.report().modes, Modes::UNAUTHENTICATED);
    assert_eq!(outcome.sessions[0].counters.anomalies.size_differs, 0);
}

#[test]
fn the_reflector_is_asked_to_go_on_for_the_timeout_and_two_seconds_at_least() {
    // Row TC-46.
    for (own_ms, asked_ms) in [(1_500, 2_000), (20_500, 20_500)] {
        let rig = serve(Script::default());
        let mut wanted = plan(rig.plan(), &[Dscp::BE]);
        wanted.sessions[0].timeout = std::time::Duration::from_millis(own_ms);
        assert_eq!(control(wanted).sessions[0].counters.received, 20);
        let events = rig.events();
        assert_eq!(requests(&events)[0].timeout.as_millis(), asked_ms);
    }
}

#[test]
fn zero_addresses_are_the_ends_of_the_connection() {
    let rig = serve(Script::default());
    let mut wanted = rig.plan();
    wanted.nat = true;
    let outcome = control(plan(wanted, &[Dscp::BE]));
    assert_eq!(outcome.sessions[0].counters.received, 20);
    let events = rig.events();
    let request = requests(&events)[0];
    assert_eq!((request.sender.ip(), request.receiver), (LOCAL, LOCAL));
}

#[test]
fn sessions_over_ipv6_are_like_those_over_ipv4() {
    if !has_v6() {
        return;
    }
    for nat in [false, true] {
        let rig = serve(Script {
            near: "[::1]:0",
            ..Script::default()
        });
        let mut wanted = rig.plan();
        wanted.nat = nat;
        wanted.control_dscp = Some(Dscp::EF);
        let outcome = control(plan(wanted, &[Dscp::BE, Dscp::EF]));
        let sessions = &outcome.sessions;
        assert!(
            sessions
                .iter()
                .all(|session| session.counters.received == 20)
        );
        assert!(sessions[0].identity.reflector.is_ipv6());
        let events = rig.events();
        assert_eq!((stops(&events), slips(&events)), (2, Vec::new()));
    }
}

#[test]
fn another_receiver_port_than_the_one_asked_for_is_a_remark() {
    // Unless told otherwise the sender's own number is requested, which no user asked for.
    for (wished, said) in [(None, false), (Some(9), true), (Some(0), false)] {
        let rig = serve(Script::default());
        let mut wanted = rig.plan();
        wanted.receiver_port = wished.map(|port: u16| if port == 0 { rig.port } else { port });
        let outcome = control(plan(wanted, &[Dscp::BE]));
        let session = &outcome.sessions[0];
        assert_eq!(session.counters.received, 20);
        assert_eq!(keys(session).contains(&"receiver-port".into()), said);
    }
}

#[test]
fn source_ports_come_from_the_range_that_was_given() {
    let free = |_| {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.local_addr().unwrap().port()
    };
    let low = (0..100).map(free).find(|low| *low < 65_000).unwrap();
    let rig = serve(Script::default());
    let mut wanted = plan(rig.plan(), &[Dscp::BE, Dscp::EF]);
    wanted
        .sessions
        .iter_mut()
        .for_each(|plan| plan.port = PortChoice::Range(low, low + 500));
    let run = start(wanted).unwrap();
    let ports: Vec<_> = run
        .sessions()
        .iter()
        .map(|session| session.sender().port())
        .collect();
    assert!(ports.iter().all(|port| (low..=low + 500).contains(port)));
    assert_ne!(ports[0], ports[1]);
    let outcome = finish(run);
    assert!(outcome.sessions.iter().all(|s| s.counters.received == 20));
    // Both of one range of one port cannot be.
    let mut wanted = plan(to_nobody(), &[Dscp::BE, Dscp::EF]);
    wanted
        .sessions
        .iter_mut()
        .for_each(|plan| plan.port = PortChoice::Range(ports[0], ports[0]));
    let error = start(wanted).unwrap_err();
    assert!(matches!(error, StartError::NoFreePort { .. }), "{error}");
}

fn to_nobody() -> controller::ControlPlan {
    controller::ControlPlan::to("127.0.0.1:9".parse().unwrap())
}

#[test]
fn the_start_delay_counts_from_start_ack() {
    let rig = serve(Script::default());
    let mut wanted = plan(rig.plan(), &[Dscp::BE]);
    wanted.sessions[0].start_delay = std::time::Duration::from_millis(300);
    let (_, before) = twinpath_net::clock::pair();
    let outcome = control(wanted);
    let session = &outcome.sessions[0];
    assert_eq!(session.counters.received, 20);
    // A bound from below holds however slow the machine is.
    assert!((session.started - before).ns() >= 300_000_000);
}

#[test]
fn a_run_tells_of_each_session_that_runs_and_hands_out_its_samples() {
    let rig = serve(Script::default());
    let mut run = start(plan(rig.plan(), &[Dscp::BE, Dscp::EF])).unwrap();
    let mut samples = [0; 2];
    let mut running = Vec::new();
    loop {
        let over = run.is_finished();
        for (session, count) in run.sessions_mut().iter_mut().zip(&mut samples) {
            *count += std::iter::from_fn(|| session.next_sample()).count();
        }
        while let Some(event) = run.next_event() {
            if let ControlEvent::Running { index, session } = event {
                running.push((index, session.sid, session.dscp));
            }
        }
        if over {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(samples, [20, 20]);
    assert_eq!(running, [(0, sid(0), Dscp::BE), (1, sid(1), Dscp::EF)]);
    assert_eq!(run.sessions().len(), 2);
    assert_eq!(run.sessions()[1].progress().asked, Some(20));
    assert!(run.join().is_ok());
}
