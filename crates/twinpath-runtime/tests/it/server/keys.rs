//! Keys of a Server that runs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use twinpath_proto::control::{ClientPlan, ControlClient};
use twinpath_proto::security::{Credentials, KeyId, SessionKeys};
use twinpath_runtime::controller::{ControlPlan, ControllerPlan};
use twinpath_runtime::keys::{Key, KeyRing, passphrase};
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::control::{Accept, Modes, SecurityMode, ServerGreeting};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::{Client, PATIENCE, plan, serve, until};
use crate::controller::rig::control;
use crate::sender_plan;

fn key(id: &str, secret: &str) -> Key {
    Key {
        id: KeyId::new(id).unwrap(),
        passphrase: passphrase(secret.into()).unwrap(),
    }
}

fn ring(keys: &[(&str, &str)]) -> KeyRing {
    let mut ring = KeyRing::default();
    for (id, secret) in keys {
        ring.insert(key(id, secret));
    }
    ring
}

fn greeting(far: SocketAddr) -> ServerGreeting {
    let mut stream = TcpStream::connect(far).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut greeting = ServerGreeting::new_zeroed();
    stream.read_exact(greeting.as_mut_bytes()).unwrap();
    ServerGreeting::read_from_bytes(greeting.as_bytes()).unwrap()
}

fn measured(far: SocketAddr, key: Key) -> Result<Modes, String> {
    let plan = ControllerPlan {
        control: ControlPlan {
            security: vec![SecurityMode::Encrypted],
            key: Some(key),
            ..ControlPlan::to(far)
        },
        sessions: vec![SenderPlan {
            port: PortChoice::Exact(0),
            // As long as its session is there after its end.
            timeout: Duration::from_secs(3),
            ..sender_plan(far)
        }],
        secured: None,
    };
    let outcome = control(plan);
    match outcome.result {
        Ok(report) => {
            let session = &outcome.sessions[0];
            assert_eq!(session.counters.lost, 0);
            assert_eq!(session.identity.wire.security, SecurityMode::Encrypted);
            assert_eq!(
                session.counters.anomalies,
                twinpath_proto::sender::ReplyAnomalies::default()
            );
            Ok(report.modes)
        }
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn a_server_without_keys_offers_no_secured_mode() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURITY | Modes::FEATURES;
    let (_run, far) = serve(plan);
    let (_, offered) = Client::greeted(far);
    assert_eq!(offered, Modes::UNAUTHENTICATED | Modes::FEATURES);
}

#[test]
fn the_greeting_has_a_salt_that_lives_for_its_time_and_a_fresh_challenge() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED;
    (plan.keys, plan.pbkdf2_count) = (ring(&[("alice", "secret")]), 2_048);
    let (_run, far) = serve(plan.clone());
    let (one, two) = (greeting(far), greeting(far));
    assert_eq!(one.offers(), Modes::SECURED);
    assert_eq!(one.count.get(), 2_048);
    assert_eq!(one.salt, two.salt);
    assert_ne!(one.challenge, two.challenge);
    plan.salt_life = Duration::from_millis(20);
    let (_run, far) = serve(plan);
    let salt = greeting(far).salt;
    let end = std::time::Instant::now() + PATIENCE;
    while greeting(far).salt == salt {
        assert!(std::time::Instant::now() < end, "the salt stays");
    }
    assert!(measured(far, key("alice", "secret")).is_ok());
}

#[test]
fn each_connection_has_a_server_iv_of_its_own() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED;
    (plan.keys, plan.pbkdf2_count) = (ring(&[("alice", "secret")]), 1_024);
    let (_run, far) = serve(plan);
    let ivs = [(); 3].map(|()| {
        let start = Greeted::by(far).server_start(key("alice", "secret"));
        assert_eq!(start[15], 0);
        <[u8; 16]>::try_from(&start[16..32]).unwrap()
    });
    for (at, iv) in ivs.iter().enumerate() {
        assert_ne!(*iv, [0; 16]);
        assert!(!ivs[..at].contains(iv), "{ivs:?}");
    }
}

