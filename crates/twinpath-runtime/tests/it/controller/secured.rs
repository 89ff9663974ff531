//! Connections with a key.

use std::sync::Arc;

use twinpath_proto::control::{Message, ServerConfig};
use twinpath_proto::security::{InForce, KeyId, KeyTable};
use twinpath_report::Finding;
use twinpath_runtime::controller::{ControlEvent, ControlPlan};
use twinpath_runtime::keys::{Key, passphrase};
use twinpath_wire::Dscp;
use twinpath_wire::control::{Modes, SecurityMode};

use super::rig::{Rig, Script, control, plan, serve};

fn alice() -> Key {
    Key {
        id: KeyId::new("alice").unwrap(),
        passphrase: passphrase(b"secret".to_vec()).unwrap(),
    }
}

/// A Server with these modes that knows alice and asks for so many iterations.
fn keyed(modes: Modes, count: u32) -> Rig {
    let mut table = KeyTable::new([7; 16], count, [0; 16]);
    let key = alice().passphrase.derive(table.salt(), count);
    table.insert(alice().id, key, InForce::begin());
    serve(Script {
        config: ServerConfig {
            modes,
            ..ServerConfig::default()
        },
        keys: Arc::new(table),
        ..Script::default()
    })
}

fn with_alice(rig: &Rig, security: &[SecurityMode]) -> ControlPlan {
    ControlPlan {
        security: security.to_vec(),
        key: Some(alice()),
        ..rig.plan()
    }
}

#[test]
fn a_count_that_is_no_power_of_2_is_a_remark_and_an_event() {
    for (count, odd) in [(2_048, false), (3_000, true)] {
        let rig = keyed(Modes::SECURED, count);
        let outcome = control(plan(with_alice(&rig, &[SecurityMode::Mixed]), &[Dscp::BE]));
        assert_eq!(outcome.sessions[0].counters.lost, 0);
        let expected: &[&str] = if odd { &["odd-pbkdf2-count"] } else { &[] };
        assert_eq!(outcome.keys(), expected);
        let event = ControlEvent::IrregularCount { count: 3_000 };
        assert_eq!(outcome.events.contains(&event), odd);
        let set_up = Message::SetUp {
            chosen: Modes::MIXED,
            key_id: Some(alice().id),
        };
        assert!(outcome.messages().contains(&set_up));
    }
}

#[test]
fn falling_back_to_open_packets_is_a_warning_and_asking_for_them_is_none() {
    use SecurityMode::{Authenticated, Encrypted, Mixed, Unauthenticated};
    let by_strength = [Encrypted, Authenticated, Mixed, Unauthenticated];
    let mixed = Modes::MIXED | Modes::UNAUTHENTICATED;
    for (offered, security, expected) in [
        (Modes::UNAUTHENTICATED, &by_strength[..], "not-secured"),
        (mixed, &by_strength, "packets-not-secured"),
        (mixed, &[Mixed], ""),
        // For a sender elsewhere there is none better.
        (mixed, &[Mixed, Unauthenticated], ""),
    ] {
        let rig = keyed(offered, 1_024);
        let outcome = control(plan(with_alice(&rig, security), &[Dscp::BE]));
        let report = outcome.report();
        assert_eq!(outcome.keys().concat(), expected, "{security:?}");
        assert!(report.findings.iter().all(Finding::is_warning));
    }
}
