//! Dialogues between other programs, out of captures, as this host would have seen them.

use std::time::Duration;

use twinpath_proto::control::{ClientEvent, ClientPlan, ControlClient, SessionPlan};
use twinpath_proto::security::{ControlChains, Credentials, KeyId, Passphrase, SessionKeys};
use twinpath_proto::{TestFeatures, TestGuard};
use twinpath_runtime::probe::{
    Accepted, DialogueEnd, DialogueSeen, PacketForm, Parting, SessionSeen, SessionTrain,
};
use twinpath_wire::control::{Modes, RequestSession, SecurityMode, ServerGreeting, SetUpResponse};
use twinpath_wire::{Mono, ReflectorSecured, SenderSecured};

use super::{found, of_server};
use crate::doctor::Status;
use crate::doctor::dialogue::Dialogue;
use crate::doctor::tests::capture::{Packet, exchanged, packets};

/// Of the key in captures of secured modes.
const PASSPHRASE: &[u8] = b"secretpass";

/// What the captured client has seen, in its own requests' words.
fn replayed(file: &str, port: u16) -> DialogueSeen {
    let packets = packets(file);
    let stream = |from_server: bool| -> Vec<u8> {
        let of = packets
            .iter()
            .filter(|packet| packet.is_tcp && (packet.from == port) == from_server);
        of.flat_map(|packet| packet.octets.clone()).collect()
    };
    let (client, server) = (stream(false), stream(true));
    let credentials = credentials(&client, &server);
    let mut request = client[164..164 + RequestSession::OCTETS].to_vec();
    if let Some(Credentials {
        session, client_iv, ..
    }) = &credentials
    {
        assert!(ControlChains::new(session, client_iv, client_iv).open(&mut request));
    }
    let request = RequestSession::view(&request).unwrap();
    let address = |field| RequestSession::address(field, request.ipvn);
    let plan = SessionPlan {
        sender: address(request.sender_address),
        sender_port: request.sender_port.get(),
        receiver: address(request.receiver_address),
        receiver_port: request.receiver_port.get(),
        dscp: request.type_p.as_dscp().unwrap(),
        padding_length: request.padding_length.get(),
        ..SessionPlan::default()
    };
    let at = ([127, 0, 0, 1], port).into();
    let chosen = Modes::from_bits(u32::from_be_bytes(*client.first_chunk().unwrap()));
    let engine_plan = ClientPlan {
        security: chosen.security().into_iter().collect(),
        credentials,
        sessions: vec![plan],
        ..ClientPlan::default()
    };
    let now = Mono::from_ns(1);
    let mut engine = ControlClient::new(engine_plan, now, at);
    let mut seen = DialogueSeen {
        server: at,
        end: DialogueEnd::Done(Some(Parting::Closed)),
        near: None,
        offered: Modes::default(),
        modes: Modes::default(),
        sessions: vec![SessionSeen {
            plan,
            answer: None,
            started: false,
            stop_refused: None,
            load: None,
            train: None,
        }],
        held: None,
        begun: now,
        took: Duration::from_secs(1),
    };
    let rest = replay(&mut engine, &server, &mut seen);
    assert!(rest.is_empty(), "{file}: {} octets are left", rest.len());
    let Some(Ok(accepted)) = seen.sessions[0].answer else {
        panic!("{file}: not accepted");
    };
    let guard = engine.test_guard(0);
    let protected = (seen.modes, &guard);
    seen.sessions[0].train = Some(train(&packets, plan, accepted.port, protected));
    seen
}

/// Gives the engine the server's octets; those that are left.
fn replay<'a>(engine: &mut ControlClient, server: &'a [u8], seen: &mut DialogueSeen) -> &'a [u8] {
    let now = Mono::from_ns(1);
    let mut rest = server;
    loop {
        let taken = engine.handle_input(now, rest);
        rest = &rest[taken..];
        let mut came = taken > 0;
        while let Some(event) = engine.poll_event() {
            came = true;
            let session = &mut seen.sessions[0];
            match event {
                ClientEvent::Greeting { offered } => seen.offered = offered,
                ClientEvent::Ready { modes, .. } => seen.modes = modes,
                ClientEvent::Accepted { port, .. } => {
                    session.answer = Some(Ok(Accepted {
                        port,
                        server_octets: 0,
                        octets_reflected: false,
                    }));
                }
                ClientEvent::Settled { .. } => {
                    engine.start(now);
                }
                ClientEvent::Started { .. } => session.started = true,
                ClientEvent::Failed(error) => panic!("{error}"),
                ClientEvent::Refused { .. } => panic!("{event:?}"),
                ClientEvent::Message(_)
                | ClientEvent::IrregularCount { .. }
                | ClientEvent::Stopped { .. }
                | ClientEvent::UnexpectedAck { .. }
                | ClientEvent::Closed => {}
            }
        }
        while let Some(octets) = engine.poll_output() {
            let octets = octets.len();
            engine.handle_written(now, octets);
        }
        if !came {
            return rest;
        }
    }
}

