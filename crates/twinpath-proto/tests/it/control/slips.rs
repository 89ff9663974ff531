//! Mistakes of deployed peers (section 14 of the conformance table): harmless ones are tolerated
//! and reported once, others refused.

use twinpath_proto::control::{
    CloseReason, Opened, PeerDeviation, RequestFault, ServerConfig, ServerEvent,
};
use twinpath_wire::control::{Accept, Sid};

use super::messages::{many, request, set_up, sid, start_ack, start_sessions, stop_sessions};
use super::rig::ServerRig;

const NOTE: fn(PeerDeviation) -> ServerEvent = ServerEvent::Note;

#[test]
fn bits_beyond_the_known_are_ignored() {
    // Row TC-7.
    let mut rig = ServerRig::new(ServerConfig::default());
    let (events, sent) = rig.exchange(&set_up(1 | 1024 | 0x8000_0000));
    assert_eq!(events[0], NOTE(PeerDeviation::UnknownModeBits(0x8000_0400)));
    assert!(matches!(events[1], ServerEvent::Ready { modes } if modes.bits() == 1));
    assert_eq!(sent[0][15], 0);
}

#[test]
fn a_count_of_0_stops_all_sessions_and_the_connection_stays() {
    // Rows TC-56, TC-57.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    for round in 0..3 {
        rig.feed(&[request(), request(), start_sessions()].concat());
        let (events, sent) = rig.exchange(&stop_sessions(0, 0));
        let stops = [sid(2 * round), sid(2 * round + 1)].map(ServerEvent::Stop);
        if round == 0 {
            let (said, running) = (0, 2);
            assert_eq!(events[0], NOTE(PeerDeviation::StopCount { said, running }));
            assert_eq!(events[1..], stops);
        } else {
            assert_eq!(events, stops, "told once");
        }
        assert!(sent.is_empty(), "row TC-55: no answer");
    }
}

#[test]
fn any_other_wrong_count_closes_the_connection() {
    // Row TC-57: 0 too, if the server is strict.
    let cases = [
        (false, 2),
        (false, 7),
        (false, u32::MAX),
        (true, 0),
        (true, 7),
    ];
    for (strict, said) in cases {
        let config = ServerConfig {
            strict,
            ..ServerConfig::default()
        };
        let mut rig = ServerRig::set_up(config, 1);
        rig.feed(&[request(), start_sessions()].concat());
        let (events, sent) = rig.exchange(&stop_sessions(0, said));
        let running = 1;
        let expected = [
            NOTE(PeerDeviation::StopCount { said, running }),
            ServerEvent::Stop(sid(0)),
            ServerEvent::Closed(CloseReason::StopCount { said, running }),
        ];
        assert_eq!(events, expected);
        assert!(sent.is_empty(), "row TC-55: no answer");
    }
}

#[test]
fn a_count_that_stops_nothing_closes_nothing() {
    // Row TC-57: nothing is started, so the ends do not differ in what runs.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&request());
    let (events, _) = rig.exchange(&stop_sessions(0, 1));
    let (said, running) = (1, 0);
    let expected = [
        NOTE(PeerDeviation::StopWithoutStart),
        NOTE(PeerDeviation::StopCount { said, running }),
    ];
    assert_eq!(events, expected);
}

#[test]
fn a_client_that_says_it_failed_is_noted() {
    // Row TC-58.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), start_sessions()].concat());
    let (events, _) = rig.exchange(&stop_sessions(1, 1));
    let expected = [
        NOTE(PeerDeviation::StopFailure(Accept::Failure)),
        ServerEvent::Stop(sid(0)),
    ];
    assert_eq!(events, expected);
}

#[test]
fn no_records_follow_stop_sessions_whatever_its_number() {
    // Row TC-55: the next 112 octets are the next request.
    for said in 0..3 {
        let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
        for _ in 0..said.max(1) {
            rig.feed(&request());
        }
        rig.feed(&start_sessions());
        let (events, sent) = rig.exchange(&[stop_sessions(0, said), request()].concat());
        assert!(matches!(events.last(), Some(ServerEvent::Open(_))));
        assert_eq!(sent.len(), 1);
    }
}

