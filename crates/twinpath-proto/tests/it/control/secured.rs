//! Control connections in the secured modes (rows TC-11 to TC-27).

use std::sync::Arc;

use proptest::prelude::*;
use twinpath_proto::control::{
    ClientError, ClientEvent, ClientPlan, CloseReason, ControlClient, Nonces, Opened, ServerConfig,
    ServerEvent, SessionPlan,
};
use twinpath_proto::security::{Credentials, InForce, KeyId, KeyTable, Passphrase, SessionKeys};
use twinpath_wire::control::SecurityMode::{Authenticated, Encrypted, Mixed, Unauthenticated};
use twinpath_wire::control::{Modes, SecurityMode, ServerGreeting};
use twinpath_wire::{Dscp, WireTime};

use super::captured::{Cuts, SECURED, one_by_one};
use super::messages;
use super::rig::{ClientRig, START, ServerRig, local};
use super::streams::{Streams, streams};
use super::together::carry;
use crate::vectors::Known;

const SALT: [u8; 16] = [0x5a; 16];
const COUNT: u32 = 1_024;

/// Alice's credentials.
pub(super) fn alice() -> Credentials {
    Credentials {
        key_id: KeyId::new("alice").unwrap(),
        passphrase: Passphrase::new(b"secretpass".to_vec()),
        session: SessionKeys::new([0x11; 16], [0x22; 32]),
        client_iv: [0x33; 16],
    }
}

/// A Server that knows alice and one more.
pub(super) fn keys() -> KeyTable {
    table(SALT, COUNT)
}

fn table(salt: [u8; 16], count: u32) -> KeyTable {
    let mut keys = KeyTable::new(salt, count, [0x77; 16]);
    for (name, secret) in [("alice", "secretpass"), ("bürgermeister", "a b  c")] {
        let secret = Passphrase::new(secret.as_bytes().to_vec());
        let key = secret.derive(&salt, count);
        keys.insert(KeyId::new(name).unwrap(), key, InForce::begin());
    }
    keys
}

/// A Server with twampd's values: its nonces, its Start-Time, its SID and port.
fn server_like(file: &str, streams: &Streams) -> ServerRig {
    let known = Known::of(file);
    let greeting = ServerGreeting::view(&streams.server).unwrap();
    let start = u64::from_be_bytes(known.octets(&["server_start", "start_time"]));
    let config = ServerConfig {
        modes: Modes::SECURITY,
        start_time: WireTime::from_bits(start),
        ..ServerConfig::default()
    };
    let nonces = Nonces {
        challenge: greeting.challenge,
        server_iv: known.octets(&["server_start", "server_iv"]),
    };
    let ends = ["127.0.0.1:45948", "127.0.0.1:8620"].map(|end| end.parse().unwrap());
    let keys = table(greeting.salt, greeting.count.get());
    let mut rig = ServerRig::keyed_between(config, keys, nonces, ends);
    rig.answer = Box::new(move |_, _| {
        Ok(Opened {
            sid: known.sid(),
            port: known.port(),
            server_octets: 0,
        })
    });
    rig
}

fn serve(file: &str, cuts: &Cuts) -> (Vec<ServerEvent>, Vec<u8>) {
    let streams = streams(file, 8620);
    let mut rig = server_like(file, &streams);
    let mut from = 0;
    for to in cuts {
        rig.feed(&streams.client[from..*to]);
        from = *to;
    }
    assert_eq!(from, streams.client.len());
    rig.server.handle_eof(rig.now);
    rig.drain();
    assert!(rig.server.is_closed());
    (rig.events, rig.sent.concat())
}

#[test]
fn our_server_answers_captured_clients_octet_for_octet_as_twampd_did() {
    for file in SECURED {
        let streams = streams(file, 8620);
        let (events, said) = serve(file, &vec![streams.client.len()]);
        assert_eq!(said, streams.server, "{file}");
        let known = Known::of(file);
        let ServerEvent::Open(request) = events[1] else {
            panic!("{file}: {events:?}")
        };
        assert_eq!(
            events,
            [
                ServerEvent::Ready {
                    modes: known.modes()
                },
                ServerEvent::Open(request),
                ServerEvent::Start(known.sid()),
                ServerEvent::Stop(known.sid()),
                ServerEvent::Closed(CloseReason::PeerClosed),
            ],
            "{file}"
        );
        assert_eq!(request.dscp, Dscp::BE);
        let padding = match file {
            "mixed.pcap" => 27,
            "authenticated-padding.pcap" | "encrypted-padding.pcap" => 200,
            _ => 64,
        };
        assert_eq!(request.padding_length, padding, "{file}");
    }
}

