//! The model of TWAMP (RFC 8913): its four roles, configured and read by RESTCONF.

use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Answer, PATIENCE, Served};
use crate::program::{free_port, run, shell};

const TWAMP: &str = "/data/ietf-twamp:twamp";

/// A daemon whose server is that of the model.
fn server() -> (Served, u16) {
    let port = free_port();
    let more = format!(
        "\n[twamp.server]\nserver-tcp-port = {port}\naddress = [\"127.0.0.1\"]\n\n[twamp.session-reflector]\nrefwait = 77\n"
    );
    (Served::with(&more), port)
}

/// A daemon whose anonymous users may change the model.
fn near() -> Served {
    Served::with("\n[nacm]\nwrite-default = \"permit\"\n")
}

/// A client with this request and this session of its sender.
fn client(port: u16, request: Value, session: Option<Value>) -> Value {
    let mut request = request;
    request["name"] = json!("t");
    request["reflector-ip"] = json!("127.0.0.1");
    let mut twamp = json!({ "client": { "ctrl-connection": [{
        "name": "c", "server-ip": "127.0.0.1", "server-tcp-port": port, "test-session-request": [request],
    }] } });
    if let Some(mut session) = session {
        session["name"] = json!("t");
        twamp["session-sender"] = json!({ "test-session": [session] });
    }
    json!({ "ietf-twamp:twamp": twamp })
}

impl Served {
    /// The model's data once something holds of it.
    fn twamp_when(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut document = self.get(TWAMP).document();
            let twamp = document["ietf-twamp:twamp"].take();
            if holds(&twamp) {
                return twamp;
            }
            assert!(Instant::now() < until, "not {what}: {twamp:#}");
            sleep(Duration::from_millis(20));
        }
    }

    fn put_twamp(&self, twamp: &Value) -> Answer {
        self.json("PUT", TWAMP, twamp)
    }
}

#[test]
fn a_session_of_so_many_packets_is_negotiated_measured_and_repeated() {
    let (far, port) = server();
    let near = near();
    let session = json!({ "number-of-packets": 5, "periodic-interval": "0.02", "twinpath-measurement:report-interval": "50ms" });
    let request = json!({ "test-packet-dscp": 46, "padding-length": 100, "timeout": "1", "repeat": 1, "repeat-interval": 0 });
    let put = near.put_twamp(&client(port, request, Some(session)));
    assert_eq!(put.status, 201, "{put:?}");
    // The server's side while it runs, or after it: its figures are those of what it answered.
    far.twamp_when("ten packets answered", |twamp| {
        let state = &twamp["server"]["twinpath-measurement:state"];
        state["replies"] == "10" && state["status"] == "running"
    });
    let twamp = near.twamp_when("finished", |twamp| {
        let session = &twamp["session-sender"]["test-session"][0];
        session["twinpath-measurement:measurement"]["status"] == "finished"
    });
    let connection = &twamp["client"]["ctrl-connection"][0];
    assert_eq!(connection["state"], "idle");
    assert_eq!(connection["repeat-count"], "1", "{connection:#}");
    assert_eq!(connection["selected-mode"], "unauthenticated");
    let request = &connection["test-session-request"][0];
    assert_eq!(request["state"], "accepted");
    assert_eq!(request["sid"].as_str().unwrap().len(), 32);
    let session = &twamp["session-sender"]["test-session"][0];
    assert_eq!(session["ctrl-connection-name"], "c");
    let counts =
        ["sent-packets", "rcv-packets", "last-sent-seq"].map(|leaf| session[leaf].as_u64());
    assert_eq!(counts, [Some(5), Some(5), Some(4)], "{session:#}");
    let measured = &session["twinpath-measurement:measurement"];
    assert_eq!(
        (&measured["class"], &measured["lost"]),
        (&json!(46), &json!("0"))
    );
    assert!(
        measured["interval"]["round-trip"]["median"].is_string(),
        "{measured:#}"
    );
    let sender = measured["sender"].as_str().unwrap();
    let sender: std::net::SocketAddr = sender.parse().unwrap();
    assert!(sender.port() >= 49_152, "{sender}");
    is_valid(&near);
}

