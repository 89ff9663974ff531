//! This host's interfaces, and word from the kernel when they change.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::AsRawFd;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::{host, system};
use crate::host::Interfaces;
use crate::os::addresses::{self, Address};

/// Messages of the kernel that one call of [`InterfaceChanges::wait`] takes, as far as there are so many.
const AT_ONCE: u32 = 10_000;

/// This host's interfaces that are up; `None` if the system does not report them.
pub fn interfaces() -> Option<Interfaces> {
    let entries = addresses::entries()?;
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok();
    let mut all = Interfaces::default();
    for entry in entries.into_iter().filter(|entry| entry.is_up) {
        match entry.address {
            Address::Ip(address) => all.addresses.push(address),
            Address::Link(index, mac) => {
                all.macs.extend(mac);
                let mtu = socket.as_ref();
                let mtu = mtu.and_then(|socket| host::mtu_of(socket, &entry.interface));
                all.mtus.extend(mtu.map(|mtu| (index, mtu)));
            }
        }
    }
    Some(all)
}

/// Says when interfaces or their addresses have changed.
#[derive(Debug)]
pub struct InterfaceChanges(Option<Socket>);

impl InterfaceChanges {
    /// Of changes from now on.
    pub fn watch() -> Self {
        Self(subscribe().ok())
    }

    /// Waits until something has changed, at most this long. Whether something has, or may have.
    pub fn wait(&self, longest: Duration) -> bool {
        let Some(socket) = &self.0 else {
            std::thread::sleep(longest);
            return true;
        };
        if socket.set_read_timeout(Some(longest)).is_err() || !take(socket, 0) {
            return false;
        }
        (1..AT_ONCE).all(|_| take(socket, libc::MSG_DONTWAIT));
        true
    }
}

/// Takes a message, whatever it says. One that was lost for want of room says that something changed too.
fn take(socket: &Socket, flags: libc::c_int) -> bool {
    let mut beginning = [MaybeUninit::uninit(); 16];
    match socket.recv_with_flags(&mut beginning, flags) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() == Some(libc::ENOBUFS),
    }
}

/// A socket that gets the kernel's messages about interfaces and addresses.
fn subscribe() -> io::Result<Socket> {
    const GROUPS: libc::c_int =
        libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV6_IFADDR;
    let routes = Some(Protocol::from(libc::NETLINK_ROUTE));
    let socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, routes)?;
    // SAFETY: the structure is numbers, for which zero is a value.
    let mut name: libc::sockaddr_nl = unsafe { std::mem::zeroed() };
    name.nl_family = libc::AF_NETLINK.try_into().unwrap_or_default();
    name.nl_groups = GROUPS.cast_unsigned();
    let octets = libc::socklen_t::try_from(size_of_val(&name)).unwrap_or_default();
    // SAFETY: `name` lives across the call, which only reads it, and has this many octets.
    system::check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const name).cast(), octets) })?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_among_them_with_its_mtu_and_no_mac() {
        let all = interfaces().unwrap();
        assert!(all.addresses.contains(&"127.0.0.1:0".parse().unwrap()));
        let loopback = crate::interface::index_of("lo").unwrap();
        assert!(all.mtus.contains(&(loopback, 65_536)), "{all:?}");
        assert!(!all.macs.contains(&[0; 6]));
    }

    #[test]
    fn without_a_change_the_wait_is_as_long_as_asked() {
        assert!(subscribe().is_ok());
        let changes = InterfaceChanges(None);
        assert!(changes.wait(Duration::ZERO), "nothing is known");
    }
}