#[test]
fn one_octet_at_a_time_makes_no_difference_to_the_server() {
    for file in SECURED {
        let octets = streams(file, 8620).client.len();
        assert_eq!(
            serve(file, &one_by_one(octets)),
            serve(file, &vec![octets]),
            "{file}"
        );
    }
}

/// A client with twping's values: its key, its session keys, its IV.
fn client_like(file: &str) -> ClientRig {
    let known = Known::of(file);
    let plan = ClientPlan {
        security: vec![known.modes().security().unwrap()],
        credentials: Some(Credentials {
            session: known.session_keys(),
            client_iv: known.octets(&["set_up_response", "client_iv"]),
            ..alice()
        }),
        sessions: vec![SessionPlan::default()],
        ..ClientPlan::default()
    };
    ClientRig::that_measures(ControlClient::new(plan, START, local()))
}

fn hear(file: &str, cuts: &Cuts) -> (Vec<ClientEvent>, Vec<u8>) {
    let streams = streams(file, 8620);
    let mut rig = client_like(file);
    let mut from = 0;
    for to in cuts {
        rig.feed(&streams.server[from..*to]);
        from = *to;
    }
    assert!(rig.client.is_closed(), "{file}");
    (rig.events, rig.sent.concat())
}

#[test]
fn our_client_understands_twampd_and_authenticates_as_twping_did() {
    for file in SECURED {
        let streams = streams(file, 8620);
        let (events, said) = hear(file, &vec![streams.server.len()]);
        // Key-ID, token and IV: the Set-Up-Response to the last octet.
        assert_eq!(said[..164], streams.client[..164], "{file}");
        assert_eq!(said.len(), streams.client.len(), "{file}");
        let known = Known::of(file);
        let start = u64::from_be_bytes(known.octets(&["server_start", "start_time"]));
        assert_eq!(
            events,
            [
                ClientEvent::Greeting {
                    offered: Modes::SECURITY,
                },
                ClientEvent::Ready {
                    modes: known.modes(),
                    server_since: WireTime::from_bits(start),
                },
                ClientEvent::Accepted {
                    index: 0,
                    sid: known.sid(),
                    port: known.port(),
                    server_octets: 0,
                    octets_reflected: false,
                },
                ClientEvent::Settled { accepted: 1 },
                ClientEvent::Started { index: 0 },
                ClientEvent::Stopped { index: 0 },
                ClientEvent::Closed,
            ],
            "{file}"
        );
    }
}

#[test]
fn one_octet_at_a_time_makes_no_difference_to_the_client() {
    for file in SECURED {
        let octets = streams(file, 8620).server.len();
        assert_eq!(
            hear(file, &one_by_one(octets)),
            hear(file, &vec![octets]),
            "{file}"
        );
    }
}

proptest! {
    // Each case derives keys from passphrases, which is slow on purpose.
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]
    #[test]
    fn cuts_at_random_make_no_difference(
        which in 0..SECURED.len(),
        cuts in prop::collection::btree_set(1_usize..340, 0..40),
    ) {
        let file = SECURED[which];
        let streams = streams(file, 8620);
        let cut = |octets: usize| -> Cuts {
            cuts.iter().copied().filter(|at| *at < octets).chain([octets]).collect()
        };
        let (client, server) = (streams.client.len(), streams.server.len());
        prop_assert_eq!(serve(file, &cut(client)), serve(file, &vec![client]));
        prop_assert_eq!(hear(file, &cut(server)), hear(file, &vec![server]));
    }
}

