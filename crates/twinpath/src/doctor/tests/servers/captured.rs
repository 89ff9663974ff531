//! Dialogues between other programs, out of captures, as this host would have seen them.

use std::path::Path;
use std::time::Duration;

use twinpath_proto::TestFeatures;
use twinpath_proto::control::{ClientEvent, ClientPlan, ControlClient, SessionPlan};
use twinpath_runtime::probe::{
    Accepted, Departure, DialogueEnd, DialogueSeen, PacketForm, Parting, Reply, SessionSeen,
    SessionTrain, TrainSeen,
};
use twinpath_wire::control::{Modes, RequestSession};
use twinpath_wire::{Mono, Rung, Stamp, Tos, Wall};

use super::{found, of_server};
use crate::doctor::Status;
use crate::doctor::dialogue::Dialogue;

/// A packet over IPv4 on loopback.
struct Packet {
    at: Wall,
    is_tcp: bool,
    tos: u8,
    ttl: u8,
    from: u16,
    to: u16,
    octets: Vec<u8>,
}

/// The packets of a capture; it has the layout of little-endian pcap in microseconds or nanoseconds.
fn packets(file: &str) -> Vec<Packet> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/captures")
        .join(file);
    let octets = std::fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(*octets[at..].first_chunk().unwrap());
    let unit = match word(0) {
        0xa1b2_c3d4 => 1_000,
        0xa1b2_3c4d => 1,
        other => panic!("{file}: {other:x}"),
    };
    let mut packets = Vec::new();
    let mut at = 24;
    while at < octets.len() {
        let ns = i64::from(word(at)) * 1_000_000_000 + i64::from(word(at + 4)) * unit;
        let length = word(at + 8) as usize;
        let frame = &octets[at + 16..at + 16 + length];
        at += 16 + length;
        let ip = &frame[14..];
        if frame[12..14] != [8, 0] || !matches!(ip[9], 6 | 17) {
            continue;
        }
        let whole = usize::from(u16::from_be_bytes([ip[2], ip[3]]));
        let segment = &ip[20..whole];
        let is_tcp = ip[9] == 6;
        let header = if is_tcp {
            usize::from(segment[12] >> 4) * 4
        } else {
            8
        };
        packets.push(Packet {
            at: Wall::from_unix_ns(ns),
            is_tcp,
            tos: ip[1],
            ttl: ip[8],
            from: u16::from_be_bytes([segment[0], segment[1]]),
            to: u16::from_be_bytes([segment[2], segment[3]]),
            octets: segment[header..].to_vec(),
        });
    }
    packets
}

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
    let request = RequestSession::view(&client[164..]).unwrap();
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
    let engine_plan = ClientPlan {
        sessions: vec![plan],
        ..ClientPlan::default()
    };
    let now = Mono::from_ns(1);
    let mut engine = ControlClient::new(engine_plan, now, at);
    let mut seen = DialogueSeen {
        server: at,
        end: DialogueEnd::Done(Parting::Closed),
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
        took: Duration::from_secs(1),
    };
    let rest = replay(&mut engine, &server, &mut seen);
    assert!(rest.is_empty(), "{file}: {} octets are left", rest.len());
    let Some(Ok(accepted)) = seen.sessions[0].answer else {
        panic!("{file}: not accepted");
    };
    seen.sessions[0].train = Some(train(&packets, plan, accepted.port, seen.modes));
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

fn train(packets: &[Packet], plan: SessionPlan, port: u16, modes: Modes) -> SessionTrain {
    let udp = || packets.iter().filter(|packet| !packet.is_tcp);
    let stamp = |at| Stamp {
        at,
        rung: Rung::Kernel,
    };
    let requests: Vec<&Packet> = udp().filter(|packet| packet.to == port).collect();
    let far = ([127, 0, 0, 1], port).into();
    let replies = udp()
        .filter(|packet| packet.from == port)
        .map(|packet| Reply {
            at: stamp(packet.at),
            from: far,
            octets: packet.octets.clone(),
            ttl: Some(packet.ttl),
            tos: Some(Tos(packet.tos)),
            fragment_octets: None,
        });
    let seen = TrainSeen {
        departures: requests
            .iter()
            .map(|packet| Departure::Left(stamp(packet.at)))
            .collect(),
        replies: replies.collect(),
        ..TrainSeen::default()
    };
    let octets: Vec<Vec<u8>> = requests
        .iter()
        .map(|packet| packet.octets.clone())
        .collect();
    let started = requests.first().unwrap().at;
    SessionTrain {
        far,
        form: PacketForm {
            features: TestFeatures {
                modes,
                padding_to_reflect: 0,
                server_octets: 0,
            },
            plan,
        },
        started,
        opening: (octets.clone(), seen.clone()),
        paced: (octets, seen),
        forged: 0,
    }
}

#[test]
fn sessions_of_other_servers_are_judged_as_they_were() {
    let mut judged = 0;
    for (file, port, packets) in [
        ("unauthenticated.pcap", 8620, 10),
        ("unauthenticated-padding-dscp.pcap", 8620, 5),
        ("unauthenticated-zero-addresses.pcap", 8620, 5),
        ("controller-twampy.pcap", 862, 5),
    ] {
        let seen = replayed(file, port);
        assert!(seen.sessions[0].started, "{file}");
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
    assert_eq!(judged, 24);
}
