//! Refusals that are not about what was asked for.

use super::{ALL_OPEN, erring, found, refuses};
use crate::doctor::Status;
use crate::doctor::dialogue::{LARGE, SESSION};

#[test]
fn a_server_without_room_for_further_sessions_is_not_said_to_lack_features() {
    for octet in [4, 5] {
        let (checks, verdict) = erring(ALL_OPEN, move |ask, seen| {
            if ask.kind.name != SESSION.name {
                refuses(seen, octet);
            }
        });
        for id in ["control.any-port", "control.feature.reflect-octets"] {
            let said = found(&checks, id);
            assert_eq!(said.status, Status::Unknown, "{said:?}");
            let words = "the server takes no further session: Accept";
            assert!(said.finding.starts_with(words), "{said:?}");
        }
        assert_eq!(verdict.exit, crate::failure::Exit::Done);
        assert_eq!(verdict.command.as_deref(), Some("twinpath controller r1"));
    }
    // A single refusal of this kind may be about the request.
    let (checks, _) = erring(ALL_OPEN, |ask, seen| {
        if ask.kind.name == LARGE.name {
            refuses(seen, 4);
        }
    });
    assert_eq!(found(&checks, "control.padding").status, Status::Warn);
}

#[test]
fn what_is_refused_as_the_first_session_is_has_no_row() {
    let (checks, _) = erring(ALL_OPEN, |_, seen| refuses(seen, 5));
    assert_eq!(found(&checks, "control.session").status, Status::Fail);
    for id in ["control.any-port", "control.zero-addresses"] {
        assert_eq!(found(&checks, id).status, Status::Skipped, "{id}");
    }
}
