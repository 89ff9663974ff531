//! A server on loopback that errs on the connection, and its reflector. All ends with it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A step of a server that sends no more than half of its message, and is silent then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Half {
    None,
    Greeting,
    ServerStart,
    AcceptSession,
}

/// How a server errs.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a quirk of its own")]
pub(super) struct Quirks {
    /// It says this in place of a greeting, and no more.
    pub(super) banner: Option<&'static [u8]>,
    pub(super) modes: u32,
    pub(super) count: u32,
    /// It closes after its greeting.
    pub(super) closes: bool,
    pub(super) set_up: u8,
    pub(super) accept: u8,
    /// It is silent after Accept-Session.
    pub(super) is_silent: bool,
    pub(super) start: u8,
    /// Its reflector ignores packets for so long after Start-Ack.
    pub(super) deaf: Duration,
    pub(super) half: Half,
    /// It closes while a session runs.
    pub(super) hangs_up: bool,
    /// It leaves the connection open.
    pub(super) stays: bool,
}

pub(super) const HONEST: Quirks = Quirks {
    banner: None,
    modes: 1,
    count: 1_024,
    closes: false,
    set_up: 0,
    accept: 0,
    is_silent: false,
    start: 0,
    deaf: Duration::ZERO,
    half: Half::None,
    hangs_up: false,
    stays: false,
};

/// A server with quirks, and a reflector.
pub(super) struct QuirkyServer {
    pub(super) at: SocketAddr,
    state: Arc<State>,
    threads: Vec<JoinHandle<()>>,
}

struct State {
    over: AtomicBool,
    begun: Instant,
    /// From when on packets are reflected, in milliseconds since it began.
    hears_from: AtomicU64,
    connections: AtomicU64,
}

impl QuirkyServer {
    pub(super) fn start(quirks: Quirks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let port = udp.local_addr().unwrap().port();
        let state = Arc::new(State {
            over: AtomicBool::new(false),
            begun: Instant::now(),
            hears_from: AtomicU64::new(u64::MAX),
            connections: AtomicU64::new(0),
        });
        let (serving, reflecting) = (Arc::clone(&state), Arc::clone(&state));
        let threads = vec![
            thread::spawn(move || serve(&listener, quirks, port, &serving)),
            thread::spawn(move || reflect(&udp, &reflecting)),
        ];
        Self { at, state, threads }
    }
}

impl QuirkyServer {
    /// Connections that it took.
    pub(super) fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }
}

impl Drop for QuirkyServer {
    fn drop(&mut self) {
        self.state.over.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(listener: &TcpListener, quirks: Quirks, port: u16, state: &Arc<State>) {
    let mut connections = Vec::new();
    while !state.over.load(Ordering::Relaxed) {
        let Ok((stream, _)) = listener.accept() else {
            thread::sleep(Duration::from_millis(5));
            continue;
        };
        state.connections.fetch_add(1, Ordering::Relaxed);
        let state = Arc::clone(state);
        connections.push(thread::spawn(move || {
            stream.set_nonblocking(false).unwrap();
            // The far end hangs up, or it is over.
            let _ = converse(stream, quirks, port, &state);
        }));
    }
    for connection in connections {
        let _ = connection.join();
    }
}

/// Until sessions can be requested; `false`: it does not come so far.
fn set_up(stream: &mut TcpStream, quirks: Quirks, state: &State) -> io::Result<bool> {
    if let Some(banner) = quirks.banner {
        stream.write_all(banner)?;
        wait(stream, state);
        return Ok(false);
    }
    let mut greeting = super::greeting(quirks.modes, quirks.count, 7);
    if quirks.half == Half::Greeting {
        greeting.truncate(32);
    }
    stream.write_all(&greeting)?;
    if quirks.closes {
        return Ok(false);
    }
    if quirks.half == Half::Greeting {
        wait(stream, state);
        return Ok(false);
    }
    take(stream, 164, state)?;
    let mut start = [0; 48];
    start[15] = quirks.set_up;
    if quirks.half == Half::ServerStart {
        stream.write_all(&start[..20])?;
        wait(stream, state);
        return Ok(false);
    }
    stream.write_all(&start)?;
    Ok(quirks.set_up == 0)
}

/// One connection, with the quirks.
fn converse(mut stream: TcpStream, quirks: Quirks, port: u16, state: &State) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_millis(50)))?;
    if !set_up(&mut stream, quirks, state)? {
        return Ok(());
    }
    loop {
        let first = take(&mut stream, 16, state)?;
        match first[0] {
            5 => {
                take(&mut stream, 96, state)?;
                let mut answer = [0; 48];
                answer[0] = quirks.accept;
                if quirks.accept == 0 {
                    answer[2..4].copy_from_slice(&port.to_be_bytes());
                    answer[4..20].fill(9);
                }
                let octets = if quirks.half == Half::AcceptSession {
                    17
                } else {
                    48
                };
                stream.write_all(&answer[..octets])?;
                if quirks.is_silent || octets < 48 {
                    wait(&mut stream, state);
                    return Ok(());
                }
            }
            2 => {
                take(&mut stream, 16, state)?;
                let from = state.begun.elapsed() + quirks.deaf;
                let from = u64::try_from(from.as_millis()).unwrap();
                state.hears_from.store(from, Ordering::Relaxed);
                let mut answer = [0; 32];
                answer[0] = quirks.start;
                stream.write_all(&answer)?;
                if quirks.hangs_up {
                    thread::sleep(Duration::from_millis(20));
                    return Ok(());
                }
            }
            3 => {
                take(&mut stream, 16, state)?;
                if quirks.stays {
                    wait(&mut stream, state);
                    return Ok(());
                }
            }
            // RFC 5938: it does not know the command.
            _ => {
                let mut answer = [0; 48];
                answer[0] = 3;
                stream.write_all(&answer)?;
                return Ok(());
            }
        }
    }
}

/// Reads so many octets.
fn take(stream: &mut TcpStream, octets: usize, state: &State) -> io::Result<Vec<u8>> {
    let mut taken = vec![0; octets];
    let mut have = 0;
    while have < octets {
        match stream.read(&mut taken[have..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(more) => have += more,
            Err(_) if !state.over.load(Ordering::Relaxed) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(taken)
}

/// Says nothing until all is over.
fn wait(stream: &mut TcpStream, state: &State) {
    while !state.over.load(Ordering::Relaxed) {
        let mut rest = [0; 256];
        let _ = stream.read(&mut rest);
        thread::sleep(Duration::from_millis(5));
    }
}

fn reflect(udp: &UdpSocket, state: &State) {
    let mut own = 0_u32;
    let mut octets = [0; 2_048];
    while !state.over.load(Ordering::Relaxed) {
        let Ok((count, from)) = udp.recv_from(&mut octets) else {
            continue;
        };
        let now = u64::try_from(state.begun.elapsed().as_millis()).unwrap();
        if now < state.hears_from.load(Ordering::Relaxed) {
            continue;
        }
        let form = twinpath_runtime::probe::PacketForm {
            features: twinpath_proto::TestFeatures::default(),
            plan: twinpath_proto::control::SessionPlan::default(),
        };
        let request = &octets[..count];
        let at = twinpath_runtime::wall();
        let reply = super::reflected(&form, own, request, twinpath_wire::Tos(0), at);
        own += 1;
        let _ = udp.send_to(&reply, from);
    }
}
