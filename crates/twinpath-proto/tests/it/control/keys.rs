//! Which keys a Server believes, and until when.

use twinpath_proto::control::{
    ClientPlan, CloseReason, ControlClient, Nonces, ServerConfig, ServerEvent,
};
use twinpath_proto::security::{Credentials, InForce, KeyTable, Passphrase};
use twinpath_wire::control::SecurityMode;
use twinpath_wire::control::SecurityMode::{Authenticated, Encrypted, Mixed};

use super::rig::{ClientRig, START, ServerRig, local};
use super::secured::alice;

/// A client that answers the greeting: alice, or who else.
fn answering(credentials: Credentials, security: SecurityMode, greeting: &[u8]) -> ClientRig {
    let plan = ClientPlan {
        security: vec![security],
        credentials: Some(credentials),
        ..ClientPlan::default()
    };
    let mut client = ClientRig::new(ControlClient::new(plan, START, local()));
    client.feed(greeting);
    client
}

#[test]
fn a_key_that_was_taken_out_opens_no_connection_that_was_greeted_before() {
    for security in [Authenticated, Encrypted, Mixed] {
        let in_force = InForce::begin();
        let mut table = KeyTable::new([0x5a; 16], 1_024, [0x77; 16]);
        let key = alice().passphrase.derive(table.salt(), table.count());
        table.insert(alice().key_id, key, in_force.clone());
        let table = std::sync::Arc::new(table);
        let greeted =
            || ServerRig::keyed(ServerConfig::default(), table.clone(), Nonces::default());
        let (mut before, mut after, mut wrong) = (greeted(), greeted(), greeted());
        let response = |server: &ServerRig, credentials| {
            answering(credentials, security, &server.sent.concat())
                .sent
                .concat()
        };
        let (events, _) = before.exchange(&response(&before, alice()));
        assert!(matches!(events[..], [ServerEvent::Ready { .. }]));
        in_force.end();
        let refused = after.exchange(&response(&after, alice()));
        assert_eq!(
            refused.0,
            [ServerEvent::Closed(CloseReason::KeyRefused)],
            "{security:?}"
        );
        let guess = Credentials {
            passphrase: Passphrase::new(b"a guess".to_vec()),
            ..alice()
        };
        assert_eq!(wrong.exchange(&response(&wrong, guess)), refused);
        // Who was set up stays so.
        assert!(!before.server.is_closed());
        assert!(before.server.modes().contains(security.modes()));
    }
}
