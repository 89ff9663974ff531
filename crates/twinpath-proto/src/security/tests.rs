//! Recorded keys, messages and packets of sessions between other programs: they decrypt, every HMAC
//! in them verifies, and sealing them again gives the same octets.

use std::path::PathBuf;

use pcap_parser::PcapCapture;
use serde_json::Value;
use twinpath_wire::control::{Modes, Sid};
use twinpath_wire::{ReflectorSecured, SenderSecured};

use super::*;
use crate::TestGuard;
use crate::test_guard::PacketFault;

const SECURED: [&str; 5] = [
    "authenticated.pcap",
    "authenticated-padding.pcap",
    "encrypted.pcap",
    "encrypted-padding.pcap",
    "mixed.pcap",
];

fn testdata(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../testdata", file]
        .iter()
        .collect()
}

/// Contents of a capture's `secured.json`.
fn known(capture: &str) -> Value {
    let text = std::fs::read_to_string(testdata("secured.json")).unwrap();
    let mut all: Value = serde_json::from_str(&text).unwrap();
    all["control"][capture].take()
}

fn hex(value: &Value) -> Vec<u8> {
    let digits = value.as_str().unwrap().as_bytes();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn array<const N: usize>(value: &Value) -> [u8; N] {
    hex(value).try_into().unwrap()
}

fn session_keys(known: &Value) -> SessionKeys {
    SessionKeys::new(
        array(&known["keys"]["aes_session_key"]),
        array(&known["keys"]["hmac_session_key"]),
    )
}

fn guard(known: &Value) -> TestGuard {
    let mode = u32::try_from(known["mode"].as_u64().unwrap()).unwrap();
    let sid = Sid(array(&known["sid"]));
    TestGuard::with_keys(Modes::from_bits(mode), &session_keys(known), sid)
}

/// The UDP payloads of a capture: those sent to `port`, and the others.
fn payloads(capture: &str, port: u16) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let octets = std::fs::read(testdata("captures").join(capture)).unwrap();
    let packets = PcapCapture::from_file(&octets).unwrap().blocks;
    let mut found = (Vec::new(), Vec::new());
    for packet in packets {
        let ip = &packet.data[14..];
        if ip[0] != 0x45 || ip[9] != 17 {
            continue;
        }
        let octets = usize::from(u16::from_be_bytes([ip[24], ip[25]])) - 8;
        let payload = ip[28..28 + octets].to_vec();
        if u16::from_be_bytes([ip[22], ip[23]]) == port {
            found.0.push(payload);
        } else {
            found.1.push(payload);
        }
    }
    found
}

#[test]
fn a_passphrase_becomes_the_key_that_opens_the_token() {
    for capture in SECURED {
        let known = known(capture);
        let greeting = &known["server_greeting"];
        let secret = Passphrase::new(b"secretpass".to_vec());
        let count = u32::try_from(greeting["count"].as_u64().unwrap()).unwrap();
        let key = secret.derive(&array(&greeting["salt"]), count);
        assert_eq!(
            key.octets(),
            &array(&known["keys"]["pbkdf2_sha1_dklen16"]),
            "{capture}"
        );
        let challenge = array(&greeting["challenge"]);
        let token = array(&known["set_up_response"]["token_wire"]);
        let opened = open_token(&key, &challenge, &token).unwrap();
        let keys = session_keys(&known);
        assert_eq!(
            (opened.aes(), opened.hmac()),
            (keys.aes(), keys.hmac()),
            "{capture}"
        );
        assert_eq!(seal_token(&key, &challenge, &keys), token, "{capture}");

        let wrong = Passphrase::new(b"secretpas".to_vec()).derive(&array(&greeting["salt"]), count);
        assert!(
            open_token(&wrong, &challenge, &token).is_none(),
            "{capture}"
        );
        let other = challenge.map(|octet| octet ^ 1);
        assert!(open_token(&key, &other, &token).is_none(), "{capture}");
    }
}

/// A direction of a capture: the IV, the octets before the first HMAC, and the messages.
fn directions(known: &Value) -> [([u8; 16], Vec<u8>, Vec<Value>); 2] {
    let messages = |direction: &str| known[direction].as_array().unwrap().clone();
    let start = hex(&known["server_start"]["wire"])[32..].to_vec();
    [
        (
            array(&known["set_up_response"]["client_iv"]),
            Vec::new(),
            messages("client_to_server"),
        ),
        (
            array(&known["server_start"]["server_iv"]),
            start,
            messages("server_to_client"),
        ),
    ]
}

