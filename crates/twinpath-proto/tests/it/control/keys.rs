//! Which keys a Server believes, and until when.

use twinpath_proto::control::{
    ClientEvent, ClientPlan, CloseReason, ControlClient, Message, Nonces, ServerConfig, ServerEvent,
};
use twinpath_proto::security::{Credentials, InForce, KeyTable, Passphrase};
use twinpath_wire::control::SecurityMode::{Authenticated, Encrypted, Mixed, Unauthenticated};
use twinpath_wire::control::{Modes, SecurityMode};

use super::messages;
use super::rig::{ClientRig, START, ServerRig, local};
use super::secured::alice;

/// A client that answers the greeting as alice or another user.
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
        // A client already set up stays so.
        assert!(!before.server.is_closed());
        assert!(before.server.modes().contains(security.modes()));
    }
}

#[test]
fn a_count_that_is_no_power_of_2_is_used_and_said() {
    // Row TC-24.
    for (count, odd) in [(1_024_u32, false), (3_000, true), (1_025, true)] {
        for security in [Encrypted, Unauthenticated] {
            let mut greeting = messages::greeting(15);
            greeting[48..52].copy_from_slice(&count.to_be_bytes());
            let client = answering(alice(), security, &greeting);
            assert_eq!(client.sent.len(), 1, "{count}");
            // Irrelevant without a key to derive.
            let said = client
                .events
                .contains(&ClientEvent::IrregularCount { count });
            assert_eq!(said, odd && security == Encrypted, "{count} {security:?}");
        }
    }
}

#[test]
fn the_messages_have_whose_key_and_how_many_iterations() {
    let set_up = |credentials, security, modes| {
        let rig = answering(credentials, security, &messages::greeting(modes));
        let offered = Modes::from_bits(modes);
        let greeting = Message::Greeting {
            offered,
            count: 1_024,
        };
        assert_eq!(rig.messages[0], greeting);
        let Message::SetUp { chosen, key_id } = rig.messages[1] else {
            panic!("{:?}", rig.messages);
        };
        (chosen, key_id)
    };
    let id = alice().key_id;
    assert_eq!(set_up(alice(), Mixed, 15), (Modes::MIXED, Some(id)));
    let open = (Modes::UNAUTHENTICATED, None);
    assert_eq!(set_up(alice(), Unauthenticated, 1), open);
}
