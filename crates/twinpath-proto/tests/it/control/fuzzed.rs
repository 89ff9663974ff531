//! The fuzzer's targets, driven without a fuzzer: the captures, changes to them, and talk that no
//! capture holds.

use proptest::prelude::*;
use twinpath_proto::control::fuzz::{fuzz_client, fuzz_server};

use super::messages::{
    accept_session, greeting, many, request, server_start, set_up, sid, start_ack, start_sessions,
    stop_sessions,
};
use super::streams::streams;

const FILES: [(&str, u16); 9] = [
    ("unauthenticated.pcap", 8620),
    ("unauthenticated-padding-dscp.pcap", 8620),
    ("unauthenticated-zero-addresses.pcap", 8620),
    ("controller-twampy.pcap", 862),
    ("authenticated.pcap", 8620),
    ("authenticated-padding.pcap", 8620),
    ("encrypted.pcap", 8620),
    ("encrypted-padding.pcap", 8620),
    ("mixed.pcap", 8620),
];

/// What clients say: captured, and with Individual Session Control.
fn clients() -> Vec<Vec<u8>> {
    let captured = FILES.map(|(file, port)| streams(file, port).client);
    let sids = [sid(0), sid(1)];
    let mut all = captured.to_vec();
    // The driver of the target counts its SIDs from 1.
    let first = [1_u8, 2].map(|number| twinpath_wire::control::Sid([number; 16]));
    all.push(
        [
            set_up(17),
            request(),
            request(),
            many(7, 0, &first),
            many(9, 0, &first[..1]),
            many(9, 0, &sids),
            request(),
            stop_sessions(0, 1),
        ]
        .concat(),
    );
    all.push([set_up(33), request(), start_sessions(), request()].concat());
    all
}

/// What Servers say: captured, and with Individual Session Control.
fn servers() -> Vec<Vec<u8>> {
    let captured = FILES.map(|(file, port)| streams(file, port).server);
    let mut all = captured.to_vec();
    all.push(
        [
            greeting(17),
            server_start(0),
            accept_session(0, 7, sid(0)),
            accept_session(5, 0, sid(1)),
            accept_session(0, 7, sid(2)),
            many(8, 0, &[sid(2)]),
            many(8, 5, &[sid(0)]),
            many(10, 0, &[sid(2)]),
        ]
        .concat(),
    );
    let two = [
        greeting(1),
        server_start(0),
        accept_session(0, 7, sid(0)),
        accept_session(0, 7, sid(1)),
        start_ack(0),
    ];
    all.push(two.concat());
    all
}

fn input(flags: u8, piece: u8, stream: &[u8]) -> Vec<u8> {
    [&[flags, piece], stream].concat()
}

#[test]
fn captures_break_no_rule_under_any_configuration() {
    let (clients, servers) = (clients(), servers());
    for flags in (0..=255).step_by(3) {
        for piece in [1, 15, 16, 17, 100] {
            for stream in &clients {
                fuzz_server(&input(flags, piece, stream));
            }
            for stream in &servers {
                fuzz_client(&input(flags, piece, stream));
            }
        }
    }
}

/// Octets written over, and a stretch taken out.
type Changes = (Vec<(usize, u8)>, usize, usize);

fn changes() -> impl Strategy<Value = Changes> {
    let places = prop::collection::vec((0_usize..600, any::<u8>()), 0..6);
    (places, 0_usize..600, 0_usize..64)
}

fn changed(stream: &[u8], (places, from, octets): &Changes) -> Vec<u8> {
    let mut stream = stream.to_vec();
    for (at, octet) in places {
        if let Some(place) = stream.get_mut(*at) {
            *place = *octet;
        }
    }
    let from = (*from).min(stream.len());
    let to = (from + octets).min(stream.len());
    stream.drain(from..to);
    stream
}

proptest! {
    #[test]
    fn a_server_keeps_its_rules_whatever_a_client_says(
        which in 0_usize..11,
        flags: u8,
        piece: u8,
        changes in changes(),
    ) {
        fuzz_server(&input(flags, piece, &changed(&clients()[which], &changes)));
    }

    #[test]
    fn a_client_keeps_its_rules_whatever_a_server_says(
        which in 0_usize..11,
        flags: u8,
        piece: u8,
        changes in changes(),
    ) {
        fuzz_client(&input(flags, piece, &changed(&servers()[which], &changes)));
    }
}
