//! `twinpath controlclient`.

use super::every_option;

every_option! { "controlclient":
    mode keys insecure_key_file key_id max_pbkdf2_count receiver_port strict control_dscp duration
    timeout padding dscp interface ipv4 ipv6 output json verbose quiet debug logfile
}

mod rows {
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use super::super::clients::{self, Client};
    use super::super::segments::Segments;
    use crate::hosts::Hosts;
    use crate::program::{Done, Responder, finish, run, twinpath};
    use crate::secured::{keys as key_file, secured_server};

    const CLIENT: Client = Client::Controlclient;

    fn line(server: &Responder, options: &str) -> String {
        CLIENT.line(server, options)
    }

    fn agree(server: &Responder, options: &str) -> Done {
        CLIENT.run(server, options)
    }

    fn document(server: &Responder, options: &str) -> Value {
        CLIENT.document(server, options)
    }

    pub(super) fn mode() {
        clients::mode(CLIENT);
        // The sender elsewhere has no keys for it.
        let held = key_file("alice secret\n");
        let server = secured_server(&held, "");
        let options = format!("--keys {} --mode encrypted", held.path().display());
        let done = agree(&server, &options);
        assert_eq!(done.status, 2, "{}", done.stdout);
    }

    pub(super) fn keys() {
        clients::keys(CLIENT);
    }

    pub(super) fn insecure_key_file() {
        clients::insecure_key_file(CLIENT);
    }

    pub(super) fn key_id() {
        clients::key_id(CLIENT);
    }

    pub(super) fn max_pbkdf2_count() {
        clients::max_pbkdf2_count(CLIENT);
    }

    pub(super) fn receiver_port() {
        clients::receiver_port(CLIENT);
    }

    pub(super) fn strict() {
        clients::strict(CLIENT);
    }

    pub(super) fn control_dscp() {
        clients::control_dscp(CLIENT);
    }

    pub(super) fn duration() {
        let server = Responder::server("");
        let before = Instant::now();
        let done = run(&format!(
            "controlclient 127.0.0.1:20123 {} --duration 1",
            server.at
        ));
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert!(before.elapsed() >= Duration::from_secs(1));
        assert!(
            before.elapsed() < Duration::from_mins(2),
            "it does not end by itself"
        );
    }

    /// The message that asks for the session, as the server got it.
    fn requested(options: &str) -> Option<Vec<u8>> {
        let server = Responder::server("");
        let mut segments = Segments::open(server.at.port())?;
        document(&server, options);
        let port = server.at.port();
        let request =
            segments.wait_for(|segment| segment.to == port && segment.payload.len() == 112);
        Some(request.payload)
    }

    pub(super) fn timeout() {
        let Some(request) = requested("--timeout 7") else {
            return;
        };
        assert_eq!(request[76..80], 7_u32.to_be_bytes());
    }

    pub(super) fn padding() {
        let Some(request) = requested("--padding 321") else {
            return;
        };
        assert_eq!(request[64..68], 321_u32.to_be_bytes());
    }

    pub(super) fn dscp() {
        let Some(request) = requested("--dscp ef") else {
            return;
        };
        // Behind two zero bits (RFC 4656 section 3.5).
        assert_eq!(request[84..88], [46, 0, 0, 0]);
    }

    pub(super) fn interface() {
        let Some(hosts) = Hosts::new() else { return };
        let _server = hosts.listener("server :862");
        for (interface, status) in [("lo", 1), ("v0", 0)] {
            let line =
                format!("controlclient 10.98.0.1 10.98.0.2 --duration 0.2 --interface {interface}");
            let done = hosts.run(&line);
            assert_eq!(done.status, status, "{interface}: {}", done.stderr);
        }
    }

    pub(super) fn ipv4() {
        let line = "controlclient [::1]:20123 [::1]:9 --duration 0.2";
        assert_eq!(run(&format!("{line} -4")).status, 2);
        // Otherwise it is tried.
        assert_eq!(run(line).status, 1);
    }

    pub(super) fn ipv6() {
        let server = Responder::server("");
        let done = run(&format!(
            "controlclient 127.0.0.1 {} --duration 0.2 -6",
            server.at
        ));
        assert_eq!(done.status, 2, "{}{}", done.stdout, done.stderr);
    }

    pub(super) fn output() {
        let server = Responder::server("");
        let json = agree(&server, "--output json").stdout;
        assert!(json.contains("\"schema\""), "{json}");
        let text = agree(&server, "--output text").stdout;
        assert!(!text.contains("\"schema\"") && !text.is_empty(), "{text}");
    }

    pub(super) fn json() {
        let server = Responder::server("");
        assert!(agree(&server, "--json").stdout.contains("\"schema\""));
    }

    pub(super) fn verbose() {
        let server = Responder::server("");
        let lines = |options: &str| {
            let done = agree(&server, options);
            (done.stdout + &done.stderr).lines().count()
        };
        // Greeting, Server-Start, Accept-Session and what was said to them.
        assert!(lines("-v") >= lines("") + 4);
    }

    pub(super) fn quiet() {
        let remarks = |options: &str| {
            let done = run(&format!("controlclient ::1:862 [::1]:9 {options}"));
            done.stderr.matches("note: ").count()
        };
        assert_eq!((remarks(""), remarks("--quiet")), (1, 0));
    }

    pub(super) fn debug() {
        let server = Responder::server("");
        assert!(agree(&server, "--debug").stderr.contains("DEBUG"));
    }

    pub(super) fn logfile() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("log");
        let server = Responder::server("");
        let done = finish(twinpath(&line(
            &server,
            &format!("--debug -l {}", file.display()),
        )));
        assert!(!done.stderr.contains("DEBUG"), "{}", done.stderr);
        assert!(std::fs::read_to_string(file).unwrap().contains("DEBUG"));
    }
}
