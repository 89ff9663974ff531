//! Runs the program: a command to its end, or a responder until it is dropped.

use std::io::{BufRead as _, BufReader, Read};
use std::net::{Ipv6Addr, SocketAddr, UdpSocket};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// The program with these arguments, separated by blanks.
pub(crate) fn twinpath(line: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_twinpath"));
    command.args(line.split_whitespace()).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    command
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

    /// The first session of the JSON document.
    pub(crate) fn session(&self) -> serde_json::Value {
        self.document()["sessions"][0].clone()
    }
}

/// Runs to the end.
pub(crate) fn run(line: &str) -> Done {
    finish(twinpath(line))
}

/// Runs any command to its end.
pub(crate) fn finish(command: Command) -> Done {
    Running::spawn(command).finish()
}

/// Runs what a shell makes of this to its end.
#[cfg(feature = "report")]
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

    /// How many of its threads have a name that begins like this.
    pub(crate) fn threads(&self, name: &str) -> usize {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.0.id())).unwrap();
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

/// A UDP port of IPv4 loopback that is taken as long as the socket lives.
pub(crate) fn taken_port() -> (UdpSocket, u16) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = socket.local_addr().unwrap().port();
    (socket, port)
}

/// Says why, where IPv6 is missing.
pub(crate) fn has_ipv6() -> bool {
    let has = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    if !has {
        println!("skipped: this host has no IPv6 loopback");
    }
    has
}
