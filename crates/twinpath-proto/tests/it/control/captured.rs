//! Sessions between other programs, in every segmentation: each side's octets against our engine
//! for the other side (row TC-71).

use std::sync::Arc;

use proptest::prelude::*;
use twinpath_proto::control::{
    Admission, ClientEvent, ClientPlan, CloseReason, ControlClient, Nonces, Opened, PeerDeviation,
    Server, ServerConfig, ServerEvent, SessionPlan,
};
use twinpath_proto::security::KeyTable;
use twinpath_wire::Dscp;
use twinpath_wire::control::{
    AcceptSession, Modes, RequestSession, ServerGreeting, ServerStart, Sid,
};

use super::rig::{ClientRig, START, ServerRig};
use super::streams::{Streams, streams};

const OPEN: [(&str, u16); 4] = [
    ("unauthenticated.pcap", 8620),
    ("unauthenticated-padding-dscp.pcap", 8620),
    ("unauthenticated-zero-addresses.pcap", 8620),
    ("controller-twampy.pcap", 862),
];
pub(super) const SECURED: [&str; 5] = [
    "authenticated.pcap",
    "authenticated-padding.pcap",
    "encrypted.pcap",
    "encrypted-padding.pcap",
    "mixed.pcap",
];

/// Ends of the pieces of a stream.
pub(super) type Cuts = Vec<usize>;

pub(super) fn one_by_one(octets: usize) -> Cuts {
    (1..=octets).collect()
}

/// A Server with twampd's values: its challenge, salt, start time, SIDs and ports.
fn server_like(streams: &Streams) -> ServerRig {
    let greeting = ServerGreeting::view(&streams.server).unwrap();
    let start = ServerStart::view(&streams.server[64..]).unwrap();
    let answer = *AcceptSession::view(&streams.server[112..]).unwrap();
    let config = ServerConfig {
        start_time: start.start_time,
        ..ServerConfig::default()
    };
    let nonces = Nonces {
        challenge: greeting.challenge,
        ..Nonces::default()
    };
    let ends = ["127.0.0.1:45948", "127.0.0.1:862"].map(|end| end.parse().unwrap());
    let server = Server::new(
        Arc::new(config),
        Arc::new(KeyTable::new(greeting.salt, greeting.count.get(), [0; 16])),
        Admission::Served,
        nonces,
        START,
        ends[0],
        ends[1],
    );
    let mut rig = ServerRig::of(server);
    rig.answer = Box::new(move |_, _| {
        Ok(Opened {
            sid: answer.sid,
            port: answer.port.get(),
            server_octets: 0,
        })
    });
    rig
}

fn serve(streams: &Streams, cuts: &Cuts) -> (Vec<ServerEvent>, Vec<Vec<u8>>) {
    let mut rig = server_like(streams);
    let mut from = 0;
    for to in cuts {
        rig.feed(&streams.client[from..*to]);
        from = *to;
    }
    assert_eq!(from, streams.client.len());
    rig.server.handle_eof(rig.now);
    rig.drain();
    assert!(rig.server.is_closed());
    (rig.events, rig.sent)
}

/// A client with the captured client's requests.
fn client_like(streams: &Streams) -> ClientRig {
    let request = RequestSession::view(&streams.client[164..]).unwrap();
    let address = |field| RequestSession::address(field, request.ipvn);
    let session_plan = SessionPlan {
        sender: address(request.sender_address),
        sender_port: request.sender_port.get(),
        receiver: address(request.receiver_address),
        receiver_port: request.receiver_port.get(),
        dscp: request.type_p.as_dscp().unwrap(),
        padding_length: request.padding_length.get(),
        timeout: request.timeout.duration(),
        start_time: request.start_time,
        ..SessionPlan::default()
    };
    let plan = ClientPlan {
        sessions: vec![session_plan],
        preferred: Modes::FEATURES,
        ..ClientPlan::default()
    };
    let server = "127.0.0.1:862".parse().unwrap();
    ClientRig::that_measures(ControlClient::new(plan, START, server))
}

fn ask(streams: &Streams, cuts: &Cuts) -> (Vec<ClientEvent>, Vec<Vec<u8>>) {
    let mut rig = client_like(streams);
    let mut from = 0;
    for to in cuts {
        rig.feed(&streams.server[from..*to]);
        from = *to;
    }
    assert_eq!(from, streams.server.len());
    assert!(rig.client.is_closed());
    (rig.events, rig.sent)
}

