//! As a service: notifications to the service manager, and sockets that it passes. The tests are in its place; systemd's own
//! `systemd-socket-activate` is where it is installed.

use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::program::{Done, Responder, Running, has_ipv6, run, shell, twinpath};

/// Longer than anything here takes on a busy host.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    directory: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(directory.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("notify")
    }

    /// A command that it starts, with a watchdog of so many milliseconds.
    fn command(&self, line: &str, watchdog_ms: u64) -> Command {
        let mut command = twinpath(line);
        command
            .env("NOTIFY_SOCKET", self.path())
            .env("WATCHDOG_USEC", (watchdog_ms * 1_000).to_string());
        command
    }

    fn next(&self) -> String {
        let mut octets = [0; 1_024];
        let count = self.socket.recv(&mut octets).unwrap();
        String::from_utf8(octets[..count].to_vec()).unwrap()
    }

    /// Reads on until a message has this: that message.
    fn wait_for(&self, part: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let message = self.next();
            if message.contains(part) {
                return message;
            }
            assert!(Instant::now() < until, "no {part}");
        }
    }

    /// How many signs of life come in this time.
    fn signs_of_life(&self, time: Duration) -> usize {
        let until = Instant::now() + time;
        let mut signs = 0;
        self.socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        while Instant::now() < until {
            let mut octets = [0; 1_024];
            let count = self.socket.recv(&mut octets).unwrap_or(0);
            signs += usize::from(octets[..count].starts_with(b"WATCHDOG=1"));
        }
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        signs
    }
}

/// A program that reports to it, from its start to its end.
fn reports(line: &str, probe: impl FnOnce(SocketAddr), status: &str) {
    let manager = Manager::new();
    let mut program = Responder::spawn(manager.command(line, 200));
    // Not before it listens.
    assert_eq!(manager.next(), "READY=1\n");
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1\n");
    }
    probe(program.at);
    manager.wait_for(&format!("STATUS={status}\n"));
    program.signal("HUP");
    let reloading = manager.wait_for("RELOADING=1\n");
    let time = reloading.lines().nth(1).unwrap();
    let at: u64 = time
        .strip_prefix("MONOTONIC_USEC=")
        .unwrap()
        .parse()
        .unwrap();
    assert!(at > 0);
    assert_eq!(manager.next(), "READY=1\n");
    program.wait_for("no key file to reread");
    assert_eq!(program.stop("TERM").status, 0);
    manager.wait_for("STOPPING=1\n");
}

#[test]
fn a_responder_says_when_it_is_ready_alive_reading_its_files_and_ending() {
    let probe = |at| assert_eq!(run(&format!("sender {at} -c 3 -i 1")).status, 0);
    reports("responder 127.0.0.1:0", probe, "3 replies, 1 session");
}

#[cfg(feature = "control")]
#[test]
fn a_server_says_when_it_is_ready_alive_reading_its_files_and_ending() {
    let probe = |at| {
        let line = format!("controller {at} 127.0.0.1:0 -c 3 -i 1");
        assert_eq!(run(&line).status, 0);
    };
    let status = "0 connections, 0 sessions, 3 replies";
    reports("server 127.0.0.1:0", probe, status);
}

/// An idle loop waits a second for a packet; signs of life are due more often here.
#[test]
fn a_service_that_has_nothing_to_do_reports_as_often_as_a_short_watchdog_wants() {
    let mut lines = vec!["responder 127.0.0.1:0 --threads 2"];
    if cfg!(feature = "control") {
        lines.push("server 127.0.0.1:0");
    }
    for line in lines {
        let manager = Manager::new();
        let program = Responder::spawn(manager.command(line, 200));
        manager.wait_for("WATCHDOG=1\n");
        let signs = manager.signs_of_life(Duration::from_secs(5));
        assert!(signs > 12, "{line}: {signs}");
        assert_eq!(program.stop("TERM").status, 0);
    }
}

