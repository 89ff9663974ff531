//! Runs that end early, on either side.

use std::time::{Duration, Instant};

use twinpath_proto::control::{Message, ServerEvent};
use twinpath_proto::sender::Limit;
use twinpath_report::Finding;
use twinpath_report::finding::{Control, Unreached};
use twinpath_runtime::controller::{self, ControlError, ControlEvent, ControllerPlan};
use twinpath_runtime::measure::Engine;
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use crate::closed_port;

use super::rig::{Rig, Script, Then, control, finish, offering, plan, serve, slips, start, stops};

/// The script that does `then` when the nth event like this comes.
fn at(mut script: Script, like: fn(&ServerEvent) -> bool, then: Then) -> Script {
    script.then = Box::new(move |event| if like(event) { then } else { Then::GoOn });
    script
}

/// What does not come is waited for this long, and all that comes is there before.
const BRIEF: Duration = Duration::from_secs(3);

fn is_start(event: &ServerEvent) -> bool {
    matches!(event, ServerEvent::Start(_))
}

fn is_open(event: &ServerEvent) -> bool {
    matches!(event, ServerEvent::Open(_))
}

fn endless(rig: &Rig, classes: &[Dscp]) -> ControllerPlan {
    let mut plan = plan(rig.plan(), classes);
    for session in &mut plan.sessions {
        session.limit = Limit::Count(1_000_000);
    }
    plan
}

#[test]
fn a_server_gone_in_mid_run_is_a_warning_and_every_packet_is_measured() {
    let rig = serve(at(Script::default(), is_start, Then::Close));
    let outcome = control(plan(rig.plan(), &[Dscp::BE]));
    let report = outcome.report();
    assert_eq!(outcome.sessions[0].counters.sent, 20);
    assert_eq!(outcome.sessions[0].counters.received, 20);
    assert_eq!(outcome.keys(), ["server-gone"]);
    assert!(report.findings[0].is_warning());
    let gone = |event: &&ControlEvent| matches!(event, ControlEvent::ServerGone(_));
    assert_eq!(outcome.events.iter().filter(gone).count(), 1);
}

#[test]
fn a_run_ends_early_when_server_and_replies_are_gone() {
    let mut script = at(Script::default(), is_start, Then::Close);
    script.mortal = true;
    let rig = serve(script);
    let mut wanted = endless(&rig, &[Dscp::BE]);
    wanted.sessions[0].timeout = Duration::from_millis(100);
    let outcome = control(wanted);
    assert_eq!(outcome.keys(), ["server-gone", "ended-early"]);
    assert!(outcome.sessions[0].counters.sent < 1_000_000);
}

#[test]
fn stop_while_start_ack_is_awaited_stops_what_then_runs() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let mut script = offering(features);
        let (gate, opened) = std::sync::mpsc::channel::<()>();
        script.then = Box::new(move |event| {
            if is_start(event) {
                // Both start in one message; the second finds the gate gone.
                let _ = opened.recv();
            }
            Then::GoOn
        });
        let rig = serve(script);
        let run = start(endless(&rig, &[Dscp::BE, Dscp::EF])).unwrap();
        let patience = Instant::now() + Duration::from_mins(1);
        let started =
            |event: ControlEvent| matches!(event, ControlEvent::Message(Message::Start { .. }));
        while !std::iter::from_fn(|| run.next_event()).any(started) {
            assert!(Instant::now() < patience, "nothing is started");
            std::thread::sleep(Duration::from_millis(2));
        }
        run.stop();
        drop(gate);
        let outcome = finish(run);
        assert!(matches!(
            outcome.result,
            Err(ControlError::Interrupted { .. })
        ));
        let events = rig.events();
        assert_eq!((stops(&events), slips(&events)), (2, Vec::new()));
    }
}

#[test]
fn a_run_told_to_stop_does_not_wait_long_for_a_start_ack_that_does_not_come() {
    let rig = serve(at(offering(Modes::default()), is_start, Then::Hang));
    let mut wanted = endless(&rig, &[Dscp::BE]);
    // Longer than the test has patience.
    wanted.control.answer_timeout = Duration::from_hours(1);
    let run = start(wanted).unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    let started =
        |event: ControlEvent| matches!(event, ControlEvent::Message(Message::Start { .. }));
    while !std::iter::from_fn(|| run.next_event()).any(started) {
        assert!(Instant::now() < patience, "nothing is started");
        std::thread::sleep(Duration::from_millis(2));
    }
    run.stop();
    let outcome = finish(run);
    assert!(matches!(
        outcome.result,
        Err(ControlError::Interrupted { .. })
    ));
    let _ = rig.events();
}

#[test]
fn a_server_gone_before_start_ack_is_an_error() {
    for (like, then, message) in [
        (
            is_open as fn(&ServerEvent) -> bool,
            Then::Hang,
            "Accept-Session did not arrive in time",
        ),
        (is_start, Then::Hang, "Start-Ack did not arrive in time"),
    ] {
        let rig = serve(at(offering(Modes::default()), like, then));
        let mut wanted = rig.plan();
        wanted.answer_timeout = BRIEF;
        let outcome = control(plan(wanted, &[Dscp::BE]));
        let line = outcome.line();
        assert!(line.contains(message), "{line}");
        let _ = rig.events();
    }
    let rig = serve(at(Script::default(), is_open, Then::Close));
    let outcome = control(plan(rig.plan(), &[Dscp::BE]));
    let line = outcome.line();
    assert!(
        line.contains("the connection ended before Start-Ack arrived"),
        "{line}"
    );
}

