//! Our client and our Server in memory, through every combination of features.

use std::collections::BTreeMap;

use twinpath_proto::control::{
    ClientEvent, ClientPlan, ControlClient, Nonces, Opened, ServerConfig, ServerEvent, SessionPlan,
};
use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, SecurityMode, Sid};

use super::messages::sid;
use super::rig::{ClientRig, START, ServerRig, local, peer};
use super::secured::{alice, keys};

/// Carries messages both ways until neither has any; a few octets at a time.
pub(super) fn carry(client: &mut ClientRig, server: &mut ServerRig, octets: usize) {
    for _ in 0..100 {
        client.drain();
        server.drain();
        let (up, down) = (client.sent.concat(), server.sent.concat());
        client.sent.clear();
        server.sent.clear();
        if up.is_empty() && down.is_empty() {
            return;
        }
        up.chunks(octets).for_each(|piece| server.feed(piece));
        down.chunks(octets).for_each(|piece| client.feed(piece));
    }
    panic!("they never stop talking");
}

fn session_plan(number: u16, octets: u16) -> SessionPlan {
    SessionPlan {
        sender: (number == 1).then(|| peer().ip()),
        sender_port: 20_000 + number,
        receiver: (number == 2).then(|| local().ip()),
        receiver_port: 30_000 + number,
        dscp: [Dscp::BE, Dscp::EF][usize::from(number) % 2],
        padding_length: 200 + u32::from(number),
        octets_to_reflect: octets,
        padding_to_reflect: 50,
        ..SessionPlan::default()
    }
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_combination_of_features_goes_from_greeting_to_stop() {
    // Rows TC-5, TC-9, TC-80, TC-81 and the state table's good path.
    for (security, features) in SecurityMode::ALL
        .into_iter()
        .flat_map(|security| (0..32_u32).map(move |features| (security, features)))
    {
        let bits = [16, 32, 64, 256, 512];
        let chosen = bits.iter().enumerate();
        let features = chosen
            .filter(|(place, _)| features >> place & 1 == 1)
            .fold(0, |all, (_, bit)| all | bit);
        let modes = security.modes() | Modes::from_bits(features);
        let plan = ClientPlan {
            security: vec![security],
            credentials: Some(alice()),
            required: Modes::from_bits(features),
            sessions: (0..3).map(|number| session_plan(number, 0xbeef)).collect(),
            ..ClientPlan::default()
        };
        let mut server = ServerRig::keyed(ServerConfig::default(), keys(), Nonces::default());
        server.answer = Box::new(|request, number| {
            Ok(Opened {
                sid: sid(number),
                port: request.receiver_port + 1,
                server_octets: 0x5e40 + u16::from(number),
            })
        });
        let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
        carry(&mut client, &mut server, 7);
        let reflects = modes.contains(Modes::REFLECT_OCTETS);
        assert!(server.events.contains(&ServerEvent::Ready { modes }));
        let asked: Vec<_> = server
            .events
            .iter()
            .filter_map(|event| match event {
                ServerEvent::Open(request) => Some(*request),
                _ => None,
            })
            .collect();
        assert_eq!(asked.len(), 3);
        for (number, request) in (0..).zip(&asked) {
            let session_plan = session_plan(number, 0xbeef);
            assert_eq!(
                request.sender,
                (peer().ip(), session_plan.sender_port).into()
            );
            assert_eq!(request.receiver, local().ip());
            assert_eq!(request.receiver_port, session_plan.receiver_port);
            assert_eq!(request.dscp, session_plan.dscp);
            assert_eq!(request.padding_length, session_plan.padding_length);
            assert_eq!(request.timeout, session_plan.timeout);
            assert_eq!(request.modes, modes);
            assert_eq!(request.padding_to_reflect, if reflects { 50 } else { 0 });
        }
        for number in 0..3_u8 {
            let accepted = ClientEvent::Accepted {
                index: usize::from(number),
                sid: sid(number),
                port: 30_001 + u16::from(number),
                server_octets: if reflects {
                    0x5e40 + u16::from(number)
                } else {
                    0
                },
                octets_reflected: reflects,
            };
            assert!(
                client.events.contains(&accepted),
                "{modes}: {:?}",
                client.events
            );
        }
        assert_eq!(client.client.start(START), 3);
        server.events.clear();
        client.events.clear();
        carry(&mut client, &mut server, 7);
        let sids = [sid(0), sid(1), sid(2)];
        assert_eq!(server.events, sids.map(ServerEvent::Start), "{modes}");
        let indices = [0, 1, 2];
        assert_eq!(
            client.events,
            indices.map(|index| ClientEvent::Started { index })
        );
        server.events.clear();
        client.events.clear();
        assert_eq!(client.client.stop(START, Accept::Ok), 3);
        carry(&mut client, &mut server, 7);
        // No slip is reported: the counts are right, and only negotiated features are used.
        assert_eq!(server.events, sids.map(ServerEvent::Stop), "{modes}");
        assert_eq!(
            client.events,
            indices.map(|index| ClientEvent::Stopped { index })
        );
        client.client.close(START);
        client.drain();
        assert!(client.client.is_closed());
        server.server.handle_eof(START);
        server.drain();
        assert!(server.server.is_closed());
    }
}

#[test]
fn sessions_are_started_and_stopped_one_by_one_while_others_run() {
    // Rows TC-62 to TC-66.
    let plan = ClientPlan {
        required: Modes::INDIVIDUAL_CONTROL,
        sessions: (0..4).map(|number| session_plan(number, 0)).collect(),
        ..ClientPlan::default()
    };
    let mut server = ServerRig::new(ServerConfig::default());
    let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
    let mut running: BTreeMap<[u8; 16], bool> = BTreeMap::new();
    let mut round = |client: &mut ClientRig, server: &mut ServerRig| {
        server.events.clear();
        carry(client, server, 1000);
        for event in &server.events {
            match event {
                ServerEvent::Start(Sid(sid)) => assert_eq!(running.insert(*sid, true), None),
                ServerEvent::Stop(Sid(sid)) => {
                    assert_eq!(running.insert(*sid, false), Some(true));
                }
                ServerEvent::Note(slip) => panic!("{slip:?}"),
                _ => {}
            }
        }
        running.values().filter(|running| **running).count()
    };
    assert_eq!(round(&mut client, &mut server), 0);
    client.client.start_sessions(START, &[2, 0]);
    assert_eq!(round(&mut client, &mut server), 2);
    client.client.start_sessions(START, &[1]);
    client.client.stop_sessions(START, &[0]);
    assert_eq!(round(&mut client, &mut server), 2);
    client.client.request(START, session_plan(4, 0));
    assert_eq!(round(&mut client, &mut server), 2);
    assert_eq!(client.client.start(START), 2);
    assert_eq!(round(&mut client, &mut server), 4);
    assert_eq!(client.client.stop(START, Accept::Ok), 4);
    assert_eq!(round(&mut client, &mut server), 0);
    assert!(!client.events.iter().any(|event| matches!(
        event,
        ClientEvent::Refused { .. } | ClientEvent::Failed(_) | ClientEvent::UnexpectedAck { .. }
    )));
}

#[test]
fn sessions_one_after_the_other_go_through_one_connection() {
    let mut server = ServerRig::new(ServerConfig {
        max_sessions: 1,
        ..ServerConfig::default()
    });
    let mut made = 0_u128;
    server.answer = Box::new(move |request, _| {
        made += 1;
        Ok(Opened {
            sid: Sid(made.to_be_bytes()),
            port: request.receiver_port,
            server_octets: 0,
        })
    });
    let server_address = local();
    let mut client = ClientRig::new(ControlClient::new(
        ClientPlan::default(),
        START,
        server_address,
    ));
    for index in 0..300 {
        client.client.request(START, session_plan(0, 0));
        carry(&mut client, &mut server, 1000);
        assert_eq!(client.client.start(START), 1);
        carry(&mut client, &mut server, 1000);
        assert_eq!(client.client.stop(START, Accept::Ok), 1);
        carry(&mut client, &mut server, 1000);
        assert_eq!(client.events.last(), Some(&ClientEvent::Stopped { index }));
        client.events.clear();
        server.events.clear();
    }
}
