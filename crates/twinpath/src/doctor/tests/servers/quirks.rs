//! Servers that err on the connection, and what is said of each.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::found;
use super::quirky_server::{HONEST, Half, Quirks, QuirkyServer};
use crate::doctor::dialogue::Dialogue;
use crate::doctor::{
    CHECKS, Checked, FarEndPlan, Keys, Network, Seen, Status, Verdict, costs, examine, verdict,
};

/// What is said of a server on loopback, how long it took, and its connections.
fn examined(at: SocketAddr) -> (Vec<Checked>, Verdict, usize) {
    let mut seen = Seen::new(FarEndPlan {
        name: at.to_string(),
        host: "127.0.0.1".to_owned(),
        addresses: vec![at],
        port: Some(at.port()),
        keys: Keys::default(),
    });
    let keys = Keys::default();
    let checks = examine(CHECKS, &mut seen, &mut Network::new(&|| false, &keys));
    let verdict = verdict(&seen, &checks);
    let of = |dialogue: &Dialogue| 1 + dialogue.repeats();
    let sent = seen.dialogues().map(of).sum();
    (checks, verdict, sent)
}

/// Check, its status, part of its finding, how the server errs.
type Quirk = (&'static str, Status, &'static str, Quirks);

const QUIRKS: &[Quirk] = &[
    (
        "control.session",
        Status::Ok,
        "is agreed on, started and reflected",
        HONEST,
    ),
    ("control.port", Status::Ok, "in place of the wished", HONEST),
    (
        "control.session",
        Status::Fail,
        "Accept 2, internal error",
        Quirks {
            accept: 2,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "Accept 77, read as 1",
        Quirks {
            accept: 77,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "Accept 4, permanent resource limitation",
        Quirks {
            set_up: 4,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "Accept 5, temporary resource limitation",
        Quirks { start: 5, ..HONEST },
    ),
    (
        "control.session",
        Status::Fail,
        "Start-Ack did not arrive in time",
        Quirks {
            is_silent: true,
            ..HONEST
        },
    ),
    (
        "control.start-delay",
        Status::Warn,
        "not answered at first",
        Quirks {
            deaf: Duration::from_secs(1),
            ..HONEST
        },
    ),
    (
        "control.feature.individual-control",
        Status::Fail,
        "refuses a session with individual session control",
        Quirks {
            modes: 1 | 16,
            ..HONEST
        },
    ),
    (
        "control.feature.reflect-octets",
        Status::Fail,
        "does not return them",
        Quirks {
            modes: 1 | 32,
            ..HONEST
        },
    ),
    (
        "control.feature.ptp-timestamps",
        Status::Fail,
        "say NTP",
        Quirks {
            modes: 1 | 512,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "ended before Server-Start arrived",
        Quirks {
            closes: true,
            ..HONEST
        },
    ),
    (
        "control.modes",
        Status::Fail,
        "offers no mode",
        Quirks { modes: 0, ..HONEST },
    ),
    (
        "control.session",
        Status::Unknown,
        "no session without a key",
        Quirks {
            modes: 2 | 4,
            ..HONEST
        },
    ),
    (
        "control.connect",
        Status::Warn,
        "another service answers",
        Quirks {
            banner: Some(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"),
            ..HONEST
        },
    ),
    (
        "control.connect",
        Status::Warn,
        "another service answers",
        Quirks {
            banner: Some(b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            ..HONEST
        },
    ),
    (
        "control.connect",
        Status::Warn,
        "says nothing",
        Quirks {
            banner: Some(b""),
            ..HONEST
        },
    ),
    (
        "control.connect",
        Status::Warn,
        "another service answers",
        Quirks {
            half: Half::Greeting,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "Server-Start did not arrive in time",
        Quirks {
            half: Half::ServerStart,
            ..HONEST
        },
    ),
    (
        "control.session",
        Status::Fail,
        "Accept-Session did not arrive in time",
        Quirks {
            half: Half::AcceptSession,
            ..HONEST
        },
    ),
    (
        "control.greeting",
        Status::Warn,
        "wants a power of 2",
        Quirks {
            modes: 3,
            count: 1_000,
            ..HONEST
        },
    ),
    (
        "control.greeting",
        Status::Warn,
        "the Count of the greeting is 512",
        Quirks {
            modes: 3,
            count: 512,
            ..HONEST
        },
    ),
    (
        "control.stop",
        Status::Fail,
        "while a session runs",
        Quirks {
            hangs_up: true,
            ..HONEST
        },
    ),
    (
        "control.stop",
        Status::Warn,
        "keeps the connection open",
        Quirks {
            stays: true,
            ..HONEST
        },
    ),
];

#[test]
fn what_a_server_does_on_the_connection_is_said_of_it() {
    let begun = Instant::now();
    let wrong: Vec<String> = thread::scope(|scope| {
        let each = QUIRKS.iter().map(|(id, status, finding, quirks)| {
            scope.spawn(move || {
                let server = QuirkyServer::start(*quirks);
                let (checks, verdict, dialogues) = examined(server.at);
                let judged = found(&checks, id);
                // The greeting is asked for once more, on a connection of its own.
                let connections = server.connections();
                let is_right = judged.status == *status
                    && judged.finding.contains(finding)
                    && connections <= dialogues as u64 + 1;
                (!is_right).then(|| {
                    format!("{finding}: {judged:?}, {connections} connections, {verdict:?}")
                })
            })
        });
        let each: Vec<_> = each.collect();
        each.into_iter()
            .filter_map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
    // None of them waits for its server without end.
    assert!(begun.elapsed() < Duration::from_mins(1));
    let most: usize = costs(CHECKS).values().sum();
    assert!(most <= 400, "{most}");
}
