//! Options of both Control-Clients, with senders of their own or elsewhere.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use super::segments::Segments;
use crate::program::{Done, Responder, free_port, run, taken_port};
use crate::secured::{keys as key_file, secured_server};

/// A command that speaks to a Server.
#[derive(Clone, Copy)]
pub(super) enum Client {
    Controller,
    /// For a sender at port 20123 of loopback.
    Controlclient,
}

impl Client {
    pub(super) fn line(self, server: &Responder, options: &str) -> String {
        let at = server.at;
        match self {
            Self::Controller => {
                format!("controller {at} 127.0.0.1:0 -c 2 -i 2 --timeout 20 {options}")
            }
            Self::Controlclient => {
                format!("controlclient 127.0.0.1:20123 {at} --duration 0.2 {options}")
            }
        }
    }

    pub(super) fn run(self, server: &Responder, options: &str) -> Done {
        run(&self.line(server, options))
    }

    /// What it printed at its end, as JSON.
    pub(super) fn document(self, server: &Responder, options: &str) -> Value {
        let done = self.run(server, &format!("--json {options}"));
        assert_eq!(done.status, 0, "{options}: {}", done.stderr);
        let last = done.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(&done.stdout)
            .or_else(|_| serde_json::from_str(last))
            .unwrap_or_else(|error| panic!("{error}: {}", done.stdout))
    }

    /// The modes that were agreed on.
    fn modes(self, document: &Value) -> u64 {
        let modes = match self {
            Self::Controller => &document["control"]["modes"],
            Self::Controlclient => &document["modes"],
        };
        modes.as_u64().unwrap_or_else(|| panic!("{document}"))
    }

    /// Where packets are sent to.
    fn reflector_port(self, document: &Value) -> u16 {
        let at = match self {
            Self::Controller => &document["sessions"][0]["reflector"],
            Self::Controlclient => &document["reflector"],
        };
        let at = at.as_str().unwrap_or_else(|| panic!("{document}"));
        at.rsplit(':').next().unwrap().parse().unwrap()
    }
}

pub(super) fn mode(client: Client) {
    let held = key_file("alice secret\n");
    let server = secured_server(&held, "--mode unauthenticated,authenticated,mixed");
    let file = held.path().display();
    let modes = |options: &str| client.modes(&client.document(&server, options)) & 15;
    assert_eq!(modes("--mode unauthenticated"), 1);
    assert_eq!(modes(&format!("--keys {file} --mode mixed")), 8);
    // A mode that is not offered is not replaced by another one.
    let server = secured_server(&held, "--mode unauthenticated,authenticated");
    let done = client.run(&server, &format!("--keys {file} --mode mixed"));
    assert_eq!(done.status, 1, "{}", done.stdout);
}

pub(super) fn keys(client: Client) {
    let held = key_file("alice secret\n");
    let others = key_file("alice another\n");
    let server = secured_server(&held, "--mode mixed");
    for (file, status) in [(&held, 0), (&others, 1)] {
        let done = client.run(&server, &format!("--keys {}", file.path().display()));
        assert_eq!(done.status, status, "{}", done.stderr);
    }
}

pub(super) fn insecure_key_file(client: Client) {
    let held = key_file("alice secret\n");
    let server = secured_server(&held, "--mode mixed");
    let readable = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(held.path(), readable).unwrap();
    let keys = format!("--keys {}", held.path().display());
    assert_ne!(client.run(&server, &keys).status, 0);
    let done = client.run(&server, &format!("{keys} --insecure-key-file"));
    assert_eq!(done.status, 0, "{}", done.stderr);
}

pub(super) fn key_id(client: Client) {
    let held = key_file("alice secret\nbob other\n");
    let server_keys = key_file("bob other\n");
    let server = secured_server(&server_keys, "--mode mixed");
    for (name, status) in [("bob", 0), ("alice", 1)] {
        let options = format!("--keys {} --key-id {name}", held.path().display());
        let done = client.run(&server, &options);
        assert_eq!(done.status, status, "{name}: {}", done.stderr);
    }
}

pub(super) fn max_pbkdf2_count(client: Client) {
    let held = key_file("alice secret\n");
    let server = secured_server(&held, "--mode mixed --pbkdf2-count 8192");
    let keys = format!("--keys {}", held.path().display());
    for (count, status) in [(4_096, 1), (8_192, 0)] {
        let done = client.run(&server, &format!("{keys} --max-pbkdf2-count {count}"));
        assert_eq!(done.status, status, "{count}: {}", done.stderr);
    }
}

pub(super) fn receiver_port(client: Client) {
    let server = Responder::server("--allow-any-port");
    let port = free_port();
    let document = client.document(&server, &format!("--receiver-port {port}"));
    assert_eq!(client.reflector_port(&document), port);
}

pub(super) fn strict(client: Client) {
    let server = Responder::server("");
    let (_held, port) = taken_port();
    let wish = format!("--receiver-port {port}");
    assert_eq!(client.run(&server, &wish).status, 0);
    assert_eq!(client.run(&server, &format!("{wish} --strict")).status, 1);
}

pub(super) fn control_dscp(client: Client) {
    let server = Responder::server("");
    let Some(mut segments) = Segments::open(server.at.port()) else {
        return;
    };
    client.document(&server, "--control-dscp cs6");
    // A Request-TW-Session.
    let asked =
        segments.wait_for(|segment| segment.to == server.at.port() && segment.payload.len() == 112);
    assert_eq!(asked.tos, 48 << 2);
}
