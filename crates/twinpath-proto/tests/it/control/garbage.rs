//! Any octets at any time: nothing panics, and memory is bounded.

use std::time::Duration;

use proptest::prelude::*;
use twinpath_proto::control::{ClientPlan, ControlClient, ServerConfig, ServerEvent};
use twinpath_wire::control::{Accept, Modes};

use super::client::session_plan;
use super::messages::{
    accept_session, greeting, many, request, request_with, server_start, set_up, sid, start_ack,
    start_sessions, stop_sessions,
};
use super::rig::{START, ServerRig, grant, local};

/// Octets that partly resemble a client's messages.
fn from_client() -> impl Strategy<Value = Vec<u8>> {
    let sids = prop::collection::vec((0_u8..6).prop_map(sid), 1..6);
    prop_oneof![
        4 => Just(request()),
        1 => (0_usize..96, any::<[u8; 4]>()).prop_map(|(at, octets)| request_with(at, &octets)),
        3 => Just(start_sessions()),
        3 => (0_u8..3, 0_u32..4).prop_map(|(accept, count)| stop_sessions(accept, count)),
        4 => (prop_oneof![Just(7_u8), Just(9)], sids).prop_map(|(command, sids)| many(command, 0, &sids)),
        1 => (7_u8..11, any::<u32>()).prop_map(|(command, count)| {
            let mut message = many(command, 0, &[]);
            message[12..16].copy_from_slice(&count.to_be_bytes());
            message
        }),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// Octets that partly resemble a Server's messages.
fn from_server() -> impl Strategy<Value = Vec<u8>> {
    let sids = prop::collection::vec((0_u8..4).prop_map(sid), 0..4);
    prop_oneof![
        3 => (0_u8..7).prop_map(|number| accept_session(0, 1, sid(number))),
        1 => (0_u8..12).prop_map(|accept| accept_session(accept, 1, sid(0))),
        3 => (0_u8..3).prop_map(start_ack),
        4 => (8_u8..11, 0_u8..2, sids).prop_map(|(command, accept, sids)| many(command, accept, &sids)),
        1 => prop::collection::vec(any::<u8>(), 0..100),
    ]
}

proptest! {
    #[test]
    fn a_server_survives_any_octets_and_ends_every_session_once(
        modes in prop_oneof![Just(1_u32), Just(17), Just(49), Just(113), any::<u32>()],
        messages in prop::collection::vec((from_client(), 0_u64..400), 0..30),
        refuse in any::<u8>(),
    ) {
        let config = ServerConfig { max_sessions: 4, ..ServerConfig::default() };
        let mut rig = ServerRig::new(config);
        let mut made = 0;
        rig.answer = Box::new(move |request, number| {
            made += 1;
            if made % 8 == refuse % 8 {
                return Err(Accept::TemporaryLimit);
            }
            Ok(grant(request, number % 64))
        });
        rig.feed(&set_up(modes));
        for (message, wait_s) in messages {
            let before = rig.sent.len();
            rig.feed(&message);
            // Row TC-73: an answer or two for a message, of which 200 octets hold at most 12.
            prop_assert!(rig.sent.len() - before <= 26);
            rig.wait(Duration::from_secs(wait_s));
        }
        rig.server.handle_eof(rig.now);
        rig.drain();
        prop_assert!(rig.server.is_closed());
        prop_assert_eq!(rig.server.poll_timeout(), None);
        // Each opened session is stopped or removed once, and started at most once before.
        let count = |wanted: ServerEvent| rig.events.iter().filter(|event| **event == wanted).count();
        let opened = rig.sent.iter().filter(|message| message.len() == 48 && message[0] == 0 && message[4] >= 0xa0);
        for message in opened {
            let sid = twinpath_wire::control::Sid(message[4..20].try_into().unwrap());
            prop_assert_eq!(count(ServerEvent::Stop(sid)) + count(ServerEvent::Remove(sid)), 1);
            prop_assert_eq!(count(ServerEvent::Start(sid)), count(ServerEvent::Stop(sid)));
        }
        let closed = |event: &&ServerEvent| matches!(event, ServerEvent::Closed(_));
        prop_assert_eq!(rig.events.iter().filter(closed).count(), 1);
    }

    #[test]
    fn a_server_survives_octets_that_mean_nothing(
        octets in prop::collection::vec(any::<u8>(), 0..2000),
        piece in 1_usize..100,
    ) {
        let mut rig = ServerRig::new(ServerConfig::default());
        octets.chunks(piece).for_each(|piece| rig.feed(piece));
        let held: usize = rig.sent.iter().map(Vec::len).sum();
        // Greeting, Server-Start, a last refusal, and no answer longer than its command.
        prop_assert!(held <= 64 + 48 + 48 + octets.len());
    }

    #[test]
    fn a_client_survives_any_octets(
        individual: bool,
        messages in prop::collection::vec((from_server(), any::<u8>()), 0..30),
    ) {
        let plan = ClientPlan {
            preferred: Modes::FEATURES,
            sessions: vec![session_plan(); 4],
            ..ClientPlan::default()
        };
        let mut client = ControlClient::new(plan, START, local());
        let offered = if individual { 17 } else { 1 };
        let opening = [greeting(offered), server_start(0)].map(|message| (message, 0));
        for (message, act) in opening.into_iter().chain(messages) {
            let mut rest = &message[..];
            for _ in 0..100 {
                let taken = client.handle_input(START, rest);
                rest = &rest[taken..];
                let mut events = 0;
                while client.poll_event().is_some() {
                    events += 1;
                }
                prop_assert!(events < 20);
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert!(rest.is_empty());
            match act % 8 {
                0 => { client.start(START); }
                1 => { client.stop(START, Accept::Ok); }
                2 => { client.start_sessions(START, &[usize::from(act) / 8 % 5]); }
                3 => { client.stop_sessions(START, &[usize::from(act) / 8 % 5]); }
                _ => {}
            }
            while let Some(octets) = client.poll_output().map(<[u8]>::len) {
                prop_assert!(octets <= 164);
                client.handle_written(START, octets);
            }
        }
        client.handle_eof(START);
        while client.poll_event().is_some() {}
        prop_assert!(client.is_closed());
        prop_assert_eq!(client.poll_timeout(), None);
    }
}
