//! Our Control-Client and our Server.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::sender::{Limit, Schedule};
use twinpath_runtime::controller::ControlPlan;
use twinpath_runtime::server::{self, ServerPlan, ServerRun};
use twinpath_wire::Dscp;
use twinpath_wire::control::Modes;

use super::rig::{control, plan};
use crate::{keys, portable_build};

fn house() -> (ServerRun, SocketAddr) {
    let mut plan = ServerPlan::on(vec!["127.0.0.1:0".parse().unwrap()]);
    plan.test_ports = (20_000, 32_000);
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
    for (class, session) in classes.iter().zip(&report.sessions) {
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
    wanted.sender.limit = Limit::Count(2_000);
    wanted.sender.schedule = Schedule::every(Duration::from_millis(1));
    wanted.sender.timeout = Duration::from_secs(2);
    let outcome = control(wanted);
    let counters = outcome.report().sessions[0].counters;
    assert_eq!((counters.sent, counters.received), (2_000, 2_000));
}
