//! Runs the program: a command to its end, or a responder until it is dropped.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use socket2::{SockRef, Socket};

/// The program with these arguments, separated by blanks.
pub(crate) fn twinpath(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinpath"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    command.env("RUNTIME_DIRECTORY", control_sockets());
    command
}

/// Where control sockets of tests are: not among those of this host, and where the address of a socket has room
/// for a path.
fn control_sockets() -> PathBuf {
    let target = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/control"));
    if target.as_os_str().len() < 60 {
        target.to_owned()
    } else {
        std::env::temp_dir().join("twinpath-tests")
    }
}

/// What a command came to.
pub(crate) struct Done {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// The JSON document: all of its output, or its last line.
    pub(crate) fn document(&self) -> serde_json::Value {
        let last = || self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(&self.stdout)
            .or_else(|_| serde_json::from_str(last()))
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Its output with each line of a report in one, however long.
    pub(crate) fn unwrapped(&self) -> String {
        let mut text = String::new();
        for line in self.stdout.lines() {
            let begin = if line.starts_with("  ") { " " } else { "\n" };
            text.push_str(begin);
            text.push_str(line.trim_start());
        }
        text
    }

    /// The first session of the JSON document.
    pub(crate) fn session(&self) -> serde_json::Value {
        self.document()["sessions"][0].clone()
    }
}

/// The keys of what is said of a session, but for what a busy host adds.
pub(crate) fn findings(session: &serde_json::Value) -> Vec<&str> {
    let findings = session["findings"].as_array().unwrap().iter();
    let keys = findings.map(|finding| finding["key"].as_str().unwrap());
    keys.filter(|key| !OF_BUSY_HOST.contains(key)).collect()
}

/// Findings of hosts that are busy with other tests.
pub(crate) const OF_BUSY_HOST: [&str; 2] = ["departures-late", "fell-behind"];

/// Runs to the end.
pub(crate) fn run(line: &str) -> Done {
    finish(twinpath(line))
}

/// Runs any command to its end.
pub(crate) fn finish(command: Command) -> Done {
    Running::spawn(command).finish()
}

/// Runs what a shell makes of this to its end.
pub(crate) fn shell(script: &str) -> Done {
    let mut command = Command::new("bash");
    command.args(["-c", script]).stdin(Stdio::null());
    finish(command)
}

/// Longer than any command of a test takes on a busy host.
const DEADLINE: Duration = Duration::from_mins(5);

/// A process that does not outlive its test, nor its deadline: then it is killed, and whoever reads
/// its streams finds their ends.
pub(crate) struct Running(pub(crate) Child, Sender<()>);

impl Running {
    pub(crate) fn start(line: &str) -> Self {
        Self::spawn(twinpath(line))
    }

    /// Starts any command, its streams piped.
    pub(crate) fn spawn(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::of(command.spawn().unwrap())
    }

