//! The parts that bare programs play in a benchmark, each a process of its own.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use twinpath_bench::{FloodCount, FloodPlan, IdealPlan, PacePlan};
use twinpath_wire::control::SecurityMode;

use crate::bench::SECURED_OCTETS;
use crate::session::Session;

const BUFFER_OCTETS: i32 = 8 << 20;

/// Times after the last request within which a reply still counts.
const FLOOD_GRACE: Duration = Duration::from_millis(10);
const IDEAL_GRACE: Duration = Duration::from_secs(2);
const SESSION_GRACE: Duration = Duration::from_millis(200);

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Role {
    /// Burn a core
    Busy,
    /// The ideal pair's reflector
    IdealReflector { listen: SocketAddr },
    /// The ideal pair's sender; prints `[[t1, t2, t3, t4], ...]`
    IdealSender {
        far: SocketAddr,
        count: u32,
        interval_us: u64,
    },
    /// The bare echo
    Echo { listen: SocketAddr },
    /// Take datagrams and never read them
    Sink { listen: SocketAddr },
    /// The generator; prints a [`Flood`]
    Flood {
        far: SocketAddr,
        pps: u64,
        milliseconds: u64,
        octets: usize,
    },
    /// The generator in a session that it agrees on with a server; prints a [`Flood`]
    SessionFlood {
        server: SocketAddr,
        mode: String,
        pps: u64,
        milliseconds: u64,
    },
    /// The bare loop on an absolute schedule; prints `[departure - schedule in ns, ...]`
    Pace {
        far: SocketAddr,
        count: u32,
        interval_us: u64,
        #[arg(long)]
        spin: bool,
    },
    /// One packet from each of many ports; prints how many were answered
    Sessions {
        far: SocketAddr,
        ports: u16,
        near: Vec<Ipv4Addr>,
    },
}

/// What the generator prints.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Flood {
    pub(crate) sent: u64,
    pub(crate) received: u64,
    pub(crate) elapsed_ns: u64,
}

/// The four times of a packet: T1, T2, T3, T4.
pub(crate) type FourTimes = (Option<i64>, i64, i64, Option<i64>);

impl Role {
    /// The command line that plays this role.
    pub(crate) fn arguments(&self) -> Vec<String> {
        let line = match self {
            Self::Busy => "busy".to_owned(),
            Self::IdealReflector { listen } => format!("ideal-reflector {listen}"),
            Self::IdealSender {
                far,
                count,
                interval_us,
            } => {
                format!("ideal-sender {far} {count} {interval_us}")
            }
            Self::Echo { listen } => format!("echo {listen}"),
            Self::Sink { listen } => format!("sink {listen}"),
            Self::Flood {
                far,
                pps,
                milliseconds,
                octets,
            } => {
                format!("flood {far} {pps} {milliseconds} {octets}")
            }
            Self::SessionFlood {
                server,
                mode,
                pps,
                milliseconds,
            } => {
                format!("session-flood {server} {mode} {pps} {milliseconds}")
            }
            Self::Pace {
                far,
                count,
                interval_us,
                spin,
            } => {
                let spin = if *spin { " --spin" } else { "" };
                format!("pace {far} {count} {interval_us}{spin}")
            }
            Self::Sessions { far, ports, near } => {
                let near: Vec<String> = near.iter().map(ToString::to_string).collect();
                format!("sessions {far} {ports} {}", near.join(" "))
            }
        };
        std::iter::once("role")
            .chain(line.split(' '))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn play(self) -> Result<()> {
        match self {
            Self::Busy => burn(),
            Self::IdealReflector { listen } => {
                Ok(twinpath_bench::ideal_reflector(&listening(listen)?)?)
            }
            Self::IdealSender {
                far,
                count,
                interval_us,
            } => {
                let interval = Duration::from_micros(interval_us);
                let plan = IdealPlan {
                    count,
                    interval,
                    grace: IDEAL_GRACE,
                };
                let samples = twinpath_bench::ideal_sender(&connected(far)?, plan)?;
                let times: Vec<FourTimes> = samples
                    .iter()
                    .map(|sample| (sample.t1, sample.t2, sample.t3, sample.t4))
                    .collect();
                print(&times)
            }
            Self::Echo { listen } => Ok(twinpath_bench::echo(&listening(listen)?)?),
            Self::Sink { listen } => {
                let _socket = listening(listen)?;
                loop {
                    std::thread::park();
                }
            }
            Self::Flood {
                far,
                pps,
                milliseconds,
                octets,
            } => {
                let duration = Duration::from_millis(milliseconds);
                let plan = FloodPlan {
                    pps,
                    duration,
                    grace: FLOOD_GRACE,
                    octets,
                };
                let socket = connected(far)?;
                twinpath_bench::raise_receive_buffer(&socket, BUFFER_OCTETS)?;
                flooded(twinpath_bench::flood(&socket, plan)?)
            }
            Self::SessionFlood {
                server,
                mode,
                pps,
                milliseconds,
            } => {
                let modes = [
                    SecurityMode::Unauthenticated,
                    SecurityMode::Authenticated,
                    SecurityMode::Encrypted,
                ];
                let mode = modes.into_iter().find(|known| known.name() == mode);
                let mode = mode.context("no such mode")?;
                let session = Session::agree(server, mode, SECURED_OCTETS)?;
                twinpath_bench::raise_receive_buffer(&session.socket, BUFFER_OCTETS)?;
                let plan = FloodPlan {
                    pps,
                    duration: Duration::from_millis(milliseconds),
                    grace: FLOOD_GRACE,
                    octets: session.packet.len(),
                };
                let count = twinpath_bench::flood_with(&session.socket, plan, &session.packet)?;
                session.stop()?;
                flooded(count)
            }
            Self::Pace {
                far,
                count,
                interval_us,
                spin,
            } => {
                let interval = Duration::from_micros(interval_us);
                print(&twinpath_bench::pace(
                    &connected(far)?,
                    PacePlan {
                        count,
                        interval,
                        spin,
                    },
                )?)
            }
            Self::Sessions { far, ports, near } => print(&sessions(far, ports, &near)?),
        }
    }
}

fn burn() -> Result<()> {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_mul(3).wrapping_add(1));
    }
}

fn flooded(count: FloodCount) -> Result<()> {
    print(&Flood {
        sent: count.sent,
        received: count.received,
        elapsed_ns: u64::try_from(count.elapsed.as_nanos())?,
    })
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

fn connected(far: SocketAddr) -> Result<UdpSocket> {
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