#[test]
fn nothing_in_a_changed_message_is_obeyed() {
    // Row TC-19: a changed bit in any message ends the connection before a field of it is used.
    let file = "encrypted.pcap";
    let streams = streams(file, 8620);
    let (whole, _) = serve(file, &vec![streams.client.len()]);
    // The Set-Up-Response, then Request, Start and Stop.
    let ends = [164, 276, 308, 340];
    // The effect of each of these if accepted.
    let obeyed = [0, 1, 2, 3, 4];
    for bit in 164 * 8..340 * 8 {
        let mut rig = server_like(file, &streams);
        let mut changed = streams.client.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        rig.feed(&changed);
        rig.server.handle_eof(rig.now);
        rig.drain();
        let before = ends.iter().filter(|end| **end <= bit / 8).count();
        let (last, first) = rig.events.split_last().unwrap();
        let running = before == 3;
        let expected = obeyed[before] + usize::from(running);
        // A session that runs is stopped with the connection.
        assert_eq!(
            first[..obeyed[before]],
            whole[..obeyed[before]],
            "bit {bit}"
        );
        assert!(
            first.len() <= expected.max(obeyed[before] + 1),
            "bit {bit}: {first:?}"
        );
        assert!(
            matches!(
                last,
                ServerEvent::Closed(
                    CloseReason::Forged
                        | CloseReason::UnexpectedCommand(_)
                        | CloseReason::CutShort
                        | CloseReason::SessionCount(_)
                )
            ),
            "bit {bit}: {last:?}"
        );
    }
}

/// A client as alice or another user, and the result.
fn attempt(credentials: Credentials, security: SecurityMode) -> (ClientRig, ServerRig) {
    attempt_at(Arc::new(keys()), credentials, security)
}

fn attempt_at(
    keys: Arc<KeyTable>,
    credentials: Credentials,
    security: SecurityMode,
) -> (ClientRig, ServerRig) {
    let plan = ClientPlan {
        security: vec![security],
        credentials: Some(credentials),
        sessions: vec![SessionPlan {
            sender_port: 20_000,
            receiver_port: 20_001,
            ..SessionPlan::default()
        }],
        ..ClientPlan::default()
    };
    let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
    let mut server = ServerRig::keyed(ServerConfig::default(), keys, Nonces::default());
    carry(&mut client, &mut server, 1_000);
    (client, server)
}

#[test]
fn who_is_set_up_keeps_no_other_clients_keys_in_memory() {
    for security in [Authenticated, Encrypted, Mixed] {
        let keys = Arc::new(keys());
        let (_client, server) = attempt_at(Arc::clone(&keys), alice(), security);
        assert!(server.server.key_id().is_some());
        assert_eq!(Arc::strong_count(&keys), 1, "{security:?}");
    }
}

#[test]
fn a_key_id_in_utf_8_and_a_passphrase_with_spaces_serve_as_well() {
    for security in [Authenticated, Encrypted, Mixed] {
        let credentials = Credentials {
            key_id: KeyId::new("bürgermeister").unwrap(),
            passphrase: Passphrase::new(b"a b  c".to_vec()),
            ..alice()
        };
        let (client, server) = attempt(credentials, security);
        assert!(
            client
                .events
                .contains(&ClientEvent::Settled { accepted: 1 })
        );
        assert_eq!(server.server.key_id().unwrap().as_str(), "bürgermeister");
        let guard = server.server.test_guard(messages::sid(0));
        let secured = security != Mixed;
        assert_eq!(guard.is_secured(), secured);
        assert_eq!(client.client.test_guard(0).is_secured(), secured);
    }
}

#[test]
fn an_unknown_key_id_and_a_wrong_passphrase_get_the_same_answer() {
    // Row TC-26.
    let wrong = |change: fn(&mut Credentials)| {
        let mut credentials = alice();
        change(&mut credentials);
        let plan = ClientPlan {
            security: vec![Encrypted],
            credentials: Some(credentials),
            ..ClientPlan::default()
        };
        let mut server = ServerRig::keyed(ServerConfig::default(), keys(), Nonces::default());
        let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
        client.feed(&server.sent.concat());
        let (events, sent) = server.exchange(&client.sent.concat());
        assert!(server.server.is_closed());
        assert!(!server.server.test_guard(messages::sid(0)).is_secured());
        (events, sent)
    };
    let passphrase = wrong(|alice| alice.passphrase = Passphrase::new(b"secretpast".to_vec()));
    let name = wrong(|alice| alice.key_id = KeyId::new("bob").unwrap());
    assert_eq!(passphrase, name);
    assert_eq!(
        name.0,
        [ServerEvent::Closed(CloseReason::KeyRefused)],
        "nothing else is told"
    );
    // Row TC-27: Accept 1, no IV, no Start-Time, nothing encrypted.
    let mut expected = vec![0; 48];
    expected[15] = 1;
    assert_eq!(name.1, [expected]);
}