#[test]
fn the_server_shows_its_connections_and_sessions_until_they_are_over() {
    let (far, port) = server();
    let near = near();
    let session = json!({ "number-of-packets": 100_000, "lambda": "0.02" });
    let put = near.put_twamp(&client(port, json!({}), Some(session)));
    assert_eq!(put.status, 201, "{put:?}");
    let twamp = far.twamp_when("packets reflected", |twamp| {
        twamp["session-reflector"]["test-session"][0]["sent-packets"].as_u64() > Some(2)
    });
    let connection = &twamp["server"]["ctrl-connection"][0];
    assert_eq!(
        (&connection["client-ip"], &connection["state"]),
        (&json!("127.0.0.1"), &json!("active"))
    );
    let reflected = &twamp["session-reflector"]["test-session"][0];
    assert_eq!(
        reflected["parent-connection-client-tcp-port"],
        connection["client-tcp-port"]
    );
    assert_eq!(twamp["session-reflector"]["refwait"], 77);
    // It is the same session at both ends.
    let own = near.twamp_when("active", |twamp| {
        twamp["session-sender"]["test-session"][0]["state"] == "active"
    });
    let request = &own["client"]["ctrl-connection"][0]["test-session-request"][0];
    assert_eq!(request["sid"], reflected["sid"]);
    is_valid(&far);
    // Without its request it ends.
    let gone = near.ask("DELETE", TWAMP, &[], "");
    assert_eq!(gone.status, 204, "{gone:?}");
    far.twamp_when("over", |twamp| twamp["server"]["ctrl-connection"].is_null());
}

#[test]
fn a_request_for_a_sender_elsewhere_is_negotiated_and_its_packets_are_answered() {
    let (far, port) = server();
    let near = near();
    let sender = 49_153 + free_port() % 16_000;
    let request = json!({ "sender-ip": "127.0.0.1", "sender-udp-port": sender, "reflector-udp-port": sender - 1 });
    let put = near.put_twamp(&client(port, request, None));
    assert_eq!(put.status, 201, "{put:?}");
    near.twamp_when("accepted", |twamp| {
        let request = &twamp["client"]["ctrl-connection"][0]["test-session-request"][0];
        request["state"] == "accepted" && request["sid"].is_string()
    });
    let twamp = far.twamp_when("a session", |twamp| {
        twamp["session-reflector"]["test-session"].is_array()
    });
    let reflected = &twamp["session-reflector"]["test-session"][0];
    assert_eq!(reflected["sender-udp-port"], sender);
    let to = &reflected["reflector-udp-port"];
    let line =
        format!("sender 127.0.0.1:{to} 127.0.0.1:{sender} -c 3 -i 20 --reflector stateful --json");
    let done = run(&line);
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 3);
    far.twamp_when("three packets", |twamp| {
        twamp["session-reflector"]["test-session"][0]["rcv-packets"] == 3
    });
}

#[test]
fn what_the_daemon_does_not_have_of_the_model_is_refused_and_said_in_the_library() {
    let served = near();
    let key = json!({ "ietf-twamp:twamp": { "server": { "key-chain": [{ "key-id": "k", "secret-key": "c2VjcmV0MQ==" }] } } });
    let answer = served.put_twamp(&key);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(answer.body.contains("key-chain"), "{answer:?}");
    let unknown = client(
        862,
        json!({ "timeout": "0" }),
        Some(json!({ "number-of-packets": 1, "lambda": "1.0" })),
    );
    let answer = served.put_twamp(&unknown);
    assert_eq!(answer.status, 400, "{answer:?}");
    assert!(
        answer
            .body
            .contains("test-session-request[name='t']/timeout"),
        "{answer:?}"
    );
    let library = served
        .get("/data/ietf-yang-library:yang-library")
        .document();
    let modules = &library["ietf-yang-library:yang-library"]["module-set"][0]["module"];
    let twamp = modules
        .as_array()
        .unwrap()
        .iter()
        .find(|it| it["name"] == "ietf-twamp")
        .unwrap();
    assert_eq!(twamp["deviation"], json!(["twinpath-twamp-deviations"]));
    assert_eq!(twamp["feature"].as_array().unwrap().len(), 4);
}

/// yanglint, which others wrote, takes all data of the model.
fn is_valid(served: &Served) {
    if shell("yanglint --version").status != 0 {
        eprintln!("skipped: yanglint is not installed");
        return;
    }
    let document = served.get(TWAMP);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data.json");
    std::fs::write(&file, document.body).unwrap();
    let yang = concat!(env!("CARGO_MANIFEST_DIR"), "/../twinpath-yang/yang");
    let done = shell(&format!(
        "cd {yang} && yanglint -f json -t get -p . twinpath-measurement@*.yang ietf-twamp@*.yang twinpath-twamp-deviations@*.yang {}",
        file.display()
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
}
