//! Limits in a file, which SIGHUP has read again.
#![cfg(unix)]

use std::net::UdpSocket;
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::program::{Responder, Running, run};
use crate::responders::last_words;

const ANY: &str = "127.0.0.1:0";
/// Three replies, 1 ms apart, no longer than they must be (RFC 10052).
const THREE: [u8; 16] = [0x80, 12, 0, 12, 0, 0, 0, 3, 0, 15, 0x42, 0x40, 0, 0, 0, 0];
/// Class of Service: replies with DSCP 46.
const EF: [u8; 8] = [0x80, 4, 0, 4, 46 << 2, 0, 0, 0];

/// A file of limits.
struct Limits(NamedTempFile);

impl Limits {
    fn of(text: &str) -> Self {
        let limits = Self(NamedTempFile::new().unwrap());
        limits.write(text);
        limits
    }

    fn write(&self, text: &str) {
        std::fs::write(self.0.path(), text).unwrap();
    }

    /// Other limits, and what the program says of them.
    fn change(&self, text: &str, program: &mut Responder) -> String {
        self.write(text);
        program.signal("HUP");
        program.wait_for(": ").trim_end().to_owned()
    }

    fn option(&self) -> String {
        format!("--limits {}", self.0.path().display())
    }
}

/// A sender whose requests are followed by those of another client, which always gets a reply: one that is not
/// there by then does not come.
struct Sender {
    socket: UdpSocket,
    other: UdpSocket,
    next: u32,
}

impl Sender {
    fn to(responder: &Responder) -> Self {
        let bound = |from: &str| {
            let socket = UdpSocket::bind((from, 0)).unwrap();
            socket.connect(responder.at).unwrap();
            let patience = Duration::from_secs(20);
            socket.set_read_timeout(Some(patience)).unwrap();
            socket
        };
        Self {
            socket: bound("127.0.0.1"),
            other: bound("127.0.0.2"),
            next: 100,
        }
    }

    /// The reply to one more request with these TLVs.
    fn ask(&mut self, tlvs: &[u8]) -> Option<Vec<u8>> {
        self.next += 1;
        self.socket.send(&request(self.next, tlvs)).unwrap();
        self.other.send(&request(0, &[])).unwrap();
        let mut buffer = [0; 2_048];
        self.other.recv(&mut buffer).unwrap();
        self.socket.set_nonblocking(true).unwrap();
        let received = self.socket.recv(&mut buffer);
        self.socket.set_nonblocking(false).unwrap();
        Some(buffer[..received.ok()?].to_vec())
    }

    /// The number of the reply to a request without TLVs.
    fn number(&mut self) -> Option<u32> {
        let reply = self.ask(&[])?;
        Some(u32::from_be_bytes(reply[..4].try_into().unwrap()))
    }
}

/// An open STAMP request.
fn request(seq: u32, tlvs: &[u8]) -> Vec<u8> {
    let mut request = [seq.to_be_bytes().as_slice(), &[0; 40], tlvs].concat();
    request[4..16].copy_from_slice(&[0xee, 0xae, 0x85, 0x17, 0, 0, 0, 1, 0x80, 1, 2, 1]);
    request
}

/// The first that comes; a thread takes other limits with its next turn.
fn soon<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let found = (0..1_000).find_map(|_| look());
    found.expect("the limits are not in force")
}

#[test]
fn limits_are_read_again_and_sessions_go_on() {
    let limits = Limits::of("# at the edge\nmax-rate 100000\n");
    let line = format!("{ANY} --json {}", limits.option());
    let mut responder = Responder::start(&line);
    assert!(
        responder
            .wait_for("note: ")
            .contains("at most 100000 packets/s")
    );
    let mut sender = Sender::to(&responder);
    assert_eq!((sender.number(), sender.number()), (Some(0), Some(1)));
    let mut last = 1;

    let said = limits.change("allow 127.0.0.2/32\n", &mut responder);
    assert!(
        said.ends_with(": 1 limit read; added allow 127.0.0.2/32; removed max-rate; 0 as before"),
        "{said}"
    );
    soon(|| match sender.number() {
        Some(number) => {
            last = number;
            None
        }
        None => Some(()),
    });
    assert_eq!(sender.number(), None);
    // What cannot be used changes nothing.
    let said = limits.change("max-rate 5\nallow 127.0.0.256\n", &mut responder);
    assert!(said.contains(":2: allow 127.0.0.256: "), "{said}");
    assert!(said.ends_with("; keeping the old limits"), "{said}");
    assert_eq!(sender.number(), None);

    let said = limits.change("allow 127.0.0.2/32\nallow 127.0.0.1/32\n", &mut responder);
    assert!(
        said.ends_with(": 2 limits read; changed allow (2 lines); 0 as before"),
        "{said}"
    );
    assert_eq!(soon(|| sender.number()), last + 1);

    // What TLVs ask for, before and after.
    let refused = sender.ask(&EF).unwrap();
    assert_eq!(refused[49] % 4, 1, "{refused:?}");
    limits.change("allow-dscp ef,af41\n", &mut responder);
    soon(|| sender.ask(&EF).filter(|reply| reply[49] % 4 == 0));
    assert_eq!(sender.ask(&THREE).unwrap()[44], 0x80);
    let control = "allow-control 127.0.0.1/32\ncontrol-unauthenticated\n";
    let said = limits.change(control, &mut responder);
    assert!(
        said.contains("added allow-control 127.0.0.1/32, control-unauthenticated"),
        "{said}"
    );
    let first = soon(|| sender.ask(&THREE).filter(|reply| reply[44] == 0));
    let mut further = [0; 2_048];
    for number in 1..=2 {
        sender.socket.recv(&mut further).unwrap();
        assert_eq!(further[3], first[3].wrapping_add(number));
    }
    let said = limits.change(control, &mut responder);
    assert!(said.ends_with(": 2 limits read; nothing changed"), "{said}");
    let last = last_words(responder);
    assert_eq!(last["sessions"]["made"], 2, "{last}");
    assert_eq!(last["reflected_control"]["granted"], 1, "{last}");
}

