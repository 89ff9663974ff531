//! Sockets, clocks and timestamps: moves octets and says when and how they travelled.
//!
//! The only crate with `unsafe`: each block is one call into the system behind a safe face. It
//! knows no protocol, no metric and no policy. [`TestSocket`] is the kernel-stamped socket of
//! Linux or, where there is none or where it is asked for, a plain one with user-space stamps.
#![cfg_attr(
    unix,
    expect(
        unsafe_code,
        reason = "system calls; one operation per block, each with its reason"
    )
)]

mod batch;
pub mod clock;
mod error;
pub mod file;
mod hardware;
pub mod host;
pub mod interface;
mod options;
mod os;
mod packet;
mod set;
mod socket;
pub mod stream;
mod wait;

pub use batch::RecvBatch;
pub use error::{BindError, SendError};
pub use hardware::NoHardware;
pub use options::{PathOptions, Role, SocketOptions, StampChoice};
pub use packet::{IcmpError, IcmpKind, Outbound, QueueEvent, Quote};
pub use set::{SetWaker, SocketSet};
pub use socket::{Device, TestSocket, interface_mtu, local_address_towards, tells_destination};
pub use wait::{Waiter, Waker};
