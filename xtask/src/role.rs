//! The parts that bare programs play in a benchmark, each a process of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use twinpath_bench::{FloodPlan, IdealPlan, PacePlan};
use twinpath_wire::control::SecurityMode;

use crate::burst::{self, Sending};
use crate::measured::{self, Kept};
use crate::session::Session;

const BUFFER_OCTETS: i32 = 8 << 20;

/// How long a reply to one of many sessions may take.
const SESSION_GRACE: Duration = Duration::from_millis(200);

/// A part, as it is passed on the command line: in JSON.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Role {
    /// Burns a core.
    Busy,
    /// The ideal pair's reflector.
    IdealReflector(SocketAddr),
    /// The ideal pair's sender; prints an [`IdealSample`](twinpath_bench::IdealSample) for each packet.
    IdealSender(SocketAddr, IdealPlan),
    /// The bare echo.
    Echo(SocketAddr),
    /// Takes datagrams and never reads them.
    Sink(SocketAddr),
    /// The generator; prints a [`FloodCount`](twinpath_bench::FloodCount).
    Flood(SocketAddr, FloodPlan),
    /// The generator with this packet; prints the same.
    PacketFlood(SocketAddr, Vec<u8>, FloodPlan),
    /// The generator in a session of this mode that it agrees on with a server; prints the same.
    SessionFlood(SocketAddr, String, FloodPlan),
    /// The bare loop on an absolute schedule; prints `[departure - schedule in ns, ...]`.
    Pace(SocketAddr, PacePlan),
    /// Timestamped packets of this many octets for this long; prints a
    /// [`BurstCount`](twinpath_bench::BurstCount).
    Burst(SocketAddr, usize, Duration, Sending),
    /// One packet from each of many ports of each address; prints how many were answered.
    Sessions {
        far: SocketAddr,
        ports: u16,
        near: Vec<Ipv4Addr>,
    },
    /// Keeps measured sessions; prints the octets of resident memory that one takes.
    Hold {
        sessions: u32,
        packets: u64,
        kept: Kept,
    },
}

impl Role {
    pub(crate) fn play(self) -> Result<()> {
        match self {
            Self::Busy => burn(),
            Self::IdealReflector(listen) => {
                Ok(twinpath_bench::ideal_reflector(&listening(listen)?)?)
            }
            Self::IdealSender(far, plan) => {
                print(&twinpath_bench::ideal_sender(&connected(far)?, plan)?)
            }
            Self::Echo(listen) => Ok(twinpath_bench::echo(&listening(listen)?)?),
            Self::Sink(listen) => {
                let _socket = listening(listen)?;
                loop {
                    std::thread::park();
                }
            }
            Self::Flood(far, plan) => {
                let socket = connected(far)?;
                twinpath_bench::raise_receive_buffer(&socket, BUFFER_OCTETS)?;
                print(&twinpath_bench::flood(&socket, plan)?)
            }
            Self::PacketFlood(far, packet, plan) => {
                let socket = connected(far)?;
                twinpath_bench::raise_receive_buffer(&socket, BUFFER_OCTETS)?;
                print(&twinpath_bench::flood_with(&socket, plan, &packet)?)
            }
            Self::SessionFlood(server, mode, plan) => {
                let mode = SecurityMode::ALL
                    .into_iter()
                    .find(|known| known.name() == mode);
                let mode = mode.context("no such mode")?;
                let session = Session::agree(server, mode, plan.octets)?;
                twinpath_bench::raise_receive_buffer(&session.socket, BUFFER_OCTETS)?;
                let plan = FloodPlan {
                    octets: session.packet.len(),
                    ..plan
                };
                let count = twinpath_bench::flood_with(&session.socket, plan, &session.packet)?;
                session.stop()?;
                print(&count)
            }
            Self::Pace(far, plan) => print(&twinpath_bench::pace(&connected(far)?, plan)?),
            Self::Burst(far, octets, duration, sending) => {
                print(&burst::burst(far, octets, duration, sending)?)
            }
            Self::Sessions { far, ports, near } => print(&sessions(far, ports, &near)?),
            Self::Hold {
                sessions,
                packets,
                kept,
            } => print(&measured::hold(sessions, packets, kept)?),
        }
    }
}

fn burn() -> Result<()> {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(3).wrapping_add(1));
    }
}

fn print(value: &impl Serialize) -> Result<()> {
    println!("{}", serde_json::to_string(value)?);
    Ok(())
}

/// A socket with a large receive buffer, said aloud once it is bound.
fn listening(listen: SocketAddr) -> Result<UdpSocket> {
    let socket = UdpSocket::bind(listen).with_context(|| format!("cannot use {listen}"))?;
    twinpath_bench::raise_receive_buffer(&socket, BUFFER_OCTETS)?;
    println!("listening on {listen}");
    Ok(socket)
}

pub(crate) fn connected(far: SocketAddr) -> Result<UdpSocket> {
    let any: IpAddr = if far.is_ipv4() {
        Ipv4Addr::UNSPECIFIED.into()
    } else {
        Ipv6Addr::UNSPECIFIED.into()
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(far)?;
    Ok(socket)
}

/// One request and its reply from each of `ports` ports, from 10000 on, of each address.
fn sessions(far: SocketAddr, ports: u16, near: &[Ipv4Addr]) -> Result<u64> {
    let mut answered = 0;
    let mut request = [0_u8; 41];
    // Sequence 0, any timestamp, an Error Estimate whose Multiplier is 1.
    request[4..12].copy_from_slice(&twinpath_bench::monotonic_ns().to_be_bytes());
    request[13] = 1;
    let mut reply = [0_u8; 64];
    for &address in near {
        for port in (10_000..).take(usize::from(ports)) {
            let socket = UdpSocket::bind((address, port))?;
            socket.connect(far)?;
            socket.set_read_timeout(Some(SESSION_GRACE))?;
            socket.send(&request)?;
            answered += u64::from(socket.recv(&mut reply).is_ok());
        }
    }
    Ok(answered)
}