#[test]
fn a_responder_whose_loop_stands_still_does_not_report_that_it_is_alive() {
    let manager = Manager::new();
    let responder = Responder::spawn(manager.command("responder 127.0.0.1:0", 200));
    manager.wait_for("WATCHDOG=1\n");
    // Its reflector's thread waits half a minute for each packet, the others go on.
    let tasks = std::fs::read_dir(format!("/proc/{}/task", responder.process())).unwrap();
    let reflector = tasks
        .map(|task| task.unwrap().path())
        .find(|task| {
            let name = std::fs::read_to_string(task.join("comm")).unwrap();
            name.starts_with("reflector-")
        })
        .unwrap();
    let thread = reflector.file_name().unwrap().to_str().unwrap();
    let mut strace = Command::new("strace");
    strace
        .args(["-q", "-e", "trace=ppoll", "-e"])
        .args(["inject=ppoll:delay_enter=30s", "-p", thread])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let Ok(strace) = strace.spawn() else {
        println!("skipped: strace is not installed");
        return;
    };
    let strace = Running::of(strace);
    let status = || std::fs::read_to_string(reflector.join("status")).unwrap();
    let until = Instant::now() + PATIENCE;
    while !status().contains("State:\tt") {
        assert!(Instant::now() < until, "{}", status());
        std::thread::sleep(Duration::from_millis(10));
    }
    // One may be due to what the loop did before.
    manager.signs_of_life(Duration::from_secs(1));
    assert_eq!(manager.signs_of_life(Duration::from_secs(2)), 0);
    // The rest of it is well.
    responder.signal("HUP");
    manager.wait_for("RELOADING=1\n");
    responder.signal("KILL");
    drop(strace);
}

/// A parent that passes the sockets that it has as stdin and stdout, and executes the program; its results go to
/// stderr.
fn activated(line: &str, names: &str, sockets: Vec<OwnedFd>) -> Command {
    let count = sockets.len();
    let script = format!(
        "exec 3<&0 4<&1 0</dev/null 1>&2; export LISTEN_FDS={count} LISTEN_PID=$$ LISTEN_FDNAMES={names}; \
         exec {} {line}",
        env!("CARGO_BIN_EXE_twinpath")
    );
    let mut command = Command::new("sh");
    command.args(["-c", &script]).stderr(Stdio::piped());
    let mut sockets = sockets.into_iter();
    command.stdin(Stdio::from(sockets.next().unwrap()));
    command.stdout(sockets.next().map_or_else(Stdio::null, Stdio::from));
    command
}

/// A program with passed sockets, whose stderr says where it listens.
fn start(command: &mut Command) -> (Running, String) {
    let mut program = Running::of(command.spawn().unwrap());
    let line = program.wait_for_error("listening on ");
    (program, line)
}

#[test]
fn a_responder_answers_by_the_sockets_that_it_is_given() {
    if !has_ipv6() {
        return;
    }
    let v4 = UdpSocket::bind("127.0.0.1:0").unwrap();
    let v6 = UdpSocket::bind("[::]:0").unwrap();
    let four = v4.local_addr().unwrap();
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, v6.local_addr().unwrap().port()));
    // An IPv6 socket that takes IPv4 too is of no use.
    let refused = activated(
        "responder",
        "a:b",
        vec![v4.try_clone().unwrap().into(), v6.into()],
    );
    let refused = ended(refused);
    assert_eq!(refused.status, 1, "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("descriptor 4 (b) of the service manager: an IPv6 socket that takes IPv4 too; set BindIPv6Only="),
        "{}",
        refused.stderr
    );
    let v6 = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    v6.set_only_v6(true).unwrap();
    v6.bind(&six.into()).unwrap();
    let mut command = activated("responder", "a:b", vec![v4.into(), v6.into()]);
    let (mut responder, _) = start(&mut command);
    responder.wait_for_error("listening on [::1]");
    for at in [four, six] {
        let done = run(&format!("sender {at} -c 5 -i 5 --json"));
        assert_eq!(done.status, 0, "{}", done.stderr);
        let session = done.session();
        assert_eq!(session["packets"]["received"], 5, "{session}");
        assert_eq!(session["timestamps"]["receive"], "kernel");
        // The TTL on arrival, which the socket did not tell before.
        assert_eq!(session["ttl_forward"]["min"], 255, "{session}");
    }
    responder.signal(&["TERM"]);
    assert!(responder.ended().success());
}

/// Runs to the end, with what both streams had.
fn ended(mut command: Command) -> Done {
    Running::of(command.spawn().unwrap()).finish()
}

