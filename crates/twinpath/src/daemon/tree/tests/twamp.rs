//! The state in the model of TWAMP.

use std::net::SocketAddr;
use std::time::Duration;

use twinpath_proto::control::ConnectionStage;
use twinpath_proto::reflector::{ListedSession, SessionCounters, SessionOrigin, SessionStage};
use twinpath_runtime::controller::NegotiatedSession;
use twinpath_runtime::server::{ControlConnection, ListedConnection, ServerSession};
use twinpath_wire::Dscp;
use twinpath_wire::control::{Accept, Modes, Sid};
use twinpath_yang::Path;

use super::{config, model, with_state_of};
use crate::daemon::twamp::{ControlFacts, TwampServer, TwampSession, TwampState};

/// A connection with two requests, of which the second is for a sender on another host, and a server.
pub(super) fn state() -> TwampState {
    let end = |text: &str| -> SocketAddr { text.parse().unwrap() };
    let agreed = NegotiatedSession {
        sid: Sid([0xab; 16]),
        sender: end("192.0.2.9:50000"),
        reflector: end("192.0.2.1:862"),
        dscp: Dscp::BE,
    };
    let session = |name: &str, status, facts| TwampSession {
        name: name.into(),
        connection: "c".into(),
        status,
        facts,
        runs: 3,
        most: 2,
    };
    let facts = ControlFacts {
        near: Some(end("192.0.2.9:40000")),
        chosen: Some(Modes::ENCRYPTED | Modes::REFLECT_OCTETS),
        answer: Some(Accept::Ok),
        session: Some(agreed),
    };
    let refused = ControlFacts {
        answer: Some(Accept::TemporaryLimit),
        ..ControlFacts::default()
    };
    let (client, server) = (end("[2001:db8::7]:41000"), end("[2001:db8::1]:862"));
    let connection = |stage| ListedConnection {
        client,
        server,
        stage,
        modes: Modes::MIXED,
    };
    let listed = ListedSession {
        sender: end("[2001:db8::7]:20000"),
        port: 50_001,
        idle: Duration::ZERO,
        origin: SessionOrigin::Negotiated {
            sid: Sid([0xcd; 16]),
            mode: None,
            dscp: Dscp::BE,
            stage: SessionStage::Running,
            counters: SessionCounters {
                received: 9,
                reflected: 8,
                ..SessionCounters::default()
            },
        },
    };
    TwampState {
        sessions: vec![
            session("t", "running", facts),
            session("u", "waiting", refused),
        ],
        server: Some(TwampServer {
            connections: vec![connection(ConnectionStage::Running)],
            sessions: vec![ServerSession {
                session: listed,
                reflector: end("[2001:db8::1]:50001"),
                connection: ControlConnection { client, server },
            }],
        }),
    }
}

#[test]
fn the_model_of_twamp_has_its_state() {
    let model = model().unwrap();
    let tree = with_state_of(model, &config(), &super::state(), |_, _| true);
    let text = |path: &str| {
        let path = Path::parse(&model.schema, &format!("/ietf-twamp:twamp/{path}")).unwrap();
        let value = tree.value(&model.schema, &path);
        value.map(|value| model.schema.text(value).into_owned())
    };
    let connection = "client/ctrl-connection[name='c']";
    let of_server = "server/ctrl-connection[client-ip='2001:db8::7'][client-tcp-port='41000'][server-ip='2001:db8::1'][server-tcp-port='862']";
    let reflected = "session-reflector/test-session[sender-ip='2001:db8::7'][sender-udp-port='20000'][reflector-ip='2001:db8::1'][reflector-udp-port='50001']";
    for (path, value) in [
        (format!("{connection}/client-tcp-port"), "40000"),
        (format!("{connection}/repeat-count"), "2"),
        (format!("{connection}/state"), "active"),
        (format!("{connection}/selected-mode"), "encrypted reflect-octets"),
        (format!("{connection}/test-session-request[name='t']/state"), "accepted"),
        (format!("{connection}/test-session-request[name='t']/sid"), "abababababababababababababababab"),
        (format!("{connection}/test-session-request[name='u']/state"), "temp-resource-limit"),
        ("session-sender/test-session[name='t']/sent-packets".to_owned(), "10"),
        ("session-sender/test-session[name='t']/last-sent-seq".to_owned(), "9"),
        ("session-sender/test-session[name='t']/ctrl-connection-name".to_owned(), "c"),
        ("session-sender/test-session[name='t']/state".to_owned(), "failure"),
        ("session-sender/test-session[name='t']/twinpath-measurement:measurement/interval/round-trip/median".to_owned(), "41"),
        (format!("{of_server}/state"), "active"),
        (format!("{of_server}/selected-mode"), "unauth-test-encrypt-control"),
        (format!("{reflected}/sid"), "cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd"),
        (format!("{reflected}/rcv-packets"), "9"),
        (format!("{reflected}/sent-packets"), "8"),
        (format!("{reflected}/parent-connection-client-tcp-port"), "41000"),
        ("server/twinpath-measurement:state/status".to_owned(), "running"),
    ] {
        assert_eq!(text(&path).as_deref(), Some(value), "{path}");
    }
}
