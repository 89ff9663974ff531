//! Sockets, clocks and timestamps: sends and receives octets, and reports when and how they left
//! and arrived.
//!
//! The only crate with `unsafe`: each block is one system call behind a safe function. It knows no
//! protocol, metric or policy. [`TestSocket`] is the socket of Linux with kernel timestamps or, on
//! other systems or on request, a plain one with user-space timestamps.
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