#[test]
fn a_silent_server_in_mid_run_costs_nothing_but_an_acknowledgement() {
    let mut script = offering(Modes::INDIVIDUAL_CONTROL);
    let stop = |event: &ServerEvent| matches!(event, ServerEvent::Stop(_));
    script = at(script, stop, Then::Hang);
    let rig = serve(script);
    let mut wanted = rig.plan();
    wanted.answer_timeout = BRIEF;
    let outcome = control(plan(wanted, &[Dscp::BE, Dscp::EF]));
    let report = outcome.report();
    assert!(
        outcome
            .sessions
            .iter()
            .all(|session| session.counters.received == 20)
    );
    assert_eq!(outcome.keys(), ["server-gone"]);
    let gone = Control::ServerGone {
        server: report.server,
        error: "Stop-N-Ack did not arrive in time".to_owned(),
    };
    assert_eq!(report.findings, [gone.into()]);
}

#[test]
fn stop_in_mid_run_tells_the_server_and_reports() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let rig = serve(offering(features));
        let run = start(endless(&rig, &[Dscp::BE, Dscp::EF])).unwrap();
        let patience = Instant::now() + Duration::from_mins(1);
        while run
            .sessions()
            .iter()
            .any(|session| session.progress().received < 5)
        {
            assert!(Instant::now() < patience, "nothing is measured");
            std::thread::sleep(Duration::from_millis(5));
        }
        run.stop();
        let outcome = finish(run);
        for session in &outcome.sessions {
            let counters = session.counters;
            assert!(counters.received >= 5 && counters.sent < 1_000_000);
        }
        let events = rig.events();
        assert_eq!((stops(&events), slips(&events)), (2, Vec::new()));
    }
}

#[test]
fn copies_of_the_last_packets_come_before_the_server_is_told_to_stop() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let mut script = offering(features);
        script.again_after = Some(Duration::from_millis(20));
        let rig = serve(script);
        let mut wanted = plan(rig.plan(), &[Dscp::BE, Dscp::EF]);
        for session in &mut wanted.sessions {
            session.timeout = BRIEF;
        }
        let outcome = control(wanted);
        for session in &outcome.sessions {
            let counters = session.counters;
            assert_eq!(
                (counters.received, counters.duplicates),
                (20, 20),
                "{counters:?}"
            );
        }
        let events = rig.events();
        assert_eq!((stops(&events), slips(&events)), (2, Vec::new()));
    }
}

#[test]
fn a_run_told_to_stop_gives_the_packets_under_way_their_time() {
    let mut script = offering(Modes::default());
    script.again_after = Some(Duration::from_millis(60));
    let rig = serve(script);
    let mut wanted = endless(&rig, &[Dscp::BE]);
    wanted.sessions[0].timeout = BRIEF;
    let run = start(wanted).unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    while run.sessions()[0].progress().received < 60 {
        assert!(Instant::now() < patience, "nothing is measured");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.stop();
    let outcome = finish(run);
    let counters = outcome.sessions[0].counters;
    assert_eq!((counters.received, counters.in_flight), (counters.sent, 0));
    assert_eq!(counters.duplicates, counters.sent, "{counters:?}");
    assert_eq!(stops(&rig.events()), 1);
}

#[test]
fn stop_before_the_start_ends_at_once_and_leaves_nothing() {
    let rig = serve(at(Script::default(), is_open, Then::Hang));
    let run = start(endless(&rig, &[Dscp::BE])).unwrap();
    let asked =
        |event: &ControlEvent| matches!(event, ControlEvent::Message(Message::Request { .. }));
    let patience = Instant::now() + Duration::from_mins(1);
    while !std::iter::from_fn(|| run.next_event()).any(|event| asked(&event)) {
        assert!(Instant::now() < patience, "nothing is asked");
        std::thread::sleep(Duration::from_millis(2));
    }
    run.stop();
    let outcome = finish(run);
    assert!(matches!(
        outcome.result,
        Err(ControlError::Interrupted { .. })
    ));
    let _ = rig.events();
}

#[test]
fn a_handle_that_is_dropped_stops_its_sessions() {
    let rig = serve(Script::default());
    let run = start(endless(&rig, &[Dscp::BE])).unwrap();
    let patience = Instant::now() + Duration::from_mins(1);
    while run.sessions()[0].progress().received == 0 {
        assert!(Instant::now() < patience, "nothing is measured");
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(run);
    assert_eq!(stops(&rig.events()), 1);
}

#[test]
fn a_reflector_that_does_not_answer_is_no_refusal() {
    // Alone on its thread, and where sessions share sockets.
    for threads in [0, 1] {
        // The session is agreed on for a port on which nothing listens.
        let mut script = Script::default();
        let (_held, gone) = closed_port();
        let port = gone.port();
        script.answer = Box::new(move |_, number, _| Ok(super::rig::opened(number, port)));
        let rig = serve(script);
        let mut wanted = plan(rig.plan(), &[Dscp::BE]);
        wanted.sessions[0].timeout = Duration::from_millis(150);
        let engine = Engine::start(threads).unwrap();
        let outcome = finish(controller::start(wanted, &engine).unwrap());
        let session = &outcome.sessions[0];
        assert_eq!((session.counters.sent, session.counters.received), (20, 0));
        if !crate::portable_build() {
            let refused = &session.findings[0];
            assert!(
                matches!(refused, Finding::Unreached(Unreached::PortUnreachable(it)) if it.is_negotiated),
                "{threads} threads: {refused:?}"
            );
        }
        assert_eq!(stops(&rig.events()), 1);
    }
}
