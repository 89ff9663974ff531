//! Every option of a command acts: a table for each command, a row for each option. A row's command runs
//! without the option and with it, and what the row sees is there with it alone. The options are
//! those of `--help`: one without a row fails the test.
//!
//! What is sent is seen by a raw socket, header and all. Each run has a loopback address of its own for
//! its far end, so that runs side by side see nothing of each other.

#[cfg(all(
    feature = "control",
    feature = "live",
    feature = "report",
    feature = "pictures"
))]
mod agreeing;
#[cfg(feature = "control")]
mod check;
#[cfg(feature = "control")]
mod control;
#[cfg(all(
    feature = "control",
    feature = "live",
    feature = "report",
    feature = "pictures"
))]
mod controller;
#[cfg(all(feature = "daemon", feature = "status", unix))]
mod daemon;
mod doctor;
#[cfg(all(feature = "live", feature = "report", feature = "pictures"))]
mod report;
mod responder;
#[cfg(all(feature = "live", feature = "report", feature = "pictures"))]
mod sender;
#[cfg(all(feature = "live", feature = "report", feature = "pictures"))]
mod small;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::far_end::NTP_TO_UNIX_S;
use crate::program::{Done, far_socket, only_port, run};

/// An IPv4 packet with a UDP datagram, as it was on the wire.
#[derive(Clone, Debug)]
struct Packet {
    tos: u8,
    ttl: u8,
    dont_fragment: bool,
    from_port: u16,
    /// The UDP payload.
    payload: Vec<u8>,
}

impl Packet {
    fn parse(octets: &[u8]) -> Option<(Self, u16)> {
        let header = usize::from(octets.first()? & 15) * 4;
        let port = |at: usize| Some(u16::from_be_bytes(octets.get(at..at + 2)?.try_into().ok()?));
        let packet = Self {
            tos: octets[1],
            ttl: octets[8],
            dont_fragment: octets[6] & 0x40 != 0,
            from_port: port(header)?,
            payload: octets.get(header + 8..)?.to_vec(),
        };
        Some((packet, port(header + 2)?))
    }

    /// The 64 bits of T1, in seconds since 1900 and their fractions.
    fn t1(&self) -> u64 {
        u64::from_be_bytes(self.payload[4..12].try_into().unwrap())
    }
}

/// A loopback address that no other run of this process has.
fn own_address() -> Ipv4Addr {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let [.., high, low] = (number * 2 + 1).to_be_bytes();
    // Another process has other ones, mostly; its packets have other ports besides.
    let process = std::process::id().to_be_bytes()[3];
    Ipv4Addr::new(127, 64 + process % 64, high, low)
}

/// Sees the packets to one address and port until it is dropped. `None` where only root may; says so.
struct Tap {
    seen: Arc<Mutex<Vec<Packet>>>,
    over: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Tap {
    fn open(address: Ipv4Addr, port: u16) -> Option<Self> {
        let raw = match Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::UDP)) {
            Ok(raw) => raw,
            Err(error) => {
                println!("skipped: no raw socket ({error})");
                return None;
            }
        };
        raw.bind(&SocketAddr::from((address, 0)).into()).unwrap();
        only_port(&raw, port);
        raw.set_recv_buffer_size(4 << 20).unwrap();
        raw.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let (seen, over) = (
            Arc::new(Mutex::new(Vec::new())),
            Arc::new(AtomicUsize::new(0)),
        );
        let (into, stop) = (Arc::clone(&seen), Arc::clone(&over));
        let thread = thread::spawn(move || {
            let mut octets = [0; 4_096];
            loop {
                // What came before the end was told is still read.
                let last = stop.load(Ordering::Acquire) == 1;
                let read = (&raw).read(&mut octets);
                match read.ok().and_then(|count| Packet::parse(&octets[..count])) {
                    Some((packet, to)) if to == port => into.lock().unwrap().push(packet),
                    None if last => return,
                    Some(_) | None => {}
                }
            }
        });
        Some(Self {
            seen,
            over,
            thread: Some(thread),
        })
    }

    /// Packets so far.
    fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// All packets.
    fn finish(mut self) -> Vec<Packet> {
        self.over.store(1, Ordering::Release);
        self.thread.take().unwrap().join().unwrap();
        std::mem::take(&mut *self.seen.lock().unwrap())
    }
}

/// What a far end answers.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Answers {
    /// Everything, at once.
    All,
    /// Nothing.
    Nothing,
    /// Everything, after so many milliseconds.
    After(u64),
    /// What has an even number.
    Even,
}

