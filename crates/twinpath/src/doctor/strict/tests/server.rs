//! Trials against servers in memory: the engine, and what errs in a defined way around it.

use std::cell::Cell;
use std::io::ErrorKind;
use std::rc::Rc;

use twinpath_proto::control::ServerConfig;
use twinpath_proto::security::{Credentials, KeyId, Passphrase};
use twinpath_runtime::keys::Key;
use twinpath_runtime::probe::{Connection, Crowd, RawRead};

use super::*;
use crate::doctor::strict::steps::{Line, Step, Transcript};
use fixture::{Errs, FIRST_PORT, Host, PORTS, Session};
use relay::RelayErrs;

mod errors;
mod fixture;
mod loss;
mod relay;
mod secured;
mod sessions;

/// A key that the server may have, and what it says of keys.
const SALT: [u8; 16] = [0x5a; 16];
const COUNT: u32 = 2;

fn key() -> Key {
    Key {
        id: KeyId::new("alice").unwrap(),
        passphrase: Passphrase::new(b"a passphrase".to_vec()),
    }
}

/// Parts of one mode, with a key or without.
fn parts_in_mode(are_in_mode: bool) -> Vec<&'static Part> {
    let each = parts(true).into_iter();
    each.filter(|part| matches!(part.trials, Trials::InMode(_)) == are_in_mode)
        .collect()
}

/// All trials, with the key if the server has one.
fn tried(errs: Errs) -> Vec<Tried> {
    let control = errs.has_key.then(key);
    tried_with(errs, control)
}

fn tried_with(errs: Errs, control: Option<Key>) -> Vec<Tried> {
    let parts = parts_in_mode(control.is_some());
    let keys = Keys {
        control,
        most_pbkdf2_count: COUNT,
        ..Keys::default()
    };
    let subjects = Subjects {
        control: Some("203.0.113.7:862".parse().unwrap()),
        ..Subjects::default()
    };
    let mut host = Host {
        errs: Rc::new(errs),
        counts: Rc::default(),
    };
    let all = run(&parts, &subjects, &keys, &mut host);
    let datagrams = usize::try_from(host.counts.datagrams.get()).unwrap();
    let sent = host.counts.connections.get() + datagrams;
    assert!(sent <= most_packets(&parts), "{sent}");
    all.into_iter().flat_map(|(_, tried)| tried).collect()
}

#[test]
fn a_server_that_does_all_as_it_must_passes_all() {
    let tried = tried(Errs::default());
    assert!(tried.len() > 40, "{}", tried.len());
    for status in [Status::Fail, Status::Unclear] {
        let found: Vec<_> = tried
            .iter()
            .filter(|tried| tried.status == status)
            .collect();
        assert!(found.is_empty(), "{found:#?}");
    }
    // It offers all features, and has no keys.
    assert_eq!(
        with(&tried, Status::Skipped),
        BTreeSet::from([
            "strict.control.feature-not-offered",
            "strict.control.unknown-key"
        ])
    );
}

#[test]
fn where_no_request_is_accepted_nothing_is_said_of_odd_ones() {
    let errs = Errs {
        reads: Some(|octets| {
            if octets.len() == 112 {
                octets[2] = 1;
            }
        }),
        ..Errs::default()
    };
    let tried = tried(errs);
    let failed = with(&tried, Status::Fail);
    assert_eq!(failed, BTreeSet::from([""; 0]));
    let unclear = with(&tried, Status::Unclear);
    assert!(
        unclear.contains("strict.control.request-mbz"),
        "{unclear:?}"
    );
    assert!(
        unclear.contains("strict.control.receiver-foreign"),
        "{unclear:?}"
    );
    assert!(
        unclear.contains("strict.control.two-sessions"),
        "{unclear:?}"
    );
}

#[test]
fn requests_have_the_ip_version_of_their_connection() {
    for (is_v6, version, address) in [(false, 4, 192), (true, 6, 0x20)] {
        let seen = Transcript::new(is_v6, Wall::from_unix_ns(0), PORTS);
        for part in parts(true) {
            let Trials::Dialogues(trials) = part.trials else {
                continue;
            };
            for trial in trials {
                for step in trial.how.steps {
                    let Step::Write(message) = step else {
                        continue;
                    };
                    let message = message(&seen);
                    if message.len() != 112 || message[0] != 5 || trial.id.ends_with("ipvn") {
                        continue;
                    }
                    assert_eq!(message[1] & 15, version, "{}", trial.id);
                    let mut addresses = [message[16], message[32]].into_iter();
                    assert!(addresses.all(|first| first == 0 || first == address));
                }
            }
        }
    }
}

