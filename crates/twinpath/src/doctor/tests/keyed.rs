//! Far ends with a key of authenticated STAMP, and those that err with it.

use std::sync::Arc;

use twinpath_proto::stamp::{KeyScope, StampKey, StampKeys};
use twinpath_wire::StampReflectorAuthenticated;

use super::{examined_with, with};
use crate::doctor::fakes::{FakeFar, Request, Sent};
use crate::doctor::{Checked, Keys, Status, Verdict};

const BASE: usize = StampReflectorAuthenticated::OCTETS;

pub(super) fn key(octet: u8) -> StampKey {
    StampKey::new(&[octet; 32]).unwrap()
}

pub(super) fn keys(key: StampKey) -> Arc<StampKeys> {
    Arc::new(StampKeys::new([(KeyScope::Default, key)]))
}

/// What doctor says, with its own key, of a far end with another or the same.
fn examined(
    there: Option<StampKey>,
    errs: impl FnMut(&Request<'_>, Vec<Sent>) -> Vec<Sent> + 'static,
) -> (Vec<Checked>, Verdict) {
    let mut far = FakeFar::erring(errs);
    far.keys = keys(key(1));
    if let Some(key) = there {
        far.reflector.set_keys(keys(key));
    }
    let keys = Keys::default().with_stamp(keys(key(1)), " --hmac-key-file k".to_owned());
    examined_with(far, None, keys)
}

fn as_they_are(_: &Request<'_>, replies: Vec<Sent>) -> Vec<Sent> {
    replies
}

#[test]
fn a_far_end_with_the_key_answers_what_is_right_alone() {
    let (checks, verdict) = examined(Some(key(1)), as_they_are);
    for status in [Status::Fail, Status::Warn] {
        assert_eq!(with(&checks, status), [""; 0], "{status:?}");
    }
    let ok = with(&checks, Status::Ok);
    for id in [
        "stamp.authenticated",
        "stamp.authenticated.wrong-hmac",
        "stamp.authenticated.tlv-hmac",
    ] {
        assert!(ok.contains(&id), "{id}");
    }
    let command = "twinpath sender r1 --stamp --authenticated --hmac-key-file k";
    assert_eq!(verdict.command.as_deref(), Some(command));
    assert!(
        verdict
            .sentence
            .contains("authenticated STAMP (UDP port 862)"),
        "{}",
        verdict.sentence
    );
}

type Errs = fn(&Request<'_>, Vec<Sent>) -> Vec<Sent>;
/// Check, part of its finding, the far end's key, how it errs.
type Error = (&'static str, &'static str, Option<StampKey>, Errs);

fn errors() -> [Error; 6] {
    [
        (
            "stamp.authenticated",
            "is not answered, and open STAMP is",
            None,
            as_they_are,
        ),
        (
            "stamp.authenticated",
            "is not answered, and open STAMP is",
            Some(key(2)),
            as_they_are,
        ),
        (
            "stamp.authenticated",
            "the HMAC of its replies is wrong",
            Some(key(1)),
            |_, mut replies| {
                for reply in &mut replies {
                    if let Some(last) = reply.octets.get_mut(BASE - 1) {
                        *last ^= 1;
                    }
                }
                replies
            },
        ),
        (
            "stamp.authenticated.wrong-hmac",
            "3 of 3 packets with a wrong HMAC are answered",
            Some(key(1)),
            |request, mut replies| {
                if replies.is_empty() && request.octets.len() >= BASE {
                    let mut octets = vec![0; BASE];
                    octets[48..52].copy_from_slice(&request.octets[..4]);
                    key(1).seal(&mut octets);
                    replies.push(Sent {
                        octets,
                        from: "203.0.113.7:862".parse().unwrap(),
                        tos: twinpath_wire::Tos(0),
                        asked: twinpath_wire::Tos(0),
                        ttl: 255,
                        late: std::time::Duration::ZERO,
                    });
                }
                replies
            },
        ),
        (
            "stamp.authenticated.tlv-hmac",
            "TLVs come back with a wrong HMAC",
            Some(key(1)),
            |request, mut replies| {
                for reply in &mut replies {
                    if request.octets.len() > BASE && reply.octets.len() > BASE {
                        *reply.octets.last_mut().unwrap() ^= 1;
                    }
                }
                replies
            },
        ),
        (
            "stamp.authenticated.tlv-hmac",
            "without an HMAC",
            Some(key(1)),
            |request, mut replies| {
                if request.octets.len() > BASE {
                    for reply in &mut replies {
                        reply.octets.truncate(BASE);
                    }
                }
                replies
            },
        ),
    ]
}

#[test]
fn each_error_with_a_key_is_found() {
    let mut wrong = Vec::new();
    for (id, finding, there, errs) in errors() {
        let (checks, _) = examined(there, errs);
        let found = checks.iter().find(|checked| checked.id == id).unwrap();
        let judged = &found.judged;
        let is_right = judged.finding.contains(finding)
            && matches!(judged.status, Status::Fail | Status::Warn)
            && judged.advice.is_some();
        if !is_right {
            wrong.push(format!("{finding}: {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
