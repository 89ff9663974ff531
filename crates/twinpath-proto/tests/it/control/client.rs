//! The Control-Client against a scripted Server, without Individual Session Control.

use std::time::Duration;

use twinpath_proto::control::{
    ClientError, ClientEvent, ClientPlan, ControlClient, ExpectedAnswer, Message, SessionPlan,
};
use twinpath_proto::{Refusal, Step};
use twinpath_wire::control::{Accept, Modes, SecurityMode, Sid};
use twinpath_wire::{Dscp, Mono};

use super::messages::{
    accept_session, greeting, many, request, server_start, set_up, sid, start_ack, start_sessions,
    stop_sessions,
};
use super::rig::{ClientRig, START};

pub(crate) fn session_plan() -> SessionPlan {
    SessionPlan {
        sender_port: 20_000,
        receiver_port: 20_001,
        ..SessionPlan::default()
    }
}

pub(crate) fn plan(sessions: usize) -> ClientPlan {
    ClientPlan {
        sessions: vec![session_plan(); sessions],
        ..ClientPlan::default()
    }
}

pub(crate) fn client(plan: ClientPlan) -> ClientRig {
    let server = "192.0.2.2:862".parse().unwrap();
    ClientRig::new(ControlClient::new(plan, START, server))
}

/// A client whose sessions were all accepted, on a connection in the modes that it chose.
pub(crate) fn settled(plan: ClientPlan, offered: u32) -> ClientRig {
    let sessions = plan.sessions.len();
    let mut rig = client(plan);
    rig.feed(&[greeting(offered), server_start(0)].concat());
    for number in 0..u8::try_from(sessions).unwrap() {
        rig.feed(&accept_session(0, 20_001, sid(number)));
    }
    let settled = ClientEvent::Settled { accepted: sessions };
    assert_eq!(rig.events.last(), Some(&settled));
    rig.events.clear();
    rig.sent.clear();
    rig
}

pub(crate) fn refused(index: Option<usize>, step: Step, octet: u8) -> ClientEvent {
    ClientEvent::Refused {
        index,
        refusal: Refusal { step, octet },
    }
}

fn failed(rig: &ClientRig) -> ClientError {
    let Some(ClientEvent::Failed(error)) = rig.events.last() else {
        panic!("{:?}", rig.events)
    };
    assert!(rig.client.is_closed());
    assert_eq!(rig.client.poll_timeout(), None);
    *error
}

#[test]
fn the_client_chooses_of_what_is_offered_and_ignores_what_it_does_not_know() {
    // Rows TC-3, TC-4, TC-5, TC-10.
    let features = ClientPlan {
        security: vec![SecurityMode::Encrypted, SecurityMode::Unauthenticated],
        preferred: Modes::FEATURES,
        ..plan(0)
    };
    for (offered, chosen) in [
        (1, 1),
        (15, 1),
        (0xffff_ffff, 1 | 16 | 32 | 64 | 256 | 512),
        (1 | 256 | 128, 1 | 256),
    ] {
        let mut rig = client(features.clone());
        let (events, sent) = rig.exchange(&greeting(offered));
        let offered = Modes::from_bits(offered);
        assert_eq!(events, [ClientEvent::Greeting { offered }]);
        assert_eq!(sent, [set_up(chosen)]);
    }
}

#[test]
fn a_server_that_offers_no_wanted_mode_is_left() {
    // Rows TC-2, TC-8.
    let needs = ClientPlan {
        required: Modes::REFLECT_OCTETS,
        ..plan(1)
    };
    for (plan, offered, wanted) in [(plan(1), 14, 1), (needs, 1 | 16, 1 | 32)] {
        let mut rig = client(plan);
        rig.feed(&greeting(offered));
        let error = ClientError::NoMode {
            offered: Modes::from_bits(offered),
            wanted: Modes::from_bits(wanted),
        };
        assert_eq!(failed(&rig), error);
        assert!(rig.sent.is_empty());
    }
    let mut rig = client(plan(1));
    rig.feed(&greeting(0));
    assert_eq!(failed(&rig), ClientError::TurnedAway);
}

