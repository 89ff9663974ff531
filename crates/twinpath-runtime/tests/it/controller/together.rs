//! Our Control-Client and our Server.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule};
use twinpath_runtime::controller::{self, ControlPlan};
use twinpath_runtime::measure::{Engine, SessionHandle};
use twinpath_runtime::server::{self, ServerPlan, ServerRun};
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use super::rig::{control, finish, plan};
use crate::server::own_ports;
use crate::{keys, portable_build, reflect, responder_plan, sender_plan};

fn house() -> (ServerRun, SocketAddr) {
    house_on("127.0.0.1:0")
}

fn house_on(near: &str) -> (ServerRun, SocketAddr) {
    let mut plan = ServerPlan::on(vec![near.parse().unwrap()]);
    plan.test_ports = own_ports();
    let run = server::start(plan).unwrap();
    let near = run.listening()[0];
    (run, near)
}

#[test]
fn all_features_and_several_classes_go_through_one_connection() {
    let (house, near) = house();
    let mut wanted = ControlPlan::to(near);
    wanted.required = Modes::FEATURES;
    wanted.padding_to_reflect = 20;
    wanted.octets_to_reflect = 7;
    let classes = [Dscp::BE, "af41".parse().unwrap(), Dscp::EF];
    let outcome = control(plan(wanted, &classes));
    let report = outcome.report();
    assert_eq!(report.modes, Modes::UNAUTHENTICATED | Modes::FEATURES);
    assert_eq!(report.findings, []);
    for (class, session) in classes.iter().zip(&outcome.sessions) {
        assert_eq!(session.counters.received, 20);
        assert_eq!(session.counters.anomalies.size_differs, 0);
        assert!(!keys(session).contains(&"octets-not-reflected".into()));
        if !portable_build() {
            assert_eq!(session.figures.dscp_forward, [(*class, 20)]);
            assert_eq!(session.figures.dscp_backward, [(*class, 20)]);
        }
    }
    let did = house.join().unwrap();
    assert_eq!(did.counters.sessions_started, 3);
}

#[test]
fn what_was_asked_at_a_millisecond_is_sent_and_comes_back() {
    let (_house, near) = house();
    let mut wanted = plan(ControlPlan::to(near), &[Dscp::BE]);
    wanted.sessions[0].limit = Limit::Count(2_000);
    wanted.sessions[0].schedule = Schedule::every(Duration::from_millis(1));
    let outcome = control(wanted);
    let counters = outcome.sessions[0].counters;
    assert_eq!((counters.sent, counters.received), (2_000, 2_000));
}

#[test]
fn sessions_agreed_on_and_plain_ones_share_threads_and_sockets() {
    if portable_build() {
        return;
    }
    let (_one, near) = house();
    let (_other, next) = house_on("127.0.0.2:0");
    let (_reflector, far) = reflect(&responder_plan(&["127.0.0.3:0"]));
    let engine = Engine::start(1).unwrap();
    let alone = engine.begin(SenderPlan {
        port: PortChoice::Exact(0),
        ..sender_plan(far)
    });
    let alone = alone.unwrap();
    let start = |server| {
        let plan = plan(ControlPlan::to(server), &[Dscp::BE]);
        controller::start(plan, &engine).unwrap()
    };
    // The second one with the same server has a port of its own, before and after the first began.
    let runs = [near, next, near].map(start);
    let late = start(near);
    let port = |session: &SessionHandle| session.sender().port();
    let ports: Vec<u16> = runs.iter().map(|run| port(&run.sessions()[0])).collect();
    assert_eq!((ports[0], ports[1]), (port(&alone), port(&alone)));
    assert_ne!(ports[2], ports[0]);
    assert!(!ports.contains(&port(&late.sessions()[0])));
    for run in runs.into_iter().chain([late]) {
        let outcome = finish(run);
        let counters = outcome.sessions[0].counters;
        assert_eq!((counters.received, counters.lost), (20, 0), "{counters:?}");
    }
    assert_eq!(alone.join().unwrap().counters.received, 20);
}

#[test]
fn many_sessions_of_one_connection_share_a_thread_and_have_a_port_each() {
    let (house, near) = house();
    let engine = Engine::start(1).unwrap();
    let wanted = plan(ControlPlan::to(near), &[Dscp::BE; 40]);
    let outcome = finish(controller::start(wanted, &engine).unwrap());
    let sessions = &outcome.sessions;
    let ports: HashSet<u16> = sessions
        .iter()
        .map(|session| session.identity.sender.port())
        .collect();
    assert_eq!((sessions.len(), ports.len()), (40, 40));
    for session in sessions {
        assert_eq!(session.counters.received, 20, "{:?}", session.counters);
        assert!(session.identity.sid.is_some());
    }
    assert_eq!(house.join().unwrap().counters.sessions_started, 40);
}