#[test]
fn each_error_of_a_server_is_found_by_its_trials_and_by_no_others() {
    let mut wrong = Vec::new();
    let mut found_by = BTreeSet::new();
    for error in errors::all() {
        let tried = tried(error.errs);
        let failed = with(&tried, Status::Fail);
        let unclear = with(&tried, Status::Unclear);
        found_by.extend(error.fail.iter().chain(error.unclear).copied());
        let wanted = |ids: &[&'static str]| ids.iter().copied().collect::<BTreeSet<_>>();
        if failed != wanted(error.fail) || unclear != wanted(error.unclear) {
            wrong.push(odd(error.name, &tried));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_found(false, &found_by);
}

/// What an error of a far end came to, with all trials that found something.
fn odd(error: &str, tried: &[Tried]) -> String {
    let odd: Vec<_> = tried
        .iter()
        .filter(|tried| matches!(tried.status, Status::Fail | Status::Unclear))
        .map(|tried| format!("{:?} {}: {}", tried.status, tried.id, tried.evidence))
        .collect();
    format!("{error}: {odd:#?}")
}

/// Each trial is worth its connection: some server does not pass it.
fn assert_found(are_in_mode: bool, found_by: &BTreeSet<&'static str>) {
    let all = parts_in_mode(are_in_mode)
        .into_iter()
        .flat_map(Part::trials);
    let idle: Vec<_> = all
        .map(|trial| trial.id)
        .filter(|id| !found_by.contains(id))
        .collect();
    assert_eq!(idle, [""; 0], "trials without an error that they find");
}

#[test]
fn a_server_that_greets_no_more_is_not_asked_again_and_again() {
    let subjects = Subjects {
        control: Some("203.0.113.7:862".parse().unwrap()),
        ..Subjects::default()
    };
    let mut far = Far::honest();
    let parts = run(&parts(true), &subjects, &Keys::default(), &mut far);
    for (_, tried) in parts {
        let unclear = with(&tried, Status::Unclear).len();
        assert!(unclear <= 3, "{tried:#?}");
        assert_eq!(
            with(&tried, Status::Pass).len() + with(&tried, Status::Fail).len(),
            0
        );
    }
}

#[test]
fn a_limit_of_connections_is_told_from_one_that_is_said() {
    let greeted_with_none = vec![0; 64];
    let made = |octets, is_closed| Crowd::Made(RawRead { octets, is_closed });
    let limited = |why| Crowd::Limited { made: 6, why };
    let not_greeted = "for which RFC 4656 has Modes 0";
    for (crowd, status, evidence) in [
        (
            made(greeted_with_none, false),
            Status::Pass,
            "greeted with Modes 0",
        ),
        (made(Vec::new(), true), Status::Unclear, not_greeted),
        (made(Vec::new(), false), Status::Unclear, "gets no greeting"),
        (
            limited(Connection::Refused),
            Status::Unclear,
            "connection 7 of 20 is refused: a limit",
        ),
        (
            limited(Connection::Silent),
            Status::Unclear,
            "connection 7 of 20 is not answered: a limit",
        ),
        // This host's own limit is none of the far end.
        (
            limited(Connection::Failed(ErrorKind::OutOfMemory)),
            Status::Unclear,
            "connection 7 of 20 fails: out of memory",
        ),
    ] {
        let errs = Errs {
            crowded: Some(crowd),
            ..Errs::default()
        };
        let tried = tried(errs);
        let mut all = tried.iter();
        let found = all.find(|tried| tried.id == "strict.control.idle-connections");
        let found = found.unwrap();
        assert_eq!(found.status, status, "{found:?}");
        assert!(found.evidence.contains(evidence), "{found:?}");
    }
}

/// A host that is stopped after so many looks.
struct Stopping {
    host: Host,
    looks: Cell<usize>,
    most: usize,
}

impl Link for Stopping {
    fn now(&self) -> Wall {
        self.host.now()
    }

    fn trains(&mut self, trains: &[Train]) -> Option<Vec<Result<TrainSeen, String>>> {
        self.host.trains(trains)
    }

    fn is_stopped(&self) -> bool {
        self.looks.set(self.looks.get() + 1);
        self.looks.get() > self.most
    }

    fn credentials(&mut self, key: &Key) -> Option<Credentials> {
        self.host.credentials(key)
    }

    fn connect(
        &mut self,
        far: SocketAddr,
        patience: Duration,
    ) -> Option<Result<Box<dyn Line>, String>> {
        if self.is_stopped() {
            return None;
        }
        self.host.connect(far, patience)
    }
}

#[test]
fn a_trial_that_is_stopped_says_nothing_of_the_server() {
    let parts = parts_in_mode(false);
    let subjects = Subjects {
        control: Some("203.0.113.7:862".parse().unwrap()),
        ..Subjects::default()
    };
    let mut passed = BTreeSet::new();
    for most in 0..60 {
        let mut link = Stopping {
            host: Host {
                errs: Rc::default(),
                counts: Rc::default(),
            },
            looks: Cell::new(0),
            most,
        };
        let all = run(&parts, &subjects, &Keys::default(), &mut link);
        let tried: Vec<Tried> = all.into_iter().flat_map(|(_, tried)| tried).collect();
        for status in [Status::Fail, Status::Unclear] {
            assert_eq!(with(&tried, status), BTreeSet::from([""; 0]), "{most}");
        }
        passed.insert(with(&tried, Status::Pass).len());
    }
    // Those before it are judged.
    assert!(passed.len() > 3, "{passed:?}");
}
