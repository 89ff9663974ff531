//! What others send into a secured session: wrong guesses, forged packets, packets sent again.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::program::{Responder, Running, free_port, only_port, run};
use crate::secured::{keys, secured_server};

/// Guesses of one address, in 2 s.
const GUESSES: u32 = 2_000;
const GAP: Duration = Duration::from_millis(1);

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A connection with a token that nobody made.
fn guess(server: SocketAddr) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut greeting = [0; 64];
    stream.read_exact(&mut greeting).unwrap();
    let mut response = [0x5a; 164];
    response[..4].copy_from_slice(&4_u32.to_be_bytes());
    response[4..84].fill(0);
    response[4..9].copy_from_slice(b"alice");
    stream.write_all(&response).unwrap();
    let mut answer = [0; 48];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[15], 1, "Accept");
}

#[test]
fn a_thousand_guesses_a_second_keep_nobody_else_out() {
    let keys = keys("alice secret");
    let server = secured_server(&keys, "--json");
    let at = server.at;
    let begun = Instant::now();
    let guessing = std::thread::spawn(move || {
        for number in 0..GUESSES {
            guess(at);
            let due = begun + GAP * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
    let line = format!(
        "controller {at} 127.0.0.1:0 --keys {} -c 50 -i 10 --json",
        keys.path().display()
    );
    for _ in 0..3 {
        let done = run(&line);
        assert_eq!(done.status, 0, "{}", done.stderr);
        assert_eq!(done.session()["packets"]["received"], 50, "{}", done.stdout);
    }
    guessing.join().unwrap();
    let done = server.stop("INT");
    let seconds = begun.elapsed().as_secs() + 2;
    let said = done
        .stderr
        .matches("unknown Key-ID or wrong passphrase")
        .count();
    assert!(
        (1..=usize::try_from(seconds).unwrap()).contains(&said),
        "{}",
        done.stderr
    );
    let last = json(&done.stdout);
    assert_eq!(last["connections"]["keys_refused"], GUESSES, "{last}");
    assert_eq!(last["sessions"]["started"], 3);
}

/// UDP datagrams of this host from or to a port, whosever they are; `None` where only root may have them.
fn raw(port: u16) -> Option<Socket> {
    match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)) {
        Ok(socket) => {
            only_port(&socket, port);
            socket
                .set_read_timeout(Some(Duration::from_secs(20)))
                .unwrap();
            Some(socket)
        }
        Err(error) => {
            println!("skipped: no raw socket ({error})");
            None
        }
    }
}

/// The next UDP datagram from `sender` that is not ours: header and payload.
fn overhear(raw: &mut Socket, sender: u16) -> Vec<u8> {
    let mut buffer = [0; 2_048];
    loop {
        let octets = raw.read(&mut buffer).unwrap();
        let packet = &buffer[..octets];
        let header = usize::from(packet[0] & 15) * 4;
        if packet[header..header + 2] == sender.to_be_bytes() {
            return packet[header..].to_vec();
        }
    }
}

fn inject(raw: &Socket, datagram: &[u8]) {
    let mut datagram = datagram.to_vec();
    // Of no account over IPv4.
    datagram[6..8].fill(0);
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into();
    raw.send_to(&datagram, &to).unwrap();
}

/// Forged packets and one that is sent again, into a session in this mode.
fn disturb(server: &Responder, keys: &str, mode: &str, forged: u32) -> Option<serde_json::Value> {
    let port = free_port();
    let mut raw = raw(port)?;
    let line = format!(
        "controller {} 127.0.0.1:{port} --keys {keys} --mode {mode} -c 50 -i 60 --json",
        server.at
    );
    let running = Running::start(&line);
    let genuine = overhear(&mut raw, port);
    // UDP's 8 octets, then the packet: changed in its first block, and in its HMAC.
    for number in 0..forged {
        let mut packet = genuine.clone();
        let at = if number % 2 == 0 { 8 + 3 } else { 8 + 40 };
        packet[at] ^= 1;
        inject(&raw, &packet);
    }
    inject(&raw, &genuine);
    let done = running.finish();
    assert_eq!(done.status, 0, "{mode}: {}", done.stderr);
    Some(done.session())
}

#[test]
fn forged_packets_are_counted_and_never_answered_and_old_ones_are_duplicates() {
    let keys = keys("alice secret");
    let file = keys.path().display().to_string();
    let server = secured_server(&keys, "--json");
    let mut tried = 0;
    for mode in ["authenticated", "encrypted"] {
        let Some(session) = disturb(&server, &file, mode, 10) else {
            return;
        };
        let packets = &session["packets"];
        assert_eq!(packets["received"], 50, "{mode}: {session}");
        assert_eq!(packets["duplicates"], 1, "{mode}: {packets}");
        assert_eq!(session["odd_replies"], json("{}"), "{mode}: {session}");
        tried += 1;
    }
    let last = json(&server.stop("INT").stdout);
    assert_eq!(last["ignored"]["forged"], 10 * tried, "{last}");
    assert_eq!(last["replays"], tried, "{last}");
    assert_eq!(last["reflected"], 51 * tried, "{last}");
}

#[test]
fn forged_replies_are_not_measured_and_said() {
    let keys = keys("alice secret");
    let test_port = free_port();
    let server = secured_server(&keys, &format!("--test-ports {test_port}-{test_port}"));
    let Some(mut raw) = raw(test_port) else {
        return;
    };
    let port = free_port();
    let line = format!(
        "controller {} 127.0.0.1:{port} --receiver-port 1 --keys {} -c 50 -i 60 --json",
        server.at,
        keys.path().display()
    );
    let running = Running::start(&line);
    let mut reply = overhear(&mut raw, test_port);
    assert_eq!(reply[2..4], port.to_be_bytes());
    reply[8 + 30] ^= 4;
    inject(&raw, &reply);
    let done = running.finish();
    let session = done.session();
    assert_eq!(session["packets"]["received"], 50, "{session}");
    assert_eq!(session["odd_replies"]["wrong_hmac"], 1, "{session}");
    assert!(
        done.stderr
            .contains("1 reply with a wrong HMAC not measured"),
        "{}",
        done.stderr
    );
}
