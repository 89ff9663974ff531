//! Every Accept value, for its own reason (sections 1, 4 and 9 of the conformance table).

use std::sync::Arc;

use twinpath_proto::control::{
    Admission, CloseReason, Opened, RequestFault, ServerConfig, ServerEvent,
};
use twinpath_wire::WireTime;
use twinpath_wire::control::{Accept, Modes, Sid};

use super::messages::{
    accept_session, many, request, set_up, sid, start_ack, start_sessions, stop_sessions,
};
use super::rig::{ServerRig, grant, local, peer};

#[test]
fn the_greeting_offers_what_the_engine_can_keep_and_count_is_a_power_of_2() {
    // Rows TC-2, TC-21: the security modes are not there yet, bit 7 will not be.
    let config = ServerConfig {
        modes: Modes::from_bits(u32::MAX),
        ..ServerConfig::default()
    };
    let rig = ServerRig::new(config);
    let greeting = &rig.sent[0];
    assert_eq!(greeting.len(), 64);
    assert_eq!(
        greeting[12..16],
        (1_u32 + 16 + 32 + 64 + 256 + 512).to_be_bytes()
    );
    assert_eq!(greeting[48..52], 16_384_u32.to_be_bytes());
}

#[test]
fn modes_that_do_not_fit_get_accept_3() {
    // Rows TC-4, TC-5, TC-6, TC-7: two security bits, none, one not offered, a feature not offered.
    let config = ServerConfig {
        modes: Modes::UNAUTHENTICATED | Modes::INDIVIDUAL_CONTROL,
        start_time: WireTime::from_bits(0xeeae_8627_5134_15b1),
        ..ServerConfig::default()
    };
    for mode in [
        2,
        4,
        8,
        3,
        16,
        1 | 32,
        1 | 64,
        1 | 128,
        1 | 256,
        1 | 512,
        0x8000_0000,
    ] {
        let mut rig = ServerRig::new(config.clone());
        let (events, sent) = rig.exchange(&set_up(mode));
        let reason = CloseReason::ModesRefused(Modes::from_bits(mode));
        assert_eq!(events, [ServerEvent::Closed(reason)], "{mode}");
        // Row TC-27: Start-Time is zero.
        let mut expected = vec![0; 48];
        expected[15] = 3;
        assert_eq!(sent, [expected], "{mode}");
        assert!(rig.server.is_closed(), "{mode}");
    }
    for mode in [1, 17] {
        let mut rig = ServerRig::new(config.clone());
        let (events, sent) = rig.exchange(&set_up(mode));
        let modes = Modes::from_bits(mode);
        assert_eq!(events, [ServerEvent::Ready { modes }]);
        assert_eq!(sent[0][..32], [0; 32]);
        assert_ne!(sent[0][32..40], [0; 8]);
    }
}

#[test]
fn a_client_that_chooses_mode_0_gives_up_and_gets_no_answer() {
    // Row TC-4.
    let mut rig = ServerRig::new(ServerConfig::default());
    let (events, sent) = rig.exchange(&set_up(0));
    assert_eq!(events, [ServerEvent::Closed(CloseReason::Declined)]);
    assert!(sent.is_empty());
    assert!(rig.server.is_closed());
}

#[test]
fn a_connection_over_a_limit_is_refused_after_its_set_up_response() {
    // Row TC-79.
    for accept in [Accept::PermanentLimit, Accept::TemporaryLimit] {
        let admission = Admission::Refused(accept);
        let mut rig = ServerRig::between(ServerConfig::default(), admission, peer(), local());
        assert_ne!(rig.sent[0][12..16], [0; 4]);
        let (events, sent) = rig.exchange(&set_up(1));
        assert_eq!(events, [ServerEvent::Closed(CloseReason::Refused(accept))]);
        assert_eq!(sent[0][15], accept.octet());
        assert!(rig.server.is_closed());
    }
}

#[test]
fn with_too_many_handshakes_modes_0_is_offered() {
    // Rows TC-2, TC-79.
    let config = ServerConfig::default();
    let rig = ServerRig::between(config, Admission::TurnedAway, peer(), local());
    assert_eq!(rig.sent[0][12..16], [0; 4]);
    assert_eq!(rig.events, [ServerEvent::Closed(CloseReason::TurnedAway)]);
    assert!(rig.server.is_closed());
}