#[test]
fn a_refused_set_up_ends_the_connection() {
    // Rows TC-27, TC-28, TC-29.
    for octet in [1, 2, 3, 4, 5, 6, 255] {
        let mut rig = client(plan(1));
        rig.feed(&greeting(1));
        let (events, sent) = rig.exchange(&server_start(octet));
        let refused = refused(None, Step::SetUp, octet);
        assert_eq!(events, [refused, ClientEvent::Closed]);
        assert!(sent.is_empty());
        assert!(rig.client.is_closed());
    }
}

#[test]
fn a_session_goes_from_request_to_stop() {
    // Rows TC-30, TC-52, TC-55, TC-56, TC-61.
    let mut rig = client(plan(2));
    rig.feed(&[greeting(1), server_start(0)].concat());
    assert_eq!(rig.sent[1..], [request()], "one after the other");
    let (events, sent) = rig.exchange(&accept_session(0, 20_001, sid(0)));
    assert!(matches!(
        events[..],
        [ClientEvent::Accepted { index: 0, .. }]
    ));
    assert_eq!(sent, [request()]);
    let (events, _) = rig.exchange(&accept_session(0, 20_001, sid(1)));
    assert_eq!(events[1..], [ClientEvent::Settled { accepted: 2 }]);
    assert_eq!(rig.client.poll_timeout(), None);
    assert_eq!(rig.client.start(rig.now), 2);
    assert_eq!(rig.client.start(rig.now), 0, "twice is once");
    let (events, _) = rig.exchange(&start_ack(0));
    let started = [0, 1].map(|index| ClientEvent::Started { index });
    assert_eq!(events, started);
    assert_eq!(rig.client.stop(rig.now, Accept::Ok), 2);
    rig.client.close(rig.now);
    rig.drain();
    let stopped = [0, 1].map(|index| ClientEvent::Stopped { index });
    assert_eq!(rig.events[..2], stopped);
    assert_eq!(rig.events[2..], [ClientEvent::Closed]);
    assert_eq!(rig.sent.last(), Some(&stop_sessions(0, 2)));
    assert!(rig.client.is_closed());
}

#[test]
fn a_refused_request_leaves_the_others() {
    // Rows TC-30, TC-56: only what was started is counted.
    let mut rig = client(plan(3));
    rig.feed(&[greeting(1), server_start(0)].concat());
    rig.feed(&accept_session(0, 20_001, sid(0)));
    let (events, _) = rig.exchange(&accept_session(5, 0, Sid([0; 16])));
    assert_eq!(events, [refused(Some(1), Step::Request, 5)]);
    let (events, _) = rig.exchange(&accept_session(0, 20_001, sid(2)));
    assert_eq!(events[1..], [ClientEvent::Settled { accepted: 2 }]);
    assert_eq!(rig.client.start(rig.now), 2);
    rig.feed(&start_ack(0));
    assert_eq!(rig.client.stop(rig.now, Accept::Ok), 2);
    rig.drain();
    assert_eq!(rig.sent.last(), Some(&stop_sessions(0, 2)));
}

#[test]
fn a_refused_start_ends_the_connection() {
    // Row TC-52.
    let mut rig = settled(plan(2), 1);
    rig.client.start(rig.now);
    let (events, _) = rig.exchange(&start_ack(3));
    assert_eq!(events, [refused(None, Step::Start, 3), ClientEvent::Closed]);
}

#[test]
fn a_session_stopped_while_it_starts_is_stopped_once_it_runs() {
    let mut rig = settled(plan(1), 1);
    rig.client.start(rig.now);
    assert_eq!(rig.client.stop(rig.now, Accept::Failure), 1);
    assert_eq!(
        rig.client.stop(rig.now, Accept::Failure),
        0,
        "twice is once"
    );
    rig.drain();
    assert_eq!(rig.sent, [start_sessions()]);
    let (events, sent) = rig.exchange(&start_ack(0));
    let expected = [
        ClientEvent::Started { index: 0 },
        ClientEvent::Stopped { index: 0 },
    ];
    assert_eq!(events, expected);
    // Row TC-58: this side says that it failed.
    assert_eq!(sent, [stop_sessions(1, 1)]);
}