#[test]
fn keys_come_and_go_while_the_server_runs() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED;
    (plan.keys, plan.pbkdf2_count) = (ring(&[("alice", "secret")]), 1_024);
    let (run, far) = serve(plan);
    assert!(measured(far, key("alice", "secret")).is_ok());
    let refused = measured(far, key("bob", "other")).unwrap_err();
    assert!(refused.contains("Accept 1"), "{refused}");
    let counters = until(&run, |counters| counters.keys_refused == 1);
    assert_eq!((counters.sessions_made, counters.packets.replays), (1, 0));
    let salt = greeting(far).salt;
    run.replace_keys(ring(&[("bob", "other")]));
    until(&run, |_| greeting(far).salt != salt);
    assert_eq!(measured(far, key("alice", "secret")), Err(refused));
    assert!(measured(far, key("bob", "other")).is_ok());
    assert_eq!(run.join().unwrap().counters.keys_refused, 2);
}

/// A connection that was greeted and has not answered yet.
struct Greeted {
    stream: TcpStream,
    greeting: [u8; 64],
}

impl Greeted {
    fn by(far: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(far).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut greeting = [0; 64];
        stream.read_exact(&mut greeting).unwrap();
        Self { stream, greeting }
    }

    /// Answers with this key, and gives the Accept of Server-Start.
    fn answer(self, key: Key) -> u8 {
        self.server_start(key)[15]
    }

    /// Answers with this key, and gives Server-Start.
    fn server_start(mut self, key: Key) -> [u8; 48] {
        let plan = ClientPlan {
            security: vec![SecurityMode::Encrypted],
            credentials: Some(Credentials {
                key_id: key.id,
                passphrase: key.passphrase,
                session: SessionKeys::new([1; 16], [2; 32]),
                client_iv: [3; 16],
            }),
            ..ClientPlan::default()
        };
        let now = twinpath_net::clock::mono();
        let mut client = ControlClient::new(plan, now, self.stream.peer_addr().unwrap());
        assert_eq!(client.handle_input(now, &self.greeting), 64);
        self.stream
            .write_all(client.poll_output().unwrap())
            .unwrap();
        let mut start = [0; 48];
        self.stream.read_exact(&mut start).unwrap();
        start
    }
}

#[test]
fn a_key_that_is_gone_or_changed_opens_nothing_though_its_client_was_greeted_before() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED;
    let before = [("alice", "one"), ("bob", "two"), ("carol", "three")];
    (plan.keys, plan.pbkdf2_count) = (ring(&before), 1_024);
    let (run, far) = serve(plan);
    let answer = |greeted: Greeted, id, secret| greeted.answer(key(id, secret));
    for (id, secret) in before {
        assert_eq!(answer(Greeted::by(far), id, secret), 0, "{id}");
    }
    let greeted = [(); 3].map(|()| Greeted::by(far));
    run.replace_keys(ring(&[("bob", "four"), ("carol", "three")]));
    // Whether the new ones are derived already or not.
    let answers = greeted.into_iter().zip(before);
    let accepts: Vec<u8> = answers
        .map(|(greeted, (id, secret))| answer(greeted, id, secret))
        .collect();
    assert_eq!(accepts, [1, 1, 0]);
    until(&run, |_| answer(Greeted::by(far), "bob", "four") == 0);
    assert_eq!(answer(Greeted::by(far), "bob", "two"), 1);
    assert_eq!(answer(Greeted::by(far), "carol", "three"), 0);
}

#[test]
fn clients_without_a_key_leave_room_for_those_with_one() {
    // Row TC-78.
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED | Modes::UNAUTHENTICATED;
    (plan.keys, plan.pbkdf2_count) = (ring(&[("alice", "one")]), 1_024);
    (plan.limits.max_sessions, plan.limits.max_open_sessions) = (3, 1);
    let (run, far) = serve(plan);
    let mut open = Client::new(far, Modes::UNAUTHENTICATED);
    open.ask(&open.wish(20_000, 0)).unwrap();
    let another = open.ask(&open.wish(20_001, 0));
    assert_eq!(another.unwrap_err(), Accept::TemporaryLimit);
    for _ in 0..2 {
        assert!(measured(far, key("alice", "one")).is_ok());
    }
    // Its room comes back.
    drop(open);
    until(&run, |counters| counters.sessions == 0);
    let mut open = Client::new(far, Modes::UNAUTHENTICATED);
    assert!(open.ask(&open.wish(20_000, 0)).is_ok());
}
