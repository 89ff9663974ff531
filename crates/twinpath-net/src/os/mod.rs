//! One module per operating system, all with the same interface; `portable` is for any system.

/// What a poller waits for.
#[cfg(unix)]
pub(crate) type Source<'a> = std::os::fd::BorrowedFd<'a>;
/// What a poller waits for.
#[cfg(windows)]
pub(crate) type Source<'a> = std::os::windows::io::BorrowedSocket<'a>;

#[cfg(target_os = "linux")]
pub(crate) mod activation;
#[cfg(unix)]
pub(crate) mod addresses;
#[cfg(any(linux_sockets, windows, target_vendor = "apple", target_os = "freebsd"))]
pub(crate) mod control;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) mod fragments;
#[cfg(linux_sockets)]
pub(crate) mod linux;
pub(crate) mod portable;

#[cfg(linux_sockets)]
pub(crate) use linux::netlink::neighbour;
#[cfg(linux_sockets)]
pub use linux::netlink::{link_of, members_of, neighbours};
#[cfg(linux_sockets)]
pub(crate) use linux::{clock, host, host::interface_mtu, interfaces, stream, wait};
#[cfg(not(target_os = "linux"))]
pub(crate) use portable::activation;
pub(crate) use portable::bind_device;
#[cfg(not(unix))]
pub(crate) use portable::host::addresses;
#[cfg(not(linux_sockets))]
pub(crate) use portable::interfaces::neighbour;
#[cfg(not(linux_sockets))]
pub use portable::interfaces::{link_of, members_of, neighbours};
#[cfg(not(linux_sockets))]
pub(crate) use portable::{host, host::interface_mtu, interfaces, stream, time as clock, wait};
