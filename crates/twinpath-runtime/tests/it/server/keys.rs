//! Keys of a Server that runs.

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use twinpath_proto::security::KeyId;
use twinpath_runtime::controller::{self, ControlPlan, ControllerPlan};
use twinpath_runtime::keys::{Key, KeyRing, passphrase};
use twinpath_runtime::{PortChoice, SenderPlan};
use twinpath_wire::control::{Modes, SecurityMode, ServerGreeting};
use zerocopy::{FromBytes, FromZeros, IntoBytes};

use super::{Client, PATIENCE, plan, serve, until};
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

fn measure(far: SocketAddr, key: Key) -> Result<Modes, String> {
    let run = controller::start(ControllerPlan {
        control: ControlPlan {
            security: vec![SecurityMode::Encrypted],
            key: Some(key),
            ..ControlPlan::to(far)
        },
        sender: SenderPlan {
            port: PortChoice::Exact(0),
            ..sender_plan(far)
        },
        classes: Vec::new(),
        secured: None,
    });
    match run.unwrap().join() {
        Ok(report) => {
            let session = &report.sessions[0];
            assert_eq!(session.tally.lost, 0);
            assert_eq!(session.mode, SecurityMode::Encrypted);
            assert_eq!(
                session.tally.odd,
                twinpath_proto::sender::OddReplies::default()
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
    assert!(measure(far, key("alice", "secret")).is_ok());
}

#[test]
fn keys_come_and_go_while_the_server_runs() {
    let mut plan = plan(&["127.0.0.1:0"]);
    plan.modes = Modes::SECURED;
    (plan.keys, plan.pbkdf2_count) = (ring(&[("alice", "secret")]), 1_024);
    let (run, far) = serve(plan);
    assert!(measure(far, key("alice", "secret")).is_ok());
    let refused = measure(far, key("bob", "other")).unwrap_err();
    assert!(refused.contains("Accept 1"), "{refused}");
    let tally = until(&run, |tally| tally.keys_refused == 1);
    assert_eq!((tally.sessions_made, tally.packets.replays), (1, 0));
    let salt = greeting(far).salt;
    run.replace_keys(ring(&[("bob", "other")]));
    until(&run, |_| greeting(far).salt != salt);
    assert_eq!(measure(far, key("alice", "secret")), Err(refused));
    assert!(measure(far, key("bob", "other")).is_ok());
    assert_eq!(run.join().unwrap().tally.keys_refused, 2);
}
