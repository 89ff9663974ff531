//! Hundreds of sessions on one control connection.

use std::time::{Duration, Instant};

use twinpath_proto::control::{Opened, ServerConfig, ServerEvent};
use twinpath_proto::sender::Limit;
use twinpath_report::SessionReport;
use twinpath_runtime::controller::{self, ControlError, ControllerRun};
use twinpath_runtime::measure::Engine;
use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, Sid};

use super::rig::{Outcome, Rig, Script, Then, finish, plan, serve, slips, stops};

/// Their packets together are no more than the far end holds.
const ALL: usize = 250;
const EACH: u64 = 2;

/// A Server that accepts the first `most` sessions, as `features` has it.
fn accepting(most: usize, features: Modes) -> Script {
    Script {
        config: ServerConfig {
            modes: Modes::UNAUTHENTICATED | features,
            max_sessions: 1_000,
            ..ServerConfig::default()
        },
        answer: Box::new(move |_, number, port| {
            let sid = Sid((number as u128 + 1).to_be_bytes());
            let server_octets = 0;
            let opened = Opened {
                sid,
                port,
                server_octets,
            };
            (number < most)
                .then_some(opened)
                .ok_or(Accept::TemporaryLimit)
        }),
        ..Script::default()
    }
}

/// Paths that share a thread, some packets on each; and its engine.
fn start(rig: &Rig) -> (ControllerRun, Engine) {
    let mut plan = plan(rig.plan(), &[Dscp::BE; ALL]);
    for session in &mut plan.sessions {
        session.exact = false;
        session.limit = Limit::Count(EACH);
    }
    let engine = Engine::start(1).unwrap();
    (controller::start(plan, &engine).unwrap(), engine)
}

fn measured(script: Script) -> (Outcome, Vec<ServerEvent>) {
    let rig = serve(script);
    let (run, _engine) = start(&rig);
    let outcome = finish(run);
    (outcome, rig.events())
}

fn count(events: &[ServerEvent], like: fn(&ServerEvent) -> bool) -> usize {
    events.iter().filter(|event| like(event)).count()
}

fn until(run: &ControllerRun, accepted: usize) {
    let patience = Instant::now() + Duration::from_mins(1);
    while run.accepted() < accepted {
        assert!(Instant::now() < patience, "nothing is accepted");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn hundreds_of_sessions_are_started_measured_and_stopped() {
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let (outcome, events) = measured(accepting(ALL, features));
        assert!(outcome.report().refused.is_empty());
        let received = |session: &&SessionReport| session.counters.received == EACH;
        assert_eq!(outcome.sessions.iter().filter(received).count(), ALL);
        let starts = count(&events, |event| matches!(event, ServerEvent::Start(_)));
        assert_eq!((starts, stops(&events)), (ALL, ALL), "{features}");
        assert_eq!(slips(&events), Vec::new());
    }
}

#[test]
fn a_server_that_accepts_the_first_of_many_is_measured_on_these() {
    let most = 90;
    for features in [Modes::default(), Modes::INDIVIDUAL_CONTROL] {
        let (outcome, events) = measured(accepting(most, features));
        assert_eq!(outcome.sessions.len(), most);
        let refused = &outcome.report().refused;
        let numbers: Vec<usize> = refused.iter().map(|session| session.number).collect();
        assert_eq!(numbers, (most + 1..=ALL).collect::<Vec<_>>());
        // All of one class and for one reason: it is said once.
        assert_eq!(outcome.keys(), ["session-refused"]);
        assert_eq!((stops(&events), slips(&events)), (most, Vec::new()));
    }
}

#[test]
fn stop_in_the_middle_of_slow_set_up_gives_back_what_was_accepted() {
    let mut script = accepting(ALL, Modes::INDIVIDUAL_CONTROL);
    script.then = Box::new(|event| {
        if matches!(event, ServerEvent::Open(_)) {
            std::thread::sleep(Duration::from_millis(10));
        }
        Then::GoOn
    });
    let rig = serve(script);
    let (run, _engine) = start(&rig);
    until(&run, 5);
    run.stop();
    let outcome = finish(run);
    assert!(matches!(
        outcome.result,
        Err(ControlError::Interrupted { .. })
    ));
    assert!(outcome.sessions.is_empty());
    let events = rig.events();
    let opened = count(&events, |event| matches!(event, ServerEvent::Open(_)));
    let removed = count(&events, |event| matches!(event, ServerEvent::Remove(_)));
    let starts = count(&events, |event| matches!(event, ServerEvent::Start(_)));
    assert!((5..ALL).contains(&opened), "{opened}");
    assert_eq!((removed, starts), (opened, 0));
}

#[test]
fn a_connection_that_breaks_in_set_up_says_how_far_it_had_come() {
    let mut script = accepting(ALL, Modes::INDIVIDUAL_CONTROL);
    let mut opened = 0;
    script.then = Box::new(move |event| {
        opened += usize::from(matches!(event, ServerEvent::Open(_)));
        if opened == 7 { Then::Close } else { Then::GoOn }
    });
    let (outcome, events) = measured(script);
    let line = outcome.line();
    let said = format!("before Accept-Session arrived, after 7 of {ALL} sessions were accepted");
    assert!(line.contains(&said), "{line}");
    assert!(outcome.sessions.is_empty());
    assert_eq!(stops(&events), 0);
}

#[test]
fn a_connection_that_breaks_while_hundreds_run_costs_none_of_their_packets() {
    let mut script = accepting(ALL, Modes::INDIVIDUAL_CONTROL);
    let mut started = 0;
    script.then = Box::new(move |event| {
        started += usize::from(matches!(event, ServerEvent::Start(_)));
        if started == ALL {
            Then::Close
        } else {
            Then::GoOn
        }
    });
    let (outcome, _) = measured(script);
    assert_eq!(outcome.sessions.len(), ALL);
    let sent: u64 = outcome
        .sessions
        .iter()
        .map(|session| session.counters.sent)
        .sum();
    let received: u64 = outcome
        .sessions
        .iter()
        .map(|session| session.counters.received)
        .sum();
    let all = EACH * ALL as u64;
    assert_eq!((sent, received), (all, all));
    assert_eq!(outcome.keys(), ["server-gone"]);
}