#[test]
fn our_server_answers_captured_clients_octet_for_octet_as_twampd_did() {
    for (file, port) in OPEN {
        let streams = streams(file, port);
        let (events, sent) = serve(&streams, &vec![streams.client.len()]);
        let mut said = sent.concat();
        // twampd offers the four security modes, we the first of them and all features.
        assert_eq!(
            said[12..16],
            (1_u32 | 16 | 32 | 64 | 256 | 512).to_be_bytes()
        );
        said[12..16].copy_from_slice(&streams.server[12..16]);
        assert_eq!(said, streams.server, "{file}");
        let session = Sid(said[116..132].try_into().unwrap());
        let ServerEvent::Open(request) = events[1] else {
            panic!("{file}: {events:?}")
        };
        let twampy = file == "controller-twampy.pcap";
        let mut expected = vec![
            ServerEvent::Ready {
                modes: Modes::UNAUTHENTICATED,
            },
            ServerEvent::Open(request),
            ServerEvent::Start(session),
            ServerEvent::Stop(session),
            ServerEvent::Closed(CloseReason::PeerClosed),
        ];
        if twampy {
            // Rows TC-56, TC-57: known clients count 0, and we put up with it.
            let slip = PeerDeviation::StopCount {
                said: 0,
                running: 1,
            };
            expected.insert(3, ServerEvent::Note(slip));
        }
        assert_eq!(events, expected, "{file}");
        let port = request.sender.port();
        assert_eq!(request.sender, ([127, 0, 0, 1], port).into(), "{file}");
        assert_eq!(request.receiver.to_string(), "127.0.0.1", "{file}");
        let dscp = if file.contains("dscp") {
            Dscp::EF
        } else {
            Dscp::BE
        };
        assert_eq!(request.dscp, dscp, "{file}");
        let padding = match file {
            "controller-twampy.pcap" => 0,
            "unauthenticated-padding-dscp.pcap" => 300,
            _ => 27,
        };
        assert_eq!(request.padding_length, padding, "{file}");
    }
}

#[test]
fn our_client_says_octet_for_octet_what_captured_clients_said() {
    for (file, port) in OPEN {
        let streams = streams(file, port);
        let (events, sent) = ask(&streams, &vec![streams.server.len()]);
        let mut said = sent.concat();
        // A Timeout passes through nanoseconds, which are coarser than 2^-32 s.
        let timeout = |stream: &[u8]| {
            let request = RequestSession::view(&stream[164..]).unwrap();
            request.timeout.duration()
        };
        assert_eq!(timeout(&said), timeout(&streams.client), "{file}");
        said[240..248].copy_from_slice(&streams.client[240..248]);
        if file == "controller-twampy.pcap" {
            // Row TC-56: we count right.
            assert_eq!(said[308..].first_chunk(), Some(&[3, 0, 0, 0, 0, 0, 0, 1]));
            said[308 + 7] = 0;
        }
        assert_eq!(said, streams.client, "{file}");
        let answer = AcceptSession::view(&streams.server[112..]).unwrap();
        let expected = [
            ClientEvent::Greeting {
                offered: Modes::SECURITY,
            },
            ClientEvent::Ready {
                modes: Modes::UNAUTHENTICATED,
                server_since: ServerStart::view(&streams.server[64..]).unwrap().start_time,
            },
            ClientEvent::Accepted {
                index: 0,
                sid: answer.sid,
                port: answer.port.get(),
                server_octets: 0,
                octets_reflected: false,
            },
            ClientEvent::Settled { accepted: 1 },
            ClientEvent::Started { index: 0 },
            ClientEvent::Stopped { index: 0 },
            ClientEvent::Closed,
        ];
        assert_eq!(events, expected, "{file}");
    }
}

#[test]
fn one_octet_at_a_time_makes_no_difference() {
    // Row TC-71.
    for (file, port) in OPEN {
        let streams = streams(file, port);
        let whole = serve(&streams, &vec![streams.client.len()]);
        assert_eq!(serve(&streams, &one_by_one(streams.client.len())), whole);
        let whole = ask(&streams, &vec![streams.server.len()]);
        assert_eq!(ask(&streams, &one_by_one(streams.server.len())), whole);
    }
}

#[test]
fn a_client_that_chose_a_secured_mode_is_refused_because_it_is_not_offered() {
    // Row TC-7; the rest cannot be read and is discarded.
    for file in SECURED {
        let streams = streams(file, 8620);
        for cuts in [vec![streams.client.len()], one_by_one(streams.client.len())] {
            let (events, sent) = serve(&streams, &cuts);
            let chosen = Modes::from_bits(u32::from(streams.client[3]));
            assert_eq!(
                events,
                [ServerEvent::Closed(CloseReason::ModesRefused(chosen))],
                "{file}"
            );
            assert_eq!(sent.len(), 2, "{file}");
            assert_eq!(sent[1][15], 3, "{file}");
            assert_eq!(sent[1][16..], [0; 32], "{file}");
        }
    }
}

proptest! {
    #[test]
    fn cuts_at_random_make_no_difference(
        which in 0..OPEN.len(),
        cuts in prop::collection::btree_set(1_usize..340, 0..40),
    ) {
        let (file, port) = OPEN[which];
        let streams = streams(file, port);
        let cut = |octets: usize| -> Cuts {
            cuts.iter().copied().filter(|at| *at < octets).chain([octets]).collect()
        };
        let (client, server) = (streams.client.len(), streams.server.len());
        prop_assert_eq!(serve(&streams, &cut(client)), serve(&streams, &vec![client]));
        prop_assert_eq!(ask(&streams, &cut(server)), ask(&streams, &vec![server]));
    }
}
