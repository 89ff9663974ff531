//! Logins with the user's key, and with others: how many fail, and what the answers say.

use std::cell::RefCell;
use std::rc::Rc;

use twinpath_proto::security::{KeyId, Passphrase};
use twinpath_proto::{Refusal, Step};
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::DialogueEnd;
use twinpath_wire::control::SecurityMode;

use super::{ALL_OPEN, agreed, found, of_server_with};
use crate::doctor::dialogue::{Dialogue, KeyUse};
use crate::doctor::{Checked, Keys, Status, Verdict};

/// A key of TWAMP-Control, as a user gives it.
pub(super) fn a_key() -> Keys {
    Keys {
        control: Some(Key {
            id: KeyId::new("noc").unwrap(),
            passphrase: Passphrase::new(b"a secret".to_vec()),
        }),
        control_options: " --keys k".to_owned(),
        ..Keys::default()
    }
}

/// What doctor says of a server that takes some keys, and all logins in their order.
fn of_keys(modes: u32, takes: fn(KeyUse) -> bool) -> (Vec<Checked>, Verdict, Vec<KeyUse>) {
    let logins = Rc::new(RefCell::new(Vec::new()));
    let log = Rc::clone(&logins);
    let (checks, verdict) = of_server_with(a_key(), modes, move |ask| {
        let mut seen = agreed(ask);
        if ask.mode != SecurityMode::Unauthenticated {
            log.borrow_mut().push(ask.kind.key);
            if !takes(ask.kind.key) {
                seen.sessions.clear();
                seen.end = DialogueEnd::Refused(Refusal {
                    step: Step::SetUp,
                    octet: 1,
                });
            }
        }
        Dialogue::new(seen)
    });
    let logins = logins.borrow().clone();
    (checks, verdict, logins)
}

#[test]
fn a_wrong_key_is_used_once_and_compared_with_one_that_is_made_up() {
    let secured = 2 | 4 | 8;
    for (modes, id, command) in [
        (
            ALL_OPEN | secured,
            "control.mode.mixed",
            Some("twinpath controller r1"),
        ),
        (secured, "control.session", None),
    ] {
        let (checks, verdict, logins) = of_keys(modes, |_| false);
        assert_eq!(logins, [KeyUse::Own, KeyUse::UnknownName], "{modes:b}");
        let judged = found(&checks, id);
        assert_eq!(judged.status, Status::Fail, "{judged:?}");
        assert!(
            judged
                .finding
                .starts_with("the server refuses the key noc in the mixed mode"),
            "{judged:?}"
        );
        assert!(
            judged
                .advice
                .as_ref()
                .unwrap()
                .contains("made-up key alike")
        );
        let failed = checks
            .iter()
            .filter(|checked| checked.judged.status == Status::Fail);
        assert_eq!(failed.count(), 1, "{modes:b}");
        // A refusal of others proves nothing.
        for id in ["control.wrong-key", "control.unknown-key"] {
            assert_eq!(found(&checks, id).status, Status::Skipped, "{id}");
        }
        assert_eq!(verdict.command.as_deref(), command);
    }
}

#[test]
fn with_the_right_key_two_logins_fail_and_are_the_last() {
    let (checks, verdict, logins) = of_keys(ALL_OPEN | 2 | 4 | 8, |key| key == KeyUse::Own);
    let own = [KeyUse::Own; 3];
    assert_eq!(logins[..3], own);
    assert_eq!(logins[3..], [KeyUse::WrongPassphrase, KeyUse::UnknownName]);
    for id in ["control.wrong-key", "control.unknown-key"] {
        assert_eq!(found(&checks, id).status, Status::Ok, "{id}");
    }
    let command = verdict.command.unwrap();
    assert!(command.ends_with(" --keys k"), "{command}");
}