#[test]
fn a_request_made_while_sessions_run_waits_for_their_stop() {
    // Row TC-54, TC-60.
    let mut rig = settled(plan(1), 1);
    rig.client.start(rig.now);
    rig.feed(&start_ack(0));
    rig.sent.clear();
    assert_eq!(rig.client.request(rig.now, session_plan()), 1);
    rig.drain();
    assert!(rig.sent.is_empty());
    rig.client.stop(rig.now, Accept::Ok);
    rig.drain();
    assert_eq!(rig.sent, [stop_sessions(0, 1), request()]);
    rig.feed(&accept_session(0, 20_001, sid(1)));
    assert_eq!(rig.client.start(rig.now), 1);
}

#[test]
fn nothing_is_started_while_a_request_waits_for_its_answer() {
    // Start-Ack and Accept-Session could not be distinguished.
    let mut rig = settled(plan(1), 1);
    rig.client.request(rig.now, session_plan());
    assert_eq!(rig.client.start(rig.now), 0);
    rig.feed(&accept_session(0, 20_001, sid(1)));
    assert_eq!(rig.client.start(rig.now), 2);
}

#[test]
fn another_port_is_taken_and_port_0_means_as_requested() {
    // Rows TC-40, TC-41.
    for (offered, expected) in [(18_760, 18_760), (0, 20_001), (20_001, 20_001)] {
        let mut rig = client(plan(1));
        rig.feed(&[greeting(1), server_start(0)].concat());
        let (events, _) = rig.exchange(&accept_session(0, offered, sid(0)));
        assert!(
            matches!(events[0], ClientEvent::Accepted { port, .. } if port == expected),
            "{offered}"
        );
    }
}

#[test]
fn a_strict_client_refuses_another_port() {
    // Row TC-41.
    let strict = ClientPlan {
        strict: true,
        ..plan(1)
    };
    let mut rig = client(strict);
    rig.feed(&[greeting(1), server_start(0)].concat());
    rig.feed(&accept_session(0, 18_760, sid(0)));
    let error = ClientError::OtherPort {
        asked: 20_001,
        offered: 18_760,
    };
    assert_eq!(failed(&rig), error);
}

#[test]
fn addresses_and_ip_version_are_those_of_the_wish_or_the_connection() {
    // Rows TC-36, TC-37.
    let v4 = "192.0.2.9".parse().ok();
    let v6 = "2001:db8::9".parse().ok();
    let cases = [
        ("192.0.2.2:862", None, None, 4),
        ("[2001:db8::2]:862", None, None, 6),
        ("[::ffff:192.0.2.2]:862", None, None, 4),
        ("[2001:db8::2]:862", v4, None, 4),
        ("192.0.2.2:862", None, v6, 6),
    ];
    for (server, sender, receiver, ipvn) in cases {
        let session_plan = SessionPlan {
            sender,
            receiver,
            ..session_plan()
        };
        let plan = ClientPlan {
            sessions: vec![session_plan],
            ..plan(0)
        };
        let server = server.parse().unwrap();
        let mut rig = ClientRig::new(ControlClient::new(plan, START, server));
        rig.feed(&[greeting(1), server_start(0)].concat());
        let message = rig.sent.last().unwrap();
        assert_eq!(message[1], ipvn, "{server} {sender:?} {receiver:?}");
        assert_eq!(message[16..32] == [0; 16], sender.is_none());
        assert_eq!(message[32..48] == [0; 16], receiver.is_none());
    }
}

#[test]
fn an_answer_that_does_not_come_ends_the_connection_by_its_name() {
    let answer_timeout = Duration::from_secs(30);
    let silent = |rig: &mut ClientRig| {
        let due = rig.client.poll_timeout().unwrap();
        assert_eq!(due, START + answer_timeout);
        rig.client.handle_timeout(Mono::from_ns(due.ns() - 1));
        assert!(!rig.client.is_closed());
        rig.client.handle_timeout(due);
        rig.drain();
        failed(rig)
    };
    let mut rig = client(plan(1));
    assert_eq!(
        silent(&mut rig),
        ClientError::Silent(ExpectedAnswer::Greeting)
    );
    let mut rig = client(plan(1));
    rig.feed(&greeting(1));
    assert_eq!(
        silent(&mut rig),
        ClientError::Silent(ExpectedAnswer::ServerStart)
    );
    let mut rig = client(plan(1));
    rig.feed(&[greeting(1), server_start(0)].concat());
    assert_eq!(
        silent(&mut rig),
        ClientError::Silent(ExpectedAnswer::AcceptSession)
    );
    let mut rig = settled(plan(1), 1);
    rig.client.start(rig.now);
    rig.drain();
    assert_eq!(
        silent(&mut rig),
        ClientError::Silent(ExpectedAnswer::StartAck)
    );
}