fn train(
    packets: &[Packet],
    plan: SessionPlan,
    port: u16,
    (modes, guard): (Modes, &TestGuard),
) -> SessionTrain {
    let (mut requests, mut seen) = exchanged(packets, port);
    let started = packets.iter().find(|packet| !packet.is_tcp).unwrap().at;
    if guard.is_secured() {
        for request in &mut requests {
            let header = guard.open_header::<{ SenderSecured::OCTETS }>(request);
            request[..SenderSecured::OCTETS].copy_from_slice(&header.unwrap());
        }
        for reply in &mut seen.replies {
            let header = guard.open_header::<{ ReflectorSecured::OCTETS }>(&reply.octets);
            reply.octets[..ReflectorSecured::OCTETS].copy_from_slice(&header.unwrap());
        }
    }
    SessionTrain {
        far: ([127, 0, 0, 1], port).into(),
        form: PacketForm {
            features: TestFeatures {
                modes,
                padding_to_reflect: 0,
                server_octets: 0,
            },
            plan,
        },
        started,
        opening: (requests.clone(), seen.clone()),
        paced: (requests, seen),
        forged: 0,
    }
}

/// The captured client's own, out of its Token; `None`: it chose no secured mode.
fn credentials(client: &[u8], server: &[u8]) -> Option<Credentials> {
    let greeting = ServerGreeting::view(server).unwrap();
    let set_up = SetUpResponse::view(client).unwrap();
    let mode = Modes::from_bits(set_up.mode.get()).security();
    if mode == Some(SecurityMode::Unauthenticated) {
        return None;
    }
    let passphrase = Passphrase::new(PASSPHRASE.to_vec());
    let key = passphrase.derive(&greeting.salt, greeting.count.get());
    let token = client[84..148].first_chunk().unwrap();
    Some(Credentials {
        key_id: KeyId::new("alice").unwrap(),
        session: SessionKeys::from_token(&key, &greeting.challenge, token).unwrap(),
        passphrase,
        client_iv: *client[148..164].first_chunk().unwrap(),
    })
}

#[test]
fn sessions_of_other_servers_are_judged_as_they_were() {
    let mut judged = 0;
    for (file, port, packets, mode) in [
        ("unauthenticated.pcap", 8620, 10, "unauthenticated"),
        (
            "unauthenticated-padding-dscp.pcap",
            8620,
            5,
            "unauthenticated",
        ),
        (
            "unauthenticated-zero-addresses.pcap",
            8620,
            5,
            "unauthenticated",
        ),
        ("controller-twampy.pcap", 862, 5, "unauthenticated"),
        ("authenticated.pcap", 8620, 10, "authenticated"),
        ("authenticated-padding.pcap", 8620, 5, "authenticated"),
        ("encrypted.pcap", 8620, 10, "encrypted"),
        ("encrypted-padding.pcap", 8620, 5, "encrypted"),
        ("mixed.pcap", 8620, 10, "mixed"),
    ] {
        let seen = replayed(file, port);
        assert!(seen.sessions[0].started, "{file}");
        assert_eq!(seen.modes.security().unwrap().name(), mode, "{file}");
        let (checks, verdict) = of_server(15, move |_| Dialogue::new(seen.clone()));
        let session = found(&checks, "control.session");
        let words = format!("reflected: {packets} of {packets} packets");
        assert!(session.finding.contains(&words), "{file}: {session:?}");
        for id in [
            "session.one-reply",
            "session.copied",
            "session.numbers",
            "session.time-format",
            "session.residence",
            "control.start-delay",
        ] {
            let judgement = found(&checks, id);
            assert_eq!(judgement.status, Status::Ok, "{file}, {id}: {judgement:?}");
            judged += 1;
        }
        assert!(verdict.sentence.contains("TWAMP-Control"), "{file}");
    }
    assert_eq!(judged, 9 * 6);
}