#[test]
fn the_client_gets_the_drivers_answer_to_its_request() {
    // Rows TC-30, TC-40, TC-44: a refusal has neither port nor SID, and the connection stays.
    let refusals = [
        Accept::Failure,
        Accept::InternalError,
        Accept::NotSupported,
        Accept::PermanentLimit,
        Accept::TemporaryLimit,
    ];
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    for accept in refusals {
        rig.answer = Box::new(move |_, _| Err(accept));
        let (_, sent) = rig.exchange(&request());
        assert_eq!(sent, [accept_session(accept.octet(), 0, Sid([0; 16]))]);
    }
    rig.answer = Box::new(|request, number| Ok(grant(request, number)));
    let (_, sent) = rig.exchange(&request());
    assert_eq!(sent, [accept_session(0, 20_001, sid(0))]);
}

#[test]
fn a_client_at_its_own_session_limit_gets_accept_4_until_it_stops_one() {
    // Row TC-29: waiting does not help.
    let config = ServerConfig {
        max_sessions: 2,
        ..ServerConfig::default()
    };
    let mut rig = ServerRig::set_up(config, 17);
    rig.feed(&[request(), request()].concat());
    let (events, sent) = rig.exchange(&request());
    assert_eq!(events, [ServerEvent::Refused(RequestFault::Sessions(2))]);
    assert_eq!(sent, [accept_session(4, 0, Sid([0; 16]))]);
    rig.feed(&many(9, 0, &[sid(0)]));
    let (_, sent) = rig.exchange(&request());
    assert_eq!(sent, [accept_session(0, 20_001, sid(2))]);
}

#[test]
fn sessions_beyond_a_limit_that_is_set_later_can_still_be_started_and_stopped() {
    let mut rig = ServerRig::set_up(ServerConfig::default(), 17);
    rig.feed(&[request(), request(), request()].concat());
    let one = ServerConfig {
        max_sessions: 1,
        ..ServerConfig::default()
    };
    rig.server.set_config(Arc::new(one));
    let (events, _) = rig.exchange(&request());
    assert_eq!(events, [ServerEvent::Refused(RequestFault::Sessions(1))]);
    let (events, _) = rig.exchange(&many(7, 0, &[sid(0), sid(1), sid(2)]));
    assert_eq!(
        events,
        [0, 1, 2].map(|number| ServerEvent::Start(sid(number)))
    );
    let (events, _) = rig.exchange(&many(9, 0, &[sid(0), sid(1), sid(2)]));
    assert_eq!(
        events,
        [0, 1, 2].map(|number| ServerEvent::Stop(sid(number)))
    );
    // Fewer than one: another is accepted.
    let (_, sent) = rig.exchange(&request());
    assert_eq!(sent, [accept_session(0, 20_001, sid(3))]);
}

#[test]
fn a_session_that_cannot_be_started_is_answered_by_its_own_accept() {
    // Rows TC-52, TC-63: Start-N-Acks are grouped by Accept, and every SID is answered once.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 17);
    rig.feed(&[request(), request(), request()].concat());
    rig.forget();
    let all = [sid(0), sid(1), sid(2), sid(7)];
    assert_eq!(rig.server.handle_input(rig.now, &many(7, 0, &all)), 96);
    let mut started = Vec::new();
    while let Some(event) = rig.server.poll_event() {
        if let ServerEvent::Start(started_sid) = event {
            started.push(started_sid);
        }
    }
    assert_eq!(started, all[..3]);
    rig.server.refuse_start(&[sid(1)], Accept::TemporaryLimit);
    rig.drain();
    let expected = [
        many(8, 0, &[sid(0), sid(2)]),
        many(8, 5, &[sid(1)]),
        many(8, 3, &[sid(7)]),
    ];
    assert_eq!(rig.sent, expected);
    // It was not started, and can be.
    let (events, sent) = rig.exchange(&many(7, 0, &[sid(1)]));
    assert_eq!(events, [ServerEvent::Start(sid(1))]);
    assert_eq!(sent, [many(8, 0, &[sid(1)])]);
}

