//! The Control-Client for a Session-Sender elsewhere.

use std::time::{Duration, Instant};

use twinpath_proto::control::ServerEvent;
use twinpath_proto::sender::PayloadSize;
use twinpath_report::Advice;
use twinpath_runtime::PortChoice;
use twinpath_runtime::controlclient::{self, ControlClientRun};
use twinpath_runtime::controller::{
    ControlClientPlan, ControlError, ControlEvent, NegotiatedSession,
};
use twinpath_wire::Dscp;

use super::rig::{Rig, Script, Then, serve, sid, slips, stops};
use crate::server::own_ports;
use crate::{measured, sender_plan};

fn plan(rig: &Rig, port: u16) -> ControlClientPlan {
    ControlClientPlan {
        control: rig.plan(),
        sender: ([127, 0, 0, 1], port).into(),
        dscp: Dscp::EF,
        payload: PayloadSize::Fixed(41),
        timeout: Duration::from_secs(2),
        duration: None,
    }
}

fn negotiated(run: &ControlClientRun) -> NegotiatedSession {
    let patience = Instant::now() + Duration::from_mins(1);
    loop {
        match run.next_event() {
            Some(ControlEvent::Running { session, .. }) => return session,
            Some(_) => {}
            None => std::thread::sleep(Duration::from_millis(2)),
        }
        assert!(Instant::now() < patience, "no session runs");
    }
}

/// A UDP port that is free, and stays so.
fn free_port() -> u16 {
    own_ports().0
}

#[test]
fn a_sender_elsewhere_measures_in_the_session_that_is_kept_up() {
    let rig = serve(Script::default());
    let port = free_port();
    let run = controlclient::start(plan(&rig, port)).unwrap();
    let session = negotiated(&run);
    assert_eq!((session.sid, session.dscp), (sid(0), Dscp::EF));
    assert_eq!(session.reflector.port(), rig.port);
    let mut elsewhere = sender_plan(session.reflector);
    elsewhere.port = PortChoice::Exact(port);
    elsewhere.tos = Dscp::EF.tos();
    let (report, _) = measured(elsewhere);
    assert_eq!(report.counters.received, 20);
    assert!(!run.is_finished());
    run.stop();
    let report = run.join().unwrap();
    assert_eq!(report.session, session);
    assert_eq!((report.findings, report.cut_short), (Vec::new(), None));
    let events = rig.events();
    assert_eq!((stops(&events), slips(&events)), (1, Vec::new()));
}

#[test]
fn a_server_that_takes_no_senders_elsewhere_is_told_from_one_that_cannot() {
    let rig = serve(Script::default());
    let mut plan = plan(&rig, free_port());
    plan.sender.set_ip([192, 0, 2, 7].into());
    // Zero addresses are those of this end: the sender's is named all the same.
    plan.control.nat = true;
    let error = controlclient::start(plan).unwrap().join().unwrap_err();
    assert!(error.to_string().contains("Accept 3"), "{error}");
    let sender = [192, 0, 2, 7].into();
    let expected = Advice::AllowSender { sender };
    assert!(matches!(error, ControlError::Refused { advice, .. } if advice == expected));
}

#[test]
fn a_duration_ends_it_by_itself() {
    let rig = serve(Script::default());
    let mut plan = plan(&rig, free_port());
    plan.duration = Some(Duration::from_millis(100));
    let report = controlclient::start(plan).unwrap().join().unwrap();
    assert!(report.duration >= Duration::from_millis(100));
    assert_eq!(stops(&rig.events()), 1);
}

#[test]
fn a_server_that_goes_ends_it_with_a_warning() {
    let close = |event: &ServerEvent| {
        if matches!(event, ServerEvent::Start(_)) {
            Then::Close
        } else {
            Then::GoOn
        }
    };
    let rig = serve(Script {
        then: Box::new(close),
        ..Script::default()
    });
    let report = controlclient::start(plan(&rig, free_port()))
        .unwrap()
        .join();
    let report = report.unwrap();
    assert_eq!(report.findings[0].key(), "server-gone");
    assert!(report.findings[0].is_warning());
}
