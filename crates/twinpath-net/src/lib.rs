//! Sockets, clocks and timestamps: sends and receives octets, and reports when and how they left
//! and arrived.
//!
//! The only crate with `unsafe`: each block is one system call behind a safe function. It knows no
//! protocol, metric or policy. [`TestSocket`] is the socket of Linux with kernel timestamps or, on
//! other systems or on request, a plain one with user-space timestamps.
//!
//! ```
//! use twinpath_net::{Outbound, RecvBatch, SocketOptions, SocketSet, TestSocket, clock};
//! use twinpath_wire::Mono;
//!
//! let reflector = TestSocket::open(&SocketOptions::reflector("127.0.0.1:0".parse()?))?;
//! let far = reflector.local();
//! let sender = TestSocket::open(&SocketOptions::sender("127.0.0.1:0".parse()?, far))?;
//! sender.send(b"test packet", &Outbound::stamped(far))?;
//!
//! let (mut set, _waker) = SocketSet::new()?;
//! set.insert(0, reflector)?;
//! let (mut batch, mut ready) = (RecvBatch::new(1, 1500), Vec::new());
//! let until = Mono::from_ns(clock::mono().ns() + 10_000_000_000);
//! set.wait(until, &mut ready);
//! assert_eq!(set.get(0).ok_or("no socket")?.receive(&mut batch)?, 1);
//! let (octets, length, arrival) = batch.packet(0).ok_or("no packet")?;
//! assert_eq!((&octets[..length], arrival.from), (&b"test packet"[..], sender.local()));
//! println!("{} by {}", arrival.at.at.unix_ns(), arrival.at.rung.name());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    any(unix, windows),
    expect(
        unsafe_code,
        reason = "system calls; one operation per block, each with its reason"
    )
)]

pub mod activation;
mod batch;
pub mod clock;
pub mod confine;
mod connect;
mod error;
pub mod file;
mod hardware;
pub mod host;
pub mod interface;
mod local;
mod next_hop;
mod options;
mod os;
mod packet;
mod ping;
mod set;
mod socket;
pub mod stream;

pub use batch::{RecvBatch, SendBatch};
pub use connect::{ConnectError, connect};
pub use error::{BindError, SendError};
pub use hardware::NoHardware;
pub use local::{interface_mtu, local_address_towards, reports_destination};
pub use next_hop::{NextHop, NextHops};
pub use options::{ArrivalInterface, PathOptions, Role, SocketOptions, StampChoice};
pub use packet::{IcmpError, IcmpKind, Outbound, QueueEvent, Quote};
pub use ping::ping;
pub use set::{SocketSet, Waker};
pub use socket::{Device, EVENTS_AT_ONCE, TestSocket};
