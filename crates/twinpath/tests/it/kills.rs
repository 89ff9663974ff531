//! Killed at any point (SIGKILL), either side leaves nothing behind on the other.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::program::{Responder, Running, free_port};

/// A local test port that nobody else needs.
const ANY: &str = "127.0.0.1:0";
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);
/// Octets of Set-Up-Response and Request-TW-Session; and of Start-Sessions.
const REQUEST: usize = 164 + 112;
const START: usize = 32;

/// A server with one test port.
struct Server {
    process: Responder,
    port: u16,
}

impl Server {
    fn new() -> Self {
        let port = free_port();
        let process = Responder::server(&format!("--json --test-ports {port}-{port}"));
        Self { process, port }
    }

    fn has_its_port(&self) -> bool {
        UdpSocket::bind((Ipv4Addr::LOCALHOST, self.port)).is_err()
    }

    /// Its port is free again; its last words.
    fn left_with_nothing(self) -> serde_json::Value {
        let patience = Instant::now() + PATIENCE;
        while self.has_its_port() {
            assert!(Instant::now() < patience, "the test port is still open");
            thread::sleep(Duration::from_millis(20));
        }
        serde_json::from_str(&self.process.stop("INT").stdout).unwrap()
    }
}

/// A connection to a server that carries so many octets of the client's and no more. Says when there
/// are more: the client waits for an answer then, or has said its last word.
fn relay(server: SocketAddr, limit: usize) -> (SocketAddr, Receiver<()>) {
    let listener = TcpListener::bind(ANY).unwrap();
    let at = listener.local_addr().unwrap();
    let (tell, withheld) = channel();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut far = TcpStream::connect(server).unwrap();
        let (mut back, mut answers) = (client.try_clone().unwrap(), far.try_clone().unwrap());
        thread::spawn(move || {
            // Ends with the server, by an error too.
            let _ = std::io::copy(&mut answers, &mut back);
            let _ = back.shutdown(Shutdown::Both);
        });
        let mut left = limit;
        let mut octets = [0; 512];
        while let Ok(count @ 1..) = client.read(&mut octets) {
            let passed = count.min(left);
            left -= passed;
            far.write_all(&octets[..passed]).unwrap();
            if passed < count {
                let _ = tell.send(());
            }
        }
        let _ = far.shutdown(Shutdown::Both);
    });
    (at, withheld)
}

/// A controller during the run: its first packet came back.
fn in_mid_run(server: &Server) -> Running {
    let line = format!(
        "controller {} {ANY} --duration 600 -i 10 --timeout 0.2 --output jsonl",
        server.process.at
    );
    let mut controller = Running::start(&line);
    controller.wait_for("\"received\"");
    controller
}

#[test]
fn a_server_killed_in_mid_run_leaves_the_controller_with_its_report_and_a_warning() {
    let server = Server::new();
    let controller = in_mid_run(&server);
    drop(server);
    let done = controller.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let document = done.document();
    let packets = &document["sessions"][0]["packets"];
    assert!(packets["received"].as_u64().unwrap() >= 1, "{packets}");
    assert!(packets["sent"].as_u64().unwrap() < 60_000, "{packets}");
    let notes = document["control"]["notes"].as_array().unwrap();
    let keys: Vec<&str> = notes.iter().map(|n| n["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["server-gone", "ended-early"]);
    assert!(
        done.stderr
            .contains("warning: lost the connection to the server")
            && done.stderr.contains("before the end"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_server_killed_in_mid_run_is_a_failure_of_the_control_client() {
    let server = Server::new();
    let line = format!("controlclient 127.0.0.1:20000 {}", server.process.at);
    let mut client = Running::start(&line);
    client.wait_for("");
    drop(server);
    let done = client.finish();
    assert_eq!(done.status, 1);
    assert!(
        done.stderr.contains("the session ended early"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_server_killed_before_start_is_one_line() {
    let server = Server::new();
    let (at, withheld) = relay(server.process.at, REQUEST);
    let controller = Running::start(&format!("controller {at} {ANY} -c 5 -i 5"));
    withheld.recv_timeout(PATIENCE).unwrap();
    drop(server);
    let done = controller.finish();
    assert_eq!((done.status, done.stdout.as_str()), (1, ""));
    assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
    assert!(
        done.stderr
            .contains("the connection ended before Start-Ack arrived"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_server_killed_before_stop_costs_nothing() {
    let server = Server::new();
    let (at, withheld) = relay(server.process.at, REQUEST + START);
    let line = format!("controller {at} {ANY} -c 5 -i 5 --json");
    let controller = Running::start(&line);
    withheld.recv_timeout(PATIENCE).unwrap();
    drop(server);
    let done = controller.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 5);
}

#[test]
fn a_controller_killed_in_mid_run_leaves_the_server_nothing() {
    let server = Server::new();
    let controller = in_mid_run(&server);
    assert!(server.has_its_port());
    drop(controller);
    let last = server.left_with_nothing();
    assert_eq!(last["sessions"]["started"], 1, "{last}");
    assert_eq!(last["sessions"]["expired"], 0, "stopped, not forgotten");
    assert!(last["reflected"].as_u64().unwrap() >= 1, "{last}");
}

#[test]
fn a_controller_killed_before_start_or_before_stop_leaves_the_server_nothing() {
    for (limit, started) in [(REQUEST, 0), (REQUEST + START, 1)] {
        let server = Server::new();
        let (at, withheld) = relay(server.process.at, limit);
        let controller = Running::start(&format!("controller {at} {ANY} -c 5 -i 5"));
        withheld.recv_timeout(PATIENCE).unwrap();
        assert!(server.has_its_port());
        drop(controller);
        let last = server.left_with_nothing();
        assert_eq!(last["sessions"]["made"], 1, "{last}");
        assert_eq!(last["sessions"]["started"], started, "{last}");
        assert_eq!(last["sessions"]["expired"], 0, "{last}");
    }
}