#[test]
fn an_acknowledgement_of_no_waiting_session_gives_the_server_no_more_time() {
    let individual = ClientPlan {
        required: Modes::INDIVIDUAL_CONTROL,
        ..plan(1)
    };
    let mut rig = settled(individual, 17);
    rig.client.start(rig.now);
    rig.drain();
    let due = rig.client.poll_timeout();
    rig.now += Duration::from_secs(20);
    let (events, _) = rig.exchange(&many(8, 0, &[sid(9)]));
    assert_eq!(events, [ClientEvent::UnexpectedAck { sid: sid(9) }]);
    assert_eq!(rig.client.poll_timeout(), due);
}

#[test]
fn the_end_of_the_connection_is_named_after_what_it_cuts_off() {
    // Rows TC-58, TC-77 and section 11, last paragraph.
    let mut rig = client(plan(1));
    rig.feed(&greeting(1)[..63]);
    rig.client.handle_eof(rig.now);
    rig.drain();
    assert_eq!(
        failed(&rig),
        ClientError::EndedBefore(ExpectedAnswer::Greeting)
    );
    let mut rig = settled(plan(2), 1);
    rig.client.start(rig.now);
    rig.feed(&start_ack(0));
    rig.client.handle_eof(rig.now);
    rig.drain();
    assert_eq!(failed(&rig), ClientError::EndedWhileRunning { running: 2 });
    let mut rig = settled(plan(1), 1);
    rig.client.handle_eof(rig.now);
    rig.drain();
    assert_eq!(rig.events, [ClientEvent::Closed]);
}

#[test]
fn octets_that_answer_nothing_end_the_connection() {
    let mut rig = settled(plan(1), 1);
    rig.feed(&[9; 40]);
    assert_eq!(failed(&rig), ClientError::Unexpected { octet: 9 });
}

#[test]
fn each_message_of_the_negotiation_is_an_event() {
    let mut messages = Vec::new();
    let mut client = ControlClient::new(plan(1), START, "192.0.2.2:862".parse().unwrap());
    let answers = [
        greeting(1 | 16),
        server_start(0),
        accept_session(0, 20_001, sid(0)),
        start_ack(0),
    ];
    for octets in answers {
        assert_eq!(client.handle_input(START, &octets), octets.len());
        while let Some(event) = client.poll_event() {
            match event {
                ClientEvent::Message(message) => messages.push(message),
                ClientEvent::Settled { .. } => assert_eq!(client.start(START), 1),
                ClientEvent::Started { .. } => assert_eq!(client.stop(START, Accept::Ok), 1),
                _ => {}
            }
        }
    }
    let ok = |step| Refusal { step, octet: 0 };
    let expected = [
        Message::Greeting {
            offered: Modes::UNAUTHENTICATED | Modes::INDIVIDUAL_CONTROL,
            count: 1_024,
        },
        Message::SetUp {
            chosen: Modes::UNAUTHENTICATED,
            key_id: None,
        },
        Message::ServerStart(ok(Step::SetUp)),
        Message::Request {
            index: 0,
            sender: None,
            sender_port: 20_000,
            receiver: None,
            receiver_port: 20_001,
            dscp: Dscp::BE,
            padding_length: 27,
            timeout: Duration::from_secs(2),
        },
        Message::AcceptSession {
            index: 0,
            answer: ok(Step::Request),
            port: 20_001,
            sid: sid(0),
        },
        Message::Start {
            sessions: 1,
            individual: false,
        },
        Message::StartAck(ok(Step::Start)),
        Message::Stop {
            sessions: 1,
            individual: false,
            accept: Accept::Ok,
        },
    ];
    assert_eq!(messages, expected);
}