#[test]
fn control_messages_open_verify_and_seal_to_the_same_octets() {
    // Rows TC-14 to TC-18.
    for capture in SECURED {
        let known = known(capture);
        let keys = session_keys(&known);
        for (iv, start, messages) in directions(&known) {
            let mut opening = OpeningChain::new(&keys, &iv);
            let mut sealing = SealingChain::new(&keys, &iv);
            let mut plain = start.clone();
            opening.decrypt_uncovered(&mut plain);
            if !start.is_empty() {
                assert_eq!(plain, hex(&known["server_start"]["start_time_block_plain"]));
            }
            sealing.encrypt(&mut plain);
            assert_eq!(plain, start, "{capture}");
            assert!(!messages.is_empty());
            for message in messages {
                let name = &message["message"];
                let wire = hex(&message["wire"]);
                let mut plain = wire.clone();
                // Block by block, as received.
                plain
                    .chunks_mut(16)
                    .for_each(|block| opening.decrypt(block));
                assert_eq!(plain, hex(&message["plain"]), "{capture}, {name}");
                assert_eq!(opening.verify(&plain), Ok(()), "{capture}, {name}");
                let hmac = plain.len() - 16;
                plain[hmac..].fill(0);
                sealing.seal(&mut plain);
                assert_eq!(plain, wire, "{capture}, {name}");
            }
        }
    }
}

#[test]
fn a_changed_bit_anywhere_in_a_control_message_is_noticed() {
    for capture in ["authenticated.pcap", "encrypted.pcap", "mixed.pcap"] {
        let known = known(capture);
        let keys = session_keys(&known);
        for (iv, start, messages) in directions(&known) {
            let mut stream = start.clone();
            let mut ends = Vec::new();
            for message in &messages {
                stream.extend(hex(&message["wire"]));
                ends.push(stream.len());
            }
            // All messages before the changed one verify, and the changed one does not. Later ones
            // are never read, because the connection ends.
            let read = |stream: &[u8]| -> usize {
                let mut opening = OpeningChain::new(&keys, &iv);
                let mut octets = stream.to_vec();
                opening.decrypt_uncovered(&mut octets[..start.len()]);
                let mut from = start.len();
                let right = ends.iter().take_while(|end| {
                    let message = &mut octets[from..**end];
                    from = **end;
                    opening.decrypt(message);
                    opening.verify(message).is_ok()
                });
                right.count()
            };
            assert_eq!(read(&stream), ends.len(), "{capture}");
            for bit in 0..stream.len() * 8 {
                let mut changed = stream.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let before = ends.iter().filter(|end| **end <= bit / 8).count();
                assert_eq!(read(&changed), before, "{capture}, bit {bit}");
            }
        }
    }
}

#[test]
fn a_changed_iv_is_noticed_with_the_first_hmac() {
    let known = known("encrypted.pcap");
    let keys = session_keys(&known);
    for (iv, mut start, messages) in directions(&known) {
        let mut message = hex(&messages[0]["wire"]);
        let changed = iv.map(|octet| octet ^ 0x80);
        let mut opening = OpeningChain::new(&keys, &changed);
        opening.decrypt_uncovered(&mut start);
        opening.decrypt(&mut message);
        assert_eq!(opening.verify(&message), Err(Forged));
    }
}

fn reseal<const HEADER: usize>(guard: &TestGuard, packet: &[u8], context: &str) {
    let mut header = guard.open::<HEADER>(packet).expect(context);
    header[HEADER - 16..].fill(0xff);
    guard.prepare(&mut header);
    guard.finish(&mut header);
    assert_eq!(header, packet[..HEADER], "{context}");
}

#[test]
fn every_test_packet_opens_verifies_and_seals_to_the_same_octets() {
    // Rows TT-29 to TT-33.
    let mut packets = 0;
    for capture in &SECURED[..4] {
        let known = known(capture);
        let guard = guard(&known);
        let port = u16::try_from(known["port"].as_u64().unwrap()).unwrap();
        let (requests, replies) = payloads(capture, port);
        packets += requests.len() + replies.len();
        for request in requests {
            reseal::<{ SenderSecured::OCTETS }>(&guard, &request, capture);
        }
        for reply in replies {
            reseal::<{ ReflectorSecured::OCTETS }>(&guard, &reply, capture);
        }
        for packet in known["test_packets"].as_array().unwrap() {
            let (wire, plain) = (hex(&packet["wire"]), hex(&packet["plain"]));
            let hmac = usize::try_from(packet["hmac_offset"].as_u64().unwrap()).unwrap();
            let opened = match packet["direction"].as_str().unwrap() {
                "sender" => guard.open::<48>(&wire).unwrap().to_vec(),
                _ => guard.open::<112>(&wire).unwrap().to_vec(),
            };
            assert_eq!(opened[..hmac], plain[..hmac], "{capture}");
        }
    }
    assert_eq!(packets, 60, "all of them");
}