#[test]
fn sockets_of_another_kind_or_place_are_refused_with_what_to_do() {
    let tcp = || OwnedFd::from(TcpListener::bind("127.0.0.1:0").unwrap());
    let udp = || OwnedFd::from(UdpSocket::bind("127.0.0.1:0").unwrap());
    let file = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
    let mut rows = vec![
        (
            "responder",
            tcp(),
            1,
            "not a UDP socket of IPv4 or IPv6; a responder takes UDP",
        ),
        (
            "responder 127.0.0.1:9",
            udp(),
            2,
            "which is not the address given to listen on; leave",
        ),
        ("responder", file(), 1, "(LISTEN_FDS): descriptor 3: "),
        (
            "responder --portable 127.0.0.1",
            udp(),
            2,
            "which is not the address given",
        ),
        (
            "responder --portable",
            udp(),
            1,
            "plain sockets cannot be passed",
        ),
        (
            "responder --threads 2",
            udp(),
            1,
            "not every address has as many sockets",
        ),
    ];
    if cfg!(feature = "control") {
        rows.push((
            "server",
            udp(),
            1,
            "not a TCP socket that listens; a server takes TCP",
        ));
    }
    for (line, socket, status, part) in rows {
        let done = ended(activated(line, "x", vec![socket]));
        assert_eq!(done.status, status, "{line}: {}", done.stderr);
        assert!(done.stderr.contains(part), "{line}: {}", done.stderr);
        assert_eq!(done.stderr.lines().count(), 1, "{line}: {}", done.stderr);
    }
}

/// Sockets of a service manager outlive the program. That the one before has joined the group is no error; a group that
/// no socket can join is one.
#[test]
fn a_group_is_joined_again_at_each_start_or_the_start_fails() {
    let line = "responder --allow-control 127.0.0.1 --hmac-key 00112233445566778899aabbccddeeff --interface lo --join 239.7.7.7";
    let any = UdpSocket::bind("0.0.0.0:0").unwrap();
    for _ in 0..2 {
        let mut command = activated(line, "x", vec![any.try_clone().unwrap().into()]);
        let (mut responder, _) = start(&mut command);
        responder.signal(&["TERM"]);
        assert!(responder.ended().success());
    }
    let one = UdpSocket::bind("127.0.0.1:0").unwrap();
    let done = ended(activated(line, "x", vec![one.into()]));
    assert_eq!(done.status, 1, "{}", done.stderr);
    assert!(
        done.stderr.contains(
            "cannot join the group 239.7.7.7: there is no socket on all IPv4 addresses; listen on 0.0.0.0, a service by its socket unit"
        ),
        "{}",
        done.stderr
    );
}

