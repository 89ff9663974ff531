//! SERVWAIT, REFWAIT and patience (section 9 of the conformance table), in virtual time.

use std::time::Duration;

use twinpath_proto::control::{CloseReason, ServerConfig, ServerEvent};

use super::messages::{accept_session, many, request, set_up, sid, start_sessions, stop_sessions};
use super::rig::ServerRig;

const SECOND: Duration = Duration::from_secs(1);

fn closed(reason: CloseReason) -> ServerEvent {
    ServerEvent::Closed(reason)
}

/// Lets just less than `span` pass, in which nothing may happen, and then the rest.
fn expires_after(rig: &mut ServerRig, span: Duration, expected: &[ServerEvent]) {
    rig.forget();
    rig.wait(span.saturating_sub(Duration::from_nanos(1)));
    assert_eq!(rig.events, []);
    rig.wait(Duration::from_nanos(1));
    assert_eq!(rig.events, expected);
    assert!(rig.server.is_closed());
    assert_eq!(rig.server.poll_timeout(), None);
}

#[test]
fn servwait_is_900_seconds_and_counts_from_the_last_octet() {
    // Row TC-74.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.wait(Duration::from_secs(800));
    rig.feed(&request());
    let expected = [ServerEvent::Remove(sid(0)), closed(CloseReason::Idle)];
    expires_after(&mut rig, Duration::from_mins(15), &expected);
}

#[test]
fn servwait_rests_while_sessions_run() {
    // Rows TC-68, TC-74: for days.
    for (modes, start, stop) in [
        (1, start_sessions(), stop_sessions(0, 1)),
        (17, many(7, 0, &[sid(0)]), many(9, 0, &[sid(0)])),
    ] {
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        rig.feed(&[request(), start].concat());
        rig.forget();
        assert_eq!(rig.server.poll_timeout(), None);
        rig.wait(Duration::from_hours(50));
        assert_eq!(rig.events, []);
        rig.feed(&stop);
        assert_eq!(rig.events, [ServerEvent::Stop(sid(0))]);
        expires_after(
            &mut rig,
            Duration::from_mins(15),
            &[closed(CloseReason::Idle)],
        );
    }
}

#[test]
fn servwait_resumes_when_refwait_ended_the_last_session() {
    // Rows TC-68, TC-74, TC-75.
    for (modes, start) in [(1, start_sessions()), (17, many(7, 0, &[sid(0), sid(1)]))] {
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        rig.feed(&[request(), request(), start].concat());
        rig.wait(Duration::from_hours(1));
        rig.server.session_ended(rig.now, sid(0));
        assert_eq!(rig.server.poll_timeout(), None);
        rig.wait(Duration::from_hours(1));
        rig.server.session_ended(rig.now, sid(1));
        expires_after(
            &mut rig,
            Duration::from_mins(15),
            &[closed(CloseReason::Idle)],
        );
    }
}

#[test]
fn a_session_ended_by_refwait_still_counts_for_stop_sessions() {
    // Row TC-76.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), request(), start_sessions()].concat());
    rig.server.session_ended(rig.now, sid(0));
    let (events, _) = rig.exchange(&stop_sessions(0, 2));
    assert_eq!(events, [ServerEvent::Stop(sid(1))]);
    // Back in the request state.
    let (_, sent) = rig.exchange(&request());
    assert_eq!(sent, [accept_session(0, 20_001, sid(2))]);
}

#[test]
fn a_set_up_response_is_due_within_a_minute() {
    // Row TC-73: also when it comes octet by octet.
    let rig = &mut ServerRig::new(ServerConfig::default());
    expires_after(rig, 60 * SECOND, &[closed(CloseReason::MessageLate)]);
    let rig = &mut ServerRig::new(ServerConfig::default());
    for octet in &set_up(1)[..59] {
        rig.wait(SECOND);
        rig.feed(&[*octet]);
    }
    expires_after(rig, SECOND, &[closed(CloseReason::MessageLate)]);
}

#[test]
fn a_message_begun_is_due_within_a_minute_also_while_sessions_run() {
    // Rows TC-72, TC-73.
    let rig = &mut ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), start_sessions()].concat());
    rig.wait(Duration::from_hours(1));
    rig.feed(&stop_sessions(0, 1)[..1]);
    for octet in &stop_sessions(0, 1)[1..31] {
        rig.wait(SECOND);
        rig.feed(&[*octet]);
    }
    let expected = [ServerEvent::Stop(sid(0)), closed(CloseReason::MessageLate)];
    expires_after(rig, 30 * SECOND, &expected);
}

#[test]
fn a_short_servwait_shortens_patience() {
    // Row TC-73.
    let config = ServerConfig {
        servwait: 5 * SECOND,
        ..ServerConfig::default()
    };
    let rig = &mut ServerRig::new(config.clone());
    expires_after(rig, 5 * SECOND, &[closed(CloseReason::MessageLate)]);
    let rig = &mut ServerRig::set_up(config, 1);
    expires_after(rig, 5 * SECOND, &[closed(CloseReason::Idle)]);
}

#[test]
fn a_client_that_does_not_read_is_dropped() {
    // Row TC-73: octet by octet it gets no further either.
    let rig = &mut ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), start_sessions()].concat());
    rig.forget();
    rig.server.handle_input(rig.now, &start_sessions());
    while rig.server.poll_event().is_some() {}
    for _ in 0..20 {
        rig.now += 2 * SECOND;
        assert!(rig.server.poll_timeout().is_some_and(|due| due > rig.now));
        assert!(rig.server.poll_output().is_some());
        rig.server.handle_written(rig.now, 1);
    }
    rig.now += 20 * SECOND;
    rig.server.handle_timeout(rig.now);
    rig.drain();
    let expected = [ServerEvent::Stop(sid(0)), closed(CloseReason::OutputStuck)];
    assert_eq!(rig.events, expected);
    assert!(rig.sent.is_empty());
    assert!(rig.server.is_closed());
}

#[test]
fn a_closing_connection_does_not_wait_for_ever_to_be_rid_of_its_last_answer() {
    // Row TC-73.
    let rig = &mut ServerRig::set_up(ServerConfig::default(), 1);
    rig.server.handle_input(rig.now, &[77; 16]);
    while rig.server.poll_event().is_some() {}
    assert!(rig.server.poll_output().is_some());
    assert!(!rig.server.is_closed());
    let due = rig.server.poll_timeout().unwrap();
    rig.server.handle_timeout(due);
    assert!(rig.server.is_closed());
}
