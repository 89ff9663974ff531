//! The Control-Client with Individual Session Control (RFC 5938; section 7 of the conformance
//! table) against a scripted Server.

use twinpath_proto::Step;
use twinpath_proto::control::{ClientError, ClientEvent, ClientPlan};
use twinpath_wire::control::{Accept, Modes};

use super::client::{plan, refused, session_plan, settled};
use super::messages::{accept_session, many, request, sid};
use super::rig::ClientRig;

fn running(sessions: usize) -> ClientRig {
    settled(individual(sessions), 17)
}

fn individual(sessions: usize) -> ClientPlan {
    ClientPlan {
        required: Modes::INDIVIDUAL_CONTROL,
        ..plan(sessions)
    }
}

fn started(index: usize) -> ClientEvent {
    ClientEvent::Started { index }
}

fn stopped(index: usize) -> ClientEvent {
    ClientEvent::Stopped { index }
}

#[test]
fn acknowledgements_may_be_split_and_come_in_any_order() {
    // Rows TC-62, TC-63, TC-64.
    let mut rig = running(5);
    assert_eq!(rig.client.start_sessions(rig.now, &[0, 1, 2]), 3);
    assert_eq!(rig.client.start_sessions(rig.now, &[3]), 1);
    assert_eq!(rig.client.start_sessions(rig.now, &[3, 9]), 0);
    rig.drain();
    let sent = [many(7, 0, &[sid(0), sid(1), sid(2)]), many(7, 0, &[sid(3)])];
    assert_eq!(rig.sent, sent);
    let acks = [
        many(8, 0, &[sid(3), sid(2)]),
        many(8, 5, &[sid(0)]),
        many(8, 0, &[sid(1)]),
    ];
    let (events, _) = rig.exchange(&acks.concat());
    let expected = [
        started(3),
        started(2),
        refused(Some(0), Step::Start, 5),
        started(1),
    ];
    assert_eq!(events, expected);
    assert_eq!(rig.client.poll_timeout(), None);

    // Two stops under way, and a start between them.
    assert_eq!(rig.client.stop_sessions(rig.now, &[1]), 1);
    assert_eq!(rig.client.start(rig.now), 1, "the fifth");
    assert_eq!(rig.client.stop_sessions(rig.now, &[0, 1, 2, 3]), 2);
    let acks = [
        many(10, 0, &[sid(3)]),
        many(8, 0, &[sid(4)]),
        many(10, 3, &[sid(2)]),
        many(10, 0, &[sid(1)]),
    ];
    let (events, sent) = rig.exchange(&acks.concat());
    let expected = [
        stopped(3),
        started(4),
        refused(Some(2), Step::Stop, 3),
        stopped(1),
    ];
    assert_eq!(events, expected);
    assert!(sent.is_empty());
    assert_eq!(rig.client.stop(rig.now, Accept::Ok), 1);
    let (events, _) = rig.exchange(&many(10, 0, &[sid(4)]));
    assert_eq!(events, [stopped(4)]);
}

#[test]
fn a_session_can_be_asked_for_while_others_run_and_acknowledgements_come_between() {
    // Row TC-66.
    let mut rig = running(1);
    rig.client.start(rig.now);
    rig.sent.clear();
    assert_eq!(rig.client.request(rig.now, session_plan()), 1);
    rig.drain();
    assert_eq!(rig.sent.last(), Some(&request()));
    let answers = [many(8, 0, &[sid(0)]), accept_session(0, 20_001, sid(1))];
    let (events, _) = rig.exchange(&answers.concat());
    assert_eq!(events[0], started(0));
    assert!(matches!(events[1], ClientEvent::Accepted { index: 1, .. }));
    assert_eq!(events[2..], [ClientEvent::Settled { accepted: 1 }]);
    // The other way round.
    rig.client.start(rig.now);
    rig.client.request(rig.now, session_plan());
    let answers = [accept_session(0, 20_001, sid(2)), many(8, 0, &[sid(1)])];
    let (events, _) = rig.exchange(&answers.concat());
    assert!(matches!(events[0], ClientEvent::Accepted { index: 2, .. }));
    assert_eq!(events[2..], [started(1)]);
}

#[test]
fn a_session_stopped_while_it_starts_is_stopped_once_it_runs() {
    let mut rig = running(2);
    rig.client.start(rig.now);
    assert_eq!(rig.client.stop_sessions(rig.now, &[1]), 1);
    let (events, sent) = rig.exchange(&many(8, 0, &[sid(1), sid(0)]));
    assert_eq!(events, [started(1), started(0)]);
    assert_eq!(sent, [many(9, 0, &[sid(1)])]);
}

#[test]
fn an_acknowledgement_of_what_waits_for_none_is_ignored() {
    let mut rig = running(2);
    rig.client.start_sessions(rig.now, &[0]);
    let (events, _) = rig.exchange(&many(8, 0, &[sid(1), sid(0)]));
    assert_eq!(
        events,
        [ClientEvent::UnexpectedAck { sid: sid(1) }, started(0)]
    );
}

#[test]
fn an_acknowledgement_of_none_or_of_too_many_ends_the_connection() {
    for sessions in [0, 3, u32::MAX] {
        let mut rig = running(2);
        rig.client.start(rig.now);
        let mut ack = many(8, 0, &[sid(0), sid(1)]);
        ack[12..16].copy_from_slice(&sessions.to_be_bytes());
        let (events, _) = rig.exchange(&ack);
        let error = ClientError::SessionCount { sessions };
        assert_eq!(events, [ClientEvent::Failed(error)]);
    }
}

#[test]
fn a_server_that_does_not_know_the_command_after_all_is_understood() {
    // Row TC-69.
    let mut rig = running(1);
    rig.client.start(rig.now);
    let (events, _) = rig.exchange(&accept_session(3, 0, sid(0)));
    assert_eq!(events, [refused(None, Step::Start, 3), ClientEvent::Closed]);
}

#[test]
fn without_the_feature_sessions_are_not_started_one_by_one() {
    let mut rig = settled(plan(2), 1);
    assert_eq!(rig.client.start_sessions(rig.now, &[0]), 0);
    assert_eq!(rig.client.stop_sessions(rig.now, &[0]), 0);
    rig.drain();
    assert!(rig.sent.is_empty());
}