/// Offsets of octets in which a changed bit is not noticed.
fn open_places<const HEADER: usize>(guard: &TestGuard, packet: &[u8]) -> Vec<usize> {
    let noticed = |bit: usize| {
        let mut changed = packet.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        guard.open::<HEADER>(&changed) == Err(PacketFault::Forged)
    };
    (0..packet.len())
        .filter(|octet| {
            let noticed = (0..8).filter(|bit| noticed(octet * 8 + bit)).count();
            assert!(noticed == 0 || noticed == 8, "octet {octet}: {noticed}");
            noticed == 0
        })
        .collect()
}

#[test]
fn a_changed_bit_in_a_test_packet_is_noticed_wherever_the_hmac_covers_it() {
    // RFC 4656 section 6.6: the authenticated mode leaves the timestamps open, so that they can be
    // written last; and all that follows the HMAC is padding, which is not read.
    for (capture, request_open, reply_open) in [
        ("authenticated-padding.pcap", 16..32, 16..96),
        ("encrypted-padding.pcap", 0..0, 0..0),
    ] {
        let known = known(capture);
        let guard = guard(&known);
        let packet = |direction: &str| {
            let packets = known["test_packets"].as_array().unwrap();
            let found = packets
                .iter()
                .find(|packet| packet["direction"] == direction);
            hex(&found.unwrap()["wire"])
        };
        let (request, reply) = (packet("sender"), packet("reflector"));
        let expected: Vec<usize> = request_open.chain(48..request.len()).collect();
        assert_eq!(open_places::<48>(&guard, &request), expected, "{capture}");
        let expected: Vec<usize> = reply_open.chain(112..reply.len()).collect();
        assert_eq!(open_places::<112>(&guard, &reply), expected, "{capture}");
    }
}

#[test]
fn no_packet_opens_with_another_sessions_keys_or_cut_short() {
    let (one, other) = (known("encrypted.pcap"), known("encrypted-padding.pcap"));
    let request = hex(&one["test_packets"][0]["wire"]);
    assert_eq!(guard(&other).open::<48>(&request), Err(PacketFault::Forged));
    assert_eq!(
        guard(&one).open::<48>(&request[..47]),
        Err(PacketFault::Short)
    );
    assert_eq!(
        guard(&one).open::<112>(&request),
        Err(PacketFault::Forged),
        "a request is no reply"
    );
    let reply = hex(&one["test_packets"][1]["wire"]);
    assert_eq!(
        guard(&one).open::<48>(&reply),
        Err(PacketFault::Forged),
        "a reply is no request"
    );
}

#[test]
fn a_peer_of_trials_seals_as_an_engine_does_unless_it_changes_something() {
    let keys = SessionKeys::new([1; 16], [2; 32]);
    let (sent, received) = ([3; 16], [4; 16]);
    let mut peer = ControlChains::new(&keys, &sent, &received);
    let mut other = OpeningChain::new(&keys, &sent);
    for is_changed in [false, true, false] {
        let mut message = [7; 48];
        peer.seal(&mut message, |plain| {
            if is_changed {
                plain[0] ^= 1;
            }
        });
        other.decrypt(&mut message);
        assert_eq!(other.verify(&message).is_err(), is_changed);
        assert_eq!(message[0], 7 ^ u8::from(is_changed));
    }
    let mut answers = SealingChain::new(&keys, &received);
    let (mut start, mut answer) = ([5; 16], [6; 48]);
    answers.encrypt(&mut start);
    answers.seal(&mut answer);
    peer.open_uncovered(&mut start);
    assert_eq!(start, [5; 16]);
    assert!(peer.open(&mut answer));
    assert_eq!(answer[..32], [6; 32]);
}

#[test]
fn a_peer_of_trials_leaves_what_is_not_of_whole_blocks() {
    let keys = SessionKeys::new([1; 16], [2; 32]);
    let mut peer = ControlChains::new(&keys, &[3; 16], &[3; 16]);
    let mut part = [9; 17];
    peer.seal(&mut part, |_| {});
    peer.seal_uncovered(&mut part);
    assert!(!peer.open(&mut part));
    peer.open_uncovered(&mut part);
    assert_eq!(part, [9; 17]);
    assert!(!peer.open(&mut []));
}