    /// With the streams that it has.
    pub(crate) fn of(child: Child) -> Self {
        let (ended, deadline) = channel();
        let pid = rustix::process::Pid::from_child(&child);
        std::thread::spawn(move || {
            if deadline.recv_timeout(DEADLINE) == Err(RecvTimeoutError::Timeout) {
                eprintln!("a process has passed its deadline, and is killed");
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        });
        Self(child, ended)
    }

    /// Sends signals one right after the other, by name.
    pub(crate) fn signal(&self, names: &[&str]) {
        let kills = names
            .iter()
            .map(|name| format!("kill -{name} {}", self.0.id()));
        let script = kills.collect::<Vec<_>>().join("; ");
        assert!(
            Command::new("sh")
                .args(["-c", &script])
                .status()
                .unwrap()
                .success()
        );
    }

    /// Waits until a signal, by name, does not end it at once any more.
    pub(crate) fn wait_until_it_catches(&self, name: &str) {
        let signal = match name {
            "HUP" => 1,
            "INT" => 2,
            "QUIT" => 3,
            "ALRM" => 14,
            "TERM" => 15,
            other => panic!("no number is known of {other}"),
        };
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap_or_default().trim(), 16).unwrap_or(0);
            if caught & (1 << (signal - 1)) != 0 {
                return;
            }
            assert!(Instant::now() < until, "it does not catch {name}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Reads its stdout until a line has this in it: all that was read.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        read_until(self.0.stdout.as_mut().unwrap(), part)
    }

    /// Reads its stderr likewise.
    pub(crate) fn wait_for_error(&mut self, part: &str) -> String {
        read_until(self.0.stderr.as_mut().unwrap(), part)
    }

    /// Waits for the end, half a minute at most.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the end and reads what is left of both streams.
    pub(crate) fn finish(mut self) -> Done {
        let stdout = self.0.stdout.take();
        let stdout = std::thread::spawn(move || rest(stdout));
        let stderr = rest(self.0.stderr.take());
        let stdout = stdout.join().unwrap();
        let status = self.0.wait().unwrap();
        let status = status
            .code()
            .unwrap_or_else(|| panic!("{status}: {stdout}{stderr}"));
        Done {
            status,
            stdout,
            stderr,
        }
    }
}

/// Octet by octet, so that what comes after the line is left in the stream.
fn read_until(stream: &mut impl Read, part: &str) -> String {
    let mut text = String::new();
    loop {
        let mut line = Vec::new();
        while line.last() != Some(&b'\n') {
            let mut octet = [0];
            let count = stream.read(&mut octet).unwrap();
            assert!(count > 0, "no line with {part}: {text}");
            line.extend(octet);
        }
        let line = String::from_utf8(line).unwrap();
        text.push_str(&line);
        if line.contains(part) {
            return text;
        }
    }
}

/// What is left of a stream.
fn rest(stream: Option<impl Read>) -> String {
    let mut text = String::new();
    if let Some(mut stream) = stream {
        stream.read_to_string(&mut text).unwrap();
    }
    text
}

impl Drop for Running {
    fn drop(&mut self) {
        // Before its number can be another process's.
        let _ = self.1.send(());
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A responder or a server that listens.
pub(crate) struct Responder {
    process: Running,
    stderr: BufReader<ChildStderr>,
    /// What was read of its stderr since it listens.
    said: String,
    /// The first line of it: where it listens, and what it answers.
    pub(crate) banner: String,
    /// Where.
    pub(crate) at: SocketAddr,
}

impl Responder {
    /// `line`: its arguments. Comes back when it says that it listens.
    pub(crate) fn start(line: &str) -> Self {
        Self::spawn(twinpath(&format!("responder {line}")))
    }

    /// A responder by this command.
    pub(crate) fn spawn(command: Command) -> Self {
        let mut process = Running::spawn(command);
        let mut stderr = BufReader::new(process.0.stderr.take().unwrap());
        let mut said = String::new();
        // A busy host may need a while for its keys.
        while said.is_empty() || said.starts_with("deriving ") || said.contains(" DEBUG ") {
            said.clear();
            assert!(stderr.read_line(&mut said).unwrap() > 0, "it said nothing");
        }
        let at = said
            .strip_prefix("listening on ")
            .and_then(|rest| rest.split(' ').next());
        let at = at.unwrap_or_else(|| panic!("it said {said:?}"));
        // A zone by its name is not for the parser.
        let at = match (at.find('%'), at.find(']')) {
            (Some(zone), Some(end)) => format!("{}{}", &at[..zone], &at[end..]),
            _ => at.to_owned(),
        };
        let at = at.parse().unwrap();
        Self {
            process,
            stderr,
            said: String::new(),
            banner: said,
            at,
        }
    }

    /// A server on IPv4 loopback, a free port.
    pub(crate) fn server(options: &str) -> Self {
        Self::spawn(twinpath(&format!("server 127.0.0.1:0 {options}")))
    }

    /// On IPv4 loopback, a free port.
    pub(crate) fn on_loopback() -> Self {
        Self::start("127.0.0.1:0")
    }

    /// Sends it a signal, by name.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(&[name]);
    }

    /// Its number among the processes.
    pub(crate) fn process(&self) -> u32 {
        self.process.0.id()
    }

    /// How many of its threads have a name that begins like this.
    pub(crate) fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process())).unwrap();
        tasks
            .filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok())
            .filter(|comm| comm.starts_with(name))
            .count()
    }

    /// Reads what it says until a line has this in it: that line.
    pub(crate) fn wait_for(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            let octets = self.stderr.read_line(&mut line).unwrap();
            assert!(octets > 0, "{part}: it said {}", self.said);
            self.said.push_str(&line);
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Asks it to stop and reads its last words.
    pub(crate) fn stop(mut self, signal: &str) -> Done {
        self.process.signal(&[signal]);
        let mut done = self.process.finish();
        done.stderr = self.said;
        self.stderr.read_to_string(&mut done.stderr).unwrap();
        done
    }
}

/// Ports that the system gives to no program that asks for any, and that no server has by default.
const OWN_PORTS: u32 = 22_000;
const OWN_PORTS_COUNT: u32 = 8_000;

/// A port of IPv4 loopback that no other test has: for UDP it is taken as long as the socket lives, for TCP
/// it is free.
pub(crate) fn taken_port() -> (UdpSocket, u16) {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // Another process of these tests begins elsewhere.
    let first = std::process::id().wrapping_mul(257);
    loop {
        let number = first.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = OWN_PORTS + number % OWN_PORTS_COUNT;
        let port = u16::try_from(port).unwrap();
        if let Ok(socket) = UdpSocket::bind(("127.0.0.1", port)) {
            return (socket, port);
        }
    }
}

/// A port that no other test has and that is free.
pub(crate) fn free_port() -> u16 {
    taken_port().1
}

/// A far end of the test's own at this address: what is sent to it waits while its thread has no turn.
pub(crate) fn far_socket(address: Ipv4Addr) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    // At least twice the system's default, and so room for 500 small packets.
    SockRef::from(&socket)
        .set_recv_buffer_size(4 << 20)
        .unwrap();
    // So that its thread notices its end.
    let patience = Some(Duration::from_millis(50));
    socket.set_read_timeout(patience).unwrap();
    socket
}

/// A raw socket of IPv4 gets what is from or to this UDP or TCP port alone, and so has room for it whatever
/// else is under way on this host.
pub(crate) fn only_port(raw: &Socket, port: u16) {
    #[cfg(target_os = "linux")]
    {
        use socket2::SockFilter;
        // The length of the IP header; the source port behind it, the destination port; all of the packet, or
        // nothing (classic BPF).
        let program = [
            SockFilter::new(0xb1, 0, 0, 0),
            SockFilter::new(0x48, 0, 0, 0),
            SockFilter::new(0x15, 2, 0, port.into()),
            SockFilter::new(0x48, 0, 0, 2),
            SockFilter::new(0x15, 0, 1, port.into()),
            SockFilter::new(0x06, 0, 0, u32::MAX),
            SockFilter::new(0x06, 0, 0, 0),
        ];
        raw.attach_filter(&program).unwrap();
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (raw, port);
}

/// Says why, where IPv6 is missing.
pub(crate) fn has_ipv6() -> bool {
    let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: this host has no IPv6 loopback");
    }
    has
}