#[test]
fn start_sessions_is_for_all_or_none() {
    // Row TC-52.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), request()].concat());
    rig.forget();
    rig.server.handle_input(rig.now, &start_sessions());
    while rig.server.poll_event().is_some() {}
    rig.server.refuse_start(&[sid(1)], Accept::InternalError);
    rig.drain();
    let removed = [ServerEvent::Remove(sid(0)), ServerEvent::Remove(sid(1))];
    assert_eq!(rig.events, removed);
    assert_eq!(rig.sent, [start_ack(2)]);
    let (_, sent) = rig.exchange(&[request(), start_sessions()].concat());
    assert_eq!(sent, [accept_session(0, 20_001, sid(2)), start_ack(0)]);
}

#[test]
fn the_reflector_is_armed_before_the_acknowledgement_can_leave() {
    // Row TC-53.
    for (modes, command) in [(1, start_sessions()), (17, many(7, 0, &[sid(0), sid(1)]))] {
        let mut rig = ServerRig::set_up(ServerConfig::default(), modes);
        rig.feed(&[request(), request()].concat());
        rig.server.handle_input(rig.now, &command);
        for number in 0..2 {
            assert_eq!(rig.server.poll_output(), None);
            assert_eq!(rig.server.handle_input(rig.now, &request()), 0);
            assert_eq!(
                rig.server.poll_event(),
                Some(ServerEvent::Start(sid(number)))
            );
        }
        assert!(rig.server.poll_output().is_some());
    }
}

#[test]
fn input_is_read_no_further_than_the_message_that_waits_for_its_answer() {
    // Row TC-73.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    let pipelined = [request(), request(), start_sessions()].concat();
    assert_eq!(rig.server.handle_input(rig.now, &pipelined), 112);
    assert!(!rig.server.wants_input());
    assert_eq!(rig.server.handle_input(rig.now, &pipelined[112..]), 0);
    assert!(matches!(
        rig.server.poll_event(),
        Some(ServerEvent::Open(_))
    ));
    // The driver may take its time.
    assert_eq!(rig.server.poll_timeout(), None);
    assert_eq!(rig.server.handle_input(rig.now, &pipelined[112..]), 0);
    rig.server.answer_open(rig.now, Err(Accept::TemporaryLimit));
    assert_eq!(rig.server.handle_input(rig.now, &pipelined[112..]), 0);
    let answer = rig.server.poll_output().unwrap().len();
    rig.server.handle_written(rig.now, answer - 1);
    assert_eq!(rig.server.poll_output().unwrap().len(), 1);
    assert_eq!(rig.server.handle_input(rig.now, &pipelined[112..]), 0);
    rig.server.handle_written(rig.now, 1);
    assert_eq!(rig.server.handle_input(rig.now, &pipelined[112..]), 112);
}

#[test]
fn a_session_that_is_opened_when_its_client_is_gone_is_removed() {
    // Row TC-77.
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.server.handle_input(rig.now, &request());
    while rig.server.poll_event().is_some() {}
    rig.server.handle_eof(rig.now);
    rig.drain();
    let opened = Opened {
        sid: sid(0),
        port: 20_001,
        server_octets: 0,
    };
    rig.server.answer_open(rig.now, Ok(opened));
    rig.drain();
    let closed = ServerEvent::Closed(CloseReason::PeerClosed);
    assert_eq!(rig.events, [closed, ServerEvent::Remove(sid(0))]);
    assert!(rig.server.is_closed());
}

#[test]
fn stopping_at_the_driver_s_word_stops_sessions() {
    let mut rig = ServerRig::set_up(ServerConfig::default(), 1);
    rig.feed(&[request(), start_sessions()].concat());
    rig.forget();
    rig.server.shut_down(rig.now);
    rig.drain();
    let closed = ServerEvent::Closed(CloseReason::Shutdown);
    assert_eq!(rig.events, [ServerEvent::Stop(sid(0)), closed]);
    // Later input is discarded.
    rig.feed(&stop_sessions(0, 1));
    assert!(rig.server.is_closed());
}