#[test]
fn a_key_id_that_is_not_utf_8_is_unknown() {
    let mut server = ServerRig::keyed(ServerConfig::default(), keys(), Nonces::default());
    let mut message = messages::set_up(4);
    message[4..84].fill(0xff);
    let (events, _) = server.exchange(&message);
    assert_eq!(events, [ServerEvent::Closed(CloseReason::KeyRefused)]);
}

#[test]
fn without_keys_no_secured_mode_is_offered() {
    let rig = ServerRig::new(ServerConfig::default());
    let offered = ServerGreeting::view(&rig.sent[0]).unwrap().offers();
    assert_eq!(offered.and(Modes::SECURED), Modes::default());
    let rig = ServerRig::keyed(ServerConfig::default(), keys(), Nonces::default());
    let greeting = *ServerGreeting::view(&rig.sent[0]).unwrap();
    assert!(greeting.offers().contains(Modes::SECURED));
    assert_eq!((greeting.salt, greeting.count.get()), (SALT, COUNT));
}

#[test]
fn a_client_takes_the_first_mode_that_is_offered_and_never_an_open_one_unasked() {
    // Row TC-10.
    let choose = |offered: u32, security: Vec<SecurityMode>, keyed: bool| {
        let plan = ClientPlan {
            security,
            credentials: keyed.then(alice),
            ..ClientPlan::default()
        };
        let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
        client.feed(&messages::greeting(offered));
        match client.sent.first() {
            Some(message) => Ok(message[3]),
            None => Err(*client.events.last().unwrap()),
        }
    };
    let strongest = vec![Encrypted, Authenticated, Mixed];
    assert_eq!(choose(15, strongest.clone(), true), Ok(4));
    assert_eq!(choose(1 | 2 | 8, strongest.clone(), true), Ok(2));
    assert_eq!(choose(1 | 8, strongest.clone(), true), Ok(8));
    let refused = |offered: u32, wanted: u32| {
        Err(ClientEvent::Failed(ClientError::NoMode {
            offered: Modes::from_bits(offered),
            wanted: Modes::from_bits(wanted),
        }))
    };
    assert_eq!(choose(1, strongest, true), refused(1, 14));
    assert_eq!(choose(15, vec![Encrypted], false), refused(15, 4));
    assert_eq!(choose(15, vec![Encrypted, Unauthenticated], false), Ok(1));
}

#[test]
fn a_count_that_is_too_low_or_too_high_ends_a_secured_connection_alone() {
    // Rows TC-22, TC-24.
    for (count, most, fits) in [
        (1_023, 32_768, false),
        (1_024, 32_768, true),
        (3_000, 32_768, true),
        (32_768, 32_768, true),
        (32_769, 32_768, false),
        (u32::MAX, 32_768, false),
        (0, 32_768, false),
        (65_536, 65_536, true),
    ] {
        for security in [Encrypted, Unauthenticated] {
            let plan = ClientPlan {
                security: vec![security],
                credentials: Some(alice()),
                most_count: most,
                ..ClientPlan::default()
            };
            let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
            let mut greeting = messages::greeting(15);
            greeting[48..52].copy_from_slice(&count.to_be_bytes());
            client.feed(&greeting);
            let open = security == Unauthenticated;
            assert_eq!(client.sent.len(), usize::from(fits || open), "{count}");
            if !fits && !open {
                let error = ClientError::Count { count, most };
                assert_eq!(client.events.last(), Some(&ClientEvent::Failed(error)));
            }
        }
    }
}

#[test]
fn a_server_that_cannot_know_the_key_is_found_out() {
    // It says Accept 0 and something encrypted, but has no session keys: its first HMAC fails.
    let plan = ClientPlan {
        security: vec![Encrypted],
        credentials: Some(alice()),
        sessions: vec![SessionPlan::default()],
        ..ClientPlan::default()
    };
    let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
    client.feed(&messages::greeting(15));
    client.feed(&messages::server_start(0));
    client.feed(&[0x5c; 48]);
    assert_eq!(
        client.events.last(),
        Some(&ClientEvent::Failed(ClientError::Forged))
    );
}