#[test]
fn sessions_in_use_stay_where_fewer_are_allowed() {
    let limits = Limits::of("max-sessions 4\n");
    let mut responder = Responder::start(&format!("{ANY} --json {}", limits.option()));
    let mut senders = [(); 3].map(|()| Sender::to(&responder).socket);
    let number = |socket: &mut UdpSocket| {
        socket.send(&request(77, &[])).unwrap();
        let mut reply = [0; 2_048];
        socket.recv(&mut reply).unwrap();
        u32::from_be_bytes(reply[..4].try_into().unwrap())
    };
    assert_eq!(senders.each_mut().map(number), [0; 3]);
    limits.change("max-sessions 1\n", &mut responder);
    // A new one is answered without state: with the request's number.
    soon(|| {
        let new = &mut Sender::to(&responder).socket;
        (number(new) == 77).then_some(())
    });
    assert_eq!(senders.each_mut().map(number), [1; 3]);
    let last = last_words(responder);
    assert!(last["sessions"]["live"].as_u64() >= Some(3), "{last}");
    assert!(last["answered_stateless"].as_u64() >= Some(1), "{last}");
}

#[test]
fn one_signal_has_keys_and_limits_read_again() {
    let keys = crate::secured::keys("00112233445566778899aabbccddeeff\n");
    let limits = Limits::of("max-rate 5\n");
    let file = keys.path().display();
    let line = format!("{ANY} --hmac-key-file {file} {}", limits.option());
    let mut responder = Responder::start(&line);
    limits.write("max-rate 6\n");
    responder.signal("HUP");
    responder.wait_for(": 1 key read; nothing changed");
    responder.wait_for(": 1 limit read; changed max-rate 6; 0 as before");
    assert_eq!(responder.stop("TERM").status, 0);
}

#[test]
fn a_server_reads_its_limits_again_and_sessions_go_on() {
    let limits = Limits::of("max-connections 50\n");
    let mut server = Responder::server(&format!("--json {}", limits.option()));
    let at = server.at;
    let mut long = Running::start(&format!(
        "controller {at} {ANY} --duration 600 -i 10 --output jsonl"
    ));
    long.wait_for("\"received\"");
    let measures = || run(&format!("controller {at} {ANY} -c 2 -i 2")).status == 0;
    assert!(measures());
    let said = limits.change("allow 192.0.2.0/24\n", &mut server);
    assert!(
        said.ends_with("; removed max-connections; 0 as before"),
        "{said}"
    );
    assert!(!measures());
    limits.change("max-sessions-per-client 1\n", &mut server);
    assert!(!measures());
    limits.change("max-connections-per-client 1\n", &mut server);
    assert!(!measures());
    let said = limits.change("max-connections-per-client 1\nmax-rat 5\n", &mut server);
    assert!(
        said.ends_with(":2: max-rat: did you mean max-rate?; keeping the old limits"),
        "{said}"
    );
    assert!(!measures());
    // Sessions that were stopped wait for their timeout, and then two are not too many.
    limits.change("max-sessions 2\nmax-connections 2\n", &mut server);
    soon(|| {
        measures().then_some(()).or_else(|| {
            std::thread::sleep(Duration::from_millis(100));
            None
        })
    });
    // Its packets went on all the time; now they are limited.
    limits.change("max-rate 1\n", &mut server);
    long.wait_for("\"lost\"");
    long.signal(&["INT"]);
    let done = long.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let last = last_words(server);
    assert!(
        last["ignored"]["rate_limited"].as_u64() >= Some(1),
        "{last}"
    );
    let packets = &done.session()["packets"];
    let refused = last["ignored"]["rate_limited"].as_u64();
    assert!(refused >= packets["lost"].as_u64(), "{last} {packets}");
}

#[test]
fn a_limit_that_cannot_be_meant_is_one_line_at_the_start() {
    let limits = Limits::of("\nmax-sessions many\n");
    for command in ["responder", "server"] {
        let done = run(&format!("{command} {ANY} {}", limits.option()));
        assert_eq!((done.status, done.stdout.as_str()), (2, ""), "{command}");
        assert_eq!(done.stderr.lines().count(), 1, "{}", done.stderr);
        assert!(
            done.stderr.contains(":2: max-sessions many: "),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn the_file_of_packages_is_read_and_its_examples_are_lines_of_it() {
    let packaged = include_str!("../../../../packaging/etc/responder.limits");
    let (_, lines) = packaged.split_once("#\n").unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    let examples = lines.iter().filter_map(|line| line.strip_prefix("# "));
    let examples: Vec<&str> = examples.collect();
    assert!(examples.len() > 2, "{packaged}");
    for text in [packaged, &examples.join("\n")] {
        let limits = Limits::of(text);
        let responder = Responder::start(&format!("{ANY} {}", limits.option()));
        assert_eq!(responder.stop("TERM").status, 0, "{text}");
    }
}