#[test]
fn a_session_named_twice_counts_once() {
    // Row TC-66.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 17);
    rig.feed(&request());
    let (events, sent) = rig.exchange(&many(7, 0, &[sid(0), sid(0)]));
    let expected = [ServerEvent::Start(sid(0)), NOTE(PeerDeviation::RepeatedSid)];
    assert_eq!(events, expected);
    assert_eq!(sent, [many(8, 0, &[sid(0)])]);
}

#[test]
fn a_command_about_no_session_or_too_many_ends_the_connection_unanswered() {
    // Row TC-67: a forged number takes no memory on this side.
    let config = ServerConfig {
        max_sessions: 3,
        ..ServerConfig::default()
    };
    for command in [7, 9] {
        for sessions in [0, 4, u32::MAX] {
            let mut rig = ServerRig::set_up(config.clone(), 17);
            let mut message = many(command, 0, &[sid(0), sid(1), sid(2), sid(3)]);
            message[12..16].copy_from_slice(&sessions.to_be_bytes());
            let (events, sent) = rig.exchange(&message);
            let closed = ServerEvent::Closed(CloseReason::SessionCount(sessions));
            assert_eq!(events, [closed]);
            assert!(sent.is_empty());
        }
        let mut rig = ServerRig::set_up(config.clone(), 17);
        let (_, sent) = rig.exchange(&many(command, 0, &[sid(0), sid(1), sid(2)]));
        assert_eq!(sent, [many(command + 1, 3, &[sid(0), sid(1), sid(2)])]);
    }
}

#[test]
fn a_thousand_sessions_are_acknowledged_in_parts() {
    // Row TC-63.
    let config = ServerConfig {
        max_sessions: 3000,
        ..ServerConfig::default()
    };
    let mut rig = ServerRig::set_up(config, 17);
    let sids = numbered(0..3000);
    let mut granted = sids.clone().into_iter();
    rig.answer = Box::new(move |_, _| {
        Ok(Opened {
            sid: granted.next().unwrap(),
            port: 862,
            server_octets: 0,
        })
    });
    for _ in 0..3000 {
        rig.feed(&request());
    }
    let (events, sent) = rig.exchange(&many(7, 0, &sids));
    assert_eq!(events.len(), 3000);
    let parts: Vec<_> = sids.chunks(1024).map(|part| many(8, 0, part)).collect();
    assert_eq!(sent, parts);
}

#[test]
fn unknown_sessions_cause_at_most_one_acknowledgement() {
    // Row TC-67: whatever the operator allows, an answer is bounded by the existing sessions.
    let config = ServerConfig {
        max_sessions: 100_000,
        ..ServerConfig::default()
    };
    for command in [7, 9] {
        let mut rig = ServerRig::set_up(config.clone(), 17);
        let most = numbered(0..1024);
        let (_, sent) = rig.exchange(&many(command, 0, &most));
        assert_eq!(sent, [many(command + 1, 3, &most)]);
        // One that exists makes room for one more.
        rig.feed(&request());
        let (_, sent) = rig.exchange(&many(command, 0, &numbered(0..1025)));
        assert_eq!(sent.iter().map(Vec::len).sum::<usize>(), 2 * 32 + 1025 * 16);
        // The number alone is enough: the rest is not stored.
        let (events, sent) = rig.exchange(&many(command, 0, &numbered(0..1026))[..16]);
        let closed = ServerEvent::Closed(CloseReason::SessionCount(1026));
        assert_eq!(events.last(), Some(&closed));
        assert!(sent.is_empty());
    }
}

fn numbered(numbers: std::ops::Range<u128>) -> Vec<Sid> {
    numbers.map(|number| Sid(number.to_be_bytes())).collect()
}

#[test]
fn start_again_while_running_changes_nothing() {
    // Row TC-54.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), start_sessions()].concat());
    let (events, sent) = rig.exchange(&start_sessions());
    let refused = ServerEvent::Refused(RequestFault::WhileRunning);
    assert_eq!(events, [NOTE(PeerDeviation::StartWhileRunning), refused]);
    assert_eq!(sent, [start_ack(3)]);
    let (events, _) = rig.exchange(&stop_sessions(0, 1));
    assert_eq!(events, [ServerEvent::Stop(sid(0))]);
}