/// A reflector of the test's own, at an address of its own, with a tap.
struct FarEnd {
    at: SocketAddr,
    tap: Option<Tap>,
    over: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl FarEnd {
    fn start(answers: Answers) -> Option<Self> {
        let address = own_address();
        let socket = far_socket(address);
        let port = socket.local_addr().unwrap().port();
        let tap = Tap::open(address, port)?;
        let over = Arc::new(AtomicUsize::new(0));
        let stop = Arc::clone(&over);
        let thread = thread::spawn(move || {
            let mut octets = [0; 4_096];
            while stop.load(Ordering::Relaxed) == 0 {
                let Ok((count, from)) = socket.recv_from(&mut octets) else {
                    continue;
                };
                let request = &octets[..count];
                match answers {
                    Answers::Nothing => continue,
                    Answers::Even if request[3] % 2 == 1 => continue,
                    Answers::After(ms) => thread::sleep(Duration::from_millis(ms)),
                    Answers::All | Answers::Even => {}
                }
                let _ = socket.send_to(&reply(request), from);
            }
        });
        Some(Self {
            at: (address, port).into(),
            tap: Some(tap),
            over,
            thread: Some(thread),
        })
    }

    /// Packets that came so far.
    fn count(&self) -> usize {
        self.tap.as_ref().map_or(0, Tap::count)
    }

    /// All packets that came.
    fn finish(mut self) -> Vec<Packet> {
        self.tap.take().map_or_else(Vec::new, Tap::finish)
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.over.store(1, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The reply to a request (RFC 5357 section 4.2.1), with the sender's own number.
fn reply(request: &[u8]) -> Vec<u8> {
    let now = now();
    let mut reply = request[..4].to_vec();
    reply.extend(now);
    reply.extend([0x80, 0x01, 0, 0]);
    reply.extend(now);
    reply.extend(&request[..14]);
    reply.extend([0, 0, 64]);
    reply.resize(request.len().max(41), 0);
    reply
}

/// This host's time as an NTP timestamp.
fn now() -> [u8; 8] {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let seconds = (unix.as_secs() + NTP_TO_UNIX_S.unsigned_abs()) & 0xffff_ffff;
    let fraction = (u64::from(unix.subsec_nanos()) << 32) / 1_000_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}

/// A request (RFC 4656 section 4.1.2) of so many octets.
fn request(seq: u32, octets: usize) -> Vec<u8> {
    let mut request = seq.to_be_bytes().to_vec();
    request.extend(now());
    request.extend([0x80, 0x01]);
    request.resize(octets, 0);
    request
}

/// The long options that a command's `--help` lists.
fn options(command: &str) -> BTreeSet<String> {
    let help = run(&format!("{command} --help"));
    assert_eq!(help.status, 0, "{}", help.stderr);
    let option = |line: &str| {
        // Text that goes on stands further to the right.
        let indent = line.len() - line.trim_start().len();
        let mut words = line
            .split_whitespace()
            .map(|word| word.trim_end_matches(','));
        let word = words.find(|word| word.starts_with("--"))?;
        let first = line.trim_start().starts_with('-');
        (first && indent <= 6 && word != "--help").then(|| word.to_owned())
    };
    help.stdout.lines().filter_map(option).collect()
}

/// Makes sure that there is a row for each option, and none for what is no option.
fn complete<'a>(command: &str, rows: impl Iterator<Item = &'a str>) {
    let rows: BTreeSet<String> = rows.map(str::to_owned).collect();
    let options = options(command);
    assert!(!options.is_empty(), "{command} lists no options");
    let missing: Vec<_> = options.difference(&rows).collect();
    assert!(
        missing.is_empty(),
        "{command} has options without a row: {missing:?}"
    );
    let gone: Vec<_> = rows.difference(&options).collect();
    assert!(gone.is_empty(), "{command} has no such options: {gone:?}");
}

/// Judges every row, some at a time; all that fail are told.
fn each_row<R: Sync>(rows: &[R], judge: impl Fn(&R) -> Result<(), String> + Sync) {
    const AT_ONCE: usize = 6;
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(why) = judge(row) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Whether an option acts: what its row sees is there with it, and not without it. `look` runs the
/// command with these further arguments; `None` where nothing can be seen. `alone`: the run without it
/// is no proof of the contrary.
fn acts(
    option: &str,
    given: &str,
    alone: bool,
    look: impl Fn(&str) -> Option<(bool, String)>,
) -> Result<(), String> {
    let short = |said: &str| said.chars().take(1_500).collect::<String>();
    match look(given) {
        None => return Ok(()),
        Some((false, said)) => return Err(format!("{option} does not act: {}", short(&said))),
        Some((true, _)) => {}
    }
    match look("") {
        Some((true, said)) if !alone => Err(format!("{option} changes nothing: {}", short(&said))),
        _ => Ok(()),
    }
}

/// What a row sees, and what its run said. A look at what is not there sees nothing.
fn judged<S>(seen: &S, done: &Done, see: fn(&S) -> bool) -> (bool, String) {
    let found = catch_unwind(AssertUnwindSafe(|| see(seen))).unwrap_or(false);
    let said = format!("status {}\n{}{}", done.status, done.stderr, done.stdout);
    (found, said)
}

/// A file in a run's directory.
fn file(directory: &std::path::Path, name: &str) -> String {
    let path: PathBuf = directory.join(name);
    let octets = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&octets).into_owned()
}

/// JSON, or null where it is none: its last document, where there are several.
fn json(text: &str) -> Value {
    let values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    values.map_while(Result::ok).last().unwrap_or(Value::Null)
}