#[test]
fn two_sockets_of_one_address_are_two_threads() {
    let open = |at: SocketAddr| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&at.into()).unwrap();
        socket
    };
    let one = open("127.0.0.1:0".parse().unwrap());
    let at = one.local_addr().unwrap().as_socket().unwrap();
    let other = open(at);
    let mut command = activated("responder", "x:x", vec![one.into(), other.into()]);
    let (mut responder, _) = start(&mut command);
    let names = || {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", responder.0.id())).unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        let names = names.filter_map(Result::ok);
        names.filter(|name| name.starts_with("reflector-")).count()
    };
    // A thread has its name a moment after it has begun.
    let until = Instant::now() + PATIENCE;
    while names() < 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(names(), 2);
    let done = run(&format!("sender {at} -c 5 -i 1 --paths 8 --json"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    responder.signal(&["TERM"]);
    assert!(responder.ended().success());
}

#[cfg(feature = "control")]
#[test]
fn a_server_serves_by_the_socket_that_it_is_given_and_what_waits_there() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    // It has come before the server.
    let early = TcpStream::connect(at).unwrap();
    early.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = activated("server", "x", vec![listener.into()]);
    let (mut server, line) = start(&mut command);
    assert!(line.contains(&at.to_string()), "{line}");
    let mut greeting = [0; 64];
    std::io::Read::read_exact(&mut &early, &mut greeting).unwrap();
    let done = run(&format!("controller {at} 127.0.0.1:0 -c 5 -i 5 --json"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(done.session()["packets"]["received"], 5);
    server.signal(&["TERM"]);
    assert!(server.ended().success());
}

#[test]
fn systemd_passes_a_socket_with_its_first_packet() {
    let found = shell("command -v systemd-socket-activate");
    if found.status != 0 {
        println!("skipped: systemd-socket-activate (Debian: systemd) is not installed");
        return;
    }
    let port = crate::program::free_port();
    let mut command = Command::new("systemd-socket-activate");
    command
        .args(["--datagram", &format!("--listen=127.0.0.1:{port}")])
        .args([env!("CARGO_BIN_EXE_twinpath"), "responder"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut responder = Running::of(command.spawn().unwrap());
    responder.wait_for_error("Listening on");
    let done = run(&format!("sender 127.0.0.1:{port} -c 200 -i 20 --json"));
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = done.session();
    let received = session["packets"]["received"].as_u64().unwrap();
    // Those that came before it could be told when are not answered.
    assert!((1..200).contains(&received), "{session}");
    let forward = session["forward"]["max_ns"].as_i64().unwrap_or(0);
    assert!(forward < 10_000_000_000, "{session}");
    responder.signal(&["TERM"]);
    assert!(responder.ended().success());
}

/// The restart of a responder in the middle of a run, as its sender reports it.
#[test]
fn a_sender_reports_the_restart_of_its_reflector() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = socket.local_addr().unwrap();
    let responder = || {
        start(&mut activated(
            "responder",
            "x",
            vec![socket.try_clone().unwrap().into()],
        ))
        .0
    };
    let mut first = responder();
    let sender = Running::start(&format!(
        "sender {at} -c 100 -i 50 --timeout 30 --output jsonl"
    ));
    let mut sender = sender;
    for _ in 0..10 {
        sender.wait_for("\"received\"");
    }
    first.signal(&["TERM"]);
    assert!(first.ended().success());
    let mut second = responder();
    let done = sender.finish();
    assert_eq!(done.status, 0, "{}", done.stderr);
    let session = &done.document()["sessions"][0];
    assert_eq!(session["reflector_restarts"], 1, "{session}");
    let notes = session["notes"].to_string();
    assert!(notes.contains("reflector-restarts"), "{notes}");
    // The socket stayed, and kept what came meanwhile.
    assert_eq!(session["packets"]["received"], 100, "{session}");
    second.signal(&["TERM"]);
    assert!(second.ended().success());
}

#[test]
fn a_key_file_may_be_a_credential_of_the_service() {
    use std::os::unix::fs::PermissionsExt as _;

    let directory = tempfile::tempdir().unwrap();
    let key = "00112233445566778899aabbccddeeff";
    let file = directory.path().join("keys");
    std::fs::write(&file, key).unwrap();
    let mode = |mode| {
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let line = "responder 127.0.0.1:0 --authenticated --hmac-key-file";
    let command = |name: &str| {
        let mut command = twinpath(&format!("{line} {name}"));
        command.env("CREDENTIALS_DIRECTORY", directory.path());
        command
    };
    // As systemd leaves it: the mask of an access control list is where the permissions of a group are.
    mode(0o440);
    let responder = Responder::spawn(command("credential:keys"));
    let far = responder.at;
    let done = run(&format!(
        "sender {far} --stamp --authenticated --hmac-key {key} -c 3 -i 1 --json"
    ));
    assert_eq!(done.status, 0, "{}", done.stderr);
    assert_eq!(responder.stop("TERM").status, 0);
    let refused = |command: Command, part: &str| {
        let done = Running::spawn(command).finish();
        assert_ne!(done.status, 0);
        assert!(done.stderr.contains(part), "{}", done.stderr);
    };
    refused(command("credential:others"), "cannot read key file");
    // The same file by its path, from elsewhere.
    let mut elsewhere = command(file.to_str().unwrap());
    elsewhere.env("CREDENTIALS_DIRECTORY", "/nonexistent");
    refused(elsewhere, "accessible to other users (mode 0440)");
    mode(0o444);
    refused(command("credential:keys"), "accessible to other users");
    let none = twinpath(&format!("{line} credential:keys"));
    refused(
        none,
        "there are no credentials: they are for a service of systemd",
    );
}
